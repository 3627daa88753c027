//! Why a request is not forwarded, and the one table that says what the client is told.
//!
//! Every stage has its own error type; [`Refusal`] wraps them. The public text is fixed: one text for every reason why
//! a token is not acceptable, so that an answer teaches an attacker nothing. The reason goes to the log and the metric.

mod answer;
mod reason;
mod table;

pub use answer::{Answer, Challenge};

use crate::{
    cache::FlightError,
    exchange::ExchangeError,
    gate::GateError,
    policy::PolicyError,
    source::SourceError,
    telemetry::{LeakPlace, Outcome, Reason},
    verify::VerifyError,
};
use thiserror::Error;

/// Why a request is not forwarded, or its answer not passed on.
#[derive(Debug, Clone, Error)]
pub enum Refusal {
    /// The head could be read in two ways, or is too large.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// It presents no token.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// No route serves it.
    #[error("no route")]
    NoRoute,
    /// A copy of the presented token stands in the target, where it would be forwarded and logged.
    #[error("the token stands in the request target")]
    TokenInTarget,
    /// The token is not acceptable, or that cannot be found out.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The token is genuine and the route gives it nothing.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The exchange failed.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// The exchange could not be put on record.
    #[error("the audit event could not be written")]
    Audit,
    /// The exchange did not end in time.
    #[error("waited too long for the exchange")]
    WaitedTooLong,
    /// The gateway's own fault.
    #[error("internal fault")]
    Fault,
    /// The downstream's answer holds the token it was given.
    #[error("the downstream repeats its token")]
    Leak(LeakPlace),
    /// The downstream failed.
    #[error("downstream: {0}")]
    Upstream(#[from] UpstreamFault),
}

/// How a downstream failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum UpstreamFault {
    /// It cannot be connected to.
    #[error("unreachable")]
    Unreachable,
    /// It does not answer in time.
    #[error("no answer in time")]
    Timeout,
    /// What it answers is not HTTP.
    #[error("unusable answer")]
    Framing,
    /// It refuses a token that was made a moment ago.
    #[error("refuses a fresh token")]
    Unauthorized,
    /// It refuses the token, and the request cannot be repeated.
    #[error("refuses the token of a request that cannot be repeated")]
    NotRepeatable,
    /// It switches protocols without having been asked to.
    #[error("unasked protocol switch")]
    Upgrade,
}

impl Refusal {
    /// What the client is told.
    pub fn answer(&self) -> Answer {
        table::answer(self)
    }

    /// Why, for metrics and logs.
    pub fn reason(&self) -> Reason {
        reason::of(self)
    }

    /// Who failed, for `obo_requests_total`.
    pub fn outcome(&self) -> Outcome {
        if matches!(self, Self::Upstream(_) | Self::Leak(_)) {
            Outcome::UpstreamFailed
        } else if self.answer().status.is_client_error() {
            Outcome::Refused
        } else {
            Outcome::Unavailable
        }
    }
}

impl FlightError for Refusal {
    fn is_definitive(&self) -> bool {
        match self {
            Self::Policy(_) => true,
            Self::Verify(error) => reason::is_settled(error),
            Self::Gate(_)
            | Self::Source(_)
            | Self::NoRoute
            | Self::TokenInTarget
            | Self::Exchange(_)
            | Self::Audit
            | Self::WaitedTooLong
            | Self::Fault
            | Self::Leak(_)
            | Self::Upstream(_) => false,
        }
    }

    fn waited_too_long() -> Self {
        Self::WaitedTooLong
    }

    fn fault() -> Self {
        Self::Fault
    }

    fn revoked() -> Self {
        VerifyError::Revoked.into()
    }
}
