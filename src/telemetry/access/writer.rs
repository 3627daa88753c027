//! The buffers of all threads, and the one thread that writes them out.

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

/// The maximum time until the writer checks for new lines.
const TICK: Duration = Duration::from_millis(100);
/// The buffer size at which the writer is woken. At 64 KiB, waking it and switching to it took 1 % of the CPU time of the
/// requests. Larger buffers gain little more.
const ENOUGH: usize = 512 << 10;
/// The maximum size of one thread's buffer while the writer is busy. Further lines are dropped.
const CAPACITY: usize = 4 << 20;
/// The memory that an empty buffer may keep.
const KEPT: usize = 2 * ENOUGH;
/// The space reserved before a line is encoded. Most lines are shorter, so that a buffer grows at most once per line.
const LINE: usize = 1024;

/// Locks a mutex. Callers keep the lock only for a copy or a swap, never during I/O, and no code under it panics.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The lines of one thread that are not written yet.
pub(super) struct Buffer(Mutex<Lines>);

#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    count: u64,
    woken: bool,
}

/// The result of appending a line.
pub(super) enum Appended {
    /// The line waits for the next tick.
    Waits,
    /// The line waits, and the writer should be woken.
    FullEnough,
    /// The line was dropped.
    NoRoom,
}

impl Buffer {
    /// Lets `encode` append one line, if there is space.
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

/// The state that the recording threads and the writer thread share.
pub(super) struct Shared {
    pub(super) dropped: Counter,
    buffers: Mutex<Vec<Arc<Buffer>>>,
    /// The sink for all lines from the next round on.
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

    /// Writes lines to `sink` from the next round on.
    pub(super) fn continue_in(&self, sink: LineSink) {
        *lock(&self.next_sink) = Some(sink);
    }

    /// Creates a buffer for the calling thread.
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

/// A handle of the writer thread.
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

    /// Makes the thread write all remaining lines and end.
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

/// The state of the writer thread. Its buffers are swapped with those of the threads, so that no memory is allocated.
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
            // Both are read before the buffers, so that everything recorded before them is written before they take
            // effect.
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
        // Uses a copy of the list, so that a new thread can register during a slow write.
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
        // A buffer without any other owner belonged to a thread that has ended.
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
