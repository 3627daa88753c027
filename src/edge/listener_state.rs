//! The state of one listener: limits, TLS and drain signal. A connection takes the limits and TLS settings that are
//! current when it is accepted, and keeps them. Each listener has its own drain signal, so that one can end while the
//! others continue.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::EdgeLimits;
use super::drain::DrainSignal;
use super::events::ConnectionObserver;
use super::guard::ConnectionLimits;
use super::tls::TlsTerms;

/// The limits and TLS settings that one listener applies to new connections.
pub(crate) struct ListenerState {
    drain: Arc<DrainSignal>,
    observer: Arc<dyn ConnectionObserver>,
    current: Mutex<Current>,
}

#[derive(Clone)]
struct Current {
    limits: Arc<ConnectionLimits>,
    tls: Option<TlsTerms>,
}

impl ListenerState {
    pub(crate) fn new(
        limits: EdgeLimits,
        tls: Option<TlsTerms>,
        observer: Arc<dyn ConnectionObserver>,
    ) -> Arc<Self> {
        let drain = Arc::new(DrainSignal::new());
        let current = Current {
            limits: shared(limits, &drain, &observer),
            tls,
        };
        Arc::new(Self {
            drain,
            observer,
            current: Mutex::new(current),
        })
    }

    /// Returns the signal for the accept loop and the connections of this listener to end.
    pub(crate) fn drain(&self) -> &Arc<DrainSignal> {
        &self.drain
    }

    /// Returns the limits and TLS settings for a connection that is accepted now.
    pub(crate) fn for_connection(&self) -> (Arc<ConnectionLimits>, Option<TlsTerms>) {
        let Current { limits, tls } = self.current().clone();
        (limits, tls)
    }

    /// Applies `limits` to connections that are accepted from now on.
    pub(crate) fn limit(&self, limits: EdgeLimits) {
        let limits = shared(limits, &self.drain, &self.observer);
        self.current().limits = limits;
    }

    /// Uses `tls` for connections that are accepted from now on; without it, they use cleartext.
    pub(crate) fn secure(&self, tls: Option<TlsTerms>) {
        self.current().tls = tls;
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shared(
    limits: EdgeLimits,
    drain: &Arc<DrainSignal>,
    observer: &Arc<dyn ConnectionObserver>,
) -> Arc<ConnectionLimits> {
    let observer = Arc::clone(observer);
    Arc::new(ConnectionLimits {
        head_bytes: limits.head_bytes,
        header_timeout: limits.header_timeout,
        drain: Arc::clone(drain),
        report: Box::new(move |event| observer.observe(event)),
    })
}
