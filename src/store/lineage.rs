//! The lineage of a token: every key whose revocation ends it.

use super::RevocationKey;
use super::revocation::KEY;
use crate::clock::UnixTime;
use thiserror::Error;

/// The keys whose revocation ends a token, and the issue time of the earliest token that it was made from.
///
/// A token that is made from several tokens has the union of their lineages. Therefore a revocation ends all derived
/// tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    /// In ascending order, without duplicates.
    keys: Box<[RevocationKey]>,
    since: UnixTime,
}

/// The lineage of a token would have more keys than can be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "the token depends on {found} revocable items, more than {}",
    Lineage::MAX_KEYS
)]
pub struct TooManyKeys {
    /// The number of keys.
    pub found: usize,
}

impl Lineage {
    /// The maximum number of keys in a lineage. Tokens that would have more are refused.
    pub const MAX_KEYS: usize = 32;

    /// Makes the lineage of a token that was issued at `since`. If the time is unknown, pass the epoch: then every
    /// revocation of a subject, an actor or a session in the lineage applies to the token.
    ///
    /// # Errors
    /// [`TooManyKeys`] above [`Self::MAX_KEYS`].
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

    /// Returns the lineage of a token that is made from both tokens.
    ///
    /// # Errors
    /// [`TooManyKeys`].
    pub fn union(&self, other: &Self) -> Result<Self, TooManyKeys> {
        Self::new(
            self.keys.iter().chain(&other.keys).copied(),
            self.since.min(other.since),
        )
    }

    /// Adds `keys` to the lineage, such as the own keys of a derived token.
    ///
    /// # Errors
    /// [`TooManyKeys`].
    pub fn with(&self, keys: impl IntoIterator<Item = RevocationKey>) -> Result<Self, TooManyKeys> {
        Self::new(self.keys.iter().copied().chain(keys), self.since)
    }

    /// The keys, in ascending order.
    pub fn keys(&self) -> &[RevocationKey] {
        &self.keys
    }

    /// The issue time of the earliest token that this one was made from.
    pub fn since(&self) -> UnixTime {
        self.since
    }

    /// Encodes the lineage: [`Self::since`] in eight bytes, then each key in sixteen bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + KEY * self.keys.len());
        bytes.extend_from_slice(&self.since.as_secs().to_be_bytes());
        for key in &self.keys {
            bytes.extend_from_slice(key.as_bytes());
        }
        bytes
    }

    /// Decodes the output of [`Self::to_bytes`]. Returns `None` for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (since, keys) = bytes.split_first_chunk::<8>()?;
        let (keys, rest) = keys.as_chunks::<KEY>();
        let keys = keys.iter().copied().map(RevocationKey::from_bytes);
        let read = Self::new(keys, UnixTime::from_secs(i64::from_be_bytes(*since))).ok()?;
        // only the canonical encoding is accepted
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
