//! Putting exchanges on record: decided, counted and audited in one place.

use crate::{
    error::Refusal,
    exchange::IssuedToken,
    route::{Access, Route},
    telemetry::{AuditEvent, AuditLog, AuditedAct, ExchangeOutcome, Outcome, RequestId},
    verify::SubjectToken,
};
use std::time::Duration;

/// Writes the audit log and counts exchanges.
#[derive(Debug, Clone)]
pub struct Recorder {
    audit: AuditLog,
}

/// Who is behind a token that turned out genuine.
#[derive(Debug)]
pub(super) struct Principal {
    issuer: String,
    subject: String,
    client_id: Option<String>,
}

impl Principal {
    pub(super) fn of(subject: &SubjectToken) -> Self {
        Self {
            issuer: subject.issuer_name().to_owned(),
            subject: subject.sub().to_owned(),
            client_id: subject.client_id().map(str::to_owned),
        }
    }
}

impl Recorder {
    /// Records in `audit`.
    pub fn new(audit: AuditLog) -> Self {
        Self { audit }
    }

    /// Where it records.
    pub fn audit(&self) -> &AuditLog {
        &self.audit
    }

    /// Writes that `issued` was issued, before anybody can use it.
    ///
    /// # Errors
    /// [`Refusal::Audit`]: what is not on record is not used.
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
            jti: Some(issued.id()),
            ..AuditEvent::new(AuditedAct::TokenIssued, id)
        };
        self.audit.record(&event).map_err(|error| {
            tracing::error!(%error, route = route.name(), "exchange refused: its audit event could not be written");
            Refusal::Audit
        })
    }

    /// Counts how an exchange ended, and writes that it was refused.
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

    fn refused(
        &self,
        route: &Route,
        id: RequestId,
        principal: Option<&Principal>,
        refusal: &Refusal,
    ) {
        let event = AuditEvent {
            route: Some(route.name()),
            issuer: principal.map(|p| p.issuer.as_str()),
            subject: principal.map(|p| p.subject.as_str()),
            client_id: principal.and_then(|p| p.client_id.as_deref()),
            audiences: match route.access() {
                Access::Protected(protected) => std::slice::from_ref(protected.policy.audience()),
                Access::Public(_) => &[],
            },
            ..AuditEvent::new(AuditedAct::TokenRefused(refusal.reason()), id)
        };
        if let Err(error) = self.audit.record(&event) {
            // refused it stays: there is nothing to take back
            tracing::error!(%error, route = route.name(), "a refusal could not be put on record");
        }
    }
}
