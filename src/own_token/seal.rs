//! The sealed parts of the gateway's own tokens: the whole of an opaque token, and the lineage in the `jti` of a signed
//! one.
//!
//! The engine seals them, and the readers of tokens open them. This module contains both operations, so that only one
//! place knows the format. Every gateway with the keys of `issuer.opaque_keys` can open them, without a database.

use crate::{
    jose::{
        SealingError, SealingKeys,
        encoding::{base64url, from_base64url},
    },
    store::Lineage,
    token::{Claims, Limits, RawToken},
};
use serde_json::{Map, Value};
use std::sync::Arc;

/// The prefix of the gateway's opaque access tokens. Secret scanners can recognize leaked tokens in logs and code by
/// it.
pub const OPAQUE_PREFIX: &str = "oboat_";

/// The prefix of the gateway's refresh tokens. `sts` issues and reads them.
pub const REFRESH_PREFIX: &str = "oborf_";

/// Returns `true` if `token` begins like an opaque token or a refresh token of the gateway.
pub fn has_own_prefix(token: &RawToken) -> bool {
    [OPAQUE_PREFIX, REFRESH_PREFIX]
        .iter()
        .any(|prefix| token.expose().starts_with(prefix.as_bytes()))
}

/// The purpose of an opaque access token. Data that was sealed for another purpose does not open as one.
const ACCESS_TOKEN: &str = "obo-gateway/access-token/1";
/// The purpose of the sealed part of a `jti`.
const LINEAGE: &str = "obo-gateway/lineage/1";

/// Seals and opens for one issuer. Data that another issuer sealed with the same keys does not open.
#[derive(Debug, Clone)]
pub struct TokenSeal {
    keys: Arc<SealingKeys>,
    issuer: Box<str>,
}

impl TokenSeal {
    /// Uses the keys of `issuer.opaque_keys` for `issuer`.
    pub fn new(keys: Arc<SealingKeys>, issuer: &str) -> Self {
        Self {
            keys,
            issuer: issuer.into(),
        }
    }

    /// Returns `true` if `token` has the form of an opaque access token. Its contents are not verified.
    pub fn is_opaque(token: &RawToken) -> bool {
        token.expose().starts_with(OPAQUE_PREFIX.as_bytes())
    }

    /// Returns an opaque access token with `claims` that was made from `lineage`.
    ///
    /// # Errors
    /// [`SealingError`]. No token is issued then.
    pub fn seal(
        &self,
        claims: &Map<String, Value>,
        lineage: &Lineage,
    ) -> Result<RawToken, SealingError> {
        let lineage = lineage.to_bytes();
        let length = u16::try_from(lineage.len()).map_err(|_| SealingError)?;
        let mut plain = length.to_be_bytes().to_vec();
        plain.extend_from_slice(&lineage);
        serde_json::to_writer(&mut plain, claims).map_err(|_| SealingError)?;
        let sealed = self
            .keys
            .seal(ACCESS_TOKEN, self.issuer.as_bytes(), &plain)?;
        Ok(RawToken::from(
            OPAQUE_PREFIX.to_owned() + &base64url(sealed),
        ))
    }

    /// Returns the claims and the lineage of an opaque access token. Returns `None` if this issuer did not seal exactly
    /// these bytes.
    pub fn open(&self, token: &RawToken) -> Option<(Claims, Lineage)> {
        let text = token.expose().strip_prefix(OPAQUE_PREFIX.as_bytes())?;
        let sealed = from_base64url(text)?;
        let plain = self
            .keys
            .open(ACCESS_TOKEN, self.issuer.as_bytes(), &sealed)?;
        let (length, rest) = plain.split_first_chunk()?;
        let (lineage, claims) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        let claims = Claims::parse(claims, Limits::TOKEN).ok()?;
        Some((claims, Lineage::from_bytes(lineage)?))
    }

    /// Appends the sealed lineage to `id`. Because it is encrypted, two tokens do not reveal that they come from the
    /// same session.
    ///
    /// # Errors
    /// [`SealingError`].
    pub fn token_id(&self, id: &str, lineage: &Lineage) -> Result<String, SealingError> {
        let sealed = self
            .keys
            .seal(LINEAGE, &self.place(id), &lineage.to_bytes())?;
        Ok(format!("{id}.{}", base64url(sealed)))
    }

    /// Returns `true` if a `jti` contains a sealed lineage. The provenance mark and the random part contain no dot.
    pub fn is_sealed(token_id: &str) -> bool {
        token_id.matches('.').count() > 1
    }

    /// Returns the sealed lineage of a `jti`, or `None` if this issuer sealed none there.
    pub fn lineage(&self, token_id: &str) -> Option<Lineage> {
        let (id, sealed) = token_id.rsplit_once('.')?;
        let sealed = from_base64url(sealed)?;
        Lineage::from_bytes(&self.keys.open(LINEAGE, &self.place(id), &sealed)?)
    }

