//! Why a JWT that a client signed itself is refused.

use crate::{error_class::ErrorClass, jose::JoseError, token::ClaimsError};
use thiserror::Error;

/// The check that such a JWT did not pass.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AssertionError {
    /// It is not an acceptable compact JWS.
    #[error("it is malformed")]
    Malformed(#[source] JoseError),
    /// The client has no such key.
    #[error("it is not signed with a key of the client")]
    Key,
    /// The signature does not verify.
    #[error("its signature is not valid")]
    Signature,
    /// The header's `typ` names a different type.
    #[error("its type is not accepted")]
    Type,
    /// A claim is missing or has the wrong type.
    #[error("a claim is not acceptable")]
    Claims(#[source] ClaimsError),
    /// `iss` is not the client.
    #[error("its issuer is not the client")]
    Issuer,
    /// `sub` is empty, too long, or not the expected subject.
    #[error("its subject is not acceptable")]
    Subject,
    /// `aud` is missing or contains a name that is not the gateway's.
    #[error("its audience is not this gateway")]
    Audience,
    /// `exp` is not in the future.
    #[error("it has expired")]
    Expired,
    /// `nbf` or `iat` is in the future.
    #[error("it is not valid yet")]
    NotYetValid,
    /// Its lifetime exceeds an hour.
    #[error("its lifetime exceeds one hour")]
    LivesTooLong,
    /// It has no `jti`, and its lifetime exceeds five minutes.
    #[error("it has no jti, and its lifetime exceeds five minutes")]
    NoIdentifier,
    /// Its `jti` was used before.
    #[error("it was used before")]
    Replayed,
    /// The client's keys or the record of used JWTs are not available. This is a failure, not a verdict.
    #[error("it cannot be checked at the moment")]
    Unavailable,
}

impl AssertionError {
    /// Returns the kind of failure.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Unavailable => ErrorClass::Unavailable,
            Self::Malformed(_)
            | Self::Key
            | Self::Signature
            | Self::Type
            | Self::Claims(_)
            | Self::Issuer
            | Self::Subject
            | Self::Audience
            | Self::Expired
            | Self::NotYetValid
            | Self::LivesTooLong
            | Self::NoIdentifier
            | Self::Replayed => ErrorClass::Unacceptable,
        }
    }
}
