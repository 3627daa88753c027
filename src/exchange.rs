//! The exchange of a permitted request for a token, and the check of the issued token.
//!
//! An [`Exchanger`] turns a [`PermittedExchange`] into a [`TokenResponse`]. [`IssuedToken::accept`] then reads the
//! token again and refuses it if it grants more than was permitted. This check applies to every exchanger, including
//! the engine of this process.

mod accept;
mod embedded;
mod settings;

pub use accept::{AttenuationError, IssuedToken, Reading};
pub use embedded::Embedded;
pub use settings::{EngineParts, EngineSettings};

use crate::{
    clock::NoRandomness,
    error_class::ErrorClass,
    jose::{JoseError, SealingError},
    policy::PermittedExchange,
    token::{RawToken, TokenTypeUri},
};
use std::{fmt, sync::Arc};
use thiserror::Error;

/// Issues or fetches the token for a permitted exchange.
///
/// To add an implementation, add one file to this module, one variant to [`Exchange`] and one arm to its `exchange`.
pub trait Exchanger: Send + Sync + fmt::Debug {
    /// Performs the exchange. The response is not checked yet: [`IssuedToken::accept`] must accept it.
    fn exchange(
        &self,
        permitted: &PermittedExchange,
    ) -> impl Future<Output = Result<TokenResponse, ExchangeError>> + Send;
}

/// The unchecked response of an exchanger (RFC 8693 §2.2.1).
#[derive(Debug)]
pub struct TokenResponse {
    /// `access_token`.
    pub access_token: RawToken,
    /// `issued_token_type`.
    pub issued_token_type: TokenTypeUri,
}

/// The reason why a permitted exchange returned no token.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExchangeError {
    /// Signing failed.
    #[error("the token could not be signed")]
    Signing(#[source] JoseError),
    /// No randomness was available for a `jti`.
    #[error("no id could be generated for the token")]
    Randomness(#[from] NoRandomness),
    /// An opaque token was permitted, but no keys to seal it with are configured.
    #[error("there are no keys for sealing opaque tokens")]
    NoOpaqueKeys,
    /// Sealing failed.
    #[error("the token could not be sealed")]
    Sealing(#[from] SealingError),
    /// The issued token grants more than was permitted, or cannot be read.
    #[error("the issued token differs from what was permitted: {0}")]
    NotAsPermitted(#[from] AttenuationError),
}

impl ExchangeError {
    /// Returns the kind of failure.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::NoOpaqueKeys => ErrorClass::OperatorFault,
            Self::Signing(_) | Self::Randomness(_) | Self::Sealing(_) | Self::NotAsPermitted(_) => {
                ErrorClass::Fault
            }
        }
    }
}

/// The exchangers that a route can use.
#[derive(Debug, Clone)]
pub enum Exchange {
    /// The engine in this process.
    Embedded(Arc<Embedded>),
}

impl Exchange {
    /// Performs the exchange with the exchanger of the route.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub async fn exchange(
        &self,
        permitted: &PermittedExchange,
    ) -> Result<TokenResponse, ExchangeError> {
        match self {
            Self::Embedded(embedded) => embedded.exchange(permitted).await,
        }
    }

    /// `iss` of the issued tokens.
    pub fn issuer(&self) -> &str {
        match self {
            Self::Embedded(embedded) => embedded.issuer(),
        }
    }

    /// How tokens of this exchanger are read.
    pub fn reading(&self) -> Reading<'_> {
        match self {
            Self::Embedded(embedded) => embedded.reading(),
        }
    }

    /// The value of the `exchanger` metric label.
    pub fn name(&self) -> &str {
        match self {
            Self::Embedded(_) => "embedded",
        }
    }
}
