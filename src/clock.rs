//! Time and randomness as injected values, so that tests can control both.
//!
//! The whole crate takes the time from a [`Clock`] and random bytes from a [`Randomness`]. Lints ban the standard
//! library's clocks everywhere else.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use thiserror::Error;
use time::OffsetDateTime;

/// Whole seconds since 1970-01-01T00:00:00Z: a `NumericDate` without fraction (RFC 7519 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(i64);

impl UnixTime {
    /// Creates a time from seconds since the epoch.
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since the epoch.
    pub const fn as_secs(self) -> i64 {
        self.0
    }

    /// Returns the time `duration` later, in whole seconds. Saturates.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(whole_seconds(duration)))
    }

    /// Returns the time `duration` earlier, in whole seconds. Saturates.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(whole_seconds(duration)))
    }

    /// Returns the duration from `earlier` to this time, or zero if `earlier` is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        let seconds = self.0.saturating_sub(earlier.0);
        Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
    }

    /// Formats the time by RFC 3339, for example `2026-11-21T14:17:42Z`. Returns `None` outside the years 0 to 9999.
    pub fn to_rfc3339(self) -> Option<String> {
        let at = OffsetDateTime::from_unix_timestamp(self.0).ok()?;
        let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
        let (hour, minute, second) = at.to_hms();
        (0..=9999)
            .contains(&year)
            .then(|| format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"))
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Returns `text` with every number that is a Unix time after 1985 replaced by a date. TLS libraries report the expiry
/// of certificates as such numbers.
pub fn with_dates(text: &str) -> String {
    const FROM: i64 = 500_000_000;
    const TO: i64 = 99_999_999_999;
    let words = text.split(' ').filter(|word| *word != "(UNIX),");
    let words = words.map(|word| {
        let seconds = word
            .parse()
            .ok()
            .filter(|seconds| (FROM..=TO).contains(seconds));
        let date = seconds.and_then(|seconds| UnixTime(seconds).to_rfc3339());
        date.unwrap_or_else(|| word.to_owned())
    });
    words.collect::<Vec<_>>().join(" ")
}

fn whole_seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// The time of day and a monotonic time.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time of day. It may jump forward or backward.
    fn now(&self) -> UnixTime {
        let since = self.since_epoch();
        UnixTime::from_secs(whole_seconds(since))
    }

    /// The time of day as a duration since 1970-01-01T00:00:00Z, for timestamps.
    fn since_epoch(&self) -> Duration;

    /// A monotonic time for measurements.
    fn instant(&self) -> Instant;
}

/// The clock that all components share.
pub type SharedClock = Arc<dyn Clock>;

/// The clocks of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // the one place that reads the machine's clock
    fn since_epoch(&self) -> Duration {
        // A machine with a clock before 1970 reads as 1970: every token is then "not yet valid" and is refused.
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
    }

    #[allow(clippy::disallowed_methods)] // the one place that reads the machine's clock
    fn instant(&self) -> Instant {
        Instant::now()
    }
}

/// A clock that moves only when a test or a caller advances it, for tests and for replaying a decision at another time.
#[derive(Debug)]
pub struct ManualClock {
    started: Instant,
    milliseconds: AtomicI64,
    steady_milliseconds: AtomicI64,
}

impl ManualClock {
    /// Creates a clock that shows `now` until it is moved.
    pub fn at(now: UnixTime) -> Self {
        Self {
            started: SystemClock.instant(),
            milliseconds: AtomicI64::new(now.as_secs().saturating_mul(1_000)),
            steady_milliseconds: AtomicI64::new(0),
        }
    }

    /// Moves both the time of day and the monotonic time forward.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.milliseconds.fetch_add(by, Ordering::SeqCst);
        self.steady_milliseconds.fetch_add(by, Ordering::SeqCst);
    }

    /// Sets only the time of day, like a clock that was adjusted.
    pub fn jump_to(&self, now: UnixTime) {
        self.milliseconds
            .store(now.as_secs().saturating_mul(1_000), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn since_epoch(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.milliseconds.load(Ordering::SeqCst)).unwrap_or(0))
    }

    fn instant(&self) -> Instant {
        let steady = u64::try_from(self.steady_milliseconds.load(Ordering::SeqCst)).unwrap_or(0);
        self.started + Duration::from_millis(steady)
    }
}

/// A source of unpredictable bytes.
pub trait Randomness: Send + Sync + fmt::Debug {
    /// Fills `bytes` completely.
    ///
    /// # Errors
    /// [`NoRandomness`] if the system has none available. The caller must refuse.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness>;
}

/// The source of randomness that all components share.
pub type SharedRandomness = Arc<dyn Randomness>;

/// The operating system returned no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the operating system returned no random bytes")]
pub struct NoRandomness;

/// The operating system's randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandomness;

impl Randomness for SystemRandomness {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        getrandom::fill(bytes).map_err(|_| NoRandomness)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stepped_clock_does_not_move_the_steady_time() {
        let clock = ManualClock::at(UnixTime::from_secs(1_000));
        let before = clock.instant();
        clock.jump_to(UnixTime::from_secs(10));
        assert_eq!(clock.now(), UnixTime::from_secs(10));
        assert_eq!(clock.instant(), before);
        clock.advance(Duration::from_secs(5));
        assert_eq!(clock.now(), UnixTime::from_secs(15));
        assert_eq!(clock.instant() - before, Duration::from_secs(5));
    }

    #[test]
    fn a_moment_is_written_as_the_calendar_has_it() {
        // `date -u -d @N +%FT%TZ`
        for (seconds, written) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_827_696, "2000-02-29T12:34:56Z"),
            (1_795_270_662, "2026-11-21T14:17:42Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(UnixTime(seconds).to_rfc3339().as_deref(), Some(written));
        }
        for seconds in [253_402_300_800, i64::MAX, -62_167_219_201, i64::MIN] {
            assert_eq!(UnixTime(seconds).to_rfc3339(), None);
        }
    }

    #[test]
    fn times_saturate_instead_of_wrapping() {
        assert_eq!(
            UnixTime::from_secs(i64::MAX).plus(Duration::MAX).as_secs(),
            i64::MAX
        );
        assert_eq!(
            UnixTime::from_secs(5).since(UnixTime::from_secs(9)),
            Duration::ZERO
        );
    }
}
