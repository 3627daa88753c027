//! `explain` and the gateway: one decision for one configuration, token and request, and a text that gives nothing away.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

#[path = "e2e"]
mod shared {
    #[allow(
        dead_code,
        missing_docs,
        unused_imports,
        reason = "made for the end-to-end tests"
    )]
    pub mod support;
}
use shared::support;

#[path = "explain/agreement.rs"]
mod agreement;
#[path = "explain/chance.rs"]
mod chance;
#[path = "explain/command.rs"]
mod command;
#[path = "explain/gateways.rs"]
mod gateways;
#[path = "explain/requests.rs"]
mod requests;
