//! What a request leaves behind on its way.

use crate::{
    route::Route,
    telemetry::{CacheResult, Decision},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// What is known of a request besides its admission, for the logs, and who is told how that came about.
#[derive(Debug)]
pub struct Trail<W = ()> {
    /// When its head was whole.
    pub started: Instant,
    /// The route, once one is found.
    pub route: Option<Arc<Route>>,
    /// What the cache said.
    pub cache: Option<CacheResult>,
    /// How long the request waited for an exchange.
    pub exchange: Option<Duration>,
    /// What was decided about its token, where the request itself does not hold that as its credential.
    pub decision: Option<Arc<Decision>>,
    /// Who is told how an exchange is decided on: nobody, but for a decision that is explained.
    pub witness: W,
}

impl Trail {
    /// Of a request whose head was whole at `started`.
    pub fn since(started: Instant) -> Self {
        Self::told_to((), started)
    }
}

impl<W> Trail<W> {
    /// The same, and `witness` is told how it is decided on.
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
