//! The cached keys of one issuer, and how long they are valid.

use super::{
    VerifyError,
    key_source::{FetchedKeys, KeySource, SourceError},
    refetch::{Refetch, Refetched},
};
use crate::{
    clock::{SharedClock, UnixTime},
    egress::Egress,
    jose::{
        Algorithm, JoseError, JwkSet, KeyLookup, SkippedKey, UnverifiedJws, VerificationKey,
        VerifiedJws,
    },
    settings::Building,
    telemetry::IssuerMetrics,
};
use std::{
    collections::HashMap,
    error::Error,
    fmt,
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};
use tokio::task::AbortHandle;

/// How long keys are valid.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyTimes {
    /// A removed key is refused within this time.
    pub(super) max_age: Duration,
    /// The last fetched keys are used for this time.
    pub(super) max_stale: Duration,
}

/// The keys of one issuer. A lookup takes a short lock. Fetches run in the background, one at a time.
pub(super) struct KeyStore {
    pub(super) issuer: Arc<str>,
    pub(super) source: KeySource,
    pub(super) times: KeyTimes,
    pub(super) egress: Egress,
    pub(super) clock: SharedClock,
    pub(super) refetch: Refetch,
    metrics: IssuerMetrics,
    held: RwLock<Held>,
    usable_until: Arc<AtomicI64>,
    /// When the current keys were requested, in seconds since 1970. `i64::MIN` if there are none.
    fetched_at: AtomicI64,
    last_refresh_failed: AtomicBool,
    refreshing: tokio::sync::Mutex<()>,
    /// The task that refreshes the keys.
    pub(super) keeping_fresh: OnceLock<AbortHandle>,
}

#[derive(Default)]
struct Held {
    set: JwkSet,
    /// By [`VerificationKey::identity`], `true` if the key was removed or replaced. Shared with the leases.
    retired: HashMap<[u8; 32], Arc<AtomicBool>>,
}

/// The validity of a key that verified a signature. The key must be neither removed nor replaced, and its issuer's keys
/// must not be too old. A lease is cheap to clone and to check. It is checked at every use of what was derived from a
/// token.
#[derive(Debug, Clone)]
pub struct KeyLease {
    retired: Arc<AtomicBool>,
    usable_until: Arc<AtomicI64>,
}

impl KeyLease {
    /// A lease that never expires, for subjects that come from a record of the gateway and no longer depend on a key.
    pub(super) fn of_record() -> Self {
        Self {
            retired: Arc::default(),
            usable_until: Arc::new(AtomicI64::new(i64::MAX)),
        }
    }

    /// Returns `true` if the key would still be accepted at `now`.
    pub fn is_current(&self, now: UnixTime) -> bool {
        !self.retired.load(Ordering::Acquire)
            && now.as_secs() < self.usable_until.load(Ordering::Acquire)
    }
}

/// A key with its lease.
#[derive(Debug)]
pub(super) struct LeasedKey {
    key: Arc<VerificationKey>,
    lease: KeyLease,
}

impl LeasedKey {
    pub(super) fn verify(
        &self,
        jws: UnverifiedJws<'_>,
        allowed: &[Algorithm],
    ) -> Result<VerifiedJws, JoseError> {
        self.key.verify(jws, allowed)
    }

    pub(super) fn kid(&self) -> Option<&str> {
        self.key.kid()
    }

    pub(super) fn into_lease(self) -> KeyLease {
        self.lease
    }
}

/// The reason why no key is available.
enum Missing {
    /// There are no keys, or they are too old.
    Unusable,
    Lookup(KeyLookup),
}

impl KeyStore {
    pub(super) fn new(
        issuer: Arc<str>,
        source: KeySource,
        times: KeyTimes,
        egress: Egress,
        clock: SharedClock,
        metrics: IssuerMetrics,
    ) -> Arc<Self> {
        Arc::new(Self {
            issuer,
            source,
            times,
            egress,
            clock,
            metrics,
            refetch: Refetch::default(),
            held: RwLock::default(),
            usable_until: Arc::new(AtomicI64::new(i64::MIN)),
            fetched_at: AtomicI64::new(i64::MIN),
            last_refresh_failed: AtomicBool::new(false),
            refreshing: tokio::sync::Mutex::default(),
            keeping_fresh: OnceLock::new(),
        })
    }

    /// Reads a key file now, so that errors in it are reported at start. Other sources are fetched later.
    pub(super) fn load_file(&self, building: &mut Building<'_>) -> Option<()> {
        let KeySource::File(path) = &self.source else {
            return Some(());
        };
        let read = std::fs::read(path)
            .map_err(|error| error.to_string())
            .and_then(|json| FetchedKeys::parse(&json, None).map_err(|error| causes(&error)));
        building.within("jwks_file", |building| match read {
            Ok(fetched) => {
                for SkippedKey { position, why } in &fetched.skipped {
                    building.findings.warn(
                        format!("{}: key {position} is not used: {why}", path.display()),
                        "a token that was signed with it is refused",
                        "remove it from the file, or replace it",
                    );
                }
                self.replace(fetched.set, self.clock.now());
                Some(())
            }
            Err(error) => {
                building.findings.error(
                    format!("{}: {error}", path.display()),
                    "name a JSON Web Key Set (RFC 7517) with at least one public key for signatures",
                );
                None
            }
        })
    }

