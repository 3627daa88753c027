//! Prometheus metrics with handles that are resolved once.
//!
//! Labels come from the configuration and closed enums, and [`Metrics::render`] returns the text of `/metrics`. Series
//! that an alert in `docs/metrics.md` uses exist from the start, at zero, because `increase()` misses the event that
//! creates a series. A route's other series are created at its first request, all at zero, so that ten thousand idle
//! routes cost little. Its refusals are created one reason at a time. Observing allocates nothing. If a reload removes
//! a route or an issuer, its series are removed after its last request.

mod durations;
mod family;
mod gauges;
mod process;
mod route;

pub use family::Counter;
pub(crate) use family::{ByLabel, Gauge};
pub use gauges::{CertificateUse, Gauges};
pub use route::RouteMetrics;

use super::{
    labels::{Label, ReloadOutcome},
    log::library_events,
};
use crate::clock::UnixTime;
use family::{CounterFamily, HistogramFamily};
use prometheus::{Registry, TextEncoder};
use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

/// From half a millisecond to the longest usual wait for a response, in seconds.
const REQUEST_BUCKETS: &[f64] = &[
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// From an embedded exchange (tens of microseconds) to the timeout of a slow provider, in seconds.
const EXCHANGE_BUCKETS: &[f64] = &[
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0,
];

const REFRESHED: &str = "refreshed";
const FAILED: &str = "failed";
const ACCEPTED: &str = "accepted";
const REFUSED: &str = "refused";
/// Every `outcome` of the metrics about issuers.
const ISSUER_OUTCOMES: [&str; 4] = [REFRESHED, FAILED, ACCEPTED, REFUSED];

/// All metrics of one gateway, in their own registry. Clones share them.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    families: Arc<Families>,
    reloads: ByLabel<ReloadOutcome>,
    last_reload_successful: Gauge,
    last_reload_success: Gauge,
    log_dropped: Counter,
    /// In the order of [`library_events`].
    library_events: Vec<Counter>,
    gauges: Gauges,
    at_scrape: Mutex<Vec<AtScrape>>,
}

type AtScrape = Box<dyn Fn(&Gauges) + Send + Sync>;

struct Families {
    requests: CounterFamily,
    request_duration: HistogramFamily,
    exchanges: CounterFamily,
    exchange_duration: HistogramFamily,
    cache: CounterFamily,
    denied: CounterFamily,
    upstream_requests: CounterFamily,
    upstream_duration: HistogramFamily,
    leaks: CounterFamily,
    subject_tokens: CounterFamily,
    jwks_refreshes: CounterFamily,
    /// The routes with series. Each route has one set of handles.
    routes: Mutex<KnownRoutes>,
    issuers: Mutex<BTreeSet<Box<str>>>,
}

/// Routes by the name of their exchanger, then by their own name. During a reload that changes the exchanger of a route,
/// its name has two sets of handles.
type KnownRoutes = HashMap<Box<str>, HashMap<Box<str>, Weak<RouteMetrics>>>;

/// The counters of one trusted issuer. Clones share them.
#[derive(Debug, Clone)]
pub struct IssuerMetrics {
    refreshed: Counter,
    refresh_failed: Counter,
    token_accepted: Counter,
    token_refused: Counter,
}

impl Metrics {
    /// Creates a registry with the build version, the process metrics and the metrics of this module. Components can
    /// register others.
    pub fn new() -> Self {
        let registry = Registry::new();
        let families = Arc::new(Families::register(&registry));
        let reloads = CounterFamily::register(
            &registry,
            "obo_config_reload_total",
            "Configuration reloads, by outcome.",
            &["outcome"],
        );
        let log_dropped = CounterFamily::register(
            &registry,
            "obo_log_dropped_total",
            "Access-log lines that could not be written in time.",
            &[],
        );
        let libraries = CounterFamily::register(
            &registry,
            "obo_library_events_total",
            "Errors and warnings of the gateway's libraries.",
            &["library", "level"],
        );
        register_process(&registry);
        Self(Arc::new(Inner {
            reloads: ByLabel::resolve(|outcome| reloads.with(&[outcome])),
            last_reload_successful: Gauge::register(
                &registry,
                "obo_config_last_reload_successful",
                "1 if the last configuration reload succeeded, otherwise 0.",
                &[],
            ),
            last_reload_success: Gauge::register(
                &registry,
                "obo_config_last_reload_success_timestamp_seconds",
                "Time at which the running configuration was read, in seconds since 1970.",
                &[],
            ),
            log_dropped: log_dropped.with(&[]),
            library_events: library_events()
                .map(|(library, level, _)| libraries.with(&[library, level]))
                .collect(),
            gauges: Gauges::register(&registry),
            at_scrape: Mutex::default(),
            families,
            registry,
        }))
    }

