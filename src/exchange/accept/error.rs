//! How an issued token exceeds what was permitted.

use thiserror::Error;

/// The way in which an issued token exceeds what was permitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AttenuationError {
    /// The token does not have the permitted form, or its claims cannot be read.
    #[error("it cannot be read")]
    Unreadable,
    /// `issued_token_type` or `token_type` is not one that is accepted, or the token is of another kind than it says.
    #[error("a different type of token")]
    TokenType,
    /// The response contains the token that was exchanged.
    #[error("the token that was exchanged")]
    Echo,
    /// A provider returned one of the gateway's own tokens.
    #[error("a token of the gateway itself")]
    OwnToken,
    /// The token names a different issuer than the exchanger.
    #[error("different issuer")]
    Issuer,
    /// The token names no audience, or an audience that was not permitted.
    #[error("different audience")]
    Audience,
    /// The token has scopes that were not permitted.
    #[error("additional scope")]
    Scope,
    /// The token has expired, has no expiry, or expires later than permitted.
    #[error("different lifetime")]
    Lifetime,
    /// The token names a different chain of actors.
    #[error("different actor chain")]
    Actors,
    /// The token is about a different subject or for a different client.
    #[error("different subject or client")]
    Subject,
    /// The `authorization_details` of the token differ from those that were permitted.
    #[error("different authorization details")]
    AuthorizationDetails,
    /// The token has a claim that was not permitted, a claim with a different value than permitted, or no `jti`.
    #[error("a claim that was not permitted")]
    Claim,
    /// The sealed lineage of the token is missing, wrong or too long, so that a revocation would not reach the token.
    #[error("different lineage")]
    Lineage,
}
