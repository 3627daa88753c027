//! The threads of an edge. A number enters; as many threads leave, each with a runtime of its own that steals no work: a
//! task stays on the thread it was spawned on, which costs 11 % less CPU than a stealing runtime. The threads end when
//! the last handle on them is dropped, and what runs on them then is cut.
//!
//! This is pingora's non-stealing runtime without its registry of threads: that one hands a thread the handles of an
//! earlier, ended pool when the system reuses the thread's slot, and tasks spawned through it vanish. Here pingora finds
//! no registry and spawns on the thread it is on, so an HTTP/2 stream stays with its connection too.

use std::io;
use std::num::NonZeroUsize;
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Running threads, each an event loop.
pub(crate) struct Threads {
    first: Handle,
    others: Vec<Handle>,
    /// Dropped with the pool: each thread waits for its end of one.
    _running: Vec<oneshot::Sender<()>>,
}

impl Threads {
    /// Starts `count` threads.
    ///
    /// # Errors
    /// The system refuses a thread or an event loop.
    pub(crate) fn start(count: NonZeroUsize) -> io::Result<Self> {
        let (first, running) = start_one()?;
        let mut threads = Self {
            first,
            others: Vec::new(),
            _running: vec![running],
        };
        for _ in 1..count.get() {
            let (handle, running) = start_one()?;
            threads.others.push(handle);
            threads._running.push(running);
        }
        Ok(threads)
    }

    /// The thread whose turn it is, going round.
    pub(crate) fn at(&self, turn: usize) -> &Handle {
        let index = turn % (self.others.len() + 1);
        index
            .checked_sub(1)
            .and_then(|index| self.others.get(index))
            .unwrap_or(&self.first)
    }
}

fn start_one() -> io::Result<(Handle, oneshot::Sender<()>)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let (running, ended) = oneshot::channel();
    thread::Builder::new()
        .name("edge".to_owned())
        .spawn(move || {
            // An error is the sender's end: the pool is gone.
            let _ = runtime.block_on(ended);
            runtime.shutdown_background();
        })?;
    Ok((handle, running))
}
