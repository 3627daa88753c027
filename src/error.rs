//! The reasons why a request is not forwarded, and the one table with the responses to the client.
//!
//! Every stage has its own error type, and [`Refusal`] wraps them all. The public text is fixed. It is the same for
//! every reason why a token is not acceptable, so that an attacker learns nothing from a response. The reason goes to the log
//! and the metrics.

#[cfg(test)]
pub(crate) mod every;
mod reason;
mod response;
mod table;

pub use response::{Challenge, ErrorResponse};

use crate::{
    exchange::ExchangeError,
    gate::GateError,
    policy::PolicyError,
    source::SourceError,
    telemetry::{LeakPlace, Outcome, Reason},
    verify::VerifyError,
};
use thiserror::Error;

/// The reason why a request is not forwarded, or why the upstream's response is not returned.
#[derive(Debug, Clone, Error)]
pub enum Refusal {
    /// The head is ambiguous or too large.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// The request presents no usable token.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// No route matches.
    #[error("no route matches the request")]
    NoRoute,
    /// The target contains a copy of the presented token, which would be forwarded and logged.
    #[error("the request target contains the token")]
    TokenInTarget,
    /// The token is not acceptable, or the gateway cannot verify it now.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The token is genuine, but the policy of the route refuses it.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The exchange failed.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// The audit event of the exchange could not be written.
    #[error("the audit event could not be written")]
    Audit,
    /// The exchange took too long.
    #[error("the exchange took too long")]
    WaitedTooLong,
    /// An internal error of the gateway.
    #[error("internal error")]
    Fault,
    /// The response of the upstream contains the token that was sent to it.
    #[error("the upstream's response contains the token that was sent to it")]
    Leak(LeakPlace),
    /// The upstream failed.
    #[error("upstream: {0}")]
    Upstream(#[from] UpstreamFault),
}

/// The way in which an upstream failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum UpstreamFault {
    /// The gateway cannot connect to it.
    #[error("unreachable")]
    Unreachable,
    /// It does not respond in time.
    #[error("no response in time")]
    Timeout,
    /// Its response is not valid HTTP.
    #[error("the response is not valid HTTP")]
    Framing,
    /// It refuses a newly issued token.
    #[error("refuses a newly issued token")]
    Unauthorized,
    /// It refuses the token, and the request cannot be repeated.
    #[error("refuses the token, and the request cannot be repeated")]
    NotRepeatable,
    /// It switches protocols without a request to do so.
    #[error("switched protocols without a request to do so")]
    Upgrade,
}

impl Refusal {
    /// The response to the client.
    pub fn response(&self) -> ErrorResponse {
        table::response(self)
    }

    /// The reason for metrics and logs.
    pub fn reason(&self) -> Reason {
        reason::of(self)
    }

    /// The outcome for `obo_requests_total`, which says who failed.
    pub fn outcome(&self) -> Outcome {
        if matches!(self, Self::Upstream(_) | Self::Leak(_)) {
            Outcome::UpstreamFailed
        } else if self.response().status.is_client_error() {
            Outcome::Refused
        } else {
            Outcome::Unavailable
        }
    }
}

impl Refusal {
    /// Returns `true` if the same request would be refused again: the refusal is a decision about a token whose signature is
    /// valid, by the gateway or by the identity provider that it asked. A failure is never definitive.
    pub fn is_definitive(&self) -> bool {
        match self {
            Self::Policy(_) => true,
            Self::Verify(error) => reason::is_settled(error),
            Self::Exchange(error) => reason::is_decided(error),
            Self::Gate(_)
            | Self::Source(_)
            | Self::NoRoute
            | Self::TokenInTarget
            | Self::Audit
            | Self::WaitedTooLong
            | Self::Fault
            | Self::Leak(_)
            | Self::Upstream(_) => false,
        }
    }
}
