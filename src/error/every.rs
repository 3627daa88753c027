//! Every error of the verifier, the policy and the exchange, for tests that must not miss one.
//!
//! A new variant does not compile until it has a number here, and its number fails the test until the list has it.

use crate::{
    clock::NoRandomness,
    egress::EgressError,
    exchange::{AttenuationError, ExchangeError, ResponseFault},
    jose::{Algorithm, JoseError, KeyLookup},
    policy::PolicyError,
    store::TooManyKeys,
    token::{ActorError, ClaimsError, ScopeSet},
    verify::{AssertionError, VerifyError},
};
use std::{collections::BTreeSet, time::Duration};

/// Every variant of [`VerifyError`].
pub(super) fn verify_errors() -> Vec<VerifyError> {
    let issuer = || "corp".into();
    vec![
        VerifyError::Malformed(JoseError::NotCompact),
        VerifyError::UnknownIssuer,
        VerifyError::SelfIssued,
        VerifyError::AlgorithmNotAccepted {
            issuer: issuer(),
            alg: Algorithm::ES256,
        },
        VerifyError::UnknownKey {
            issuer: issuer(),
            why: KeyLookup::UnknownKid,
        },
        VerifyError::NotIssuedHere,
        VerifyError::KeysUnavailable { issuer: issuer() },
        VerifyError::Signature(JoseError::NotCompact),
        VerifyError::TokenType,
        VerifyError::NotAnAccessToken,
        VerifyError::Claims(ClaimsError::Missing("exp")),
        VerifyError::Expired,
        VerifyError::NotYetValid,
        VerifyError::LivesTooLong {
            allowed: Duration::from_secs(1),
        },
        VerifyError::Audience,
        VerifyError::Subject,
        VerifyError::SenderConstrained,
        VerifyError::RequiredClaim { name: issuer() },
        VerifyError::ActorChain(ActorError::Malformed),
        VerifyError::Scope,
        VerifyError::Roles,
        VerifyError::Revoked,
        VerifyError::Lineage(TooManyKeys { found: 33 }),
        VerifyError::NotTaken,
        VerifyError::NotAnIdToken,
        VerifyError::Assertion(AssertionError::Key),
        VerifyError::Impersonated,
        VerifyError::UserUnknown,
        VerifyError::Origin,
    ]
}

fn number_of_verify(error: &VerifyError) -> usize {
    match error {
        VerifyError::Malformed(_) => 0,
        VerifyError::UnknownIssuer => 1,
        VerifyError::SelfIssued => 2,
        VerifyError::AlgorithmNotAccepted { .. } => 3,
        VerifyError::UnknownKey { .. } => 4,
        VerifyError::NotIssuedHere => 5,
        VerifyError::KeysUnavailable { .. } => 6,
        VerifyError::Signature(_) => 7,
        VerifyError::TokenType => 8,
        VerifyError::NotAnAccessToken => 9,
        VerifyError::Claims(_) => 10,
        VerifyError::Expired => 11,
        VerifyError::NotYetValid => 12,
        VerifyError::LivesTooLong { .. } => 13,
        VerifyError::Audience => 14,
        VerifyError::Subject => 15,
        VerifyError::SenderConstrained => 16,
        VerifyError::RequiredClaim { .. } => 17,
        VerifyError::ActorChain(_) => 18,
        VerifyError::Scope => 19,
        VerifyError::Roles => 20,
        VerifyError::Revoked => 21,
        VerifyError::Lineage(_) => 22,
        VerifyError::NotTaken => 23,
        VerifyError::NotAnIdToken => 24,
        VerifyError::Assertion(_) => 25,
        VerifyError::Impersonated => 26,
        VerifyError::UserUnknown => 27,
        VerifyError::Origin => 28,
    }
}

