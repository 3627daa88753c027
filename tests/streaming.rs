//! What passes through while it is still being written: HTTP/2 with many streams, event streams, trailers, bodies larger
//! than memory, and the connections that carry them on both sides.
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

#[path = "streaming/authority.rs"]
mod authority;
#[path = "streaming/bulk.rs"]
mod bulk;
#[path = "streaming/events.rs"]
mod events;
#[path = "streaming/expect.rs"]
mod expect;
#[path = "streaming/http2.rs"]
mod http2;
#[path = "streaming/keep_alive.rs"]
mod keep_alive;
#[path = "streaming/many_streams.rs"]
mod many_streams;
#[path = "streaming/pattern.rs"]
mod pattern;
#[path = "streaming/pressure.rs"]
mod pressure;
#[path = "streaming/program.rs"]
mod program;
#[path = "streaming/stage.rs"]
mod stage;
#[path = "streaming/trailers.rs"]
mod trailers;
#[path = "streaming/upstream.rs"]
mod upstream;
