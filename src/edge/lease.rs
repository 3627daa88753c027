//! Ends requests whose credential expires or is revoked while they are served.
//!
//! An HTTP/1 connection has one lease for all its requests; an HTTP/2 stream has a lease of its own. [`Lease::begin`]
//! registers a forwarded request, and dropping the [`LeaseGuard`] removes it. The thread's [`monitor`] checks every lease
//! twenty times a second. A short request has ended before the first check: it costs two uncontended locks.
//!
//! The lease also limits how long an upstream may be silent. pingora's own read timeout starts again with every read,
//! so a head that arrives byte by byte would have no deadline; it also sets a timer for each read.
//!
//! On HTTP/1, an ended lease makes the connection read as closed and accept no further bytes of the response, so that
//! pingora ends the request through its usual hooks. If no response has begun, the client still receives a refusal. A
//! request that pingora does not end this way, and every HTTP/2 stream, is dropped: h2 then resets that stream
//! (RFC 9113 §5.4.2), and the other streams of the connection go on.

mod monitor;

use crate::{
    cache::ForwardCredential,
    clock::{SharedClock, UnixTime},
    store::Revocations,
};
use bytes::Bytes;
use nix::sys::socket::{Shutdown, shutdown};
use std::{
    future::poll_fn,
    os::fd::RawFd,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU32, Ordering},
    },
    task::{Poll, Waker},
    time::Duration,
};
use tokio::time::Instant;

/// Why a request was ended before its response was complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndReason {
    /// The credential has expired.
    Expired,
    /// The credential, or something that it comes from, was revoked.
    Revoked,
    /// The upstream sent nothing within its timeout.
    Quiet,
}

/// What a lease belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carrier {
    /// An HTTP/1 connection.
    Connection,
    /// An HTTP/2 stream.
    Stream,
}

/// The progress of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// There is no request, or it has not been sent yet.
    Idle,
    /// The head was sent, and the body may follow.
    Sending,
    /// The whole request was sent.
    Waiting,
    /// An ordinary response has begun, whose chunks follow each other without long pauses.
    Body,
    /// A streaming response or a tunnel has begun: it may be silent for as long as `idle` allows.
    Stream,
}

/// How long an upstream may be silent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Before the head of the response, and between two chunks of a response that is not a stream.
    pub(crate) response: Duration,
    /// Between two chunks of a stream or a tunnel.
    pub(crate) stream: Duration,
}

/// The lease of an HTTP/1 connection or an HTTP/2 stream.
#[derive(Debug)]
pub(crate) struct Lease {
    carrier: Carrier,
    /// Wakes the task that serves the request.
    waker: OnceLock<Waker>,
    /// `true` if a monitor checks this lease.
    listed: AtomicBool,
    phase: AtomicU8,
    /// The number of chunks of both bodies that have passed; of a stream, only those of the response.
    pieces: AtomicU32,
    /// The socket of the HTTP/1 connection on which the head of the response is awaited; [`NO_SOCKET`] if none is.
    upstream: AtomicI32,
    /// `true` if a write to the client is blocked.
    stalled: AtomicBool,
    /// Zero, or the [`EndReason`] plus one.
    ended: AtomicU8,
    /// `true` if the task must drop the future that serves the request.
    dropped: AtomicBool,
    /// `true` if the guard keeps the head of the response back until its body begins.
    holds: AtomicBool,
    /// The response that is sent in place of a head that was kept back.
    instead: Mutex<Option<Bytes>>,
    request: Mutex<Option<MonitoredRequest>>,
}

/// Provides the clock and the revocations for the checks of leases. A reload of the configuration can replace both.
pub(crate) trait Review: Send + Sync {
    /// Returns the current clock and revocations.
    fn current(&self) -> Reviewed;
    /// Returns a copy for the monitor.
    fn to_owned(&self) -> Box<dyn Review>;
}

