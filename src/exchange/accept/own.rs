//! The comparison of a token of the embedded engine with what was permitted.

use super::{
    accepted::{Accepted, Reuse},
    error::AttenuationError,
    profile::OwnProfile,
    read::Read,
};
use crate::{
    clock::UnixTime,
    exchange::response::{TokenResponse, TokenType},
    own_token::own_lineage,
    policy::{AUTHORIZATION_DETAILS, PermittedExchange},
    store::Lineage,
    token::{Claims, ScopeSet, TokenFormat, TokenTypeUri},
};
use serde_json::{Map, Value};

/// The claims that every issued token may have.
const STANDARD: [&str; 10] = [
    "iss",
    "sub",
    "aud",
    "client_id",
    "iat",
    "nbf",
    "exp",
    "jti",
    "scope",
    "act",
];

/// The values that a token is compared with.
pub(super) struct Bounds<'a> {
    pub(super) permitted: &'a PermittedExchange,
    pub(super) format: TokenFormat,
    /// The lineage that the token must contain.
    pub(super) made_from: &'a Lineage,
    /// The `at_hash` that an ID token must contain for the access token that is issued with it.
    pub(super) at_hash: Option<&'a str>,
    pub(super) now: UnixTime,
}

/// Compares the members of a response with the permitted format and limits. The token itself says the rest.
pub(super) fn members(
    response: &TokenResponse,
    permitted: &PermittedExchange,
    now: UnixTime,
) -> Result<(), AttenuationError> {
    let types = match permitted.format() {
        TokenFormat::Jwt | TokenFormat::Opaque => (TokenTypeUri::AccessToken, TokenType::Bearer),
        TokenFormat::IdToken => (TokenTypeUri::IdToken, TokenType::NotApplicable),
    };
    if (response.issued_token_type, response.token_type) != types {
        return Err(AttenuationError::TokenType);
    }
    let scope = response.scope.as_ref();
    if scope.is_some_and(|scope| !scope.is_subset(permitted.scope())) {
        return Err(AttenuationError::Scope);
    }
    let expires_at = response.expires_in.map(|valid| now.plus(valid));
    if expires_at.is_some_and(|expires_at| expires_at > permitted.expires_at()) {
        return Err(AttenuationError::Lifetime);
    }
    Ok(())
}

impl Bounds<'_> {
    /// Returns what the token states, if all of it is within these bounds.
    pub(super) fn check(
        &self,
        read: Read,
        by: &OwnProfile<'_>,
    ) -> Result<Accepted, AttenuationError> {
        let claims = &read.claims;
        if claims.text("iss") != Ok(Some(by.issuer)) {
            return Err(AttenuationError::Issuer);
        }
        let expires_at = self.lifetime(claims)?;
        let scope = self.scope(claims)?;
        self.audiences(claims)?;
        self.parties(claims)?;
        // without the claim, an API would see no restriction
        let details = |claims: &Map<String, Value>| claims.get(AUTHORIZATION_DETAILS).cloned();
        if details(claims.as_object()) != details(self.permitted.claims()) {
            return Err(AttenuationError::AuthorizationDetails);
        }
        let may_have = |(name, value): (&String, &Value)| self.may_have(name, value);
        if !claims.as_object().iter().all(may_have) {
            return Err(AttenuationError::Claim);
        }
        let id = claims
            .required_text("jti")
            .map_err(|_| AttenuationError::Claim)?;
        let (id, lineage) = (id.into(), self.lineage(&read, id, by)?);
        Ok(Accepted {
            claims: Some(read.claims),
            expires_at,
            reuse: Reuse::UntilExpiry,
            scope,
            id: Some(id),
            lineage,
        })
    }

    fn lifetime(&self, claims: &Claims) -> Result<UnixTime, AttenuationError> {
        let subject_ends = self.permitted.subject().expires_at();
        let latest = self.permitted.expires_at().min(subject_ends);
        let exp = claims.time("exp").ok().flatten();
        exp.filter(|&exp| self.now < exp && exp <= latest)
            .ok_or(AttenuationError::Lifetime)
    }

    fn scope(&self, claims: &Claims) -> Result<ScopeSet, AttenuationError> {
        let permitted = self.permitted.scope();
        if self.format == TokenFormat::IdToken {
            // an ID token grants no access, so it must not have a scope
            return match claims.get("scope") {
                None => Ok(permitted.clone()),
                Some(_) => Err(AttenuationError::Scope),
            };
        }
        let text = claims.text("scope").map_err(|_| AttenuationError::Scope)?;
        ScopeSet::parse(text.unwrap_or_default())
            .ok()
            .filter(|scope| scope.is_subset(permitted))
            .ok_or(AttenuationError::Scope)
    }

    /// Requires at least one audience, and only permitted ones. An ID token is also for the client (OpenID Connect Core
    /// §2).
    fn audiences(&self, claims: &Claims) -> Result<(), AttenuationError> {
        let named = claims
            .one_or_many("aud")
            .map_err(|_| AttenuationError::Audience)?;
        let is_client = |name: &str| name == self.permitted.client_id();
        let is_permitted = |name: &&str| {
            let permitted = self.permitted.audiences();
            permitted.iter().any(|audience| audience.as_str() == *name)
                || (self.format == TokenFormat::IdToken && is_client(name))
        };
        if named.is_empty() || !named.iter().all(is_permitted) {
            return Err(AttenuationError::Audience);
        }
        if self.format == TokenFormat::IdToken && !named.iter().any(|name| is_client(name)) {
            return Err(AttenuationError::Audience);
        }
        Ok(())
    }

    fn parties(&self, claims: &Claims) -> Result<(), AttenuationError> {
        let permitted = self.permitted;
        let is = |name: &'static str, expected: &str| claims.text(name) == Ok(Some(expected));
        if !is("sub", permitted.sub()) || !is("client_id", permitted.client_id()) {
            return Err(AttenuationError::Subject);
        }
        if self.format == TokenFormat::IdToken && !is("azp", permitted.client_id()) {
            return Err(AttenuationError::Subject);
        }
        // compared as a whole: the chain must not contain anything besides what was permitted
        if claims.get("act") != permitted.actors().to_claim().as_ref() {
            return Err(AttenuationError::Actors);
        }
        Ok(())
    }

    fn may_have(&self, name: &str, value: &Value) -> bool {
        if STANDARD.contains(&name) || self.permitted.claims().get(name) == Some(value) {
            return true;
        }
        self.format == TokenFormat::IdToken
            && match name {
                "azp" => true,
                "at_hash" => value.as_str() == self.at_hash && self.at_hash.is_some(),
                _ => self.permitted.profile().get(name) == Some(value),
            }
    }

    /// Returns the lineage of the token, with which revocations are compared.
    fn lineage(
        &self,
        read: &Read,
        id: &str,
        by: &OwnProfile<'_>,
    ) -> Result<Lineage, AttenuationError> {
        let is_said = match (&read.lineage, by.seal) {
            (Some(sealed), _) => sealed == self.made_from,
            (None, Some(seal)) => seal.lineage(id).as_ref() == Some(self.made_from),
            // without keys to seal with, the token does not contain its lineage
            (None, None) => true,
        };
        is_said
            .then(|| own_lineage(&read.claims, read.kid.as_deref(), Some(self.made_from)))
            .flatten()
            .ok_or(AttenuationError::Lineage)
    }
}
