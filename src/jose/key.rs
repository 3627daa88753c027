//! A public key that verifies signatures.

use super::{
    Algorithm, FieldDigest, JoseError, KeyError, MAX_KID, UnverifiedJws, VerifiedJws,
    encoding::base64url,
    material::{Material, text},
};
use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};
use std::fmt;

/// A public key, parsed and checked once, with its allowed algorithms.
pub struct VerificationKey {
    kid: Option<Box<str>>,
    key: DecodingKey,
    algorithms: Vec<Algorithm>,
    thumbprint: [u8; 32],
    identity: [u8; 32],
}

impl VerificationKey {
    /// Parses a JWK (RFC 7517 §4). Its algorithms follow from `kty` and `crv`, restricted by `alg` if present.
    ///
    /// # Errors
    /// [`KeyError`] for a key that is malformed, symmetric, weak, not for signatures, or of an unsupported type.
    pub fn from_jwk(jwk: &Map<String, Value>) -> Result<Self, KeyError> {
        for_signatures(jwk)?;
        let kid = match jwk.get("kid") {
            None => None,
            Some(_) => Some(text(jwk, "kid")?),
        };
        if kid.is_some_and(|kid| kid.len() > MAX_KID) {
            return Err(KeyError::KidTooLong);
        }
        let material = Material::parse(jwk)?;
        let algorithms = match jwk.get("alg") {
            None => material.algorithms.to_vec(),
            Some(_) => {
                let only = named_algorithm(text(jwk, "alg")?)?;
                if !material.algorithms.contains(&only) {
                    return Err(KeyError::UnsupportedAlgorithm);
                }
                vec![only]
            }
        };
        Ok(Self {
            identity: identity(kid, &material.thumbprint, &algorithms),
            kid: kid.map(Into::into),
            key: material.key,
            algorithms,
            thumbprint: material.thumbprint,
        })
    }

    /// Verifies the signature over exactly the presented bytes.
    ///
    /// The algorithm must be allowed by the caller *and* by the key. The token's `alg` only selects one of these. ECDSA
    /// signatures are two numbers in their full size (RFC 7518 §3.4), never DER.
    ///
    /// # Errors
    /// [`JoseError::AlgorithmNotAllowed`] and [`JoseError::Signature`].
    pub fn verify(
        &self,
        jws: UnverifiedJws<'_>,
        allowed: &[Algorithm],
    ) -> Result<VerifiedJws, JoseError> {
        let alg = jws.alg();
        if !allowed.contains(&alg) || !self.allows(alg) {
            return Err(JoseError::AlgorithmNotAllowed(alg));
        }
        let verified = jsonwebtoken::crypto::verify(
            jws.signature(),
            jws.signing_input(),
            &self.key,
            alg.of_jsonwebtoken(),
        );
        match verified {
            Ok(true) => Ok(jws.into_verified()),
            Ok(false) | Err(_) => Err(JoseError::Signature),
        }
    }

    /// The `kid` of the key in its set.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Returns `true` if the key may be used with `alg`.
    pub fn allows(&self, alg: Algorithm) -> bool {
        self.algorithms.contains(&alg)
    }

    /// The SHA-256 of the key's numbers (RFC 7638). It does not depend on the `kid`.
    pub fn thumbprint(&self) -> &[u8; 32] {
        &self.thumbprint
    }

    /// A digest of `kid`, numbers and algorithms. Keys that differ in any of them are different keys.
    pub fn identity(&self) -> &[u8; 32] {
        &self.identity
    }
}

fn identity(kid: Option<&str>, thumbprint: &[u8; 32], algorithms: &[Algorithm]) -> [u8; 32] {
    let start = FieldDigest::new("verification key")
        .field(&[u8::from(kid.is_some())])
        .field(kid.unwrap_or_default().as_bytes())
        .field(thumbprint);
    algorithms
        .iter()
        .fold(start, |digest, alg| digest.field(alg.as_str().as_bytes()))
        .finish()
}

/// Requires that `use` and `key_ops`, if present, allow verification (RFC 7517 §4.2, §4.3).
fn for_signatures(jwk: &Map<String, Value>) -> Result<(), KeyError> {
    match jwk.get("use") {
        None => {}
        Some(Value::String(usage)) if usage == "sig" => {}
        Some(_) => return Err(KeyError::NotForSignatures),
    }
    match jwk.get("key_ops") {
        None => Ok(()),
        Some(Value::Array(operations)) if operations.iter().any(|op| op == "verify") => Ok(()),
        Some(_) => Err(KeyError::NotForVerification),
    }
}

