//! The gateway's own log: to standard error, as JSON or text.
//!
//! What enters are this crate's events and those of every crate below it; what leaves are this crate's events at the
//! configured level. Another crate's events are only counted: proxy and HTTP crates put whole request heads,
//! `Authorization` included, into their messages at any level, so an allow-list of one target is the only safe filter.

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
/// The target under which events of the `log` crate arrive; this crate does not use it, so they are another's.
const FROM_LOG_CRATE: &str = "log";

/// What becomes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is written as it is.
    Whole,
    /// It is counted, and nothing of it is written.
    Notice,
    /// Nothing is written.
    Nothing,
}

/// The log is already set up, by somebody else in this process.
#[derive(Debug, Error)]
#[error("the log of this process is already set up")]
pub struct LogAlreadySet;

/// What becomes of an event of `target` at `level`, where the gateway's own log is configured to `configured`.
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

/// Sets up the log of this process: this crate's events; all others' are counted.
///
/// # Errors
/// [`LogAlreadySet`] where something in this process did so before.
pub fn init(settings: &LogSettings, clock: SharedClock) -> Result<Threshold, LogAlreadySet> {
    let threshold = Threshold::at(settings.level);
    let subscriber = with_threshold(&threshold, settings.format, clock, std::io::stderr);
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogAlreadySet)?;
    // Below WARN the `log` crate's macros then cost one comparison.
    tracing_log::LogTracer::builder()
        .with_max_level(tracing_log::log::LevelFilter::Warn)
        .init()
        .map_err(|_| LogAlreadySet)?;
    Ok(threshold)
}

/// The least important lines that are written; it can be moved while the process runs. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Threshold(Arc<AtomicU8>);

impl Threshold {
    fn at(level: LogLevel) -> Self {
        Self(Arc::new(AtomicU8::new(level as u8)))
    }

    /// Has lines at `level` and above written from now on.
    pub fn set(&self, level: LogLevel) {
        self.0.store(level as u8, Ordering::Release);
        // every place that logs remembers whether it is listened to
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

/// Has a panic of any thread logged by its place alone.
///
/// Its text is withheld: the standard library puts the string that was sliced wrongly into it, and that may be a
/// request's.
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

/// What [`init`] sets up, writing to `out`: for tests that look at what is written.
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

/// Lets this crate's events through, at the configured level.
struct Own(Threshold);

/// Lets other crates' events through to where only their number is looked at.
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

    /// Asked again with the event itself, because an event of the `log` crate is enabled under the name that it claims.
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

/// Stamps lines by the injected clock, as the access and audit logs are stamped.
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
