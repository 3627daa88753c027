//! The scope of a token at the token endpoint: (subject ∪ actor) ∩ client ∩ requested.

use super::DirectRequest;
use crate::{
    policy::{ClientPolicy, Excess, PolicyError, RequestedScope},
    token::{ScopeSet, TokenFormat},
    verify::SubjectKindOfToken,
};

/// What is about the user's own profile. A subject that is named without a scope may still be told about, as far as the
/// client may know it.
const PROFILE: [&str; 3] = ["openid", "profile", "email"];
/// A refresh token. No scope of a subject that has no token could hold it; what it is good for is bounded by the client's
/// list, its grant and the family's end, and whoever acts is asked for the permission at each refresh.
const OFFLINE: &str = "offline_access";

/// The scope of the issued token: never empty, but where it is an ID token, or the client's `allow` is.
///
/// # Errors
/// [`PolicyError::ScopeExceeds`] where more was asked for than is left, and [`PolicyError::NoScopeLeft`] where nothing was
/// asked for and nothing is left of what the tokens hold, which may be nothing.
pub(in crate::policy) fn scope(
    client: &ClientPolicy,
    request: &DirectRequest,
) -> Result<ScopeSet, PolicyError> {
    let scope = granted(client, request)?;
    if scope.is_empty() && !may_be_empty(client, request.format) {
        let allowed = client.allow.clone();
        let held = match &request.actor {
            Some(actor) => request.subject.scopes().union(actor.scopes()),
            None => request.subject.scopes().clone(),
        };
        return Err(PolicyError::NoScopeLeft { allowed, held });
    }
    Ok(scope)
}

/// Whether a token without scope may be issued, which some API could take for an unlimited one: not an access token,
/// unless the configuration says that the client's tokens have none.
pub(in crate::policy) fn may_be_empty(client: &ClientPolicy, format: TokenFormat) -> bool {
    match format {
        TokenFormat::IdToken => true,
        TokenFormat::Jwt | TokenFormat::Opaque => {
            client.allow.is_empty() && !client.user_scopes.is_some()
        }
    }
}

fn granted(client: &ClientPolicy, request: &DirectRequest) -> Result<ScopeSet, PolicyError> {
    let subject = request.subject.scopes();
    let none = ScopeSet::empty();
    let actor = request.actor.as_ref().map_or(&none, |actor| actor.scopes());
    // the ceiling does not count for what is the user's alone to give, where the client says so
    let within = |scopes: &ScopeSet| {
        scopes.filtered(|scope| {
            client.allow.contains(scope)
                || (client.user_scopes.include(scope) && subject.contains(scope))
        })
    };
    let Some(requested) = &request.scope else {
        let held = if subject.is_empty() { actor } else { subject };
        let left = within(held);
        let none_wanted = client.allow.is_empty() && !client.user_scopes.is_some();
        if left.is_empty() && !held.is_empty() && !none_wanted {
            let allowed = client.allow.clone();
            let held = held.clone();
            return Err(PolicyError::NoScopeLeft { allowed, held });
        }
        return Ok(left);
    };
    let mut most = within(&subject.union(actor));
    let beside = |scope: &str| match request.subject.kind() {
        SubjectKindOfToken::IdToken => PROFILE.contains(&scope),
        SubjectKindOfToken::SelfSigned | SubjectKindOfToken::UserId => {
            PROFILE.contains(&scope) || scope == OFFLINE
        }
        SubjectKindOfToken::AccessToken | SubjectKindOfToken::Refresh => false,
    };
    most = most.union(&client.allow.filtered(beside));
    let granted = requested.within(&most, &most);
    let excess = requested.named().difference(&most);
    let nothing_left = granted.is_empty() && !asks_for_nothing(requested);
    let exceeds = match client.excess {
        Excess::Refuse => !excess.is_empty() || nothing_left,
        Excess::Drop => nothing_left,
    };
    if exceeds {
        return Err(PolicyError::ScopeExceeds { wanted: excess });
    }
    Ok(granted)
}

fn asks_for_nothing(requested: &RequestedScope) -> bool {
    match requested {
        RequestedScope::Named(named) => named.is_empty(),
        RequestedScope::AllHeld(_) => false,
    }
}
