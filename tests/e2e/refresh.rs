//! Cache entries are refreshed before they expire, and no request waits for the refresh.

use crate::e2e::{
    fail_closed::broken::{BrokenRandomness, Fault},
    support::{Lab, Setup, lab::ORDERS, until},
};
use obo_gateway::clock::{Clock, ManualClock, SharedRandomness, SystemClock, SystemRandomness};
use serde_json::json;
use std::{sync::Arc, time::Duration};

const SECOND: Duration = Duration::from_secs(1);

/// A gateway whose tokens are valid for five seconds: cached for four, refreshed from the fourth second on.
async fn short_lived(clock: &Arc<ManualClock>, randomness: SharedRandomness) -> Lab {
    Lab::with(Setup {
        routes: ORDERS.replace("lifetime: 2m", "lifetime: 5s"),
        clock: Arc::clone(clock) as _,
        randomness,
        ..Setup::default()
    })
    .await
}

fn cache(lab: &Lab, result: &str) -> usize {
    lab.metric("obo_cache_total", &[&format!("result=\"{result}\"")]) as usize
}

fn exchanges(lab: &Lab, outcome: &str) -> usize {
    lab.metric("obo_exchange_total", &[&format!("outcome=\"{outcome}\"")]) as usize
}

/// Five requests at once.
async fn present_by_five(lab: &Lab, token: &str) -> [u16; 5] {
    let ask = || lab.present(token);
    let (a, b, c, d, e) = tokio::join!(ask(), ask(), ask(), ask(), ask());
    [a, b, c, d, e].map(|answer| answer.status())
}

#[tokio::test]
async fn under_load_only_the_first_use_waits_and_each_successor_is_made_once() {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let lab = short_lived(&clock, Arc::new(SystemRandomness)).await;
    let token = lab.token_with(json!({ "exp": lab.now() + 30 }));
    assert_eq!(lab.present(&token).await.status(), 200);

    let mut refreshed = 0;
    for second in 1..=28 {
        clock.advance(SECOND);
        assert_eq!(present_by_five(&lab, &token).await, [200; 5], "{second} s");
        // the token issued in second 27 expires with the presented token
        refreshed += usize::from(second % 3 == 0);
        until("the successor is there", || {
            cache(&lab, "refreshed") == refreshed
        })
        .await;
        assert_eq!(exchanges(&lab, "issued"), 1 + refreshed, "{second} s");
    }
    assert_eq!((cache(&lab, "miss"), cache(&lab, "coalesced")), (1, 0));
    let log = lab.audit();
    assert_eq!(log.matches("token_issued").count(), 1 + refreshed);

    clock.advance(3 * SECOND);
    assert_eq!(present_by_five(&lab, &token).await, [401; 5]);
    assert_eq!(
        exchanges(&lab, "issued"),
        1 + refreshed,
        "none after its end"
    );
}

#[tokio::test]
async fn what_is_remembered_serves_to_its_own_end_where_no_successor_can_be_made() {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let randomness = Arc::new(BrokenRandomness::default());
    let lab = short_lived(&clock, randomness.clone()).await;
    let token = lab.token();
    assert_eq!(lab.present(&token).await.status(), 200);

    randomness.turn(Fault::Refuses);
    clock.advance(3 * SECOND);
    assert_eq!(present_by_five(&lab, &token).await, [200; 5]);
    until("the successor failed", || exchanges(&lab, "failed") == 1).await;
    assert_eq!(present_by_five(&lab, &token).await, [200; 5]);
    assert_eq!(
        (exchanges(&lab, "failed"), cache(&lab, "refreshed")),
        (1, 0)
    );

    clock.advance(SECOND);
    lab.origin.forget();
    assert_eq!(lab.present(&token).await.status(), 503);
    assert_eq!(lab.origin.requests().len(), 0);
}

#[tokio::test]
async fn a_token_that_ends_with_its_subject_has_no_successor() {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let lab = short_lived(&clock, Arc::new(SystemRandomness)).await;
    let token = lab.token_with(json!({ "exp": lab.now() + 5 }));
    for _ in 0..4 {
        assert_eq!(present_by_five(&lab, &token).await, [200; 5]);
        clock.advance(SECOND);
    }
    assert_eq!(
        (exchanges(&lab, "issued"), cache(&lab, "refreshed")),
        (1, 0)
    );
}
