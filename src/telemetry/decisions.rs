//! The decisions on recent requests, in memory and bounded, so that an operator can ask about a request. No token is
//! stored.
//!
//! Requests that were refused or exchanged are stored with their log line and their checks. Those without a genuine
//! token have a separate ring, so that a flood of them does not displace the others. Requests that were served from the
//! cache are stored per thread and overwritten in place, which costs little and allocates nothing.

use super::{Outcome, Reason, RequestId, TokenDecision};
use std::{
    cell::RefCell,
    collections::VecDeque,
    fmt,
    hint::cold_path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

/// The stored decisions on recent requests. Clones share them.
#[derive(Clone)]
pub struct Decisions(Arc<Inner>);

struct Inner {
    /// Requests whose token was genuine, or that needed none.
    known: Mutex<VecDeque<Recorded>>,
    /// Requests without a genuine token.
    anonymous: Mutex<VecDeque<Recorded>>,
    /// The rings of all threads.
    remembered: Mutex<Vec<Arc<Mutex<Ring>>>>,
}

/// A request that was refused, or whose token was exchanged.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The request's id.
    pub id: RequestId,
    /// The request's line of the access log.
    pub line: Box<[u8]>,
    /// The decision about its token.
    pub decision: Option<Arc<TokenDecision>>,
}

/// A request that was served from the cache.
#[derive(Debug, Clone)]
pub struct Remembered {
    /// The request's id.
    pub id: RequestId,
    /// When it ended, in monotonic time.
    pub ended: Instant,
    /// The status of the response.
    pub status: u16,
    /// The time from the end of the request head to the end of the response.
    pub duration: Duration,
    /// The decision that was made when the token was exchanged.
    pub decision: Option<Arc<TokenDecision>>,
}

/// The stored facts about a request.
#[derive(Debug, Clone)]
pub enum Found {
    /// Its log line and its checks.
    Recorded(Recorded),
    /// A request that was served from the cache.
    Remembered(Remembered),
}

/// The newest requests of one thread.
struct Ring {
    places: Vec<Remembered>,
    next: usize,
}

struct PerThread {
    decisions: Weak<Inner>,
    ring: Option<Arc<Mutex<Ring>>>,
}

thread_local! {
    static PER_THREAD: RefCell<PerThread> = const {
        RefCell::new(PerThread { decisions: Weak::new(), ring: None })
    };
}

/// The number of digits in a request id.
const ID_DIGITS: usize = 32;
/// The number of stored requests with a genuine token, or that needed none.
const KNOWN: usize = 4096;
/// The number of stored requests without a genuine token.
const ANONYMOUS: usize = 1024;
/// The number of requests from the cache that each thread stores.
const REMEMBERED: usize = 2048;

/// Locks a mutex. Callers keep the lock only for a copy, and no code under it panics.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for Decisions {
    fn default() -> Self {
        Self(Arc::new(Inner {
            known: Mutex::default(),
            anonymous: Mutex::default(),
            remembered: Mutex::default(),
        }))
    }
}

impl Decisions {
    /// Stores a request that was refused, or whose token was exchanged.
    pub fn record(&self, outcome: Outcome, reason: Option<Reason>, recorded: Recorded) {
        // a refusal before the signature check names no verified subject
        let is_anonymous = matches!(outcome, Outcome::Refused)
            && reason.is_some()
            && recorded
                .decision
                .as_ref()
                .is_none_or(|made| made.is_about_nobody());
        let (ring, most) = match is_anonymous {
            true => (&self.0.anonymous, ANONYMOUS),
            false => (&self.0.known, KNOWN),
        };
        let mut ring = lock(ring);
        if ring.len() >= most {
            ring.pop_front();
        }
        ring.push_back(recorded);
    }

    /// Stores a request that was served from the cache.
    pub fn remember(&self, remembered: Remembered) {
        // an error means that the thread is being destroyed
        let _ = PER_THREAD.try_with(|thread| {
            if let Ok(mut thread) = thread.try_borrow_mut() {
                lock(thread.ring(&self.0)).put(remembered);
            }
        });
    }