    /// Registers one counter for each value of `L`, for a component with metrics of its own. Each starts at zero.
    pub(crate) fn counters<L: Label>(&self, name: &str, help: &str, label: &str) -> ByLabel<L> {
        let family = CounterFamily::register(&self.0.registry, name, help, &[label]);
        ByLabel::resolve(|value| family.with(&[value]))
    }

    /// Registers a gauge with constant labels, for a component with metrics of its own.
    pub(crate) fn gauge(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Gauge {
        Gauge::register(&self.0.registry, name, help, labels)
    }

    /// Returns the series of the route `name`, whose tokens come from the exchanger with the name `exchanger`. Both names
    /// are label values, so they must come from the configuration.
    pub fn route(&self, name: &str, exchanger: &str) -> Arc<RouteMetrics> {
        let families = &self.0.families;
        let mut routes = families.routes();
        let routes = routes.entry(exchanger.into()).or_default();
        if let Some(known) = routes.get(name).and_then(Weak::upgrade) {
            return known;
        }
        let route = Arc::new(RouteMetrics::new(name, exchanger, Arc::clone(families)));
        routes.insert(name.into(), Arc::downgrade(&route));
        route
    }

    /// Returns the series of requests without a route: `route="none"`. They exist from the start. `exchanger` is the name
    /// of an exchanger that every configuration has; such requests are never exchanged.
    pub fn no_route(&self, exchanger: &str) -> Arc<RouteMetrics> {
        let route = self.route("none", exchanger);
        route.prepare();
        route
    }

    /// Returns the series of the trusted issuer `name`.
    pub fn issuer(&self, name: &str) -> IssuerMetrics {
        let families = &self.0.families;
        families.issuers().insert(name.into());
        IssuerMetrics {
            refreshed: families.jwks_refreshes.with(&[name, REFRESHED]),
            refresh_failed: families.jwks_refreshes.with(&[name, FAILED]),
            token_accepted: families.subject_tokens.with(&[name, ACCEPTED]),
            token_refused: families.subject_tokens.with(&[name, REFUSED]),
        }
    }

    /// Removes the series of all issuers that are not among `names`.
    pub fn keep_issuers<'a>(&self, names: impl IntoIterator<Item = &'a str>) {
        let families = &self.0.families;
        let kept: BTreeSet<Box<str>> = names.into_iter().map(Into::into).collect();
        let mut issuers = families.issuers();
        for name in issuers.difference(&kept) {
            for family in [&families.jwks_refreshes, &families.subject_tokens] {
                for outcome in ISSUER_OUTCOMES {
                    family.forget(&[name, outcome]);
                }
            }
        }
        *issuers = kept;
    }

    /// Counts a configuration reload.
    pub fn reload(&self, outcome: ReloadOutcome, now: UnixTime) {
        self.0.reloads.inc(outcome);
        match outcome {
            ReloadOutcome::Applied => self.configured(now),
            ReloadOutcome::Refused => self.0.last_reload_successful.set(0),
        }
    }

    /// Records that the current configuration is in use since `now`.
    pub fn configured(&self, now: UnixTime) {
        self.0.last_reload_successful.set(1);
        self.0.last_reload_success.set(now.as_secs());
    }

    /// The counter of lost access log lines.
    pub fn log_dropped(&self) -> Counter {
        self.0.log_dropped.clone()
    }

