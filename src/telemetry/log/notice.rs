//! Other crates' warnings and errors, reduced to their number.
//!
//! Their texts may hold parts of a request, and without them a line says nothing that anybody could act on: what matters
//! to an operator the gateway logs in its own words. So they are counted, by library, for `obo_library_events_total`.

use std::sync::atomic::{AtomicU64, Ordering};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_log::NormalizeEvent;
use tracing_subscriber::{Layer, layer::Context};

/// The libraries that are told apart: by the beginning of their crates' names.
const LIBRARIES: [&str; 8] = [
    "pingora", "h2", "hyper", "reqwest", "rustls", "redis", "redb", "other",
];
/// The levels that are counted.
const LEVELS: [&str; 2] = ["error", "warn"];

/// In the order of [`LIBRARIES`], and in each of [`LEVELS`].
static SEEN: [[AtomicU64; LEVELS.len()]; LIBRARIES.len()] =
    [const { [const { AtomicU64::new(0) }; LEVELS.len()] }; LIBRARIES.len()];

/// What was counted since the process began: library, level, events.
pub(in crate::telemetry) fn library_events()
-> impl Iterator<Item = (&'static str, &'static str, u64)> {
    let libraries = LIBRARIES.into_iter().zip(&SEEN);
    libraries.flat_map(|(library, levels)| {
        let levels = LEVELS.into_iter().zip(levels);
        levels.map(move |(level, seen)| (library, level, seen.load(Ordering::Relaxed)))
    })
}

/// Counts other crates' events.
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
