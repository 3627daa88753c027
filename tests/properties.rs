//! What holds for every input: attenuation, the algebra of scopes, the matching of paths, the cache key.
//!
//! Each law is tried on 10,000 inputs at least. What a law expects is computed from the generated input alone, in the
//! words of the specification, never by the code that is tested.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

#[path = "properties/accept.rs"]
mod accept;
#[path = "properties/attenuation.rs"]
mod attenuation;
#[path = "properties/cache_key.rs"]
mod cache_key;
#[path = "properties/endpoint.rs"]
mod endpoint;
#[path = "properties/exchange.rs"]
mod exchange;
#[path = "properties/formats.rs"]
mod formats;
#[path = "properties/id_tokens.rs"]
mod id_tokens;
#[path = "properties/paths.rs"]
mod paths;
#[path = "properties/routes.rs"]
mod routes;
#[path = "properties/rules.rs"]
mod rules;
#[path = "properties/scopes.rs"]
mod scopes;
#[path = "properties/subject.rs"]
mod subject;
#[path = "properties/world.rs"]
mod world;

use proptest::test_runner::Config;

/// 10,000 cases, and no files left behind: the failing input is printed in full.
fn cases() -> Config {
    Config {
        cases: 10_000,
        failure_persistence: None,
        ..Config::default()
    }
}