    /// Returns the stored request with this id. Returns `None` if it is unknown or was displaced.
    pub fn find(&self, id: &str) -> Option<Found> {
        for ring in [&self.0.known, &self.0.anonymous] {
            let ring = lock(ring);
            if let Some(found) = ring.iter().rev().find(|kept| kept.id.as_str() == id) {
                return Some(Found::Recorded(found.clone()));
            }
        }
        let rings = lock(&self.0.remembered).clone();
        rings.iter().find_map(|ring| {
            let ring = lock(ring);
            let found = ring.places.iter().find(|kept| kept.id.as_str() == id);
            found.cloned().map(Found::Remembered)
        })
    }

    /// Returns `true` if `text` has the form of a request id.
    pub fn is_id(text: &str) -> bool {
        let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        text.len() == ID_DIGITS && text.bytes().all(digit)
    }
}

impl PerThread {
    fn ring(&mut self, decisions: &Arc<Inner>) -> &Mutex<Ring> {
        if !std::ptr::eq(self.decisions.as_ptr(), Arc::as_ptr(decisions)) {
            cold_path();
            self.decisions = Arc::downgrade(decisions);
            self.ring = None;
        }
        self.ring.get_or_insert_with(|| {
            cold_path();
            let ring = Arc::new(Mutex::new(Ring {
                places: Vec::new(),
                next: 0,
            }));
            let mut rings = lock(&decisions.remembered);
            // a ring without any other owner belonged to a thread that has ended
            rings.retain(|ring| Arc::strong_count(ring) > 1);
            rings.push(Arc::clone(&ring));
            ring
        })
    }
}

impl Ring {
    fn put(&mut self, remembered: Remembered) {
        match self.places.get_mut(self.next) {
            Some(place) => *place = remembered,
            None => {
                cold_path();
                self.places.push(remembered);
            }
        }
        self.next = (self.next + 1) % REMEMBERED;
    }
}

impl fmt::Debug for Decisions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Decisions")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::{Clock, SystemClock, SystemRandomness},
        telemetry::{DecisionNames, IdSource},
    };

    fn recorded(id: RequestId, issuer: Option<&str>) -> Recorded {
        let names = DecisionNames {
            issuer,
            ..DecisionNames::default()
        };
        Recorded {
            id,
            line: Box::from(*b"{}"),
            decision: Some(Arc::new(TokenDecision::new(&names, &[]))),
        }
    }

    #[test]
    fn the_newest_are_kept_and_a_flood_of_strangers_displaces_nobody_else() {
        let (decisions, ids) = (
            Decisions::default(),
            IdSource::new(&SystemRandomness).unwrap(),
        );
        let known = ids.request_id();
        let refused = |id, issuer| {
            decisions.record(
                Outcome::Refused,
                Some(Reason::Audience),
                recorded(id, issuer),
            );
        };
        refused(known, Some("corp"));
        let first = ids.request_id();
        refused(first, None);
        for _ in 0..ANONYMOUS {
            refused(ids.request_id(), None);
        }
        let last = ids.request_id();
        refused(last, None);
        assert!(decisions.find(known.as_str()).is_some());
        assert!(decisions.find(first.as_str()).is_none());
        assert!(decisions.find(last.as_str()).is_some());
        assert!(decisions.find("").is_none());
    }

    #[test]
    fn what_threads_remember_is_found_and_overwritten_in_place() {
        let (decisions, ids) = (
            Decisions::default(),
            IdSource::new(&SystemRandomness).unwrap(),
        );
        let remember = |id| {
            decisions.remember(Remembered {
                id,
                ended: SystemClock.instant(),
                status: 200,
                duration: Duration::ZERO,
                decision: None,
            });
        };
        let first = ids.request_id();
        remember(first);
        assert!(matches!(
            decisions.find(first.as_str()),
            Some(Found::Remembered(_))
        ));
        for _ in 0..REMEMBERED {
            remember(ids.request_id());
        }
        assert!(decisions.find(first.as_str()).is_none());
        let other = ids.request_id();
        std::thread::scope(|scope| scope.spawn(|| remember(other)).join().unwrap());
        assert!(decisions.find(other.as_str()).is_some());
    }

    #[test]
    fn an_id_is_32_hexadecimal_digits() {
        let id = IdSource::new(&SystemRandomness).unwrap().request_id();
        assert!(Decisions::is_id(id.as_str()));
        for other in ["", "0", &"g".repeat(32), &"A".repeat(32), &"0".repeat(33)] {
            assert!(!Decisions::is_id(other), "{other}");
        }
    }
}
