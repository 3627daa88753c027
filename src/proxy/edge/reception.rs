//! How one listener receives whoever connects. Limits and TLS terms enter, at the start and again whenever the
//! configuration changes; each accepted connection takes those of its moment and keeps them. Every listener has a drain
//! signal of its own, so that one can end while the others go on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::EdgeLimits;
use super::census::ConnectionObserver;
use super::drain::DrainSignal;
use super::guard::Terms;
use super::tls::TlsTerms;

/// What the connections of one listener are held to.
pub(crate) struct Reception {
    drain: Arc<DrainSignal>,
    observer: Arc<dyn ConnectionObserver>,
    current: Mutex<Current>,
}

#[derive(Clone)]
struct Current {
    terms: Arc<Terms>,
    tls: Option<TlsTerms>,
}

impl Reception {
    pub(crate) fn new(
        limits: EdgeLimits,
        tls: Option<TlsTerms>,
        observer: Arc<dyn ConnectionObserver>,
    ) -> Arc<Self> {
        let drain = Arc::new(DrainSignal::new());
        let current = Current {
            terms: terms(limits, &drain, &observer),
            tls,
        };
        Arc::new(Self {
            drain,
            observer,
            current: Mutex::new(current),
        })
    }

    /// Tells the accept loop and the connections of this listener to come to an end.
    pub(crate) fn drain(&self) -> &Arc<DrainSignal> {
        &self.drain
    }

    /// What a connection that is accepted now is held to.
    pub(crate) fn terms(&self) -> (Arc<Terms>, Option<TlsTerms>) {
        let Current { terms, tls } = self.current().clone();
        (terms, tls)
    }

    /// Holds connections that are accepted from now on to `limits`.
    pub(crate) fn limit(&self, limits: EdgeLimits) {
        let terms = terms(limits, &self.drain, &self.observer);
        self.current().terms = terms;
    }

    /// Secures connections that are accepted from now on with `tls`; cleartext without.
    pub(crate) fn secure(&self, tls: Option<TlsTerms>) {
        self.current().tls = tls;
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn terms(
    limits: EdgeLimits,
    drain: &Arc<DrainSignal>,
    observer: &Arc<dyn ConnectionObserver>,
) -> Arc<Terms> {
    let observer = Arc::clone(observer);
    Arc::new(Terms {
        head_bytes: limits.head_bytes,
        header_timeout: limits.header_timeout,
        drain: Arc::clone(drain),
        report: Box::new(move |event| observer.observe(event)),
    })
}
