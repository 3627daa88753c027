//! Why a JWT that a client signed itself is refused.

use crate::{jose::JoseError, token::ClaimsError};
use thiserror::Error;

/// The check that such a JWT did not pass.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AssertionError {
    /// It is not an acceptable compact JWS.
    #[error("malformed")]
    Malformed(#[source] JoseError),
    /// The client has no such key.
    #[error("signed with a key that is not the client's")]
    Key,
    /// The signature does not verify.
    #[error("the signature is not valid")]
    Signature,
    /// The header's `typ` names a different type.
    #[error("its type is another")]
    Type,
    /// A claim is missing or has the wrong type.
    #[error("a claim is not acceptable")]
    Claims(#[source] ClaimsError),
    /// `iss` is not the client.
    #[error("issued by somebody else")]
    Issuer,
    /// `sub` is empty, too long, or not the expected subject.
    #[error("its subject is not acceptable")]
    Subject,
    /// `aud` is missing or contains a name that is not the gateway's.
    #[error("addressed to somebody else")]
    Audience,
    /// `exp` is not in the future.
    #[error("expired")]
    Expired,
    /// `nbf` or `iat` is in the future.
    #[error("not valid yet")]
    NotYetValid,
    /// Its lifetime exceeds an hour.
    #[error("lives longer than an hour")]
    LivesTooLong,
    /// It has no `jti`, and its lifetime exceeds five minutes.
    #[error("has no jti and lives longer than five minutes")]
    NoIdentifier,
    /// Its `jti` was used before.
    #[error("used before")]
    Replayed,
    /// The client's keys or the record of used JWTs are not available. This is a failure, not a verdict.
    #[error("cannot be checked at the moment")]
    Unavailable,
}
