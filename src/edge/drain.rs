//! The signal to drain. It is sent once and reaches every connection without a check at each request: a connection
//! registers the waker of its task when it begins, and the signal wakes all of them. It also drives pingora's own
//! watch, which adds `Connection: close` to responses and sends GOAWAY on HTTP/2.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use pingora::server::ShutdownWatch;
use tokio::sync::watch;

/// The signal for connections and accept loops to end.
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

    /// Sends the signal. Further calls have no effect.
    pub(crate) fn begin(&self) {
        self.begun.store(true, Ordering::SeqCst);
        self.announce.send_replace(true);
        for waker in self.wakers().values() {
            waker.wake_by_ref();
        }
    }

    /// Returns `true` if the signal was sent.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::SeqCst)
    }

    /// Returns the watch for pingora, or for a task that waits for nothing else.
    pub(crate) fn watch(&self) -> ShutdownWatch {
        self.unseen.clone()
    }

    /// Registers the running task to be woken by the signal, until the registration is dropped.
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

/// A task that the signal wakes.
pub(crate) struct Registration {
    signal: Arc<DrainSignal>,
    id: u64,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.signal.wakers().remove(&self.id);
    }
}
