//! What may be used once, such as the `jti` of a client's assertion.

use super::{RecordKey, Store, StoreError, Stores};
use crate::clock::UnixTime;
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// Remembers what was used, as long as it could be used again. Clones remember the same.
#[derive(Clone)]
pub struct OnceOnly {
    memory: Arc<Memory>,
    store: Option<Stores>,
}

/// Whether something is used for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It is.
    First,
    /// It was used before.
    Again,
}

struct Memory {
    most: usize,
    used: Mutex<HashMap<RecordKey, UnixTime>>,
}

impl OnceOnly {
    /// Remembers `most` things at once, in this process alone. When all of them could still be used again, the next one
    /// is refused: what is forgotten too early could be replayed.
    pub fn in_memory(most: usize) -> Self {
        Self {
            memory: Arc::new(Memory {
                most,
                used: Mutex::default(),
            }),
            store: None,
        }
    }

    /// The same, and remembers in `store` too, where there is one: what is used is then used once by all who share it, and
    /// once across restarts. While the store is not available, the memory alone counts: of what is used elsewhere then,
    /// nothing is known.
    #[must_use]
    pub fn kept_in(self, store: Option<Stores>) -> Self {
        Self { store, ..self }
    }

    /// Uses up `id`, which nobody accepts from `until` on anyway.
    ///
    /// # Errors
    /// [`StoreError::Full`], and what the store answers but for [`StoreError::Unavailable`].
    pub async fn first_use(
        &self,
        kind: &'static str,
        id: &[u8],
        until: UnixTime,
        now: UnixTime,
    ) -> Result<Use, StoreError> {
        let key = RecordKey::new(kind, id);
        let used = self.memory.first_use(key, until, now)?;
        let Some(store) = self.store.as_ref().filter(|_| used == Use::First) else {
            return Ok(used);
        };
        match store.put_new(&key, Vec::new(), until).await {
            Ok(true) => Ok(Use::First),
            Ok(false) => Ok(Use::Again),
            // an outage of the store stops no exchange
            Err(StoreError::Unavailable(_)) => Ok(used),
            Err(error) => Err(error),
        }
    }
}

impl Memory {
    fn first_use(&self, key: RecordKey, until: UnixTime, now: UnixTime) -> Result<Use, StoreError> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.get(&key).is_some_and(|until| *until > now) {
            return Ok(Use::Again);
        }
        if used.len() >= self.most {
            used.retain(|_, until| *until > now);
        }
        if used.len() >= self.most {
            return Err(StoreError::Full);
        }
        used.insert(key, until);
        Ok(Use::First)
    }
}

impl fmt::Debug for OnceOnly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnceOnly")
            .field("most", &self.memory.most)
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: i64) -> UnixTime {
        UnixTime::from_secs(seconds)
    }

    #[tokio::test]
    async fn the_second_use_is_known_as_such_until_the_thing_ends_by_itself() {
        let once = OnceOnly::in_memory(8);
        let use_at = async |id: &'static [u8], now| once.first_use("a", id, at(10), at(now)).await;
        assert_eq!(use_at(b"x", 1).await, Ok(Use::First));
        assert_eq!(use_at(b"x", 9).await, Ok(Use::Again));
        assert_eq!(use_at(b"y", 9).await, Ok(Use::First));
        assert_eq!(
            once.clone().first_use("b", b"x", at(10), at(9)).await,
            Ok(Use::First)
        );
        assert_eq!(use_at(b"x", 10).await, Ok(Use::First));
    }

    #[tokio::test]
    async fn when_all_could_be_used_again_the_next_one_is_refused_and_none_forgotten() {
        let once = OnceOnly::in_memory(2);
        let use_once =
            async |id: &'static [u8], until, now| once.first_use("a", id, at(until), at(now)).await;
        assert_eq!(use_once(b"x", 10, 1).await, Ok(Use::First));
        assert_eq!(use_once(b"y", 20, 1).await, Ok(Use::First));
        assert_eq!(use_once(b"z", 20, 1).await, Err(StoreError::Full));
        assert_eq!(use_once(b"x", 10, 2).await, Ok(Use::Again));
        assert_eq!(use_once(b"z", 20, 10).await, Ok(Use::First));
    }
}
