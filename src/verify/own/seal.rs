//! What the gateway seals in its own tokens: an opaque token as a whole, and in the `jti` of a signed one what the token
//! was made from.
//!
//! The engine seals, and whoever reads a token opens; both are here, so that there is one place that knows the form.
//! Whoever has the keys of `issuer.opaque_keys` can open, without a database.

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

/// How an opaque access token of the gateway's begins: so that it is recognised where tokens must not be, in logs and
/// in code.
pub const OPAQUE_PREFIX: &str = "oboat_";

/// The purpose of an opaque access token; what was sealed for another does not open as one.
const ACCESS_TOKEN: &str = "obo-gateway/access-token/1";
/// The purpose of what stands in a `jti`.
const LINEAGE: &str = "obo-gateway/lineage/1";

/// Seals and opens in the name of one issuer; what another issuer sealed with the same keys does not open.
#[derive(Debug, Clone)]
pub struct TokenSeal {
    keys: Arc<SealingKeys>,
    issuer: Box<str>,
}

impl TokenSeal {
    /// With the keys of `issuer.opaque_keys`, in the name of `issuer`.
    pub fn new(keys: Arc<SealingKeys>, issuer: &str) -> Self {
        Self {
            keys,
            issuer: issuer.into(),
        }
    }

    /// Whether `token` has the form of an opaque access token. Nothing it says is believed.
    pub fn is_opaque(token: &RawToken) -> bool {
        token.expose().starts_with(OPAQUE_PREFIX.as_bytes())
    }

    /// An opaque access token that says `claims` and was made from `lineage`.
    ///
    /// # Errors
    /// [`SealingError`]; there is no token then.
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

    /// What an opaque access token says, and what it was made from; none where this issuer did not seal it so, in every
    /// bit.
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

    /// `id` with what the token was made from behind it, sealed: who has two tokens cannot see from them that they come
    /// from one session.
    ///
    /// # Errors
    /// [`SealingError`].
    pub fn token_id(&self, id: &str, lineage: &Lineage) -> Result<String, SealingError> {
        let sealed = self
            .keys
            .seal(LINEAGE, &self.place(id), &lineage.to_bytes())?;
        Ok(format!("{id}.{}", base64url(sealed)))
    }

    /// Whether something stands sealed in a `jti`: the mark and the random part have no dot in them.
    pub fn is_sealed(token_id: &str) -> bool {
        token_id.matches('.').count() > 1
    }

    /// What stands sealed behind the id in a `jti`; none where nothing of this issuer's does.
    pub fn lineage(&self, token_id: &str) -> Option<Lineage> {
        let (id, sealed) = token_id.rsplit_once('.')?;
        let sealed = from_base64url(sealed)?;
        Lineage::from_bytes(&self.keys.open(LINEAGE, &self.place(id), &sealed)?)
    }

    /// Bound to the id before it: taken to another token it does not open.
    fn place(&self, id: &str) -> Vec<u8> {
        // an issuer's URL has no line end
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
