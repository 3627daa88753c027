//! What an issued token may be, by what was permitted.

use super::reading::{Read, Reading};
use crate::{
    clock::UnixTime,
    policy::{AUTHORIZATION_DETAILS, PermittedExchange},
    store::Lineage,
    token::{Claims, ScopeSet, TokenFormat},
    verify::own_lineage,
};
use serde_json::{Map, Value};
use thiserror::Error;

/// In what way an issued token is not what was permitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Wider {
    /// It has not the form that was permitted, or its claims cannot be read.
    #[error("unreadable")]
    Unreadable,
    /// It names another issuer than the exchanger that was asked.
    #[error("another issuer")]
    Issuer,
    /// It is for another audience, for none, or for more of them.
    #[error("another audience")]
    Audience,
    /// It has scopes that were not permitted.
    #[error("more scope")]
    Scope,
    /// It ends later than permitted, or has no end, or has ended.
    #[error("another lifetime")]
    Lifetime,
    /// It names another chain of actors.
    #[error("another chain of actors")]
    Actors,
    /// It is about somebody else or for another client.
    #[error("another subject or client")]
    Subject,
    /// It is not restricted by the `authorization_details` of what it was made from, or by others.
    #[error("other authorization details")]
    AuthorizationDetails,
    /// It carries a claim that was not permitted, or another value of one that was, or lacks its `jti`.
    #[error("a claim that was not permitted")]
    Claim,
    /// It does not say, sealed, what it was made from, or too much of it: a revocation would not reach it.
    #[error("another lineage")]
    Lineage,
}

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

/// What a token is held against.
pub(super) struct Bounds<'a> {
    pub(super) permitted: &'a PermittedExchange,
    pub(super) format: TokenFormat,
    /// What the token has to say that it was made from.
    pub(super) made_from: &'a Lineage,
    /// What an ID token has to say about the access token beside it.
    pub(super) at_hash: Option<&'a str>,
    pub(super) now: UnixTime,
}

/// What was found within the bounds.
pub(super) struct Held {
    pub(super) expires_at: UnixTime,
    pub(super) scope: ScopeSet,
    pub(super) id: Box<str>,
    pub(super) lineage: Lineage,
}

impl Bounds<'_> {
    pub(super) fn hold(&self, read: &Read, by: &Reading<'_>) -> Result<Held, Wider> {
        let claims = &read.claims;
        if claims.text("iss") != Ok(Some(by.issuer)) {
            return Err(Wider::Issuer);
        }
        let expires_at = self.lifetime(claims)?;
        let scope = self.scope(claims)?;
        self.audiences(claims)?;
        self.parties(claims)?;
        // an API reads their absence as no restriction
        let details = |claims: &Map<String, Value>| claims.get(AUTHORIZATION_DETAILS).cloned();
        if details(claims.as_object()) != details(self.permitted.claims()) {
            return Err(Wider::AuthorizationDetails);
        }
        let may_have = |(name, value): (&String, &Value)| self.may_have(name, value);
        if !claims.as_object().iter().all(may_have) {
            return Err(Wider::Claim);
        }
        let id = claims.required_text("jti").map_err(|_| Wider::Claim)?;
        Ok(Held {
            expires_at,
            scope,
            id: id.into(),
            lineage: self.lineage(read, id, by)?,
        })
    }

    fn lifetime(&self, claims: &Claims) -> Result<UnixTime, Wider> {
        let subject_ends = self.permitted.subject().expires_at();
        let latest = self.permitted.expires_at().min(subject_ends);
        let exp = claims.time("exp").ok().flatten();
        exp.filter(|&exp| self.now < exp && exp <= latest)
            .ok_or(Wider::Lifetime)
    }

    fn scope(&self, claims: &Claims) -> Result<ScopeSet, Wider> {
        let permitted = self.permitted.scope();
        if self.format == TokenFormat::IdToken {
            // it opens nothing, and says so by having none
            return match claims.get("scope") {
                None => Ok(permitted.clone()),
                Some(_) => Err(Wider::Scope),
            };
        }
        let text = claims.text("scope").map_err(|_| Wider::Scope)?;
        ScopeSet::parse(text.unwrap_or_default())
            .ok()
            .filter(|scope| scope.is_subset(permitted))
            .ok_or(Wider::Scope)
    }

    /// At least one, and none that was not permitted. An ID token is for the client as well (OpenID Connect Core §2).
    fn audiences(&self, claims: &Claims) -> Result<(), Wider> {
        let named = claims.one_or_many("aud").map_err(|_| Wider::Audience)?;
        let is_client = |name: &str| name == self.permitted.client_id();
        let is_permitted = |name: &&str| {
            let permitted = self.permitted.audiences();
            permitted.iter().any(|audience| audience.as_str() == *name)
                || (self.format == TokenFormat::IdToken && is_client(name))
        };
        if named.is_empty() || !named.iter().all(is_permitted) {
            return Err(Wider::Audience);
        }
        if self.format == TokenFormat::IdToken && !named.iter().any(|name| is_client(name)) {
            return Err(Wider::Audience);
        }
        Ok(())
    }

    fn parties(&self, claims: &Claims) -> Result<(), Wider> {
        let permitted = self.permitted;
        let is = |name: &'static str, expected: &str| claims.text(name) == Ok(Some(expected));
        if !is("sub", permitted.sub()) || !is("client_id", permitted.client_id()) {
            return Err(Wider::Subject);
        }
        if self.format == TokenFormat::IdToken && !is("azp", permitted.client_id()) {
            return Err(Wider::Subject);
        }
        // as a whole: nothing may stand in the chain beside what was permitted either
        if claims.get("act") != permitted.actors().to_claim().as_ref() {
            return Err(Wider::Actors);
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

    /// What revocations of what it was made from have to reach.
    fn lineage(&self, read: &Read, id: &str, by: &Reading<'_>) -> Result<Lineage, Wider> {
        let is_said = match (&read.lineage, by.seal) {
            (Some(sealed), _) => sealed == self.made_from,
            (None, Some(seal)) => seal.lineage(id).as_ref() == Some(self.made_from),
            // who has no keys to seal with does not say it
            (None, None) => true,
        };
        is_said
            .then(|| own_lineage(&read.claims, read.kid.as_deref(), Some(self.made_from)))
            .flatten()
            .ok_or(Wider::Lineage)
    }
}
