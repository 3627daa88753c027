//! The keys of one issuer as they are known now, and how long they count.

use super::{
    VerifyError,
    key_source::{FetchedKeys, KeySource, SourceError},
    refresh::{Refetch, Refetched},
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

/// How long keys count.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyTimes {
    /// A removed key is refused within this time.
    pub(super) max_age: Duration,
    /// The last good keys serve for this time after they were fetched.
    pub(super) max_stale: Duration,
}

/// The keys of one issuer. Reading is a lock held for a lookup; fetching happens elsewhere and one at a time.
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
    /// When the keys in use were asked for, in seconds since 1970; `i64::MIN` where there are none.
    fetched_at: AtomicI64,
    last_refresh_failed: AtomicBool,
    refreshing: tokio::sync::Mutex<()>,
    /// The task that keeps the keys fresh.
    pub(super) keeping_fresh: OnceLock<AbortHandle>,
}

#[derive(Default)]
struct Held {
    set: JwkSet,
    /// Whether a key was removed or replaced, by [`VerificationKey::identity`]; shared with the leases.
    retired: HashMap<[u8; 32], Arc<AtomicBool>>,
}

/// Whether a key that verified a signature still counts: it was neither removed nor replaced, and its issuer's keys
/// are not too old. Cheap to clone and to ask; what was derived from a token asks at every use.
#[derive(Debug, Clone)]
pub struct KeyLease {
    retired: Arc<AtomicBool>,
    usable_until: Arc<AtomicI64>,
}

impl KeyLease {
    /// The lease of what no key vouches for any more: what is left of a token in a record of the gateway's own.
    pub(super) fn of_record() -> Self {
        Self {
            retired: Arc::default(),
            usable_until: Arc::new(AtomicI64::new(i64::MAX)),
        }
    }

    /// Whether a token signed with this key would still be accepted at `now`, as far as the key goes.
    pub fn is_current(&self, now: UnixTime) -> bool {
        !self.retired.load(Ordering::Acquire)
            && now.as_secs() < self.usable_until.load(Ordering::Acquire)
    }
}

/// A key that was found, and its lease.
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

/// Why no key is at hand.
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

    /// Reads a key file now, so that a mistake in it is found at start; other sources are fetched later.
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

    /// Takes keys that are at hand.
    pub(super) fn hold(&self, set: JwkSet) {
        self.replace(set, self.clock.now());
    }

    /// How long ago the keys in use were asked for; `None` where there are none.
    pub(super) fn age(&self) -> Option<Duration> {
        let fetched_at = self.fetched_at.load(Ordering::Acquire);
        let age = || self.clock.now().since(UnixTime::from_secs(fetched_at));
        (fetched_at != i64::MIN).then(age)
    }

    pub(super) fn is_ready(&self) -> bool {
        self.clock.now().as_secs() < self.usable_until.load(Ordering::Acquire)
    }

    /// The key for a token; fetches the keys once more where it is not known.
    pub(super) async fn key(
        self: &Arc<Self>,
        kid: Option<&str>,
        alg: Algorithm,
    ) -> Result<LeasedKey, VerifyError> {
        let refetched = match self.find(kid, alg) {
            Ok(key) => return Ok(key),
            // The named key is there and for something else: fetching again would only let tokens cause requests.
            Err(Missing::Lookup(why @ KeyLookup::AlgorithmNotAllowed)) => {
                return Err(self.unknown(why));
            }
            Err(Missing::Lookup(_) | Missing::Unusable) => self.refetch_once().await,
        };
        let certain =
            refetched == Refetched::Settled && !self.last_refresh_failed.load(Ordering::Acquire);
        self.find(kid, alg).map_err(|missing| match missing {
            Missing::Lookup(why) if certain => self.unknown(why),
            // The key may be a new one that could not be fetched: a fault, not a verdict.
            Missing::Lookup(_) | Missing::Unusable => VerifyError::KeysUnavailable {
                issuer: Arc::clone(&self.issuer),
            },
        })
    }

    /// Fetches the keys now. One fetch runs at a time, so an older answer never replaces a newer one.
    ///
    /// Gives for how long the provider says that they may be kept.
    pub(super) async fn refresh(&self) -> Result<Option<Duration>, SourceError> {
        let _one_at_a_time = self.refreshing.lock().await;
        // The time before the request: what was removed after it would be missed otherwise.
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
                // where there are none, its tokens get 503
                let message = match self.is_ready() {
                    true => "keys not refreshed, keeping the last good ones",
                    false => "keys not refreshed, and there are none that could serve",
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
        // Every key of the set has its mark: `replace` makes both together.
        let retired = held.retired.get(key.identity()).ok_or(Missing::Unusable)?;
        Ok(LeasedKey {
            key: Arc::clone(key),
            lease: KeyLease {
                retired: Arc::clone(retired),
                usable_until: Arc::clone(&self.usable_until),
            },
        })
    }

    /// Takes over a set. Keys that are not in it any more, with these numbers and algorithms, are retired.
    fn replace(&self, set: JwkSet, fetched_at: UnixTime) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        let mut earlier = std::mem::take(&mut held.retired);
        for key in set.keys() {
            // A set may hold one key twice: the mark of the first counts.
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
        // else it would find out when it next wakes, which may be a day later
        if let Some(task) = self.keeping_fresh.get() {
            task.abort();
        }
    }
}

/// An error and what caused it, on one line.
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
