//! Streaming: HTTP/2 with many streams, event streams, trailers, bodies larger than memory, and the connections for them on
//! both sides.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

use crate::e2e::support;

mod authority;
mod bulk;
mod early;
mod ended;
mod events;
mod expect;
mod heads;
mod http2;
mod keep_alive;
mod many_streams;
mod pattern;
mod pressure;
mod program;
mod stage;
mod trailers;
mod upstream;
