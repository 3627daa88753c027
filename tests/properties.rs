//! Properties that are true for every input: attenuation, the algebra of scopes, the matching of paths, the cache key.
//!
//! Each law is tested on at least 10,000 inputs. The expected result is computed only from the generated input, by the
//! specification, never by the tested code.
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
pub mod exchange;
mod formats;
mod id_tokens;
mod paths;
mod routes;
mod rules;
mod scopes;
pub mod subject;
mod world;

use proptest::test_runner::Config;

/// 10,000 cases, and no files left behind: the failing input is printed in full.
pub fn cases() -> Config {
    Config {
        cases: 10_000,
        failure_persistence: None,
        ..Config::default()
    }
}
