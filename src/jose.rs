//! JSON object signing: reading and verifying tokens, key sets, signing, sealing, digests.
//!
//! What enters is the text of a token or of a key set, or a key file; what leaves is either refused or parsed once.
//! An [`UnverifiedJws`] can only say what it claims; its content comes out of [`VerificationKey::verify`] alone, as a
//! [`VerifiedJws`]. No key is ever taken from inside a token, and the algorithm is what configuration *and* key allow.
//! This is the only module that names `jsonwebtoken` and `aws-lc-rs`.

mod algorithm;
mod digest;
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
mod recall;
mod sealing;
mod sealing_key_file;
mod secret_digest;
mod signing;
mod signing_keys;
mod weak;

pub use algorithm::Algorithm;
pub use digest::FieldDigest;
pub use error::{JoseError, KeyError};
pub use hmac::HmacKey;
pub use jwk_set::{JwkSet, JwkSetError, KeyLookup, MAX_KEYS, SkippedKey};
pub use jws::{MAX_HEADER, MAX_KID, UnverifiedJws, VerifiedJws, normalized_typ};
pub use key::VerificationKey;
pub use key_file::KeyFileSettings;
pub use pem::Pem;
pub use recall::recalled;
pub use sealing::{GeneratedSealingKey, SealingError, SealingKey, SealingKeyError, SealingKeys};
pub use sealing_key_file::SealingKeyFileSettings;
pub use secret_digest::SecretDigest;
pub use signing::{GeneratedKey, RsaHint, SigningKey};
pub use signing_keys::SigningKeys;
