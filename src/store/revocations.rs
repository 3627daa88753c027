//! The revocations that this process knows, in memory. Every request checks them.

use super::{Change, Lift, Lineage, Reach, Revocation, RevocationKey, RevokedBy};
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
use thiserror::Error;

/// All revocations that this process knows. Clones share them.
///
/// A request with a cached result compares [`Self::epoch`], which costs one load, and calls [`Self::ends`] only if the
/// epoch has changed. To cache a result, read the epoch first, then check the token, and store that epoch. In the
/// opposite order, a revocation in between would be missed.
#[derive(Clone)]
pub struct Revocations(Arc<Index>);

struct Index {
    /// The number of revocations that were added or lifted.
    epoch: AtomicU64,
    ended: RwLock<HashMap<RevocationKey, InForce>>,
    freshness: Option<Freshness>,
}

/// The revocations of one key, by maker.
#[derive(Debug, Default, Clone)]
struct InForce {
    by_operator: Option<Revocation>,
    by_client: Option<Revocation>,
}

/// When this process last knew all revocations of other gateways.
struct Freshness {
    began: Instant,
    bound: Duration,
    /// Milliseconds after `began`.
    heard: AtomicU64,
}

/// A key of a token's lineage is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("revoked")]
pub struct Revoked;

impl Lineage {
    /// Refuses a token with this lineage if one of its keys is revoked.
    ///
    /// # Errors
    /// [`Revoked`].
    pub fn ensure_active(&self, revocations: &Revocations) -> Result<(), Revoked> {
        match revocations.ends(self) {
            true => Err(Revoked),
            false => Ok(()),
        }
    }
}

impl Revocations {
    /// Returns `true` if `other` is a clone of this.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Creates an empty set that only this process changes. It is never stale.
    pub fn of_one_process() -> Self {
        Self::new(None)
    }

    /// Creates an empty set that other processes change too. It becomes stale after `bound` without news of them.
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

    /// A number that changes whenever a revocation is added or lifted.
    pub fn epoch(&self) -> u64 {
        // a thread that sees the new epoch also sees the change before it
        self.0.epoch.load(Ordering::Acquire)
    }

    /// Returns `true` if a key of the lineage is revoked.
    pub fn ends(&self, lineage: &Lineage) -> bool {
        let ended = self.0.ended.read().unwrap_or_else(PoisonError::into_inner);
        !ended.is_empty()
            && lineage.keys().iter().any(|key| {
                let in_force = ended.get(key).into_iter().flat_map(InForce::iter);
                in_force.into_iter().any(|ended| match ended.reach {
                    Reach::Always => true,
                    Reach::Earlier => lineage.since() <= ended.at,
                })
            })
    }

    /// Adds revocations. All are in force when this returns. If two of one key and maker overlap, the broader one
    /// applies.
    pub fn insert(&self, revocations: impl IntoIterator<Item = Revocation>) {
        self.apply(revocations.into_iter().map(Change::Revoked));
    }

    /// Applies changes in their order and atomically. No intermediate state is visible.
    pub fn apply(&self, changes: impl IntoIterator<Item = Change>) {
        let mut ended = self.0.ended.write().unwrap_or_else(PoisonError::into_inner);
        let mut news = 0;
        for change in changes {
            let changed = match change {
                Change::Revoked(revocation) => {
                    ended.entry(revocation.key).or_default().add(revocation)
                }
                Change::Lifted(Lift { key, by, .. }) => {
                    let lifted = ended.get_mut(&key).is_some_and(|known| known.lift(by));
                    if ended.get(&key).is_some_and(InForce::is_over) {
                        ended.remove(&key);
                    }
                    lifted
                }
            };
            news += u64::from(changed);
        }
        if news > 0 {
            self.0.epoch.fetch_add(news, Ordering::Release);
        }
    }

    /// Returns the revocations of `key`, one for each maker.
    pub fn about(&self, key: &RevocationKey) -> Vec<Revocation> {
        let ended = self.0.ended.read().unwrap_or_else(PoisonError::into_inner);
        let in_force = ended.get(key).into_iter().flat_map(InForce::iter);
        in_force.cloned().collect()
    }

    /// Returns the revocations of the first `most` keys after `after`, in ascending order of the keys.
    pub fn page(&self, after: Option<RevocationKey>, most: usize) -> Vec<Revocation> {
        let ended = self.0.ended.read().unwrap_or_else(PoisonError::into_inner);
        let mut keys: Vec<_> = ended
            .keys()
            .filter(|key| after.is_none_or(|after| **key > after))
            .collect();
        if keys.len() > most {
            keys.select_nth_unstable(most);
            keys.truncate(most);
        }
        keys.sort_unstable();
        let in_force = keys.into_iter().filter_map(|key| ended.get(key));
        in_force.flat_map(InForce::iter).cloned().collect()
    }

    /// Removes expired revocations.
    pub fn sweep(&self, now: UnixTime) {
        let mut ended = self.0.ended.write().unwrap_or_else(PoisonError::into_inner);
        ended.retain(|_, ended| {
            ended.by_operator.take_if(|ended| ended.until <= now);
            ended.by_client.take_if(|ended| ended.until <= now);
            !ended.is_over()
        });
        let left = ended.len();
        ended.shrink_to(2 * left);
    }

    /// The number of keys that are revoked.
    pub fn len(&self) -> usize {
        let ended = self.0.ended.read().unwrap_or_else(PoisonError::into_inner);
        ended.len()
    }

    /// Returns `true` if there are no revocations.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Records that all revocations made elsewhere before `now` are known.
    pub fn heard(&self, now: Instant) {
        if let Some(freshness) = &self.0.freshness {
            let since = now.saturating_duration_since(freshness.began).as_millis();
            let since = u64::try_from(since).unwrap_or(u64::MAX);
            freshness.heard.fetch_max(since, Ordering::Relaxed);
        }
    }

    /// Returns `true` if revocations made elsewhere may be unknown here for longer than the bound, because the store
    /// could not be reached. `now` is the monotonic time.
    pub fn is_stale(&self, now: Instant) -> bool {
        self.0.freshness.as_ref().is_some_and(|freshness| {
            let heard = Duration::from_millis(freshness.heard.load(Ordering::Relaxed));
            now.saturating_duration_since(freshness.began)
                .saturating_sub(heard)
                > freshness.bound
        })
    }
}

impl InForce {
    fn iter(&self) -> impl Iterator<Item = &Revocation> {
        self.by_operator.iter().chain(&self.by_client)
    }

    fn side(&mut self, by: RevokedBy) -> &mut Option<Revocation> {
        match by {
            RevokedBy::Operator => &mut self.by_operator,
            RevokedBy::Client => &mut self.by_client,
        }
    }

    /// Returns `true` if this is a change. The poll repeats what the subscription reported.
    fn add(&mut self, revocation: Revocation) -> bool {
        let side = self.side(revocation.by);
        let whole = match &*side {
            Some(known) => known.with(&revocation),
            None => revocation,
        };
        let news = side.as_ref() != Some(&whole);
        *side = Some(whole);
        news
    }

    fn lift(&mut self, by: RevokedBy) -> bool {
        self.side(by).take().is_some()
    }

    fn is_over(&self) -> bool {
        self.by_operator.is_none() && self.by_client.is_none()
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
