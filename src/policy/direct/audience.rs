//! For whom a token is issued at the token endpoint (RFC 8693 §2.1, RFC 8707).

use super::DirectRequest;
use crate::{
    policy::{AudienceRule, ClientPolicy, PolicyError},
    token::Audience,
    verify::ActorToken,
};

/// The audiences of the issued token, at least one: those asked for, all of which the client may have; or, where it asks
/// for none, those of its that the subject's token names, else the actor's.
///
/// # Errors
/// [`PolicyError::TargetNotAllowed`]; never a token for a part of what was asked for.
pub(in crate::policy) fn audiences(
    client: &ClientPolicy,
    request: &DirectRequest,
) -> Result<Vec<Audience>, PolicyError> {
    let subject = request.subject.audiences();
    let actor = request
        .actor
        .as_ref()
        .map_or(&[][..], ActorToken::audiences);
    let may_have = |audience: &Audience| {
        client.audiences.contains(audience)
            && match client.audience_rule {
                AudienceRule::Listed => true,
                AudienceRule::FromTokens => subject.contains(audience) || actor.contains(audience),
            }
    };
    let mut chosen: Vec<Audience> = Vec::new();
    let mut add = |audience: &Audience| {
        if !chosen.contains(audience) {
            chosen.push(audience.clone());
        }
    };
    if request.audience.is_empty() && request.resource.is_empty() {
        let named = if subject.is_empty() { actor } else { subject };
        named
            .iter()
            .filter(|audience| may_have(audience))
            .for_each(add);
    } else {
        let known = request
            .resource
            .iter()
            .map(|resource| client.resource(resource));
        for target in request.audience.iter().map(Some).chain(known) {
            add(target
                .filter(|audience| may_have(audience))
                .ok_or(PolicyError::TargetNotAllowed)?);
        }
    }
    if chosen.is_empty() {
        return Err(PolicyError::TargetNotAllowed);
    }
    Ok(chosen)
}
