//! Why a request is not forwarded, and the one table that says what the client is told.
//!
//! Every stage has its own error type; [`Refusal`] wraps them. The public text is fixed: one text for every reason why
//! a token is not acceptable, so that an answer teaches an attacker nothing. The reason goes to the log and the metric.

mod answer;

pub use answer::{Answer, Challenge};

use crate::{
    cache::FlightError,
    exchange::ExchangeError,
    gate::GateError,
    policy::PolicyError,
    source::SourceError,
    telemetry::{LeakPlace, Outcome, Reason},
    token::ScopeSet,
    verify::VerifyError,
};
use http::StatusCode;
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
        match self {
            Self::Gate(error) => gate(error),
            Self::Source(error) => source(*error),
            Self::NoRoute => Answer::new(
                StatusCode::NOT_FOUND,
                "not_found",
                "no route serves this request",
            ),
            Self::TokenInTarget => {
                invalid_request("a token does not belong into the request target")
            }
            Self::Verify(VerifyError::KeysUnavailable { .. }) => unavailable(),
            Self::Verify(_) => invalid_token(),
            Self::Policy(error) => policy(error),
            Self::Exchange(_) | Self::Audit | Self::WaitedTooLong | Self::Fault => unavailable(),
            Self::Leak(_) => bad_gateway(),
            Self::Upstream(fault) => upstream(*fault),
        }
    }

    /// Why, for metrics and logs.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Gate(error) => match error {
                GateError::TargetTooLong { .. } => Reason::TargetTooLong,
                GateError::HeadersTooLarge { .. } => Reason::HeadersTooLarge,
                GateError::AmbiguousPath(_)
                | GateError::AuthorityMismatch
                | GateError::MethodNotForwarded => Reason::AmbiguousPath,
            },
            Self::Source(error) => match error {
                SourceError::NoCredentials => Reason::NoCredentials,
                SourceError::Malformed => Reason::MalformedAuthorization,
                SourceError::Several => Reason::SeveralCredentials,
                SourceError::InQuery => Reason::TokenInQuery,
                SourceError::TooLong { .. } => Reason::TokenTooLarge,
            },
            Self::NoRoute => Reason::NoRoute,
            Self::TokenInTarget => Reason::TokenInTarget,
            Self::Verify(error) => verify_reason(error),
            Self::Policy(error) => policy_reason(error),
            Self::Exchange(error) => match error {
                ExchangeError::Signing(_) | ExchangeError::Randomness(_) => Reason::Signing,
                ExchangeError::NotAsPermitted(_) => Reason::WiderThanPermitted,
            },
            Self::Audit => Reason::AuditUnwritable,
            Self::WaitedTooLong => Reason::WaitedTooLong,
            Self::Fault => Reason::Internal,
            Self::Leak(_) => Reason::ResponseLeak,
            Self::Upstream(fault) => match fault {
                UpstreamFault::Unreachable => Reason::UpstreamUnreachable,
                UpstreamFault::Timeout => Reason::UpstreamTimeout,
                UpstreamFault::Framing => Reason::UpstreamFraming,
                UpstreamFault::Unauthorized | UpstreamFault::NotRepeatable => {
                    Reason::UpstreamUnauthorized
                }
                UpstreamFault::Upgrade => Reason::UpgradeRefused,
            },
        }
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
            Self::Verify(error) => is_settled(error),
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
}

fn gate(error: &GateError) -> Answer {
    match error {
        GateError::TargetTooLong { .. } => Answer::new(
            StatusCode::URI_TOO_LONG,
            "invalid_request",
            "the request target is too long",
        ),
        GateError::HeadersTooLarge { .. } => Answer::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "invalid_request",
            "the header fields are too large",
        ),
        GateError::AmbiguousPath(_) => Answer::new(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "the path can be read in more than one way",
        )
        .closing(),
        GateError::AuthorityMismatch => Answer::new(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "the request names two hosts",
        )
        .closing(),
        GateError::MethodNotForwarded => Answer::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "invalid_request",
            "this method is not forwarded",
        )
        .closing(),
    }
}

fn source(error: SourceError) -> Answer {
    match error {
        // RFC 6750 §3.1: no error code where the request holds no credentials at all
        SourceError::NoCredentials => Answer::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "a bearer token is needed",
        )
        .challenge(Challenge::Plain),
        SourceError::Malformed => invalid_request("the Authorization field is malformed"),
        SourceError::Several => invalid_request("the request presents more than one credential"),
        SourceError::InQuery => invalid_request("a token does not belong into the query"),
        SourceError::TooLong { .. } => Answer::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "invalid_request",
            "the token is too long",
        ),
    }
}