    /// Stores keys that are already available.
    pub(super) fn hold(&self, set: JwkSet) {
        self.replace(set, self.clock.now());
    }

    /// The time since the current keys were requested. `None` if there are none.
    pub(super) fn age(&self) -> Option<Duration> {
        let fetched_at = self.fetched_at.load(Ordering::Acquire);
        let age = || self.clock.now().since(UnixTime::from_secs(fetched_at));
        (fetched_at != i64::MIN).then(age)
    }

    pub(super) fn is_ready(&self) -> bool {
        self.clock.now().as_secs() < self.usable_until.load(Ordering::Acquire)
    }

    /// Returns the key for a token. Fetches the keys once more if it is unknown.
    pub(super) async fn key(
        self: &Arc<Self>,
        kid: Option<&str>,
        alg: Algorithm,
    ) -> Result<LeasedKey, VerifyError> {
        let refetched = match self.find(kid, alg) {
            Ok(key) => return Ok(key),
            // The key exists but is for another algorithm. Fetching again would only let tokens cause requests.
            Err(Missing::Lookup(why @ KeyLookup::AlgorithmNotAllowed)) => {
                return Err(self.unknown(why));
            }
            Err(Missing::Lookup(_) | Missing::Unusable) => self.refetch_once().await,
        };
        let certain =
            refetched == Refetched::Settled && !self.last_refresh_failed.load(Ordering::Acquire);
        self.find(kid, alg).map_err(|missing| match missing {
            Missing::Lookup(why) if certain => self.unknown(why),
            // The key may be new, but the keys could not be fetched. This is a failure, not a verdict.
            Missing::Lookup(_) | Missing::Unusable => VerifyError::KeysUnavailable {
                issuer: Arc::clone(&self.issuer),
            },
        })
    }

    /// Fetches the keys now. Only one fetch runs at a time, so that an older response never replaces a newer one.
    ///
    /// Returns how long the keys may be cached according to the provider.
    pub(super) async fn refresh(&self) -> Result<Option<Duration>, SourceError> {
        let _one_at_a_time = self.refreshing.lock().await;
        // The time before the request. With a later time, a key that was removed during the request would be missed.
        let asked_at = self.clock.now();
        match self.source.fetch(&self.egress).await {
            Ok(fetched) => {
                self.replace(fetched.set, asked_at);
                self.last_refresh_failed.store(false, Ordering::Release);
                self.metrics.refreshed();
                for SkippedKey { position, why } in &fetched.skipped {
                    tracing::debug!(issuer = %self.issuer, position, why = %why, "key not used");
                }
                Ok(fetched.max_age)
            }
            Err(error) => {
                self.last_refresh_failed.store(true, Ordering::Release);
                self.metrics.refresh_failed();
                let why = causes(&error);
                // without usable keys, requests with the issuer's tokens get 503
                let message = match self.is_ready() {
                    true => "keys not refreshed, the last fetched keys stay in use",
                    false => "keys not refreshed, and there are no usable keys",
                };
                tracing::warn!(issuer = %self.issuer, why, "{message}");
                Err(error)
            }
        }
    }

    pub(super) fn ids(&self) -> Vec<Box<str>> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let ids = held.set.keys().iter().filter_map(|key| key.kid());
        ids.map(Into::into).collect()
    }

    fn find(&self, kid: Option<&str>, alg: Algorithm) -> Result<LeasedKey, Missing> {
        if !self.is_ready() {
            return Err(Missing::Unusable);
        }
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let key = held.set.find(kid, alg).map_err(Missing::Lookup)?;
        // Every key of the set has a mark, because `replace` creates both together.
        let retired = held.retired.get(key.identity()).ok_or(Missing::Unusable)?;
        Ok(LeasedKey {
            key: Arc::clone(key),
            lease: KeyLease {
                retired: Arc::clone(retired),
                usable_until: Arc::clone(&self.usable_until),
            },
        })
    }

    /// Replaces the key set. A key is retired unless the new set contains it with the same `kid`, numbers and algorithms.
    fn replace(&self, set: JwkSet, fetched_at: UnixTime) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        let mut earlier = std::mem::take(&mut held.retired);
        for key in set.keys() {
            // A set may contain a key twice. The mark of the first one is used.
            if !held.retired.contains_key(key.identity()) {
                let mark = earlier.remove(key.identity()).unwrap_or_default();
                held.retired.insert(*key.identity(), mark);
            }
        }
        for removed in earlier.into_values() {
            removed.store(true, Ordering::Release);
        }
        held.set = set;
        let until = fetched_at.plus(self.times.max_stale);
        self.usable_until.store(until.as_secs(), Ordering::Release);
        self.fetched_at
            .store(fetched_at.as_secs(), Ordering::Release);
    }

    fn unknown(&self, why: KeyLookup) -> VerifyError {
        VerifyError::UnknownKey {
            issuer: Arc::clone(&self.issuer),
            why,
        }
    }
}

impl Drop for KeyStore {
    fn drop(&mut self) {
        // otherwise the task would notice only when it next wakes, which may be a day later
        if let Some(task) = self.keeping_fresh.get() {
            task.abort();
        }
    }
}

/// Returns an error and its chain of causes on one line.
pub(super) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

impl fmt::Debug for KeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyStore")
            .field("issuer", &self.issuer)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
