//! A token that was verified.

use super::{KeyLease, TrustedIssuer};
use crate::{
    clock::UnixTime,
    token::{ActorChain, Claims, ScopeSet},
};
use serde_json::Value;
use std::{fmt, sync::Arc};

/// Proof that a presented token is genuine, current and addressed to the gateway. Minted in `verify` alone.
pub struct SubjectToken {
    facts: SubjectFacts,
}

/// What the checks found out; becomes a [`SubjectToken`] when all of them passed.
pub(super) struct SubjectFacts {
    pub(super) issuer: Arc<TrustedIssuer>,
    pub(super) claims: Claims,
    pub(super) sub: Box<str>,
    pub(super) expires_at: UnixTime,
    pub(super) issued_at: Option<UnixTime>,
    pub(super) scopes: ScopeSet,
    pub(super) client_id: Option<Box<str>>,
    pub(super) actor_chain: ActorChain,
    pub(super) app_only: bool,
    pub(super) lease: KeyLease,
}

impl SubjectToken {
    /// For the module that makes the checks, after the last one.
    pub(super) fn mint(facts: SubjectFacts) -> Self {
        Self { facts }
    }

    /// The issuer's name in the configuration.
    pub fn issuer_name(&self) -> &str {
        self.facts.issuer.name()
    }

    /// `iss`.
    pub fn issuer_url(&self) -> &str {
        self.facts.issuer.url()
    }

    /// `sub`, as its issuer knows the subject; another issuer may know somebody else by that name.
    pub fn sub(&self) -> &str {
        &self.facts.sub
    }

    /// All claims.
    pub fn claims(&self) -> &Claims {
        &self.facts.claims
    }

    /// `exp`; the token is refused from this second on.
    pub fn expires_at(&self) -> UnixTime {
        self.facts.expires_at
    }

    /// `iat`, where the token says it.
    pub fn issued_at(&self) -> Option<UnixTime> {
        self.facts.issued_at
    }

    /// The scopes; empty where the token has none, which never means all.
    pub fn scopes(&self) -> &ScopeSet {
        &self.facts.scopes
    }

    /// The application that the token was issued to, where the token says it.
    pub fn client_id(&self) -> Option<&str> {
        self.facts.client_id.as_deref()
    }

    /// Who already acts for the subject (RFC 8693 §4.1).
    pub fn actor_chain(&self) -> &ActorChain {
        &self.facts.actor_chain
    }

    /// Who may act for the subject (RFC 8693 §4.4), as the issuer wrote it.
    pub fn may_act(&self) -> Option<&Value> {
        self.facts.claims.get("may_act")
    }

    /// Whether the signature would still be accepted: asked again at every use of what was derived from this token.
    pub fn key_lease(&self) -> &KeyLease {
        &self.facts.lease
    }

    /// Whether an application holds the token for itself, without a user.
    pub fn is_app_only(&self) -> bool {
        self.facts.app_only
    }
}

impl fmt::Debug for SubjectToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubjectToken(of {}, redacted)", self.issuer_name())
    }
}
