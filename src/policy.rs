//! What one route lets become of a verified token: pure narrowing, no I/O, no clock of its own.
//!
//! What enters is an [`ExchangeRequest`], made of a [`SubjectToken`]; what leaves is a [`PermittedExchange`], minted
//! nowhere else, whose every field is at most what the subject held and what the route allows. Whoever mints or fetches
//! a token has to stay within it.

mod authorization_details;
mod claims;
mod client;
mod delegation;
mod direct;
mod naming;
mod operation;
mod permit;
mod requested;
mod scope;
mod scope_map;
mod settings;
mod told;

pub use authorization_details::{AUTHORIZATION_DETAILS, DetailsRule};
pub use claims::ClaimPolicy;
pub use client::{
    AudienceRule, ClientCeilings, ClientChainSettings, ClientParts, ClientPolicy,
    ClientScopeSettings, ClientSettings, ClientSubject, Clients, Grant, ImpersonatedSubject,
    ImpersonationSettings, Names, RefreshSettings, RefreshTerms, ResourceSettings,
};
pub use delegation::{GatewayIdentity, OutgoingActor};
pub use direct::DirectRequest;
pub use operation::{Operation, OperationId, OperationSettings, Operations};
pub use permit::{ExchangeRequest, Impersonation, PermittedExchange};
pub use requested::{MY_SCOPES, RequestedScope, ScopeRule};
pub use scope::{Excess, ScopePolicy};
pub use settings::{
    AcceptSettings, AccessTokenForm, ActorSettings, ChainSettings, ClaimSettings, ExchangeSettings,
    PolicyParts, Salt, ScopeSettings, SubjectForm, SubjectKinds, TokenSettings,
};

use crate::{
    clock::UnixTime,
    store::TooManyKeys,
    telemetry::Witness,
    token::{AccessTokenType, Audience, ScopeSet, TokenFormat},
    verify::SubjectToken,
};
use http::Method;
use naming::SubjectNaming;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use thiserror::Error;

/// Why a verified token gets no on-behalf-of token on this route.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// The route admits named callers only, and this token's client is not among them or not known.
    #[error("the calling client is not admitted")]
    CallerNotAdmitted,
    /// The calling client may not get tokens for this route's audience.
    #[error("the calling client gets no tokens for this audience")]
    AudienceNotForClient,
    /// The route tells operations apart, and the request is none of them.
    #[error("no operation of the route")]
    NoOperation,
    /// The token was issued to an application for itself, and the route serves users.
    #[error("an app-only token where a user is needed")]
    AppOnlySubject,
    /// A token carries `authorization_details` (RFC 9396) where they are not carried over, or cannot be.
    #[error("authorization_details that are not carried over")]
    AuthorizationDetails,
    /// The subject does not hold scopes that the route requires.
    #[error("scope not held: {missing} of {wanted}; held {}", named(held))]
    ScopeNotHeld {
        /// All that is required.
        wanted: ScopeSet,
        /// What of it the subject lacks.
        missing: ScopeSet,
        /// What the subject token holds, in the upstream's names.
        held: ScopeSet,
    },
    /// The subject holds nothing of what the route allows.
    #[error("nothing is left of the scope: wanted {allowed}, held {}", named(held))]
    NoScopeLeft {
        /// What was wanted: the operation's scopes, or the route's ceiling.
        allowed: ScopeSet,
        /// What the subject token holds, in the upstream's names.
        held: ScopeSet,
    },
    /// The token's `may_act` does not name the gateway (RFC 8693 §4.4).
    #[error("may_act does not name the gateway")]
    NotAuthorizedActor,
    /// With the gateway there would be more actors than the route allows.
    #[error("{depth} actors where {allowed} are allowed")]
    ActorChainTooDeep {
        /// Actors the issued token would name.
        depth: usize,
        /// The route's limit.
        allowed: usize,
    },
    /// The subject token ends now or ended already.
    #[error("no lifetime is left")]
    NoLifetimeLeft,
    /// The issued token's `sub` would be longer than 255 characters or not ASCII (OpenID Connect Core §2).
    #[error("the subject cannot be expressed as a sub")]
    SubjectNotExpressible,
    /// The token was neither issued to the client that presents it nor addressed to it, and the client may not take
    /// others' tokens.
    #[error("the token is another client's")]
    NotThisClientsToken,
    /// A subject of this kind counts only together with an actor's token.
    #[error("an actor is needed")]
    ActorNeeded,
    /// Neither the subject's issuer nor the directory permits the actor to act for the subject.
    #[error("the actor may not act for the subject")]
    ImpersonationNotAllowed,
    /// The directory does not know the subject or the actor.
    #[error("the user is not known")]
    UserUnknown,
    /// The client may not get tokens for what it asks for, or there is nothing that it could get one for.
    #[error("the target is not allowed")]
    TargetNotAllowed,
    /// The client asks for more scope than its ceiling allows or the tokens hold.
    #[error("scope exceeds what is allowed and held: {wanted}")]
    ScopeExceeds {
        /// What is too much.
        wanted: ScopeSet,
    },
    /// The client may not get tokens of this form.
    #[error("tokens of this form are not for the client")]
    FormatNotAllowed,
    /// The token would come from more than is kept of a token.
    #[error("the token would come from too much")]
    Lineage(#[from] TooManyKeys),
}

