//! Reading the configuration: every mistake with its place and its cure, and no panic whatever the file holds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod breakages;
mod empties;
mod fixtures;
mod garbage;
pub(crate) mod gateway;
mod places;
mod wording;
