//! Values that may be used only once, such as the `jti` of a client assertion.

use super::{RecordKey, Store, StoreError, Stores};
use crate::clock::UnixTime;
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// Records used values for as long as they could be used again. Clones share the record.
#[derive(Clone)]
pub struct OnceOnly {
    memory: Arc<Memory>,
    store: Option<Stores>,
}

/// The result of using a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// The value is used for the first time.
    First,
    /// The value was used before.
    Again,
}

struct Memory {
    most: usize,
    used: Mutex<HashMap<RecordKey, UnixTime>>,
}

impl OnceOnly {
    /// Records up to `most` values in this process only. If all of them could still be used again, the next value is
    /// refused, because a value that is removed too early could be replayed.
    pub fn in_memory(most: usize) -> Self {
        Self {
            memory: Arc::new(Memory {
                most,
                used: Mutex::default(),
            }),
            store: None,
        }
    }

    /// Also records values in `store`, if there is one. A value can then be used once by all processes that share the
    /// store, and once across restarts. While the store is not available, only this process's record is checked.
    #[must_use]
    pub fn kept_in(self, store: Option<Stores>) -> Self {
        Self { store, ..self }
    }

    /// Uses the value `id`, which is not accepted from `until` on.
    ///
    /// # Errors
    /// [`StoreError::Full`], and errors of the store except [`StoreError::Unavailable`].
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
            // an outage of the store does not stop exchanges
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
