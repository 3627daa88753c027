//! What every exchanger has to uphold, and how the responses of identity providers are judged.
//!
//! `contract` runs with every exchanger: the embedded engine, and one that responds from a script. A new exchanger gets a
//! test in this file that calls it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

mod accepted;
mod contract;
pub mod scripted;
mod situations;

use crate::{
    e2e::fail_closed::broken::{BrokenRandomness, Fault},
    properties::subject::{GATEWAY, IDP},
};
use contract::Tally;
use obo_gateway::{
    clock::{SharedRandomness, SystemRandomness},
    egress::EgressError,
    error_class::ErrorClass,
    exchange::{
        AttenuationError, Embedded, ExchangeError, NamedExchanger, ResponseFault, TokenResponse,
    },
    jose::{Algorithm, SealingKey, SealingKeys, SigningKey, SigningKeys},
    own_token::TokenSeal,
    policy::GatewayIdentity,
    token::{RawToken, ScopeSet},
};
use scripted::{Scripted, profile};
use std::{sync::Arc, time::Duration};

fn embedded(randomness: SharedRandomness) -> NamedExchanger {
    let key = SigningKey::generate(Algorithm::EdDSA).unwrap().key;
    let keys = Arc::new(SigningKeys::new([key]).unwrap());
    let sealing = SealingKeys::new([SealingKey::generate().unwrap().key]).unwrap();
    let gateway = GatewayIdentity {
        issuer: GATEWAY.into(),
        actor: "obo-gateway".into(),
    };
    let engine = Embedded::new(&gateway, keys, Arc::clone(&IDP.clock), randomness);
    let seal = TokenSeal::new(Arc::new(sealing), GATEWAY);
    NamedExchanger::embedded(Arc::new(engine.sealing(Some(seal))))
}

#[test]
fn the_embedded_engine_upholds_the_contract_in_every_situation() {
    let tally = contract::upheld_by(&embedded(Arc::new(SystemRandomness)), &ScopeSet::empty());
    assert_eq!(tally.refused, []);
    assert!(tally.accepted > 5);
}

#[test]
fn a_broken_embedded_engine_refuses_as_the_gateways_own_fault() {
    let randomness = Arc::new(BrokenRandomness::default());
    randomness.turn(Fault::Refuses);
    let tally = contract::upheld_by(&embedded(randomness), &ScopeSet::empty());
    assert_eq!(tally.accepted, 0);
    let is_fault = |error: &ExchangeError| error.class() == ErrorClass::Fault;
    assert!(tally.refused.iter().all(is_fault), "{tally:?}");
}

/// Runs the contract with a provider that always gives this response.
fn scripted(respond: impl Fn() -> Result<TokenResponse, ExchangeError> + Send + 'static) -> Tally {
    let script = Scripted::new(profile(), move |_, _| respond());
    contract::upheld_by(
        &NamedExchanger::new("provider", script),
        &profile().tolerates,
    )
}

fn opaque() -> TokenResponse {
    TokenResponse {
        expires_in: Some(Duration::from_secs(60)),
        ..TokenResponse::bearer(RawToken::from("8xLOxBtZp8".to_owned()))
    }
}

#[test]
fn a_provider_with_an_honest_response_upholds_the_contract() {
    let tally = scripted(|| Ok(opaque()));
    assert!(tally.accepted > 5, "{tally:?}");
    // details that restrict the subject would be lost in a token that the gateway cannot read
    let lost = ExchangeError::WiderThanPermitted(AttenuationError::AuthorizationDetails);
    assert_eq!(tally.refused, [lost]);
}

#[test]
fn a_provider_that_returns_what_it_got_or_more_scope_upholds_the_contract_by_being_refused() {
    let script = Scripted::new(profile(), |_, presented| {
        Ok(TokenResponse {
            expires_in: Some(Duration::from_secs(60)),
            ..TokenResponse::bearer(presented.token().clone())
        })
    });
    let echo = NamedExchanger::new("provider", script);
    let wider = || {
        Ok(TokenResponse {
            scope: Some(ScopeSet::parse("orders.read everything").unwrap()),
            ..opaque()
        })
    };
    for tally in [
        contract::upheld_by(&echo, &ScopeSet::empty()),
        scripted(wider),
    ] {
        assert_eq!(tally.accepted, 0);
        let is_wider =
            |error: &ExchangeError| matches!(error, ExchangeError::WiderThanPermitted(_));
        assert!(tally.refused.iter().all(is_wider), "{tally:?}");
    }
}

#[test]
fn a_provider_that_refuses_or_fails_names_the_class_of_its_failure() {
    for (error, class) in [
        (
            ExchangeError::TokenRefused {
                code: "invalid_grant",
            },
            ErrorClass::Unacceptable,
        ),
        (
            ExchangeError::TargetRefused {
                code: "invalid_target",
            },
            ErrorClass::Target,
        ),
        (
            ExchangeError::ClientRefused {
                code: "invalid_client",
            },
            ErrorClass::ClientRefused,
        ),
        (
            ExchangeError::Unavailable(EgressError::Deadline),
            ErrorClass::Unavailable,
        ),
        (
            ExchangeError::Unavailable(EgressError::Status(429)),
            ErrorClass::Unavailable,
        ),
        (
            ExchangeError::Unusable(ResponseFault::NotAnObject),
            ErrorClass::UnusableResponse,
        ),
        (
            ExchangeError::Unusable(ResponseFault::Member("access_token")),
            ErrorClass::UnusableResponse,
        ),
    ] {
        let failure = error.clone();
        let tally = scripted(move || Err(failure.clone()));
        assert_eq!(tally.accepted, 0);
        assert!(
            tally.refused.iter().all(|refused| *refused == error),
            "{tally:?}"
        );
        assert_eq!(error.class(), class);
    }
}
