//! A model of the token endpoint's rules, written from the specification.
//!
//! It uses none of the gateway's code: sets are sets of names, and every rule is one function.

use super::case::{Case, Client, Named, PROFILE, Person};
use obo_gateway::token::TokenFormat;
use std::collections::BTreeSet;

/// The expected token.
#[derive(Debug, PartialEq, Eq)]
pub struct Expected {
    pub scope: BTreeSet<&'static str>,
    pub audiences: BTreeSet<&'static str>,
    /// The actors, the current one first.
    pub chain: Vec<String>,
    pub life: i64,
    pub impersonated: bool,
    /// Which `authorization_details` restrict it.
    pub details: Option<usize>,
}

/// Returns `None` if the request must be refused.
pub fn expected(case: &Case) -> Option<Expected> {
    let (chain, impersonation) = acting(case)?;
    (own(case) && case.client.formats.contains(&case.format)).then_some(())?;
    let details = details(case)?;
    Some(Expected {
        details,
        scope: scope(case)?,
        audiences: audiences(case)?,
        chain,
        life: life(case)?,
        impersonated: impersonation || case.subject.impersonated,
    })
}

/// The restriction of the subject or of the actor also applies to the issued token, if the client copies it. Two different
/// restrictions are refused.
fn details(case: &Case) -> Option<Option<usize>> {
    let subject = match case.subject.named {
        // a plain user id has no restriction
        Named::UserId => None,
        Named::AccessToken | Named::IdToken | Named::Jwt => case.subject.details,
    };
    let actor = case.actor.as_ref().and_then(|actor| actor.details);
    let allowed = case.client.copies_details || (subject.is_none() && actor.is_none());
    let agree = subject.is_none() || actor.is_none() || subject == actor;
    (allowed && agree).then_some(subject.or(actor))
}

fn own(case: &Case) -> bool {
    let is_own = |client: Option<&str>, audiences: &[&str]| {
        client == Some("portal")
            || audiences.contains(&"portal")
            || match &case.client.subjects_of {
                None => true,
                Some(ids) => client.is_some_and(|client| ids.contains(&client)),
            }
    };
    let subject = match case.subject.named {
        Named::AccessToken | Named::IdToken => {
            is_own(case.subject.client, &case.subject.audiences())
        }
        Named::UserId | Named::Jwt => true,
    };
    let actor = case.actor.as_ref();
    subject && actor.is_none_or(|actor| is_own(actor.client, &actor.audiences()))
}

fn acting(case: &Case) -> Option<(Vec<String>, bool)> {
    let subject = &case.subject;
    let mut chain: Vec<String> = subject.chain_named();
    let Some(actor) = &case.actor else {
        let needed = matches!(subject.named, Named::UserId | Named::Jwt);
        let named = subject.may_act().is_none_or(|name| name == "portal");
        return (!needed && named).then_some((chain, false));
    };
    (!actor.impersonated).then_some(())?;
    let mut all = vec![actor.person.name().to_owned()];
    all.extend(actor.chain_named());
    all.append(&mut chain);
    (all.len() <= 8).then_some(())?;
    match subject.may_act() {
        Some(name) => (name == actor.person.name()).then_some((all, false)),
        None if subject.person == actor.person => Some((all, false)),
        None => impersonates(&case.client, subject.named, subject.person, actor.person)
            .then_some((all, true)),
    }
}

fn impersonates(client: &Client, named: Named, whom: Person, by: Person) -> bool {
    let Some((may_act_for, kinds)) = &client.impersonation else {
        return false;
    };
    let for_whom = may_act_for
        .as_ref()
        .is_none_or(|people| people.contains(&whom));
    let (by, whom) = (by.facts(), whom.facts());
    let permitted = by.permissions.iter().any(|(administrators, own_only)| {
        *administrators == whom.administrator
            && (!own_only
                || by
                    .organizations
                    .iter()
                    .any(|o| whom.organizations.contains(o)))
    });
    kinds.contains(&named) && for_whom && permitted
}

fn scope(case: &Case) -> Option<BTreeSet<&'static str>> {
    let subject = case.subject.scopes();
    let actor = case
        .actor
        .as_ref()
        .map_or_else(BTreeSet::new, |a| a.scopes());
    let allow: BTreeSet<&str> = case.client.allow.iter().copied().collect();
    let Some(asked) = &case.scope else {
        let held = if subject.is_empty() { actor } else { subject };
        let left: BTreeSet<_> = held.intersection(&allow).copied().collect();
        let may_be_empty = held.is_empty() && case.format == TokenFormat::IdToken;
        return (may_be_empty || !left.is_empty()).then_some(left);
    };
    let mut most: BTreeSet<&str> = subject.union(&actor).copied().collect();
    if case.subject.named != Named::AccessToken {
        most.extend(PROFILE);
    }
    if matches!(case.subject.named, Named::UserId | Named::Jwt) {
        most.insert("offline_access");
    }
    let most: BTreeSet<&str> = most.intersection(&allow).copied().collect();
    let asked: BTreeSet<&str> = asked.iter().copied().collect();
    let left: BTreeSet<_> = asked.intersection(&most).copied().collect();
    let whole = left.len() == asked.len();
    (!left.is_empty() && (whole || !case.client.refuses_excess)).then_some(left)
}

fn audiences(case: &Case) -> Option<BTreeSet<&'static str>> {
    let subject = match case.subject.named {
        Named::AccessToken | Named::IdToken => case.subject.audiences(),
        Named::UserId | Named::Jwt => Vec::new(),
    };
    let actor = case.actor.as_ref().map_or_else(Vec::new, |a| a.audiences());
    let may_have = |audience: &&'static str| {
        case.client.audiences.contains(audience)
            && (!case.client.from_tokens || subject.contains(audience) || actor.contains(audience))
    };
    let chosen: BTreeSet<_> = if case.audience.is_empty() {
        let named = if subject.is_empty() { &actor } else { &subject };
        named.iter().copied().filter(may_have).collect()
    } else {
        case.audience
            .iter()
            .all(may_have)
            .then(|| case.audience.iter().copied().collect())?
    };
    (!chosen.is_empty()).then_some(chosen)
}

fn life(case: &Case) -> Option<i64> {
    let actor = case.actor.as_ref().map(|actor| actor.life);
    // for a user id, the lifetime is that of the actor's token
    let subject = match case.subject.named {
        Named::UserId => None,
        Named::AccessToken | Named::IdToken | Named::Jwt => Some(case.subject.life),
    };
    [Some(case.client.lifetime), subject, actor]
        .into_iter()
        .flatten()
        .min()
}
