//! The documentation matches the gateway: the schema, the references, the lists of names.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod agreement;
mod files;
mod links;
mod names;
mod openapi;
mod reference;
mod schema;
mod words;
