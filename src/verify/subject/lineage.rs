//! The lineage of a token of a trusted issuer: every key whose revocation ends the token.

use crate::{
    clock::UnixTime,
    store::{Lineage, RevocationKey, TooManyKeys},
    token::{ActorChain, Claims, RawToken},
};

/// The parts of a verified token from which its lineage is made.
pub(super) struct Ancestry<'a> {
    pub(super) iss: &'a str,
    pub(super) claims: &'a Claims,
    /// The value of the issuer's `subject_claim`.
    pub(super) sub: &'a str,
    pub(super) client_id: Option<&'a str>,
    pub(super) actors: &'a ActorChain,
    /// The key that verified it.
    pub(super) kid: Option<&'a str>,
}

impl Ancestry<'_> {
    /// Returns the lineage of `token`, including the lineage it was `made_from` in the gateway. A token without an
    /// issue time counts as older than every revocation.
    pub(super) fn of(
        self,
        token: &RawToken,
        issued_at: Option<UnixTime>,
        made_from: Option<&Lineage>,
    ) -> Result<Lineage, TooManyKeys> {
        let text = |name| self.claims.get(name).and_then(|value| value.as_str());
        let itself = token_key(self.iss, self.claims, token);
        // an operator sees `sub` in the token, even if another claim names the subject
        let plain = text("sub").filter(|sub| *sub != self.sub);
        let keys = [
            Some(itself),
            Some(RevocationKey::subject(self.iss, self.sub)),
            plain.map(|sub| RevocationKey::subject(self.iss, sub)),
            text("sid").map(|sid| RevocationKey::session(self.iss, sid)),
            self.client_id.map(RevocationKey::client),
            self.kid
                .map(|kid| RevocationKey::signing_key(self.iss, kid)),
        ];
        let actors = actor_keys(self.actors, self.iss);
        let lineage = Lineage::new(
            keys.into_iter().flatten().chain(actors),
            issued_at.unwrap_or(UnixTime::from_secs(0)),
        )?;
        match made_from {
            None => Ok(lineage),
            Some(made_from) => lineage.union(made_from),
        }
    }
}

/// Returns the key that revokes only `token` and the tokens made from it: its `jti`, or else its bytes.
pub(super) fn token_key(iss: &str, claims: &Claims, token: &RawToken) -> RevocationKey {
    match token_id(claims) {
        Some(jti) => RevocationKey::token(iss, jti),
        None => RevocationKey::token_bytes(token),
    }
}

/// `jti`, if present.
pub(super) fn token_id(claims: &Claims) -> Option<&str> {
    let jti = claims.get("jti").and_then(|value| value.as_str());
    jti.filter(|jti| !jti.is_empty())
}

/// Returns the keys of the actors of a chain. An actor without an issuer belongs to `iss`, which wrote the chain.
fn actor_keys<'a>(
    actors: &'a ActorChain,
    iss: &'a str,
) -> impl Iterator<Item = RevocationKey> + 'a {
    actors.iter().map(move |actor| {
        let issuer = actor.iss.as_deref().unwrap_or(iss);
        RevocationKey::actor(issuer, &actor.sub)
    })
}
