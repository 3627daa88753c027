//! A set of public keys (RFC 7517 §5).

use super::{Algorithm, KeyError, VerificationKey};
use crate::token::{Claims, Limits};
use serde_json::Value;
use std::{collections::HashMap, sync::Arc};
use thiserror::Error;

/// The maximum number of keys in a set. More are an error or an attempt to slow the gateway down.
pub const MAX_KEYS: usize = 256;

/// The maximum size of a set, in bytes.
const MAX_BYTES: usize = 1 << 20;

/// The usable keys of one issuer.
#[derive(Debug, Default)]
pub struct JwkSet {
    keys: Vec<Arc<VerificationKey>>,
}

/// A key of a set that is not used, with the reason. The other keys are still used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SkippedKey {
    /// The position in the set, from 0.
    pub position: usize,
    /// The reason why it is not used.
    pub why: KeyError,
}

/// The reason why a text is not a key set.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JwkSetError {
    /// The text is not a JSON object with distinct members and an array `keys`, or is longer than 1 MiB.
    #[error("not a JSON object with an array of keys")]
    NotAKeySet,
    /// There are more than [`MAX_KEYS`] keys.
    #[error("more than {MAX_KEYS} keys")]
    TooManyKeys,
    /// None of the keys can be used.
    #[error("none of its {found} keys can be used{}", reasons(.skipped))]
    NoUsableKey {
        /// The number of keys in the set.
        found: usize,
        /// The reason for each key.
        skipped: Vec<SkippedKey>,
    },
}

/// Describes why each key is not used. If there are many keys, only the first ones are described.
fn reasons(skipped: &[SkippedKey]) -> String {
    const SHOWN: usize = 8;
    if skipped.is_empty() {
        return String::new();
    }
    let shown = skipped.iter().take(SHOWN);
    let mut reasons: Vec<String> = shown
        .map(|SkippedKey { position, why }| format!("key {position}: {why}"))
        .collect();
    if skipped.len() > SHOWN {
        reasons.push(format!("and {} more", skipped.len() - SHOWN));
    }
    format!(" ({})", reasons.join("; "))
}

/// The reason why no key is found for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyLookup {
    /// No key has the token's `kid`.
    #[error("no key has the kid that the token names")]
    UnknownKid,
    /// The token has no `kid`, and not exactly one key fits its algorithm.
    #[error("the token has no kid, and not exactly one key matches its algorithm")]
    NotExactlyOne,
    /// The key that the token names is not for the token's algorithm.
    #[error("the key that the token names is not for its algorithm")]
    AlgorithmNotAllowed,
}

impl JwkSet {
    /// Parses a set key by key. A key that cannot be used is skipped and reported.
    ///
    /// If keys have the same `kid` but different numbers, none of them is used. Otherwise the order of the set would
    /// decide which one a token means.
    ///
    /// # Errors
    /// [`JwkSetError`] for a text that is not a key set, or has no usable key.
    pub fn parse(json: &[u8]) -> Result<(Self, Vec<SkippedKey>), JwkSetError> {
        const LIMITS: Limits = Limits {
            bytes: MAX_BYTES,
            depth: 16,
        };
        let set = Claims::parse(json, LIMITS).map_err(|_| JwkSetError::NotAKeySet)?;
        let entries = set
            .get("keys")
            .and_then(Value::as_array)
            .ok_or(JwkSetError::NotAKeySet)?;
        if entries.len() > MAX_KEYS {
            return Err(JwkSetError::TooManyKeys);
        }
        let mut skipped = Vec::new();
        let mut read = Vec::new();
        for (position, entry) in entries.iter().enumerate() {
            let jwk = entry.as_object().ok_or(KeyError::NotAJwk);
            match jwk.and_then(VerificationKey::from_jwk) {
                Ok(key) => read.push((position, Arc::new(key))),
                Err(why) => skipped.push(SkippedKey { position, why }),
            }
        }
        let keys = without_ambiguous(read, &mut skipped);
        skipped.sort_by_key(|skipped| skipped.position);
        if keys.is_empty() {
            let found = entries.len();
            return Err(JwkSetError::NoUsableKey { found, skipped });
        }
        Ok((Self { keys }, skipped))
    }

    /// Returns the key for a token with this `kid` and algorithm.
    ///
    /// A `kid` is compared exactly. Without one, exactly one key of the set must fit `alg`.
    ///
    /// # Errors
    /// [`KeyLookup`]: why no key was found.
    pub fn find(
        &self,
        kid: Option<&str>,
        alg: Algorithm,
    ) -> Result<&Arc<VerificationKey>, KeyLookup> {
        if let Some(kid) = kid {
            let mut named = self
                .keys
                .iter()
                .filter(|key| key.kid() == Some(kid))
                .peekable();
            if named.peek().is_none() {
                return Err(KeyLookup::UnknownKid);
            }
            return named
                .find(|key| key.allows(alg))
                .ok_or(KeyLookup::AlgorithmNotAllowed);
        }
        let mut fitting = self.keys.iter().filter(|key| key.allows(alg));
        match (fitting.next(), fitting.next()) {
            (Some(only), None) => Ok(only),
            _ => Err(KeyLookup::NotExactlyOne),
        }
    }

    /// The keys, in the order of the set.
    pub fn keys(&self) -> &[Arc<VerificationKey>] {
        &self.keys
    }
}

