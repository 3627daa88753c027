//! What the gateway remembers of exchanges, and the only place where something to forward is made.
//!
//! What enters is the whole context of an authorization; what leaves is a [`ForwardCredential`], minted here alone:
//! from a fresh [`IssuedToken`], or from an entry that passed the checks made on every hit (not expired at this moment,
//! nothing that it comes from revoked, its issuer's key still current, the route's policy unchanged). One exchange serves
//! any number of simultaneous first uses. Faults are never remembered; definitive refusals are, for at most five seconds.

mod entry;
mod flight;
mod key;
mod recent;

pub use entry::{ForwardCredential, RefreshDue};
pub use flight::FlightError;
pub use key::{AuthorizationContext, CacheKey, Terms};

use crate::{
    clock::{SharedClock, UnixTime},
    exchange::IssuedToken,
    settings::{Building, ByteSize, Percentage},
    source::PresentedToken,
    store::Revocations,
    telemetry::CacheResult,
};
use entry::{Entry, Lifetime};
use flight::Flights;
use key::AsItIs;
use recent::CacheId;
use schemars::JsonSchema;
use serde::Deserialize;
use std::{
    fmt,
    hash::BuildHasherDefault,
    sync::Arc,
    time::{Duration, Instant},
};

/// The in-memory cache of exchanged tokens.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CacheSettings {
    /// Maximum memory of all cached exchanges, including overhead. At least 1MiB. When the cache is full, the least
    /// used entries are evicted.
    pub max_size: ByteSize,
    /// A hit after this share of an entry's lifetime starts a new exchange in the background. `100%` turns this off:
    /// the first request after expiry then waits for the exchange.
    pub refresh_ahead: Percentage,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            max_size: ByteSize::from_mib(256),
            refresh_ahead: Percentage::of(80),
        }
    }
}

impl CacheSettings {
    /// Checks the size.
    pub fn check(&self, building: &mut Building<'_>) {
        if self.max_size < ByteSize::from_mib(1) {
            building.within("max_size", |b| {
                b.findings.error(
                    "expected at least 1MiB",
                    "write how much memory the cache may take, e.g. 256MiB",
                );
            });
        }
    }
}

/// How long a definitive refusal is remembered.
const REFUSAL_LIFE: Duration = Duration::from_secs(5);
/// The most refusals remembered at one time; each takes about 200 bytes.
const REFUSALS: u64 = 20_000;
/// How long an entry made because the downstream refused its predecessor is not replaced again.
const RENEWAL_PAUSE: Duration = Duration::from_secs(5);

/// The remembered exchanges. Cloning shares them.
pub struct ExchangeCache<E> {
    inner: Arc<Inner<E>>,
}

struct Inner<E> {
    id: CacheId,
    entries: moka::sync::Cache<CacheKey, Arc<Entry>, BuildHasherDefault<AsItIs>>,
    refusals: moka::sync::Cache<CacheKey, Remembered<E>>,
    flights: Flights<E>,
    refresh_ahead: Percentage,
    revocations: Revocations,
    clock: SharedClock,
}

/// A refusal, and the epoch of the revocations that it was decided at: after another revocation, or one that was lifted,
/// it is decided anew.
#[derive(Clone)]
struct Remembered<E> {
    refusal: E,
    epoch: u64,
}

/// A remembered credential.
#[derive(Debug)]
pub struct Hit {
    /// What is attached to the request.
    pub credential: ForwardCredential,
    /// Whether this request has its successor made.
    pub refresh: Option<RefreshDue>,
}

/// Something to forward, and how it was come by.
#[derive(Debug, Clone)]
pub struct Granted {
    /// What is attached to the request.
    pub credential: ForwardCredential,
    /// Whether it was remembered, made, or made by a simultaneous request.
    pub result: CacheResult,
}

/// What became of a credential that the downstream refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// It is forgotten: exchange again.
    Exchange,
    /// It was itself made because of such a refusal, moments ago: another one would be refused as well.
    Pointless,
}

