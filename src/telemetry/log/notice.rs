//! The number of other crates' warnings and errors.
//!
//! Their messages may contain parts of a request, and without the message a line would not help an operator. The
//! gateway logs everything important in its own messages. Other crates' events are only counted by library, for
//! `obo_library_events_total`.

use std::sync::atomic::{AtomicU64, Ordering};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_log::NormalizeEvent;
use tracing_subscriber::{Layer, layer::Context};

/// The libraries that are counted separately, by the prefix of their crate names.
const LIBRARIES: [&str; 8] = [
    "pingora", "h2", "hyper", "reqwest", "rustls", "redis", "redb", "other",
];
/// The levels that are counted.
const LEVELS: [&str; 2] = ["error", "warn"];

/// In the order of [`LIBRARIES`], and within each in the order of [`LEVELS`].
static SEEN: [[AtomicU64; LEVELS.len()]; LIBRARIES.len()] =
    [const { [const { AtomicU64::new(0) }; LEVELS.len()] }; LIBRARIES.len()];

/// Returns the counts since the process began: library, level, events.
pub(in crate::telemetry) fn library_events()
-> impl Iterator<Item = (&'static str, &'static str, u64)> {
    let libraries = LIBRARIES.into_iter().zip(&SEEN);
    libraries.flat_map(|(library, levels)| {
        let levels = LEVELS.into_iter().zip(levels);
        levels.map(move |(level, seen)| (library, level, seen.load(Ordering::Relaxed)))
    })
}

/// Counts the events of other crates.
pub(super) struct Notices;

impl<S: Subscriber> Layer<S> for Notices {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let normalized = event.normalized_metadata();
        let metadata: &Metadata<'_> = normalized.as_ref().unwrap_or_else(|| event.metadata());
        let target = metadata.target();
        let known = LIBRARIES.iter().zip(&SEEN);
        let library = known
            .clone()
            .find(|(library, _)| target.starts_with(*library))
            .or_else(|| known.last());
        let level = usize::from(*metadata.level() != Level::ERROR);
        if let Some(seen) = library.and_then(|(_, levels)| levels.get(level)) {
            seen.fetch_add(1, Ordering::Relaxed);
        }
    }
}
