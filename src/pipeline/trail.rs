//! What is recorded about a request for the logs.

use crate::{
    route::Route,
    telemetry::{CacheResult, Decision},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// The facts about one request for the logs, collected while it is decided, and the witness of that decision.
#[derive(Debug)]
pub struct Trail<W = ()> {
    /// The time at which the request head was complete.
    pub started: Instant,
    /// The route, once it is known.
    pub route: Option<Arc<Route>>,
    /// The result of the cache lookup.
    pub cache: Option<CacheResult>,
    /// How long the request waited for an exchange.
    pub exchange: Option<Duration>,
    /// The decision about the token, unless the credential of the request contains it.
    pub decision: Option<Arc<Decision>>,
    /// The witness of the exchange. Only `explain` uses one.
    pub witness: W,
}

impl Trail {
    /// Creates the trail of a request whose head was complete at `started`.
    pub fn since(started: Instant) -> Self {
        Self::told_to((), started)
    }
}

impl<W> Trail<W> {
    /// Creates a trail whose `witness` observes how the request is decided.
    pub fn told_to(witness: W, started: Instant) -> Self {
        Self {
            started,
            route: None,
            cache: None,
            exchange: None,
            decision: None,
            witness,
        }
    }

    pub(super) fn note(&mut self, route: &Route, result: CacheResult) {
        route.metrics().cache(result);
        self.cache = Some(result);
    }
}
