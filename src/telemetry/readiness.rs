//! Whether the gateway can do its work now, and what it still waits for.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// Every condition that must hold before requests are sent here. Cloning shares it.
#[derive(Clone, Default)]
pub struct Readiness(Arc<State>);

#[derive(Default)]
struct State {
    conditions: Mutex<Vec<Condition>>,
    draining: AtomicBool,
}

/// One condition; starts out as not met. It keeps counting when the handle is dropped: a task that died unmet
/// must not make the gateway ready.
#[derive(Clone)]
pub struct Condition {
    name: Arc<str>,
    met: Arc<AtomicBool>,
}

/// How things stood at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadinessReport {
    /// The names of the conditions that are not met, in the order of their registration.
    pub waiting_for: Vec<Arc<str>>,
    /// Whether the gateway is going away.
    pub draining: bool,
}

impl Readiness {
    /// Nothing to wait for yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a condition, e.g. `keys of issuer corp`; not met until its handle says so.
    pub fn register(&self, name: &str) -> Condition {
        let condition = Condition {
            name: name.into(),
            met: Arc::default(),
        };
        self.conditions().push(condition.clone());
        condition
    }

    /// From now on the gateway is not ready, whatever else holds.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Release);
    }

    /// What is missing now.
    pub fn report(&self) -> ReadinessReport {
        ReadinessReport {
            waiting_for: self
                .conditions()
                .iter()
                .filter(|condition| !condition.is_met())
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

impl Condition {
    /// It holds from now on.
    pub fn met(&self) {
        self.met.store(true, Ordering::Release);
    }

    /// It holds no longer.
    pub fn unmet(&self) {
        self.met.store(false, Ordering::Release);
    }

    fn is_met(&self) -> bool {
        self.met.load(Ordering::Acquire)
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condition")
            .field("name", &self.name)
            .field("met", &self.is_met())
            .finish()
    }
}

impl ReadinessReport {
    /// Whether requests may be sent here.
    pub fn is_ready(&self) -> bool {
        self.waiting_for.is_empty() && !self.draining
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_once_every_condition_holds_and_no_longer() {
        let readiness = Readiness::new();
        assert!(readiness.report().is_ready());
        let (corp, partner) = (readiness.register("corp"), readiness.register("partner"));
        corp.met();
        assert_eq!(readiness.report().waiting_for, ["partner".into()]);
        partner.met();
        assert!(readiness.report().is_ready());
        corp.unmet();
        assert!(!readiness.report().is_ready());
    }

    #[test]
    fn a_condition_whose_owner_is_gone_still_counts() {
        let readiness = Readiness::new();
        drop(readiness.register("corp"));
        assert!(!readiness.report().is_ready());
    }

    #[test]
    fn a_draining_gateway_is_never_ready() {
        let readiness = Readiness::new();
        readiness.drain();
        assert!(!readiness.report().is_ready());
        assert!(readiness.report().draining);
    }
}
