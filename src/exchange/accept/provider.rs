//! The comparison of an identity provider's response with what was permitted.
//!
//! What is not stated is not assumed. Where the response says nothing and the token cannot be read, the standards say
//! what applies (RFC 8693 §2.2.1: without `scope`, the token has the requested scope), or the response is refused.

use super::{
    accepted::{Accepted, Reuse},
    error::AttenuationError,
    profile::{ActorRule, LongerLived, ProviderProfile, Readability, WithoutExpiry},
    read::{Read, read_jws},
};
use crate::{
    clock::UnixTime,
    exchange::response::TokenResponse,
    own_token,
    policy::{AUTHORIZATION_DETAILS, PermittedExchange},
    source::PresentedToken,
    store::{Lineage, RevocationKey},
    token::{Claims, RawToken, ScopeSet, is_b64token},
    verify,
};

struct Check<'a> {
    profile: &'a ProviderProfile,
    permitted: &'a PermittedExchange,
    response: &'a TokenResponse,
    now: UnixTime,
}

/// The claims in which providers write the scope of a token.
const SCOPE_CLAIMS: [&str; 2] = ["scope", "scp"];

/// Returns what is known of the token in `response`, if it is within what was permitted.
pub(super) fn check(
    profile: &ProviderProfile,
    permitted: &PermittedExchange,
    response: &TokenResponse,
    presented: &PresentedToken,
    now: UnixTime,
) -> Result<Accepted, AttenuationError> {
    let token = &response.access_token;
    let check = Check {
        profile,
        permitted,
        response,
        now,
    };
    check.types()?;
    if token.expose() == presented.token().expose() {
        return Err(AttenuationError::Echo);
    }
    if own_token::has_own_prefix(token) {
        return Err(AttenuationError::OwnToken);
    }
    let read = read(token, profile.readability)?;
    if let Some(read) = &read {
        check.read(read)?;
    }
    let claims = read.as_ref().map(|read| &read.claims);
    check.actors(claims)?;
    check.details(claims)?;
    let scope = check.scope(claims)?;
    let (expires_at, reuse) = check.lifetime(claims)?;
    let (lineage, id) = check.lineage(read.as_ref())?;
    Ok(Accepted {
        claims: read.map(|read| read.claims),
        expires_at,
        reuse,
        scope,
        id,
        lineage,
    })
}

/// Reads a token with the form of a JWT. Returns `None` for any other token.
///
/// # Errors
/// [`AttenuationError::Unreadable`] for text that is not a bearer token, for a token with the form of a JWT that an API
/// could read differently, and for a token that is not a JWT but has to be one.
fn read(token: &RawToken, readability: Readability) -> Result<Option<Read>, AttenuationError> {
    if !is_b64token(token.expose()) {
        return Err(AttenuationError::Unreadable);
    }
    // the form decides, not the contents: an API may read a JWT that this parser refuses
    let dots = token.expose().iter().filter(|&&byte| byte == b'.').count();
    match (dots, readability) {
        (2, _) => read_jws(token).map(Some),
        (_, Readability::Required) => Err(AttenuationError::Unreadable),
        (_, Readability::Optional) => Ok(None),
    }
}

