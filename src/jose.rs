//! JSON object signing: parsing and verification of tokens, key sets, signing, sealing and digests.
//!
//! Input is either refused or parsed once. An [`UnverifiedJws`] exposes only unverified claims, and its content is
//! available only after [`VerificationKey::verify`], as a [`VerifiedJws`]. Keys are never taken from a token, and an
//! algorithm must be allowed by both the configuration and the key. This is the only module that uses `jsonwebtoken`
//! and `aws-lc-rs`.

mod algorithm;
mod digest;
mod digest_cache;
pub mod encoding;
mod error;
mod half_hash;
mod hmac;
mod jwk_set;
mod jws;
mod kept_file;
mod key;
mod key_file;
mod material;
mod pem;
mod sealing;
mod sealing_key_file;
mod secret_digest;
mod signing;
mod signing_keys;
mod weak;

pub use algorithm::Algorithm;
pub use digest::{FieldDigest, StreamedDigest};
pub use digest_cache::cached_digest;
pub use error::{JoseError, KeyError};
pub use hmac::HmacKey;
pub use jwk_set::{JwkSet, JwkSetError, KeyLookup, MAX_KEYS, SkippedKey};
pub use jws::{MAX_HEADER, MAX_KID, UnverifiedJws, VerifiedJws, normalized_typ};
pub use key::VerificationKey;
pub use key_file::KeyFileSettings;
pub use pem::Pem;
pub use sealing::{GeneratedSealingKey, SealingError, SealingKey, SealingKeyError, SealingKeys};
pub use sealing_key_file::SealingKeyFileSettings;
pub use secret_digest::SecretDigest;
pub use signing::{GeneratedKey, RsaHint, SigningKey};
pub use signing_keys::SigningKeys;
