//! The revocations that this process knows, in memory: what every request asks.

use super::{Lineage, Reach, Revocation, RevocationKey};
use crate::clock::UnixTime;
use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// All revocations that this process knows. Clones are the same ones.
///
/// A request that has a remembered answer compares [`Self::epoch`], which costs one load, and asks [`Self::ends`] only
/// when it has changed. What was made of a token that is looked at before the epoch is read can have missed a revocation;
/// so: read the epoch, then look at the token, and remember that epoch.
#[derive(Clone)]
pub struct Revocations(Arc<Index>);

struct Index {
    /// How often something was added.
    epoch: AtomicU64,
    ended: RwLock<HashMap<RevocationKey, Revocation>>,
    freshness: Option<Freshness>,
}

/// When the others' revocations were last known to be all here.
struct Freshness {
    began: Instant,
    bound: Duration,
    /// Milliseconds after `began`.
    heard: AtomicU64,
}

impl Revocations {
    /// None so far, and none that others could make: never stale.
    pub fn of_one_process() -> Self {
        Self::new(None)
    }

    /// None so far; others make some too. Stale once nothing was heard of them for longer than `bound`.
    pub fn of_replicas(bound: Duration, now: Instant) -> Self {
        Self::new(Some(Freshness {
            began: now,
            bound,
            heard: AtomicU64::new(0),
        }))
    }

    fn new(freshness: Option<Freshness>) -> Self {
        Self(Arc::new(Index {
            epoch: AtomicU64::new(0),
            ended: RwLock::default(),
            freshness,
        }))
    }

    /// Changes with each revocation that arrives.
    pub fn epoch(&self) -> u64 {
        // who sees the new epoch sees what was added before it
        self.0.epoch.load(Ordering::Acquire)
    }

    /// Whether something that a token comes from is revoked.
    pub fn ends(&self, lineage: &Lineage) -> bool {
        let ended = self.0.ended.read().unwrap_or_else(PoisonError::into_inner);
        !ended.is_empty()
            && lineage.keys().iter().any(|key| {
                ended.get(key).is_some_and(|ended| match ended.reach {
                    Reach::Always => true,
                    Reach::Earlier => lineage.since() <= ended.at,
                })
            })
    }

    /// Adds revocations: each holds when this returns. Of two about one thing holds what ends more.
    pub fn insert(&self, revocations: impl IntoIterator<Item = Revocation>) {
        let mut ended = self.0.ended.write().unwrap_or_else(PoisonError::into_inner);
        let mut added = 0;
        for revocation in revocations {
            match ended.get_mut(&revocation.key) {
                // the poll says again what the subscription said: that is no news
                Some(known) if known.with(&revocation) == *known => {}
                Some(known) => {
                    *known = known.with(&revocation);
                    added += 1;
                }
                None => {
                    ended.insert(revocation.key, revocation);
                    added += 1;
                }
            }
        }
        if added > 0 {
            self.0.epoch.fetch_add(added, Ordering::Release);
        }
    }

    /// Forgets those whose time is over.
    pub fn sweep(&self, now: UnixTime) {
        let mut ended = self.0.ended.write().unwrap_or_else(PoisonError::into_inner);
        ended.retain(|_, ended| ended.until > now);
        let left = ended.len();
        ended.shrink_to(2 * left);
    }

    /// How many are known.
    pub fn len(&self) -> usize {
        let ended = self.0.ended.read().unwrap_or_else(PoisonError::into_inner);
        ended.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Notes that all that others revoked before `now` is here.
    pub fn heard(&self, now: Instant) {
        if let Some(freshness) = &self.0.freshness {
            let since = now.saturating_duration_since(freshness.began).as_millis();
            let since = u64::try_from(since).unwrap_or(u64::MAX);
            freshness.heard.fetch_max(since, Ordering::Relaxed);
        }
    }

    /// Whether others may have revoked something longer ago than the stated bound that is not known here: the store
    /// could not be reached for that long. `now` is the clock's steady time.
    pub fn is_stale(&self, now: Instant) -> bool {
        self.0.freshness.as_ref().is_some_and(|freshness| {
            let heard = Duration::from_millis(freshness.heard.load(Ordering::Relaxed));
            now.saturating_duration_since(freshness.began)
                .saturating_sub(heard)
                > freshness.bound
        })
    }
}

impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocations")
            .field("epoch", &self.epoch())
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "revocations_tests.rs"]
mod tests;
