//! Open responses at both gateways when one of them makes a revocation.

use super::{
    WITHIN,
    pair::{Pair, Replica, member},
    revoke_at,
};
use crate::e2e::{
    long_lived::{EVENTS, SWITCH, Told, download, handshake},
    support::{Ask, Client},
};
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

/// An event stream, a download and a WebSocket.
async fn open(replica: &Replica, told: &Told, name: &str, token: &str) -> Vec<(String, Client)> {
    let address = replica.process.address;
    let path = |kind: &str| format!("/orders/{name}/{kind}");
    let asks = [
        (Ask::get(&path("events")), EVENTS.to_owned()),
        (Ask::get(&path("download")), download()),
        (handshake(&path("websocket")), SWITCH.to_owned()),
    ];
    let mut open = Vec::new();
    for (ask, head) in asks {
        let what = ask.target.clone();
        let client = told.open(address, ask.bearer(token), &head).await;
        open.push((what, client));
    }
    open
}

/// Returns the time until each has ended.
async fn all_end(open: Vec<(String, Client)>) -> Duration {
    let since = Instant::now();
    let ending = open.into_iter().map(|(what, mut client)| async move {
        client.rest().await;
        println!("{what} ended {:?} after the revocation", since.elapsed());
    });
    futures_util::future::join_all(ending).await;
    since.elapsed()
}

#[tokio::test]
async fn a_revocation_at_one_ends_streams_downloads_and_websockets_at_both_within_a_second() {
    let Some(pair) = Pair::start().await else {
        return;
    };
    let told = Told::at(&pair.origin);
    let mut slowest = Duration::ZERO;
    for round in 0..3 {
        let token = member(&pair.one.exchange(&pair.user()).await, "access_token");
        let mut all = open(&pair.one, &told, &format!("one/{round}"), &token).await;
        all.extend(open(&pair.two, &told, &format!("two/{round}"), &token).await);
        pair.two.until_revoked(&token).await;
        slowest = slowest.max(all_end(all).await);
    }
    let token = pair.user();
    let mut all = open(&pair.one, &told, "one/user", &token).await;
    all.extend(open(&pair.two, &told, "two/user", &token).await);
    let asked = json!({"subject": {"issuer": pair.idp.issuer(), "sub": "alice"}});
    let answer = revoke_at(pair.one.process.admin, &asked).await;
    assert_eq!(answer.status(), 200);
    slowest = slowest.max(all_end(all).await);
    println!("everything ended {slowest:?} after its revocation at most");
    assert!(slowest <= WITHIN, "{slowest:?}");
}
