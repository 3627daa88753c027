//! Sources of time and randomness that fail on request.

use obo_gateway::clock::{Clock, NoRandomness, Randomness, SystemClock, SystemRandomness};
use std::{
    sync::{
        Mutex,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fault {
    #[default]
    None,
    Refuses,
    Panics,
}

#[derive(Debug, Default)]
pub struct BrokenRandomness(Mutex<Fault>);

impl BrokenRandomness {
    pub fn turn(&self, fault: Fault) {
        *self.0.lock().unwrap() = fault;
    }
}

impl Randomness for BrokenRandomness {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        let fault = *self.0.lock().unwrap();
        match fault {
            Fault::None => SystemRandomness.fill(bytes),
            Fault::Refuses => Err(NoRandomness),
            Fault::Panics => panic!("no randomness at all"),
        }
    }
}

/// The machine's clock, which panics when it is read for the n-th time.
#[derive(Debug)]
pub struct BrokenClock {
    /// Number of readings before the panic; negative: no panic.
    left: AtomicI64,
    panics: AtomicUsize,
}

impl Default for BrokenClock {
    fn default() -> Self {
        Self {
            left: AtomicI64::new(-1),
            panics: AtomicUsize::new(0),
        }
    }
}

impl BrokenClock {
    pub fn panic_at(&self, question: i64) {
        self.left.store(question, Ordering::SeqCst);
    }

    pub fn fix(&self) {
        self.left.store(-1, Ordering::SeqCst);
    }

    pub fn panics(&self) -> usize {
        self.panics.load(Ordering::SeqCst)
    }

    fn ask(&self) {
        let before = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                Some(left.max(0) - 1)
            });
        if before == Ok(0) {
            self.panics.fetch_add(1, Ordering::SeqCst);
            panic!("the clock is broken");
        }
    }
}

impl Clock for BrokenClock {
    fn since_epoch(&self) -> Duration {
        self.ask();
        SystemClock.since_epoch()
    }

    fn instant(&self) -> Instant {
        self.ask();
        SystemClock.instant()
    }
}
