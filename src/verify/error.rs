//! Why a presented token is refused.

use super::AssertionError;
use crate::{
    jose::{Algorithm, JoseError, KeyLookup},
    store::TooManyKeys,
    token::{ActorError, ClaimsError},
};
use std::{sync::Arc, time::Duration};
use thiserror::Error;

/// The check that a token did not pass. Never carries a part of the token; issuers are named as in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum VerifyError {
    /// It is no compact JWS of the kind that is read, or its payload names no issuer.
    #[error("the token is malformed")]
    Malformed(#[source] JoseError),
    /// Its `iss` is none of the issuers that are accepted here.
    #[error("the token's issuer is not accepted")]
    UnknownIssuer,
    /// The gateway issued it itself.
    #[error("the token was issued by the gateway itself")]
    SelfIssued,
    /// Its algorithm is not in the issuer's list.
    #[error("issuer {issuer} does not sign with {alg}")]
    AlgorithmNotAccepted {
        /// The issuer's name.
        issuer: Arc<str>,
        /// The algorithm that the token names.
        alg: Algorithm,
    },
    /// The issuer has no such key.
    #[error("issuer {issuer} has no key for the token")]
    UnknownKey {
        /// The issuer's name.
        issuer: Arc<str>,
        /// What is missing.
        #[source]
        why: KeyLookup,
    },
    /// It has the form of one of the gateway's own tokens, and none of the gateway's keys signed or sealed it.
    #[error("the token was signed or sealed with none of the gateway's keys")]
    NotIssuedHere,
    /// The issuer's keys could not be fetched for too long, or could not be fetched to look for this one: a fault, not
    /// a verdict about the token.
    #[error("the keys of issuer {issuer} are not available")]
    KeysUnavailable {
        /// The issuer's name.
        issuer: Arc<str>,
    },
    /// The signature is not the key's.
    #[error("the token's signature is not valid")]
    Signature(#[source] JoseError),
    /// The header's `typ` is not accepted from this issuer.
    #[error("the token's type is not accepted")]
    TokenType,
    /// It says itself that it is something else than an access token: a refresh, ID or logout token.
    #[error("the token is not an access token")]
    NotAnAccessToken,
    /// A claim is missing or not of its type.
    #[error("a claim is not acceptable")]
    Claims(#[source] ClaimsError),
    /// `exp` is not in the future.
    #[error("the token has expired")]
    Expired,
    /// `nbf` or `iat` is in the future by more than the leeway.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// It lives longer than the issuer's tokens may.
    #[error("the token lives longer than {} s", allowed.as_secs())]
    LivesTooLong {
        /// The longest life.
        allowed: Duration,
    },
    /// It is addressed to somebody else.
    #[error("the token is not addressed to the gateway")]
    Audience,
    /// `sub` is empty, longer than 255 characters, or holds control characters.
    #[error("the token names no acceptable subject")]
    Subject,
    /// It is bound to a key (`cnf`), and no proof of possession can be checked.
    #[error("the token is bound to a key whose possession was not proven")]
    SenderConstrained,
    /// A claim that the issuer's tokens must have is missing or has another value.
    #[error("the required claim {name} is missing or has another value")]
    RequiredClaim {
        /// The claim's name in the configuration.
        name: Arc<str>,
    },
    /// `act` is malformed or too deep.
    #[error("the actor chain is not acceptable")]
    ActorChain(#[source] ActorError),
    /// The scope claim is neither scope tokens separated by spaces nor a list of them.
    #[error("the scope is malformed")]
    Scope,
    /// The claim with the roles is neither a text nor a list of texts.
    #[error("the roles are malformed")]
    Roles,
    /// It was revoked, or something that it comes from: its session, subject, client, key or an actor.
    #[error("the token is revoked")]
    Revoked,
    /// It comes from more than is kept of a token.
    #[error("the token comes from too much")]
    Lineage(#[from] TooManyKeys),
    /// A type of token was declared that is not taken in this place.
    #[error("tokens of this type are not taken")]
    NotTaken,
    /// It was declared an ID token and is none.
    #[error("the token is not an id token")]
    NotAnIdToken,
    /// The JWT that the client signed itself is not acceptable.
    #[error("the client's own token is not acceptable")]
    Assertion(#[source] AssertionError),
    /// It was got by impersonation, and is presented as an actor's own.
    #[error("a token got by impersonation is no actor's")]
    Impersonated,
    /// The directory knows no such user.
    #[error("the user is not known")]
    UserUnknown,
    /// The gateway issued it, for a subject that cannot be led back to an issuer which is accepted here.
    #[error("the subject of the gateway's own token comes from no issuer that is accepted")]
    Origin,
}