/// The compiled rules of one route.
#[derive(Debug)]
pub struct ExchangePolicy {
    audience: Audience,
    scope: ScopePolicy,
    clients: Option<BTreeSet<String>>,
    subjects: SubjectKinds,
    details: DetailsRule,
    naming: SubjectNaming,
    format: TokenFormat,
    typ: AccessTokenType,
    lifetime: Duration,
    claims: ClaimPolicy,
    actor: OutgoingActor,
    max_depth: usize,
    gateway: GatewayIdentity,
    ceilings: Arc<ClientCeilings>,
}

impl ExchangePolicy {
    /// Decides on `request` at the moment `now`.
    ///
    /// # Errors
    /// The first rule that refuses, in this order: caller, kind of subject, authorization details, audience, operation, scope, delegation,
    /// lifetime, subject.
    pub fn permit(
        &self,
        request: ExchangeRequest,
        now: UnixTime,
    ) -> Result<PermittedExchange, PolicyError> {
        self.permit_before(request, now, &mut ())
    }

    /// The same, and tells `witness` of each rule before it decides.
    ///
    /// # Errors
    /// Those of [`Self::permit`].
    pub fn permit_before(
        &self,
        request: ExchangeRequest,
        now: UnixTime,
        witness: &mut impl Witness,
    ) -> Result<PermittedExchange, PolicyError> {
        permit::permit(self, request, now, witness)
    }

    /// The operation that a request is, by its method and what its path has below the route's prefix; none where the
    /// route tells none apart, and where it does and the request is none of them.
    pub fn operation(&self, method: &Method, rest: &str) -> Option<OperationId> {
        self.scope.operations().find(method, rest)
    }

    /// How the operations are called, each at its [position](OperationId::position).
    pub fn operation_labels(&self) -> impl Iterator<Item = &str> {
        self.scope.operations().iter().map(Operation::label)
    }

    /// The one audience of what the route issues.
    pub fn audience(&self) -> &Audience {
        &self.audience
    }

    /// The route's scope rules.
    pub fn scope(&self) -> &ScopePolicy {
        &self.scope
    }

    /// How long an issued token lives at most.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    fn admit_caller(&self, subject: &SubjectToken) -> Result<(), PolicyError> {
        match &self.clients {
            None => Ok(()),
            Some(admitted) => subject
                .client_id()
                .filter(|client| admitted.contains(*client))
                .map(|_| ())
                .ok_or(PolicyError::CallerNotAdmitted),
        }
    }

    fn admit_subject_kind(&self, subject: &SubjectToken) -> Result<(), PolicyError> {
        match self.subjects {
            SubjectKinds::Users if subject.is_app_only() => Err(PolicyError::AppOnlySubject),
            SubjectKinds::Users | SubjectKinds::Any => Ok(()),
        }
    }
}

/// A set for people, who take an empty one for a slip of the pen.
fn named(scopes: &ScopeSet) -> String {
    match scopes.is_empty() {
        true => "nothing".to_owned(),
        false => scopes.to_string(),
    }
}
