//! The buffers of all threads, and the one thread that empties them.

use crate::telemetry::{metrics::Counter, sink::LineSink};
use std::{
    io,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, Thread},
    time::Duration,
};

/// How long a line waits at most before the writer looks.
const TICK: Duration = Duration::from_millis(100);
/// From here on the writer is woken: large enough to make its system call cheap, small enough for the CPU's cache.
const ENOUGH: usize = 64 << 10;
/// What one thread holds at most while the writer is busy; more is dropped.
const CAPACITY: usize = 4 << 20;
/// What a buffer may keep of the memory that it once needed.
const KEPT: usize = 2 * ENOUGH;
/// No line is longer by much: room made ahead, so that encoding it grows the buffer once at most.
const LINE: usize = 1024;

/// Locks are held for a copy or a swap, never over I/O, and no code that panics runs under them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The lines of one thread that are not yet written.
pub(super) struct Buffer(Mutex<Lines>);

#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    count: u64,
    woken: bool,
}

/// What became of a line.
pub(super) enum Appended {
    /// It waits for the next tick.
    Waits,
    /// It waits, and the writer should be woken.
    FullEnough,
    /// It was dropped.
    NoRoom,
}

impl Buffer {
    /// Has `encode` append one line, where there is room.
    pub(super) fn append(&self, encode: impl FnOnce(&mut Vec<u8>)) -> Appended {
        let mut lines = lock(&self.0);
        if lines.bytes.len() >= CAPACITY {
            return Appended::NoRoom;
        }
        lines.bytes.reserve(LINE);
        encode(&mut lines.bytes);
        lines.count += 1;
        if lines.bytes.len() >= ENOUGH && !lines.woken {
            lines.woken = true;
            return Appended::FullEnough;
        }
        Appended::Waits
    }

    fn swap(&self, empty: &mut Lines) {
        std::mem::swap(&mut *lock(&self.0), empty);
    }

    fn is_empty(&self) -> bool {
        lock(&self.0).bytes.is_empty()
    }
}

/// What the threads that record and the thread that writes share.
pub(super) struct Shared {
    pub(super) dropped: Counter,
    buffers: Mutex<Vec<Arc<Buffer>>>,
    /// Where lines go from the next round on.
    next_sink: Mutex<Option<LineSink>>,
    stopping: AtomicBool,
    flushes_wanted: AtomicU64,
    flushes_done: Mutex<u64>,
    flushed: Condvar,
}

impl Shared {
    pub(super) fn new(dropped: Counter) -> Self {
        Self {
            dropped,
            buffers: Mutex::default(),
            next_sink: Mutex::default(),
            stopping: AtomicBool::new(false),
            flushes_wanted: AtomicU64::new(0),
            flushes_done: Mutex::new(0),
            flushed: Condvar::new(),
        }
    }

    /// Has lines written to `sink` from the next round on.
    pub(super) fn continue_in(&self, sink: LineSink) {
        *lock(&self.next_sink) = Some(sink);
    }

    /// A buffer for the calling thread.
    pub(super) fn add_buffer(&self) -> Arc<Buffer> {
        let buffer = Arc::new(Buffer(Mutex::default()));
        lock(&self.buffers).push(Arc::clone(&buffer));
        buffer
    }

    #[cfg(test)]
    pub(super) fn buffers(&self) -> usize {
        lock(&self.buffers).len()
    }
}

/// A handle on the thread that writes.
pub(super) struct Writer(Thread);

impl Writer {
    pub(super) fn start(shared: Arc<Shared>, sink: LineSink) -> io::Result<Self> {
        let handle = thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || Emptying::new(sink).run(&shared))?;
        Ok(Self(handle.thread().clone()))
    }

    pub(super) fn wake(&self) {
        self.0.unpark();
    }

    /// Has the thread write what there is, and end.
    pub(super) fn stop(&self, shared: &Shared) {
        shared.stopping.store(true, Ordering::Release);
        self.wake();
    }

    pub(super) fn flush(&self, shared: &Shared, timeout: Duration) -> bool {
        let wanted = shared.flushes_wanted.fetch_add(1, Ordering::AcqRel) + 1;
        self.wake();
        let done = lock(&shared.flushes_done);
        let (done, _) = shared
            .flushed
            .wait_timeout_while(done, timeout, |done| *done < wanted)
            .unwrap_or_else(PoisonError::into_inner);
        *done >= wanted
    }
}

/// The writing thread's own state; its buffers are swapped with the threads', so nothing is allocated in the long run.
struct Emptying {
    sink: LineSink,
    spare: Lines,
    round: Vec<Arc<Buffer>>,
}

impl Emptying {
    fn new(sink: LineSink) -> Self {
        Self {
            sink,
            spare: Lines::default(),
            round: Vec::new(),
        }
    }

    fn run(mut self, shared: &Shared) {
        loop {
            // Both are read before the buffers, so that what was recorded before them is written before they are obeyed.
            let stopping = shared.stopping.load(Ordering::Acquire);
            let wanted = shared.flushes_wanted.load(Ordering::Acquire);
            self.empty_all(shared);
            let mut done = lock(&shared.flushes_done);
            if *done < wanted {
                *done = wanted;
                shared.flushed.notify_all();
            }
            drop(done);
            if stopping {
                return;
            }
            thread::park_timeout(TICK);
        }
    }

    fn empty_all(&mut self, shared: &Shared) {
        if let Some(sink) = lock(&shared.next_sink).take() {
            self.sink = sink;
        }
        // A copy of the list: a new thread must be able to register while a slow disk is written to.
        self.round.extend(lock(&shared.buffers).iter().cloned());
        for buffer in &self.round {
            buffer.swap(&mut self.spare);
            if !self.spare.bytes.is_empty() {
                if self.sink.append(&self.spare.bytes).is_err() {
                    shared.dropped.add(self.spare.count);
                }
                self.spare.clear();
            }
        }
        self.round.clear();
        // A buffer that nobody else holds belonged to a thread that ended.
        lock(&shared.buffers).retain(|buffer| Arc::strong_count(buffer) > 1 || !buffer.is_empty());
    }
}

impl Lines {
    fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
        self.count = 0;
        self.woken = false;
    }
}
