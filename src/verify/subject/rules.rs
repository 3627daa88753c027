//! The rules for the claims of a genuine token. They are pure: the same token at the same time has the same result.

use super::{
    SubjectKindOfToken, SubjectToken,
    application::CLIENT_CLAIMS,
    checked::Checked,
    kind,
    proven::{Proven, listed},
};
use crate::{
    clock::UnixTime,
    telemetry::{DecisionObserver, DecisionStep, Facts, Principal},
    token::{ActorChain, Audience, Claims, ClaimsError, ScopeSet},
    verify::{TrustedIssuer, VerifyError},
};
use serde_json::Value;
use std::{sync::Arc, time::Duration};

/// The maximum length of `sub` (OpenID Connect Core §2).
const MAX_SUB: usize = 255;

/// The audiences of which a token must name one.
#[derive(Debug, Clone, Copy)]
pub(in crate::verify) enum Addressee<'a> {
    /// One of these.
    OneOf(&'a [Audience]),
    /// Any audience: the gateway issued the token itself, and the policy checks whose token it is.
    Anybody,
}

impl Addressee<'_> {
    fn description(self) -> String {
        match self {
            Self::OneOf(audiences) => listed(audiences),
            Self::Anybody => "anybody".to_owned(),
        }
    }
}

/// Checks type and claims of a token whose signature was verified.
pub(in crate::verify) fn accept(
    issuer: &Arc<TrustedIssuer>,
    addressee: Addressee<'_>,
    proven: Proven<'_>,
    now: UnixTime,
    observer: &mut impl DecisionObserver,
) -> Result<SubjectToken, VerifyError> {
    let Proven { typ, claims, proof } = proven;
    let typ = typ.as_deref();
    if let Ok(claims) = &claims {
        observer.proven(|| principal(issuer, claims));
    }
    observer.begin(DecisionStep::Type, || {
        Facts::new(typ.unwrap_or("none"), listed(&issuer.typ))
    });
    if !issuer.accepts_typ(typ) {
        return Err(VerifyError::TokenType);
    }
    kind::access_token_type(typ)?;
    observer.begin(DecisionStep::Claims, Facts::default);
    let claims = claims.map_err(VerifyError::Malformed)?;
    let (expires_at, issued_at) = lifetime(issuer, &claims, now, observer)?;
    observer.begin(DecisionStep::Audience, || {
        Facts::new(shown(claims.get("aud")), addressee.description())
    });
    if let Addressee::OneOf(audiences) = addressee {
        addressed(&claims, audiences)?;
    }
    observer.begin(DecisionStep::Subject, || {
        let claim = issuer.subject_claim().unwrap_or("sub");
        Facts::new(shown(claims.at_path(claim)), format!("a name in {claim}"))
    });
    let sub = subject(issuer, &claims)?;
    observer.begin(DecisionStep::SenderConstraint, || match claims.get("cnf") {
        None => Facts::found("no"),
        Some(_) => Facts::new("yes", "no: its proof cannot be checked"),
    });
    unbound(&claims)?;
    observer.begin(DecisionStep::Kind, Facts::default);
    kind::access_token(issuer, &claims)?;
    required(issuer, &claims, |_| true, observer)?;
    observer.begin(DecisionStep::ActorChain, || {
        Facts::found(shown(claims.get("act")))
    });
    let actor_chain = actors(&claims)?;
    observer.begin(DecisionStep::Client, || calling_client(issuer, &claims));
    let client_id = client(issuer, &claims)?;
    let checked = Checked {
        issuer,
        kind: SubjectKindOfToken::AccessToken,
        claims,
        sub,
        expires_at,
        issued_at,
        client_id,
        actor_chain,
    };
    checked.accept(proof, |claims| {
        Ok((named(claims)?, scopes(issuer, claims, observer)?))
    })
}