fn policy(error: &PolicyError) -> Answer {
    match error {
        PolicyError::ScopeNotHeld { wanted, .. } => insufficient_scope(wanted),
        PolicyError::NoScopeLeft { allowed } => insufficient_scope(allowed),
        PolicyError::NoLifetimeLeft => invalid_token(),
        PolicyError::CallerNotAdmitted
        | PolicyError::AppOnlySubject
        | PolicyError::NotAuthorizedActor
        | PolicyError::ActorChainTooDeep { .. }
        | PolicyError::SubjectNotExpressible => {
            // RFC 6750 §3.1 has no error code for a policy that refuses
            Answer::new(
                StatusCode::FORBIDDEN,
                "access_denied",
                "the policy of this route refuses the request",
            )
            .challenge(Challenge::Plain)
        }
    }
}

fn policy_reason(error: &PolicyError) -> Reason {
    match error {
        PolicyError::CallerNotAdmitted => Reason::CallerNotAdmitted,
        PolicyError::AppOnlySubject => Reason::AppOnlySubject,
        PolicyError::ScopeNotHeld { .. } => Reason::ScopeNotHeld,
        PolicyError::NoScopeLeft { .. } => Reason::NoScopeLeft,
        PolicyError::NotAuthorizedActor => Reason::NotAuthorizedActor,
        PolicyError::ActorChainTooDeep { .. } => Reason::ActorChainTooDeep,
        PolicyError::NoLifetimeLeft => Reason::NoLifetimeLeft,
        PolicyError::SubjectNotExpressible => Reason::SubjectNotExpressible,
    }
}

fn verify_reason(error: &VerifyError) -> Reason {
    match error {
        VerifyError::Malformed(_) => Reason::MalformedToken,
        VerifyError::UnknownIssuer => Reason::UnknownIssuer,
        VerifyError::SelfIssued => Reason::SelfIssued,
        VerifyError::AlgorithmNotAccepted { .. } => Reason::Algorithm,
        VerifyError::UnknownKey { .. } => Reason::UnknownKey,
        VerifyError::KeysUnavailable { .. } => Reason::KeysUnavailable,
        VerifyError::Signature(_) => Reason::Signature,
        VerifyError::TokenType | VerifyError::NotAnAccessToken => Reason::TokenType,
        VerifyError::Claims(_)
        | VerifyError::Subject
        | VerifyError::ActorChain(_)
        | VerifyError::Scope => Reason::Claims,
        VerifyError::Expired => Reason::Expired,
        VerifyError::NotYetValid => Reason::NotYetValid,
        VerifyError::LivesTooLong { .. } => Reason::LivesTooLong,
        VerifyError::Audience => Reason::Audience,
        VerifyError::SenderConstrained => Reason::SenderConstrained,
        VerifyError::RequiredClaim { .. } => Reason::RequiredClaim,
    }
}

/// Whether the token's signature was found valid before the check that failed, and waiting does not mend it.
fn is_settled(error: &VerifyError) -> bool {
    match error {
        VerifyError::TokenType
        | VerifyError::NotAnAccessToken
        | VerifyError::Claims(_)
        | VerifyError::Subject
        | VerifyError::ActorChain(_)
        | VerifyError::Scope
        | VerifyError::Expired
        | VerifyError::LivesTooLong { .. }
        | VerifyError::Audience
        | VerifyError::SenderConstrained
        | VerifyError::RequiredClaim { .. } => true,
        VerifyError::Malformed(_)
        | VerifyError::UnknownIssuer
        | VerifyError::SelfIssued
        | VerifyError::AlgorithmNotAccepted { .. }
        | VerifyError::UnknownKey { .. }
        | VerifyError::KeysUnavailable { .. }
        | VerifyError::Signature(_)
        | VerifyError::NotYetValid => false,
    }
}

fn upstream(fault: UpstreamFault) -> Answer {
    match fault {
        UpstreamFault::Timeout => Answer::new(
            StatusCode::GATEWAY_TIMEOUT,
            "gateway_timeout",
            "the downstream API did not answer in time",
        ),
        UpstreamFault::Unreachable
        | UpstreamFault::Framing
        | UpstreamFault::Unauthorized
        | UpstreamFault::NotRepeatable
        | UpstreamFault::Upgrade => bad_gateway(),
    }
}

fn invalid_token() -> Answer {
    Answer::new(
        StatusCode::UNAUTHORIZED,
        "invalid_token",
        "the token is not acceptable",
    )
    .challenge(Challenge::Coded("invalid_token"))
}

fn invalid_request(description: &'static str) -> Answer {
    Answer::new(StatusCode::BAD_REQUEST, "invalid_request", description)
        .challenge(Challenge::Coded("invalid_request"))
}

fn insufficient_scope(required: &ScopeSet) -> Answer {
    Answer::new(
        StatusCode::FORBIDDEN,
        "insufficient_scope",
        "the token does not carry the scope that is needed",
    )
    .challenge(Challenge::InsufficientScope(required.clone()))
}

/// Seconds after which a client may try again.
const RETRY_AFTER: u16 = 5;

fn unavailable() -> Answer {
    Answer::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "temporarily_unavailable",
        "the token cannot be exchanged at the moment",
    )
    .retry_after(RETRY_AFTER)
}

fn bad_gateway() -> Answer {
    Answer::new(
        StatusCode::BAD_GATEWAY,
        "bad_gateway",
        "the downstream API gave no usable answer",
    )
}
