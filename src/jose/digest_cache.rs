//! A cache of recent digests.
//!
//! A client presents the same token with every request, so most texts on the request path were digested before. The
//! cache finds a digest by a keyed hash of the text, which costs a quarter of a SHA-256. The text itself is never
//! stored.

use aws_lc_rs::{digest::SHA256_OUTPUT_LEN, rand};
use highway::{HighwayHash, HighwayHasher, Key};
use std::cell::RefCell;

/// The number of digests that a thread stores.
const SLOTS: usize = 256;

type Digest = [u8; SHA256_OUTPUT_LEN];
type Tag = [u64; 4];

/// The digests of one thread, each in the slot that its tag selects.
///
/// Two texts with the same tag would be confused. A tag has 256 bits and is computed with a random secret key of this
/// thread, so that an attacker cannot search for such texts.
struct DigestCache {
    key: [u64; 4],
    slots: Box<[Option<Slot>]>,
}

#[derive(Clone, Copy)]
struct Slot {
    terms: Digest,
    tag: Tag,
    digest: Digest,
}

thread_local! {
    static DIGESTS: RefCell<Option<DigestCache>> = RefCell::new(DigestCache::new());
}

/// Returns the digest of `text` with these terms, from the cache or by calling `digest`.
///
/// `terms` is a digest of everything besides the text that `digest` depends on.
pub fn cached_digest(
    terms: &[u8; SHA256_OUTPUT_LEN],
    text: &[u8],
    digest: impl Fn() -> [u8; SHA256_OUTPUT_LEN],
) -> [u8; SHA256_OUTPUT_LEN] {
    // an error means that the thread is being destroyed
    let cached_digest = DIGESTS.try_with(|digests| {
        let mut digests = digests.try_borrow_mut().ok()?;
        Some(digests.as_mut()?.of(terms, text, &digest))
    });
    cached_digest.ok().flatten().unwrap_or_else(digest)
}

impl DigestCache {
    /// Returns `None` without randomness. Every digest is then computed.
    fn new() -> Option<Self> {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes).ok()?;
        let mut key = [0; 4];
        for (word, bytes) in key.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_le_bytes(bytes.try_into().ok()?);
        }
        Some(Self {
            key,
            slots: vec![None; SLOTS].into_boxed_slice(),
        })
    }

    fn of(&mut self, terms: &Digest, text: &[u8], digest: impl FnOnce() -> Digest) -> Digest {
        let tag: Tag = HighwayHasher::new(Key(self.key)).hash256(text);
        let ([first, ..], [a, b, ..]) = (tag, *terms);
        // the same text with different terms has different slots
        let index = first ^ u64::from(u16::from_le_bytes([a, b]));
        let index = usize::try_from(index).unwrap_or(usize::MAX) % SLOTS;
        let Some(place) = self.slots.get_mut(index) else {
            return digest();
        };
        match place {
            Some(known) if known.tag == tag && known.terms == *terms => known.digest,
            _ => {
                let digest = digest();
                *place = Some(Slot {
                    terms: *terms,
                    tag,
                    digest,
                });
                digest
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TERMS: [Digest; 2] = [[1; 32], [2; 32]];

    proptest! {
        #[test]
        fn what_is_recalled_is_what_would_be_digested(
            texts in proptest::collection::vec(("[ab]{0,70}", 0_usize..2), 1..600),
            again in any::<proptest::sample::Index>(),
        ) {
            let mut digests = DigestCache::new().unwrap();
            for (text, terms) in texts.iter().chain([again.get(&texts)]) {
                let both = [&TERMS[*terms], text.as_bytes()].concat();
                let digest = || super::super::digest::sha256(&both);
                prop_assert_eq!(digests.of(&TERMS[*terms], text.as_bytes(), digest), digest());
            }
        }
    }

    #[test]
    fn the_same_text_is_digested_once_on_the_same_terms() {
        let mut digests = DigestCache::new().unwrap();
        let mut digested = 0;
        for (terms, text) in [
            (0, b"a"),
            (0, b"a"),
            (0, b"b"),
            (0, b"b"),
            (0, b"a"),
            (1, b"a"),
        ] {
            digests.of(&TERMS[terms], text, || {
                digested += 1;
                [text.first().copied().unwrap_or_default(); 32]
            });
        }
        assert_eq!(digested, 3);
    }

    #[test]
    fn no_two_threads_share_a_key() {
        let keys = [0, 1].map(|_| DigestCache::new().unwrap().key);
        assert_ne!(keys[0], keys[1]);
    }
}
