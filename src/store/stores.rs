//! The stores that can be configured.

use super::{Embedded, Lift, Record, RecordKey, Redis, Revocation, Revocations, Store, StoreError};
use crate::clock::UnixTime;
use std::sync::Arc;

/// One of the stores. Clones share it.
#[derive(Debug, Clone)]
pub enum Stores {
    /// In a file.
    Embedded(Arc<Embedded>),
    /// On a Redis or Valkey server.
    Redis(Arc<Redis>),
}

impl Stores {
    /// The key in the `store` section.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Embedded(_) => "embedded",
            Self::Redis(_) => "redis",
        }
    }
}

impl Store for Stores {
    async fn get(&self, key: &RecordKey) -> Result<Option<Record>, StoreError> {
        match self {
            Self::Embedded(store) => store.get(key).await,
            Self::Redis(store) => store.get(key).await,
        }
    }

    async fn put_new(
        &self,
        key: &RecordKey,
        value: Vec<u8>,
        until: UnixTime,
    ) -> Result<bool, StoreError> {
        match self {
            Self::Embedded(store) => store.put_new(key, value, until).await,
            Self::Redis(store) => store.put_new(key, value, until).await,
        }
    }

    async fn swap(
        &self,
        key: &RecordKey,
        version: u64,
        value: Vec<u8>,
        until: UnixTime,
    ) -> Result<bool, StoreError> {
        match self {
            Self::Embedded(store) => store.swap(key, version, value, until).await,
            Self::Redis(store) => store.swap(key, version, value, until).await,
        }
    }

    async fn remove(&self, key: &RecordKey) -> Result<(), StoreError> {
        match self {
            Self::Embedded(store) => store.remove(key).await,
            Self::Redis(store) => store.remove(key).await,
        }
    }

    async fn revoke(&self, revocations: &[Revocation]) -> Result<(), StoreError> {
        match self {
            Self::Embedded(store) => store.revoke(revocations).await,
            Self::Redis(store) => store.revoke(revocations).await,
        }
    }

    async fn lift(&self, lifts: &[Lift]) -> Result<(), StoreError> {
        match self {
            Self::Embedded(store) => store.lift(lifts).await,
            Self::Redis(store) => store.lift(lifts).await,
        }
    }

    fn revocations(&self) -> &Revocations {
        match self {
            Self::Embedded(store) => store.revocations(),
            Self::Redis(store) => store.revocations(),
        }
    }
}
