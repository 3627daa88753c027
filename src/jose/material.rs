//! The numbers of a public key, parsed from a JWK (RFC 7518 §6, RFC 8037 §2) and checked once.

use super::{Algorithm, KeyError, digest::sha256, encoding, weak};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, VerificationAlgorithm,
};
use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value, json};

/// A public key that was checked to be valid for its type.
pub(super) struct Material {
    pub(super) key: DecodingKey,
    /// The algorithms that a key of this type can be used with.
    pub(super) algorithms: &'static [Algorithm],
    /// SHA-256 of the required members (RFC 7638 §3).
    pub(super) thumbprint: [u8; 32],
}

impl Material {
    pub(super) fn parse(jwk: &Map<String, Value>) -> Result<Self, KeyError> {
        match text(jwk, "kty")? {
            "EC" => match text(jwk, "crv")? {
                "P-256" => ec(jwk, 32, &[Algorithm::ES256], &ECDSA_P256_SHA256_FIXED),
                "P-384" => ec(jwk, 48, &[Algorithm::ES384], &ECDSA_P384_SHA384_FIXED),
                _ => Err(KeyError::UnsupportedType),
            },
            "OKP" => match text(jwk, "crv")? {
                "Ed25519" => ed25519(jwk),
                _ => Err(KeyError::UnsupportedType),
            },
            "RSA" => rsa(jwk),
            _ => Err(KeyError::UnsupportedType),
        }
    }
}

fn ec(
    jwk: &Map<String, Value>,
    coordinate: usize,
    algorithms: &'static [Algorithm],
    algorithm: &'static dyn VerificationAlgorithm,
) -> Result<Material, KeyError> {
    let (x, y) = (number(jwk, "x")?, number(jwk, "y")?);
    // RFC 7518 §6.2.1.2: a coordinate must have exactly its full size.
    if x.len() != coordinate || y.len() != coordinate {
        return Err(KeyError::Material);
    }
    let mut point = vec![4];
    point.extend_from_slice(&x);
    point.extend_from_slice(&y);
    ParsedPublicKey::new(algorithm, &point).map_err(|_| KeyError::Material)?;
    let members = json!({
        "crv": text(jwk, "crv")?, "kty": "EC", "x": encoding::base64url(&x), "y": encoding::base64url(&y),
    });
    Ok(Material {
        key: DecodingKey::from_ec_der(&point),
        algorithms,
        thumbprint: thumbprint(&members),
    })
}

fn ed25519(jwk: &Map<String, Value>) -> Result<Material, KeyError> {
    let x = number(jwk, "x")?;
    if weak::is_small_order_ed25519(&x) {
        return Err(KeyError::Weak);
    }
    ParsedPublicKey::new(&ED25519, &x).map_err(|_| KeyError::Material)?;
    let members = json!({"crv": "Ed25519", "kty": "OKP", "x": encoding::base64url(&x)});
    Ok(Material {
        key: DecodingKey::from_ed_der(&x),
        algorithms: &[Algorithm::EdDSA],
        thumbprint: thumbprint(&members),
    })
}

fn rsa(jwk: &Map<String, Value>) -> Result<Material, KeyError> {
    let (n, e) = (unsigned(jwk, "n")?, unsigned(jwk, "e")?);
    let bits = n.len() * 8 - n.first().map_or(8, |byte| byte.leading_zeros() as usize);
    if !(2048..=8192).contains(&bits) {
        return Err(KeyError::Size);
    }
    let odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
    // An exponent of 1 makes signatures trivial, and one above 32 bits only slows verification down.
    if !odd(&n) || !odd(&e) || e == [1] || e.len() > 4 {
        return Err(KeyError::Material);
    }
    if weak::is_roca(&n) {
        return Err(KeyError::Weak);
    }
    RsaPublicKeyComponents { n: &n, e: &e }
        .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        .map_err(|_| KeyError::Material)?;
    let members = json!({"e": encoding::base64url(&e), "kty": "RSA", "n": encoding::base64url(&n)});
    Ok(Material {
        key: DecodingKey::from_rsa_raw_components(&n, &e),
        algorithms: &Algorithm::RSA,
        thumbprint: thumbprint(&members),
    })
}

/// `serde_json` writes members in the order of their names, as RFC 7638 §3.3 requires.
fn thumbprint(members: &Value) -> [u8; 32] {
    sha256(members.to_string().as_bytes())
}

pub(super) fn text<'a>(jwk: &'a Map<String, Value>, name: &str) -> Result<&'a str, KeyError> {
    jwk.get(name)
        .and_then(Value::as_str)
        .ok_or(KeyError::NotAJwk)
}

fn number(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, KeyError> {
    encoding::from_base64url(text(jwk, name)?).ok_or(KeyError::Material)
}

/// Parses a `Base64urlUInt` (RFC 7518 §2). Leading zeros, which some providers write, are removed.
fn unsigned(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, KeyError> {
    let bytes = number(jwk, name)?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let number: Vec<u8> = bytes.into_iter().skip(zeros).collect();
    if number.is_empty() {
        return Err(KeyError::Material);
    }
    Ok(number)
}
