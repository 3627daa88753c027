//! The effects of operations within one transaction of the file.

use super::codec::{self, Damaged, END, ExpiringKey, Kept};
use crate::{
    clock::UnixTime,
    store::{Lift, RecordKey, Revocation, StoreError},
};
use redb::{
    ReadOnlyTable, ReadTransaction, ReadableTable, Table, TableDefinition, WriteTransaction,
};

/// One operation.
pub(super) enum What {
    PutNew {
        key: RecordKey,
        version: u64,
        value: Vec<u8>,
        until: UnixTime,
    },
    Swap {
        key: RecordKey,
        version: u64,
        value: Vec<u8>,
        until: UnixTime,
    },
    Remove {
        key: RecordKey,
    },
    Revoke(Vec<Revocation>),
    Lift(Vec<Lift>),
}

pub(super) const RECORDS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("records");
pub(super) const REVOCATIONS: TableDefinition<'_, &[u8; 16], &[u8]> =
    TableDefinition::new("revocations");
/// All entries, in the order in which they expire.
pub(super) const ENDS: TableDefinition<'_, &[u8; END], ()> = TableDefinition::new("ends");

/// The tables of a write transaction.
pub(super) struct Writing<'t> {
    records: Table<'t, &'static [u8; 32], &'static [u8]>,
    revocations: Table<'t, &'static [u8; 16], &'static [u8]>,
    ends: Table<'t, &'static [u8; END], ()>,
}

/// The tables of a read transaction.
pub(super) struct Reading {
    records: ReadOnlyTable<&'static [u8; 32], &'static [u8]>,
}

/// An error of the file or of its contents.
#[derive(Debug)]
pub(super) enum Fault {
    File(redb::Error),
    /// The file is closed and could not be opened again.
    Closed(String),
    Damaged,
}