    /// Calls `set` before every [`Metrics::render`], to update the gauges.
    pub fn on_scrape(&self, set: impl Fn(&Gauges) + Send + Sync + 'static) {
        self.callbacks().push(Box::new(set));
    }

    /// Returns all metrics in Prometheus' text format, version 0.0.4.
    pub fn render(&self) -> String {
        // two simultaneous scrapes would see each other's incomplete gauges
        let callbacks = self.callbacks();
        for set in callbacks.iter() {
            set(&self.0.gauges);
        }
        for (counter, (_, _, seen)) in self.0.library_events.iter().zip(library_events()) {
            counter.add(seen.saturating_sub(counter.value()));
        }
        // It fails only for metrics without a type or a name, which the registry does not accept.
        TextEncoder::new()
            .encode_to_string(&self.0.registry.gather())
            .unwrap_or_default()
    }

    fn callbacks(&self) -> MutexGuard<'_, Vec<AtScrape>> {
        self.0
            .at_scrape
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Families {
    #[rustfmt::skip] // one family a paragraph
    fn register(registry: &Registry) -> Self {
        let counter = |name, help, labels| CounterFamily::register(registry, name, help, labels);
        let histogram = |name, help, labels, buckets| HistogramFamily::register(registry, name, help, labels, buckets);
        Self {
            requests: counter("obo_requests_total", "Requests, by outcome.", &["route", "outcome"]),
            request_duration: histogram("obo_request_duration_seconds", "Time from the end of the request head to the end of the response, in seconds.", &["route"], REQUEST_BUCKETS),
            exchanges: counter("obo_exchange_total", "Token exchanges, by outcome.", &["route", "exchanger", "outcome"]),
            exchange_duration: histogram("obo_exchange_duration_seconds", "Duration of token exchanges, in seconds.", &["exchanger"], EXCHANGE_BUCKETS),
            cache: counter("obo_cache_total", "Lookups in the token cache, by result.", &["route", "result"]),
            denied: counter("obo_denied_total", "Requests not forwarded, by reason.", &["route", "reason"]),
            upstream_requests: counter("obo_upstream_requests_total", "Responses of the upstream, by status class.", &["route", "status_class"]),
            upstream_duration: histogram("obo_upstream_duration_seconds", "Time from forwarding a request to the head of the upstream's response, in seconds.", &["route"], REQUEST_BUCKETS),
            leaks: counter("obo_leak_blocked_total", "Tokens found and blocked where they must not be forwarded.", &["route", "place"]),
            subject_tokens: counter("obo_subject_tokens_total", "Subject tokens verified, by outcome.", &["issuer", "outcome"]),
            jwks_refreshes: counter("obo_jwks_refresh_total", "Fetches of an issuer's keys, by outcome.", &["issuer", "outcome"]),
            routes: Mutex::default(),
            issuers: Mutex::default(),
        }
    }

    fn routes(&self) -> MutexGuard<'_, KnownRoutes> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn issuers(&self) -> MutexGuard<'_, BTreeSet<Box<str>>> {
        self.issuers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `obo_build_info` and `process_*`.
fn register_process(registry: &Registry) {
    Gauge::register(
        registry,
        "obo_build_info",
        "Always 1; the version is a label.",
        &[("version", env!("CARGO_PKG_VERSION"))],
    )
    .set(1);
    process::register(registry);
}

impl IssuerMetrics {
    /// Returns counters that are not exported, for key owners that are not issuers.
    pub fn unseen() -> Self {
        Self {
            refreshed: Counter::unseen(),
            refresh_failed: Counter::unseen(),
            token_accepted: Counter::unseen(),
            token_refused: Counter::unseen(),
        }
    }

    /// The issuer's keys were fetched.
    pub fn refreshed(&self) {
        self.refreshed.inc();
    }

    /// The issuer's keys could not be fetched.
    pub fn refresh_failed(&self) {
        self.refresh_failed.inc();
    }

    /// A token of this issuer was verified.
    pub fn token_accepted(&self) {
        self.token_accepted.inc();
    }

    /// A token that names this issuer was refused.
    pub fn token_refused(&self) {
        self.token_refused.inc();
    }
}

#[cfg(test)]
mod tests;
