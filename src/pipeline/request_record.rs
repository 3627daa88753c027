//! What is recorded about a request for the logs.

use crate::{
    route::Route,
    telemetry::{CacheResult, TokenDecision},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// The facts about one request for the logs, collected while it is decided, and the observer of that decision.
#[derive(Debug)]
pub struct RequestRecord<W = ()> {
    /// The time at which the request head was complete.
    pub started: Instant,
    /// The route, once it is known.
    pub route: Option<Arc<Route>>,
    /// The result of the cache lookup.
    pub cache: Option<CacheResult>,
    /// How long the request waited for an exchange.
    pub exchange: Option<Duration>,
    /// The decision about the token, unless the credential of the request contains it.
    pub decision: Option<Arc<TokenDecision>>,
    /// The observer of the exchange. Only `explain` uses one.
    pub observer: W,
}

impl RequestRecord {
    /// Creates the record of a request whose head was complete at `started`.
    pub fn since(started: Instant) -> Self {
        Self::observed_by((), started)
    }
}

impl<W> RequestRecord<W> {
    /// Creates a record whose `observer` observes how the request is decided.
    pub fn observed_by(observer: W, started: Instant) -> Self {
        Self {
            started,
            route: None,
            cache: None,
            exchange: None,
            decision: None,
            observer,
        }
    }

    pub(super) fn note(&mut self, route: &Route, result: CacheResult) {
        route.metrics().cache(result);
        self.cache = Some(result);
    }
}
