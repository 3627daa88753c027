//! What the guard of a connection and the app above it tell each other about the request that is served. The guard
//! refuses what it does not let through to the parser; the app answers it, with everything that goes with an answer.

use std::hint::cold_path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::futures::TaskLocalFuture;

use crate::gate::GateError;

/// The state of the request that a connection of HTTP/1 serves.
#[derive(Debug, Default)]
pub(crate) struct RequestState {
    is_refused: AtomicBool,
    refusal: Mutex<Option<GateError>>,
    tunnel: AtomicBool,
}

tokio::task_local! {
    static CURRENT: Arc<RequestState>;
}

impl RequestState {
    /// Serves a connection whose requests this is the state of.
    pub(crate) fn serve<F: Future>(self: Arc<Self>, serving: F) -> TaskLocalFuture<Arc<Self>, F> {
        CURRENT.scope(self, serving)
    }

    /// Why the request is refused that the running task serves, if it is. On HTTP/2 none is refused here.
    pub(crate) fn refusal_of_current() -> Option<GateError> {
        CURRENT.try_with(|request| request.refusal()).ok()?
    }

    pub(crate) fn open_current_tunnel() {
        let _ = CURRENT.try_with(|request| request.open_tunnel());
    }

    /// Nothing is known of the next request yet.
    pub(crate) fn begin(&self) {
        if self.is_refused() || self.tunnel.load(Ordering::Relaxed) {
            cold_path();
            self.is_refused.store(false, Ordering::Relaxed);
            self.tunnel.store(false, Ordering::Relaxed);
        }
    }

    /// Refuses the request: what the parser gets in its place is not to be served.
    pub(crate) fn refuse(&self, error: GateError) {
        let mut refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        *refusal = Some(error);
        self.is_refused.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_refused(&self) -> bool {
        self.is_refused.load(Ordering::Relaxed)
    }

    /// Why the request is refused, if it is.
    pub(crate) fn refusal(&self) -> Option<GateError> {
        if !self.is_refused() {
            return None;
        }
        cold_path();
        let refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        refusal.clone()
    }

    /// From the next byte to the client on, what comes from it is no request any more.
    pub(crate) fn open_tunnel(&self) {
        self.tunnel.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_tunnel(&self) -> bool {
        self.tunnel.load(Ordering::Relaxed)
    }
}
