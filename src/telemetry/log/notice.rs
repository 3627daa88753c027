//! Other crates' warnings and errors, reduced to the fact that there were some.
//!
//! What enters are their events; what leaves is one line for the 1st, 2nd, 4th, 8th … event of a crate at a level:
//! its name, the level and the count, never a word of the message. A flood of them writes a handful of lines.

use crate::{
    clock::SharedClock,
    telemetry::{
        LogFormat,
        json::{Stamp, ascii},
    },
};
use std::{
    collections::HashMap,
    io::Write,
    sync::{Mutex, PoisonError},
};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_log::NormalizeEvent;
use tracing_subscriber::{Layer, fmt::MakeWriter, layer::Context};

/// More crates than are linked; beyond them all count as one.
const CRATES: usize = 256;
/// The one name for crates that have none that can be shown.
const UNNAMED: &str = "other";

/// Counts other crates' events.
pub(super) struct Notices<W> {
    format: LogFormat,
    clock: SharedClock,
    out: W,
    seen: Mutex<HashMap<(String, Level), u64>>,
}

impl<W> Notices<W> {
    pub(super) fn new(format: LogFormat, clock: SharedClock, out: W) -> Self {
        Self {
            format,
            clock,
            out,
            seen: Mutex::default(),
        }
    }

    /// The number of events of this crate at this level, this one included.
    fn count(&self, library: &str, level: Level) -> u64 {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let name = if seen.len() < CRATES {
            library
        } else {
            UNNAMED
        };
        let times = seen.entry((name.to_owned(), level)).or_default();
        *times = times.saturating_add(1);
        *times
    }

    fn line(&self, library: &str, level: Level, times: u64) -> String {
        let mut stamp = Vec::with_capacity(24);
        Stamp::new().write(self.clock.since_epoch(), &mut stamp);
        let ts = ascii(&stamp);
        let message =
            "another crate reported this; its text may hold parts of a request and is withheld";
        match self.format {
            LogFormat::Json => format!(
                "{{\"timestamp\":\"{ts}\",\"level\":\"{level}\",\"target\":\"{library}\",\"message\":\"{message}\",\"times\":{times}}}\n"
            ),
            LogFormat::Text => format!("{ts} {level:>5} {library}: {message} times={times}\n"),
        }
    }
}

impl<S, W> Layer<S> for Notices<W>
where
    S: Subscriber,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let normalized = event.normalized_metadata();
        let metadata: &Metadata<'_> = normalized.as_ref().unwrap_or_else(|| event.metadata());
        let library = crate_name(metadata.target());
        let level = *metadata.level();
        let times = self.count(library, level);
        if times.is_power_of_two() {
            // Standard error that cannot be written to leaves nowhere to say so.
            let _ = self
                .out
                .make_writer()
                .write_all(self.line(library, level, times).as_bytes());
        }
    }
}

/// The first part of a target, where it looks like the name of a crate.
fn crate_name(target: &str) -> &str {
    let name = target.split("::").next().unwrap_or_default();
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    if (1..=40).contains(&name.len()) && name.bytes().all(plain) {
        name
    } else {
        UNNAMED
    }
}
