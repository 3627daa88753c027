//! The one thread that writes the file.

use super::{
    file::Shelf,
    transaction::{Fault, What},
};
use crate::{
    clock::SharedClock,
    store::{Change, Revocations, StoreError},
};
use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// An operation, and the channel for its result.
pub(super) struct Operation {
    pub(super) what: What,
    pub(super) response: oneshot::Sender<Result<bool, StoreError>>,
}

/// Performs operations. All operations that wait share one transaction.
pub(super) struct Writer {
    shelf: Arc<Shelf>,
    revocations: Revocations,
    clock: SharedClock,
    swept: Instant,
    /// `true` if the older header of the file lacks operations that have completed.
    unsettled: bool,
}

/// The maximum number of operations in a transaction.
const BATCH: usize = 1_024;
/// The idle time after which the file is settled.
const QUIET: Duration = Duration::from_millis(50);
/// The interval at which expired entries are removed.
const SWEEP: Duration = Duration::from_secs(30);
/// The maximum number of entries removed in one transaction, so that other operations do not wait long.
const SWEPT: usize = 1_000;

impl Writer {
    pub(super) fn new(shelf: Arc<Shelf>, revocations: Revocations, clock: SharedClock) -> Self {
        Self {
            shelf,
            revocations,
            swept: clock.instant(),
            clock,
            unsettled: false,
        }
    }

    /// Writes until all senders are dropped.
    pub(super) fn run(mut self, waiting: &Receiver<Operation>) {
        loop {
            let patience = if self.unsettled { QUIET } else { SWEEP };
            match waiting.recv_timeout(patience) {
                Ok(first) => {
                    let others = waiting.try_iter().take(BATCH - 1);
                    self.write(std::iter::once(first).chain(others).collect());
                }
                Err(RecvTimeoutError::Timeout) => self.settle(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.sweep();
        }
    }

    /// Performs all operations in one transaction. Their results are sent when it is on disk.
    fn write(&mut self, operations: Vec<Operation>) {
        let now = self.clock.now();
        let done = self.shelf.write(|tables| {
            let each = operations.iter();
            each.map(|operation| tables.perform(&operation.what, now))
                .collect::<Result<Vec<_>, Fault>>()
        });
        match done {
            Ok(results) => {
                self.unsettled = true;
                for (operation, result) in operations.into_iter().zip(results) {
                    match (operation.what, &result) {
                        (What::Revoke(revoked), Ok(_)) => self.revocations.insert(revoked),
                        (What::Lift(lifts), Ok(_)) => {
                            self.revocations
                                .apply(lifts.into_iter().map(Change::Lifted));
                        }
                        _ => {}
                    }
                    // the caller may be gone
                    let _ = operation.response.send(result);
                }
            }
            Err(error) => {
                tracing::error!(target: "obo_gateway::store", %error, "the store could not be written");
                for operation in operations {
                    let _ = operation.response.send(Err(error.clone()));
                }
            }
        }
    }

    /// Commits one more transaction. The file has two headers, and the older one lacks the last transaction. Afterwards
    /// both contain all completed operations.
    fn settle(&mut self) {
        if self.unsettled && self.shelf.settle().is_ok() {
            self.unsettled = false;
        }
    }

    fn sweep(&mut self) {
        let instant = self.clock.instant();
        if instant.saturating_duration_since(self.swept) < SWEEP {
            return;
        }
        let now = self.clock.now();
        self.revocations.sweep(now);
        match self.shelf.write(|tables| tables.sweep(now, SWEPT)) {
            Ok(true) => self.swept = instant,
            // the rest is removed after the next operations
            Ok(false) => {}
            Err(error) => {
                self.swept = instant;
                tracing::warn!(target: "obo_gateway::store", %error, "expired entries could not be removed from the store");
            }
        }
    }
}