fn without_ambiguous(
    read: Vec<(usize, Arc<VerificationKey>)>,
    skipped: &mut Vec<SkippedKey>,
) -> Vec<Arc<VerificationKey>> {
    let mut numbers: HashMap<&str, Option<[u8; 32]>> = HashMap::new();
    for (_, key) in &read {
        let Some(kid) = key.kid() else { continue };
        numbers
            .entry(kid)
            .and_modify(|seen| *seen = seen.filter(|seen| seen == key.thumbprint()))
            .or_insert(Some(*key.thumbprint()));
    }
    let ambiguous: Vec<bool> = read
        .iter()
        .map(|(_, key)| key.kid().is_some_and(|kid| numbers.get(kid) == Some(&None)))
        .collect();
    let mut keys = Vec::with_capacity(read.len());
    for ((position, key), ambiguous) in read.into_iter().zip(ambiguous) {
        if ambiguous {
            let why = KeyError::DuplicateKid;
            skipped.push(SkippedKey { position, why });
        } else {
            keys.push(key);
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::SigningKey;
    use serde_json::json;

    fn jwk(alg: Algorithm, kid: Option<&str>) -> Value {
        let mut jwk = SigningKey::generate(alg).unwrap().key.public_jwk();
        let members = jwk.as_object_mut().unwrap();
        members.remove("kid");
        if let Some(kid) = kid {
            members.insert("kid".into(), json!(kid));
        }
        jwk
    }

    fn parse(keys: Vec<Value>) -> Result<(JwkSet, Vec<SkippedKey>), JwkSetError> {
        JwkSet::parse(json!({ "keys": keys }).to_string().as_bytes())
    }

    #[test]
    fn one_bad_key_does_not_break_the_set() {
        let (set, skipped) = parse(vec![
            json!({"kty": "oct", "k": "AAAA", "kid": "s"}),
            json!("garbage"),
            jwk(Algorithm::ES256, Some("a")),
            json!({"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA"}),
        ])
        .unwrap();
        assert_eq!(set.keys().len(), 1);
        let why: Vec<_> = skipped.iter().map(|s| (s.position, s.why)).collect();
        assert_eq!(
            why,
            [
                (0, KeyError::UnsupportedType),
                (1, KeyError::NotAJwk),
                (3, KeyError::UnsupportedType)
            ]
        );
    }

    #[test]
    fn a_kid_is_matched_exactly_and_never_guessed() {
        let (set, _) = parse(vec![
            jwk(Algorithm::ES256, Some("a")),
            jwk(Algorithm::EdDSA, Some("b")),
        ])
        .unwrap();
        assert!(set.find(Some("a"), Algorithm::ES256).is_ok());
        let find = |kid, alg| set.find(kid, alg).unwrap_err();
        for kid in ["A", "a ", "", "aa", "../a"] {
            assert_eq!(find(Some(kid), Algorithm::ES256), KeyLookup::UnknownKid);
        }
        assert_eq!(
            find(Some("b"), Algorithm::ES256),
            KeyLookup::AlgorithmNotAllowed
        );
    }

    #[test]
    fn without_a_kid_exactly_one_key_must_fit() {
        let (set, _) = parse(vec![
            jwk(Algorithm::ES256, Some("a")),
            jwk(Algorithm::EdDSA, None),
            jwk(Algorithm::EdDSA, Some("c")),
        ])
        .unwrap();
        assert!(set.find(None, Algorithm::ES256).is_ok());
        let find = |alg| set.find(None, alg).unwrap_err();
        assert_eq!(find(Algorithm::EdDSA), KeyLookup::NotExactlyOne);
        assert_eq!(find(Algorithm::RS256), KeyLookup::NotExactlyOne);
    }

    #[test]
    fn two_keys_of_one_kid_are_both_refused() {
        let (set, skipped) = parse(vec![
            jwk(Algorithm::ES256, Some("a")),
            jwk(Algorithm::ES256, Some("a")),
            jwk(Algorithm::ES256, Some("a")),
            jwk(Algorithm::EdDSA, Some("b")),
        ])
        .unwrap();
        assert_eq!(set.keys().len(), 1);
        assert!(skipped.iter().all(|s| s.why == KeyError::DuplicateKid));
        assert_eq!(skipped.len(), 3);
        let same = jwk(Algorithm::ES256, Some("a"));
        assert_eq!(parse(vec![same.clone(), same]).unwrap().1, []);
    }

    #[test]
    fn what_is_no_key_set_is_refused() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"keys":{}}"#,
            r#"{"keys":[],"keys":[]}"#,
            "<html>",
        ] {
            assert_eq!(
                JwkSet::parse(text.as_bytes()).unwrap_err(),
                JwkSetError::NotAKeySet
            );
        }
        assert_eq!(
            parse(vec![]).unwrap_err(),
            JwkSetError::NoUsableKey {
                found: 0,
                skipped: Vec::new()
            }
        );
        let none = parse(vec![json!({"kty": "oct"}), json!(7)]).unwrap_err();
        let text = none.to_string();
        for part in ["none of its 2 keys can be used (key 0: ", "; key 1: "] {
            assert!(text.contains(part), "{text}");
        }
        let many = parse(vec![json!({}); 20]).unwrap_err().to_string();
        assert!(many.ends_with("; and 12 more)"), "{many}");
        assert_eq!(
            parse(vec![json!({}); 257]).unwrap_err(),
            JwkSetError::TooManyKeys
        );
        let huge = format!(r#"{{"keys":[],"x":"{}"}}"#, "x".repeat(MAX_BYTES));
        assert_eq!(
            JwkSet::parse(huge.as_bytes()).unwrap_err(),
            JwkSetError::NotAKeySet
        );
    }
}
