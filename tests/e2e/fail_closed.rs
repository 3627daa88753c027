//! Every stage fails in turn: the upstream never receives a request without a new on-behalf-of token.

pub mod broken;

use crate::e2e::{
    answers::{assert_own, assert_untouched},
    support::{
        Ask, Lab, Reply, Setup, Signer, answer,
        obo::verify_with,
        provider::Health,
        wire::{Message, find},
    },
};
use broken::{BrokenClock, BrokenRandomness, Fault};
use obo_gateway::clock::{Clock, ManualClock, SystemClock, UnixTime};
use serde_json::json;
use std::{sync::Arc, time::Duration};

/// Returns the gateway's published keys, fetched before the failure.
async fn jwks(lab: &Lab) -> Vec<u8> {
    lab.ask(Ask::get("/oauth/v2/keys")).await.body
}

/// Asserts that every request that the upstream received has one credential, issued by the gateway and not expired, and
/// that none contains one of `presented`.
#[track_caller]
fn assert_only_fresh(lab: &Lab, jwks: &[u8], presented: &[&str]) {
    let now = lab.now();
    for request in lab.origin.requests() {
        let fields: Vec<_> = request.all("authorization").collect();
        assert_eq!(fields.len(), 1, "{request:#?}");
        let token = request.bearer().expect("no bearer token");
        verify_with(jwks, token, now);
    }
    let bytes = lab.origin.bytes();
    for token in presented {
        let signature = token.rsplit('.').next().unwrap();
        assert_eq!(find(&bytes, signature.as_bytes()), None);
    }
}

fn unavailable(answer: &Message, token: &str) {
    assert_own(answer, 503, "temporarily_unavailable", &[token]);
    assert!(answer.field("retry-after").is_some());
    assert_eq!(answer.challenge(), None);
}

#[tokio::test]
async fn issuer_down_from_the_start() {
    for health in [Health::Refusing, Health::Failing] {
        let idp = crate::e2e::support::Provider::start().await;
        idp.turn(health);
        let lab = Lab::around(
            idp,
            Setup {
                ready: false,
                ..Setup::default()
            },
        )
        .await;
        let token = lab.token();
        for _ in 0..3 {
            unavailable(&lab.present(&token).await, &token);
        }
        assert!(!lab.gateway.is_ready());
        assert_untouched(&lab);
    }
}

#[tokio::test]
async fn issuer_silent_while_a_key_is_unknown() {
    let lab = Lab::start().await;
    lab.idp.turn(Health::Silent);
    let token = Signer::es256().sign(&lab.claims(json!({})));
    unavailable(&lab.present(&token).await, &token);
    assert_untouched(&lab);
}

#[tokio::test]
async fn key_missing() {
    let lab = Lab::start().await;
    lab.idp.publish(&[&Signer::es256()]);
    let token = Signer::es256().sign(&lab.claims(json!({})));
    assert_own(&lab.present(&token).await, 401, "invalid_token", &[&token]);
    assert_untouched(&lab);
}

#[tokio::test]
async fn engine_refuses() {
    let randomness = Arc::new(BrokenRandomness::default());
    let lab = Lab::with(Setup {
        randomness: randomness.clone(),
        ..Setup::default()
    })
    .await;
    let jwks = jwks(&lab).await;
    let token = lab.token();
    for fault in [Fault::Refuses, Fault::Panics] {
        randomness.turn(fault);
        for _ in 0..3 {
            unavailable(&lab.present(&token).await, &token);
        }
        let answer = lab.ask(Ask::post("/orders", "x=1").bearer(&token)).await;
        unavailable(&answer, &token);
        assert_untouched(&lab);
    }
    // a failure is not cached
    randomness.turn(Fault::None);
    assert_eq!(lab.present(&token).await.status(), 200);
    assert_only_fresh(&lab, &jwks, &[&token]);
}

#[tokio::test]
async fn clock_panics_at_every_question_of_a_request() {
    let clock = Arc::new(BrokenClock::default());
    let lab = Lab::with(Setup {
        clock: clock.clone(),
        ..Setup::default()
    })
    .await;
    let jwks = jwks(&lab).await;
    let (warm, mut served) = (lab.token(), 0);
    assert_eq!(lab.present(&warm).await.status(), 200);
    for question in 0..60 {
        for token in [&warm, &lab.token()] {
            let mut client = crate::e2e::support::Client::connect(lab.address()).await;
            clock.panic_at(question);
            let answer = client.ask(&Ask::get("/orders/1").bearer(token)).await;
            clock.fix();
            served += usize::from(answer.is_some_and(|answer| answer.status() == 200));
            assert_only_fresh(&lab, &jwks, &[token]);
        }
    }
    assert!(served > 0, "no request was served");
    assert!(clock.panics() > 10, "only {} panics", clock.panics());
    // and the gateway still works
    assert_eq!(lab.present(&lab.token()).await.status(), 200);
}

