//! The access log: one JSON line per request, written off the request's path.
//!
//! What enters is an [`AccessRecord`] of enums, durations and configured names; it is encoded at once into the
//! buffer of the thread it happened on. One writer thread empties all buffers every 100 ms, or sooner when one is
//! full enough. A line is therefore held for well under 200 ms; a request never waits for the disk; and when the
//! writer cannot keep up, lines are dropped and counted in `obo_log_dropped_total`.

mod encode;
mod fields;
mod writer;

pub use fields::{AccessField, AccessFields, AccessFieldsSettings};

use super::{
    AccessSettings, CacheResult, Counter, Decision, Outcome, Reason, RequestId, TraceContext,
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

/// What is written about one request. What a client chose freely is bounded and escaped.
#[derive(Debug, Clone, Copy)]
pub struct AccessRecord<'a> {
    /// The route's name in the configuration, or `none`.
    pub route: &'a str,
    /// The request method; one that is not written in capitals is shown as `OTHER`.
    pub method: &'a str,
    /// The host that the client named.
    pub host: Option<&'a str>,
    /// The path as it was received, without the query. No token stands in it.
    pub path: Option<&'a str>,
    /// The server that the request was sent to, or was to be sent to.
    pub target: Option<SocketAddr>,
    /// What was decided about its token.
    pub decision: Option<&'a Decision>,
    /// Why it was not forwarded, in words for the operator.
    pub detail: Option<&'a str>,
    /// As the client's request line has it, e.g. `HTTP/1.1`.
    pub http_version: &'static str,
    /// How many servers were tried.
    pub attempts: usize,
    /// The status that the client got; 0 where it got none.
    pub status: u16,
    /// How the request ended.
    pub outcome: Outcome,
    /// Why it was not forwarded.
    pub reason: Option<Reason>,
    /// What the cache of exchanges said.
    pub cache: Option<CacheResult>,
    /// From the end of the head to the end of the answer.
    pub duration: Duration,
    /// The moment of that end, by the steady clock.
    pub ended: Instant,
    /// How long this request's own exchange took.
    pub exchange: Option<Duration>,
    /// How long the downstream took to answer.
    pub upstream: Option<Duration>,
    /// What the upstream failed with: one of the gateway's own texts.
    pub upstream_error: Option<&'static str>,
    /// The request's id.
    pub request_id: RequestId,
    /// The trace that the request belongs to.
    pub trace: Option<TraceContext>,
    /// The client's address, without its port.
    pub client: Option<IpAddr>,
}

/// Where access records go. Cloning shares it; what the last clone leaves behind is still written.
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

/// What a thread keeps for the log that it used last.
struct PerThread {
    log: Weak<Shared>,
    buffer: Option<Arc<Buffer>>,
    /// A moment of the steady clock, and the time of day that it was.
    known_time: Option<(Instant, Duration)>,
    phrases: Phrases,
}

/// How long the time of day is told by the steady clock before it is asked for again: a step of it shows in the log so
/// much later at most.
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

/// A log that was opened and is not written to yet.
pub struct OpenedAccessLog {
    sink: Option<LineSink>,
    fields: AccessFields,
    dropped: Counter,
    clock: SharedClock,
}

impl AccessSettings {
    /// Opens what the settings name; where nothing may be created, a log that is off.
    ///
    /// `dropped` counts the lines that are lost. `None`, and a finding, where the file cannot be appended to.
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
    /// The log, written to by the thread of `running` from now on where that one is on, else by a thread of its own.
    ///
    /// # Errors
    /// Where the thread cannot be started.
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
    /// A log that writes nothing.
    pub fn off() -> Self {
        Self {
            open: None,
            fields: AccessFields::default(),
        }
    }

    /// The same log with these fields in its lines.
    #[must_use]
    pub fn with_fields(self, fields: AccessFields) -> Self {
        Self { fields, ..self }
    }

    /// The line of `record` with this log's fields, at `now` since the epoch, whether the log is on or off.
    pub fn line(&self, record: &AccessRecord<'_>, now: Duration) -> Box<[u8]> {
        let mut line = Vec::with_capacity(512);
        Phrases::new().line(record, self.fields, now, &mut line);
        line.into()
    }

    /// A log that writes to `out`, from a thread of its own; `dropped` counts the lines that are lost.
    ///
    /// # Errors
    /// Where the thread cannot be started.
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

    /// Whether records are written anywhere; where not, there is no need to make one.
    pub fn is_on(&self) -> bool {
        self.open.is_some()
    }

    /// Notes one request. Never waits for I/O.
    pub fn record(&self, record: &AccessRecord<'_>) {
        let Some(open) = &self.open else { return };
        // It fails only while the thread is being torn down.
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

    /// Waits until every line that was recorded before this call is written, or lost to a failing sink.
    ///
    /// `false` where that took longer than `timeout`. Blocks: for shutdown and tests.
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

    /// The time of day at a moment that was read from the steady clock just now.
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
