//! The whole gateway on real sockets: with a provider that issues tokens, an upstream that keeps every byte that it
//! receives, and clients that write exact bytes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub
)]

mod answers;
mod browser;
mod canary;
mod check;
mod exchangers;
pub mod fail_closed;
mod guide;
mod issued;
mod keys;
mod log_lines;
mod long_lived;
mod observed;
mod opaque;
mod refresh;
mod reload;
mod replicas;
mod revocation;
mod rules;
mod start;
mod token_service;
mod who;

pub mod support;
