//! Two gateways on one Redis server: a revocation or a single use at one applies at the other. Skipped if the server is not
//! installed.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "how long a revocation takes is measured and shown"
)]

mod open;
mod outage;
mod pair;

use crate::e2e::revocation::revoke_at;
use crate::store::server;
use pair::{Pair, member};
use serde_json::json;
use std::time::Duration;

/// Maximum time until a revocation applies everywhere.
const WITHIN: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_token_that_its_client_revokes_at_one_is_refused_at_the_other_within_a_second() {
    let Some(pair) = Pair::start().await else {
        return;
    };
    let mut took = Vec::new();
    for _ in 0..5 {
        let token = member(&pair.one.exchange(&pair.user()).await, "access_token");
        pair.two.warm(&token).await;
        pair.one.until_revoked(&token).await;
        took.push(pair.two.until_refused(&token).await);
    }
    let slowest = took.into_iter().max().unwrap();
    println!("refused at the other {slowest:?} after its revocation at most");
    assert!(slowest <= WITHIN, "{slowest:?}");
}

#[tokio::test]
async fn a_user_whom_an_operator_revokes_at_one_is_refused_at_the_other_within_a_second() {
    let Some(pair) = Pair::start().await else {
        return;
    };
    let token = pair.user();
    pair.two.warm(&token).await;
    let asked = json!({"subject": {"issuer": pair.idp.issuer(), "sub": "alice"}});
    let answer = revoke_at(pair.one.process.admin, &asked).await;
    assert_eq!(answer.status(), 200);
    let took = pair.two.until_refused(&token).await;
    println!("a user is refused at the other {took:?} after the revocation");
    assert!(took <= WITHIN, "{took:?}");
}

#[tokio::test]
async fn an_issuers_token_that_its_client_revokes_at_one_is_refused_at_the_other_within_a_second() {
    let Some(pair) = Pair::start().await else {
        return;
    };
    let token = pair.clients_own();
    pair.two.warm(&token).await;
    assert_eq!(pair.one.revoke(&token).await.status(), 200);
    let took = pair.two.until_refused(&token).await;
    println!("an issuer's token is refused at the other {took:?} after its revocation");
    assert!(took <= WITHIN, "{took:?}");
}

#[tokio::test]
async fn an_opaque_token_of_one_is_known_to_the_other_until_it_is_revoked() {
    let Some(pair) = Pair::start().await else {
        return;
    };
    let token = member(&pair.one.exchange(&pair.user()).await, "access_token");
    assert!(token.starts_with("oboat_"), "{token}");
    let told = pair.two.introspect(&token).await;
    assert_eq!(
        (&told["active"], &told["sub"]),
        (&json!(true), &json!("alice"))
    );
    pair.two.until_revoked(&token).await;
    let took = pair.one.until_inactive(&token).await;
    println!("introspected as ended at the other {took:?} after the revocation");
    assert!(took <= WITHIN, "{took:?}");
}

#[tokio::test]
async fn what_a_client_signed_and_used_at_one_is_used_up_at_the_other() {
    let Some(pair) = Pair::start().await else {
        return;
    };
    let assertion = pair.assertion();
    assert_eq!(pair.one.by_assertion(&assertion).await.status(), 200);
    for replica in [&pair.two, &pair.one] {
        let again = replica.by_assertion(&assertion).await;
        assert_eq!(
            (again.status(), again.error()),
            (401, "invalid_client".to_owned())
        );
    }
}

#[tokio::test]
async fn a_refresh_token_that_was_used_at_one_ends_its_family_at_the_other() {
    let Some(pair) = Pair::start().await else {
        return;
    };
    let first = pair.one.exchange(&pair.user()).await;
    let used = member(&first, "refresh_token");
    let second = pair.one.refresh(&used).await.json();
    let reused = pair.two.refresh(&used).await;
    assert_eq!(
        (reused.status(), reused.error()),
        (400, "invalid_grant".to_owned())
    );
    // immediately where the token was used a second time, at the other gateway within a second
    let tokens = [&first, &second].map(|answer| member(answer, "access_token"));
    for token in &tokens {
        assert_eq!(pair.two.introspect(token).await, json!({"active": false}));
        let took = pair.one.until_inactive(token).await;
        assert!(took <= WITHIN, "{took:?}");
    }
    let newest = pair.one.refresh(&member(&second, "refresh_token")).await;
    assert_eq!(newest.error(), "invalid_grant");
}
