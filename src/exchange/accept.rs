//! The only door out of the exchange: what was issued is read again and held against what was permitted.

use super::TokenResponse;
use crate::{
    clock::UnixTime,
    jose::encoding::from_base64url,
    policy::PermittedExchange,
    token::{Claims, Limits, RawToken, ScopeSet},
};
use serde_json::Value;
use thiserror::Error;

/// A token that is no wider than a policy permitted.
#[derive(Debug)]
pub struct IssuedToken {
    token: RawToken,
    permitted: PermittedExchange,
    expires_at: UnixTime,
    scope: ScopeSet,
    id: Box<str>,
}

/// In what way an issued token is not what was permitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Wider {
    /// It is no JWT whose claims can be read.
    #[error("unreadable")]
    Unreadable,
    /// It names another issuer than the exchanger that was asked.
    #[error("another issuer")]
    Issuer,
    /// It is for another audience, for none, or for several.
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
    /// It carries a claim that the route did not name, or another value of one that it did, or lacks its `jti`.
    #[error("a claim that was not permitted")]
    Claim,
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

impl IssuedToken {
    /// Holds `response`, which came from `issuer`, against `permitted`.
    ///
    /// # Errors
    /// [`Wider`] says in what way the token is not what was permitted; it is then used nowhere.
    pub fn accept(
        permitted: PermittedExchange,
        response: TokenResponse,
        issuer: &str,
        now: UnixTime,
    ) -> Result<Self, Wider> {
        let claims = read(&response.access_token)?;
        if claims.text("iss") != Ok(Some(issuer)) {
            return Err(Wider::Issuer);
        }
        let expires_at = check_lifetime(&claims, &permitted, now)?;
        let scope = check_scope(&claims, &permitted)?;
        check_audience(&claims, &permitted)?;
        check_parties(&claims, &permitted)?;
        let may_have = |(name, value): (&String, &Value)| {
            STANDARD.contains(&name.as_str()) || permitted.claims().get(name) == Some(value)
        };
        if !claims.as_object().iter().all(may_have) {
            return Err(Wider::Claim);
        }
        let id = claims
            .required_text("jti")
            .map_err(|_| Wider::Claim)?
            .into();
        Ok(Self {
            token: response.access_token,
            permitted,
            expires_at,
            scope,
            id,
        })
    }

    /// The token, for the one place that makes a header of it.
    pub fn token(&self) -> &RawToken {
        &self.token
    }

    /// What was permitted, the subject token included.
    pub fn permitted(&self) -> &PermittedExchange {
        &self.permitted
    }

    /// What it says.
    pub fn claims(&self) -> Option<Claims> {
        read(&self.token).ok()
    }

    /// When it ends.
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// The scope that it has.
    pub fn scope(&self) -> &ScopeSet {
        &self.scope
    }

    /// Its `jti`.
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// The claims of a token that needs no signature check: it came from the engine, not from a caller.
fn read(token: &RawToken) -> Result<Claims, Wider> {
    let mut parts = token.expose().split(|&byte| byte == b'.');
    let payload = parts.nth(1).ok_or(Wider::Unreadable)?;
    let json = from_base64url(payload).ok_or(Wider::Unreadable)?;
    Claims::parse(&json, Limits::TOKEN).map_err(|_| Wider::Unreadable)
}

fn check_lifetime(
    claims: &Claims,
    permitted: &PermittedExchange,
    now: UnixTime,
) -> Result<UnixTime, Wider> {
    claims
        .time("exp")
        .ok()
        .flatten()
        .filter(|&exp| {
            now < exp && exp <= permitted.expires_at() && exp <= permitted.subject().expires_at()
        })
        .ok_or(Wider::Lifetime)
}

fn check_scope(claims: &Claims, permitted: &PermittedExchange) -> Result<ScopeSet, Wider> {
    let text = claims
        .text("scope")
        .map_err(|_| Wider::Scope)?
        .unwrap_or_default();
    ScopeSet::parse(text)
        .ok()
        .filter(|scope| scope.is_subset(permitted.scope()))
        .ok_or(Wider::Scope)
}

fn check_audience(claims: &Claims, permitted: &PermittedExchange) -> Result<(), Wider> {
    match claims.one_or_many("aud").as_deref() {
        Ok([only]) if *only == permitted.audience().as_str() => Ok(()),
        _ => Err(Wider::Audience),
    }
}

fn check_parties(claims: &Claims, permitted: &PermittedExchange) -> Result<(), Wider> {
    let is = |name: &'static str, expected: &str| claims.text(name) == Ok(Some(expected));
    if !is("sub", permitted.sub()) || !is("client_id", permitted.client_id()) {
        return Err(Wider::Subject);
    }
    // as a whole: nothing may stand in the chain beside what was permitted either
    if claims.get("act") != permitted.actors().to_claim().as_ref() {
        return Err(Wider::Actors);
    }
    Ok(())
}
