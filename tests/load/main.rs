//! The gateway under load: one exchange for a thousand concurrent first uses, limited memory, and no lost request at shutdown.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

mod client;
mod fixture;
mod memory;
mod shutdown;
mod single_flight;
