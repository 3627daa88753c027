//! `authorization_details` (RFC 9396) on routes: copied, or refused.

use super::{SCOPE, lab, route, with};
use crate::e2e::support::{
    Ask, Setup,
    lab::{GATEWAY_ISSUER, ISSUER},
};
use serde_json::{Value, json};

fn payment() -> Value {
    json!([{"type": "payment_initiation", "actions": ["read"], "locations": ["https://pay.example.com"],
        "amount": {"value": "123.50", "limit": 50.5}}])
}

#[tokio::test]
async fn a_token_that_details_restrict_is_refused_where_they_are_not_carried_over() {
    let lab = lab(SCOPE).await;
    for details in [
        payment(),
        json!([]),
        json!({}),
        json!("x"),
        json!(0),
        json!(false),
    ] {
        let changes = json!({ "authorization_details": details });
        lab.denied(Ask::get("/orders/1"), changes, "access_denied")
            .await;
    }
    let labels = ["reason=\"authorization_details\""];
    lab.counts("obo_denied_total", &labels, 6).await;
    assert!(lab.audit().contains(r#""reason":"authorization_details""#));
    let issued = lab.given(json!({})).await;
    assert_eq!(issued.get("authorization_details"), None);
}

#[tokio::test]
async fn a_route_that_says_so_carries_them_over_unchanged_and_refuses_what_nobody_could_obey() {
    let lab = lab(&format!("{SCOPE}, authorization_details: copy")).await;
    let issued = lab
        .given(json!({ "authorization_details": payment() }))
        .await;
    assert_eq!(issued["authorization_details"], payment());
    assert_eq!(
        lab.given(json!({})).await.get("authorization_details"),
        None
    );
    for details in [
        json!([]),
        json!({}),
        json!([{"actions": ["read"]}]),
        json!("x"),
    ] {
        let changes = json!({ "authorization_details": details });
        lab.denied(Ask::get("/orders/1"), changes, "access_denied")
            .await;
    }
}

#[tokio::test]
async fn they_stay_through_a_chain_and_end_where_the_next_route_does_not_carry_them() {
    for (front, rule, expected) in [
        ("jwt", "authorization_details: copy, ", Some(payment())),
        ("opaque", "authorization_details: copy, ", Some(payment())),
        ("jwt", "", None),
        ("opaque", "", None),
    ] {
        let routes = route(
            "front",
            "/front",
            &format!(
                "audience: \"{GATEWAY_ISSUER}\", scope: {{ allow: [orders.read] }}, \
                 authorization_details: copy, token: {{ format: {front} }}"
            ),
        );
        let setup = Setup {
            routes,
            service: crate::e2e::opaque::KEYS.to_owned(),
            issuer: ISSUER.to_owned(),
            ..Setup::default()
        };
        let exchange = format!("{SCOPE}, {rule}chain: {{ accept_own: true }}");
        let lab = with(&exchange, setup).await;
        let token = lab.token_with(json!({ "authorization_details": payment() }));
        assert_eq!(
            lab.ask(Ask::get("/front").bearer(&token)).await.status(),
            200
        );
        let own = lab.origin.request().bearer().unwrap().to_owned();
        lab.origin.forget();
        let answer = lab.present(&own).await;
        match expected {
            Some(details) => {
                assert_eq!(answer.status(), 200, "{front}");
                let issued = lab.issued(&lab.origin.request()).await;
                assert_eq!(issued["authorization_details"], details);
            }
            None => assert_eq!(
                (answer.status(), answer.error()),
                (403, "access_denied".into())
            ),
        }
    }
}
