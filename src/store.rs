//! What must outlive a process: who and what was revoked, and records that are used once or change one step at a time.
//!
//! What enters are records and revocations; what leaves are the same, after any crash that comes behind an answer. A
//! revocation is answered only once it is durable, and is then in the process's [`Revocations`], which every request asks
//! without waiting for anything. A store that cannot be reached says so; nothing here guesses.

mod embedded;
mod lineage;
mod once;
mod record;
mod redis;
mod revocation;
mod revocations;
mod settings;
mod stores;

pub use self::redis::{Redis, RedisSettings, RedisTlsSettings, STALE_AFTER, SentinelSettings};
pub use embedded::{Embedded, OpenError};
pub use lineage::{Lineage, TooManyKeys};
pub use once::{OnceOnly, Use};
pub use record::{Record, RecordKey};
pub use revocation::{Change, Lift, NoRevocationKey, Reach, Revocation, RevocationKey, RevokedBy};
pub use revocations::Revocations;
pub use settings::{EmbeddedSettings, StoreParts, StoreSettings};
pub use stores::Stores;

use crate::clock::UnixTime;
use std::fmt;
use thiserror::Error;

/// Keeps records and revocations.
///
/// An implementation is one file of this module and one variant of the enum that names them; it passes the contract
/// tests that all of them pass.
pub trait Store: Send + Sync + fmt::Debug {
    /// The record, unless there is none or its time is over.
    fn get(
        &self,
        key: &RecordKey,
    ) -> impl Future<Output = Result<Option<Record>, StoreError>> + Send;

    /// Keeps `value` until `until`, where there is no record yet. `false`: there is one, and it stays as it is. This is
    /// how something is used once.
    fn put_new(
        &self,
        key: &RecordKey,
        value: Vec<u8>,
        until: UnixTime,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Replaces the record where it still has `version`. `false`: it is another one meanwhile, or none, and stays so.
    fn swap(
        &self,
        key: &RecordKey,
        version: u64,
        value: Vec<u8>,
        until: UnixTime,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Forgets the record; there need not be one.
    fn remove(&self, key: &RecordKey) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Makes the revocations durable and enters them in this process's [`Revocations`]; both have happened when this
    /// answers. All of them hold then, or none was answered for.
    fn revoke(
        &self,
        revocations: &[Revocation],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Takes revocations back, durably. This process's [`Revocations`] know it when this answers, and every other
    /// process that shares the store knows it as soon as it would know of a revocation. One that is made later holds.
    fn lift(&self, lifts: &[Lift]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The revocations that this process knows, also those that others made.
    fn revocations(&self) -> &Revocations;
}

/// Why a store did not do what it was asked. It is not known then whether it did.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StoreError {
    /// It cannot be reached, or did not answer in time: asking again later may help.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// What it holds is not what was put there.
    #[error("the store holds something that was not put there so")]
    Corrupt,
    /// It keeps as much as it may.
    #[error("the store is full")]
    Full,
    /// The record could not be sealed, or there was no randomness.
    #[error("the record could not be prepared")]
    Preparation,
}
