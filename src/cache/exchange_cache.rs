//! The cache itself: what is looked up, kept and replaced.

use super::{
    CacheKey, CacheSettings, ExchangeReason, ForwardCredential, Granted, RefreshDue,
    RefusedExchange,
    entry::{Entry, Lifetime},
    in_flight::InFlight,
    key::AsItIs,
    recent::{self, CacheId},
};
use crate::{
    clock::{SharedClock, UnixTime},
    error::Refusal,
    exchange::IssuedToken,
    settings::Percentage,
    source::PresentedToken,
    store::Revocations,
    telemetry::CacheResult,
    verify::VerifyError,
};
use std::{
    fmt,
    hash::BuildHasherDefault,
    sync::Arc,
    time::{Duration, Instant},
};

/// How long a definitive refusal is cached.
const REFUSAL_LIFE: Duration = Duration::from_secs(5);
/// The maximum number of cached refusals. Each takes about 200 bytes.
const REFUSALS: u64 = 20_000;
/// How long an entry that was made because the upstream refused its predecessor is not replaced again.
const RENEWAL_PAUSE: Duration = Duration::from_secs(5);

/// The cache. Clones share its entries.
pub struct ExchangeCache {
    inner: Arc<Inner>,
}

struct Inner {
    id: CacheId,
    entries: moka::sync::Cache<CacheKey, Arc<Entry>, BuildHasherDefault<AsItIs>>,
    refusals: moka::sync::Cache<CacheKey, Remembered>,
    in_flight: InFlight,
    refresh_ahead: Percentage,
    revocations: Revocations,
    clock: SharedClock,
}

/// A refusal, with the epoch of the revocations at which it was decided. If a revocation is added or lifted later, the
/// request is decided again.
#[derive(Clone)]
struct Remembered {
    refusal: RefusedExchange,
    epoch: u64,
}

/// A cached credential.
#[derive(Debug)]
pub struct Hit {
    /// The credential to attach to the request.
    pub credential: ForwardCredential,
    /// Present if this request must start a background exchange that replaces the entry.
    pub refresh: Option<RefreshDue>,
}

/// What to do after the upstream refused a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// Exchange again. The entry was evicted.
    Exchange,
    /// Do not exchange again. The credential was itself made after such a refusal, moments ago.
    Pointless,
}

impl ExchangeCache {
    /// Creates an empty cache. Entries become invalid if `revocations` revoke a key of their lineage.
    pub fn new(settings: &CacheSettings, revocations: Revocations, clock: SharedClock) -> Self {
        let entries = moka::sync::Cache::builder()
            .max_capacity(settings.max_size.bytes())
            .weigher(|_key: &CacheKey, entry: &Arc<Entry>| entry.weight())
            .expire_after(Lifetime)
            .build_with_hasher(BuildHasherDefault::default());
        let refusals = moka::sync::Cache::builder()
            .max_capacity(REFUSALS)
            .time_to_live(REFUSAL_LIFE)
            .build();
        Self {
            inner: Arc::new(Inner {
                id: CacheId::new(),
                entries,
                refusals,
                in_flight: InFlight::default(),
                refresh_ahead: settings.refresh_ahead,
                revocations,
                clock,
            }),
        }
    }

    /// Returns the cached credential for `key` if it passes every check. `at` is the monotonic time of the request.
    ///
    /// # Errors
    /// A cached definitive refusal.
    pub fn hit(&self, key: &CacheKey, at: Instant) -> Result<Option<Hit>, RefusedExchange> {
        let now = self.inner.clock.now();
        let recent = self.inner.recent(key, now, at);
        match recent.or_else(|| self.inner.usable(key, now)) {
            Some(entry) => Ok(Some(Hit {
                refresh: entry.refresh_due(now),
                credential: ForwardCredential::from_hit(entry),
            })),
            None => self.inner.refused(key).map_or(Ok(None), Err),
        }
    }

