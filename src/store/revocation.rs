//! Revocations, and the keys that name what is revoked.

use crate::{clock::UnixTime, jose::FieldDigest, token::RawToken};
use std::{fmt, str::FromStr, sync::Arc};

/// The length of a key in bytes.
pub(super) const KEY: usize = 16;

/// A digest of what is revoked: a token, a session, a subject, an actor, a client, a signing key or a family of tokens.
///
/// It is the first 16 bytes of a SHA-256 of the kind and its names. Half of a digest is sufficient: an attack would
/// need a second preimage, and would at worst revoke a token.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RevocationKey([u8; KEY]);

/// The tokens to which a revocation applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// Tokens that were issued at or before the revocation. For a subject, actor or session, which may get new tokens
    /// later.
    Earlier,
    /// All tokens, whenever they were issued. For a token, family, client or signing key.
    Always,
}

/// The maker of a revocation. Revocations of both makers are independent, so that an operator who lifts a revocation
/// does not undo one that a client requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RevokedBy {
    /// An operator, through the admin listener.
    Operator,
    /// A client (RFC 7009), or the token service itself when a refresh token was used twice.
    Client,
}

/// A revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// What is revoked.
    pub key: RevocationKey,
    /// When it was revoked.
    pub at: UnixTime,
    /// When the last revoked token would have expired. The revocation is then removed.
    pub until: UnixTime,
    /// The tokens to which it applies.
    pub reach: Reach,
    /// Who made it.
    pub by: RevokedBy,
    /// A note of the maker, shown in lists of revocations. At most [`Self::MAX_ABOUT`] bytes are stored.
    pub about: Option<Arc<str>>,
}

/// A change of the revocations. Changes are ordered: a revocation that follows a lift is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Something was revoked.
    Revoked(Revocation),
    /// A revocation was lifted.
    Lifted(Lift),
}

/// Lifts the revocations of one key that one maker made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lift {
    /// What is no longer revoked.
    pub key: RevocationKey,
    /// The maker of the lifted revocations.
    pub by: RevokedBy,
    /// When it was lifted.
    pub at: UnixTime,
}

impl RevocationKey {
    /// The key of the token with this `jti` of this issuer.
    pub fn token(iss: &str, jti: &str) -> Self {
        Self::of("token", &[iss.as_bytes(), jti.as_bytes()])
    }

    /// The key of a token without `jti`, from its bytes.
    pub fn token_bytes(token: &RawToken) -> Self {
        // the token cannot be derived from its digest
        Self::of("token-bytes", &[token.expose()])
    }

    /// The key of the session `sid` at this issuer.
    pub fn session(iss: &str, sid: &str) -> Self {
        Self::of("session", &[iss.as_bytes(), sid.as_bytes()])
    }

    /// The key of a subject of this issuer. It revokes everything issued for the subject.
    pub fn subject(iss: &str, sub: &str) -> Self {
        Self::of("subject", &[iss.as_bytes(), sub.as_bytes()])
    }

    /// The key of an actor of this issuer. It revokes everything issued to it on behalf of others.
    pub fn actor(iss: &str, sub: &str) -> Self {
        Self::of("actor", &[iss.as_bytes(), sub.as_bytes()])
    }

    /// The key of a client. It revokes everything issued to the client.
    pub fn client(id: &str) -> Self {
        Self::of("client", &[id.as_bytes()])
    }

    /// The key of a signing key of this issuer. It revokes everything that was signed with it.
    pub fn signing_key(iss: &str, kid: &str) -> Self {
        Self::of("signing-key", &[iss.as_bytes(), kid.as_bytes()])
    }

    /// The key of a family of refresh tokens. It revokes them and their access tokens.
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

    /// Returns a key that was stored.
    pub(super) const fn from_bytes(bytes: [u8; KEY]) -> Self {
        Self(bytes)
    }

    /// The bytes of the key, for storage.
    pub(super) const fn as_bytes(&self) -> &[u8; KEY] {
        &self.0
    }
}

/// Operators name a revocation by the 32 hexadecimal digits of its key.
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
    /// The maximum length of [`Self::about`] in bytes.
    pub const MAX_ABOUT: usize = 4096;

    /// Revokes what was issued at or before `at`, for example for a subject. The maker is a client unless set
    /// otherwise.
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

    /// Revokes everything, for example of a client. The maker is a client unless set otherwise.
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

    /// Sets the maker to an operator, with a note.
    #[must_use]
    pub fn by_operator(self, about: Option<Arc<str>>) -> Self {
        let by = RevokedBy::Operator;
        Self { by, about, ..self }
    }

    /// Sets the note.
    #[must_use]
    pub fn noted(self, about: Option<Arc<str>>) -> Self {
        Self { about, ..self }
    }

    /// Combines two revocations of one key and maker to one that applies wherever either does. The note is that of the
    /// later one.
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

    /// The note as it is stored.
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

    /// Stored keys must stay valid in the next release. Computed with another implementation (Python's `hashlib`).
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
