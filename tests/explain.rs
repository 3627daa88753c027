//! `explain` and the gateway make the same decision for the same configuration, token and request, and the output contains no
//! secret.
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
