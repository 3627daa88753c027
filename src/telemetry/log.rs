//! The gateway's own log, written to standard error as JSON or text.
//!
//! Only this crate's events are written, at the configured level. Events of other crates are only counted: proxy and
//! HTTP crates write whole request heads, including `Authorization`, into their messages at any level. An allow-list of
//! one target is therefore the only safe filter.

mod notice;

use super::{
    LogFormat, LogLevel, LogSettings,
    json::{Stamp, ascii},
};
use crate::clock::SharedClock;
use notice::Notices;
pub(super) use notice::library_events;
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};
use thiserror::Error;
use tracing::{
    Event, Level, Metadata, Subscriber, level_filters::LevelFilter, subscriber::Interest,
};
use tracing_subscriber::{
    Layer, Registry,
    fmt::{MakeWriter, format::Writer, time::FormatTime},
    layer::{Context, Filter, SubscriberExt},
};

/// The only crate whose messages are written.
const OWN: &str = "obo_gateway";
/// The target of events from the `log` crate. This crate does not use it, so they are always another crate's.
const FROM_LOG_CRATE: &str = "log";

/// The treatment of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is written unchanged.
    Whole,
    /// It is counted but not written.
    Notice,
    /// It is ignored.
    Nothing,
}

/// Other code in this process has already set up the log.
#[derive(Debug, Error)]
#[error("the log of this process is already set up")]
pub struct LogAlreadySet;

/// Returns the treatment of an event of `target` at `level` if the log level is `configured`.
pub fn admission(target: &str, level: Level, configured: LogLevel) -> Admission {
    let own = target
        .strip_prefix(OWN)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
    if own {
        let enough = level <= Level::from(configured);
        return if enough {
            Admission::Whole
        } else {
            Admission::Nothing
        };
    }
    if level <= Level::WARN {
        Admission::Notice
    } else {
        Admission::Nothing
    }
}

/// Sets up the log of this process. It writes this crate's events and counts those of other crates.
///
/// # Errors
/// [`LogAlreadySet`] if the log of this process was set up before.
pub fn init(settings: &LogSettings, clock: SharedClock) -> Result<Threshold, LogAlreadySet> {
    let threshold = Threshold::at(settings.level);
    let subscriber = with_threshold(&threshold, settings.format, clock, std::io::stderr);
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogAlreadySet)?;
    // With this, the `log` crate's macros below WARN cost only one comparison.
    tracing_log::LogTracer::builder()
        .with_max_level(tracing_log::log::LevelFilter::Warn)
        .init()
        .map_err(|_| LogAlreadySet)?;
    Ok(threshold)
}

/// The lowest level that is written. It can be changed while the process runs. Clones share it.
#[derive(Debug, Clone)]
pub struct Threshold(Arc<AtomicU8>);

impl Threshold {
    fn at(level: LogLevel) -> Self {
        Self(Arc::new(AtomicU8::new(level as u8)))
    }

    /// Writes lines at `level` and above from now on.
    pub fn set(&self, level: LogLevel) {
        self.0.store(level as u8, Ordering::Release);
        // every call site caches whether it is enabled
        tracing::callsite::rebuild_interest_cache();
    }

    fn level(&self) -> LogLevel {
        let number = self.0.load(Ordering::Acquire);
        let levels = [
            LogLevel::Error,
            LogLevel::Warn,
            LogLevel::Info,
            LogLevel::Debug,
        ];
        let known = levels.into_iter().find(|level| *level as u8 == number);
        known.unwrap_or(LogLevel::Trace)
    }
}

/// Logs a panic of any thread, with only its location.
///
/// The panic message is withheld, because the standard library includes the string of a failed slice operation, which
/// may come from a request.
pub fn withhold_panic_texts() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(
            target: OWN,
            place = place.as_deref().unwrap_or("unknown"),
            thread = std::thread::current().name().unwrap_or("unnamed"),
            "a thread panicked"
        );
    }));
}

/// Returns what [`init`] sets up, writing to `out`, for tests that check the output.
pub fn subscriber<W>(
    settings: &LogSettings,
    clock: SharedClock,
    out: W,
) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Clone + Send + Sync + 'static,
{
    with_threshold(&Threshold::at(settings.level), settings.format, clock, out)
}

fn with_threshold<W>(
    threshold: &Threshold,
    format: LogFormat,
    clock: SharedClock,
    out: W,
) -> impl Subscriber + Send + Sync + use<W>
where
    W: for<'a> MakeWriter<'a> + Clone + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(out)
        .with_timer(Timer(clock));
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match format {
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_filter(Own(threshold.clone()))
            .boxed(),
        LogFormat::Text => lines
            .with_ansi(false)
            .with_filter(Own(threshold.clone()))
            .boxed(),
    };
    let notices = Notices.with_filter(Foreign);
    tracing_subscriber::registry().with(lines).with(notices)
}

/// Passes this crate's events at the configured level.
struct Own(Threshold);

/// Passes the events of other crates, which are only counted.
struct Foreign;

impl<S> Filter<S> for Own {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        admission(metadata.target(), *metadata.level(), self.0.level()) == Admission::Whole
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        always_or_never(
            admission(metadata.target(), *metadata.level(), self.0.level()) == Admission::Whole,
        )
    }

    /// Checks the event itself again, because an event of the `log` crate is enabled by the target that it claims.
    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        event.metadata().target() != FROM_LOG_CRATE
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::from_level(self.0.level().into()))
    }
}

impl<S> Filter<S> for Foreign {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        metadata.is_event()
            && admission(metadata.target(), *metadata.level(), LogLevel::Error) == Admission::Notice
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        always_or_never(
            metadata.is_event()
                && admission(metadata.target(), *metadata.level(), LogLevel::Error)
                    == Admission::Notice,
        )
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::WARN)
    }
}

fn always_or_never(wanted: bool) -> Interest {
    if wanted {
        Interest::always()
    } else {
        Interest::never()
    }
}

impl From<LogLevel> for Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

/// Writes timestamps from the injected clock, like the access and audit logs.
struct Timer(SharedClock);

impl FormatTime for Timer {
    fn format_time(&self, out: &mut Writer<'_>) -> fmt::Result {
        let mut text = Vec::with_capacity(24);
        Stamp::new().write(self.0.since_epoch(), &mut text);
        out.write_str(ascii(&text))
    }
}

#[cfg(test)]
mod tests;
