//! Why a signed object or a key is refused.

use super::Algorithm;
use crate::token::ClaimsError;
use thiserror::Error;

/// Why a token is refused by its form or its signature. Never carries a part of it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JoseError {
    /// Not three non-empty parts of canonical base64url between two dots (RFC 7515 §7.1).
    #[error("not a jws in compact serialization")]
    NotCompact,
    /// The header is no small JSON object with distinct members, or a member is not of its type.
    #[error("the header is not a small json object whose members have their types")]
    Header,
    /// `alg` names no algorithm that exists here; `none` and HMAC do not.
    #[error("the header names no asymmetric algorithm that is supported")]
    UnsupportedAlgorithm,
    /// The header asks for an extension: `crit`, `b64` or `zip`.
    #[error("the header asks for the extension {0}")]
    Extension(&'static str),
    /// The payload is no JSON object that is acceptable as claims.
    #[error("the payload is not acceptable")]
    Payload(#[source] ClaimsError),
    /// The caller or the key does not allow the token's algorithm.
    #[error("the algorithm {0} is not allowed for this key")]
    AlgorithmNotAllowed(Algorithm),
    /// The signature is not the key's over these bytes.
    #[error("the signature does not verify")]
    Signature,
    /// The cryptographic library could not sign.
    #[error("signing with {0} failed")]
    Signing(Algorithm),
}

/// Why one key of a set, or a private key, is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum KeyError {
    /// Not a JSON object whose members have their types.
    #[error("not a jwk")]
    NotAJwk,
    /// `kty` or `crv` is one that is not supported; symmetric keys are among them.
    #[error("its type is not supported")]
    UnsupportedType,
    /// `alg` is not one that a key of this type signs with here.
    #[error("its algorithm is not supported for its type")]
    UnsupportedAlgorithm,
    /// `use` is something else than `sig`.
    #[error("it is not for signatures")]
    NotForSignatures,
    /// `key_ops` does not hold `verify`.
    #[error("its operations do not hold verify")]
    NotForVerification,
    /// The numbers are malformed, or no public key of that type.
    #[error("its numbers are no public key of its type")]
    Material,
    /// RSA with fewer than 2048 or more than 8192 bits.
    #[error("it is shorter than 2048 or longer than 8192 bits")]
    Size,
    /// A key that is known to be breakable: RSA of the ROCA family, or an Ed25519 point of small order.
    #[error("it is of a kind that is known to be weak")]
    Weak,
    /// Another key of the set has the same `kid` and other material; neither is used.
    #[error("another key of the set has the same kid")]
    DuplicateKid,
    /// `kid` is longer than 128 bytes.
    #[error("its kid is longer than 128 bytes")]
    KidTooLong,
    /// The text holds no private key that is supported.
    #[error("expected a pem file with an ec p-256, ec p-384, ed25519 or rsa private key")]
    NotAPrivateKey,
    /// The cryptographic library could not make a key.
    #[error("no key could be generated")]
    Generation,
    /// No key is generated for this algorithm.
    #[error("expected ES256, ES384, EdDSA, RS256 or PS256")]
    NotGenerated,
}
