//! The readiness of the gateway, and the conditions that it waits for.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// All conditions that must be met before the gateway should get requests. Clones share them.
#[derive(Clone, Default)]
pub struct Readiness(Arc<State>);

#[derive(Default)]
struct State {
    conditions: Mutex<Vec<Condition>>,
    draining: AtomicBool,
}

/// One condition. It is evaluated at each query, so that it is always current.
struct Condition {
    name: Arc<str>,
    holds: Box<dyn Fn() -> bool + Send + Sync>,
}

/// The readiness at one point in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadinessReport {
    /// The names of the conditions that are not met, in the order of their registration.
    pub waiting_for: Vec<Arc<str>>,
    /// `true` if the gateway is shutting down.
    pub draining: bool,
}

impl Readiness {
    /// Creates a readiness without conditions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a condition, for example `keys of issuer corp`. It is met whenever `holds` returns `true`.
    pub fn require(&self, name: &str, holds: impl Fn() -> bool + Send + Sync + 'static) {
        let condition = Condition {
            name: name.into(),
            holds: Box::new(holds),
        };
        self.conditions().push(condition);
    }

    /// Replaces the conditions by those of `other`, atomically.
    pub fn take_over(&self, other: &Self) {
        let conditions = std::mem::take(&mut *other.conditions());
        *self.conditions() = conditions;
    }

    /// Makes the gateway not ready from now on, regardless of the conditions.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Release);
    }

    /// Returns the conditions that are not met now.
    pub fn report(&self) -> ReadinessReport {
        ReadinessReport {
            waiting_for: self
                .conditions()
                .iter()
                .filter(|condition| !(condition.holds)())
                .map(|condition| Arc::clone(&condition.name))
                .collect(),
            draining: self.0.draining.load(Ordering::Acquire),
        }
    }

    fn conditions(&self) -> std::sync::MutexGuard<'_, Vec<Condition>> {
        self.0
            .conditions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Readiness").field(&self.report()).finish()
    }
}

impl ReadinessReport {
    /// Returns `true` if the gateway should get requests.
    pub fn is_ready(&self) -> bool {
        self.waiting_for.is_empty() && !self.draining
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_while_every_condition_holds_and_no_longer() {
        let readiness = Readiness::new();
        assert!(readiness.report().is_ready());
        let (corp, partner) = (
            Arc::new(AtomicBool::new(true)),
            Arc::new(AtomicBool::new(false)),
        );
        for (name, holds) in [("corp", &corp), ("partner", &partner)] {
            let holds = Arc::clone(holds);
            readiness.require(name, move || holds.load(Ordering::SeqCst));
        }
        assert_eq!(
            readiness.report().waiting_for,
            [Arc::<str>::from("partner")]
        );
        partner.store(true, Ordering::SeqCst);
        assert!(readiness.report().is_ready());
        corp.store(false, Ordering::SeqCst);
        assert!(!readiness.report().is_ready());
    }

    #[test]
    fn it_hangs_on_the_conditions_that_were_taken_over_and_no_others() {
        let (readiness, other) = (Readiness::new(), Readiness::new());
        readiness.require("before", || false);
        other.require("after", || false);
        readiness.take_over(&other);
        assert_eq!(readiness.report().waiting_for, [Arc::<str>::from("after")]);
    }

    #[test]
    fn a_draining_gateway_is_never_ready() {
        let readiness = Readiness::new();
        readiness.drain();
        assert!(!readiness.report().is_ready());
        assert!(readiness.report().draining);
    }
}
