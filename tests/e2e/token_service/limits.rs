//! How often the token service may be called.

use super::{Service, assert_authenticated, basic, post, told};
use crate::e2e::support::{Answer, Ask, Setup};
use obo_gateway::clock::{Clock, ManualClock, SystemClock};
use std::{sync::Arc, time::Duration};

/// Starts the gateway with a stopped clock and these rates.
async fn start(rates: &str) -> (Service, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let setup = Setup {
        sections: format!("limits: {{ token_service: {{ requests_per_second: {rates} }} }}"),
        clock: clock.clone(),
        ..Setup::default()
    };
    (Service::with(setup).await, clock)
}

#[track_caller]
fn assert_limited(answer: &Answer, seconds: &str) {
    assert_eq!(told(answer), (429, "rate_limited".to_owned()));
    assert_eq!(answer.field("retry-after"), Some(seconds));
}

#[tokio::test]
async fn an_address_that_calls_too_often_is_told_when_to_come_back() {
    let (service, clock) = start("{ per_address: 2, burst: 2x }").await;
    let ask = || post(&[("client_id", "public")]);
    for _ in 0..4 {
        assert_authenticated(&service.lab.ask(ask()).await);
    }
    assert_limited(&service.lab.ask(ask()).await, "1");
    // public documents are not limited, and the proxy still works
    let keys = service.lab.ask(Ask::get("/oauth/v2/keys")).await;
    assert_eq!(keys.status(), 200);
    assert_eq!(
        service.lab.present(&service.lab.token()).await.status(),
        200
    );
    clock.advance(Duration::from_secs(1));
    assert_authenticated(&service.lab.ask(ask()).await);
    let labels = ["route=\"none\"", "reason=\"rate_limited\""];
    service.lab.counts("obo_denied_total", &labels, 1).await;
}

#[tokio::test]
async fn a_client_is_held_to_its_own_rate() {
    let (service, _clock) = start("{ per_client: 1, burst: 3x }").await;
    for _ in 0..3 {
        assert_authenticated(&service.lab.ask(post(&[("client_id", "public")])).await);
    }
    assert_limited(
        &service.lab.ask(post(&[("client_id", "public")])).await,
        "1",
    );
    let other = basic(&format!("web@portal:{}", super::SECRET), &[]);
    assert_authenticated(&service.lab.ask(other).await);
}

#[tokio::test]
async fn who_guesses_secrets_is_stopped_ten_times_sooner() {
    let (service, _clock) = start("{ per_address: 10, burst: 2x }").await;
    let guess = |n: u8| basic(&format!("web@portal:guess {n}"), &[]);
    assert_eq!(service.lab.ask(guess(1)).await.status(), 401);
    assert_eq!(service.lab.ask(guess(2)).await.status(), 401);
    assert_limited(&service.lab.ask(guess(3)).await, "1");
}
