//! Sealing: authenticated encryption with AES-256-GCM-SIV (RFC 8452).

use super::digest::{FieldDigest, sha256};
use aws_lc_rs::{
    aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    rand,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::fmt;
use thiserror::Error;
use zeroize::Zeroizing;

/// One key. Its id is derived from the key itself, so that replicas agree on it without communication.
pub struct SealingKey {
    id: [u8; ID],
    key: RandomizedNonceKey,
}

/// The keys of `issuer.opaque_keys`. The first key seals and all keys open, so that a key can be replaced without
/// invalidating what the previous one sealed.
///
/// A sealed text is `version (1 byte) | key id (8) | nonce (12) | ciphertext | tag (16)`. Its purpose and the
/// associated data are authenticated, but not part of the text. It does not open with a different purpose or different
/// associated data. Nonces are random. In this mode, a repeated nonce reveals only whether two equal texts were sealed,
/// so that one key can seal any number of texts.
#[derive(Debug)]
pub struct SealingKeys {
    first: SealingKey,
    others: Vec<SealingKey>,
}

/// A newly generated key, and its text for a file.
pub struct GeneratedSealingKey {
    /// The key.
    pub key: SealingKey,
    /// The key as one line of base64.
    pub text: Zeroizing<String>,
}

/// The reason why a text is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SealingKeyError {
    /// The text is not 32 bytes of base64 (RFC 4648 §4).
    #[error("expected 32 bytes as one line of base64")]
    NotAKey,
    /// All bytes are equal.
    #[error("the key is one repeated byte")]
    Guessable,
    /// The cryptographic library could not generate a key.
    #[error("no key could be generated")]
    Generation,
}

/// The cryptographic library could not seal: there was no randomness, or the text is too long (gigabytes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the text could not be sealed")]
pub struct SealingError;

/// The length of a key, in bytes.
const KEY: usize = 32;
/// The length of a key id, in bytes.
const ID: usize = 8;
/// The length of the authentication tag, in bytes.
const TAG: usize = 16;
/// The first byte of every sealed text with this layout.
const VERSION: u8 = 1;
/// The length of version, key id and nonce.
const HEAD: usize = 1 + ID + NONCE_LEN;

impl SealingKey {
    /// Parses a key in base64. Whitespace around it is ignored.
    ///
    /// # Errors
    /// [`SealingKeyError::NotAKey`] and [`SealingKeyError::Guessable`].
    pub fn from_text(text: &str) -> Result<Self, SealingKeyError> {
        let bytes = STANDARD
            .decode(text.trim())
            .map(Zeroizing::new)
            .map_err(|_| SealingKeyError::NotAKey)?;
        if bytes.len() != KEY {
            return Err(SealingKeyError::NotAKey);
        }
        if bytes.iter().all(|byte| bytes.first() == Some(byte)) {
            return Err(SealingKeyError::Guessable);
        }
        Self::of(&bytes).ok_or(SealingKeyError::NotAKey)
    }

    /// Generates a key.
    ///
    /// # Errors
    /// [`SealingKeyError::Generation`] without randomness.
    pub fn generate() -> Result<GeneratedSealingKey, SealingKeyError> {
        let mut bytes = Zeroizing::new([0; KEY]);
        rand::fill(bytes.as_mut()).map_err(|_| SealingKeyError::Generation)?;
        Ok(GeneratedSealingKey {
            key: Self::of(bytes.as_ref()).ok_or(SealingKeyError::Generation)?,
            text: Zeroizing::new(STANDARD.encode(bytes.as_ref()) + "\n"),
        })
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        let digest = FieldDigest::new("obo-gateway/sealing-key/1")
            .field(&sha256(bytes))
            .finish();
        let (id, _) = digest.split_first_chunk::<ID>()?;
        Some(Self {
            id: *id,
            key: RandomizedNonceKey::new(&AES_256_GCM_SIV, bytes).ok()?,
        })
    }

    /// The id of the key in sealed texts. It reveals nothing about the key.
    pub fn id(&self) -> &[u8; ID] {
        &self.id
    }
}

impl SealingKeys {
    /// Makes a set of keys. The first one seals. Returns `None` for an empty list.
    pub fn new(keys: impl IntoIterator<Item = SealingKey>) -> Option<Self> {
        let mut keys = keys.into_iter();
        Some(Self {
            first: keys.next()?,
            others: keys.collect(),
        })
    }

    /// How much longer a sealed text is than its plain text.
    pub const OVERHEAD: usize = HEAD + TAG;

    /// Seals `plain` for the purpose `domain`, with the associated data `bound_to`. Both are required to open it.
    ///
    /// # Errors
    /// [`SealingError`].
    pub fn seal(
        &self,
        domain: &'static str,
        bound_to: &[u8],
        plain: &[u8],
    ) -> Result<Vec<u8>, SealingError> {
        let key = &self.first;
        let mut text = Vec::with_capacity(plain.len() + TAG);
        text.extend_from_slice(plain);
        let nonce = key
            .key
            .seal_in_place_append_tag(associated(&key.id, domain, bound_to), &mut text)
            .map_err(|_| SealingError)?;
        let mut sealed = Vec::with_capacity(HEAD + text.len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&key.id);
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&text);
        Ok(sealed)
    }

    /// Opens what was sealed with this purpose and associated data. Returns `None` for anything else, without
    /// the reason.
    pub fn open(&self, domain: &'static str, bound_to: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (head, text) = sealed.split_first_chunk::<HEAD>()?;
        let (version, head) = head.split_first()?;
        let (id, nonce) = head.split_first_chunk::<ID>()?;
        if *version != VERSION {
            return None;
        }
        let key = self.iter().find(|key| key.id == *id)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = text.to_vec();
        let plain = key
            .key
            .open_in_place(nonce, associated(&key.id, domain, bound_to), &mut text)
            .ok()?
            .len();
        text.truncate(plain);
        Some(text)
    }

    /// All keys. The first one seals.
    pub fn iter(&self) -> impl Iterator<Item = &SealingKey> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

/// Returns all authenticated data besides the text. Each part is preceded by its length.
fn associated(id: &[u8; ID], domain: &'static str, bound_to: &[u8]) -> Aad<Vec<u8>> {
    let mut data = Vec::with_capacity(1 + ID + 16 + domain.len() + bound_to.len());
    data.push(VERSION);
    data.extend_from_slice(id);
    for part in [domain.as_bytes(), bound_to] {
        data.extend_from_slice(&(part.len() as u64).to_be_bytes());
        data.extend_from_slice(part);
    }
    Aad::from(data)
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(redacted)")
    }
}

impl fmt::Debug for GeneratedSealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GeneratedSealingKey(redacted)")
    }
}

#[cfg(test)]
#[path = "sealing_tests.rs"]
mod tests;
