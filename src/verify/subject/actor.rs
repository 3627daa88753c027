//! A verified token in the role of an actor (RFC 8693 §2.1, `actor_token`).

use super::SubjectToken;
use crate::{
    clock::UnixTime,
    store::{Lineage, RevocationKey},
    token::{Actor, ActorChain, Audience, Claims, ScopeSet},
    verify::{KeyLease, VerifyError},
};

/// Proof that whoever presents a token may speak as an actor: an access or ID token of its own.
#[derive(Debug)]
pub struct ActorToken {
    token: SubjectToken,
    lineage: Lineage,
}

impl ActorToken {
    /// Takes a verified token as an actor's.
    ///
    /// # Errors
    /// [`VerifyError::Impersonated`]: who acts in another's place does not act as that other once more.
    /// [`VerifyError::Origin`] for one whose subject is a pseudonym: an actor is named to whoever reads the token, and a
    /// pseudonym is for one audience. [`VerifyError::Lineage`].
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

    /// `sub`, as its issuer knows the actor.
    pub fn sub(&self) -> &str {
        self.token.sub()
    }

    /// All claims of its token.
    pub fn claims(&self) -> &Claims {
        self.token.claims()
    }

    /// The application that the token was issued to, where it says it.
    pub fn client_id(&self) -> Option<&str> {
        self.token.client_id()
    }

    /// The actor as `act` names it (RFC 8693 §4.1).
    pub fn as_actor(&self) -> Actor {
        Actor::new(self.issuer_url(), self.sub())
    }

    /// Who acts for the actor.
    pub fn actor_chain(&self) -> &ActorChain {
        self.token.actor_chain()
    }

    /// The scopes that its token holds.
    pub fn scopes(&self) -> &ScopeSet {
        self.token.scopes()
    }

    /// `aud` of its token.
    pub fn audiences(&self) -> &[Audience] {
        self.token.audiences()
    }

    /// When its token ends.
    pub fn expires_at(&self) -> UnixTime {
        self.token.expires_at()
    }

    /// Everything whose revocation ends what the actor does: the actor itself, and what ends its token.
    pub fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    /// Whether the signature of its token would still be accepted.
    pub fn key_lease(&self) -> &KeyLease {
        self.token.key_lease()
    }
}
