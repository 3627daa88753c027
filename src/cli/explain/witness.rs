//! What the stages tell while they decide.

use crate::{
    telemetry::{Facts, ScopeSteps, Step, Witness},
    token::Claims,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Keeps what it is told. Clones share it: an exchange runs beside the request that it is for.
#[derive(Debug, Clone, Default)]
pub(super) struct Account(Arc<Mutex<Told>>);

/// What was told.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// In the order in which they were taken.
    pub(super) steps: Vec<(Step, Facts)>,
    pub(super) scopes: Option<ScopeSteps>,
    pub(super) claims: Option<Claims>,
}

impl Account {
    /// What was told until now.
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