impl Writing<'_> {
    pub(super) fn of(transaction: &WriteTransaction) -> Result<Writing<'_>, Fault> {
        Ok(Writing {
            records: transaction.open_table(RECORDS)?,
            revocations: transaction.open_table(REVOCATIONS)?,
            ends: transaction.open_table(ENDS)?,
        })
    }

    /// Performs one operation. The inner error concerns only this operation. A [`Fault`] aborts the whole transaction.
    pub(super) fn perform(
        &mut self,
        what: &What,
        now: UnixTime,
    ) -> Result<Result<bool, StoreError>, Fault> {
        let done = match what {
            What::PutNew {
                key,
                version,
                value,
                until,
            } => self.put_new(key, *version, value, *until, now),
            What::Swap {
                key,
                version,
                value,
                until,
            } => self.swap(key, *version, value, *until, now),
            What::Remove { key } => self.forget(key).map(|_| true),
            What::Revoke(revocations) => revocations
                .iter()
                .try_for_each(|revocation| self.revoke(revocation))
                .map(|()| true),
            What::Lift(lifts) => lifts
                .iter()
                .try_for_each(|lift| self.lift(lift))
                .map(|()| true),
        };
        match done {
            Err(Fault::Damaged) => Ok(Err(StoreError::Corrupt)),
            Err(fault) => Err(fault),
            Ok(done) => Ok(Ok(done)),
        }
    }

    fn put_new(
        &mut self,
        key: &RecordKey,
        version: u64,
        value: &[u8],
        until: UnixTime,
        now: UnixTime,
    ) -> Result<bool, Fault> {
        if self.record(key)?.is_some_and(|kept| kept.until > now) {
            return Ok(false);
        }
        self.keep(key, version, value, until)
    }

    fn swap(
        &mut self,
        key: &RecordKey,
        version: u64,
        value: &[u8],
        until: UnixTime,
        now: UnixTime,
    ) -> Result<bool, Fault> {
        let kept = self.record(key)?;
        if !kept.is_some_and(|kept| kept.version == version && kept.until > now) {
            return Ok(false);
        }
        self.keep(key, version.wrapping_add(1), value, until)
    }

    fn keep(
        &mut self,
        key: &RecordKey,
        version: u64,
        value: &[u8],
        until: UnixTime,
    ) -> Result<bool, Fault> {
        self.forget(key)?;
        let kept = Kept {
            version,
            until,
            value: value.to_vec(),
        };
        self.records
            .insert(key.as_bytes(), kept.encode(key).as_slice())?;
        self.ends
            .insert(&ExpiringKey::Record(*key.as_bytes()).at(until), ())?;
        Ok(true)
    }

    fn forget(&mut self, key: &RecordKey) -> Result<(), Fault> {
        if let Some(kept) = self.record(key)? {
            self.ends
                .remove(&ExpiringKey::Record(*key.as_bytes()).at(kept.until))?;
            self.records.remove(key.as_bytes())?;
        }
        Ok(())
    }

    fn record(&self, key: &RecordKey) -> Result<Option<Kept>, Fault> {
        let found = self.records.get(key.as_bytes())?;
        let decode = |bytes: &[u8]| Kept::decode(key.as_bytes(), bytes);
        Ok(found.map(|found| decode(found.value())).transpose()?)
    }

    fn revoke(&mut self, revocation: &Revocation) -> Result<(), Fault> {
        let mut known = self.revocations_of(revocation.key.as_bytes())?;
        match known.iter_mut().find(|known| known.by == revocation.by) {
            Some(known) => *known = known.with(revocation),
            None => known.push(revocation.clone()),
        }
        self.keep_revocations(revocation.key.as_bytes(), &known)
    }

    fn lift(&mut self, lift: &Lift) -> Result<(), Fault> {
        let mut known = self.revocations_of(lift.key.as_bytes())?;
        known.retain(|known| known.by != lift.by);
        self.keep_revocations(lift.key.as_bytes(), &known)
    }

    fn revocations_of(&self, key: &[u8; 16]) -> Result<Vec<Revocation>, Fault> {
        Ok(match self.revocations.get(key)? {
            Some(found) => codec::decode(*key, found.value())?,
            None => Vec::new(),
        })
    }

    /// Replaces all stored revocations of `key`. The entry expires when the last of them expires.
    fn keep_revocations(&mut self, key: &[u8; 16], kept: &[Revocation]) -> Result<(), Fault> {
        if let Some(until) = last_end(&self.revocations_of(key)?) {
            self.ends.remove(&ExpiringKey::Revocation(*key).at(until))?;
        }
        match last_end(kept) {
            Some(until) => {
                self.revocations
                    .insert(key, codec::encode(key, kept).as_slice())?;
                self.ends
                    .insert(&ExpiringKey::Revocation(*key).at(until), ())?;
            }
            None => drop(self.revocations.remove(key)?),
        }
        Ok(())
    }

    /// Removes at most `most` expired entries. Returns `true` if none are left.
    pub(super) fn sweep(&mut self, now: UnixTime, most: usize) -> Result<bool, Fault> {
        let after = codec::first_after(now);
        let mut ended = Vec::new();
        for place in self.ends.range::<&[u8; END]>(..&after)?.take(most) {
            ended.push(*place?.0.value());
        }
        for place in &ended {
            match ExpiringKey::of(place)? {
                ExpiringKey::Record(key) => drop(self.records.remove(&key)?),
                ExpiringKey::Revocation(key) => drop(self.revocations.remove(&key)?),
            }
            self.ends.remove(place)?;
        }
        Ok(ended.len() < most)
    }
}

fn last_end(revocations: &[Revocation]) -> Option<UnixTime> {
    revocations.iter().map(|known| known.until).max()
}

impl Reading {
    pub(super) fn of(transaction: &ReadTransaction) -> Result<Self, Fault> {
        Ok(Self {
            records: transaction.open_table(RECORDS)?,
        })
    }

    pub(super) fn record(&self, key: &RecordKey) -> Result<Option<Kept>, Fault> {
        let found = self.records.get(key.as_bytes())?;
        let decode = |bytes: &[u8]| Kept::decode(key.as_bytes(), bytes);
        Ok(found.map(|found| decode(found.value())).transpose()?)
    }
}

/// Converts every error of the library to an error of the file.
macro_rules! about_the_file {
    ($($error:ident),+) => {
        $(impl From<redb::$error> for Fault {
            fn from(error: redb::$error) -> Self {
                Self::File(error.into())
            }
        })+
    };
}

about_the_file!(
    StorageError,
    TableError,
    TransactionError,
    CommitError,
    SetDurabilityError
);

impl From<Damaged> for Fault {
    fn from(Damaged: Damaged) -> Self {
        Self::Damaged
    }
}