impl Check<'_> {
    fn types(&self) -> Result<(), AttenuationError> {
        let (profile, response) = (self.profile, self.response);
        let accepted = profile
            .issued_token_types
            .contains(&response.issued_token_type)
            && profile.token_types.contains(&response.token_type);
        accepted.then_some(()).ok_or(AttenuationError::TokenType)
    }

    /// Checks the claims of which the response has no member.
    fn read(&self, read: &Read) -> Result<(), AttenuationError> {
        let claims = &read.claims;
        let issuer = claims.text("iss").ok().flatten();
        if issuer == Some(&*self.profile.gateway) {
            return Err(AttenuationError::OwnToken);
        }
        if issuer != Some(&*self.profile.issuer) {
            return Err(AttenuationError::Issuer);
        }
        if verify::is_another_kind(read.typ.as_deref(), claims) {
            return Err(AttenuationError::TokenType);
        }
        let expected = self.profile.audience.as_ref();
        let expected = expected.unwrap_or(self.permitted.audience()).as_str();
        let named = claims.one_or_many("aud").unwrap_or_default();
        let only_expected = !named.is_empty() && named.iter().all(|name| *name == expected);
        only_expected
            .then_some(())
            .ok_or(AttenuationError::Audience)
    }

    fn actors(&self, claims: Option<&Claims>) -> Result<(), AttenuationError> {
        let kept = match self.profile.actor {
            ActorRule::Permitted => {
                let act = claims.and_then(|claims| claims.get("act"));
                act == self.permitted.actors().to_claim().as_ref()
            }
            ActorRule::Provider => self.permitted.subject().actor_chain().depth() == 0,
            ActorRule::MayBeLost => true,
        };
        kept.then_some(()).ok_or(AttenuationError::Actors)
    }

    /// Without the claim, an API would see no restriction (RFC 9396 §9.1).
    fn details(&self, claims: Option<&Claims>) -> Result<(), AttenuationError> {
        let stated = claims.and_then(|claims| claims.get(AUTHORIZATION_DETAILS));
        (stated == self.permitted.claims().get(AUTHORIZATION_DETAILS))
            .then_some(())
            .ok_or(AttenuationError::AuthorizationDetails)
    }

    fn scope(&self, claims: Option<&Claims>) -> Result<ScopeSet, AttenuationError> {
        let permitted = self.permitted.scope();
        let granted = permitted.union(&self.profile.tolerates);
        let within = |scope: ScopeSet| {
            let within = scope.is_subset(&granted);
            within.then_some(scope).ok_or(AttenuationError::Scope)
        };
        let stated = self.response.scope.clone().map(within).transpose()?;
        let mut claimed = None;
        for name in SCOPE_CLAIMS {
            let Some(claims) = claims.filter(|claims| claims.get(name).is_some()) else {
                continue;
            };
            let scope = within(scope_of(claims, name)?)?;
            claimed = Some(scope.union(&claimed.unwrap_or_default()));
        }
        // the API reads the claim
        Ok(claimed.or(stated).unwrap_or_else(|| permitted.clone()))
    }

    fn lifetime(&self, claims: Option<&Claims>) -> Result<(UnixTime, Reuse), AttenuationError> {
        let (permitted, now) = (self.permitted, self.now);
        let latest = permitted.expires_at().min(permitted.subject().expires_at());
        let claimed = claims.map(|claims| claims.time("exp")).transpose();
        let claimed = claimed.map_err(|_| AttenuationError::Lifetime)?.flatten();
        let stated = self.response.expires_in.map(|valid| now.plus(valid));
        let known = || claimed.into_iter().chain(stated);
        let is_longer = known().any(|expires_at| expires_at > latest);
        if is_longer && self.profile.longer_lived == LongerLived::Refuse {
            return Err(AttenuationError::Lifetime);
        }
        let used = match (known().min(), self.profile.without_expiry) {
            (Some(earliest), _) => (earliest.min(latest), Reuse::UntilExpiry),
            (None, WithoutExpiry::DoNotCache) => (latest, Reuse::Never),
            (None, WithoutExpiry::Refuse) => return Err(AttenuationError::Lifetime),
        };
        (now < used.0)
            .then_some(used)
            .ok_or(AttenuationError::Lifetime)
    }

    /// Returns the lineage of the token, with which revocations are compared, and its `jti`.
    fn lineage(
        &self,
        read: Option<&Read>,
    ) -> Result<(Lineage, Option<Box<str>>), AttenuationError> {
        let (profile, permitted) = (self.profile, self.permitted);
        let id = read.and_then(|read| read.claims.text("jti").ok().flatten());
        let own = match id {
            Some(id) => RevocationKey::token(&profile.issuer, id),
            None => RevocationKey::token_bytes(&self.response.access_token),
        };
        let kid = read.and_then(|read| read.kid.as_deref());
        let signed = kid.map(|kid| RevocationKey::signing_key(&profile.issuer, kid));
        let actors = permitted.actors().iter().map(|actor| {
            let issuer = actor.iss.as_deref().unwrap_or(&profile.issuer);
            RevocationKey::actor(issuer, &actor.sub)
        });
        let client = RevocationKey::client(permitted.client_id());
        let keys = [own, client].into_iter().chain(signed).chain(actors);
        let lineage = permitted.lineage().with(keys);
        let lineage = lineage.map_err(|_| AttenuationError::Lineage)?;
        Ok((lineage, id.map(Into::into)))
    }
}

/// The scope in a claim that is a text or an array of texts.
fn scope_of(claims: &Claims, name: &'static str) -> Result<ScopeSet, AttenuationError> {
    let texts = claims.one_or_many(name);
    let texts = texts.map_err(|_| AttenuationError::Scope)?;
    let mut scope = ScopeSet::empty();
    for text in texts {
        let named = ScopeSet::parse(text).map_err(|_| AttenuationError::Scope)?;
        scope = scope.union(&named);
    }
    Ok(scope)
}
