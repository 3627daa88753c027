//! The scope of a token of the token endpoint: (subject ∪ actor) ∩ client ∩ requested.

use super::DirectRequest;
use crate::{
    policy::{ClientPolicy, Excess, PolicyError, RequestedScope},
    token::{ScopeSet, TokenFormat},
    verify::SubjectKindOfToken,
};

/// Scopes for the user's own profile. A client that may get them also gets them for a subject without scopes.
const PROFILE: [&str; 3] = ["openid", "profile", "email"];
/// The scope of a refresh token. A subject without a token cannot have it. Refresh tokens are limited by the client's
/// `allow`, its grants and the end of the family, and the permission to impersonate is checked at each refresh.
const OFFLINE: &str = "offline_access";

/// Returns the scope of the issued token. It is never empty, except for an ID token or if the client's `allow` is
/// empty.
///
/// # Errors
/// [`PolicyError::ScopeExceeds`] if more was requested than is allowed. [`PolicyError::NoScopeLeft`] if no scope was
/// requested and none of the tokens' scopes is allowed, or the tokens have none.
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

/// Returns `true` if a token without scope may be issued. An API could take such an access token for an unlimited one,
/// so access tokens need a scope, unless the client is configured to use no scopes.
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
    // for `user_only` scopes, the client's `allow` does not limit the subject's own scopes
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
