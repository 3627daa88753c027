//! The token that an upstream gets.

use crate::e2e::support::{Lab, lab::GATEWAY_ISSUER, lab::ORDERS, obo};
use serde_json::json;
use std::collections::BTreeSet;

#[tokio::test]
async fn it_is_for_one_audience_reduced_short_lived_and_names_who_acts() {
    let lab = Lab::start().await;
    let token = lab.token();
    assert_eq!(lab.present(&token).await.status(), 200);
    let request = lab.origin.request();
    let issued = obo::verify(lab.address(), request.bearer().unwrap(), lab.now()).await;
    assert_ne!(request.bearer().unwrap(), token);
    assert_eq!(issued.header["typ"], "at+jwt");
    assert_eq!(issued.header["alg"], "ES256");

    let claims = &issued.claims;
    assert_eq!(claims["iss"], GATEWAY_ISSUER);
    assert_eq!(claims["aud"], "orders-api");
    assert_eq!(claims["sub"], "alice");
    assert_eq!(claims["client_id"], "web");
    assert_eq!(claims["scope"], "orders.read orders.write");
    assert_eq!(
        claims["act"],
        json!({"iss": GATEWAY_ISSUER, "sub": "obo-gateway"})
    );
    let life = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert!((1..=120).contains(&life), "{life}");

    let allowed: BTreeSet<&str> = [
        "iss",
        "sub",
        "aud",
        "exp",
        "iat",
        "jti",
        "client_id",
        "scope",
        "act",
        "auth_time",
        "acr",
        "amr",
    ]
    .into();
    let named: BTreeSet<&str> = claims
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert!(named.is_subset(&allowed), "{named:?}");
    for name in ["auth_time", "acr", "amr"] {
        assert_eq!(claims[name], lab.claims(json!({}))[name].clone(), "{name}");
    }
}

#[tokio::test]
async fn it_never_outlives_the_subject_token() {
    let lab = Lab::start().await;
    let ends = lab.now() + 30;
    assert_eq!(
        lab.present(&lab.token_with(json!({"exp": ends})))
            .await
            .status(),
        200
    );
    assert_eq!(lab.issued(&lab.origin.request()).await["exp"], ends);
}

#[tokio::test]
async fn it_holds_only_the_scope_that_the_subject_holds() {
    let lab = Lab::start().await;
    let token = lab.token_with(json!({"scope": ["orders.read", "admin"]}));
    assert_eq!(lab.present(&token).await.status(), 200);
    assert_eq!(
        lab.issued(&lab.origin.request()).await["scope"],
        "orders.read"
    );
}

#[tokio::test]
async fn an_api_without_scopes_gets_a_token_without_scope() {
    let lab = Lab::routes(&ORDERS.replace(
        "allow: [orders.read, orders.write], require: [orders.read]",
        "allow: []",
    ))
    .await;
    assert_eq!(lab.present(&lab.token()).await.status(), 200);
    assert!(
        lab.issued(&lab.origin.request())
            .await
            .get("scope")
            .is_none()
    );
}

#[tokio::test]
async fn further_claims_are_those_that_the_route_names() {
    let lab = Lab::routes(&ORDERS.replace(
        "token: { lifetime: 2m }",
        "token: { lifetime: 2m, subject: qualified, claims: { copy: [email, phone], set: { tenant: acme } } }",
    ))
    .await;
    assert_eq!(
        lab.present(&lab.token_with(json!({"secret": "x"})))
            .await
            .status(),
        200
    );
    let claims = lab.issued(&lab.origin.request()).await;
    assert_eq!(claims["email"], "alice@example.com");
    assert_eq!(claims["tenant"], "acme");
    assert_eq!(claims["sub"], "corp:alice");
    assert!(claims.get("phone").is_none() && claims.get("secret").is_none());
}

#[tokio::test]
async fn impersonation_leaves_no_actor_and_keeps_the_earlier_ones() {
    let lab =
        Lab::routes(&ORDERS.replace("token: {", "actor: { type: none }\n      token: {")).await;
    assert_eq!(lab.present(&lab.token()).await.status(), 200);
    assert!(lab.issued(&lab.origin.request()).await.get("act").is_none());
    lab.origin.forget();
    let earlier = json!({"iss": "https://a.example", "sub": "a"});
    assert_eq!(
        lab.present(&lab.token_with(json!({"act": earlier})))
            .await
            .status(),
        200
    );
    assert_eq!(lab.issued(&lab.origin.request()).await["act"], earlier);
}

#[tokio::test]
async fn one_token_is_exchanged_once_and_two_tokens_never_share_an_id() {
    let lab = Lab::start().await;
    let first = lab.token();
    for token in [&first, &first, &first, &lab.token(), &lab.token()] {
        assert_eq!(lab.present(token).await.status(), 200);
    }
    let mut ids = BTreeSet::new();
    for request in lab.origin.requests() {
        let claims = lab.issued(&request).await;
        ids.insert(claims["jti"].as_str().unwrap().to_owned());
    }
    assert_eq!(ids.len(), 3);
    lab.counts("obo_cache_total", &["result=\"hit\""], 2).await;
    lab.counts("obo_exchange_total", &["issued"], 3).await;
    let audit = lab.audit();
    assert_eq!(audit.matches("token_issued").count(), 3, "{audit}");
    assert!(ids.iter().all(|id| audit.contains(id)));
}