    /// The associated data. It binds the lineage to the id, so that it does not open in another token.
    fn place(&self, id: &str) -> Vec<u8> {
        // an issuer's URL contains no newline
        format!("{}\n{id}", self.issuer).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::UnixTime, jose::SealingKey, store::RevocationKey};
    use serde_json::json;

    fn key() -> SealingKey {
        SealingKey::generate().unwrap().key
    }

    fn seal(keys: impl IntoIterator<Item = SealingKey>) -> TokenSeal {
        let keys = Arc::new(SealingKeys::new(keys).unwrap());
        TokenSeal::new(keys, "https://g")
    }

    fn claims() -> Map<String, Value> {
        json!({"iss": "https://g", "sub": "älice", "n": [1, {"a": null}]})
            .as_object()
            .unwrap()
            .clone()
    }

    fn lineage(id: &str) -> Lineage {
        Lineage::new([RevocationKey::family(id)], UnixTime::from_secs(7)).unwrap()
    }

    #[test]
    fn an_opaque_token_opens_to_what_was_sealed_and_says_nothing_of_it() {
        let seal = seal([key()]);
        let token = seal.seal(&claims(), &lineage("1")).unwrap();
        assert!(TokenSeal::is_opaque(&token));
        let (opened, made_from) = seal.open(&token).unwrap();
        assert_eq!(opened.as_object(), &claims());
        assert_eq!(made_from, lineage("1"));
        let again = seal.seal(&claims(), &lineage("1")).unwrap();
        assert_ne!(token.expose(), again.expose());
    }

    #[test]
    fn no_other_key_and_no_other_issuer_opens_it() {
        let keys = Arc::new(SealingKeys::new([key()]).unwrap());
        let ours = TokenSeal::new(Arc::clone(&keys), "https://g");
        let token = ours.seal(&claims(), &lineage("1")).unwrap();
        assert!(seal([key()]).open(&token).is_none());
        let others = TokenSeal::new(keys, "https://h");
        assert!(others.open(&token).is_none());
        let id = ours.token_id("s.1", &lineage("1")).unwrap();
        assert!(others.lineage(&id).is_none());
        assert!(seal([key()]).lineage(&id).is_none());
    }

    #[test]
    fn any_flipped_bit_and_any_other_length_is_refused() {
        let seal = seal([key()]);
        let token = seal.seal(&claims(), &lineage("1")).unwrap();
        let text = token.expose();
        for position in 0..text.len() {
            for bit in 0..8 {
                let mut changed = text.to_vec();
                changed[position] ^= 1 << bit;
                assert!(
                    seal.open(&RawToken::new(changed.into())).is_none(),
                    "bit {bit} of byte {position}"
                );
            }
            let shorter = text[..position].to_vec();
            assert!(seal.open(&RawToken::new(shorter.into())).is_none());
        }
        for more in [&b"A"[..], b"AAAA", b"="] {
            let longer = [text, more].concat();
            assert!(seal.open(&RawToken::new(longer.into())).is_none());
        }
    }

    #[test]
    fn what_was_sealed_for_another_purpose_is_no_token() {
        let keys = Arc::new(SealingKeys::new([key()]).unwrap());
        let seal = TokenSeal::new(Arc::clone(&keys), "https://g");
        let other = keys.seal("obo-gateway/refresh-token/1", b"https://g", b"{}");
        let token = RawToken::from(OPAQUE_PREFIX.to_owned() + &base64url(other.unwrap()));
        assert!(seal.open(&token).is_none());
        let id = seal.token_id("s.1", &lineage("1")).unwrap();
        let (_, sealed) = id.rsplit_once('.').unwrap();
        assert!(
            seal.open(&RawToken::from(OPAQUE_PREFIX.to_owned() + sealed))
                .is_none()
        );
    }

    #[test]
    fn a_lineage_opens_behind_the_id_it_was_sealed_for_alone() {
        let seal = seal([key()]);
        let id = seal.token_id("s.1", &lineage("1")).unwrap();
        assert!(TokenSeal::is_sealed(&id) && !TokenSeal::is_sealed("s.1"));
        assert_eq!(seal.lineage(&id), Some(lineage("1")));
        let other = id.replacen("s.1", "s.2", 1);
        assert!(seal.lineage(&other).is_none());
        assert!(seal.lineage("s.1").is_none());
        assert_ne!(id, seal.token_id("s.1", &lineage("1")).unwrap());
    }

    #[test]
    fn what_an_older_key_sealed_opens_until_that_key_is_gone() {
        let made = SealingKey::generate().unwrap();
        let again = || SealingKey::from_text(&made.text).unwrap();
        let before = seal([again()]);
        let token = before.seal(&claims(), &lineage("1")).unwrap();
        let id = before.token_id("s.1", &lineage("1")).unwrap();

        let rotated = seal([key(), again()]);
        assert!(rotated.open(&token).is_some() && rotated.lineage(&id).is_some());
        let new = rotated.seal(&claims(), &lineage("1")).unwrap();
        assert!(before.open(&new).is_none(), "the first key seals");

        assert!(seal([key()]).open(&token).is_none());
    }
}
