//! The keys of the embedded issuer.

use super::SigningKey;
use serde_json::{Value, json};
use std::sync::Arc;

/// The issuer's keys in their order. The first one signs, and all are published.
#[derive(Debug, Clone)]
pub struct SigningKeys {
    first: Arc<SigningKey>,
    others: Vec<Arc<SigningKey>>,
}

impl SigningKeys {
    /// Makes a set of the keys in their order. A key that is listed twice is published once. Returns `None` for an
    /// empty list.
    pub fn new(keys: impl IntoIterator<Item = SigningKey>) -> Option<Self> {
        let mut keys = keys.into_iter().map(Arc::new);
        let first = keys.next()?;
        let mut others: Vec<Arc<SigningKey>> = Vec::new();
        for key in keys {
            let listed = std::iter::once(&first).chain(&others);
            if !listed.into_iter().any(|other| other.kid() == key.kid()) {
                others.push(key);
            }
        }
        Some(Self { first, others })
    }

    /// The key that signs.
    pub fn signing(&self) -> &Arc<SigningKey> {
        &self.first
    }

    /// All keys. The first one signs.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<SigningKey>> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The public keys as a JWK set (RFC 7517 §5), JSON in UTF-8.
    pub fn jwks(&self) -> Vec<u8> {
        let keys: Vec<Value> = self.iter().map(|key| key.public_jwk()).collect();
        json!({ "keys": keys }).to_string().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::{Algorithm, JwkSet, RsaHint};

    #[test]
    fn the_first_signs_and_all_are_published_without_a_private_number() {
        let make = |alg| SigningKey::generate(alg).unwrap();
        let (first, second) = (make(Algorithm::ES256), make(Algorithm::EdDSA));
        let again = SigningKey::from_pem(second.pem.expose(), RsaHint::Rs256).unwrap();
        let kid = first.key.kid().to_owned();
        let keys = SigningKeys::new([first.key, second.key, again]).unwrap();
        assert_eq!(keys.signing().kid(), kid);

        let (published, skipped) = JwkSet::parse(&keys.jwks()).unwrap();
        assert_eq!((published.keys().len(), skipped.len()), (2, 0));
        let text = String::from_utf8(keys.jwks()).unwrap();
        assert!(!text.contains("\"d\""));
        assert!(SigningKeys::new([]).is_none());
    }
}
