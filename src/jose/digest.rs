//! SHA-256 over separated fields.

use aws_lc_rs::digest::{Context, SHA256, SHA256_OUTPUT_LEN, digest};
use std::fmt;

/// A SHA-256 over a domain and fields, each preceded by its length, so that no two lists of fields share a text.
#[derive(Clone)]
pub struct FieldDigest {
    context: Context,
    /// Short fields and lengths are collected: each update of the context costs more than copying them.
    pending: [u8; PENDING],
    filled: usize,
}

const PENDING: usize = 256;

impl FieldDigest {
    /// Starts a digest; `domain` keeps digests for different purposes apart.
    pub fn new(domain: &'static str) -> Self {
        let empty = Self {
            context: Context::new(&SHA256),
            pending: [0; PENDING],
            filled: 0,
        };
        empty.field(domain.as_bytes())
    }

    /// Adds a field.
    #[must_use]
    #[inline]
    pub fn field(mut self, field: &[u8]) -> Self {
        self.take(&(field.len() as u64).to_be_bytes());
        self.take(field);
        self
    }

    /// The digest of all fields.
    pub fn finish(mut self) -> [u8; SHA256_OUTPUT_LEN] {
        self.flush();
        sized(self.context.finish().as_ref())
    }

    fn take(&mut self, bytes: &[u8]) {
        if bytes.len() > PENDING - self.filled {
            self.flush();
        }
        let end = self.filled + bytes.len();
        match self.pending.get_mut(self.filled..end) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.filled = end;
            }
            // longer than all of the room, which is empty now
            None => self.context.update(bytes),
        }
    }

    fn flush(&mut self) {
        let pending = self.pending.get(..self.filled).unwrap_or_default();
        self.context.update(pending);
        self.filled = 0;
    }
}

impl fmt::Debug for FieldDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FieldDigest")
    }
}

/// Plain SHA-256, for what a standard defines so.
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
    fn fields_of_any_length_are_digested_whole_and_in_order() {
        let text: Vec<u8> = (0..1_000_u32).map(|n| (n % 251) as u8).collect();
        for cut in [0, 1, 200, 240, 248, 249, 255, 256, 257, 600, 1_000] {
            let (head, tail) = text.split_at(cut);
            let fields = [b"test".as_slice(), head, tail, b"end"];
            let mut all = Vec::new();
            for field in fields {
                all.extend((field.len() as u64).to_be_bytes());
                all.extend(field);
            }
            let digest = FieldDigest::new("test")
                .field(head)
                .field(tail)
                .field(b"end");
            assert_eq!(digest.finish(), sha256(&all), "{cut}");
        }
    }

    #[test]
    fn sha256_is_sha256() {
        assert_eq!(sha256(b"")[..4], [0xe3, 0xb0, 0xc4, 0x42]);
    }
}
