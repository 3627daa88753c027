//! The pingora app that serves the gateway's listeners.

use super::Serving;
use crate::edge;
use pingora::{proxy::HttpProxy, server::configuration::ServerConf};
use std::sync::Arc;

/// The maximum number of attempts per request: the first, one with a fresh token, and one more if a reused connection
/// was closed.
const ATTEMPTS: usize = 3;

/// The pingora app that serves the gateway's listeners.
pub type App = HttpProxy<Serving>;

/// Creates the pingora app that serves the gateway's listeners.
pub fn app(serving: Serving, threads: usize) -> Arc<App> {
    let conf = ServerConf {
        threads,
        max_retries: ATTEMPTS,
        upstream_keepalive_pool_size: 128 * threads,
        ..ServerConf::default()
    };
    edge::app(&Arc::new(conf), serving)
}
