//! Rate limits: a steady rate for each caller, with short bursts above it.
//!
//! A caller is an address or a client. The limiter admits a call or returns how long to wait. Its memory is bounded: a
//! caller that has been idle for long is forgotten and then starts again with a full burst.

use crate::{
    clock::SharedClock,
    settings::{Building, Findings, parse_text},
};
use moka::sync::Cache;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{
    borrow::Cow,
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Rate limit of the token service. Requests above it get 429 with `Retry-After`. Default: no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RateSettings {
    /// Requests per second from one IPv4 address or IPv6 /64 network, for all clients together. A failed client
    /// authentication counts as ten requests. Behind a load balancer all requests come from its address. Default: no
    /// limit.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub per_address: Option<u32>,
    /// Requests per second of one authenticated client, from all addresses together. Default: no limit.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub per_client: Option<u32>,
    /// How many seconds' worth of requests may arrive at once, `1x` to `60x`.
    pub burst: Burst,
}

/// A number of seconds' worth of requests: `2x`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Burst(u8);

/// The additional cost of a failed client authentication.
const FAILURE: u64 = 9;
/// The maximum number of stored callers of each kind.
const CALLERS: u64 = 100_000;
/// The highest rate: one request per microsecond.
const HIGHEST: u32 = 1_000_000;

/// Counts calls. Clones share the counts.
#[derive(Debug, Clone)]
pub struct RateLimiter {
    per_address: Option<Buckets<IpAddr>>,
    per_client: Option<Buckets<Box<str>>>,
}

impl RateSettings {
    /// Checks that the rates are not zero and not too high.
    pub(crate) fn check(&self, building: &mut Building<'_>) {
        let check = |key: &'static str, rate: Option<u32>, findings: &mut Findings| {
            if rate.is_some_and(|rate| !(1..=HIGHEST).contains(&rate)) {
                findings.within(key, |findings| {
                    findings.error(
                        format!("expected 1 to {HIGHEST} requests per second"),
                        "write e.g. 100, or remove it for no limit",
                    );
                });
            }
        };
        check("per_address", self.per_address, building.findings);
        check("per_client", self.per_client, building.findings);
    }
}

impl RateLimiter {
    /// Creates a limiter with these rates.
    pub fn new(settings: RateSettings, clock: &SharedClock) -> Self {
        let burst = Duration::from_secs(settings.burst.0.into());
        Self {
            per_address: settings
                .per_address
                .map(|rate| Buckets::new(rate, burst, clock)),
            per_client: settings
                .per_client
                .map(|rate| Buckets::new(rate, burst, clock)),
        }
    }

    /// Counts one request from `address`. If the address is unknown, the request is not limited.
    ///
    /// # Errors
    /// The time to wait.
    pub fn take_for_address(&self, address: Option<IpAddr>) -> Result<(), Duration> {
        match (&self.per_address, address) {
            (Some(buckets), Some(address)) => buckets.take(network(address)),
            (None, _) | (_, None) => Ok(()),
        }
    }

    /// Counts one request of the authenticated `client`.
    ///
    /// # Errors
    /// The time to wait.
    pub fn take_for_client(&self, client: &str) -> Result<(), Duration> {
        let buckets = self.per_client.as_ref();
        buckets.map_or(Ok(()), |buckets| buckets.take(client.into()))
    }

    /// Charges `address` for a failed client authentication.
    pub fn charge_address(&self, address: Option<IpAddr>) {
        if let (Some(buckets), Some(address)) = (&self.per_address, address) {
            buckets.charge(network(address), FAILURE);
        }
    }
}

/// Maps an IPv6 address to its /64 network, because one IPv6 customer has at least a /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
    }
}

/// One counter for each caller. It stores the time, in nanoseconds since the start, at which the steady rate would have
/// admitted all requests so far (the "theoretical arrival time" of ITU-T I.371).
#[derive(Clone)]
struct Buckets<K> {
    spent: Cache<K, Arc<AtomicU64>>,
    each: u64,
    burst: u64,
    clock: SharedClock,
    started: Instant,
}