/// Every variant of [`PolicyError`].
pub(super) fn policy_errors() -> Vec<PolicyError> {
    let scope = || ScopeSet::parse("orders.read").unwrap();
    vec![
        PolicyError::CallerNotAdmitted,
        PolicyError::AudienceNotForClient,
        PolicyError::NoOperation,
        PolicyError::AppOnlySubject,
        PolicyError::AuthorizationDetails,
        PolicyError::ScopeNotHeld {
            wanted: scope(),
            missing: scope(),
            held: ScopeSet::empty(),
        },
        PolicyError::NoScopeLeft {
            allowed: scope(),
            held: scope(),
        },
        PolicyError::NotAuthorizedActor,
        PolicyError::ActorChainTooDeep {
            depth: 2,
            allowed: 1,
        },
        PolicyError::NoLifetimeLeft,
        PolicyError::SubjectNotExpressible,
        PolicyError::NotThisClientsToken,
        PolicyError::ActorNeeded,
        PolicyError::ImpersonationNotAllowed,
        PolicyError::UserUnknown,
        PolicyError::TargetNotAllowed,
        PolicyError::ScopeExceeds { wanted: scope() },
        PolicyError::FormatNotAllowed,
        PolicyError::Lineage(TooManyKeys { found: 33 }),
    ]
}

fn number_of_policy(error: &PolicyError) -> usize {
    match error {
        PolicyError::CallerNotAdmitted => 0,
        PolicyError::AudienceNotForClient => 1,
        PolicyError::NoOperation => 2,
        PolicyError::AppOnlySubject => 3,
        PolicyError::AuthorizationDetails => 4,
        PolicyError::ScopeNotHeld { .. } => 5,
        PolicyError::NoScopeLeft { .. } => 6,
        PolicyError::NotAuthorizedActor => 7,
        PolicyError::ActorChainTooDeep { .. } => 8,
        PolicyError::NoLifetimeLeft => 9,
        PolicyError::SubjectNotExpressible => 10,
        PolicyError::NotThisClientsToken => 11,
        PolicyError::ActorNeeded => 12,
        PolicyError::ImpersonationNotAllowed => 13,
        PolicyError::UserUnknown => 14,
        PolicyError::TargetNotAllowed => 15,
        PolicyError::ScopeExceeds { .. } => 16,
        PolicyError::FormatNotAllowed => 17,
        PolicyError::Lineage(_) => 18,
    }
}

/// Every variant of [`ExchangeError`].
pub(crate) fn exchange_errors() -> Vec<ExchangeError> {
    vec![
        ExchangeError::Signing(JoseError::NotCompact),
        ExchangeError::Randomness(NoRandomness),
        ExchangeError::NoOpaqueKeys,
        ExchangeError::Sealing(crate::jose::SealingError),
        ExchangeError::NotAsPermitted(AttenuationError::Scope),
        ExchangeError::TokenRefused {
            code: "invalid_grant",
        },
        ExchangeError::TargetRefused {
            code: "invalid_target",
        },
        ExchangeError::ClientRefused {
            code: "invalid_client",
        },
        ExchangeError::Unavailable(EgressError::Deadline),
        ExchangeError::Unusable(ResponseFault::Member("access_token")),
        ExchangeError::WiderThanPermitted(AttenuationError::Scope),
    ]
}

fn number_of_exchange(error: &ExchangeError) -> usize {
    match error {
        ExchangeError::Signing(_) => 0,
        ExchangeError::Randomness(_) => 1,
        ExchangeError::NoOpaqueKeys => 2,
        ExchangeError::Sealing(_) => 3,
        ExchangeError::NotAsPermitted(_) => 4,
        ExchangeError::TokenRefused { .. } => 5,
        ExchangeError::TargetRefused { .. } => 6,
        ExchangeError::ClientRefused { .. } => 7,
        ExchangeError::Unavailable(_) => 8,
        ExchangeError::Unusable(_) => 9,
        ExchangeError::WiderThanPermitted(_) => 10,
    }
}

#[test]
fn no_variant_is_missing_from_the_lists() {
    let all = |numbers: Vec<usize>, count: usize| {
        let found: BTreeSet<usize> = numbers.into_iter().collect();
        assert_eq!(found, (0..count).collect());
    };
    all(verify_errors().iter().map(number_of_verify).collect(), 29);
    all(policy_errors().iter().map(number_of_policy).collect(), 19);
    all(
        exchange_errors().iter().map(number_of_exchange).collect(),
        11,
    );
}
