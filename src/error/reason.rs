//! The reason of a refusal, for metrics and logs.

use super::{Refusal, UpstreamFault};
use crate::{
    error_class::ErrorClass, exchange::ExchangeError, gate::GateError, policy::PolicyError,
    source::SourceError, telemetry::Reason, verify::VerifyError,
};

/// Returns the reason, from a closed list.
pub(super) fn of(refusal: &Refusal) -> Reason {
    match refusal {
        Refusal::Gate(error) => match error {
            GateError::TargetTooLong { .. } => Reason::TargetTooLong,
            GateError::HeadersTooLarge { .. } | GateError::TooManyFields => Reason::HeadersTooLarge,
            GateError::AmbiguousPath(_) | GateError::MethodNotForwarded => Reason::AmbiguousPath,
            GateError::MalformedHead(_) | GateError::MalformedBody(_) => Reason::MalformedRequest,
            GateError::Host(_) | GateError::AuthorityMismatch => Reason::Host,
        },
        Refusal::Source(error) => match error {
            SourceError::NoCredentials => Reason::NoCredentials,
            SourceError::Malformed => Reason::MalformedAuthorization,
            SourceError::Several => Reason::SeveralCredentials,
            SourceError::InQuery => Reason::TokenInQuery,
            SourceError::TooLong { .. } => Reason::TokenTooLarge,
        },
        Refusal::NoRoute => Reason::NoRoute,
        Refusal::TokenInTarget => Reason::TokenInTarget,
        Refusal::Verify(error) => verify_reason(error),
        Refusal::Policy(error) => policy_reason(error),
        Refusal::Exchange(error) => match error {
            ExchangeError::Signing(_)
            | ExchangeError::Randomness(_)
            | ExchangeError::NoOpaqueKeys
            | ExchangeError::Sealing(_) => Reason::Signing,
            ExchangeError::NotAsPermitted(_) | ExchangeError::WiderThanPermitted(_) => {
                Reason::WiderThanPermitted
            }
            ExchangeError::TokenRefused { .. } => Reason::ProviderRefusedToken,
            ExchangeError::TargetRefused { .. } => Reason::ProviderRefusedTarget,
            ExchangeError::ClientRefused { .. } => Reason::ProviderRefusedGateway,
            ExchangeError::Unavailable(_) => Reason::ProviderUnavailable,
            ExchangeError::Unusable(_) => Reason::ProviderResponse,
        },
        Refusal::Audit => Reason::AuditUnwritable,
        Refusal::WaitedTooLong => Reason::WaitedTooLong,
        Refusal::Fault => Reason::Internal,
        Refusal::Leak(_) => Reason::ResponseLeak,
        Refusal::Upstream(fault) => match fault {
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

fn policy_reason(error: &PolicyError) -> Reason {
    match error {
        PolicyError::CallerNotAdmitted => Reason::CallerNotAdmitted,
        PolicyError::AudienceNotForClient => Reason::AudienceNotForClient,
        PolicyError::NoOperation => Reason::NoOperation,
        PolicyError::AppOnlySubject => Reason::AppOnlySubject,
        PolicyError::AuthorizationDetails => Reason::AuthorizationDetails,
        PolicyError::ScopeNotHeld { .. } => Reason::ScopeNotHeld,
        PolicyError::NoScopeLeft { .. } => Reason::NoScopeLeft,
        PolicyError::NotAuthorizedActor => Reason::NotAuthorizedActor,
        PolicyError::ActorChainTooDeep { .. } => Reason::ActorChainTooDeep,
        PolicyError::NoLifetimeLeft => Reason::NoLifetimeLeft,
        PolicyError::SubjectNotExpressible => Reason::SubjectNotExpressible,
        PolicyError::NotThisClientsToken => Reason::NotThisClientsToken,
        PolicyError::ActorNeeded => Reason::ActorNeeded,
        PolicyError::ImpersonationNotAllowed => Reason::ImpersonationNotAllowed,
        PolicyError::UserUnknown => Reason::UserUnknown,
        PolicyError::TargetNotAllowed => Reason::TargetNotAllowed,
        PolicyError::ScopeExceeds { .. } => Reason::ScopeExceeds,
        PolicyError::FormatNotAllowed => Reason::FormatNotAllowed,
        PolicyError::Lineage(_) => Reason::Claims,
    }
}

fn verify_reason(error: &VerifyError) -> Reason {
    match error {
        VerifyError::Malformed(_) => Reason::MalformedToken,
        VerifyError::UnknownIssuer | VerifyError::Origin => Reason::UnknownIssuer,
        VerifyError::SelfIssued => Reason::SelfIssued,
        VerifyError::AlgorithmNotAccepted { .. } => Reason::Algorithm,
        VerifyError::UnknownKey { .. } | VerifyError::NotIssuedHere => Reason::UnknownKey,
        VerifyError::KeysUnavailable { .. } => Reason::KeysUnavailable,
        VerifyError::Signature(_) => Reason::Signature,
        VerifyError::TokenType
        | VerifyError::NotAnAccessToken
        | VerifyError::NotAnIdToken
        | VerifyError::NotTaken => Reason::TokenType,
        VerifyError::Assertion(_) => Reason::Assertion,
        VerifyError::Revoked => Reason::Revoked,
        VerifyError::Impersonated => Reason::Impersonated,
        VerifyError::UserUnknown => Reason::UserUnknown,
        VerifyError::Claims(_)
        | VerifyError::Subject
        | VerifyError::ActorChain(_)
        | VerifyError::Scope
        | VerifyError::Roles
        | VerifyError::Lineage(_) => Reason::Claims,
        VerifyError::Expired => Reason::Expired,
        VerifyError::NotYetValid => Reason::NotYetValid,
        VerifyError::LivesTooLong { .. } => Reason::LivesTooLong,
        VerifyError::Audience => Reason::Audience,
        VerifyError::SenderConstrained => Reason::SenderConstrained,
        VerifyError::RequiredClaim { .. } => Reason::RequiredClaim,
    }
}

/// Returns `true` if the token's signature was verified before the failed check, and the error is permanent.
pub(super) fn is_settled(error: &VerifyError) -> bool {
    match error {
        VerifyError::TokenType
        | VerifyError::NotAnAccessToken
        | VerifyError::NotAnIdToken
        | VerifyError::Claims(_)
        | VerifyError::Lineage(_)
        | VerifyError::Subject
        | VerifyError::ActorChain(_)
        | VerifyError::Scope
        | VerifyError::Roles
        | VerifyError::Origin
        | VerifyError::Revoked
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
        | VerifyError::NotIssuedHere
        | VerifyError::KeysUnavailable { .. }
        | VerifyError::Signature(_)
        | VerifyError::NotYetValid
        | VerifyError::NotTaken
        | VerifyError::Assertion(_)
        | VerifyError::Impersonated
        | VerifyError::UserUnknown => false,
    }
}

/// Returns `true` if the identity provider decided about the token, and would decide the same again.
pub(super) fn is_decided(error: &ExchangeError) -> bool {
    match error.class() {
        ErrorClass::Unacceptable | ErrorClass::Scope | ErrorClass::Target | ErrorClass::Denied => {
            true
        }
        ErrorClass::Unavailable
        | ErrorClass::OperatorFault
        | ErrorClass::ClientRefused
        | ErrorClass::UnusableResponse
        | ErrorClass::Fault => false,
    }
}
