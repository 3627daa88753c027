//! Observability: metrics, the access log, the audit log, the gateway's own log, and readiness.
//!
//! Labels come only from closed enums and the configuration. No label and no log line contains a token, and values that
//! a client chooses are bounded and escaped. Observing a request never waits for a disk. An audit event is written
//! before its token is used. Log messages of other crates can contain whole request heads, so they never reach a log.

pub mod access;
pub mod audit;
mod decision;
mod decisions;
mod ids;
mod json;
mod labels;
pub mod log;
mod metrics;
mod observer;
mod principal;
mod readiness;
mod settings;
mod sink;
mod trace_context;

pub use access::{AccessField, AccessFields, AccessFieldsSettings, AccessLog, AccessRecord};
pub use audit::{AuditError, AuditEvent, AuditLog, AuditedAct, AuditedBy, Revoked};
pub use decision::{DecisionNames, TokenDecision};
pub use decisions::{Decisions, Found, Recorded, Remembered};
pub use ids::{IdSource, RequestId, SpanId};
#[cfg(test)]
pub(crate) use labels::testing;
pub use labels::{
    CacheResult, ExchangeOutcome, LeakPlace, Outcome, Reason, ReloadOutcome, StatusClass,
};
pub(crate) use labels::{Label, labels};
pub(crate) use metrics::{ByLabel, Gauge};
pub use metrics::{CertificateUse, Counter, Gauges, IssuerMetrics, Metrics, RouteMetrics};
pub use observer::{DecisionObserver, DecisionStep, Facts, ScopeSteps};
pub use principal::Principal;
pub use readiness::{Readiness, ReadinessReport};
pub use settings::{
    AccessSettings, AuditSettings, LogFormat, LogLevel, LogSettings, TelemetrySettings,
};
pub use trace_context::{TraceContext, TraceParent};
