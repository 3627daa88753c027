//! The state that the guard of a connection and the app share about the request in progress. The guard withholds a
//! refused request from the parser; the app sends the response, logs it and counts it.

use std::hint::cold_path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::futures::TaskLocalFuture;

use crate::gate::GateError;

/// The state of the request in progress on an HTTP/1 connection.
#[derive(Debug, Default)]
pub(crate) struct InboundRequest {
    is_refused: AtomicBool,
    refusal: Mutex<Option<GateError>>,
    tunnel: AtomicBool,
}

tokio::task_local! {
    static CURRENT: Arc<InboundRequest>;
}

impl InboundRequest {
    /// Serves a connection with this as the state of its requests.
    pub(crate) fn serve<F: Future>(self: Arc<Self>, serving: F) -> TaskLocalFuture<Arc<Self>, F> {
        CURRENT.scope(self, serving)
    }

    /// Returns why the request of the running task is refused, if it is. HTTP/2 requests are never refused here.
    pub(crate) fn refusal_of_current() -> Option<GateError> {
        CURRENT.try_with(|request| request.refusal()).ok()?
    }

    pub(crate) fn open_current_tunnel() {
        let _ = CURRENT.try_with(|request| request.open_tunnel());
    }

    /// Resets the state for the next request.
    pub(crate) fn begin(&self) {
        if self.is_refused() || self.tunnel.load(Ordering::Relaxed) {
            cold_path();
            self.is_refused.store(false, Ordering::Relaxed);
            self.tunnel.store(false, Ordering::Relaxed);
        }
    }

    /// Refuses the request: the app must not serve what the parser got in its place.
    pub(crate) fn refuse(&self, error: GateError) {
        let mut refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        *refusal = Some(error);
        self.is_refused.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_refused(&self) -> bool {
        self.is_refused.load(Ordering::Relaxed)
    }

    /// Returns why the request is refused, if it is.
    pub(crate) fn refusal(&self) -> Option<GateError> {
        if !self.is_refused() {
            return None;
        }
        cold_path();
        let refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        refusal.clone()
    }

    /// Records that after the next byte to the client, the bytes from the client are no longer a request.
    pub(crate) fn open_tunnel(&self) {
        self.tunnel.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_tunnel(&self) -> bool {
        self.tunnel.load(Ordering::Relaxed)
    }
}
