//! The access log: one JSON line per request, written outside of the request's path.
//!
//! An [`AccessRecord`] is encoded immediately into a buffer of the current thread. One writer thread writes out all
//! buffers every 100 ms, or sooner if one is full enough, so that a line is delayed for well under 200 ms. A request
//! never waits for the disk. If the writer cannot keep up, lines are dropped and counted in `obo_log_dropped_total`.

mod encode;
mod fields;
mod writer;

pub use fields::{AccessField, AccessFields, AccessFieldsSettings};

use super::{
    AccessSettings, CacheResult, Counter, Outcome, Reason, RequestId, TokenDecision, TraceContext,
    sink::LineSink,
};
use crate::{clock::SharedClock, settings::Building};
use encode::Phrases;
use std::{
    cell::RefCell,
    fmt,
    hint::cold_path,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Weak},
    time::{Duration, Instant},
};
use writer::{Buffer, Shared, Writer};

/// The facts about one request for its line. Values that a client chooses are bounded and escaped.
#[derive(Debug, Clone, Copy)]
pub struct AccessRecord<'a> {
    /// The route's name in the configuration, or `none`.
    pub route: &'a str,
    /// The request method. A method that is not in capitals is shown as `OTHER`.
    pub method: &'a str,
    /// The host that the client requested.
    pub host: Option<&'a str>,
    /// The path as received, without the query. It contains no token.
    pub path: Option<&'a str>,
    /// The upstream server that the request was sent to, or would have been sent to.
    pub target: Option<SocketAddr>,
    /// The decision about its token.
    pub decision: Option<&'a TokenDecision>,
    /// A description for the operator of why the request was not forwarded.
    pub detail: Option<&'a str>,
    /// The version in the client's request line, for example `HTTP/1.1`.
    pub http_version: &'static str,
    /// The number of servers that were tried.
    pub attempts: usize,
    /// The status of the response, or 0 if there was no response.
    pub status: u16,
    /// The outcome of the request.
    pub outcome: Outcome,
    /// The reason why it was not forwarded.
    pub reason: Option<Reason>,
    /// The result of the cache lookup.
    pub cache: Option<CacheResult>,
    /// The time from the end of the request head to the end of the response.
    pub duration: Duration,
    /// The end of the response, in monotonic time.
    pub ended: Instant,
    /// How long the request waited for an exchange.
    pub exchange: Option<Duration>,
    /// The time until the upstream responded.
    pub upstream: Option<Duration>,
    /// The error of the upstream, as a fixed text of the gateway.
    pub upstream_error: Option<&'static str>,
    /// The request's id.
    pub request_id: RequestId,
    /// The trace that the request belongs to.
    pub trace: Option<TraceContext>,
    /// The client's address, without its port.
    pub client: Option<IpAddr>,
}

/// The destination of access records. Clones share it. Lines are still written after the last clone is dropped.
#[derive(Clone)]
pub struct AccessLog {
    open: Option<Arc<Open>>,
    fields: AccessFields,
}

struct Open {
    shared: Arc<Shared>,
    writer: Writer,
    clock: SharedClock,
}

/// The state that a thread keeps for the log it used last.
struct PerThread {
    log: Weak<Shared>,
    buffer: Option<Arc<Buffer>>,
    /// A monotonic time, and the time of day at that time.
    known_time: Option<(Instant, Duration)>,
    phrases: Phrases,
}

/// How long the time of day is derived from the monotonic clock before it is read again. A step of the system clock
/// appears in the log after at most this time.
const TIME_KNOWN: Duration = Duration::from_millis(100);

thread_local! {
    static PER_THREAD: RefCell<PerThread> = const {
        RefCell::new(PerThread {
            log: Weak::new(),
            buffer: None,
            known_time: None,
            phrases: Phrases::new(),
        })
    };
}

/// A log that is open but not written to yet.
pub struct OpenedAccessLog {
    sink: Option<LineSink>,
    fields: AccessFields,
    dropped: Counter,
    clock: SharedClock,
}

impl AccessSettings {
    /// Opens the configured log. If no files may be created, returns a log that is off.
    ///
    /// `dropped` counts the lines that are lost. Returns `None` and reports a finding if the file cannot be appended
    /// to.
    pub fn build(
        &self,
        clock: SharedClock,
        dropped: Counter,
        building: &mut Building<'_>,
    ) -> Option<OpenedAccessLog> {
        if self.off && self.file.is_some() {
            building.findings.error(
                "expected one of file and off, found both",
                "remove `off: true`, or the file",
            );
            return None;
        }
        let fields = building.within("fields", |b| self.fields.build(b));
        let sink = if self.off {
            None
        } else {
            let sink = LineSink::open(self.file.as_deref(), building)?;
            (building.effects == crate::settings::Effects::Allowed).then_some(sink)
        };
        Some(OpenedAccessLog {
            sink,
            fields: fields?,
            dropped,
            clock,
        })
    }
}

