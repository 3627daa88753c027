//! The entries that a thread used a moment ago.
//!
//! A client presents one token with every request, so that most hits are of an entry that the same thread had before.
//! What enters is a key; what leaves is its entry, without what the shared cache spends on a look to keep its order.
//! The checks of every hit are still to be made, and that of the steady clock too, which else the shared cache makes.
//! One look in sixteen is sent on there, so that what is used here counts as used there.

use super::{CacheKey, entry::Entry};
use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// How many entries a thread holds on to.
const PLACES: usize = 64;
/// How many looks in a row the shared cache does not learn of.
const UNSEEN: u8 = 15;

/// Tells the caches of one process apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CacheId(u64);

impl CacheId {
    /// Of a new cache.
    pub(super) fn new() -> Self {
        static CACHES: AtomicU64 = AtomicU64::new(1);
        Self(CACHES.fetch_add(1, Ordering::Relaxed))
    }
}

thread_local! {
    static RECENT: RefCell<Recent<Arc<Entry>>> = const { RefCell::new(Recent::new()) };
}

/// The entry for `key` in `cache` that this thread used before; none where the shared cache is to be asked.
pub(super) fn recall(cache: CacheId, key: &CacheKey) -> Option<Arc<Entry>> {
    let recent = RECENT.try_with(|recent| recent.try_borrow_mut().ok()?.recall(cache, key));
    recent.ok().flatten()
}

/// Has this thread recall what the shared cache answered.
pub(super) fn remember(cache: CacheId, key: &CacheKey, entry: &Arc<Entry>) {
    // an error means that the thread is being torn down
    let _ = RECENT.try_with(|recent| {
        if let Ok(mut recent) = recent.try_borrow_mut() {
            recent.remember(cache, key, Arc::clone(entry));
        }
    });
}

/// The values of one thread, each in the place that its key names.
struct Recent<V> {
    cache: CacheId,
    places: Vec<Option<Place<V>>>,
}

struct Place<V> {
    key: CacheKey,
    value: V,
    /// Looks that may still go unseen.
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
            *place = Some(Place {
                key: *key,
                value,
                left: UNSEEN,
            });
        }
    }
}

/// A digest is evenly spread: any byte of it will do.
fn place_of(key: &CacheKey) -> usize {
    let [.., last] = key.as_bytes();
    usize::from(*last) % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cache::{AuthorizationContext, Terms},
        source::bearer,
        token::TokenTypeUri,
    };

    fn key(token: usize) -> CacheKey {
        let mut headers = http::HeaderMap::new();
        let value = format!("Bearer {token}").parse().unwrap();
        headers.insert(http::header::AUTHORIZATION, value);
        let terms = Terms::new("route", "", 0, TokenTypeUri::AccessToken);
        let context = AuthorizationContext {
            terms: &terms,
            presented: bearer(&headers, None, 64).unwrap(),
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
        let recalled = (0..15).filter(|_| recent.recall(cache, &key(1)).is_some());
        assert_eq!(recalled.count(), 15);
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
