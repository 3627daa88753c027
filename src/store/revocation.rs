//! What can be revoked, and one revocation of it.

use crate::{clock::UnixTime, jose::FieldDigest, token::RawToken};
use std::{fmt, str::FromStr, sync::Arc};

/// The length of a key in bytes.
pub(super) const KEY: usize = 16;

/// A digest of what is revoked: a token, a session, a subject, an actor, a client, a signing key or a family of tokens.
///
/// The first 16 bytes of a SHA-256 over the kind and its names. That half of a digest is enough: who wants a token to be
/// found in it has to find a second preimage, and finding one ends a token at worst.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RevocationKey([u8; KEY]);

/// What a revocation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// What began at the moment of the revocation or before: of a subject, an actor or a session, which may begin anew.
    Earlier,
    /// Everything, whenever it began: of a token, a family, a client or a signing key.
    Always,
}

/// Who made a revocation. The two are kept apart, so that an operator who lifts a revocation does not undo what a client
/// asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RevokedBy {
    /// An operator, through the admin listener.
    Operator,
    /// A client (RFC 7009), or the token service itself when a refresh token was used twice.
    Client,
}

/// That something is revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// What.
    pub key: RevocationKey,
    /// Since when.
    pub at: UnixTime,
    /// When the last of what it ends would have ended by itself: it is forgotten then.
    pub until: UnixTime,
    /// What it ends.
    pub reach: Reach,
    /// Who made it.
    pub by: RevokedBy,
    /// What the maker noted about it, for those who list revocations; at most [`Self::MAX_ABOUT`] bytes are kept.
    pub about: Option<Arc<str>>,
}

/// One step in the history of what is revoked. Steps have an order: a revocation that comes after a lift holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Something is revoked.
    Revoked(Revocation),
    /// What was revoked before is not revoked any more.
    Lifted(Lift),
}

/// That the revocations of one thing, as far as one side made them, are taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lift {
    /// Of what.
    pub key: RevocationKey,
    /// Whose revocations.
    pub by: RevokedBy,
    /// When.
    pub at: UnixTime,
}

impl RevocationKey {
    /// The token with this `jti` of this issuer.
    pub fn token(iss: &str, jti: &str) -> Self {
        Self::of("token", &[iss.as_bytes(), jti.as_bytes()])
    }

    /// A token that has no `jti`, by its bytes.
    pub fn token_bytes(token: &RawToken) -> Self {
        // what is digested leads back to no token
        Self::of("token-bytes", &[token.expose()])
    }

    /// The session `sid` at this issuer.
    pub fn session(iss: &str, sid: &str) -> Self {
        Self::of("session", &[iss.as_bytes(), sid.as_bytes()])
    }

    /// A subject of this issuer: everything issued for it.
    pub fn subject(iss: &str, sub: &str) -> Self {
        Self::of("subject", &[iss.as_bytes(), sub.as_bytes()])
    }

    /// An actor of this issuer: everything that it may do for others.
    pub fn actor(iss: &str, sub: &str) -> Self {
        Self::of("actor", &[iss.as_bytes(), sub.as_bytes()])
    }

    /// A client: everything that was issued to it.
    pub fn client(id: &str) -> Self {
        Self::of("client", &[id.as_bytes()])
    }

    /// A signing key of this issuer: everything that it signed.
    pub fn signing_key(iss: &str, kid: &str) -> Self {
        Self::of("signing-key", &[iss.as_bytes(), kid.as_bytes()])
    }

    /// A family of refresh tokens, and the access tokens that came of them.
    pub fn family(id: &str) -> Self {
        Self::of("family", &[id.as_bytes()])
    }

    fn of(kind: &'static str, fields: &[&[u8]]) -> Self {
        let domain = FieldDigest::new("obo-gateway/revocation/1").field(kind.as_bytes());
        let digest = fields.iter().fold(domain, |digest, f| digest.field(f));
        let mut key = [0; KEY];
        key.iter_mut()
            .zip(digest.finish())
            .for_each(|(to, from)| *to = from);
        Self(key)
    }

    /// A key that was written down before.
    pub(super) const fn from_bytes(bytes: [u8; KEY]) -> Self {
        Self(bytes)
    }

