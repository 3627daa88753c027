//! The decisions on recent requests, for the operator who asks about one: in memory, bounded, never a token.
//!
//! Requests that were refused or exchanged are kept with their line and their checks; of these, the ones without a
//! genuine token have a ring of their own, so that a flood of them displaces nobody else's. Requests that were served
//! from memory are kept by each thread, overwritten in place: one costs a few words and no allocation.

use super::{Decision, Outcome, Reason, RequestId};
use std::{
    cell::RefCell,
    collections::VecDeque,
    fmt,
    hint::cold_path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

/// What is kept of recent requests. Clones are the same.
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
    /// Its id.
    pub id: RequestId,
    /// Its line of the access log.
    pub line: Box<[u8]>,
    /// What was decided about its token.
    pub decision: Option<Arc<Decision>>,
}

/// A request that was served from memory.
#[derive(Debug, Clone)]
pub struct Remembered {
    /// Its id.
    pub id: RequestId,
    /// When it ended, by the steady clock.
    pub ended: Instant,
    /// The status that the client got.
    pub status: u16,
    /// From the end of its head to the end of the response.
    pub duration: Duration,
    /// What was decided about its token, when that was exchanged.
    pub decision: Option<Arc<Decision>>,
}

/// What is known of a request.
#[derive(Debug, Clone)]
pub enum Found {
    /// Its line and its checks.
    Recorded(Recorded),
    /// That it was served from memory.
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

/// The digits of a request's id.
const ID_DIGITS: usize = 32;
/// How many requests with a genuine token are kept, or that needed none.
const KNOWN: usize = 4096;
/// How many requests without one.
const ANONYMOUS: usize = 1024;
/// How many requests that were served from memory each thread keeps.
const REMEMBERED: usize = 2048;

/// Locks are held for a copy, and no code that panics runs under them.
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
    /// Keeps a request that was refused, or whose token was exchanged.
    pub fn record(&self, outcome: Outcome, reason: Option<Reason>, recorded: Recorded) {
        // a refusal before the signature was checked says nothing about anybody
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

    /// Keeps a request that was served from memory.
    pub fn remember(&self, remembered: Remembered) {
        // an error means that the thread is being torn down
        let _ = PER_THREAD.try_with(|thread| {
            if let Ok(mut thread) = thread.try_borrow_mut() {
                lock(thread.ring(&self.0)).put(remembered);
            }
        });
    }

    /// What is known of the request with this id; none where it was never here, or others have taken its place.
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

    /// Whether `text` can be the id of a request.
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
            // a ring that nobody else holds belonged to a thread that ended
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
            decision: Some(Arc::new(Decision::new(&names, &[]))),
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
