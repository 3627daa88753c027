//! The file of the embedded store: opening, verifying and creating it.

use super::{
    codec::{self, Damaged, Kept},
    transaction::{ENDS, Fault, RECORDS, REVOCATIONS, Reading, Writing},
};
use crate::{
    clock::{Randomness, SystemRandomness},
    jose::encoding::base64url,
    store::{Revocation, StoreError},
};
use redb::{
    Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, ReadableTableMetadata,
    StorageError, TableDefinition, TableError,
};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Read},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};
use thiserror::Error;

/// The reason why a file cannot be used as a store. The file is left unchanged.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process has the file open, or this process under another name.
    #[error("the store is open in another process")]
    Locked,
    /// The file is empty. It was truncated, because a store is never empty.
    #[error("the file is empty, so it is not a store")]
    Empty,
    /// The file is not a store.
    #[error("the file is not a store of obo-gateway")]
    NotAStore,
    /// The store has a different format.
    #[error("the store has the format {0:?}, which this version cannot read")]
    OtherFormat(String),
    /// The contents are not what was written.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// The file cannot be read or created.
    #[error("{0}")]
    Io(#[source] io::Error),
}

/// The open file. After a disk error it is closed, and is opened and verified again at the next operation.
pub(super) struct Shelf {
    path: PathBuf,
    database: RwLock<Option<Arc<Database>>>,
}

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const FORMAT: &str = "format";
const THIS_FORMAT: &[u8] = b"obo-gateway store 1";
/// A counter that is incremented whenever the file is settled.
const SETTLED: &str = "settled";
/// The first bytes of a file of this kind.
const MAGIC: [u8; 4] = *b"redb";
/// The size of the cache in memory, in addition to the system's own cache.
const MEMORY: usize = 16 << 20;

impl Shelf {
    /// Opens or creates the file, and reads its revocations.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<Revocation>), OpenError> {
        if !exists(path)? {
            make(path)?;
        }
        let (database, revocations) = verified(path)?;
        let shelf = Self {
            path: path.to_path_buf(),
            database: RwLock::new(Some(Arc::new(database))),
        };
        Ok((shelf, revocations))
    }

    /// Runs `work` in a transaction that is on disk when this returns. After an error, none of it is.
    pub(super) fn write<T>(
        &self,
        work: impl FnOnce(&mut Writing<'_>) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let done = self.database().and_then(|database| {
            let transaction = begin(&database)?;
            let done = work(&mut Writing::of(&transaction)?)?;
            transaction.commit()?;
            Ok(done)
        });
        done.map_err(|fault| self.respond_to(fault))
    }

    /// Runs `look` on the state after the last transaction.
    pub(super) fn read<T>(
        &self,
        look: impl FnOnce(&Reading) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let found = self
            .database()
            .and_then(|database| look(&Reading::of(&database.begin_read()?)?));
        found.map_err(|fault| self.respond_to(fault))
    }

    /// Commits a transaction without any relevant change.
    pub(super) fn settle(&self) -> Result<(), StoreError> {
        let settled = self.database().and_then(|database| {
            let transaction = begin(&database)?;
            {
                let mut meta = transaction.open_table(META)?;
                let count = meta.get(SETTLED)?.and_then(|found| {
                    let count = found.value().first_chunk().copied();
                    count.map(u64::from_be_bytes)
                });
                let next = count.unwrap_or(0).wrapping_add(1).to_be_bytes();
                meta.insert(SETTLED, next.as_slice())?;
            }
            Ok(transaction.commit()?)
        });
        settled.map_err(|fault| self.respond_to(fault))
    }

    fn database(&self) -> Result<Arc<Database>, Fault> {
        let open = self.database.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(database) = open.as_ref() {
            return Ok(Arc::clone(database));
        }
        drop(open);
        let mut open = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(database) = open.as_ref() {
            return Ok(Arc::clone(database));
        }
        // its revocations are already known, because only this process writes them
        let (database, _) =
            verified(&self.path).map_err(|error| Fault::Closed(error.to_string()))?;
        Ok(Arc::clone(open.insert(Arc::new(database))))
    }

    fn respond_to(&self, fault: Fault) -> StoreError {
        match fault {
            Fault::Damaged => StoreError::Corrupt,
            Fault::Closed(why) => StoreError::Unavailable(why),
            Fault::File(error) => {
                let mut open = self
                    .database
                    .write()
                    .unwrap_or_else(PoisonError::into_inner);
                *open = None;
                StoreError::Unavailable(error.to_string())
            }
        }
    }
}

/// Begins a transaction with two-phase commit. The file then records which of its two headers is newer, so that a
/// damaged header is never mistaken for an interrupted transaction.
fn begin(database: &Database) -> Result<redb::WriteTransaction, Fault> {
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    Ok(transaction)
}

