//! SHA-256 of separated fields.

use aws_lc_rs::digest::{Context, SHA256, SHA256_OUTPUT_LEN, digest};
use std::fmt;

/// A SHA-256 of a domain and fields. Each is preceded by its length, so that two different lists of fields never have
/// the same input.
///
/// The input is collected and hashed at once, which costs half as much as hashing field by field.
#[derive(Clone)]
pub struct FieldDigest(Vec<u8>);

/// Space for the fields of a token of ordinary length.
const ROOM: usize = 1_024;

impl FieldDigest {
    /// Starts a digest. `domain` separates digests for different purposes.
    pub fn new(domain: &'static str) -> Self {
        Self(Vec::with_capacity(ROOM)).field(domain.as_bytes())
    }

    /// Adds a field.
    #[must_use]
    pub fn field(mut self, field: &[u8]) -> Self {
        self.0
            .extend_from_slice(&(field.len() as u64).to_be_bytes());
        self.0.extend_from_slice(field);
        self
    }

    /// Returns the digest of all fields.
    pub fn finish(self) -> [u8; SHA256_OUTPUT_LEN] {
        sha256(&self.0)
    }
}

impl fmt::Debug for FieldDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FieldDigest")
    }
}

/// The same digest, for long or secret fields: it keeps no copy of them.
#[derive(Clone)]
pub struct StreamedDigest(Context);

impl StreamedDigest {
    /// Starts a digest. `domain` separates digests for different purposes.
    pub fn new(domain: &'static str) -> Self {
        let mut digest = Self(Context::new(&SHA256));
        digest.field(domain.as_bytes());
        digest
    }

    /// Adds a field.
    pub fn field(&mut self, field: &[u8]) {
        self.0.update(&(field.len() as u64).to_be_bytes());
        self.0.update(field);
    }

    /// Returns the digest of all fields.
    pub fn finish(self) -> [u8; SHA256_OUTPUT_LEN] {
        sized(self.0.finish().as_ref())
    }
}

impl fmt::Debug for StreamedDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamedDigest")
    }
}

/// Plain SHA-256, where a standard requires it.
pub(super) fn sha256(bytes: &[u8]) -> [u8; SHA256_OUTPUT_LEN] {
    sized(digest(&SHA256, bytes).as_ref())
}

fn sized(digest: &[u8]) -> [u8; SHA256_OUTPUT_LEN] {
    let mut array = [0; SHA256_OUTPUT_LEN];
    array
        .iter_mut()
        .zip(digest)
        .for_each(|(to, from)| *to = *from);
    array
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_cannot_be_shifted_into_one_another() {
        let of = |fields: &[&str]| {
            fields
                .iter()
                .fold(FieldDigest::new("test"), |d, f| d.field(f.as_bytes()))
                .finish()
        };
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_ne!(of(&["ab"]), of(&["ab", ""]));
        assert_ne!(of(&[]), FieldDigest::new("other").finish());
        assert_eq!(of(&["ab", "c"]), of(&["ab", "c"]));
    }

    #[test]
    fn a_streamed_digest_is_the_same() {
        let mut streamed = StreamedDigest::new("test");
        streamed.field(b"ab");
        streamed.field(b"");
        let collected = FieldDigest::new("test").field(b"ab").field(b"");
        assert_eq!(streamed.finish(), collected.finish());
    }

    #[test]
    fn sha256_is_sha256() {
        assert_eq!(sha256(b"")[..4], [0xe3, 0xb0, 0xc4, 0x42]);
    }
}
