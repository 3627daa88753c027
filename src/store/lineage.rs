//! What a token comes from: everything whose revocation ends it.

use super::RevocationKey;
use super::revocation::KEY;
use crate::clock::UnixTime;
use thiserror::Error;

/// Everything whose revocation ends a token, and when the earliest of what it was made of was issued.
///
/// A token that is made of others has the union of theirs, so that whatever is revoked ends all that came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    /// In ascending order, each once.
    keys: Box<[RevocationKey]>,
    since: UnixTime,
}

/// A token would come from more than is kept of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{found} things could end the token, more than {}", Lineage::MAX_KEYS)]
pub struct TooManyKeys {
    /// How many there are.
    pub found: usize,
}

impl Lineage {
    /// The most keys that a lineage has: what comes from more is refused.
    pub const MAX_KEYS: usize = 32;

    /// Everything that ends a token which was issued at `since` (the epoch, where that is not known: every revocation of
    /// what has a beginning then ends it).
    ///
    /// # Errors
    /// [`TooManyKeys`] beyond [`Self::MAX_KEYS`].
    pub fn new(
        keys: impl IntoIterator<Item = RevocationKey>,
        since: UnixTime,
    ) -> Result<Self, TooManyKeys> {
        let mut keys: Vec<_> = keys.into_iter().collect();
        keys.sort_unstable();
        keys.dedup();
        if keys.len() > Self::MAX_KEYS {
            return Err(TooManyKeys { found: keys.len() });
        }
        Ok(Self {
            keys: keys.into(),
            since,
        })
    }

    /// That of a token which is made of this one's and `other`'s.
    ///
    /// # Errors
    /// [`TooManyKeys`].
    pub fn union(&self, other: &Self) -> Result<Self, TooManyKeys> {
        Self::new(
            self.keys.iter().chain(&other.keys).copied(),
            self.since.min(other.since),
        )
    }

    /// This one, and `keys` besides: what a token made of this one has of its own.
    ///
    /// # Errors
    /// [`TooManyKeys`].
    pub fn with(&self, keys: impl IntoIterator<Item = RevocationKey>) -> Result<Self, TooManyKeys> {
        Self::new(self.keys.iter().copied().chain(keys), self.since)
    }

    /// What ends the token, in ascending order.
    pub fn keys(&self) -> &[RevocationKey] {
        &self.keys
    }

    /// When the earliest of what it was made of was issued.
    pub fn since(&self) -> UnixTime {
        self.since
    }

    /// As bytes: eight of [`Self::since`], then sixteen of each key.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + KEY * self.keys.len());
        bytes.extend_from_slice(&self.since.as_secs().to_be_bytes());
        for key in &self.keys {
            bytes.extend_from_slice(key.as_bytes());
        }
        bytes
    }

    /// What [`Self::to_bytes`] wrote; none of anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (since, keys) = bytes.split_first_chunk::<8>()?;
        let (keys, rest) = keys.as_chunks::<KEY>();
        let keys = keys.iter().copied().map(RevocationKey::from_bytes);
        let read = Self::new(keys, UnixTime::from_secs(i64::from_be_bytes(*since))).ok()?;
        // the one text of it
        (rest.is_empty() && read.to_bytes() == bytes).then_some(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lineage(clients: &[u8], since: i64) -> Lineage {
        let keys = clients
            .iter()
            .map(|c| RevocationKey::client(&c.to_string()));
        Lineage::new(keys, UnixTime::from_secs(since)).unwrap()
    }

    #[test]
    fn more_than_32_keys_are_refused_and_the_same_key_counts_once() {
        let keys = |n: usize| (0..n).map(|n| RevocationKey::client(&n.to_string()));
        let epoch = UnixTime::from_secs(0);
        assert!(Lineage::new(keys(32).chain(keys(32)), epoch).is_ok());
        assert_eq!(
            Lineage::new(keys(33), epoch),
            Err(TooManyKeys { found: 33 })
        );
        let (some, others) = (lineage(&[1; 1], 0), Lineage::new(keys(32), epoch).unwrap());
        assert!(some.union(&others).is_ok());
        assert!(lineage(&[99], 0).union(&others).is_err());
        assert!(others.with([RevocationKey::family("f")]).is_err());
    }

    #[test]
    fn bytes_that_were_not_written_so_are_none() {
        let bytes = lineage(&[1, 2], 5).to_bytes();
        assert_eq!(Lineage::from_bytes(&[]), None);
        assert_eq!(Lineage::from_bytes(&bytes[..bytes.len() - 1]), None);
        let swapped = [&bytes[..8], &bytes[24..], &bytes[8..24]].concat();
        assert_eq!(Lineage::from_bytes(&swapped), None);
    }

    proptest! {
        #[test]
        fn a_union_is_ended_by_what_ends_either_and_is_as_old_as_the_older(
            a in prop::collection::vec(any::<u8>(), 0..16), b in prop::collection::vec(any::<u8>(), 0..16),
            since_a: i64, since_b: i64,
        ) {
            let (a, b) = (lineage(&a, since_a), lineage(&b, since_b));
            let union = a.union(&b).unwrap();
            prop_assert!(a.keys().iter().chain(b.keys()).all(|key| union.keys().contains(key)));
            prop_assert!(union.keys().iter().all(|key| a.keys().contains(key) || b.keys().contains(key)));
            prop_assert_eq!(union.since(), a.since().min(b.since()));
            prop_assert_eq!(b.union(&a).unwrap(), union.clone());
            prop_assert_eq!(Lineage::from_bytes(&union.to_bytes()), Some(union));
        }
    }
}