/// Returns the subject of a genuine token for the logs, regardless of other errors in the token.
fn principal(issuer: &TrustedIssuer, claims: &Claims) -> Principal {
    let sub = claims.at_path(issuer.subject_claim().unwrap_or("sub"));
    Principal {
        issuer: issuer.name().into(),
        subject: sub.and_then(Value::as_str).map(Into::into),
        client_id: client(issuer, claims).ok().flatten(),
    }
}

pub(super) fn actors(claims: &Claims) -> Result<ActorChain, VerifyError> {
    match claims.get("act") {
        None => Ok(ActorChain::none()),
        Some(act) => ActorChain::parse(act).map_err(VerifyError::ActorChain),
    }
}

pub(super) fn lifetime(
    issuer: &TrustedIssuer,
    claims: &Claims,
    now: UnixTime,
    observer: &mut impl DecisionObserver,
) -> Result<(UnixTime, Option<UnixTime>), VerifyError> {
    observer.begin(DecisionStep::Expiry, || {
        Facts::new(shown(claims.get("exp")), format!("later than {now}"))
    });
    let time = |name| claims.time(name).map_err(VerifyError::Claims);
    let missing = VerifyError::Claims(ClaimsError::Missing("exp"));
    let expires_at = time("exp")?.ok_or(missing)?;
    let (not_before, issued_at) = (time("nbf")?, time("iat")?);
    // RFC 7519 §4.1.4: on or after `exp` the token must not be accepted. The leeway covers clock differences at the
    // start. At the end it would let an issued token outlive its subject token.
    if now >= expires_at {
        return Err(VerifyError::Expired);
    }
    let latest = now.plus(issuer.leeway());
    observer.begin(DecisionStep::Start, || {
        let times = [claims.get("nbf"), claims.get("iat")].map(shown);
        Facts::new(times.join(", "), format!("no later than {latest}"))
    });
    if not_before.is_some_and(|time| time > latest) || issued_at.is_some_and(|time| time > latest) {
        return Err(VerifyError::NotYetValid);
    }
    // rounded down to the second: this makes the lifetime longer, and a revocation in that second includes the token
    let issued_at = claims.second_of("iat").map_err(VerifyError::Claims)?;
    let allowed = issuer.max_lifetime();
    let life = expires_at.since(issued_at.unwrap_or(now));
    observer.begin(DecisionStep::LongestLife, || {
        let seconds = |life: Duration| format!("{} s", life.as_secs());
        Facts::new(seconds(life), format!("at most {}", seconds(allowed)))
    });
    if life > allowed {
        return Err(VerifyError::LivesTooLong { allowed });
    }
    Ok((expires_at, issued_at))
}

/// Requires an exact match with one audience: no prefix, no other case, no default.
pub(super) fn addressed(claims: &Claims, audiences: &[Audience]) -> Result<(), VerifyError> {
    let named = claims.one_or_many("aud").map_err(VerifyError::Claims)?;
    named
        .iter()
        .any(|name| audiences.iter().any(|audience| audience.as_str() == *name))
        .then_some(())
        .ok_or(VerifyError::Audience)
}

/// Returns all values of `aud`. Strings that cannot be an audience are omitted, because no client can request them.
pub(super) fn named(claims: &Claims) -> Result<Box<[Audience]>, VerifyError> {
    let named = claims.one_or_many("aud").map_err(VerifyError::Claims)?;
    Ok(named
        .into_iter()
        .filter_map(|name| Audience::parse(name).ok())
        .collect())
}

pub(super) fn subject(issuer: &TrustedIssuer, claims: &Claims) -> Result<Box<str>, VerifyError> {
    let sub = match issuer.subject_claim() {
        None => claims.required_text("sub").map_err(VerifyError::Claims)?,
        Some(claim) => claims
            .at_path(claim)
            .and_then(Value::as_str)
            .ok_or(VerifyError::Subject)?,
    };
    if sub.is_empty() || sub.len() > MAX_SUB || sub.chars().any(char::is_control) {
        return Err(VerifyError::Subject);
    }
    Ok(sub.into())
}

