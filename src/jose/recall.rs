//! Digests of what was digested a moment ago.
//!
//! A client presents one token with every request, so that most of what is digested on the request path was digested
//! before. What enters is a tag over the same bytes, from a keyed hash that costs a quarter of a SHA-256; what leaves is
//! the digest that belongs to it, or nothing. The bytes themselves are never kept.

use aws_lc_rs::{digest::SHA256_OUTPUT_LEN, rand};
use highway::{HighwayHash, HighwayHasher, Key};
use std::cell::RefCell;

/// How many digests a thread recalls.
const PLACES: usize = 256;

type Digest = [u8; SHA256_OUTPUT_LEN];
type Tag = [u64; 4];

/// The digests of one thread, each in the place that its tag names.
///
/// Two texts with one tag would be taken for one another: a tag has 256 bits and is made with a key that this thread
/// drew at random and nobody sees, under which nobody can look for such texts.
struct Recall {
    key: [u64; 4],
    places: Box<[Option<(Tag, Digest)>]>,
}

thread_local! {
    static RECALL: RefCell<Option<Recall>> = RefCell::new(Recall::new());
}

/// The digest of `text`: recalled, or made by `digest` and remembered.
pub(super) fn recalled(text: &[u8], digest: impl Fn(&[u8]) -> Digest) -> Digest {
    // an error means that the thread is being torn down
    let recalled = RECALL.try_with(|recall| {
        let mut recall = recall.try_borrow_mut().ok()?;
        Some(recall.as_mut()?.of(text, &digest))
    });
    recalled.ok().flatten().unwrap_or_else(|| digest(text))
}

impl Recall {
    /// None without randomness: everything is then digested each time.
    fn new() -> Option<Self> {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes).ok()?;
        let mut key = [0; 4];
        for (word, bytes) in key.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_le_bytes(bytes.try_into().ok()?);
        }
        Some(Self {
            key,
            places: vec![None; PLACES].into_boxed_slice(),
        })
    }

    fn of(&mut self, text: &[u8], digest: impl FnOnce(&[u8]) -> Digest) -> Digest {
        let tag: Tag = HighwayHasher::new(Key(self.key)).hash256(text);
        let [first, ..] = tag;
        let index = usize::try_from(first).unwrap_or(usize::MAX) % PLACES;
        let Some(place) = self.places.get_mut(index) else {
            return digest(text);
        };
        match place {
            Some((known, digest)) if *known == tag => *digest,
            _ => {
                let digest = digest(text);
                *place = Some((tag, digest));
                digest
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_recalled_is_what_would_be_digested(
            texts in proptest::collection::vec("[ab]{0,70}", 1..600), again in any::<proptest::sample::Index>(),
        ) {
            let mut recall = Recall::new().unwrap();
            for text in texts.iter().chain([again.get(&texts)]) {
                let digest = recall.of(text.as_bytes(), super::super::digest::sha256);
                prop_assert_eq!(digest, super::super::digest::sha256(text.as_bytes()));
            }
        }
    }

    #[test]
    fn the_same_text_is_digested_once() {
        let mut recall = Recall::new().unwrap();
        let mut digested = 0;
        for text in [b"a", b"a", b"b", b"b", b"a"] {
            recall.of(text, |text| {
                digested += 1;
                [text.first().copied().unwrap_or_default(); 32]
            });
        }
        assert_eq!(digested, 2);
    }

    #[test]
    fn no_two_threads_share_a_key() {
        let keys = [0, 1].map(|_| Recall::new().unwrap().key);
        assert_ne!(keys[0], keys[1]);
    }
}