impl<E: FlightError> ExchangeCache<E> {
    /// An empty cache, whose entries end when `revocations` end what they come from.
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
                flights: Flights::default(),
                refresh_ahead: settings.refresh_ahead,
                revocations,
                clock,
            }),
        }
    }

    /// The remembered credential for `key`, if it still passes every check; `at` is the moment of the request, by the
    /// steady clock.
    ///
    /// # Errors
    /// A definitive refusal that is remembered.
    pub fn hit(&self, key: &CacheKey, at: Instant) -> Result<Option<Hit>, E> {
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

    /// Performs `exchange` for `key`, or waits for the one that is under way.
    ///
    /// The exchange runs in a task of its own: it ends, and is remembered, even when every request that waits for it
    /// is gone.
    ///
    /// # Errors
    /// What the exchange failed with, or that it took too long.
    pub async fn exchange_once<F>(
        &self,
        key: CacheKey,
        presented: PresentedToken,
        occasion: Occasion,
        exchange: F,
    ) -> Result<Granted, E>
    where
        F: Future<Output = Result<IssuedToken, E>> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        self.inner
            .flights
            .join(key, async move {
                inner.perform(key, presented, occasion, exchange).await
            })
            .await
    }

    /// Performs `exchange` for `key` in the background, as the hit that was told so has to. Nobody waits for it: until it
    /// ends, and if it fails until its own end, what is remembered serves.
    pub fn refresh_ahead<F>(
        &self,
        _due: RefreshDue,
        key: CacheKey,
        presented: PresentedToken,
        exchange: F,
    ) where
        F: Future<Output = Result<IssuedToken, E>> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        self.inner.flights.depart(key, async move {
            inner
                .perform(key, presented, Occasion::RefreshAhead, exchange)
                .await
        });
    }

    /// Forgets a credential that the downstream refused, unless that is [`Renewal::Pointless`].
    pub fn refused_by_downstream(&self, key: &CacheKey, credential: &ForwardCredential) -> Renewal {
        let entry = credential.entry();
        let now = self.inner.clock.instant();
        if entry
            .renewed_at()
            .is_some_and(|at| now.saturating_duration_since(at) < RENEWAL_PAUSE)
        {
            return Renewal::Pointless;
        }
        entry.supersede();
        // another request may have replaced it already: then its successor stays
        let current = self.inner.entries.get(key);
        if current.is_some_and(|current| Arc::ptr_eq(&current, entry)) {
            self.inner.entries.invalidate(key);
        }
        Renewal::Exchange
    }

    /// The weight of all entries in bytes and their number.
    pub fn size(&self) -> (u64, u64) {
        (
            self.inner.entries.weighted_size(),
            self.inner.entries.entry_count(),
        )
    }
}

/// Why an exchange is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// Nothing usable was remembered.
    FirstUse,
    /// The downstream refused what was remembered.
    DownstreamRefused,
    /// What is remembered ends soon.
    RefreshAhead,
}

impl<E: FlightError> Inner<E> {
    /// The entry for `key` that this thread used a moment ago, when it passes the checks of every hit.
    fn recent(&self, key: &CacheKey, now: UnixTime, at: Instant) -> Option<Arc<Entry>> {
        let entry = recent::recall(self.id, key)?;
        let lives = !entry.is_superseded() && entry.lives_at(at);
        (lives && self.is_usable(&entry, key, now)).then_some(entry)
    }

    /// The entry for `key`, when it passes the checks of every hit.
    fn usable(&self, key: &CacheKey, now: UnixTime) -> Option<Arc<Entry>> {
        let entry = self.entries.get(key)?;
        if self.is_usable(&entry, key, now) {
            recent::remember(self.id, key, &entry);
            return Some(entry);
        }
        self.entries.invalidate(key);
        None
    }

    /// The refusal that is remembered for `key`, unless what is revoked has changed since.
    fn refused(&self, key: &CacheKey) -> Option<E> {
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
        occasion: Occasion,
        exchange: F,
    ) -> Result<Granted, E>
    where
        F: Future<Output = Result<IssuedToken, E>> + Send,
    {
        // a flight may have landed between this request's look and its turn
        if occasion != Occasion::RefreshAhead
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
                // before the look: a revocation that comes between the two is found at the next one
                let epoch = self.revocations.epoch();
                if self.revocations.ends(issued.lineage()) {
                    return Err(E::revoked());
                }
                let entry = Entry::new(
                    issued,
                    &presented,
                    (key.policy_generation(), epoch),
                    (self.clock.now(), self.clock.instant()),
                    self.refresh_ahead,
                    occasion,
                )
                .ok_or_else(E::fault)?;
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
                if refusal.is_definitive() {
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

impl<E> Clone for ExchangeCache<E> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<E> fmt::Debug for ExchangeCache<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExchangeCache")
    }
}
