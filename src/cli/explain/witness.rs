//! Collects what the stages report while they decide.

use crate::{
    telemetry::{Facts, ScopeSteps, Step, Witness},
    token::Claims,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Stores the reported steps. Clones share them, because an exchange runs in another task than its request.
#[derive(Debug, Clone, Default)]
pub(super) struct Account(Arc<Mutex<Told>>);

/// The reported steps, scopes and claims.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// In the order in which they were taken.
    pub(super) steps: Vec<(Step, Facts)>,
    pub(super) scopes: Option<ScopeSteps>,
    pub(super) claims: Option<Claims>,
}

impl Account {
    /// Takes everything that was reported so far.
    pub(super) fn taken(&self) -> Told {
        std::mem::take(&mut *self.told())
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Witness for Account {
    fn begin(&mut self, step: Step, facts: impl FnOnce() -> Facts) {
        self.told().steps.push((step, facts()));
    }

    fn scopes(&mut self, steps: impl FnOnce() -> ScopeSteps) {
        self.told().scopes = Some(steps());
    }

    fn issued(&mut self, claims: impl FnOnce() -> Option<Claims>) {
        self.told().claims = claims();
    }
}
