//! The embedded store: a local file, for a single gateway.
//!
//! An operation completes only after its changes were flushed to disk. One thread writes: all operations that wait when
//! it begins a transaction become part of it, so that many operations share one flush. At start, the whole file is
//! verified. A damaged, empty or foreign file is refused. The store creates a file only if none exists.

mod codec;
mod file;
mod transaction;
mod writer;

pub use file::OpenError;

use super::{
    Lift, Record, RecordKey, Revocation, Revocations, Store, StoreError, record::first_version,
};
use crate::clock::{SharedClock, SharedRandomness, UnixTime};
use file::Shelf;
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    time::Duration,
};
use tokio::{sync::oneshot, time::timeout};
use transaction::What;
use writer::{Operation, Writer};

/// A store in one file, which only this process has open.
pub struct Embedded {
    path: PathBuf,
    shelf: Arc<Shelf>,
    operations: mpsc::SyncSender<Operation>,
    revocations: Revocations,
    clock: SharedClock,
    randomness: SharedRandomness,
}

/// The maximum time that an operation waits for the disk.
const DEADLINE: Duration = Duration::from_secs(5);
/// The maximum number of operations that wait for the disk.
const WAITING: usize = 4_096;

impl Embedded {
    /// Opens the store at `path` and verifies all of it, or creates the file if it does not exist. The stored
    /// revocations are loaded when this returns.
    ///
    /// # Errors
    /// [`OpenError`]. The file is left unchanged.
    pub fn open(
        path: &Path,
        clock: SharedClock,
        randomness: SharedRandomness,
    ) -> Result<Self, OpenError> {
        let (shelf, known) = Shelf::open(path)?;
        let shelf = Arc::new(shelf);
        let revocations = Revocations::of_one_process();
        revocations.insert(known);
        revocations.sweep(clock.now());
        let (operations, waiting) = mpsc::sync_channel(WAITING);
        let writer = Writer::new(Arc::clone(&shelf), revocations.clone(), Arc::clone(&clock));
        std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || writer.run(&waiting))
            .map_err(OpenError::Io)?;
        Ok(Self {
            path: path.to_path_buf(),
            shelf,
            operations,
            revocations,
            clock,
            randomness,
        })
    }

    /// Checks, without opening the file, that [`Self::open`] could open it or may create it.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn look(path: &Path) -> Result<(), OpenError> {
        file::look(path)
    }

    async fn perform(&self, what: What) -> Result<bool, StoreError> {
        let (response, responded) = oneshot::channel();
        self.operations
            .try_send(Operation { what, response })
            .map_err(|_| unavailable("too many operations wait for the disk"))?;
        timeout(DEADLINE, responded)
            .await
            .map_err(|_| unavailable("the disk did not respond in time"))?
            .map_err(|_| unavailable("the writing thread has ended"))?
    }
}

impl Store for Embedded {
    async fn get(&self, key: &RecordKey) -> Result<Option<Record>, StoreError> {
        // reads a page in memory or from the local file, so it does not need to wait for flushes
        let found = self.shelf.read(|tables| tables.record(key))?;
        let now = self.clock.now();
        Ok(found.filter(|found| found.until > now).map(|found| Record {
            value: found.value,
            version: found.version,
        }))
    }

    async fn put_new(
        &self,
        key: &RecordKey,
        value: Vec<u8>,
        until: UnixTime,
    ) -> Result<bool, StoreError> {
        self.perform(What::PutNew {
            key: *key,
            version: first_version(&*self.randomness)?,
            value,
            until,
        })
        .await
    }

    async fn swap(
        &self,
        key: &RecordKey,
        version: u64,
        value: Vec<u8>,
        until: UnixTime,
    ) -> Result<bool, StoreError> {
        self.perform(What::Swap {
            key: *key,
            version,
            value,
            until,
        })
        .await
    }

    async fn remove(&self, key: &RecordKey) -> Result<(), StoreError> {
        self.perform(What::Remove { key: *key }).await.map(drop)
    }

    async fn revoke(&self, revocations: &[Revocation]) -> Result<(), StoreError> {
        self.perform(What::Revoke(revocations.to_vec()))
            .await
            .map(drop)
    }

    async fn lift(&self, lifts: &[Lift]) -> Result<(), StoreError> {
        self.perform(What::Lift(lifts.to_vec())).await.map(drop)
    }

    fn revocations(&self) -> &Revocations {
        &self.revocations
    }
}

fn unavailable(why: &str) -> StoreError {
    StoreError::Unavailable(why.to_owned())
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
