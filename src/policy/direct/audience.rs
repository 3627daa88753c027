//! The audiences of a token of the token endpoint (RFC 8693 §2.1, RFC 8707).

use super::DirectRequest;
use crate::{
    policy::{AudienceRule, ClientPolicy, PolicyError},
    token::Audience,
    verify::ActorToken,
};

/// Returns the audiences of the issued token, at least one. If the request names audiences, the client must be allowed
/// to get all of them. If it names none, the result is the allowed audiences of the subject token, or of the actor
/// token if the subject token has none.
///
/// # Errors
/// [`PolicyError::TargetNotAllowed`]. A token is never issued for only some of the requested audiences.
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
