//! The gateway under load: one exchange for a thousand first uses, bounded memory, no request lost at the end.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

#[path = "load/client.rs"]
mod client;
#[path = "load/fixture.rs"]
mod fixture;
#[path = "load/memory.rs"]
mod memory;
#[path = "load/shutdown.rs"]
mod shutdown;
#[path = "load/single_flight.rs"]
mod single_flight;