#[tokio::test]
async fn clock_jumps() {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let lab = Lab::with(Setup {
        clock: clock.clone(),
        ..Setup::default()
    })
    .await;
    let jwks = jwks(&lab).await;
    let start = lab.now();
    let token = lab.token();
    assert_eq!(lab.present(&token).await.status(), 200);

    // after the expiry of the issued token, but not of the subject token: exchanged again
    clock.jump_to(UnixTime::from_secs(start + 130));
    assert_eq!(lab.present(&token).await.status(), 200);
    assert_only_fresh_last(&lab, &jwks, &token);

    // after the expiry of the subject token: refused, even if there is a cache entry
    clock.jump_to(UnixTime::from_secs(start + 601));
    lab.origin.forget();
    assert_own(&lab.present(&token).await, 401, "invalid_token", &[&token]);
    assert_untouched(&lab);

    // before the token was issued, by more than the leeway
    clock.jump_to(UnixTime::from_secs(start - 3600));
    let answer = lab.present(&token).await;
    assert_only_fresh(&lab, &jwks, &[&token]);
    assert!(matches!(answer.status(), 200 | 401), "{}", answer.start);
    lab.origin.forget();
    let other = lab.idp.signer().sign(&lab.idp.claims(start, json!({})));
    assert_own(&lab.present(&other).await, 401, "invalid_token", &[&other]);
    assert_untouched(&lab);

    // before 1970
    clock.jump_to(UnixTime::from_secs(-5));
    let answer = lab.present(&token).await;
    assert!(
        matches!(answer.status(), 200 | 401 | 503),
        "{}",
        answer.start
    );
    assert_only_fresh(&lab, &jwks, &[&token]);
}

#[track_caller]
fn assert_only_fresh_last(lab: &Lab, jwks: &[u8], presented: &str) {
    let request = lab.origin.requests().pop().unwrap();
    verify_with(jwks, request.bearer().unwrap(), lab.now());
    assert_eq!(find(&lab.origin.bytes(), presented.as_bytes()), None);
}

#[tokio::test]
async fn audit_unwritable() {
    let lab = Lab::with(Setup {
        audit: "/dev/full".to_owned(),
        ..Setup::default()
    })
    .await;
    let token = lab.token();
    for _ in 0..3 {
        unavailable(&lab.present(&token).await, &token);
    }
    assert_untouched(&lab);
    lab.counts("obo_denied_total", &["audit_unwritable"], 3)
        .await;
    assert!(!lab.gateway.is_ready(), "another gateway may do better");
    // refused requests are still refused
    let answer = lab.present(&lab.token_with(json!({"scope": "x"}))).await;
    assert_own(&answer, 403, "insufficient_scope", &[]);
}

#[tokio::test]
async fn audit_unwritable_when_the_downstream_asks_for_a_fresh_token() {
    let randomness = Arc::new(BrokenRandomness::default());
    let lab = Lab::with(Setup {
        randomness: randomness.clone(),
        ..Setup::default()
    })
    .await;
    let jwks = jwks(&lab).await;
    let token = lab.token();
    let breaking = randomness.clone();
    lab.origin.answers(move |_| {
        breaking.turn(Fault::Refuses);
        Reply::Send(answer("401 Unauthorized", &[], ""))
    });
    unavailable(&lab.present(&token).await, &token);
    assert_eq!(lab.origin.requests().len(), 1);
    assert_only_fresh(&lab, &jwks, &[&token]);
}

#[tokio::test]
async fn downstream_refuses_everything() {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let lab = Lab::with(Setup {
        clock: clock.clone(),
        ..Setup::default()
    })
    .await;
    let jwks = jwks(&lab).await;
    let token = lab.token();
    lab.origin.always(answer("401 Unauthorized", &[], ""));
    for _ in 0..5 {
        assert_own(&lab.present(&token).await, 502, "bad_gateway", &[&token]);
        clock.advance(Duration::from_secs(4));
    }
    assert!(lab.origin.requests().len() >= 5);
    assert_only_fresh(&lab, &jwks, &[&token]);
}

#[tokio::test]
async fn downstream_closes_and_the_request_is_tried_again() {
    let lab = Lab::start().await;
    let jwks = jwks(&lab).await;
    let token = lab.token();
    assert_eq!(lab.present(&token).await.status(), 200);
    // an idle connection that the upstream closes when it is used again
    lab.origin.answers(|_| Reply::SendAndClose(Vec::new()));
    for ask in [Ask::get("/orders/1"), Ask::post("/orders", "x=1")] {
        assert_own(
            &lab.ask(ask.bearer(&token)).await,
            502,
            "bad_gateway",
            &[&token],
        );
    }
    assert_only_fresh(&lab, &jwks, &[&token]);
}
