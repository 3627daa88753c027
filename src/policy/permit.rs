//! The decision of a policy, and the proof that it was made.

mod direct;

pub(super) use direct::permit_directly;

use super::{AUTHORIZATION_DETAILS, ExchangePolicy, OperationId, PolicyError, observed};
use crate::{
    clock::UnixTime,
    own_token::Provenance,
    store::Lineage,
    telemetry::{DecisionObserver, DecisionStep, Facts},
    token::{AccessTokenType, ActorChain, Audience, ScopeSet, TokenFormat},
    verify::{Impersonator, SubjectToken},
};
use serde_json::{Map, Value};

/// A request to the policy to exchange a verified token.
#[derive(Debug)]
pub struct ExchangeRequest {
    subject: SubjectToken,
    operation: Option<OperationId>,
}

impl ExchangeRequest {
    /// Requests an exchange of `subject`, for a request that matches no operation of its route.
    pub fn new(subject: SubjectToken) -> Self {
        Self::for_operation(subject, None)
    }

    /// Requests an exchange of `subject`, for a request that matches `operation` of its route, if any.
    pub fn for_operation(subject: SubjectToken, operation: Option<OperationId>) -> Self {
        Self { subject, operation }
    }

    /// The verified token.
    pub fn subject(&self) -> &SubjectToken {
        &self.subject
    }
}

/// Proof that a policy permitted an exchange, with the limits of its result.
#[derive(Debug)]
pub struct PermittedExchange {
    subject: SubjectToken,
    sub: Box<str>,
    provenance: Provenance,
    client_id: Box<str>,
    /// The first of the audiences. There is always one.
    audience: Audience,
    audiences: Box<[Audience]>,
    format: TokenFormat,
    typ: AccessTokenType,
    direct: bool,
    scope: ScopeSet,
    actors: ActorChain,
    impersonation: Option<Impersonation>,
    /// The impersonating actor for a family of refresh tokens, whose permission is checked again at each refresh.
    impersonator: Option<Impersonator>,
    lineage: Lineage,
    expires_at: UnixTime,
    claims: Map<String, Value>,
    profile: Map<String, Value>,
}

/// An impersonation that the directory permits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impersonation {
    /// The issuer of the actor's token.
    pub issuer: Box<str>,
    /// The impersonating user: `sub` of the actor's token.
    pub user_id: Box<str>,
}

impl PermittedExchange {
    /// The verified token that is exchanged.
    pub fn subject(&self) -> &SubjectToken {
        &self.subject
    }

    /// `sub` of the issued token.
    pub fn sub(&self) -> &str {
        &self.sub
    }

    /// How that `sub` was derived, for the token's `jti`.
    pub fn provenance(&self) -> Provenance {
        self.provenance
    }

    /// `client_id` of the issued token: the calling application.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The audience of a token for a route, or the first audience of a token of the token endpoint.
    pub fn audience(&self) -> &Audience {
        &self.audience
    }

    /// All audiences, at least one.
    pub fn audiences(&self) -> &[Audience] {
        &self.audiences
    }

    /// Returns `true` if the exchange was permitted to a client of the token service, not on a route.
    pub fn is_direct(&self) -> bool {
        self.direct
    }

    /// The format of the issued token.
    pub fn format(&self) -> TokenFormat {
        self.format
    }

    /// `typ` in the header of an access token in JWT format.
    pub fn typ(&self) -> AccessTokenType {
        self.typ
    }

    /// The maximum scope of the issued token.
    pub fn scope(&self) -> &ScopeSet {
        &self.scope
    }

    /// The actors, the current one first.
    pub fn actors(&self) -> &ActorChain {
        &self.actors
    }

    /// The impersonating user, if the token is issued for an impersonation.
    pub fn impersonation(&self) -> Option<&Impersonation> {
        self.impersonation.as_ref()
    }

    /// The lineage: every key whose revocation ends the issued token.
    pub fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    /// The latest expiry of the issued token.
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// Additional claims: the configured claims, how the subject authenticated, and `authorization_details`.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// Claims about the user that the scope allows in an ID token (OpenID Connect Core §5.4). Empty on routes.
    pub fn profile(&self) -> &Map<String, Value> {
        &self.profile
    }
}

