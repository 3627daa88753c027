//! What the gateway tells its operator: metrics, an access log, an audit log, its own log, readiness.
//!
//! What enters are closed enums, durations and names from the configuration; what leaves are Prometheus series and
//! JSON lines. Guaranteed: no label and no line holds a token, and what a client chose freely is bounded and escaped; observing a
//! request never waits for a disk; an audit event is written before its token is used; other crates' log texts,
//! which can hold whole request heads, never reach a log.

pub mod access;
pub mod audit;
mod decision;
mod decisions;
mod ids;
mod json;
mod labels;
pub mod log;
mod metrics;
mod readiness;
mod settings;
mod sink;
mod trace_context;
mod witness;

pub use access::{AccessField, AccessFields, AccessFieldsSettings, AccessLog, AccessRecord};
pub use audit::{AuditError, AuditEvent, AuditLog, AuditedAct, AuditedBy, Revoked};
pub use decision::{Decision, DecisionNames, Principal};
pub use decisions::{Decisions, Found, Recorded, Remembered};
pub use ids::{IdSource, RequestId, SpanId};
pub use labels::{
    CacheResult, ConnectionEvent, ExchangeOutcome, LeakPlace, Outcome, Reason, ReloadOutcome,
    StatusClass,
};
pub use metrics::{CertificateUse, Counter, Gauges, IssuerMetrics, Metrics, RouteMetrics};
pub use readiness::{Readiness, ReadinessReport};
pub use settings::{
    AccessSettings, AuditSettings, LogFormat, LogLevel, LogSettings, TelemetrySettings,
};
pub use trace_context::{TraceContext, TraceParent};
pub use witness::{Facts, ScopeSteps, Step, Witness};
