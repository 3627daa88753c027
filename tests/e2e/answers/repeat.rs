//! An upstream that refuses the token that it gets.

use super::assert_own;
use crate::e2e::support::{Ask, Lab, Reply, Setup, answer, wire::Message};
use obo_gateway::clock::{Clock, ManualClock, SystemClock};
use serde_json::json;
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

fn unauthorized() -> Vec<u8> {
    let challenge = r#"Bearer resource_metadata="https://evil.example/""#;
    answer(
        "401 Unauthorized",
        &[("WWW-Authenticate", challenge)],
        "theirs",
    )
}

/// Refuses the first `times` requests.
fn refuse(lab: &Lab, times: usize) {
    let seen = AtomicUsize::new(0);
    lab.origin.answers(move |_: &Message| {
        let refused = seen.fetch_add(1, Ordering::SeqCst) < times;
        Reply::Send(if refused {
            unauthorized()
        } else {
            answer("200 OK", &[], "hello")
        })
    });
}

async fn distinct_tokens(lab: &Lab, requests: &[Message]) -> usize {
    let mut ids = BTreeSet::new();
    for request in requests {
        ids.insert(lab.issued(request).await["jti"].to_string());
    }
    ids.len()
}

#[tokio::test]
async fn a_refused_token_is_exchanged_once_more_and_the_request_repeated_whole() {
    let lab = Lab::start().await;
    let body = "x".repeat(60 << 10);
    for ask in [
        Ask::get("/orders/1"),
        Ask::post("/orders", "x=1"),
        Ask::post("/orders", body.as_str()),
        Ask::new("DELETE", "/orders/1"),
        Ask::new("PATCH", "/orders/1"),
    ] {
        lab.origin.forget();
        refuse(&lab, 1);
        let answer = lab.ask(ask.clone().bearer(&lab.token())).await;
        assert_eq!(
            (answer.status(), answer.body.as_slice()),
            (200, b"hello".as_slice())
        );
        let requests = lab.origin.requests();
        assert_eq!(requests.len(), 2, "{}", ask.method);
        assert_eq!(distinct_tokens(&lab, &requests).await, 2);
        for request in &requests {
            assert_eq!(request.method(), ask.method);
            assert_eq!(request.body, ask.body.clone().unwrap_or_default());
        }
    }
}

#[tokio::test]
async fn a_remembered_token_that_is_refused_is_replaced_for_everybody() {
    let lab = Lab::start().await;
    let token = lab.token();
    assert_eq!(lab.present(&token).await.status(), 200);
    refuse(&lab, 1);
    for _ in 0..3 {
        assert_eq!(lab.present(&token).await.status(), 200);
    }
    let requests = lab.origin.requests();
    assert_eq!(requests.len(), 5);
    assert_eq!(distinct_tokens(&lab, &requests).await, 2);
}

#[tokio::test]
async fn a_fresh_token_that_is_refused_is_a_bad_gateway_and_the_challenge_stays_here() {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let lab = Lab::with(Setup {
        clock: clock.clone(),
        ..Setup::default()
    })
    .await;
    let token = lab.token();
    refuse(&lab, usize::MAX);
    let answer = lab.present(&token).await;
    assert_own(
        &answer,
        502,
        "bad_gateway",
        &["evil", "theirs", "resource_metadata"],
    );
    assert_eq!(answer.challenge(), None);
    assert_eq!(lab.origin.requests().len(), 2);

    // for five seconds there is no other exchange
    for _ in 0..3 {
        assert_own(&lab.present(&token).await, 502, "bad_gateway", &[]);
    }
    assert_eq!(lab.origin.requests().len(), 5);
    lab.counts("obo_exchange_total", &["issued"], 2).await;

    clock.advance(Duration::from_secs(6));
    assert_own(&lab.present(&token).await, 502, "bad_gateway", &[]);
    assert_eq!(lab.origin.requests().len(), 7);
    lab.counts("obo_exchange_total", &["issued"], 3).await;
}

#[tokio::test]
async fn a_body_larger_than_the_replay_buffer_cannot_be_repeated() {
    let lab = Lab::start().await;
    refuse(&lab, 1);
    let ask = Ask::post("/orders", vec![b'x'; 100 << 10]).bearer(&lab.token());
    assert_own(&lab.ask(ask).await, 502, "bad_gateway", &[]);
    assert_eq!(lab.origin.requests().len(), 1);
    lab.counts("obo_denied_total", &["upstream_unauthorized"], 1)
        .await;
}

#[tokio::test]
async fn a_refusal_of_the_second_exchange_is_what_the_client_gets() {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let lab = Lab::with(Setup {
        clock: clock.clone(),
        ..Setup::default()
    })
    .await;
    let token = lab.token_with(json!({"exp": lab.now() + 60}));
    let moving = clock.clone();
    lab.origin.answers(move |_| {
        moving.advance(Duration::from_secs(61));
        Reply::Send(unauthorized())
    });
    assert_own(&lab.present(&token).await, 401, "invalid_token", &["evil"]);
    assert_eq!(lab.origin.requests().len(), 1);
}

#[tokio::test]
async fn a_public_routes_own_401_passes_without_its_challenge() {
    let lab = Lab::start().await;
    refuse(&lab, usize::MAX);
    let answer = lab.ask(Ask::get("/status")).await;
    assert_eq!(
        (answer.status(), answer.body.as_slice()),
        (401, b"theirs".as_slice())
    );
    assert_eq!(answer.challenge(), None);
    assert_eq!(lab.origin.requests().len(), 1);
}
