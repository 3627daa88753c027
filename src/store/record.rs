//! A record of a store.

use super::StoreError;
use crate::{clock::Randomness, jose::FieldDigest};
use std::fmt;

/// The key of a record. It is a digest, so that the operator of the store cannot trace it to its origin.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey([u8; 32]);

/// A stored record.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// The value.
    pub value: Vec<u8>,
    /// The version, which changes with each change of the record.
    pub version: u64,
}

impl RecordKey {
    /// Returns the key of the record of this kind for `id`. Records of different kinds have different keys.
    pub fn new(kind: &'static str, id: &[u8]) -> Self {
        let digest = FieldDigest::new("obo-gateway/record/1").field(kind.as_bytes());
        Self(digest.field(id).finish())
    }

    /// The digest.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Returns the first version of a record. It is random, so that a record which was removed and added again differs.
pub(super) fn first_version(randomness: &dyn Randomness) -> Result<u64, StoreError> {
    let mut version = [0; 8];
    randomness
        .fill(&mut version)
        .map_err(|_| StoreError::Preparation)?;
    Ok(u64::from_be_bytes(version))
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordKey(")?;
        for byte in self.0.iter().take(8) {
            write!(f, "{byte:02x}")?;
        }
        f.write_str("…)")
    }
}

/// The value may be confidential, so that `Debug` omits it.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_two_kinds_or_ids_have_two_keys() {
        let key = RecordKey::new("a", b"b");
        assert_eq!(key, RecordKey::new("a", b"b"));
        assert_ne!(key, RecordKey::new("ab", b""));
        assert_ne!(key, RecordKey::new("a", b"c"));
    }

    #[test]
    fn debug_shows_no_value() {
        let record = Record {
            value: b"secret".to_vec(),
            version: 3,
        };
        assert_eq!(format!("{record:?}"), "Record { version: 3, .. }");
    }
}
