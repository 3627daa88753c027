//! The signal that the edge is being drained. It is given once; every connection learns of it without asking at each
//! request: a connection registers its task's waker when it begins, and the signal wakes them all. Pingora's own watch
//! (`Connection: close` on answers, GOAWAY on HTTP/2) is driven from here too.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use pingora::server::ShutdownWatch;
use tokio::sync::watch;

/// Tells connections and accept loops to come to an end.
pub(crate) struct DrainSignal {
    begun: AtomicBool,
    announce: watch::Sender<bool>,
    /// Never marked as seen, so that a connection that begins after the signal still finds it new.
    unseen: ShutdownWatch,
    next: AtomicU64,
    wakers: Mutex<HashMap<u64, Waker>>,
}

impl DrainSignal {
    pub(crate) fn new() -> Self {
        let (announce, unseen) = watch::channel(false);
        Self {
            begun: AtomicBool::new(false),
            announce,
            unseen,
            next: AtomicU64::new(0),
            wakers: Mutex::default(),
        }
    }

    /// Gives the signal. Giving it again changes nothing.
    pub(crate) fn begin(&self) {
        self.begun.store(true, Ordering::SeqCst);
        self.announce.send_replace(true);
        for waker in self.wakers().values() {
            waker.wake_by_ref();
        }
    }

    /// Whether the signal was given.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::SeqCst)
    }

    /// What pingora watches; also for a task of ours that waits for nothing else.
    pub(crate) fn watch(&self) -> ShutdownWatch {
        self.unseen.clone()
    }

    /// Has this task woken when the signal is given, until the registration is dropped.
    pub(crate) async fn register(self: &Arc<Self>) -> Registration {
        poll_fn(|context| {
            let id = self.next.fetch_add(1, Ordering::Relaxed);
            self.wakers().insert(id, context.waker().clone());
            Poll::Ready(Registration {
                signal: Arc::clone(self),
                id,
            })
        })
        .await
    }

    fn wakers(&self) -> MutexGuard<'_, HashMap<u64, Waker>> {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task that is woken by the signal.
pub(crate) struct Registration {
    signal: Arc<DrainSignal>,
    id: u64,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.signal.wakers().remove(&self.id);
    }
}
