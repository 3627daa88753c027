//! The HTTP in front of the pipeline and behind it: the only module that names pingora.
//!
//! What enters are connections; what leaves are requests to downstream APIs, stripped of everything that could carry a
//! credential, with one [`ForwardCredential`](crate::cache::ForwardCredential) attached or, on a public route, none.
//! The filter that writes the outgoing head refuses a request without one of the two proofs. Nothing of a failure is
//! forwarded, and nothing that the downstream says about tokens is passed on.

pub mod edge;

mod arrival;
mod at_once;
mod certificate;
mod context;
mod cors;
mod departure;
mod downstream;
mod ending;
mod fault;
mod hooks;
mod hygiene;
mod lease;
mod local;
mod media;
mod peers;
mod rehearsal;
mod respond;
mod serving;
mod settings;
mod token_service;
mod tunnel;

pub use hooks::Hooks;
pub(crate) use hygiene::{is_dropped_from_request, is_dropped_from_response, is_written_anew};
pub use local::{AdminApp, Site, SiteApp, connection_metrics};
pub use peers::{Peers, UpstreamTlsError};
pub use rehearsal::{Ending, ImaginedHead, NoRequest};
pub use serving::Serving;
pub use settings::{ListenerSettings, RuntimeSettings, ShutdownSettings, ThreadSetting};

use pingora::{proxy::HttpProxy, server::configuration::ServerConf};
use std::sync::Arc;

/// The most attempts of one request: the first, one with a fresh token, one more where a reused connection was closed.
const ATTEMPTS: usize = 3;

/// The pingora app that serves the proxy's listeners.
pub type App = HttpProxy<Serving>;

/// Makes the pingora app that serves the proxy's listeners.
pub fn app(serving: Serving, threads: usize) -> Arc<App> {
    let conf = ServerConf {
        threads,
        max_retries: ATTEMPTS,
        upstream_keepalive_pool_size: 128 * threads,
        ..ServerConf::default()
    };
    edge::app(&Arc::new(conf), serving)
}
