//! Refusals of valid tokens by the policy.

use super::{assert_own, assert_untouched};
use crate::e2e::support::{Ask, Lab};
use serde_json::json;

#[tokio::test]
async fn a_missing_scope_is_named_and_only_what_is_needed_is_named() {
    let lab = Lab::start().await;
    let token = lab.token_with(json!({"scope": "orders.write secret.scope"}));
    let answer = lab.present(&token).await;
    assert_own(
        &answer,
        403,
        "insufficient_scope",
        &["secret.scope", &token],
    );
    let challenge = answer.challenge().unwrap();
    assert!(challenge.starts_with("Bearer realm="), "{challenge}");
    assert!(
        challenge.contains(r#"error="insufficient_scope""#),
        "{challenge}"
    );
    assert!(challenge.contains(r#"scope="orders.read""#), "{challenge}");
    assert_untouched(&lab);
}

#[tokio::test]
async fn nothing_left_of_the_scope_is_refused() {
    let routes = crate::e2e::support::lab::ORDERS.replace(", require: [orders.read]", "");
    let lab = Lab::routes(&routes).await;
    for scope in [
        json!("profile"),
        json!(""),
        json!(null),
        json!("orders.readx Orders.Read"),
    ] {
        let answer = lab.present(&lab.token_with(json!({"scope": scope}))).await;
        assert_own(&answer, 403, "insufficient_scope", &["profile"]);
        let challenge = answer.challenge().unwrap();
        assert!(
            challenge.contains(r#"scope="orders.read orders.write""#),
            "{challenge}"
        );
    }
    assert_untouched(&lab);
}

#[tokio::test]
async fn excess_refuse_wants_all_that_the_route_allows() {
    let routes =
        crate::e2e::support::lab::ORDERS.replace("require: [orders.read]", "excess: refuse");
    let lab = Lab::routes(&routes).await;
    let answer = lab
        .present(&lab.token_with(json!({"scope": "orders.read"})))
        .await;
    assert_own(&answer, 403, "insufficient_scope", &[]);
    assert!(
        answer
            .challenge()
            .unwrap()
            .contains(r#"scope="orders.read orders.write""#)
    );
    assert_untouched(&lab);
    assert_eq!(lab.present(&lab.token()).await.status(), 200);
}

#[tokio::test]
async fn an_application_without_a_user_is_refused_unless_the_route_takes_any_subject() {
    let app = json!({"sub": "web", "client_id": "web"});
    let lab = Lab::start().await;
    let answer = lab.present(&lab.token_with(app.clone())).await;
    assert_own(&answer, 403, "access_denied", &[]);
    assert_no_code(answer.challenge());
    lab.counts("obo_denied_total", &["app_only_subject"], 1)
        .await;
    assert_untouched(&lab);

    let routes = crate::e2e::support::lab::ORDERS.replace(
        "audience: orders-api",
        "audience: orders-api\n      subjects: any",
    );
    let lab = Lab::routes(&routes).await;
    assert_eq!(lab.present(&lab.token_with(app)).await.status(), 200);
}

#[tokio::test]
async fn a_caller_that_the_route_does_not_name_is_refused() {
    let routes = crate::e2e::support::lab::ORDERS.replace(
        "audience: orders-api",
        "audience: orders-api\n      clients: [portal]",
    );
    let lab = Lab::routes(&routes).await;
    for changes in [
        json!({}),
        json!({"client_id": null}),
        json!({"client_id": null, "azp": "other"}),
    ] {
        let answer = lab.present(&lab.token_with(changes)).await;
        assert_own(&answer, 403, "access_denied", &["portal"]);
        assert_no_code(answer.challenge());
    }
    assert_untouched(&lab);
    for changes in [
        json!({"client_id": "portal"}),
        json!({"client_id": null, "azp": "portal"}),
    ] {
        assert_eq!(lab.present(&lab.token_with(changes)).await.status(), 200);
    }
}

#[tokio::test]
async fn may_act_must_name_the_gateway() {
    let lab = Lab::start().await;
    for may_act in [
        json!({"sub": "somebody-else"}),
        json!({"sub": "obo-gateway", "iss": "https://other.example.com"}),
        json!({}),
        json!("obo-gateway"),
        json!(["obo-gateway"]),
    ] {
        let answer = lab
            .present(&lab.token_with(json!({"may_act": may_act})))
            .await;
        assert_own(&answer, 403, "access_denied", &[]);
        assert_no_code(answer.challenge());
    }
    assert_untouched(&lab);
    let token = lab.token_with(json!({"may_act": {"sub": "obo-gateway"}}));
    assert_eq!(lab.present(&token).await.status(), 200);
    let issued = lab.issued(&lab.origin.request()).await;
    assert!(issued.get("may_act").is_none(), "{issued}");
}

#[tokio::test]
async fn a_chain_of_actors_is_nested_and_bounded() {
    let routes = crate::e2e::support::lab::ORDERS.replace(
        "audience: orders-api",
        "audience: orders-api\n      chain: { max_depth: 3 }",
    );
    let lab = Lab::routes(&routes).await;
    let two = json!({"iss": "https://a.example", "sub": "a", "act": {"iss": "https://b.example", "sub": "b"}});
    assert_eq!(
        lab.present(&lab.token_with(json!({"act": two})))
            .await
            .status(),
        200
    );
    let issued = lab.issued(&lab.origin.request()).await;
    assert_eq!(
        issued["act"],
        json!({"iss": "https://gateway.example.com", "sub": "obo-gateway", "act": two})
    );
    let three = json!({"sub": "c", "act": two});
    let answer = lab.present(&lab.token_with(json!({"act": three}))).await;
    assert_own(&answer, 403, "access_denied", &[]);
    assert_eq!(lab.origin.requests().len(), 1);
}

#[tokio::test]
async fn a_refusal_by_policy_is_remembered_for_the_token_alone() {
    let lab = Lab::start().await;
    let token = lab.token_with(json!({"scope": "profile"}));
    for _ in 0..3 {
        assert_eq!(lab.present(&token).await.status(), 403);
    }
    lab.counts("obo_cache_total", &["negative"], 2).await;
    assert_eq!(lab.present(&lab.token()).await.status(), 200);
    assert_eq!(lab.ask(Ask::get("/status")).await.status(), 200);
}

/// RFC 6750 §3.1 has no error code for a policy that refuses.
#[track_caller]
fn assert_no_code(challenge: Option<&str>) {
    let challenge = challenge.unwrap();
    assert!(
        challenge.starts_with("Bearer realm=") && !challenge.contains("error"),
        "{challenge}"
    );
}
