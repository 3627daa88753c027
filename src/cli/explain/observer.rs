//! Collects what the stages report while they decide.

use crate::{
    telemetry::{DecisionObserver, DecisionStep, Facts, ScopeSteps},
    token::Claims,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Stores the reported steps. Clones share them, because an exchange runs in another task than its request.
#[derive(Debug, Clone, Default)]
pub(super) struct Account(Arc<Mutex<ObservedDecision>>);

/// The reported steps, scopes and claims.
#[derive(Debug, Default)]
pub(super) struct ObservedDecision {
    /// In the order in which they were taken.
    pub(super) steps: Vec<(DecisionStep, Facts)>,
    pub(super) scopes: Option<ScopeSteps>,
    pub(super) claims: Option<Claims>,
}

impl Account {
    /// Takes everything that was reported so far.
    pub(super) fn taken(&self) -> ObservedDecision {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, ObservedDecision> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DecisionObserver for Account {
    fn begin(&mut self, step: DecisionStep, facts: impl FnOnce() -> Facts) {
        self.lock().steps.push((step, facts()));
    }

    fn scopes(&mut self, steps: impl FnOnce() -> ScopeSteps) {
        self.lock().scopes = Some(steps());
    }

    fn issued(&mut self, claims: impl FnOnce() -> Option<Claims>) {
        self.lock().claims = claims();
    }
}
