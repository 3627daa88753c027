//! What one configuration provides for requests.

use super::peers::Peers;
use crate::{
    clock::SharedClock,
    pipeline::Pipeline,
    sts::TokenService,
    telemetry::{AccessLog, Decisions, IdSource, RouteMetrics},
};
use std::sync::Arc;

/// The components that one configuration provides for requests.
#[derive(Debug)]
pub struct Hooks {
    /// Decides on requests.
    pub pipeline: Pipeline,
    /// The gateway's own endpoints and documents.
    pub service: TokenService,
    /// The upstream servers of all routes.
    pub peers: Peers,
    /// The access log: one line per request.
    pub access_log: AccessLog,
    /// The decisions on recent requests.
    pub decisions: Decisions,
    /// Generates the ids of requests and trace spans.
    pub ids: IdSource,
    /// Metrics of requests that match no route.
    pub no_route: Arc<RouteMetrics>,
    /// The current time.
    pub clock: SharedClock,
}