impl ExchangePolicy {
    /// Decides on `request` at the time `now`.
    ///
    /// # Errors
    /// The first rule that refuses, in this order: caller, kind of subject, authorization details, audience, operation,
    /// scope, delegation, lifetime, subject.
    pub fn permit(
        &self,
        request: ExchangeRequest,
        now: UnixTime,
    ) -> Result<PermittedExchange, PolicyError> {
        self.permit_before(request, now, &mut ())
    }

    /// Decides like [`Self::permit`], and reports each rule to `observer` before it is applied.
    ///
    /// # Errors
    /// Those of [`Self::permit`].
    pub fn permit_before(
        &self,
        request: ExchangeRequest,
        now: UnixTime,
        observer: &mut impl DecisionObserver,
    ) -> Result<PermittedExchange, PolicyError> {
        permit(self, request, now, observer)
    }
}

fn permit(
    policy: &ExchangePolicy,
    request: ExchangeRequest,
    now: UnixTime,
    observer: &mut impl DecisionObserver,
) -> Result<PermittedExchange, PolicyError> {
    let ExchangeRequest { subject, operation } = request;
    observer.begin(DecisionStep::Caller, || observed::caller(policy, &subject));
    policy.admit_caller(&subject)?;
    observer.begin(DecisionStep::SubjectKind, || {
        observed::subject_kind(policy, &subject)
    });
    policy.admit_subject_kind(&subject)?;
    observer.begin(DecisionStep::AuthorizationDetails, || {
        observed::authorization_details(policy, &subject)
    });
    let details = policy.details.carried([subject.claims()])?;
    let client = policy.ceilings.of(subject.client_id());
    observer.begin(DecisionStep::ClientAudience, || {
        observed::client_audience(policy, client)
    });
    if client.is_some_and(|client| !client.admits(&policy.audience)) {
        return Err(PolicyError::AudienceNotForClient);
    }
    observer.begin(DecisionStep::Operation, || {
        observed::operation(policy, operation)
    });
    let operation = policy.scope.operation(operation)?;
    let scope = policy
        .scope
        .narrow(subject.scopes(), operation, client, observer)?;
    let actors = policy.actor.extend(
        subject.actor_chain(),
        subject.may_act(),
        policy.gateway.known_to(&subject),
        &policy.gateway,
        policy.max_depth,
        observer,
    )?;
    let lifetime = client
        .and_then(|client| client.lifetime)
        .map_or(policy.lifetime, |most| most.min(policy.lifetime));
    let expires_at = now.plus(lifetime).min(subject.expires_at());
    observer.begin(DecisionStep::Lifetime, || {
        observed::lifetime(policy, client, &subject, now, expires_at)
    });
    if expires_at <= now {
        return Err(PolicyError::NoLifetimeLeft);
    }
    observer.begin(DecisionStep::SubjectForm, || {
        Facts::found(policy.naming.naming().as_str())
    });
    let sub = policy.naming.express(&subject, &policy.audience)?;
    let provenance = Provenance {
        naming: policy.naming.naming(),
        app_only: subject.is_app_only(),
        impersonated: subject.is_impersonated(),
    };
    Ok(PermittedExchange {
        sub,
        provenance,
        client_id: subject.client_id().unwrap_or(&policy.gateway.actor).into(),
        audience: policy.audience.clone(),
        audiences: [policy.audience.clone()].into(),
        format: policy.format,
        typ: policy.typ,
        direct: false,
        scope,
        actors,
        impersonation: None,
        impersonator: None,
        lineage: subject.lineage().clone(),
        expires_at,
        profile: Map::new(),
        claims: with_details(policy.claims.apply(subject.claims()), details),
        subject,
    })
}

/// Adds the `authorization_details` of the issued token to its claims.
fn with_details(mut claims: Map<String, Value>, details: Option<Value>) -> Map<String, Value> {
    let details = details.map(|details| (AUTHORIZATION_DETAILS.to_owned(), details));
    claims.extend(details);
    claims
}
