//! Recording of exchanges: one place that logs, counts and audits them.

use crate::{
    cache::RefusedExchange,
    error::Refusal,
    error_class::ErrorClass,
    exchange::IssuedToken,
    route::{Access, Route},
    telemetry::{
        AuditEvent, AuditLog, AuditedAct, DecisionObserver, DecisionStep, ExchangeOutcome, Facts,
        Outcome, Principal, RequestId, ScopeSteps, TokenDecision,
    },
    token::Claims,
};
use std::{sync::Arc, time::Duration};

/// Writes the audit log and counts exchanges.
#[derive(Debug, Clone)]
pub struct Recorder {
    audit: AuditLog,
}

/// Records the subject of a token and the checks for the logs, and passes everything on to another observer.
#[derive(Debug, Clone)]
pub(super) struct RecordingObserver<W> {
    inner: W,
    principal: Option<Principal>,
    steps: Vec<DecisionStep>,
}

impl<W> RecordingObserver<W> {
    pub(super) fn new(inner: W) -> Self {
        Self {
            inner,
            principal: None,
            steps: Vec::with_capacity(DecisionStep::ALL.len()),
        }
    }

    pub(super) fn principal(&self) -> Option<&Principal> {
        self.principal.as_ref()
    }

    /// Returns the refused exchange with everything that was recorded about it.
    pub(super) fn refused(self, refusal: Refusal) -> RefusedExchange {
        let decision = TokenDecision::refused(self.principal.as_ref(), &self.steps);
        RefusedExchange {
            refusal,
            principal: self.principal.map(Arc::new),
            decision: Some(Arc::new(decision)),
        }
    }
}

impl<W: DecisionObserver> DecisionObserver for RecordingObserver<W> {
    fn begin(&mut self, step: DecisionStep, facts: impl FnOnce() -> Facts) {
        self.steps.push(step);
        self.inner.begin(step, facts);
    }

    fn proven(&mut self, principal: impl FnOnce() -> Principal) {
        self.principal = Some(principal());
    }

    fn scopes(&mut self, steps: impl FnOnce() -> ScopeSteps) {
        self.inner.scopes(steps);
    }

    fn issued(&mut self, claims: impl FnOnce() -> Option<Claims>) {
        self.inner.issued(claims);
    }
}

impl Recorder {
    /// Creates a recorder that writes to `audit`.
    pub fn new(audit: AuditLog) -> Self {
        Self { audit }
    }

    /// The audit log.
    pub fn audit(&self) -> &AuditLog {
        &self.audit
    }

    /// Records that `issued` was issued, before it is used.
    ///
    /// # Errors
    /// [`Refusal::Audit`] if the audit event cannot be written. The token is then not used.
    pub(super) fn issued(
        &self,
        route: &Route,
        id: RequestId,
        issued: &IssuedToken,
    ) -> Result<(), Refusal> {
        let permitted = issued.permitted();
        let subject = permitted.subject();
        let event = AuditEvent {
            route: Some(route.name()),
            issuer: Some(subject.issuer_name()),
            subject: Some(subject.sub()),
            client_id: subject.client_id(),
            actor: permitted.actors().current(),
            audiences: std::slice::from_ref(permitted.audience()),
            scope: Some(issued.scope()),
            expires_at: Some(issued.expires_at()),
            jti: issued.id(),
            ..AuditEvent::new(AuditedAct::TokenIssued, id)
        };
        self.audit.record(&event).map_err(|error| {
            tracing::error!(%error, route = route.name(), "exchange refused: its audit event could not be written");
            Refusal::Audit
        })
    }

    /// Counts the result of an exchange, and records its refusal.
    pub(super) fn ended(
        &self,
        route: &Route,
        id: RequestId,
        principal: Option<&Principal>,
        result: &Result<IssuedToken, Refusal>,
        duration: Duration,
    ) {
        let outcome = match result {
            Ok(_) => ExchangeOutcome::Issued,
            Err(refusal) => {
                self.refused(route, id, principal, refusal);
                tell_operator(route, refusal);
                match refusal.outcome() {
                    Outcome::Refused => ExchangeOutcome::Refused,
                    Outcome::Forwarded
                    | Outcome::Unavailable
                    | Outcome::UpstreamFailed
                    | Outcome::Served
                    | Outcome::Ended
                    | Outcome::ClientGone => ExchangeOutcome::Failed,
                }
            }
        };
        route.metrics().exchange(outcome, duration);
    }

    /// Records that an exchange was refused, now or by a cached refusal.
    pub(super) fn refused(
        &self,
        route: &Route,
        id: RequestId,
        principal: Option<&Principal>,
        refusal: &Refusal,
    ) {
        let event = AuditEvent {
            route: Some(route.name()),
            issuer: principal.map(|p| &*p.issuer),
            subject: principal.and_then(|p| p.subject.as_deref()),
            client_id: principal.and_then(|p| p.client_id.as_deref()),
            audiences: match route.access() {
                Access::Protected(protected) => std::slice::from_ref(protected.policy.audience()),
                Access::Public(_) => &[],
            },
            ..AuditEvent::new(AuditedAct::TokenRefused(refusal.reason()), id)
        };
        if let Err(error) = self.audit.record(&event) {
            // the request is refused in any case
            tracing::error!(%error, route = route.name(), "the audit event of a refusal could not be written");
        }
    }
}

/// Logs a refusal that only a change to the configuration, or to the gateway's registration as a client, ends.
fn tell_operator(route: &Route, refusal: &Refusal) {
    let Refusal::Exchange(error) = refusal else {
        return;
    };
    if error.class() == ErrorClass::ClientRefused {
        tracing::error!(%error, route = route.name(), "the identity provider refuses the gateway as its client");
    }
}