impl<K: std::hash::Hash + Eq + Send + Sync + 'static> Buckets<K> {
    fn new(rate: u32, burst: Duration, clock: &SharedClock) -> Self {
        Self {
            spent: Cache::builder()
                .max_capacity(CALLERS)
                // after this time the counter is below the current time anyway
                .time_to_idle(2 * burst + Duration::from_secs(60))
                .build(),
            each: 1_000_000_000 / u64::from(rate.max(1)),
            burst: nanoseconds(burst),
            clock: Arc::clone(clock),
            started: clock.instant(),
        }
    }

    fn take(&self, key: K) -> Result<(), Duration> {
        let (now, spent) = self.of(key);
        let mut wait = 0;
        let taken = spent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |until| {
            let until = until.max(now).saturating_add(self.each);
            wait = until.saturating_sub(now.saturating_add(self.burst));
            (wait == 0).then_some(until)
        });
        taken.map(drop).map_err(|_| Duration::from_nanos(wait))
    }

    /// Limits the debt to one burst, so that the wait after an hour of failures is no longer than after a second of
    /// them.
    fn charge(&self, key: K, requests: u64) {
        let (now, spent) = self.of(key);
        let most = now.saturating_add(2 * self.burst);
        let _ = spent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |until| {
            let more = self.each.saturating_mul(requests);
            Some(until.max(now).saturating_add(more).min(most))
        });
    }

    fn of(&self, key: K) -> (u64, Arc<AtomicU64>) {
        let since = self.clock.instant().saturating_duration_since(self.started);
        (nanoseconds(since), self.spent.get_with(key, Arc::default))
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl<K> fmt::Debug for Buckets<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buckets").finish_non_exhaustive()
    }
}

impl Default for Burst {
    fn default() -> Self {
        Self(2)
    }
}

const EXPECTED: &str = "1x to 60x, e.g. 2x";

impl FromStr for Burst {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_suffix('x')
            .and_then(|number| number.parse().ok())
            .filter(|number| (1..=60).contains(number))
            .map(Self)
            .ok_or_else(|| format!("expected {EXPECTED}, found {text:?}"))
    }
}

impl<'de> Deserialize<'de> for Burst {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse_text(deserializer, EXPECTED)
    }
}

impl Serialize for Burst {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}x", self.0))
    }
}

impl JsonSchema for Burst {
    fn schema_name() -> Cow<'static, str> {
        "Burst".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number of seconds' worth of requests, from `1x` to `60x`.",
            "type": "string",
            "pattern": "^([1-9]|[1-5][0-9]|60)x$",
            "examples": ["2x"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ManualClock, UnixTime};

    fn limiter(settings: &str) -> (Arc<ManualClock>, RateLimiter) {
        let clock = Arc::new(ManualClock::at(UnixTime::from_secs(0)));
        let shared: SharedClock = Arc::clone(&clock) as SharedClock;
        let settings = serde_json::from_str(settings).unwrap();
        (clock, RateLimiter::new(settings, &shared))
    }

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn a_burst_passes_at_once_and_then_only_the_rate() {
        let (clock, rates) = limiter(r#"{"per_client": 10, "burst": "2x"}"#);
        let passed = || {
            (0..100)
                .filter(|_| rates.take_for_client("a").is_ok())
                .count()
        };
        assert_eq!(passed(), 20);
        assert_eq!(rates.take_for_client("a"), Err(Duration::from_millis(100)));
        assert_eq!(rates.take_for_client("b"), Ok(()));
        clock.advance(Duration::from_secs(1));
        assert_eq!(passed(), 10);
        clock.advance(Duration::from_secs(3_600));
        assert_eq!(passed(), 20);
        assert_eq!(rates.take_for_address(address("192.0.2.1")), Ok(()));
    }

    #[test]
    fn an_address_counts_as_its_network_does() {
        let (_, rates) = limiter(r#"{"per_address": 1, "burst": "1x"}"#);
        assert!(rates.take_for_address(address("2001:db8::1")).is_ok());
        assert!(rates.take_for_address(address("2001:db8::2")).is_err());
        assert!(rates.take_for_address(address("2001:db8:0:1::1")).is_ok());
        assert!(rates.take_for_address(address("192.0.2.1")).is_ok());
        assert!(rates.take_for_address(address("::ffff:192.0.2.1")).is_err());
        assert!(rates.take_for_address(address("192.0.2.2")).is_ok());
    }

    #[test]
    fn a_failure_costs_ten_requests_and_never_more_than_a_burst() {
        let (clock, rates) = limiter(r#"{"per_address": 10, "burst": "2x"}"#);
        let from = address("192.0.2.1");
        for _ in 0..2 {
            assert!(rates.take_for_address(from).is_ok());
            rates.charge_address(from);
        }
        assert!(rates.take_for_address(from).is_err());
        (0..1_000).for_each(|_| rates.charge_address(from));
        clock.advance(Duration::from_millis(2_100));
        assert!(rates.take_for_address(from).is_ok());
    }

    #[test]
    fn without_a_rate_everything_passes() {
        let (_, rates) = limiter("{}");
        assert!((0..1_000).all(|_| rates.take_for_client("a").is_ok()));
        for wrong in [r#"{"burst": "0x"}"#, r#"{"burst": "2"}"#, r#"{"burst": 2}"#] {
            assert!(serde_json::from_str::<RateSettings>(wrong).is_err());
        }
    }
}
