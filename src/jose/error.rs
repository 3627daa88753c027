//! The reasons why a signed object or a key is refused.

use super::Algorithm;
use crate::token::ClaimsError;
use thiserror::Error;

/// The reason why the form or signature of a token is refused. It never contains a part of the token.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JoseError {
    /// The token is not three non-empty parts of canonical base64url between two dots (RFC 7515 §7.1).
    #[error("not a JWS in compact serialization")]
    NotCompact,
    /// The header is not a small JSON object with distinct members, or a member has the wrong type.
    #[error("the header is not a small JSON object with members of the right types")]
    Header,
    /// `alg` is not a supported algorithm. `none` and HMAC are not supported.
    #[error("the header does not name a supported asymmetric algorithm")]
    UnsupportedAlgorithm,
    /// The header requires an extension: `crit`, `b64` or `zip`.
    #[error("the header requires the extension {0}")]
    Extension(&'static str),
    /// The payload is not a JSON object that is acceptable as claims.
    #[error("the payload is not acceptable")]
    Payload(#[source] ClaimsError),
    /// The caller or the key does not allow the token's algorithm.
    #[error("the algorithm {0} is not allowed for this key")]
    AlgorithmNotAllowed(Algorithm),
    /// The signature does not verify with the key.
    #[error("the signature does not verify")]
    Signature,
    /// The cryptographic library could not sign.
    #[error("signing with {0} failed")]
    Signing(Algorithm),
}

/// The reason why a key of a set, or a private key, is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum KeyError {
    /// The key is not a JSON object whose members have the right types.
    #[error("not a JWK")]
    NotAJwk,
    /// `kty` or `crv` is not supported. Symmetric keys are not supported.
    #[error("its type is not supported")]
    UnsupportedType,
    /// `alg` is not supported for a key of this type.
    #[error("its algorithm is not supported for its type")]
    UnsupportedAlgorithm,
    /// `use` is not `sig`.
    #[error("it is not for signatures")]
    NotForSignatures,
    /// `key_ops` does not contain `verify`.
    #[error("its operations do not include verify")]
    NotForVerification,
    /// The numbers are malformed, or not a public key of that type.
    #[error("its parameters are not a public key of its type")]
    Material,
    /// The RSA key has fewer than 2048 or more than 8192 bits.
    #[error("it is shorter than 2048 or longer than 8192 bits")]
    Size,
    /// The key is known to be breakable: RSA of the ROCA family, or an Ed25519 point of small order.
    #[error("it is known to be weak")]
    Weak,
    /// Another key of the set has the same `kid` but different material. Neither is used.
    #[error("another key of the set has the same kid")]
    DuplicateKid,
    /// `kid` is longer than 128 bytes.
    #[error("its kid is longer than 128 bytes")]
    KidTooLong,
    /// The text contains no supported private key.
    #[error("expected a PEM file with an EC P-256, EC P-384, Ed25519 or RSA private key")]
    NotAPrivateKey,
    /// The cryptographic library could not generate a key.
    #[error("no key could be generated")]
    Generation,
    /// Keys for this algorithm cannot be generated.
    #[error("expected ES256, ES384, EdDSA, RS256 or PS256")]
    NotGenerated,
}
