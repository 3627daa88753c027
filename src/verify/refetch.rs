//! The state of a fetch for an unknown key.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};
use tokio::sync::watch;

/// The state of a fetch for an unknown key after waiting for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refetched {
    /// No fetch is running.
    Settled,
    /// A fetch takes longer than a request waits. It may still return the key.
    StillRunning,
}

/// The fetch for an unknown key.
#[derive(Debug, Default)]
pub(super) struct Refetch {
    state: Mutex<RefetchState>,
    pub(super) done: watch::Sender<u64>,
}

#[derive(Debug, Default)]
pub(super) struct RefetchState {
    pub(super) started: Option<Instant>,
    pub(super) running: bool,
}

impl Refetch {
    pub(super) fn lock(&self) -> MutexGuard<'_, RefetchState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
