//! Turning a permitted exchange into a token, here or elsewhere, and checking what came back.
//!
//! What enters is a [`PermittedExchange`]; what leaves is an [`IssuedToken`]. Whoever made the token, and that includes
//! the engine of this process, [`IssuedToken::accept`] reads it again and refuses it when it is wider than permitted.

mod accept;
mod embedded;
mod settings;

pub use accept::{IssuedToken, Reading, Wider};
pub use embedded::Embedded;
pub use settings::{EngineParts, EngineSettings};

use crate::{
    clock::NoRandomness,
    jose::{JoseError, SealingError},
    policy::PermittedExchange,
    token::{RawToken, TokenTypeUri},
};
use std::{fmt, sync::Arc};
use thiserror::Error;

/// Makes or fetches the token that a permitted exchange stands for.
///
/// An implementation is one file of this module, one variant of [`Exchange`] and one arm of its `exchange`.
pub trait Exchanger: Send + Sync + fmt::Debug {
    /// Performs the exchange. The answer is unchecked: it still has to be accepted.
    fn exchange(
        &self,
        permitted: &PermittedExchange,
    ) -> impl Future<Output = Result<TokenResponse, ExchangeError>> + Send;
}

/// What an exchanger answered (RFC 8693 §2.2.1), unchecked.
#[derive(Debug)]
pub struct TokenResponse {
    /// `access_token`.
    pub access_token: RawToken,
    /// `issued_token_type`.
    pub issued_token_type: TokenTypeUri,
}

/// Why there is no token although the policy permitted one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExchangeError {
    /// The signing key did not sign.
    #[error("the token could not be signed")]
    Signing(#[source] JoseError),
    /// There was no randomness for a `jti`.
    #[error("the token could not be given an id")]
    Randomness(#[from] NoRandomness),
    /// An opaque token was permitted, and there are no keys to seal it with.
    #[error("there are no keys to seal opaque tokens with")]
    NoOpaqueKeys,
    /// The token could not be sealed.
    #[error("the token could not be sealed")]
    Sealing(#[from] SealingError),
    /// The answer is more than was permitted, or cannot be read.
    #[error("the issued token is not what was permitted: {0}")]
    NotAsPermitted(#[from] Wider),
}

/// The exchangers that a route can name.
#[derive(Debug, Clone)]
pub enum Exchange {
    /// The engine in this process.
    Embedded(Arc<Embedded>),
}

impl Exchange {
    /// Performs the exchange with the exchanger that the route names.
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

    /// `iss` of what it issues.
    pub fn issuer(&self) -> &str {
        match self {
            Self::Embedded(embedded) => embedded.issuer(),
        }
    }

    /// How its answers are read.
    pub fn reading(&self) -> Reading<'_> {
        match self {
            Self::Embedded(embedded) => embedded.reading(),
        }
    }

    /// The value of the `exchanger` label.
    pub fn name(&self) -> &str {
        match self {
            Self::Embedded(_) => "embedded",
        }
    }
}
