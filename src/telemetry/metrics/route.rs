//! The metrics of one route.

use super::{
    Families,
    family::{ByLabel, Counter, Timing},
};
use crate::telemetry::labels::{
    CacheResult, ExchangeOutcome, Label, LeakPlace, Outcome, Reason, StatusClass,
};
use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

/// The metrics of one route, with handles by index. Nothing is looked up by name.
pub struct RouteMetrics {
    name: Box<str>,
    exchanger: Box<str>,
    families: Arc<Families>,
    series: OnceLock<Box<Series>>,
}

struct Series {
    requests: ByLabel<Outcome>,
    request_duration: Timing,
    exchanges: ByLabel<ExchangeOutcome>,
    exchange_duration: Timing,
    cache: ByLabel<CacheResult>,
    upstream_requests: ByLabel<StatusClass>,
    upstream_duration: Timing,
    leaks: ByLabel<LeakPlace>,
    denied: Box<[OnceLock<Counter>]>,
}

/// The reasons that alerts in `docs/metrics.md` use, besides requests that are `unavailable`.
const ALERTED_REASONS: [Reason; 2] = [Reason::AuditUnwritable, Reason::UpstreamUnauthorized];
const ALERTED_PLACES: [LeakPlace; 2] = [LeakPlace::ResponseHead, LeakPlace::ResponseTrailer];

impl RouteMetrics {
    pub(super) fn new(name: &str, exchanger: &str, families: Arc<Families>) -> Self {
        families
            .requests
            .with(&[name, Outcome::Unavailable.as_str()]);
        for reason in ALERTED_REASONS {
            families.denied.with(&[name, reason.as_str()]);
        }
        for place in ALERTED_PLACES {
            families.leaks.with(&[name, place.as_str()]);
        }
        Self {
            name: name.into(),
            exchanger: exchanger.into(),
            families,
            series: OnceLock::new(),
        }
    }

    /// The route's name, as in the labels.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A request of this route ended after `duration`.
    pub fn request(&self, outcome: Outcome, duration: Duration) {
        let series = self.resolve();
        series.requests.inc(outcome);
        series.request_duration.observe(duration);
    }

    /// A request of this route was not forwarded.
    pub fn denied(&self, reason: Reason) {
        let make = || self.families.denied.with(&[&self.name, reason.as_str()]);
        if let Some(counter) = self.resolve().denied.get(reason.index()) {
            counter.get_or_init(make).inc();
        }
    }

    /// The cache was looked up.
    pub fn cache(&self, result: CacheResult) {
        self.resolve().cache.inc(result);
    }

    /// An exchange ended after `duration`.
    pub fn exchange(&self, outcome: ExchangeOutcome, duration: Duration) {
        let series = self.resolve();
        series.exchanges.inc(outcome);
        series.exchange_duration.observe(duration);
    }

    /// The upstream responded after `duration`.
    pub fn upstream(&self, class: StatusClass, duration: Duration) {
        let series = self.resolve();
        series.upstream_requests.inc(class);
        series.upstream_duration.observe(duration);
    }

    /// A token was prevented from leaking.
    pub fn leak(&self, place: LeakPlace) {
        self.resolve().leaks.inc(place);
    }

    /// Creates the series before the first request.
    pub(super) fn prepare(&self) {
        self.resolve();
    }

    /// Removes the series of this route.
    fn forget(&self) {
        let (name, families) = (self.name.as_ref(), &self.families);
        ByLabel::<Outcome>::each(|outcome| families.requests.forget(&[name, outcome]));
        families.request_duration.forget(&[name]);
        ByLabel::<CacheResult>::each(|result| families.cache.forget(&[name, result]));
        ByLabel::<StatusClass>::each(|class| families.upstream_requests.forget(&[name, class]));
        families.upstream_duration.forget(&[name]);
        ByLabel::<LeakPlace>::each(|place| families.leaks.forget(&[name, place]));
        ByLabel::<Reason>::each(|reason| families.denied.forget(&[name, reason]));
    }

    /// Removes the series of exchanges by the exchanger of this route.
    fn forget_exchanges(&self) {
        ByLabel::<ExchangeOutcome>::each(|outcome| {
            let series = [&*self.name, &*self.exchanger, outcome];
            self.families.exchanges.forget(&series);
        });
    }

    fn resolve(&self) -> &Series {
        let resolve = || Series::resolve(&self.name, &self.exchanger, &self.families);
        self.series.get_or_init(|| Box::new(resolve()))
    }
}

/// The last owner, which may be the last request of a removed route, removes its series.
impl Drop for RouteMetrics {
    fn drop(&mut self) {
        let mut routes = self.families.routes();
        let Some(of_exchanger) = routes.get_mut(&self.exchanger) else {
            return;
        };
        // if there is a new route with this name and exchanger, the series belong to it
        let known = of_exchanger.get(&self.name);
        if !known.is_some_and(|known| std::ptr::eq(known.as_ptr(), self)) {
            return;
        }
        of_exchanger.remove(&self.name);
        self.forget_exchanges();
        if of_exchanger.is_empty() {
            routes.remove(&self.exchanger);
            self.families.exchange_duration.forget(&[&self.exchanger]);
        }
        // a route with this name and another exchanger has the same other series
        if !routes
            .values()
            .any(|routes| routes.contains_key(&self.name))
        {
            self.forget();
        }
    }
}

impl Series {
    fn resolve(route: &str, exchanger: &str, families: &Families) -> Self {
        Self {
            requests: ByLabel::resolve(|outcome| families.requests.with(&[route, outcome])),
            request_duration: families.request_duration.with(&[route]),
            exchanges: ByLabel::resolve(|outcome| {
                families.exchanges.with(&[route, exchanger, outcome])
            }),
            exchange_duration: families.exchange_duration.with(&[exchanger]),
            cache: ByLabel::resolve(|result| families.cache.with(&[route, result])),
            upstream_requests: ByLabel::resolve(|class| {
                families.upstream_requests.with(&[route, class])
            }),
            upstream_duration: families.upstream_duration.with(&[route]),
            leaks: ByLabel::resolve(|place| families.leaks.with(&[route, place])),
            denied: Reason::ALL.iter().map(|_| OnceLock::new()).collect(),
        }
    }
}

impl fmt::Debug for RouteMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RouteMetrics").field(&self.name).finish()
    }
}
