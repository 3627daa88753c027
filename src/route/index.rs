//! A map from paths to values, optimized for many paths and few cache lines.
//!
//! The index is built once and read at every request. With ten thousand routes, the cost of a lookup is the memory that
//! it fetches. Each slot is at the position of its path's hash, without a separate directory, so that a successful
//! lookup fetches only the slot and the text of the path.

use std::hash::{BuildHasher, RandomState};

/// A map that is built once.
#[derive(Debug)]
pub(super) struct PathIndex<T> {
    /// At least half of the slots are empty. Their number is a power of two.
    slots: Vec<Option<Slot<T>>>,
    hasher: RandomState,
}

#[derive(Debug)]
struct Slot<T> {
    hash: u64,
    path: Box<str>,
    value: T,
}

impl<T> Slot<T> {
    fn is_of(&self, path: &str) -> bool {
        // most routes have the prefix `/`, which is the empty path here; a comparison of zero bytes at a dangling
        // address can cost hundreds of cycles
        self.path.len() == path.len() && (path.is_empty() || *self.path == *path)
    }
}

impl<T> PathIndex<T> {
    /// Makes an index of `values`. If there are two values for a path, the first one is used.
    pub(super) fn of(values: impl IntoIterator<Item = (Box<str>, T)>) -> Self {
        let values: Vec<_> = values.into_iter().collect();
        let mut index = Self {
            slots: Vec::new(),
            hasher: RandomState::new(),
        };
        if values.is_empty() {
            return index;
        }
        let room = (2 * values.len()).next_power_of_two();
        index.slots.resize_with(room, || None);
        for (path, value) in values {
            let hash = index.hasher.hash_one(&*path);
            let places = index.places(hash);
            for place in places {
                match index.slots.get_mut(place) {
                    Some(Some(taken)) if taken.hash != hash || taken.path != path => {}
                    Some(slot) => {
                        slot.get_or_insert(Slot { hash, path, value });
                        break;
                    }
                    None => break,
                }
            }
        }
        index
    }

    /// Returns the value of `path`.
    pub(super) fn get(&self, path: &str) -> Option<&T> {
        if self.is_empty() {
            return None;
        }
        let hash = self.hasher.hash_one(path);
        for place in self.places(hash) {
            // an empty slot ends the search, and there is always one
            let slot = self.slots.get(place)?.as_ref()?;
            if slot.hash == hash && slot.is_of(path) {
                return Some(&slot.value);
            }
        }
        None
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Returns the possible slots for a path with this hash, the most likely first.
    fn places(&self, hash: u64) -> impl Iterator<Item = usize> + use<T> {
        let mask = self.slots.len().wrapping_sub(1);
        let first = usize::try_from(hash & (mask as u64)).unwrap_or_default();
        (0..=mask).map(move |step| first.wrapping_add(step) & mask)
    }
}

impl<T> Default for PathIndex<T> {
    fn default() -> Self {
        Self::of([])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_has_its_own_value_and_no_other_has_one() {
        for count in [0, 1, 2, 3, 1_000] {
            let path = |n: usize| format!("/p/{n}");
            let index = PathIndex::of((0..count).map(|n| (path(n).into(), n)));
            for n in 0..count {
                assert_eq!(index.get(&path(n)), Some(&n));
            }
            assert_eq!(index.get(&path(count)), None);
        }
    }
}