/// RFC 9449 §7.2, RFC 8705 §3: a bound token without its proof must not be accepted as a bearer token.
pub(super) fn unbound(claims: &Claims) -> Result<(), VerifyError> {
    match claims.get("cnf") {
        None => Ok(()),
        Some(_) => Err(VerifyError::SenderConstrained),
    }
}

/// Checks the required claims of the issuer's tokens, but only those that `concerns` selects for this kind of token.
pub(super) fn required(
    issuer: &TrustedIssuer,
    claims: &Claims,
    concerns: impl Fn(&str) -> bool,
    observer: &mut impl DecisionObserver,
) -> Result<(), VerifyError> {
    let required = issuer.required_claims().iter();
    for (name, wanted) in required.filter(|(name, _)| concerns(name)) {
        observer.begin(DecisionStep::RequiredClaim, || {
            let found = shown(claims.at_path(name));
            Facts::new(
                format!("{name}: {found}"),
                format!("{name}: {}", shown(Some(wanted))),
            )
        });
        if claims.at_path(name) != Some(wanted) {
            let name = Arc::clone(name);
            return Err(VerifyError::RequiredClaim { name });
        }
    }
    Ok(())
}

/// Returns the scopes in the scope claim, and those that the roles grant.
fn scopes(
    issuer: &TrustedIssuer,
    claims: &Claims,
    observer: &mut impl DecisionObserver,
) -> Result<ScopeSet, VerifyError> {
    observer.begin(DecisionStep::Scope, || {
        let claim = issuer.scope_claim();
        Facts::new(shown(claims.at_path(claim)), format!("scopes in {claim}"))
    });
    // The cause is dropped, because it would repeat parts of the token.
    let malformed = |_| VerifyError::Scope;
    let said = match claims.at_path(issuer.scope_claim()) {
        None => ScopeSet::empty(),
        Some(Value::String(text)) => ScopeSet::parse(text).map_err(malformed)?,
        Some(Value::Array(names)) => {
            let names: Option<Vec<_>> = names.iter().map(Value::as_str).collect();
            ScopeSet::from_tokens(names.ok_or(VerifyError::Scope)?).map_err(malformed)?
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
            return Err(VerifyError::Scope);
        }
    };
    match issuer.roles() {
        None => Ok(said),
        Some(roles) => {
            observer.begin(DecisionStep::Roles, || roles.facts(claims));
            Ok(said.union(&roles.granted(claims)?))
        }
    }
}

/// Formats a claim for a person: a string unchanged, a list with commas.
fn shown(claim: Option<&Value>) -> String {
    match claim {
        None => "none".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => {
            let items: Vec<String> = items.iter().map(|item| shown(Some(item))).collect();
            items.join(", ")
        }
        Some(other) => other.to_string(),
    }
}

fn calling_client(issuer: &TrustedIssuer, claims: &Claims) -> Facts {
    match client(issuer, claims) {
        Ok(Some(client)) => Facts::found(client),
        Ok(None) => Facts::found("none named"),
        Err(_) => Facts::new("not a text", "a text"),
    }
}

pub(super) fn client(
    issuer: &TrustedIssuer,
    claims: &Claims,
) -> Result<Option<Box<str>>, VerifyError> {
    if let Some(claim) = issuer.client_claim() {
        return Ok(match claims.at_path(claim) {
            Some(Value::String(client)) => non_empty(client),
            // `aud` of a server that writes the client there; with several audiences it would be a guess
            Some(Value::Array(items)) => match items.as_slice() {
                [Value::String(client)] => non_empty(client),
                _ => None,
            },
            _ => None,
        });
    }
    for name in CLIENT_CLAIMS {
        if let Some(client) = claims.text(name).map_err(VerifyError::Claims)? {
            return Ok(non_empty(client));
        }
    }
    Ok(None)
}

fn non_empty(text: &str) -> Option<Box<str>> {
    (!text.is_empty()).then(|| text.into())
}
