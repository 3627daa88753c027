//! Serves HTTP: accepts connections, asks the pipeline for a decision, and forwards requests. This is the only module
//! that names pingora.
//!
//! A request reaches the upstream without any field that could carry a credential. Exactly one
//! [`ForwardCredential`](crate::cache::ForwardCredential) is attached to it, or none on a public route. The filter that
//! writes the outgoing head refuses a request without one of these two proofs. After a failure, nothing is forwarded,
//! and nothing that the upstream says about tokens reaches the client.

mod app;
mod arrival;
mod at_once;
mod components;
mod context;
mod cors;
mod departure;
mod ending;
mod fault;
mod hooks;
mod hygiene;
mod local;
mod media;
mod peers;
mod rehearsal;
mod respond;
mod serving;
mod settings;
mod token_service;
mod tunnel;
mod upstream_response;

pub use app::{App, app};
pub use components::Hooks;
pub(crate) use hygiene::{is_dropped_from_request, is_dropped_from_response, is_written_anew};
pub use local::{AdminApp, Site, SiteApp};
pub use peers::{Peers, UpstreamTlsError};
pub use rehearsal::{ImaginedHead, NoRequest, RehearsedOutcome};
pub use serving::Serving;
pub use settings::{ListenerSettings, RuntimeSettings, ShutdownSettings, ThreadSetting};
