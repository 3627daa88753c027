//! Why a policy refuses a request.

use crate::{error_class::ErrorClass, store::TooManyKeys, token::ScopeSet};
use thiserror::Error;

/// The reason why a verified token is not exchanged on this route.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// The route admits only named clients, and the client of this token is a different one or unknown.
    #[error("the calling client is not admitted")]
    CallerNotAdmitted,
    /// The calling client may not get tokens for this route's audience.
    #[error("the calling client may not get tokens for this audience")]
    AudienceNotForClient,
    /// The route has operations, and the request matches none of them.
    #[error("the request matches no operation of the route")]
    NoOperation,
    /// The token was issued to an application itself, and the route serves only users.
    #[error("the token is app-only, but the route requires a user")]
    AppOnlySubject,
    /// A token has `authorization_details` (RFC 9396) that must not or cannot be copied.
    #[error("the token has authorization_details that are not copied")]
    AuthorizationDetails,
    /// The subject token does not have all scopes that the route requires.
    #[error(
        "missing scope {missing}: required {wanted}, available {}",
        named(held)
    )]
    ScopeNotHeld {
        /// All required scopes.
        wanted: ScopeSet,
        /// The required scopes that the subject token does not have.
        missing: ScopeSet,
        /// The scopes of the subject token, in the upstream's names.
        held: ScopeSet,
    },
    /// The subject token has none of the scopes that the route allows.
    #[error("no scope is left: requested {allowed}, available {}", named(held))]
    NoScopeLeft {
        /// The requested scopes: those of the operation, or the route's `allow`.
        allowed: ScopeSet,
        /// The scopes of the subject token, in the upstream's names.
        held: ScopeSet,
    },
    /// The token's `may_act` does not name the gateway (RFC 8693 §4.4).
    #[error("may_act does not name the gateway")]
    NotAuthorizedActor,
    /// The issued token would name more actors than the route allows.
    #[error("{depth} actors, but at most {allowed} are allowed")]
    ActorChainTooDeep {
        /// The number of actors that the issued token would name.
        depth: usize,
        /// The route's limit.
        allowed: usize,
    },
    /// The subject token has expired or expires now.
    #[error("no lifetime is left")]
    NoLifetimeLeft,
    /// The issued token's `sub` would be longer than 255 characters or not ASCII (OpenID Connect Core §2).
    #[error("the issued sub would be longer than 255 characters or not ASCII")]
    SubjectNotExpressible,
    /// The token was neither issued nor addressed to the client that presents it, and the client may not exchange the
    /// tokens of other clients.
    #[error("the token belongs to another client")]
    NotThisClientsToken,
    /// A subject of this kind requires an actor token.
    #[error("an actor is required")]
    ActorNeeded,
    /// Neither the subject's issuer nor the directory permits the actor to act for the subject.
    #[error("the actor may not act for the subject")]
    ImpersonationNotAllowed,
    /// The subject or the actor is not in the directory.
    #[error("the user is not in the directory")]
    UserUnknown,
    /// The client may not get tokens for the requested audience, or no audience is left that it could get.
    #[error("the target is not allowed")]
    TargetNotAllowed,
    /// The client requests more scope than its `allow` permits or the tokens have.
    #[error("the scope exceeds what is allowed or what the tokens contain: {wanted}")]
    ScopeExceeds {
        /// The excess scopes.
        wanted: ScopeSet,
    },
    /// The client may not get tokens of this format.
    #[error("the client may not get tokens of this format")]
    FormatNotAllowed,
    /// The lineage of the token would have more keys than the gateway stores.
    #[error("the token's lineage would be too long")]
    Lineage(#[from] TooManyKeys),
}

impl PolicyError {
    /// Returns the kind of failure.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::ScopeNotHeld { .. } | Self::NoScopeLeft { .. } | Self::ScopeExceeds { .. } => {
                ErrorClass::Scope
            }
            Self::TargetNotAllowed | Self::AudienceNotForClient => ErrorClass::Target,
            Self::NoLifetimeLeft | Self::Lineage(_) => ErrorClass::Unacceptable,
            Self::CallerNotAdmitted
            | Self::NoOperation
            | Self::AppOnlySubject
            | Self::AuthorizationDetails
            | Self::NotAuthorizedActor
            | Self::ActorChainTooDeep { .. }
            | Self::SubjectNotExpressible
            | Self::NotThisClientsToken
            | Self::ActorNeeded
            | Self::ImpersonationNotAllowed
            | Self::UserUnknown
            | Self::FormatNotAllowed => ErrorClass::Denied,
        }
    }

    /// Returns the scope that a token needs for the request, if it lacks scope.
    pub fn required_scope(&self) -> Option<&ScopeSet> {
        match self {
            Self::ScopeNotHeld { wanted, .. } | Self::ScopeExceeds { wanted } => Some(wanted),
            Self::NoScopeLeft { allowed, .. } => Some(allowed),
            Self::CallerNotAdmitted
            | Self::AudienceNotForClient
            | Self::NoOperation
            | Self::AppOnlySubject
            | Self::AuthorizationDetails
            | Self::NotAuthorizedActor
            | Self::ActorChainTooDeep { .. }
            | Self::NoLifetimeLeft
            | Self::SubjectNotExpressible
            | Self::NotThisClientsToken
            | Self::ActorNeeded
            | Self::ImpersonationNotAllowed
            | Self::UserUnknown
            | Self::TargetNotAllowed
            | Self::FormatNotAllowed
            | Self::Lineage(_) => None,
        }
    }
}

/// Formats a set for messages, in which an empty string would look like an error.
fn named(scopes: &ScopeSet) -> String {
    match scopes.is_empty() {
        true => "nothing".to_owned(),
        false => scopes.to_string(),
    }
}
