//! The threads of an edge. Each has a runtime of its own without work stealing: a task stays on the thread on which it
//! was spawned, which costs 11 % less CPU than a work-stealing runtime. When the last handle is dropped, the threads
//! end and their tasks are dropped.
//!
//! This replaces pingora's non-stealing runtime, which has a registry of threads. When the system reuses the slot of a
//! thread, that registry returns handles of an earlier pool that has ended, and tasks spawned through them vanish. Here
//! pingora finds no registry and spawns on the current thread, so an HTTP/2 stream also stays with its connection.

use std::io;
use std::num::NonZeroUsize;
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Running threads, each with an event loop.
pub(crate) struct Threads {
    first: Handle,
    others: Vec<Handle>,
    /// One sender per thread. Dropping a sender ends its thread.
    _running: Vec<oneshot::Sender<()>>,
}

impl Threads {
    /// Starts `count` threads.
    ///
    /// # Errors
    /// The system cannot create a thread or an event loop.
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

    /// Returns the thread for a turn, in rotation.
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
            // An error means that the sender was dropped with the pool.
            let _ = runtime.block_on(ended);
            runtime.shutdown_background();
        })?;
    Ok((handle, running))
}