/// The clock and the revocations for the checks of leases.
pub(crate) struct Reviewed {
    /// The clock that credentials expire by.
    pub(crate) clock: SharedClock,
    /// The revocations that credentials are checked against.
    pub(crate) revocations: Revocations,
}

/// The request that is served under a lease.
#[derive(Debug)]
struct MonitoredRequest {
    /// `None` on a public route, whose requests carry no credential.
    credential: Option<ForwardCredential>,
    /// How long the request may make no progress.
    patience: Patience,
    /// What the monitor saw when the last chunk passed, and when that was.
    seen: Option<(Phase, u32, Instant)>,
    /// The generation of the revocations for which the credential was checked.
    cleared: Option<u64>,
    ended_at: Option<Instant>,
}

tokio::task_local! {
    static CURRENT: Arc<Lease>;
}

impl Lease {
    /// Creates the lease of an HTTP/1 connection.
    pub(crate) fn of_connection() -> Arc<Self> {
        Arc::new(Self::of(Carrier::Connection))
    }

    /// Creates the lease of an HTTP/2 stream.
    pub(crate) fn of_stream() -> Arc<Self> {
        Arc::new(Self::of(Carrier::Stream))
    }

    fn of(carrier: Carrier) -> Self {
        Self {
            carrier,
            waker: OnceLock::new(),
            listed: AtomicBool::new(false),
            phase: AtomicU8::new(Phase::Idle as u8),
            pieces: AtomicU32::new(0),
            upstream: AtomicI32::new(NO_SOCKET),
            stalled: AtomicBool::new(false),
            ended: AtomicU8::new(0),
            dropped: AtomicBool::new(false),
            holds: AtomicBool::new(false),
            instead: Mutex::new(None),
            request: Mutex::new(None),
        }
    }

    /// Returns the lease under which the running task serves a request.
    pub(crate) fn current() -> Option<Arc<Self>> {
        CURRENT.try_with(Arc::clone).ok()
    }

    /// Polls `serving` under this lease. Returns `None` if it had to be dropped.
    pub(crate) async fn serve<F: Future>(self: Arc<Self>, serving: F) -> Option<F::Output> {
        let mut serving = pin!(CURRENT.scope(Arc::clone(&self), serving));
        poll_fn(|context| {
            if self.dropped.load(Ordering::Relaxed) {
                return Poll::Ready(None);
            }
            self.waker.get_or_init(|| context.waker().clone());
            serving.as_mut().poll(context).map(Some)
        })
        .await
    }

    /// Returns `true` if the lease enforces every timeout of an upstream, for either version of HTTP. An HTTP/2 stream
    /// that is dropped cannot receive a 504. Before the head of the response, the connection to the upstream has to be
    /// closed instead; this is not possible with an HTTP/2 upstream, because other requests share the connection.
    pub(crate) fn keeps_deadlines(&self) -> bool {
        self.carrier == Carrier::Connection
    }

    /// Registers a request until the returned guard is dropped.
    pub(crate) fn begin(
        self: Arc<Self>,
        credential: Option<ForwardCredential>,
        patience: Patience,
        review: &dyn Review,
    ) -> LeaseGuard {
        *self.request() = Some(MonitoredRequest {
            credential,
            patience,
            seen: None,
            cleared: None,
            ended_at: None,
        });
        if !self.listed.load(Ordering::Relaxed) {
            self.listed.store(true, Ordering::Relaxed);
            monitor::add(&self, review.to_owned());
        }
        LeaseGuard(self)
    }

    /// Returns why the request was ended, if it was.
    pub(crate) fn ended(&self) -> Option<EndReason> {
        match self.ended.load(Ordering::Relaxed) {
            0 => None,
            1 => Some(EndReason::Expired),
            2 => Some(EndReason::Revoked),
            _ => Some(EndReason::Quiet),
        }
    }

    /// Returns `true` if the request was ended after its response had begun: the response must not be completed.
    pub(crate) fn cuts_response(&self) -> bool {
        self.ended().is_some() && matches!(self.phase(), Phase::Body | Phase::Stream)
    }

