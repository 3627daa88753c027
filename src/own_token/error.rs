//! Why a token is not accepted as one of the gateway's own.

use crate::{jose::JoseError, token::ClaimsError};
use thiserror::Error;

/// The check that a token did not pass. Never contains a part of the token.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OwnTokenError {
    /// It is not a compact JWS, or its payload names no issuer.
    #[error("the token is malformed")]
    Malformed(#[source] JoseError),
    /// Its `iss` is not the gateway's.
    #[error("the token was not issued by this gateway")]
    UnknownIssuer,
    /// None of the gateway's keys signed or encrypted it.
    #[error("the token was not signed or encrypted with a key of the gateway")]
    NotIssuedHere,
    /// The signature is not valid.
    #[error("the token's signature is not valid")]
    Signature(#[source] JoseError),
    /// The header's `typ` is not one that the gateway issues.
    #[error("the token's type is not one that the gateway issues")]
    TokenType,
    /// A claim is missing or has the wrong type.
    #[error("a claim is not acceptable")]
    Claims(#[source] ClaimsError),
    /// `exp` is not in the future.
    #[error("the token has expired")]
    Expired,
    /// `iat` is in the future by more than the leeway.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// `aud` contains something that is not an audience.
    #[error("the token's audience is malformed")]
    Audience,
    /// Its `jti` does not say how its subject was named, or it comes from more than is recorded of a token.
    #[error("the token's origin is unknown")]
    Origin,
}