/// `Ed25519` is the newer name for `EdDSA` with that curve (RFC 9864 §2.2).
fn named_algorithm(name: &str) -> Result<Algorithm, KeyError> {
    match name {
        "Ed25519" => Ok(Algorithm::EdDSA),
        _ => name.parse().map_err(|_| KeyError::UnsupportedAlgorithm),
    }
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerificationKey")
            .field("thumbprint", &base64url(self.thumbprint))
            .field("algorithms", &self.algorithms)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::{SigningKey, encoding::base64url};
    use crate::token::RawToken;
    use serde_json::json;

    fn parse(jwk: Value) -> Result<VerificationKey, KeyError> {
        VerificationKey::from_jwk(jwk.as_object().unwrap())
    }

    fn ec_jwk() -> Value {
        SigningKey::generate(Algorithm::ES256)
            .unwrap()
            .key
            .public_jwk()
    }

    fn changed(mut jwk: Value, name: &str, value: Value) -> Value {
        jwk[name] = value;
        jwk
    }

    #[test]
    fn the_thumbprint_of_rfc_7638_is_ours() {
        let key = parse(json!({
            "kty": "RSA",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
            "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
        }))
        .unwrap();
        assert_eq!(
            base64url(key.thumbprint()),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
    }

    #[test]
    fn a_key_keeps_to_its_type_and_its_own_alg() {
        assert!(parse(ec_jwk()).unwrap().allows(Algorithm::ES256));
        assert!(!parse(ec_jwk()).unwrap().allows(Algorithm::ES384));
        for alg in ["RS256", "ES384", "HS256", "none", "ECDH-ES", ""] {
            let jwk = changed(ec_jwk(), "alg", json!(alg));
            assert_eq!(
                parse(jwk).unwrap_err(),
                KeyError::UnsupportedAlgorithm,
                "{alg}"
            );
        }
    }

    #[test]
    fn a_key_for_something_else_than_verifying_is_refused() {
        for (name, value, why) in [
            ("use", json!("enc"), KeyError::NotForSignatures),
            ("use", json!(["sig"]), KeyError::NotForSignatures),
            ("key_ops", json!(["sign"]), KeyError::NotForVerification),
            ("key_ops", json!("verify"), KeyError::NotForVerification),
            ("kty", json!("oct"), KeyError::UnsupportedType),
            ("kty", json!(1), KeyError::NotAJwk),
            ("crv", json!("P-521"), KeyError::UnsupportedType),
            ("crv", json!("P-384"), KeyError::Material),
            ("x", json!("AAAA"), KeyError::Material),
            ("x", json!(base64url([1; 32])), KeyError::Material),
            ("x", json!("!"), KeyError::Material),
            ("kid", json!(7), KeyError::NotAJwk),
            ("kid", json!("k".repeat(129)), KeyError::KidTooLong),
        ] {
            assert_eq!(
                parse(changed(ec_jwk(), name, value)).unwrap_err(),
                why,
                "{name}"
            );
        }
        assert!(parse(changed(ec_jwk(), "key_ops", json!(["verify"]))).is_ok());
    }

    #[test]
    fn rsa_numbers_are_of_a_sound_size() {
        let rsa = |n: Vec<u8>, e: Vec<u8>| {
            parse(json!({"kty": "RSA", "n": base64url(n), "e": base64url(e)})).unwrap_err()
        };
        assert_eq!(rsa(vec![0xff; 255], vec![1, 0, 1]), KeyError::Size);
        assert_eq!(rsa(vec![0xff; 1025], vec![1, 0, 1]), KeyError::Size);
        assert_eq!(rsa(vec![0xff; 256], vec![1]), KeyError::Material);
        assert_eq!(rsa(vec![0xff; 256], vec![2]), KeyError::Material);
        assert_eq!(rsa(vec![0xff; 256], vec![]), KeyError::Material);
        assert_eq!(rsa(vec![0xfe; 256], vec![3]), KeyError::Material);
    }

    #[test]
    fn an_ed25519_point_of_small_order_is_refused() {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": base64url([0; 32])});
        assert_eq!(parse(jwk).unwrap_err(), KeyError::Weak);
    }

    #[test]
    fn ecdsa_signatures_have_one_form() {
        let key = SigningKey::generate(Algorithm::ES256).unwrap().key;
        let text = key.sign("at+jwt", &Map::new()).unwrap();
        let (input, signature) = text.rsplit_once('.').unwrap();
        let good = crate::jose::encoding::from_base64url(signature).unwrap();
        let verify = |signature: &[u8]| {
            let token = RawToken::from(format!("{input}.{}", base64url(signature)));
            let jws = UnverifiedJws::parse(&token).unwrap();
            key.verification_key()
                .unwrap()
                .verify(jws, &Algorithm::ALL)
                .map(|_| ())
        };
        assert_eq!(verify(&good), Ok(()));
        let der: Vec<u8> = [
            &[0x30, 0x44, 0x02, 0x20],
            &good[..32],
            &[0x02, 0x20],
            &good[32..],
        ]
        .concat();
        for (what, forged) in [
            ("der", der),
            ("zeros", vec![0; 64]),
            ("short", good[..63].to_vec()),
            ("long", [&good[..], &[0]].concat()),
            ("one half", good[..32].to_vec()),
        ] {
            assert_eq!(verify(&forged), Err(JoseError::Signature), "{what}");
        }
    }

    #[test]
    fn the_callers_list_decides_beside_the_key() {
        let key = SigningKey::generate(Algorithm::EdDSA).unwrap().key;
        let token = RawToken::from(key.sign("at+jwt", &Map::new()).unwrap());
        let verify = |allowed: &[Algorithm]| {
            let jws = UnverifiedJws::parse(&token).unwrap();
            key.verification_key()
                .unwrap()
                .verify(jws, allowed)
                .map(|_| ())
        };
        assert_eq!(verify(&[Algorithm::EdDSA]), Ok(()));
        for allowed in [&[][..], &[Algorithm::ES256, Algorithm::RS256]] {
            assert_eq!(
                verify(allowed),
                Err(JoseError::AlgorithmNotAllowed(Algorithm::EdDSA))
            );
        }
    }

    #[test]
    fn the_keys_own_alg_decides_though_the_numbers_would_verify() {
        let made = SigningKey::generate(Algorithm::RS256).unwrap();
        let pss = SigningKey::from_pem(made.pem.expose(), crate::jose::RsaHint::Ps256).unwrap();
        let token = RawToken::from(pss.sign("at+jwt", &Map::new()).unwrap());
        let verify = |key: &SigningKey| {
            let jws = UnverifiedJws::parse(&token).unwrap();
            let key = key.verification_key().unwrap();
            key.verify(jws, &Algorithm::ALL).map(|_| ())
        };
        assert_eq!(verify(&pss), Ok(()));
        let refused = JoseError::AlgorithmNotAllowed(Algorithm::PS256);
        assert_eq!(verify(&made.key), Err(refused));
    }
}
