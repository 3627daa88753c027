//! The fixtures of the end-to-end tests.

pub mod client;
pub mod lab;
pub mod obo;
pub mod origin;
pub mod process;
pub mod provider;
pub mod signer;
pub mod wire;

pub use client::{Answer, Ask, Client};
pub use lab::{Lab, Setup};
pub use origin::{Origin, Reply, answer};
pub use provider::Provider;
pub use signer::{Signer, with_changes};

use std::time::Duration;
use tokio::time::{interval, timeout};

/// A deadline that no operation exceeds, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for the condition.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let mut ticks = interval(Duration::from_millis(5));
    timeout(PATIENCE, async {
        while !condition() {
            ticks.tick().await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("never came true: {what}"));
}

/// Installs the TLS provider once per process, like `main`.
pub fn install_crypto() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// Percent-encodes every byte.
pub fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
