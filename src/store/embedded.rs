//! The store in a file of its own, for one gateway.
//!
//! What enters are operations; what leaves are their answers, each only after what it did was flushed to the disk. One
//! thread writes: what waits when it begins a transaction becomes part of it, so that many share one flush. At start the
//! whole file is verified, and one that is damaged, empty or another's is refused: only a file that does not exist is
//! made.

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

/// A store in one file, which this process alone has open.
pub struct Embedded {
    path: PathBuf,
    shelf: Arc<Shelf>,
    operations: mpsc::SyncSender<Operation>,
    revocations: Revocations,
    clock: SharedClock,
    randomness: SharedRandomness,
}

/// How long an operation waits for the disk.
const DEADLINE: Duration = Duration::from_secs(5);
/// How many operations wait for the disk at most.
const WAITING: usize = 4_096;

impl Embedded {
    /// Opens the store at `path`, verifying all of it, and makes one where there is no file. The revocations that it
    /// holds are known when this returns.
    ///
    /// # Errors
    /// [`OpenError`]; what the file holds is left as it is.
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

    /// Looks at the file without opening it: whether [`Self::open`] has something to open, or may make one.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn look(path: &Path) -> Result<(), OpenError> {
        file::look(path)
    }

    async fn perform(&self, what: What) -> Result<bool, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.operations
            .try_send(Operation { what, answer })
            .map_err(|_| unavailable("too many operations wait for the disk"))?;
        timeout(DEADLINE, answered)
            .await
            .map_err(|_| unavailable("the disk did not answer in time"))?
            .map_err(|_| unavailable("the writing thread has ended"))?
    }
}

impl Store for Embedded {
    async fn get(&self, key: &RecordKey) -> Result<Option<Record>, StoreError> {
        // a page in memory, or one read of a local file: no reason to wait in line behind flushes
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
