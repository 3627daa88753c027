//! The reasons why a presented token is refused.

use super::AssertionError;
use crate::{
    error_class::ErrorClass,
    jose::{Algorithm, JoseError, KeyLookup},
    own_token::OwnTokenError,
    store::{Revoked, TooManyKeys},
    token::{ActorError, ClaimsError},
};
use std::{sync::Arc, time::Duration};
use thiserror::Error;

/// The check that a token did not pass. It never contains a part of the token. Issuers have their configured names.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum VerifyError {
    /// The token is not an acceptable compact JWS, or its payload has no issuer.
    #[error("the token is malformed")]
    Malformed(#[source] JoseError),
    /// `iss` is not an issuer that is accepted here.
    #[error("the token's issuer is not accepted")]
    UnknownIssuer,
    /// The gateway issued the token itself.
    #[error("the token was issued by the gateway itself")]
    SelfIssued,
    /// The algorithm is not in the issuer's list.
    #[error("the algorithm {alg} is not accepted for issuer {issuer}")]
    AlgorithmNotAccepted {
        /// The issuer's name.
        issuer: Arc<str>,
        /// The algorithm of the token.
        alg: Algorithm,
    },
    /// The issuer has no key for the token.
    #[error("issuer {issuer} has no key for the token")]
    UnknownKey {
        /// The issuer's name.
        issuer: Arc<str>,
        /// Why no key was found.
        #[source]
        why: KeyLookup,
    },
    /// The token has the form of one of the gateway's own tokens, but none of the gateway's keys signed or sealed it.
    #[error("the token was not signed or sealed with a key of the gateway")]
    NotIssuedHere,
    /// The issuer's keys are too old, or could not be fetched to look up an unknown key. This is a failure, not a
    /// verdict about the token.
    #[error("the keys of issuer {issuer} are not available")]
    KeysUnavailable {
        /// The issuer's name.
        issuer: Arc<str>,
    },
    /// The signature does not verify.
    #[error("the token's signature is not valid")]
    Signature(#[source] JoseError),
    /// The header's `typ` is not accepted from this issuer.
    #[error("the token's type is not accepted")]
    TokenType,
    /// The token is of another kind, such as a refresh, ID or logout token.
    #[error("the token is not an access token")]
    NotAnAccessToken,
    /// A claim is missing or has the wrong type.
    #[error("a claim is not acceptable")]
    Claims(#[source] ClaimsError),
    /// `exp` is not in the future.
    #[error("the token has expired")]
    Expired,
    /// `nbf` or `iat` is in the future by more than the leeway.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// The lifetime exceeds the issuer's maximum.
    #[error("the token's lifetime exceeds {} s", allowed.as_secs())]
    LivesTooLong {
        /// The maximum lifetime.
        allowed: Duration,
    },
    /// The token is not addressed to the gateway.
    #[error("the token's audience does not include the gateway")]
    Audience,
    /// `sub` is empty, longer than 255 characters, or contains control characters.
    #[error("the token has no acceptable subject")]
    Subject,
    /// The token is bound to a key (`cnf`), and the gateway cannot check the proof of possession.
    #[error("the token is bound to a key whose possession was not proven")]
    SenderConstrained,
    /// A claim that is required of the issuer's tokens is missing or has a different value.
    #[error("the required claim {name} is missing or has another value")]
    RequiredClaim {
        /// The claim's name in the configuration.
        name: Arc<str>,
    },
    /// `act` is malformed or too deep.
    #[error("the actor chain is not acceptable")]
    ActorChain(#[source] ActorError),
    /// The scope claim is neither a list of scope tokens nor a string of them separated by spaces.
    #[error("the scope is malformed")]
    Scope,
    /// The roles claim is neither a string nor a list of strings.
    #[error("the roles are malformed")]
    Roles,
    /// The token is revoked, or something in its lineage: its session, subject, client, key or an actor.
    #[error("the token is revoked")]
    Revoked,
    /// The lineage of the token has more keys than the gateway stores.
    #[error("the token's lineage is too long")]
    Lineage(#[from] TooManyKeys),
    /// The declared token type is not accepted here.
    #[error("tokens of this type are not accepted")]
    NotTaken,
    /// The token was declared an ID token but is not one.
    #[error("the token is not an ID token")]
    NotAnIdToken,
    /// The JWT that the client signed itself is not acceptable.
    #[error("the client's own token is not acceptable")]
    Assertion(#[source] AssertionError),
    /// The token was issued for an impersonation and is presented as an actor token.
    #[error("a token obtained by impersonation cannot be an actor token")]
    Impersonated,
    /// The user is not in the directory.
    #[error("the user is unknown")]
    UserUnknown,
    /// The gateway issued the token, but its subject cannot be traced to an issuer that is accepted here.
    #[error("the subject of the gateway's own token comes from an issuer that is not accepted")]
    Origin,
}

impl VerifyError {
    /// Returns the kind of failure. Only a missing key set is not a verdict about the token.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::KeysUnavailable { .. } => ErrorClass::Unavailable,
            Self::Assertion(error) => error.class(),
            Self::Malformed(_)
            | Self::UnknownIssuer
            | Self::SelfIssued
            | Self::AlgorithmNotAccepted { .. }
            | Self::UnknownKey { .. }
            | Self::NotIssuedHere
            | Self::Signature(_)
            | Self::TokenType
            | Self::NotAnAccessToken
            | Self::Claims(_)
            | Self::Expired
            | Self::NotYetValid
            | Self::LivesTooLong { .. }
            | Self::Audience
            | Self::Subject
            | Self::SenderConstrained
            | Self::RequiredClaim { .. }
            | Self::ActorChain(_)
            | Self::Scope
            | Self::Roles
            | Self::Revoked
            | Self::Lineage(_)
            | Self::NotTaken
            | Self::NotAnIdToken
            | Self::Impersonated
            | Self::UserUnknown
            | Self::Origin => ErrorClass::Unacceptable,
        }
    }
}

impl From<Revoked> for VerifyError {
    fn from(_: Revoked) -> Self {
        Self::Revoked
    }
}

impl From<OwnTokenError> for VerifyError {
    fn from(error: OwnTokenError) -> Self {
        match error {
            OwnTokenError::Malformed(cause) => Self::Malformed(cause),
            OwnTokenError::UnknownIssuer => Self::UnknownIssuer,
            OwnTokenError::NotIssuedHere => Self::NotIssuedHere,
            OwnTokenError::Signature(cause) => Self::Signature(cause),
            OwnTokenError::TokenType => Self::TokenType,
            OwnTokenError::Claims(cause) => Self::Claims(cause),
            OwnTokenError::Expired => Self::Expired,
            OwnTokenError::NotYetValid => Self::NotYetValid,
            OwnTokenError::Audience => Self::Audience,
            OwnTokenError::Origin => Self::Origin,
        }
    }
}
