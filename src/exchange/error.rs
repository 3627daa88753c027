//! Why a permitted exchange returned no usable token.

use super::accept::AttenuationError;
use crate::{
    clock::NoRandomness,
    egress::EgressError,
    error_class::ErrorClass,
    jose::{JoseError, SealingError},
};
use thiserror::Error;

/// The reason why a permitted exchange returned no usable token.
///
/// The embedded engine fails only with the first five. The others are for exchangers that ask an identity provider for the
/// token. Each of these exchangers maps the errors of its protocol to them, because the same code can have a different
/// meaning in another protocol. `code` is one of the codes that the exchanger knows, never text of the provider.
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
    /// The token that the embedded engine issued grants more than was permitted, or cannot be read.
    #[error("the issued token differs from what was permitted: {0}")]
    NotAsPermitted(#[source] AttenuationError),
    /// The provider refuses the user's token, for example with `invalid_grant`.
    #[error("the identity provider refuses the user's token: {code}")]
    TokenRefused {
        /// The provider's error code.
        code: &'static str,
    },
    /// The provider issues no token for this target or scope: `access_denied`, `invalid_target`, `invalid_scope`.
    #[error("the identity provider issues no token for this target or scope: {code}")]
    TargetRefused {
        /// The provider's error code.
        code: &'static str,
    },
    /// The provider refuses the gateway as its client: `invalid_client`, `unauthorized_client`,
    /// `unsupported_grant_type`.
    #[error("the identity provider refuses the gateway as its client: {code}")]
    ClientRefused {
        /// The provider's error code.
        code: &'static str,
    },
    /// The provider cannot be reached, does not respond in time, limits the rate (429), or fails (5xx).
    #[error("the identity provider is unavailable: {0}")]
    Unavailable(#[source] EgressError),
    /// The provider's response is not a token response (RFC 8693 §2.2.1).
    #[error("the identity provider's response cannot be used: {0}")]
    Unusable(#[source] ResponseFault),
    /// The provider's token or response grants more than was permitted, or is not what the exchanger's profile accepts.
    #[error("the identity provider's response differs from what was permitted: {0}")]
    WiderThanPermitted(#[source] AttenuationError),
}

/// What is wrong with a response that is not a token response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ResponseFault {
    /// The body is not one JSON object with unique members.
    #[error("it is not a JSON object")]
    NotAnObject,
    /// A member is missing or has the wrong type.
    #[error("{0} is missing or malformed")]
    Member(&'static str),
}

impl ExchangeError {
    /// Returns the kind of failure.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::NoOpaqueKeys => ErrorClass::OperatorFault,
            Self::Signing(_) | Self::Randomness(_) | Self::Sealing(_) | Self::NotAsPermitted(_) => {
                ErrorClass::Fault
            }
            Self::TokenRefused { .. } => ErrorClass::Unacceptable,
            Self::TargetRefused { .. } => ErrorClass::Target,
            Self::ClientRefused { .. } => ErrorClass::ClientRefused,
            Self::Unavailable(_) => ErrorClass::Unavailable,
            Self::Unusable(_) | Self::WiderThanPermitted(_) => ErrorClass::UnusableResponse,
        }
    }
}
