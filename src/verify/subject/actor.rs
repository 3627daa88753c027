//! Verified actor tokens (RFC 8693 §2.1, `actor_token`).

use super::SubjectToken;
use crate::{
    clock::UnixTime,
    store::{Lineage, RevocationKey},
    token::{Actor, ActorChain, Audience, Claims, ScopeSet},
    verify::{KeyLease, VerifyError},
};

/// Proof that the presenter of a token may act as an actor: a verified access or ID token of the actor itself.
#[derive(Debug)]
pub struct ActorToken {
    token: SubjectToken,
    lineage: Lineage,
}

impl ActorToken {
    /// Accepts a verified token as an actor token.
    ///
    /// # Errors
    /// [`VerifyError::Impersonated`] for a token that was issued for an impersonation: impersonations cannot be
    /// chained. [`VerifyError::Origin`] for a token whose subject is a pseudonym, because a pseudonym must stay with
    /// one audience and every reader of a token sees its actors. [`VerifyError::Lineage`].
    pub(in crate::verify) fn of(token: SubjectToken) -> Result<Self, VerifyError> {
        if token.is_impersonated() {
            return Err(VerifyError::Impersonated);
        }
        if token.pseudonym_for().is_some() {
            return Err(VerifyError::Origin);
        }
        let itself = RevocationKey::actor(token.issuer_url(), token.sub());
        let lineage = token.lineage().with([itself])?;
        Ok(Self { token, lineage })
    }

    /// The issuer's name in the configuration.
    pub fn issuer_name(&self) -> &str {
        self.token.issuer_name()
    }

    /// `iss`.
    pub fn issuer_url(&self) -> &str {
        self.token.issuer_url()
    }

    /// `sub`, as its issuer names the actor.
    pub fn sub(&self) -> &str {
        self.token.sub()
    }

    /// All claims of its token.
    pub fn claims(&self) -> &Claims {
        self.token.claims()
    }

    /// The application that the token was issued to, if the token names it.
    pub fn client_id(&self) -> Option<&str> {
        self.token.client_id()
    }

    /// The actor as an `act` claim names it (RFC 8693 §4.1).
    pub fn as_actor(&self) -> Actor {
        Actor::new(self.issuer_url(), self.sub())
    }

    /// The actors that act for this actor.
    pub fn actor_chain(&self) -> &ActorChain {
        self.token.actor_chain()
    }

    /// The scopes of its token.
    pub fn scopes(&self) -> &ScopeSet {
        self.token.scopes()
    }

    /// `aud` of its token.
    pub fn audiences(&self) -> &[Audience] {
        self.token.audiences()
    }

    /// The expiry time of its token.
    pub fn expires_at(&self) -> UnixTime {
        self.token.expires_at()
    }

    /// The lineage: the actor itself, and every key whose revocation ends its token.
    pub fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    /// The lease of the key that verified its token.
    pub fn key_lease(&self) -> &KeyLease {
        self.token.key_lease()
    }
}