    /// Performs `exchange` for `key`, or waits for one that is in flight.
    ///
    /// The exchange runs in its own task. It completes and is cached even if all requests that wait for it are gone.
    ///
    /// # Errors
    /// The error of the exchange, or a timeout.
    pub async fn exchange_once<F>(
        &self,
        key: CacheKey,
        presented: PresentedToken,
        occasion: ExchangeReason,
        exchange: F,
    ) -> Result<Granted, RefusedExchange>
    where
        F: Future<Output = Result<IssuedToken, RefusedExchange>> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        self.inner
            .in_flight
            .join(key, async move {
                inner.perform(key, presented, occasion, exchange).await
            })
            .await
    }

    /// Performs `exchange` for `key` in the background, as requested by [`Hit::refresh`]. No request waits for it. The
    /// current entry is used until the exchange completes, and if it fails, until the entry expires.
    pub fn refresh_ahead<F>(
        &self,
        _due: RefreshDue,
        key: CacheKey,
        presented: PresentedToken,
        exchange: F,
    ) where
        F: Future<Output = Result<IssuedToken, RefusedExchange>> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        self.inner.in_flight.start(key, async move {
            inner
                .perform(key, presented, ExchangeReason::RefreshAhead, exchange)
                .await
        });
    }

    /// Evicts a credential that the upstream refused, unless the result is [`Renewal::Pointless`].
    pub fn refused_by_upstream(&self, key: &CacheKey, credential: &ForwardCredential) -> Renewal {
        let entry = credential.entry();
        let now = self.inner.clock.instant();
        if entry
            .renewed_at()
            .is_some_and(|at| now.saturating_duration_since(at) < RENEWAL_PAUSE)
        {
            return Renewal::Pointless;
        }
        entry.supersede();
        // another request may have replaced the entry already; its replacement is kept
        let current = self.inner.entries.get(key);
        if current.is_some_and(|current| Arc::ptr_eq(&current, entry)) {
            self.inner.entries.invalidate(key);
        }
        Renewal::Exchange
    }

    /// The weight of all entries in bytes, and their number.
    pub fn size(&self) -> (u64, u64) {
        (
            self.inner.entries.weighted_size(),
            self.inner.entries.entry_count(),
        )
    }
}

impl Inner {
    /// Returns the entry for `key` that this thread used recently, if it passes the checks of every hit.
    fn recent(&self, key: &CacheKey, now: UnixTime, at: Instant) -> Option<Arc<Entry>> {
        let entry = recent::recall(self.id, key)?;
        let lives = !entry.is_superseded() && entry.lives_at(at);
        (lives && self.is_usable(&entry, key, now)).then_some(entry)
    }

    /// Returns the entry for `key`, if it passes the checks of every hit.
    fn usable(&self, key: &CacheKey, now: UnixTime) -> Option<Arc<Entry>> {
        let entry = self.entries.get(key)?;
        if self.is_usable(&entry, key, now) {
            recent::remember(self.id, key, &entry);
            return Some(entry);
        }
        self.entries.invalidate(key);
        None
    }

    /// Returns the cached refusal for `key`, unless the revocations have changed since.
    fn refused(&self, key: &CacheKey) -> Option<RefusedExchange> {
        let remembered = self.refusals.get(key)?;
        (remembered.epoch == self.revocations.epoch()).then_some(remembered.refusal)
    }

    fn is_usable(&self, entry: &Entry, key: &CacheKey, now: UnixTime) -> bool {
        entry.is_usable(now, key.policy_generation(), &self.revocations)
    }

    async fn perform<F>(
        &self,
        key: CacheKey,
        presented: PresentedToken,
        occasion: ExchangeReason,
        exchange: F,
    ) -> Result<Granted, RefusedExchange>
    where
        F: Future<Output = Result<IssuedToken, RefusedExchange>> + Send,
    {
        // another exchange may have completed between this request's lookup and now
        if occasion != ExchangeReason::RefreshAhead
            && let Some(entry) = self.usable(&key, self.clock.now())
        {
            return Ok(Granted {
                credential: ForwardCredential::from_hit(entry),
                result: CacheResult::Hit,
            });
        }
        let begun = self.revocations.epoch();
        match exchange.await {
            Ok(issued) => {
                // read before the check, so that a revocation between the two is found at the next check
                let epoch = self.revocations.epoch();
                if self.revocations.ends(issued.lineage()) {
                    return Err(Refusal::from(VerifyError::Revoked).into());
                }
                let entry = Entry::new(
                    issued,
                    &presented,
                    (key.policy_generation(), epoch),
                    (self.clock.now(), self.clock.instant()),
                    self.refresh_ahead,
                    occasion,
                )
                .ok_or(Refusal::Fault)?;
                let entry = Arc::new(entry);
                if !entry.ttl().is_zero() {
                    let predecessor = self.entries.get(&key);
                    self.entries.insert(key, Arc::clone(&entry));
                    if let Some(predecessor) = predecessor {
                        predecessor.supersede();
                    }
                }
                Ok(Granted {
                    credential: ForwardCredential::from_fresh(entry),
                    result: CacheResult::Miss,
                })
            }
            Err(refusal) => {
                if refusal.refusal.is_definitive() {
                    let remembered = Remembered {
                        refusal: refusal.clone(),
                        epoch: begun,
                    };
                    self.refusals.insert(key, remembered);
                }
                Err(refusal)
            }
        }
    }
}

impl Clone for ExchangeCache {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl fmt::Debug for ExchangeCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExchangeCache")
    }
}
