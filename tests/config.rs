//! Reading the configuration: every error with its place and its fix, and no panic for any content of the file.
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