    /// The key, to write it down.
    pub(super) const fn as_bytes(&self) -> &[u8; KEY] {
        &self.0
    }
}

/// 32 hexadecimal digits: how operators name a revocation.
impl fmt::Display for RevocationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// The text is not the 32 lower-case hexadecimal digits of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRevocationKey;

impl FromStr for RevocationKey {
    type Err = NoRevocationKey;

    fn from_str(text: &str) -> Result<Self, NoRevocationKey> {
        let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() != 2 * KEY || !text.bytes().all(digit) {
            return Err(NoRevocationKey);
        }
        let key = u128::from_str_radix(text, 16).map_err(|_| NoRevocationKey)?;
        Ok(Self(key.to_be_bytes()))
    }
}

impl Revocation {
    /// The longest [`Self::about`] in bytes.
    pub const MAX_ABOUT: usize = 4096;

    /// Ends what began at `at` or before, e.g. everything of a subject. Made by a client, unless another is named.
    pub fn of_earlier(key: RevocationKey, at: UnixTime, until: UnixTime) -> Self {
        let reach = Reach::Earlier;
        Self {
            key,
            at,
            until,
            reach,
            by: RevokedBy::Client,
            about: None,
        }
    }

    /// Ends everything, e.g. of a client. Made by a client, unless another is named.
    pub fn of_all(key: RevocationKey, at: UnixTime, until: UnixTime) -> Self {
        let reach = Reach::Always;
        Self {
            key,
            at,
            until,
            reach,
            by: RevokedBy::Client,
            about: None,
        }
    }

    /// The same, made by an operator, who noted this about it.
    #[must_use]
    pub fn by_operator(self, about: Option<Arc<str>>) -> Self {
        let by = RevokedBy::Operator;
        Self { by, about, ..self }
    }

    /// The same, with this noted about it.
    #[must_use]
    pub fn noted(self, about: Option<Arc<str>>) -> Self {
        Self { about, ..self }
    }

    /// Of two about one thing and by one side: what ends all that either ends. The note is that of the later one.
    pub(super) fn with(&self, later: &Self) -> Self {
        Self {
            key: self.key,
            at: self.at.max(later.at),
            until: self.until.max(later.until),
            reach: self.reach.max(later.reach),
            by: self.by,
            about: later.about.clone().or_else(|| self.about.clone()),
        }
    }

    /// The note as it is written down.
    pub(super) fn about_bytes(&self) -> &[u8] {
        let about = self.about.as_deref().unwrap_or_default().as_bytes();
        if about.len() > Self::MAX_ABOUT {
            return &[];
        }
        about
    }
}

impl fmt::Debug for RevocationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RevocationKey({:032x})", u128::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_things_share_a_key() {
        let token = |text: &str| RevocationKey::token_bytes(&RawToken::from(text.to_owned()));
        let keys = [
            RevocationKey::token("a", "b"),
            RevocationKey::token("ab", ""),
            RevocationKey::token("", "ab"),
            RevocationKey::session("a", "b"),
            RevocationKey::subject("a", "b"),
            RevocationKey::actor("a", "b"),
            RevocationKey::signing_key("a", "b"),
            RevocationKey::client("ab"),
            RevocationKey::family("ab"),
            token("ab"),
        ];
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len());
        assert_eq!(RevocationKey::client("ab"), RevocationKey::client("ab"));
    }

    #[test]
    fn a_key_is_read_back_from_its_digits_and_from_nothing_else() {
        let key = RevocationKey::client("portal");
        let digits = key.to_string();
        assert_eq!(digits.parse(), Ok(key));
        let (upper, short) = (digits.to_uppercase(), &digits[1..]);
        for other in [
            "",
            "portal",
            short,
            &format!("{digits}0"),
            &format!("+{short}"),
            &upper,
        ] {
            assert!(other.parse::<RevocationKey>().is_err(), "{other}");
        }
    }

    /// What is stored has to be found by the next release. Worked out with another implementation (Python's `hashlib`).
    #[test]
    fn keys_stay_what_they_are() {
        assert_eq!(
            format!(
                "{:?}",
                RevocationKey::subject("https://idp.example.com", "alice")
            ),
            "RevocationKey(27e65ef40f776c7ddd0b033c078eaa5a)"
        );
    }
}
