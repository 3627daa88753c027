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

mod accept;
mod attenuation;
mod cache_key;
mod endpoint;
mod exchange;
mod formats;
mod id_tokens;
mod paths;
mod routes;
mod rules;
mod scopes;
mod subject;
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
