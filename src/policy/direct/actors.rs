//! The actors in a token of the token endpoint, and whether they are authorized to act (RFC 8693 §4.1, §4.4).
//!
//! Without an actor token there is no new actor. With one, the actor must be the subject itself, be named by the
//! subject's issuer (`may_act`), or be permitted to impersonate the subject by both the client's configuration and the
//! directory. A `may_act` that names a different party is always a refusal.

use super::DirectRequest;
use crate::{
    policy::{ClientPolicy, ImpersonatedSubject, Impersonation, PolicyError},
    token::{Actor, ActorChain},
    verify::{ActorToken, SubjectKindOfToken, SubjectToken},
};
use serde_json::Value;

/// The actors of the issued token, and whether it is an impersonation.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::policy) struct Acting {
    pub(in crate::policy) chain: ActorChain,
    pub(in crate::policy) impersonation: Option<Impersonation>,
}

/// Returns the actors of the issued token.
///
/// # Errors
/// [`PolicyError::ActorNeeded`], [`PolicyError::NotAuthorizedActor`], [`PolicyError::ImpersonationNotAllowed`],
/// [`PolicyError::UserUnknown`] and [`PolicyError::ActorChainTooDeep`].
pub(in crate::policy) fn acting(
    client: &ClientPolicy,
    request: &DirectRequest,
) -> Result<Acting, PolicyError> {
    let subject = &request.subject;
    match &request.actor {
        None => without_actor(client, subject),
        Some(actor) => Ok(Acting {
            impersonation: with_actor(client, subject, actor)?,
            chain: chain(subject, actor)?,
        }),
    }
}

fn without_actor(client: &ClientPolicy, subject: &SubjectToken) -> Result<Acting, PolicyError> {
    match subject.kind() {
        SubjectKindOfToken::SelfSigned | SubjectKindOfToken::UserId => {
            return Err(PolicyError::ActorNeeded);
        }
        SubjectKindOfToken::AccessToken
        | SubjectKindOfToken::IdToken
        | SubjectKindOfToken::Refresh => {}
    }
    if let Some(may_act) = subject.may_act() {
        let issuers = [subject.issuer_url(), &client.gateway.issuer];
        if !names(may_act, &issuers, client.id()) {
            return Err(PolicyError::NotAuthorizedActor);
        }
    }
    Ok(Acting {
        chain: subject.actor_chain().clone(),
        impersonation: impersonation_again(client, subject)?,
    })
}

/// Checks that an impersonation which a refresh token continues is still permitted.
fn impersonation_again(
    client: &ClientPolicy,
    subject: &SubjectToken,
) -> Result<Option<Impersonation>, PolicyError> {
    let Some(impersonator) = subject.impersonator() else {
        return Ok(None);
    };
    if !client.terms().accept(&impersonator.issuer_name) {
        return Err(PolicyError::ImpersonationNotAllowed);
    }
    let actor = client.user_id(&impersonator.issuer_name, &impersonator.sub);
    permitted(client, subject, &actor)?;
    Ok(Some(Impersonation {
        issuer: impersonator.issuer.as_str().into(),
        user_id: impersonator.sub.as_str().into(),
    }))
}

fn with_actor(
    client: &ClientPolicy,
    subject: &SubjectToken,
    actor: &ActorToken,
) -> Result<Option<Impersonation>, PolicyError> {
    let itself = actor.issuer_url() == subject.issuer_url() && actor.sub() == subject.sub();
    match subject.may_act() {
        // RFC 8693 §4.4, in the issuer's own namespace if `may_act` names no issuer
        Some(may_act) if names(may_act, &[subject.issuer_url()], actor.sub()) => {
            if actor.issuer_url() == subject.issuer_url() {
                return Ok(None);
            }
            Err(PolicyError::NotAuthorizedActor)
        }
        Some(may_act) => {
            let elsewhere = may_act.get("iss").is_some();
            if elsewhere && names(may_act, &[actor.issuer_url()], actor.sub()) {
                return Ok(None);
            }
            Err(PolicyError::NotAuthorizedActor)
        }
        None if itself => Ok(None),
        None => impersonates(client, subject, actor).map(Some),
    }
}

fn impersonates(
    client: &ClientPolicy,
    subject: &SubjectToken,
    actor: &ActorToken,
) -> Result<Impersonation, PolicyError> {
    let kind = match subject.kind() {
        SubjectKindOfToken::AccessToken => ImpersonatedSubject::AccessToken,
        SubjectKindOfToken::IdToken => ImpersonatedSubject::IdToken,
        SubjectKindOfToken::SelfSigned => ImpersonatedSubject::Jwt,
        SubjectKindOfToken::UserId => ImpersonatedSubject::UserId,
        // a refresh token names its actors itself
        SubjectKindOfToken::Refresh => return Err(PolicyError::ImpersonationNotAllowed),
    };
    let admitted = client.impersonation.as_ref();
    if !admitted.is_some_and(|settings| settings.subjects.contains(&kind)) {
        return Err(PolicyError::ImpersonationNotAllowed);
    }
    let id = client.user_id(actor.issuer_name(), actor.sub());
    permitted(client, subject, &id)?;
    Ok(Impersonation {
        issuer: actor.issuer_url().into(),
        user_id: actor.sub().into(),
    })
}

/// Checks that the client may let the user with the id `actor` act for the subject, and that the directory permits it.
fn permitted(
    client: &ClientPolicy,
    subject: &SubjectToken,
    actor: &str,
) -> Result<(), PolicyError> {
    let settings = client.impersonation.as_ref();
    let settings = settings.ok_or(PolicyError::ImpersonationNotAllowed)?;
    let directory = client.directory.as_ref().ok_or(PolicyError::UserUnknown)?;
    // the directory cannot contain a pseudonym
    if subject.pseudonym_for().is_some() {
        return Err(PolicyError::UserUnknown);
    }
    let whom = client.user_id(subject.issuer_name(), subject.sub());
    if !settings.may_act_for.include(&whom) {
        return Err(PolicyError::ImpersonationNotAllowed);
    }
    let actor = directory.user(actor).ok_or(PolicyError::UserUnknown)?;
    let subject = directory.user(&whom).ok_or(PolicyError::UserUnknown)?;
    if !actor.may_impersonate(&subject) {
        return Err(PolicyError::ImpersonationNotAllowed);
    }
    Ok(())
}

/// Returns all actors in order: the actor, the actors that act for it, and the earlier actors of the subject.
fn chain(subject: &SubjectToken, actor: &ActorToken) -> Result<ActorChain, PolicyError> {
    let earlier: Vec<Actor> = subject.actor_chain().iter().cloned().collect();
    let actors = actor.actor_chain().iter().cloned();
    let newest = std::iter::once(actor.as_actor()).chain(actors);
    let all: Vec<Actor> = newest.chain(earlier).collect();
    let depth = all.len();
    if depth > ActorChain::MAX_DEPTH {
        return Err(PolicyError::ActorChainTooDeep {
            depth,
            allowed: ActorChain::MAX_DEPTH,
        });
    }
    let none = ActorChain::none();
    Ok(all
        .into_iter()
        .rev()
        .fold(none, |chain, actor| chain.acted_by(actor)))
}

/// Returns `true` if `may_act` names `sub` of one of `issuers`, or names only `sub`.
fn names(may_act: &Value, issuers: &[&str], sub: &str) -> bool {
    let Some(claim) = may_act.as_object() else {
        return false;
    };
    let issuer = claim
        .get("iss")
        .is_none_or(|iss| issuers.iter().any(|issuer| iss == issuer));
    issuer && claim.get("sub").is_some_and(|named| named == sub)
}
