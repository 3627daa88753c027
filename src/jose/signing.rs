//! A private key that signs the tokens that the gateway issues.

use super::{
    Algorithm, JoseError, KeyError, VerificationKey,
    digest::sha256,
    encoding::{base64url, push_base64url},
    jws::encoded_header,
    pem::Pem,
};
use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
        RsaKeyPair, RsaPublicKeyComponents,
    },
};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject};
use serde_json::{Map, Value, json};
use std::fmt;
use zeroize::Zeroizing;

/// The `typ` of most signed tokens (RFC 9068 §2.1). Its header is encoded once.
const USUAL_TYP: &str = "at+jwt";

/// A private key, parsed once. A signature costs no more than in the cryptographic library.
pub struct SigningKey {
    pair: Pair,
    alg: Algorithm,
    kid: Box<str>,
    public_jwk: Value,
    usual_header: Box<str>,
}

/// A newly generated key, and its text for a file.
#[derive(Debug)]
pub struct GeneratedKey {
    /// The key.
    pub key: SigningKey,
    /// The key as a PKCS#8 PEM document. It is wiped when dropped.
    pub pem: Pem,
}

/// The algorithm of an RSA key, which the key itself does not contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RsaHint {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[default]
    Rs256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl SigningKey {
    /// Generates a key for ES256, ES384, EdDSA (Ed25519), RS256 or PS256 (RSA, 3072 bits).
    ///
    /// # Errors
    /// [`KeyError::NotGenerated`] for the other algorithms. [`KeyError::Generation`] if the library fails.
    pub fn generate(alg: Algorithm) -> Result<GeneratedKey, KeyError> {
        let failed = |_| KeyError::Generation;
        let pkcs8 = match alg {
            Algorithm::ES256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
                .and_then(|pair| pair.to_pkcs8v1())
                .map(|document| Zeroizing::new(document.as_ref().to_vec())),
            Algorithm::ES384 => EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING)
                .and_then(|pair| pair.to_pkcs8v1())
                .map(|document| Zeroizing::new(document.as_ref().to_vec())),
            // The first version of PKCS#8 is the one that all other tools can read.
            Algorithm::EdDSA => Ed25519KeyPair::generate()
                .and_then(|pair| pair.to_pkcs8v1())
                .map(|document| Zeroizing::new(document.as_ref().to_vec())),
            Algorithm::RS256 | Algorithm::PS256 => RsaKeyPair::generate(KeySize::Rsa3072)
                .and_then(|pair| pair.as_der())
                .map(|document| Zeroizing::new(document.as_ref().to_vec())),
            Algorithm::RS384 | Algorithm::RS512 | Algorithm::PS384 | Algorithm::PS512 => {
                return Err(KeyError::NotGenerated);
            }
        }
        .map_err(failed)?;
        Ok(GeneratedKey {
            key: Self::from_pkcs8(&pkcs8, RsaHint::of(alg))?,
            pem: Pem::of_pkcs8(&pkcs8),
        })
    }

    /// Parses the first private key of a PEM text: PKCS#8, SEC 1 or PKCS#1. `rsa` is the algorithm of an RSA key.
    ///
    /// # Errors
    /// [`KeyError::NotAPrivateKey`] if there is no supported key. [`KeyError::Size`] for RSA with less than 2048 or
    /// more than 8192 bits.
    pub fn from_pem(pem: &str, rsa: RsaHint) -> Result<Self, KeyError> {
        let der =
            PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| KeyError::NotAPrivateKey)?;
        match &der {
            PrivateKeyDer::Pkcs8(pkcs8) => Self::from_pkcs8(pkcs8.secret_pkcs8_der(), rsa),
            PrivateKeyDer::Sec1(sec1) => {
                ec_pair(|alg| EcdsaKeyPair::from_private_key_der(alg, sec1.secret_sec1_der()).ok())
                    .ok_or(KeyError::NotAPrivateKey)
                    .and_then(|(pair, alg)| Self::new(Pair::Ecdsa(pair), alg))
            }
            PrivateKeyDer::Pkcs1(pkcs1) => RsaKeyPair::from_der(pkcs1.secret_pkcs1_der())
                .map_err(|_| KeyError::NotAPrivateKey)
                .and_then(|pair| Self::new(Pair::Rsa(pair), rsa.algorithm())),
            // the enum is from another crate and may grow; new variants are not supported
            _ => Err(KeyError::NotAPrivateKey),
        }
    }

    /// Signs `claims` as a JWS in compact serialization, with the header members `alg`, `kid` and `typ`.
    ///
    /// # Errors
    /// [`JoseError::Signing`] if the library fails. The caller must then issue nothing.
    pub fn sign(&self, typ: &str, claims: &Map<String, Value>) -> Result<String, JoseError> {
        let payload = serde_json::to_vec(claims).map_err(|_| JoseError::Signing(self.alg))?;
        if typ == USUAL_TYP {
            self.sign_bytes(&self.usual_header, &payload)
        } else {
            self.sign_bytes(&encoded_header(self.alg, &self.kid, typ), &payload)
        }
    }

    /// Signs any payload under any header, like an attacker with their own key.
    #[cfg(test)]
    pub(crate) fn sign_anything(&self, header: &Value, payload: &[u8]) -> String {
        self.sign_bytes(&base64url(header.to_string()), payload)
            .unwrap()
    }

    fn sign_bytes(&self, encoded_header: &str, payload: &[u8]) -> Result<String, JoseError> {
        let payload_text = payload.len().div_ceil(3) * 4;
        let room = encoded_header.len() + payload_text + MAX_SIGNATURE_TEXT;
        let mut token = String::with_capacity(room);
        token.push_str(encoded_header);
        token.push('.');
        push_base64url(payload, &mut token);
        let signature = self
            .pair
            .sign(self.alg, token.as_bytes())
            .ok_or(JoseError::Signing(self.alg))?;
        token.push('.');
        push_base64url(&signature, &mut token);
        Ok(token)
    }

    /// The algorithm.
    pub fn alg(&self) -> Algorithm {
        self.alg
    }

    /// The RFC 7638 thumbprint of the public key (SHA-256, base64url).
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public key as a JWK with `kid`, `alg` and `use`.
    pub fn public_jwk(&self) -> Value {
        self.public_jwk.clone()
    }

    /// Returns the public key, to verify the gateway's own signatures.
    ///
    /// # Errors
    /// [`KeyError`] if a verifier would refuse the key.
    pub fn verification_key(&self) -> Result<VerificationKey, KeyError> {
        let jwk = self.public_jwk.as_object().ok_or(KeyError::NotAJwk)?;
        VerificationKey::from_jwk(jwk)
    }

    fn from_pkcs8(pkcs8: &[u8], rsa: RsaHint) -> Result<Self, KeyError> {
        if let Some((pair, alg)) = ec_pair(|alg| EcdsaKeyPair::from_pkcs8(alg, pkcs8).ok()) {
            return Self::new(Pair::Ecdsa(pair), alg);
        }
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8) {
            return Self::new(Pair::Ed25519(pair), Algorithm::EdDSA);
        }
        RsaKeyPair::from_pkcs8(pkcs8)
            .map_err(|_| KeyError::NotAPrivateKey)
            .and_then(|pair| Self::new(Pair::Rsa(pair), rsa.algorithm()))
    }

    fn new(pair: Pair, alg: Algorithm) -> Result<Self, KeyError> {
        let mut public_jwk = pair.public_members()?;
        let kid = base64url(sha256(
            Value::from(public_jwk.clone()).to_string().as_bytes(),
        ));
        public_jwk.insert("kid".into(), json!(kid));
        public_jwk.insert("alg".into(), json!(alg.as_str()));
        public_jwk.insert("use".into(), json!("sig"));
        let key = Self {
            pair,
            alg,
            usual_header: encoded_header(alg, &kid, USUAL_TYP).into(),
            kid: kid.into(),
            public_jwk: public_jwk.into(),
        };
        // A key that this crate would refuse in a key set must not sign either, for example one that is too short.
        key.verification_key().map(|_| key)
    }
}

