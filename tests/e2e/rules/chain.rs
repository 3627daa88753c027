//! The gateway's own tokens, presented to it again.

use super::{SCOPE, route, with};
use crate::e2e::{
    answers::assert_own,
    support::{
        Ask, Lab, Provider, Setup,
        lab::{GATEWAY_ISSUER, ISSUER},
    },
};
use serde_json::{Value, json};

/// Two routes: `/front` issues tokens for the gateway, and `/orders` accepts them.
async fn chain(front: &str, orders: &str, setup: Setup) -> Lab {
    let front =
        format!("audience: \"{GATEWAY_ISSUER}\", scope: {{ allow: [orders.read] }}, {front}");
    let setup = Setup {
        routes: route("front", "/front", &front),
        ..setup
    };
    with(&format!("{SCOPE}, {orders}"), setup).await
}

impl Lab {
    /// Returns the token that `/front` sends to its upstream.
    async fn own_token(&self, changes: Value) -> String {
        self.given_for(Ask::get("/front"), changes).await;
        self.origin.request().bearer().unwrap().to_owned()
    }
}

#[tokio::test]
async fn own_tokens_are_taken_where_the_route_says_so_and_the_chain_grows() {
    let lab = chain(
        "token: { lifetime: 2m }",
        "chain: { accept_own: true }",
        Setup::default(),
    )
    .await;
    let own = lab.own_token(json!({"client_id": "phone"})).await;
    lab.origin.forget();
    assert_eq!(lab.present(&own).await.status(), 200);
    let issued = lab.issued(&lab.origin.request()).await;
    let gateway = json!({"iss": GATEWAY_ISSUER, "sub": "obo-gateway"});
    let mut twice = gateway.clone();
    twice["act"] = gateway;
    assert_eq!(issued["act"], twice);
    assert_eq!(issued["sub"], "alice");
    assert_eq!(issued["client_id"], "phone");
    assert_eq!(
        issued["scope"], "orders.read",
        "no more than the first exchange left"
    );
    assert_eq!(issued["aud"], "orders-api");
    // a token for another audience is not accepted
    let elsewhere = lab.origin.request().bearer().unwrap().to_owned();
    assert_own(
        &lab.present(&elsewhere).await,
        401,
        "invalid_token",
        &[&elsewhere],
    );
}

#[tokio::test]
async fn own_tokens_are_refused_without_the_rule_and_beyond_the_depth() {
    let lab = chain(
        "token: { lifetime: 2m }",
        "subjects: users",
        Setup::default(),
    )
    .await;
    let own = lab.own_token(json!({})).await;
    assert_own(&lab.present(&own).await, 401, "invalid_token", &[]);
    lab.counts("obo_denied_total", &["self_issued"], 1).await;

    let lab = chain(
        "token: { lifetime: 2m }",
        "chain: { accept_own: true, max_depth: 1 }",
        Setup::default(),
    )
    .await;
    let own = lab.own_token(json!({})).await;
    assert_own(&lab.present(&own).await, 403, "access_denied", &[]);
}

#[tokio::test]
async fn a_qualified_subject_is_not_qualified_twice() {
    let qualified = "token: { subject: qualified }";
    let both = format!("{qualified}, chain: {{ accept_own: true }}");
    let lab = chain(qualified, &both, Setup::default()).await;
    let own = lab.own_token(json!({})).await;
    lab.origin.forget();
    assert_eq!(lab.present(&own).await.status(), 200);
    assert_eq!(lab.issued(&lab.origin.request()).await["sub"], "corp:alice");
    assert!(
        lab.audit().contains(r#""subject":"alice""#),
        "{}",
        lab.audit()
    );
}

#[tokio::test]
async fn a_chain_opens_no_route_to_another_issuers_users() {
    let partner = Provider::start().await;
    let setup = Setup {
        issuer: format!(
            "{ISSUER} }}, {{ name: partner, issuer: \"{}\", {ISSUER}",
            partner.issuer()
        ),
        ..Setup::default()
    };
    let lab = chain(
        "accepts: [ { issuer: corp }, { issuer: partner } ], token: { subject: qualified }",
        "accepts: [ { issuer: corp } ], chain: { accept_own: true }",
        setup,
    )
    .await;
    let foreign = partner.signer().sign(&partner.claims(lab.now(), json!({})));
    assert_eq!(
        lab.ask(Ask::get("/front").bearer(&foreign)).await.status(),
        200
    );
    let own = lab.origin.request().bearer().unwrap().to_owned();
    assert_own(&lab.present(&own).await, 401, "invalid_token", &[]);
    let own = lab.own_token(json!({})).await;
    lab.origin.forget();
    assert_eq!(lab.present(&own).await.status(), 200);
    assert_eq!(lab.issued(&lab.origin.request()).await["sub"], "alice");
}

#[tokio::test]
async fn own_tokens_may_be_addressed_to_the_routes_resource() {
    let resource = "https://api.example.com/orders";
    let routes = route(
        "front",
        "/front",
        &format!("audience: \"{resource}\", scope: {{ allow: [] }}"),
    ) + &route(
        "orders",
        "/orders",
        "audience: orders-api, scope: { allow: [] }, chain: { accept_own: true }",
    )
    .replace(
        "upstream:",
        &format!("resource: \"{resource}\"\n    upstream:"),
    ) + &route(
        "people",
        "/people",
        "audience: people-api, scope: { allow: [] }, chain: { accept_own: true }",
    );
    let lab = Lab::routes(&routes).await;
    let own = lab.own_token(json!({})).await;
    assert_eq!(lab.present(&own).await.status(), 200);
    let elsewhere = lab.ask(Ask::get("/people/1").bearer(&own)).await;
    assert_own(&elsewhere, 401, "invalid_token", &[]);
}
