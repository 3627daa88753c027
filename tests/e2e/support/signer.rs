//! Tokens of every kind, signed by an independent library instead of the gateway's code.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::EncodingKey;
use obo_gateway::jose::{Algorithm, SigningKey};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject};
use serde_json::{Value, json};
use x509_parser::der_parser::parse_der;

/// Returns `claims` with some of them replaced or added; null removes one.
pub fn with_changes(mut claims: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let members = claims.as_object_mut().unwrap();
    members.retain(|_, value| !value.is_null());
    claims
}

/// A provider's key.
#[derive(Clone)]
pub struct Signer {
    alg: jsonwebtoken::Algorithm,
    key: EncodingKey,
    jwk: Value,
}

impl Signer {
    pub fn es256() -> Self {
        Self::generate(Algorithm::ES256)
    }

    pub fn generate(alg: Algorithm) -> Self {
        let made = SigningKey::generate(alg).unwrap();
        let pkcs8 = PrivateKeyDer::from_pem_slice(made.pem.expose().as_bytes()).unwrap();
        let pkcs8 = pkcs8.secret_der();
        let (alg, key) = match alg {
            Algorithm::ES256 => (
                jsonwebtoken::Algorithm::ES256,
                EncodingKey::from_ec_der(pkcs8),
            ),
            Algorithm::ES384 => (
                jsonwebtoken::Algorithm::ES384,
                EncodingKey::from_ec_der(pkcs8),
            ),
            Algorithm::EdDSA => (
                jsonwebtoken::Algorithm::EdDSA,
                EncodingKey::from_ed_der(pkcs8),
            ),
            Algorithm::PS256 => (jsonwebtoken::Algorithm::PS256, rsa_key(pkcs8)),
            Algorithm::RS256
            | Algorithm::RS384
            | Algorithm::RS512
            | Algorithm::PS384
            | Algorithm::PS512 => (jsonwebtoken::Algorithm::RS256, rsa_key(pkcs8)),
        };
        Self {
            alg,
            key,
            jwk: made.key.public_jwk(),
        }
    }

    /// The public key as a provider publishes it.
    pub fn jwk(&self) -> Value {
        self.jwk.clone()
    }

    pub fn kid(&self) -> &str {
        self.jwk["kid"].as_str().unwrap()
    }

    /// The header that a provider of RFC 9068 writes.
    pub fn header(&self) -> Value {
        json!({"typ": "at+jwt", "alg": format!("{:?}", self.alg), "kid": self.kid()})
    }

    pub fn sign(&self, claims: &Value) -> String {
        self.sign_bytes(&self.header(), claims.to_string().as_bytes())
    }

    /// Returns a JWS of exactly these bytes.
    pub fn sign_bytes(&self, header: &Value, payload: &[u8]) -> String {
        let input = signing_input(header, payload);
        let signature = jsonwebtoken::crypto::sign(input.as_bytes(), &self.key, self.alg).unwrap();
        format!("{input}.{signature}")
    }
}

/// jsonwebtoken takes the RSAPrivateKey (RFC 8017 A.1.2) that is the third member of a PKCS#8 document (RFC 5208 §5).
fn rsa_key(pkcs8: &[u8]) -> EncodingKey {
    let (_, document) = parse_der(pkcs8).unwrap();
    EncodingKey::from_rsa_der(document[2].as_slice().unwrap())
}

pub fn signing_input(header: &Value, payload: &[u8]) -> String {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    format!(
        "{}.{}",
        encode(header.to_string().as_bytes()),
        encode(payload)
    )
}

/// Returns `claims` with some members replaced; null removes one.
pub fn with(mut claims: Value, changes: Value) -> Value {
    let members = claims.as_object_mut().unwrap();
    let Value::Object(changes) = changes else {
        panic!("changes are an object")
    };
    for (name, value) in changes {
        if value.is_null() {
            members.remove(&name);
        } else {
            members.insert(name, value);
        }
    }
    claims
}