/// Checks the file as far as possible without opening it.
pub(super) fn look(path: &Path) -> Result<(), OpenError> {
    if !exists(path)? {
        return Ok(());
    }
    let mut begins = [0; MAGIC.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut begins));
    match read {
        Ok(()) if begins == MAGIC => Ok(()),
        Ok(()) => Err(OpenError::NotAStore),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(OpenError::NotAStore),
        Err(error) => Err(OpenError::Io(error)),
    }
}

fn exists(path: &Path) -> Result<bool, OpenError> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => Err(OpenError::NotAStore),
        Ok(metadata) if metadata.len() == 0 => Err(OpenError::Empty),
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(OpenError::Io(error)),
    }
}

/// Creates a complete store next to `path` and links it to `path`. A crash leaves either no store or a complete one, and a
/// link never replaces an existing file.
fn make(path: &Path) -> Result<(), OpenError> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut random = [0; 12];
    SystemRandomness
        .fill(&mut random)
        .map_err(|error| OpenError::Io(io::Error::other(error)))?;
    let temporary = folder.join(format!(".store-{}.tmp", base64url(random)));
    let made = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .and_then(|()| {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(0o600);
            options.open(&temporary).map(drop)
        })
        .map_err(OpenError::Io)
        .and_then(|()| fill(&temporary))
        .and_then(|()| match fs::hard_link(&temporary, path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(OpenError::Io(error)),
            _ => Ok(()),
        });
    // best effort: a file that was never created cannot be removed, and the first error is more important
    let _ = fs::remove_file(&temporary);
    made?;
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(OpenError::Io)
}

fn fill(path: &Path) -> Result<(), OpenError> {
    let fill = || -> Result<(), Fault> {
        let database = Builder::new()
            .create(path)
            .map_err(|error| Fault::Closed(error.to_string()))?;
        let transaction = begin(&database)?;
        transaction.open_table(META)?.insert(FORMAT, THIS_FORMAT)?;
        drop(Writing::of(&transaction)?);
        transaction.commit()?;
        database
            .close()
            .map_err(|error| Fault::Closed(error.to_string()))
    };
    fill().map_err(OpenError::from)
}

/// Opens an existing file and reads all of it.
fn verified(path: &Path) -> Result<(Database, Vec<Revocation>), OpenError> {
    // the library should not panic on a file that it checks; a file that causes a panic counts as damaged
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let database = Builder::new()
            .set_cache_size(MEMORY)
            .set_check_integrity_on_open(true)
            .open(path)?;
        let revocations = read(&database)?;
        Ok((database, revocations))
    }));
    opened.unwrap_or_else(|_| Err(OpenError::Damaged("it cannot be followed".to_owned())))
}

fn read(database: &Database) -> Result<Vec<Revocation>, OpenError> {
    let transaction = database.begin_read().map_err(Fault::from)?;
    let meta = match transaction.open_table(META) {
        Ok(meta) => meta,
        Err(TableError::TableDoesNotExist(_)) => return Err(OpenError::NotAStore),
        Err(error) => return Err(Fault::from(error).into()),
    };
    let format = meta.get(FORMAT).map_err(Fault::from)?;
    match format.as_ref().map(redb::AccessGuard::value) {
        Some(THIS_FORMAT) => {}
        Some(other) => {
            let other = String::from_utf8_lossy(other).into_owned();
            return Err(OpenError::OtherFormat(other));
        }
        None => return Err(OpenError::NotAStore),
    }
    Ok(entries(&transaction)?)
}

/// Returns all revocations, and checks all records.
fn entries(transaction: &redb::ReadTransaction) -> Result<Vec<Revocation>, Fault> {
    let records = transaction.open_table(RECORDS)?;
    for entry in records.iter()? {
        let (key, value) = entry?;
        Kept::decode(key.value(), value.value())?;
    }
    let table = transaction.open_table(REVOCATIONS)?;
    let mut revocations = Vec::new();
    for entry in table.iter()? {
        let (key, value) = entry?;
        revocations.extend(codec::decode(*key.value(), value.value())?);
    }
    let ends = transaction.open_table(ENDS)?;
    if ends.len()? != records.len()? + table.len()? {
        return Err(Damaged.into());
    }
    Ok(revocations)
}

impl From<DatabaseError> for OpenError {
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "the library's enum is non-exhaustive; any other error means that the store does not open"
    )]
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
                Self::Locked
            }
            DatabaseError::Storage(StorageError::Io(error))
                if error.kind() != ErrorKind::UnexpectedEof
                    && error.kind() != ErrorKind::InvalidData =>
            {
                Self::Io(error)
            }
            error => Self::Damaged(error.to_string()),
        }
    }
}

impl From<Fault> for OpenError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Damaged => Self::Damaged("an entry is not what was written".to_owned()),
            Fault::Closed(why) => Self::Damaged(why),
            Fault::File(redb::Error::Io(error)) => Self::Io(error),
            Fault::File(error) => Self::Damaged(error.to_string()),
        }
    }
}
