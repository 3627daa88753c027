//! The schedule of key fetches: in the background before keys are too old, and once more for an unknown key.

use super::{key_store::KeyStore, refetch::Refetched};
use crate::clock::{Randomness, SystemRandomness};
use std::{sync::Arc, time::Duration};

/// The minimum time between two fetches for unknown keys. A flood of such tokens causes one request to the provider.
pub(super) const REFETCH_EVERY: Duration = Duration::from_secs(30);

/// How long a request waits for such a fetch.
const REFETCH_WAIT: Duration = Duration::from_secs(5);

const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(30);

impl KeyStore {
    /// Refreshes the keys in the background until the store is dropped.
    pub(super) fn start(self: &Arc<Self>) {
        let weak = Arc::downgrade(self);
        let mut wait = if self.is_ready() {
            self.times.until_refresh(None, jitter())
        } else {
            Duration::ZERO
        };
        let task = self.egress.io().spawn(async move {
            let mut failures = 0;
            loop {
                tokio::time::sleep(wait).await;
                let Some(store) = weak.upgrade() else { return };
                wait = match store.refresh().await {
                    Ok(max_age) => {
                        failures = 0;
                        store.times.until_refresh(max_age, jitter())
                    }
                    Err(_) => {
                        failures += 1;
                        backoff(failures).min(store.times.max_age)
                    }
                };
            }
        });
        // set only once, because an issuer is started once
        let _ = self.keeping_fresh.set(task.abort_handle());
    }

    /// Fetches the keys for a token that names an unknown one, at most once in [`REFETCH_EVERY`]. Callers that arrive
    /// while the fetch runs wait for it, at most 5 s. Callers that arrive after it do not wait.
    pub(super) async fn refetch_once(self: &Arc<Self>) -> Refetched {
        let mut done = self.refetch.done.subscribe();
        let running = {
            let mut state = self.refetch.lock();
            let now = self.clock.instant();
            let recent = state
                .started
                .is_some_and(|at| now.saturating_duration_since(at) < REFETCH_EVERY);
            if !recent {
                state.started = Some(now);
                state.running = true;
                self.spawn_refetch();
            }
            state.running
        };
        if !running {
            return Refetched::Settled;
        }
        match tokio::time::timeout(REFETCH_WAIT, done.changed()).await {
            Ok(_) => Refetched::Settled,
            Err(_) => Refetched::StillRunning,
        }
    }

    /// Starts the fetch in its own task, so that it continues for the other requests if the client disconnects.
    fn spawn_refetch(self: &Arc<Self>) {
        let store = Arc::clone(self);
        self.egress.io().spawn(async move {
            // The failure is logged and counted where it occurs. The waiting requests see it in the store.
            let _ = store.refresh().await;
            store.refetch.lock().running = false;
            store.refetch.done.send_modify(|count| *count += 1);
        });
    }
}

impl super::key_store::KeyTimes {
    /// Returns the time until the next fetch: 80 to 90 % of the provider's cache lifetime, which is limited to between
    /// half of `max_age` and `max_age`. The rest is for the fetch itself, so that a removed key is refused within
    /// `max_age`.
    fn until_refresh(&self, provider: Option<Duration>, jitter: u8) -> Duration {
        let period = provider
            .unwrap_or(self.max_age)
            .clamp(self.max_age / 2, self.max_age);
        period.mul_f64(0.9 - f64::from(jitter) / 2560.0)
    }
}

/// 1 s, 2 s, 4 s, … 30 s
fn backoff(failures: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    FIRST_RETRY.saturating_mul(doubled).min(LAST_RETRY)
}

/// Prevents many gateways from fetching at the same moment. Without randomness they may, which is harmless.
fn jitter() -> u8 {
    let mut byte = [0];
    SystemRandomness.fill(&mut byte).map_or(0, |()| {
        let [byte] = byte;
        byte
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::key_store::KeyTimes;

    #[test]
    fn keys_are_fetched_before_they_are_too_old_and_not_too_often() {
        let times = KeyTimes {
            max_age: Duration::from_secs(300),
            max_stale: Duration::from_secs(3600),
        };
        let seconds = |provider: Option<u64>, jitter| {
            let provider = provider.map(Duration::from_secs);
            times.until_refresh(provider, jitter).as_secs()
        };
        assert_eq!(seconds(None, 0), 270);
        assert!((240..270).contains(&seconds(None, 255)));
        assert_eq!(seconds(Some(86_400), 0), 270);
        assert_eq!(seconds(Some(200), 0), 180);
        assert_eq!(seconds(Some(0), 0), 135);
    }

    #[test]
    fn retries_slow_down_to_half_a_minute() {
        let waits: Vec<_> = (1..8).map(|n| backoff(n).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(backoff(u32::MAX), LAST_RETRY);
    }
}
