//! Keys that rotate, disappear or cannot be fetched.

use crate::e2e::{
    answers::{assert_own, assert_untouched},
    support::{Lab, Provider, Setup, Signer, provider::Health, until},
};
use obo_gateway::clock::{Clock, ManualClock, SystemClock};
use obo_gateway::jose::Algorithm;
use serde_json::json;
use std::{sync::Arc, time::Duration};

#[tokio::test]
async fn a_new_key_is_fetched_for_the_first_token_that_names_it() {
    let lab = Lab::start().await;
    let next = Signer::es256();
    lab.idp.publish(&[lab.idp.signer(), &next]);
    let token = next.sign(&lab.claims(json!({})));
    assert_eq!(lab.present(&token).await.status(), 200);
    assert_eq!(lab.present(&lab.token()).await.status(), 200);
}

#[tokio::test]
async fn a_flood_of_unknown_keys_costs_the_provider_one_fetch() {
    let lab = Lab::start().await;
    let before = lab.idp.requests();
    for _ in 0..20 {
        let token = Signer::es256().sign(&lab.claims(json!({})));
        assert_own(&lab.present(&token).await, 401, "invalid_token", &[&token]);
    }
    assert!(lab.idp.requests() - before <= 2, "metadata and keys, once");
    assert_untouched(&lab);
}

#[tokio::test]
async fn every_algorithm_that_the_file_names_is_accepted() {
    for alg in [
        Algorithm::ES384,
        Algorithm::EdDSA,
        Algorithm::PS256,
        Algorithm::RS256,
    ] {
        let idp = Provider::with(Signer::generate(alg)).await;
        let lab = Lab::around(
            idp,
            Setup {
                issuer: "audiences: [portal], algorithms: [ES384, EdDSA, PS256, RS256], keys: { discovery: true }".to_owned(),
                ..Setup::default()
            },
        )
        .await;
        assert_eq!(lab.present(&lab.token()).await.status(), 200, "{alg:?}");
        lab.issued(&lab.origin.request()).await;
    }
}

#[tokio::test]
async fn a_removed_key_is_refused_also_for_what_was_remembered() {
    let lab = Lab::with(Setup {
        issuer: "audiences: [portal], algorithms: [ES256], keys: { discovery: true, max_age: 1s }"
            .to_owned(),
        ..Setup::default()
    })
    .await;
    let token = lab.token();
    assert_eq!(lab.present(&token).await.status(), 200);
    let next = Signer::es256();
    lab.idp.publish(&[&next]);
    let fetched = lab.metric("obo_jwks_refresh_total", &[]);
    until("the keys are fetched again", || {
        lab.metric("obo_jwks_refresh_total", &[]) >= fetched + 2.0
    })
    .await;
    lab.origin.forget();
    assert_own(&lab.present(&token).await, 401, "invalid_token", &[&token]);
    assert_untouched(&lab);
}

#[tokio::test]
async fn the_last_good_keys_bridge_an_outage_and_then_end() {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let lab = Lab::with(Setup {
        clock: clock.clone(),
        ..Setup::default()
    })
    .await;
    lab.idp.turn(Health::Refusing);
    clock.advance(Duration::from_secs(59 * 60));
    assert_eq!(lab.present(&lab.token()).await.status(), 200);
    let token = lab.token();
    assert_eq!(lab.present(&token).await.status(), 200);

    clock.advance(Duration::from_secs(60));
    lab.origin.forget();
    for token in [lab.token(), token] {
        let answer = lab.present(&token).await;
        assert_own(&answer, 503, "temporarily_unavailable", &[&token]);
        assert!(answer.field("retry-after").is_some());
        assert_eq!(answer.challenge(), None);
    }
    assert_untouched(&lab);
    assert!(!lab.gateway.is_ready());

    lab.idp.turn(Health::Good);
    clock.advance(Duration::from_secs(60));
    assert_eq!(lab.present(&lab.token()).await.status(), 200);
}

#[tokio::test]
async fn a_key_that_cannot_be_used_does_not_spoil_the_others() {
    let lab = Lab::start().await;
    let (weak, next) = (Signer::es256(), Signer::es256());
    lab.idp.publish_with(
        &[lab.idp.signer(), &next],
        &[
            json!({"kty": "oct", "kid": "s", "k": "c2VjcmV0"}),
            json!({"kty": "EC", "crv": "P-256", "kid": weak.kid(), "x": "AA", "y": "AA"}),
            json!(7),
        ],
    );
    assert_eq!(
        lab.present(&next.sign(&lab.claims(json!({}))))
            .await
            .status(),
        200
    );
    assert_eq!(
        lab.present(&weak.sign(&lab.claims(json!({}))))
            .await
            .status(),
        401
    );
}