impl OpenedAccessLog {
    /// Returns the log. If `running` is on, its thread writes to this log from now on. Otherwise a new thread is
    /// started.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn continue_from(self, running: &AccessLog) -> io::Result<AccessLog> {
        let log = match (self.sink, &running.open) {
            (None, _) => AccessLog::off(),
            (Some(sink), Some(open)) => {
                open.shared.continue_in(sink);
                running.clone()
            }
            (Some(sink), None) => AccessLog::start(sink, self.clock, self.dropped)?,
        };
        Ok(log.with_fields(self.fields))
    }
}

impl fmt::Debug for OpenedAccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenedAccessLog")
            .field("on", &self.sink.is_some())
            .finish()
    }
}

impl AccessLog {
    /// Returns a log that writes nothing.
    pub fn off() -> Self {
        Self {
            open: None,
            fields: AccessFields::default(),
        }
    }

    /// Returns the same log with these fields in its lines.
    #[must_use]
    pub fn with_fields(self, fields: AccessFields) -> Self {
        Self { fields, ..self }
    }

    /// Returns the line of `record` with this log's fields, at the time `now` since the epoch. It works even if the log
    /// is off.
    pub fn line(&self, record: &AccessRecord<'_>, now: Duration) -> Box<[u8]> {
        let mut line = Vec::with_capacity(512);
        Phrases::new().line(record, self.fields, now, &mut line);
        line.into()
    }

    /// Returns a log that writes to `out` from its own thread. `dropped` counts the lines that are lost.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn to(
        out: Box<dyn io::Write + Send>,
        clock: SharedClock,
        dropped: Counter,
    ) -> io::Result<Self> {
        Self::start(LineSink::new(out), clock, dropped)
    }

    fn start(sink: LineSink, clock: SharedClock, dropped: Counter) -> io::Result<Self> {
        let shared = Arc::new(Shared::new(dropped));
        let writer = Writer::start(Arc::clone(&shared), sink)?;
        Ok(Self {
            open: Some(Arc::new(Open {
                shared,
                writer,
                clock,
            })),
            fields: AccessFields::default(),
        })
    }

    /// Returns `true` if records are written. If not, the caller does not need to make any.
    pub fn is_on(&self) -> bool {
        self.open.is_some()
    }

    /// Records one request. Never waits for I/O.
    pub fn record(&self, record: &AccessRecord<'_>) {
        let Some(open) = &self.open else { return };
        // It fails only while the thread is being destroyed.
        let noted = PER_THREAD.try_with(|thread| {
            let Ok(mut thread) = thread.try_borrow_mut() else {
                return false;
            };
            let thread = thread.of(&open.shared);
            let now = thread.time_of_day(record.ended, &open.clock);
            let PerThread {
                buffer, phrases, ..
            } = thread;
            let Some(buffer) = buffer else { return false };
            match buffer.append(|line| phrases.line(record, self.fields, now, line)) {
                writer::Appended::Waits => true,
                writer::Appended::FullEnough => {
                    cold_path();
                    open.writer.wake();
                    true
                }
                writer::Appended::NoRoom => false,
            }
        });
        if !noted.unwrap_or(false) {
            cold_path();
            open.shared.dropped.inc();
        }
    }

    /// Waits until every line that was recorded before this call is written, or lost because of a failing sink.
    ///
    /// Returns `false` if this takes longer than `timeout`. It blocks and is for shutdown and tests.
    pub fn flush(&self, timeout: Duration) -> bool {
        match &self.open {
            Some(open) => open.writer.flush(&open.shared, timeout),
            None => true,
        }
    }
}

impl PerThread {
    fn of(&mut self, log: &Arc<Shared>) -> &mut Self {
        if !std::ptr::eq(self.log.as_ptr(), Arc::as_ptr(log)) {
            cold_path();
            self.log = Arc::downgrade(log);
            self.buffer = Some(log.add_buffer());
            self.known_time = None;
        }
        self
    }

    /// Returns the time of day at a monotonic time that was read just now.
    fn time_of_day(&mut self, at: Instant, clock: &SharedClock) -> Duration {
        if let Some((then, time)) = self.known_time
            && let Some(since) = at.checked_duration_since(then)
            && since < TIME_KNOWN
        {
            return time + since;
        }
        cold_path();
        let time = clock.since_epoch();
        self.known_time = Some((at, time));
        time
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.writer.stop(&self.shared);
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessLog")
            .field("on", &self.is_on())
            .finish()
    }
}

#[cfg(test)]
mod tests;
