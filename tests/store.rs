//! Contract tests that every store passes, and tests for each store: crashes and damage of the file, and outages of the
//! server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, measures real deadlines and prints its figures"
)]

mod contract;
mod crash;
mod damage;
mod embedded;
mod redis;
pub(crate) mod server;

use obo_gateway::{
    clock::{Clock, ManualClock, SystemRandomness, UnixTime},
    store::{Embedded, Lineage, OpenError, Revocation, RevocationKey, Stores},
};
use std::{path::Path, sync::Arc};

/// The initial time of the tests' clocks.
const NOW: UnixTime = UnixTime::from_secs(1_000_000);

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(NOW))
}

fn later(seconds: i64) -> UnixTime {
    UnixTime::from_secs(NOW.as_secs() + seconds)
}

/// Returns the embedded store at `path`, with a stopped clock.
fn open(path: &Path) -> Result<Stores, OpenError> {
    open_at(path, clock())
}

fn open_at(path: &Path, clock: Arc<dyn Clock>) -> Result<Stores, OpenError> {
    let store = Embedded::open(path, clock, Arc::new(SystemRandomness))?;
    Ok(Stores::Embedded(Arc::new(store)))
}

/// Returns the revocation of a token whose `jti` is `id`.
fn revoked(id: impl ToString) -> Revocation {
    Revocation::of_all(token(id), NOW, later(3_600))
}

fn token(id: impl ToString) -> RevocationKey {
    RevocationKey::token("https://gateway.example", &id.to_string())
}

/// Returns the lineage of that token.
fn lineage(id: impl ToString) -> Lineage {
    Lineage::new([token(id)], NOW).unwrap()
}