/// Space for an RSA signature of 4096 bits as text.
const MAX_SIGNATURE_TEXT: usize = 700;

impl Pair {
    fn sign(&self, alg: Algorithm, input: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match self {
            Self::Ecdsa(pair) => pair.sign(&random, input).ok().map(|s| s.as_ref().to_vec()),
            Self::Ed25519(pair) => pair.try_sign(input).ok().map(|s| s.as_ref().to_vec()),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let signed = if alg == Algorithm::PS256 {
                    pair.sign(&RSA_PSS_SHA256, &random, input, &mut signature)
                } else {
                    pair.sign(&RSA_PKCS1_SHA256, &random, input, &mut signature)
                };
                signed.ok().map(|()| signature)
            }
        }
    }

    /// The members that RFC 7638 §3.2 hashes, and no others.
    fn public_members(&self) -> Result<Map<String, Value>, KeyError> {
        let members = match self {
            Self::Ecdsa(pair) => {
                let point = pair.public_key().as_ref();
                let coordinates = point.get(1..).unwrap_or_default();
                let (x, y) = coordinates.split_at(coordinates.len() / 2);
                let crv = if x.len() == 32 { "P-256" } else { "P-384" };
                json!({"kty": "EC", "crv": crv, "x": base64url(x), "y": base64url(y)})
            }
            Self::Ed25519(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(pair.public_key())})
            }
            Self::Rsa(pair) => {
                let numbers = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                json!({"kty": "RSA", "n": base64url(numbers.n), "e": base64url(numbers.e)})
            }
        };
        members.as_object().cloned().ok_or(KeyError::Material)
    }
}

impl RsaHint {
    /// Returns the RSA algorithm that an algorithm name selects.
    pub fn of(alg: Algorithm) -> Self {
        if alg == Algorithm::PS256 {
            Self::Ps256
        } else {
            Self::Rs256
        }
    }

