//! The exchange of a permitted request for a token, and the check of the issued token.
//!
//! An [`Exchanger`] turns a [`PermittedExchange`](crate::policy::PermittedExchange) into a [`TokenResponse`].
//! [`IssuedToken::accept`] then compares the response with what was permitted, by the [`AcceptProfile`] of the exchanger,
//! and refuses a token that grants more. This check applies to every exchanger, including the engine of this process.

mod accept;
mod embedded;
mod error;
mod exchanger;
mod named_exchanger;
mod response;
mod settings;
mod token_issuer;

pub use accept::{
    AcceptProfile, ActorRule, AttenuationError, IssuedToken, LongerLived, ProviderProfile,
    Readability, WithoutExpiry,
};
pub use embedded::Embedded;
pub use error::{ExchangeError, ResponseFault};
pub use exchanger::Exchanger;
pub use named_exchanger::NamedExchanger;
pub use response::{TokenResponse, TokenType};
pub use settings::{EngineParts, EngineSettings};
pub use token_issuer::TokenIssuer;
