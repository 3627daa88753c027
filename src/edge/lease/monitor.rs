//! Checks the leases of one thread twenty times a second, for as long as the thread has leases.
//!
//! Each thread has its own monitor, so no lock is contended and no lease is checked while its task runs.

use super::{Lease, Review};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// The interval between two checks. A revocation from another replica arrives within half a second (`store::redis`), so
/// that requests end within a second of it.
const EVERY: Duration = Duration::from_millis(50);

/// The leases of one thread.
#[derive(Default)]
struct Monitor {
    leases: Mutex<Vec<Weak<Lease>>>,
    running: AtomicBool,
}

thread_local! {
    static MONITOR: Arc<Monitor> = Arc::default();
}

/// Adds `lease` to this thread's monitor, which checks it until it is dropped.
#[cold]
pub(super) fn add(lease: &Arc<Lease>, review: Box<dyn Review>) {
    // fails only while the thread is being torn down
    let Ok(monitor) = MONITOR.try_with(Arc::clone) else {
        return;
    };
    monitor.leases().push(Arc::downgrade(lease));
    if !monitor.running.swap(true, Ordering::Relaxed) {
        tokio::spawn(check(monitor, review));
    }
}

async fn check(monitor: Arc<Monitor>, review: Box<dyn Review>) {
    let running = Running(monitor);
    let mut reviewed = review.current();
    let mut epoch = reviewed.revocations.epoch();
    let mut generation = 0_u64;
    loop {
        sleep(EVERY).await;
        // the current configuration: after a reload, a store that was replaced receives no further revocations
        let current = review.current();
        // read before the check: a revocation that arrives in between is found by the next one
        let news = current.revocations.epoch();
        if !current.revocations.is_same(&reviewed.revocations) || news != epoch {
            generation = generation.wrapping_add(1);
        }
        (reviewed, epoch) = (current, news);
        let (now, at) = (reviewed.clock.now(), Instant::now());
        let mut leases = running.0.leases();
        leases.retain(|lease| {
            let lease = lease.upgrade();
            if let Some(lease) = &lease {
                lease.look_after(now, at, &reviewed.revocations, generation);
            }
            lease.is_some()
        });
        if leases.is_empty() {
            return;
        }
    }
}

/// Marks the monitor as running until dropped, also if the runtime drops its task.
struct Running(Arc<Monitor>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.store(false, Ordering::Relaxed);
    }
}

impl Monitor {
    fn leases(&self) -> MutexGuard<'_, Vec<Weak<Lease>>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
