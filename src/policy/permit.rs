//! The decision, and the proof that it was made.

mod direct;

pub(super) use direct::permit_directly;

use super::{AUTHORIZATION_DETAILS, ExchangePolicy, OperationId, PolicyError, told};
use crate::{
    clock::UnixTime,
    store::Lineage,
    telemetry::{Facts, Step, Witness},
    token::{AccessTokenType, ActorChain, Audience, Provenance, ScopeSet, TokenFormat},
    verify::{Impersonator, SubjectToken},
};
use serde_json::{Map, Value};

/// What is asked of the policy: an exchange of a verified token.
#[derive(Debug)]
pub struct ExchangeRequest {
    subject: SubjectToken,
    operation: Option<OperationId>,
}

impl ExchangeRequest {
    /// Asks for an exchange of `subject`, for a request that is no operation of its route.
    pub fn new(subject: SubjectToken) -> Self {
        Self::for_operation(subject, None)
    }

    /// Asks for an exchange of `subject`, for a request that is this operation of its route; none: it is none of them.
    pub fn for_operation(subject: SubjectToken, operation: Option<OperationId>) -> Self {
        Self { subject, operation }
    }

    /// The verified token.
    pub fn subject(&self) -> &SubjectToken {
        &self.subject
    }
}

/// An exchange that a policy permitted, and the bounds of its result.
#[derive(Debug)]
pub struct PermittedExchange {
    subject: SubjectToken,
    sub: Box<str>,
    provenance: Provenance,
    client_id: Box<str>,
    /// The first of the audiences: there always is one.
    audience: Audience,
    audiences: Box<[Audience]>,
    format: TokenFormat,
    typ: AccessTokenType,
    direct: bool,
    scope: ScopeSet,
    actors: ActorChain,
    impersonation: Option<Impersonation>,
    /// The same for a family of refresh tokens, which has to ask again.
    impersonator: Option<Impersonator>,
    lineage: Lineage,
    expires_at: UnixTime,
    claims: Map<String, Value>,
    profile: Map<String, Value>,
}

/// That a token was got in another's place, which the directory permits its actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impersonation {
    /// The issuer of the actor's token.
    pub issuer: Box<str>,
    /// Who impersonates, as that issuer knows it: `sub` of the actor's token.
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

    /// How that `sub` comes about, for the token's `jti`.
    pub fn provenance(&self) -> Provenance {
        self.provenance
    }

    /// `client_id` of the issued token: the calling application.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The one audience on the proxy; the first one at the token endpoint.
    pub fn audience(&self) -> &Audience {
        &self.audience
    }

    /// Every audience; at least one.
    pub fn audiences(&self) -> &[Audience] {
        &self.audiences
    }

    /// Whether it was permitted to a client of the token service, not on a route.
    pub fn is_direct(&self) -> bool {
        self.direct
    }

    /// The form of the issued token.
    pub fn format(&self) -> TokenFormat {
        self.format
    }

    /// `typ` in the header of an access token in JWT form.
    pub fn typ(&self) -> AccessTokenType {
        self.typ
    }

    /// The most scope.
    pub fn scope(&self) -> &ScopeSet {
        &self.scope
    }

    /// The actors, the current one first.
    pub fn actors(&self) -> &ActorChain {
        &self.actors
    }

    /// Who impersonates the subject, where the token is got by impersonation.
    pub fn impersonation(&self) -> Option<&Impersonation> {
        self.impersonation.as_ref()
    }

    /// Everything whose revocation ends the issued token.
    pub fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    /// The latest end.
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// Further claims: those that the route names, how the subject authenticated, and `authorization_details`.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// Claims about the user that the scope allows an ID token to carry (OpenID Connect Core §5.4); none on the proxy.
    pub fn profile(&self) -> &Map<String, Value> {
        &self.profile
    }
}

pub(super) fn permit(
    policy: &ExchangePolicy,
    request: ExchangeRequest,
    now: UnixTime,
    witness: &mut impl Witness,
) -> Result<PermittedExchange, PolicyError> {
    let ExchangeRequest { subject, operation } = request;
    witness.begin(Step::Caller, || told::caller(policy, &subject));
    policy.admit_caller(&subject)?;
    witness.begin(Step::SubjectKind, || told::subject_kind(policy, &subject));
    policy.admit_subject_kind(&subject)?;
    witness.begin(Step::AuthorizationDetails, || {
        told::authorization_details(policy, &subject)
    });
    let details = policy.details.carried([subject.claims()])?;
    let client = policy.ceilings.of(subject.client_id());
    witness.begin(Step::ClientAudience, || {
        told::client_audience(policy, client)
    });
    if client.is_some_and(|client| !client.admits(&policy.audience)) {
        return Err(PolicyError::AudienceNotForClient);
    }
    witness.begin(Step::Operation, || told::operation(policy, operation));
    let operation = policy.scope.operation(operation)?;
    let scope = policy
        .scope
        .narrow(subject.scopes(), operation, client, witness)?;
    let actors = policy.actor.extend(
        subject.actor_chain(),
        subject.may_act(),
        policy.gateway.known_to(&subject),
        &policy.gateway,
        policy.max_depth,
        witness,
    )?;
    let lifetime = client
        .and_then(|client| client.lifetime)
        .map_or(policy.lifetime, |most| most.min(policy.lifetime));
    let expires_at = now.plus(lifetime).min(subject.expires_at());
    witness.begin(Step::Lifetime, || {
        told::lifetime(policy, client, &subject, now, expires_at)
    });
    if expires_at <= now {
        return Err(PolicyError::NoLifetimeLeft);
    }
    witness.begin(Step::SubjectForm, || {
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

/// The claims with the details that the issued token is restricted by.
fn with_details(mut claims: Map<String, Value>, details: Option<Value>) -> Map<String, Value> {
    let details = details.map(|details| (AUTHORIZATION_DETAILS.to_owned(), details));
    claims.extend(details);
    claims
}
