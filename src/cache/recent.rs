//! The entries that each thread used recently.
//!
//! A client presents the same token with every request, so most hits are for an entry that the same thread used before.
//! This thread-local lookup avoids the shared cache's cost of tracking usage. The caller still makes the checks of
//! every hit, including the expiry in monotonic time, which the shared cache would otherwise check. One lookup in
//! sixteen goes to the shared cache, so that it knows which entries are in use.

use super::{CacheKey, entry::Entry};
use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// The number of entries that a thread stores.
const PLACES: usize = 64;
/// The number of consecutive lookups that bypass the shared cache.
const UNSEEN: u8 = 15;

/// Distinguishes the caches of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CacheId(u64);

impl CacheId {
    /// Returns the id for a new cache.
    pub(super) fn new() -> Self {
        static CACHES: AtomicU64 = AtomicU64::new(1);
        Self(CACHES.fetch_add(1, Ordering::Relaxed))
    }
}

thread_local! {
    static RECENT: RefCell<Recent<Arc<Entry>>> = const { RefCell::new(Recent::new()) };
}

/// Returns the entry for `key` in `cache` that this thread used before, or `None` if the shared cache must be asked.
pub(super) fn recall(cache: CacheId, key: &CacheKey) -> Option<Arc<Entry>> {
    let recent = RECENT.try_with(|recent| recent.try_borrow_mut().ok()?.recall(cache, key));
    recent.ok().flatten()
}

/// Stores an entry of the shared cache for this thread.
pub(super) fn remember(cache: CacheId, key: &CacheKey, entry: &Arc<Entry>) {
    // an error means that the thread is being destroyed
    let _ = RECENT.try_with(|recent| {
        if let Ok(mut recent) = recent.try_borrow_mut() {
            recent.remember(cache, key, Arc::clone(entry));
        }
    });
}

/// The values of one thread, each in the slot that its key selects.
struct Recent<V> {
    cache: CacheId,
    places: Vec<Option<Slot<V>>>,
}

struct Slot<V> {
    key: CacheKey,
    value: V,
    /// The number of lookups that may still bypass the shared cache.
    left: u8,
}

impl<V: Clone> Recent<V> {
    const fn new() -> Self {
        Self {
            cache: CacheId(0),
            places: Vec::new(),
        }
    }

    fn recall(&mut self, cache: CacheId, key: &CacheKey) -> Option<V> {
        if self.cache != cache {
            return None;
        }
        let place = self.places.get_mut(place_of(key))?.as_mut()?;
        if place.key != *key {
            return None;
        }
        place.left = place.left.checked_sub(1)?;
        Some(place.value.clone())
    }

    fn remember(&mut self, cache: CacheId, key: &CacheKey, value: V) {
        if self.cache != cache {
            self.cache = cache;
            self.places.clear();
            self.places.resize_with(PLACES, || None);
        }
        if let Some(place) = self.places.get_mut(place_of(key)) {
            *place = Some(Slot {
                key: *key,
                value,
                left: UNSEEN,
            });
        }
    }
}

/// A digest is uniformly distributed, so any of its bytes can select the slot.
fn place_of(key: &CacheKey) -> usize {
    let [.., last] = key.as_bytes();
    usize::from(*last) % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cache::{AuthorizationContext, PolicyContext},
        source::Source,
        token::TokenTypeUri,
    };

    fn key(token: usize) -> CacheKey {
        let mut headers = http::HeaderMap::new();
        let value = format!("Bearer {token}").parse().unwrap();
        headers.insert(http::header::AUTHORIZATION, value);
        let terms = PolicyContext::new("route", "", 0, TokenTypeUri::AccessToken);
        let context = AuthorizationContext {
            policy: &terms,
            presented: Source::Authorization
                .find(&headers, None, 64)
                .unwrap()
                .token,
            actor: None,
            confirmation: None,
        };
        context.key()
    }

    #[test]
    fn a_key_recalls_its_own_value_and_never_that_of_another() {
        let (mut recent, cache) = (Recent::new(), CacheId::new());
        for token in 0..1_000 {
            assert_eq!(recent.recall(cache, &key(token)), None);
            recent.remember(cache, &key(token), token);
            assert_eq!(recent.recall(cache, &key(token)), Some(token));
        }
    }

    #[test]
    fn one_look_in_sixteen_is_sent_on() {
        let (mut recent, cache) = (Recent::new(), CacheId::new());
        recent.remember(cache, &key(1), ());
        let cached_digest = (0..15).filter(|_| recent.recall(cache, &key(1)).is_some());
        assert_eq!(cached_digest.count(), 15);
        assert_eq!(recent.recall(cache, &key(1)), None);
    }

    #[test]
    fn another_cache_recalls_nothing_of_it() {
        let (mut recent, [one, other]) = (Recent::new(), [0; 2].map(|_| CacheId::new()));
        recent.remember(one, &key(1), ());
        assert_eq!(recent.recall(other, &key(1)), None);
        recent.remember(other, &key(2), ());
        assert_eq!(recent.recall(other, &key(1)), None);
    }
}