    const fn algorithm(self) -> Algorithm {
        match self {
            Self::Rs256 => Algorithm::RS256,
            Self::Ps256 => Algorithm::PS256,
        }
    }
}

fn ec_pair(
    read: impl Fn(&'static EcdsaSigningAlgorithm) -> Option<EcdsaKeyPair>,
) -> Option<(EcdsaKeyPair, Algorithm)> {
    let p256 = || read(&ECDSA_P256_SHA256_FIXED_SIGNING).map(|pair| (pair, Algorithm::ES256));
    let p384 = || read(&ECDSA_P384_SHA384_FIXED_SIGNING).map(|pair| (pair, Algorithm::ES384));
    p256().or_else(p384)
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, {}, redacted)", self.alg, self.kid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{jose::UnverifiedJws, token::RawToken};

    const GENERATED: [Algorithm; 5] = [
        Algorithm::ES256,
        Algorithm::ES384,
        Algorithm::EdDSA,
        Algorithm::RS256,
        Algorithm::PS256,
    ];

    #[test]
    fn what_is_signed_verifies_with_the_published_key_and_no_other() {
        let keys: Vec<_> = GENERATED
            .map(|alg| SigningKey::generate(alg).unwrap().key)
            .into();
        let claims = json!({"sub": "alice", "text": "ä\u{1f600}"});
        for (position, key) in keys.iter().enumerate() {
            let token = key.sign("at+jwt", claims.as_object().unwrap()).unwrap();
            let token = RawToken::from(token);
            for (other, verifier) in keys.iter().enumerate() {
                let jws = UnverifiedJws::parse(&token).unwrap();
                assert_eq!(jws.kid(), Some(key.kid()));
                assert_eq!(jws.typ(), Some("at+jwt"));
                let verifier = verifier.verification_key().unwrap();
                let verified = verifier.verify(jws, &Algorithm::ALL);
                assert_eq!(verified.is_ok(), position == other, "{} {other}", key.alg());
                if let Ok(verified) = verified {
                    assert_eq!(
                        Value::from(verified.into_claims().unwrap().as_object().clone()),
                        claims
                    );
                }
            }
        }
    }

    #[test]
    fn a_key_survives_its_file() {
        for alg in GENERATED {
            let generated = SigningKey::generate(alg).unwrap();
            let hint = if alg == Algorithm::PS256 {
                RsaHint::Ps256
            } else {
                RsaHint::Rs256
            };
            let read = SigningKey::from_pem(generated.pem.expose(), hint).unwrap();
            assert_eq!(read.kid(), generated.key.kid());
            assert_eq!(read.alg(), alg);
            assert_eq!(read.public_jwk(), generated.key.public_jwk());
        }
    }

    #[test]
    fn the_kid_is_the_thumbprint_that_a_verifier_computes() {
        for alg in GENERATED {
            let key = SigningKey::generate(alg).unwrap().key;
            let thumbprint = *key.verification_key().unwrap().thumbprint();
            assert_eq!(key.kid(), base64url(thumbprint));
        }
    }

    #[test]
    fn keys_that_openssl_wrote_are_read() {
        // openssl ecparam -name prime256v1 -genkey -noout
        let sec1 = "-----BEGIN EC PRIVATE KEY-----\n\
            MHcCAQEEIOo1xJPisRe7DpFtg3cw9CnKOEf2ixYoBuGCSUr6D5hGoAoGCCqGSM49\n\
            AwEHoUQDQgAEgpmurhM+0Tnj8uKTBrKWO727Ogf8oOtrgANiqy68zWc/it2ldMYs\n\
            wpWhuThwfk+ZKwSZsukAaWPG+I+A7cbYnA==\n\
            -----END EC PRIVATE KEY-----\n";
        // openssl genpkey -algorithm ed25519
        let pkcs8 = "-----BEGIN PRIVATE KEY-----\n\
            MC4CAQAwBQYDK2VwBCIEIJK9Z1+AnaBxB6ixamxrE0EsUPgIK4Z+VP4Z2v82pLW7\n\
            -----END PRIVATE KEY-----\n";
        for (pem, alg) in [(sec1, Algorithm::ES256), (pkcs8, Algorithm::EdDSA)] {
            assert_eq!(
                SigningKey::from_pem(pem, RsaHint::Rs256).unwrap().alg(),
                alg
            );
        }
    }

    #[test]
    fn what_holds_no_supported_private_key_is_refused() {
        for pem in [
            "",
            "garbage",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        ] {
            let error = SigningKey::from_pem(pem, RsaHint::Rs256).unwrap_err();
            assert_eq!(error, KeyError::NotAPrivateKey);
        }
    }

    #[test]
    fn debug_shows_no_private_number() {
        let generated = SigningKey::generate(Algorithm::ES256).unwrap();
        let kid = generated.key.kid().to_owned();
        assert_eq!(
            format!("{generated:?}"),
            format!(
                "GeneratedKey {{ key: SigningKey(ES256, {kid}, redacted), pem: Pem(redacted) }}"
            )
        );
    }
}