    /// Makes the guard of the running task's HTTP/1 connection keep back the next write, the head of a response, until
    /// more is written. As long as no byte of a response has been sent, another response can replace it.
    pub(crate) fn hold_head() {
        let _ = CURRENT.try_with(|lease| {
            if lease.carrier == Carrier::Connection {
                lease.holds.store(true, Ordering::Relaxed);
            }
        });
    }

    /// Returns `true` if a head is kept back, or will be.
    pub(crate) fn holds(&self) -> bool {
        self.holds.load(Ordering::Relaxed)
    }

    /// Stops keeping heads back.
    pub(crate) fn release(&self) {
        self.holds.store(false, Ordering::Relaxed);
    }

    /// Makes the connection end with `response` in place of the head that is kept back.
    pub(crate) fn end_with(&self, response: Bytes) {
        *self.instead.lock().unwrap_or_else(PoisonError::into_inner) = Some(response);
    }

    /// Takes the response that replaces the head, if there is one.
    pub(crate) fn take_ending(&self) -> Option<Bytes> {
        self.instead
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Records that a write to the client is blocked, or no longer blocked.
    pub(crate) fn stalls(&self, stalled: bool) {
        self.stalled.store(stalled, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(crate) fn set_response_begun(&self) {
        self.set(Phase::Body);
    }

    fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            1 => Phase::Sending,
            2 => Phase::Waiting,
            3 => Phase::Body,
            4 => Phase::Stream,
            _ => Phase::Idle,
        }
    }

    fn set(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    fn request(&self) -> MutexGuard<'_, Option<MonitoredRequest>> {
        self.request.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the request if it must end. `generation` changes whenever `revocations` does.
    fn look_after(&self, now: UnixTime, at: Instant, revocations: &Revocations, generation: u64) {
        let mut request = self.request();
        let Some(request) = request.as_mut() else {
            return;
        };
        if let Some(since) = request.ended_at {
            // pingora is waiting for something else, such as a connection to the upstream
            if at.saturating_duration_since(since) >= COOPERATIVE_END
                && self.ended() != Some(EndReason::Quiet)
            {
                self.drop_it();
            }
            return;
        }
        let ended = request
            .ended(self, now, revocations, generation)
            .or_else(|| self.is_quiet(request, at).then_some(EndReason::Quiet));
        if let Some(ended) = ended {
            request.ended_at = Some(at);
            let upstream = self.upstream.swap(NO_SOCKET, Ordering::Relaxed);
            if ended == EndReason::Quiet && upstream != NO_SOCKET {
                // an error means that the upstream has closed the connection already
                let _ = shutdown(upstream, Shutdown::Both);
                // pingora reports a lost connection; the client can then receive a response on a stream, too
                self.ended.store(ended as u8 + 1, Ordering::Relaxed);
            } else {
                self.end(ended);
            }
        }
    }

    /// Returns `true` if nothing has passed for longer than permitted. Time in which the client does not read does not
    /// count.
    fn is_quiet(&self, request: &mut MonitoredRequest, at: Instant) -> bool {
        let (phase, pieces) = (self.phase(), self.pieces.load(Ordering::Relaxed));
        let awaits_head = || self.upstream.load(Ordering::Relaxed) != NO_SOCKET;
        let patience = match phase {
            Phase::Sending | Phase::Waiting if self.keeps_deadlines() || awaits_head() => {
                request.patience.response
            }
            Phase::Idle | Phase::Sending | Phase::Waiting => return false,
            Phase::Body => request.patience.response,
            Phase::Stream => request.patience.stream,
        };
        match request.seen {
            Some((seen, so_many, since))
                if seen == phase && so_many == pieces && !self.stalled.load(Ordering::Relaxed) =>
            {
                at.saturating_duration_since(since) >= patience
            }
            _ => {
                request.seen = Some((phase, pieces, at));
                false
            }
        }
    }

    /// Ends the request for the reason `ended`.
    pub(crate) fn end(&self, ended: EndReason) {
        self.ended.store(ended as u8 + 1, Ordering::Relaxed);
        match self.carrier {
            Carrier::Stream => self.drop_it(),
            Carrier::Connection => self.wake(),
        }
    }

    fn drop_it(&self) {
        self.dropped.store(true, Ordering::Relaxed);
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }
}

impl MonitoredRequest {
    /// Returns why the credential has ended, if it has.
    fn ended(
        &mut self,
        lease: &Lease,
        now: UnixTime,
        revocations: &Revocations,
        generation: u64,
    ) -> Option<EndReason> {
        let credential = self.credential.as_ref()?;
        if self.cleared != Some(generation) {
            if revocations.ends(credential.lineage()) {
                return Some(EndReason::Revoked);
            }
            self.cleared = Some(generation);
        }
        // a request that was sent in full before its credential expired may still receive its response: `response`
        // limits how long that takes, and a refused client would repeat the request to an upstream that may have acted
        // on it
        let awaits_response = matches!(lease.phase(), Phase::Idle | Phase::Waiting);
        (now >= credential.usable_until() && !awaits_response).then_some(EndReason::Expired)
    }
}

/// File descriptors are never negative.
const NO_SOCKET: RawFd = -1;

/// How long pingora may take to end an HTTP/1 request by itself before it is dropped.
const COOPERATIVE_END: Duration = Duration::from_millis(300);

/// Keeps a request registered with its lease.
#[derive(Debug)]
pub(crate) struct LeaseGuard(Arc<Lease>);

impl LeaseGuard {
    /// Records that the head of the request is being sent.
    pub(crate) fn sending(&self) {
        self.0.set(Phase::Sending);
    }

    /// Records on which HTTP/1 connection the head of the response is awaited. [`Self::head_came`] must be called
    /// before that connection is closed or used by another request.
    pub(crate) fn awaits_head_on(&self, socket: RawFd) {
        self.0.upstream.store(socket, Ordering::Relaxed);
    }

    /// Records that the head has arrived, or will not arrive any more.
    pub(crate) fn head_came(&self) {
        self.0.upstream.store(NO_SOCKET, Ordering::Relaxed);
    }

    /// Records that a chunk of the request's body, or its end, has passed.
    pub(crate) fn sent(&self, whole: bool) {
        let phase = self.0.phase();
        if phase != Phase::Stream {
            self.count_piece();
        }
        if whole && phase == Phase::Sending {
            self.0.set(Phase::Waiting);
        }
    }

    /// Records that a response begins, as [`Phase::Body`] or [`Phase::Stream`].
    pub(crate) fn response_began(&self, phase: Phase) {
        self.0.set(phase);
    }

    /// Records that a chunk of the response's body passes. Chunks of a stream do not pass once the credential has
    /// expired.
    ///
    /// # Errors
    /// The credential has expired.
    pub(crate) fn received(&self, is_expired: impl FnOnce() -> bool) -> Result<(), EndReason> {
        self.count_piece();
        if self.0.phase() == Phase::Stream && is_expired() {
            let expired = EndReason::Expired;
            self.0.ended.store(expired as u8 + 1, Ordering::Relaxed);
            return Err(expired);
        }
        Ok(())
    }

    /// Returns why the request was ended, if it was.
    pub(crate) fn ended(&self) -> Option<EndReason> {
        self.0.ended()
    }

    /// Only the task that serves the request calls this, so a plain load and store are enough.
    fn count_piece(&self) {
        let pieces = self.0.pieces.load(Ordering::Relaxed);
        self.0
            .pieces
            .store(pieces.wrapping_add(1), Ordering::Relaxed);
    }
}

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        self.0.set(Phase::Idle);
        self.head_came();
        self.0.stalls(false);
        *self.0.request() = None;
    }
}

#[cfg(test)]
#[path = "lease/tests.rs"]
mod tests;
