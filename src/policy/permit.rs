//! The decision, and the proof that it was made.

use super::{ExchangePolicy, PolicyError, SubjectForm};
use crate::{
    clock::UnixTime,
    token::{ActorChain, Audience, ScopeSet},
    verify::SubjectToken,
};
use serde_json::{Map, Value};

/// What is asked of the policy: an exchange of a verified token.
#[derive(Debug)]
pub struct ExchangeRequest {
    subject: SubjectToken,
}

impl ExchangeRequest {
    /// Asks for an exchange of `subject`.
    pub fn new(subject: SubjectToken) -> Self {
        Self { subject }
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
    client_id: Box<str>,
    audience: Audience,
    scope: ScopeSet,
    actors: ActorChain,
    expires_at: UnixTime,
    claims: Map<String, Value>,
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

    /// `client_id` of the issued token: the calling application.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The one audience.
    pub fn audience(&self) -> &Audience {
        &self.audience
    }

    /// The most scope.
    pub fn scope(&self) -> &ScopeSet {
        &self.scope
    }

    /// The actors, the current one first.
    pub fn actors(&self) -> &ActorChain {
        &self.actors
    }

    /// The latest end.
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// Further claims, all named by the route.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }
}

pub(super) fn permit(
    policy: &ExchangePolicy,
    request: ExchangeRequest,
    now: UnixTime,
) -> Result<PermittedExchange, PolicyError> {
    let ExchangeRequest { subject } = request;
    policy.admit_caller(&subject)?;
    policy.admit_subject_kind(&subject)?;
    let scope = policy.scope.narrow(subject.scopes())?;
    let actors = policy.actor.extend(
        subject.actor_chain(),
        subject.may_act(),
        &policy.gateway,
        policy.max_depth,
    )?;
    let expires_at = now.plus(policy.lifetime).min(subject.expires_at());
    if expires_at <= now {
        return Err(PolicyError::NoLifetimeLeft);
    }
    let sub = express(policy.subject_form, &subject)?;
    Ok(PermittedExchange {
        sub,
        client_id: subject.client_id().unwrap_or(&policy.gateway.actor).into(),
        audience: policy.audience.clone(),
        scope,
        actors,
        expires_at,
        claims: policy.claims.apply(subject.claims()),
        subject,
    })
}

/// The `sub` of the issued token, at most 255 ASCII characters (OpenID Connect Core §2).
fn express(form: SubjectForm, subject: &SubjectToken) -> Result<Box<str>, PolicyError> {
    let sub = match form {
        SubjectForm::Same => subject.sub().to_owned(),
        // an issuer's name holds no colon, so no two pairs give one text
        SubjectForm::Qualified => format!("{}:{}", subject.issuer_name(), subject.sub()),
    };
    if sub.is_empty() || sub.len() > 255 || !sub.is_ascii() {
        return Err(PolicyError::SubjectNotExpressible);
    }
    Ok(sub.into())
}
