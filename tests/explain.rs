//! `explain` and the gateway: one decision for one configuration, token and request, and a text that gives nothing away.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

use crate::e2e::support;

mod agreement;
mod chance;
mod command;
mod gateways;
mod requests;
