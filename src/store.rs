//! Durable state: revocations, and records that are used once or changed step by step.
//!
//! A completed operation survives any later crash. A revocation completes only after it is durable and in the process's
//! [`Revocations`], which every request checks without waiting. If the store cannot be reached, operations return an
//! error.

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
pub use revocations::{Revocations, Revoked};
pub use settings::{EmbeddedSettings, StoreParts, StoreSettings};
pub use stores::Stores;

use crate::clock::UnixTime;
use std::fmt;
use thiserror::Error;

/// Stores records and revocations.
///
/// An implementation is one file of this module and one variant of [`Stores`]. It must pass the contract tests that all
/// implementations share.
pub trait Store: Send + Sync + fmt::Debug {
    /// Returns the record, unless there is none or it has expired.
    fn get(
        &self,
        key: &RecordKey,
    ) -> impl Future<Output = Result<Option<Record>, StoreError>> + Send;

    /// Stores `value` until `until`, unless there is already a record. Returns `false` if there is one, and does not
    /// change it. This allows something to be used only once.
    fn put_new(
        &self,
        key: &RecordKey,
        value: Vec<u8>,
        until: UnixTime,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Replaces the record if it still has `version`. Returns `false` if it has a different version or does not exist,
    /// and changes nothing.
    fn swap(
        &self,
        key: &RecordKey,
        version: u64,
        value: Vec<u8>,
        until: UnixTime,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Removes the record, if it exists.
    fn remove(&self, key: &RecordKey) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Makes the revocations durable and adds them to this process's [`Revocations`]. Both are done when this returns
    /// `Ok`. After an error, any of them may be in force or not.
    fn revoke(
        &self,
        revocations: &[Revocation],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Lifts revocations, durably. When this returns `Ok`, this process's [`Revocations`] have changed. Other processes
    /// that share the store learn of it as fast as of a revocation. A later revocation is not affected.
    fn lift(&self, lifts: &[Lift]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The revocations that this process knows, including those made by others.
    fn revocations(&self) -> &Revocations;
}

/// The reason why a store operation failed. The operation may still have been performed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StoreError {
    /// The store cannot be reached, or did not respond in time. A retry may succeed.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// The stored data is not what was written.
    #[error("the stored data is not what was written")]
    Corrupt,
    /// The store has reached its maximum size.
    #[error("the store is full")]
    Full,
    /// The record could not be sealed, or there was no randomness.
    #[error("the record could not be prepared")]
    Preparation,
}
