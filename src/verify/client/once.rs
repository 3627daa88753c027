//! Which identifiers were used before, in memory.

use super::AssertionError;
use crate::{
    clock::{SharedClock, UnixTime},
    jose::FieldDigest,
};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// Remembers identifiers until what they stand in has expired. When it is full of those that have not, it refuses: what
/// cannot be remembered could be used twice.
#[derive(Debug)]
pub struct OnceOnly {
    clock: SharedClock,
    used: Mutex<HashMap<[u8; 32], i64>>,
    room: usize,
}

/// Identifiers that are remembered: some 50 MB where all are needed.
const ROOM: usize = 1 << 20;

impl OnceOnly {
    /// Remembers in this process alone.
    pub fn in_memory(clock: SharedClock) -> Self {
        Self {
            clock,
            used: Mutex::default(),
            room: ROOM,
        }
    }

    /// Whether the identifier made of `fields` is used for the first time; it is used from then on until `until`.
    ///
    /// # Errors
    /// [`AssertionError::Unavailable`] where it cannot be remembered.
    pub(super) async fn first(
        &self,
        domain: &'static str,
        fields: &[&[u8]],
        until: UnixTime,
    ) -> Result<bool, AssertionError> {
        let digest = fields
            .iter()
            .fold(FieldDigest::new(domain), |digest, field| {
                digest.field(field)
            })
            .finish();
        let now = self.clock.now().as_secs();
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.get(&digest).is_some_and(|until| now < *until) {
            return Ok(false);
        }
        if used.len() >= self.room {
            used.retain(|_, until| now < *until);
        }
        if used.len() >= self.room {
            return Err(AssertionError::Unavailable);
        }
        used.insert(digest, until.as_secs());
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, ManualClock};
    use std::{sync::Arc, time::Duration};

    #[tokio::test]
    async fn an_identifier_is_used_once_until_it_expires_and_a_full_memory_refuses() {
        let clock = Arc::new(ManualClock::at(UnixTime::from_secs(1_000)));
        let once = OnceOnly {
            room: 2,
            ..OnceOnly::in_memory(Arc::clone(&clock) as Arc<dyn Clock>)
        };
        let until = UnixTime::from_secs(1_060);
        let first = async |id: &[u8]| once.first("test", &[b"client", id], until).await;
        assert_eq!(first(b"a").await, Ok(true));
        assert_eq!(first(b"a").await, Ok(false));
        assert_eq!(first(b"b").await, Ok(true));
        assert_eq!(first(b"c").await, Err(AssertionError::Unavailable));
        clock.advance(Duration::from_secs(60));
        assert_eq!(first(b"c").await, Ok(true));
    }
}
