//! Metadata of protected resources (RFC 9728).

use crate::e2e::{
    answers::{assert_own, assert_untouched},
    support::{Ask, Lab, Setup},
};
use serde_json::json;

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

const ROUTES: &str = r"
  - name: orders-read
    match: { prefix: /orders, methods: [GET] }
    upstream: { targets: [ { url: ORIGIN } ] }
    exchange: { audience: orders-api, scope: { allow: [orders.read] } }
  - name: orders-write
    match: { prefix: /orders, methods: [POST] }
    upstream: { targets: [ { url: ORIGIN } ] }
    exchange: { audience: orders-api, scope: { allow: [orders.write], require: [orders.write] } }
  - name: named
    match: { prefix: /v2/named }
    resource: https://named.example.com/api
    upstream: { targets: [ { url: ORIGIN } ] }
    exchange: { audience: named-api, scope: { allow: [] } }
  - name: partner
    match: { hosts: [partner.example.com], prefix: /orders }
    upstream: { targets: [ { url: ORIGIN } ] }
    exchange: { audience: partner-api, scope: { allow: [partner] } }
  - name: status
    match: { prefix: / }
    upstream: { targets: [ { url: ORIGIN } ] }
    public: true
";

async fn start() -> Lab {
    Lab::with(Setup {
        routes: ROUTES.to_owned(),
        listener: "public_url: https://api.example.com".to_owned(),
        ..Setup::default()
    })
    .await
}

#[tokio::test]
async fn each_protected_resource_has_its_document() {
    let lab = start().await;
    for (host, path, resource, scopes) in [
        (
            "api.example.com",
            "/orders",
            "https://api.example.com/orders",
            json!(["orders.read", "orders.write"]),
        ),
        (
            "other.example.com",
            "/orders",
            "https://api.example.com/orders",
            json!(["orders.read", "orders.write"]),
        ),
        (
            "partner.example.com",
            "/orders",
            "https://partner.example.com/orders",
            json!(["partner"]),
        ),
        (
            "named.example.com",
            "/api",
            "https://named.example.com/api",
            json!([]),
        ),
    ] {
        let answer = lab
            .ask(Ask::get(&format!("{WELL_KNOWN}{path}")).host(host))
            .await;
        assert_eq!(answer.status(), 200, "{host}{path}");
        assert_eq!(answer.field("content-type"), Some("application/json"));
        assert_eq!(answer.field("access-control-allow-origin"), Some("*"));
        let expected = json!({
            "resource": resource,
            "authorization_servers": [lab.idp.issuer()],
            "scopes_supported": scopes,
            "bearer_methods_supported": ["header"],
        });
        assert_eq!(answer.json(), expected);
    }
    assert_untouched(&lab);
}

#[tokio::test]
async fn a_public_route_has_none_and_no_downstream_can_speak_of_one() {
    let lab = start().await;
    for path in ["", "/", "/status", "/v2/named", "/orders/1"] {
        let answer = lab.ask(Ask::get(&format!("{WELL_KNOWN}{path}"))).await;
        assert_eq!(answer.status(), 404, "{path}");
    }
    assert_untouched(&lab);
    // a path that only starts with it belongs to a route
    let answer = lab.ask(Ask::get(&format!("{WELL_KNOWN}s"))).await;
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn every_challenge_of_a_route_names_its_document() {
    let lab = start().await;
    let document = format!("resource_metadata=\"https://api.example.com{WELL_KNOWN}/orders\"");
    for (ask, status, error) in [
        (Ask::get("/orders/1"), 401, "unauthorized"),
        (Ask::get("/orders/1").bearer("a.b.c"), 401, "invalid_token"),
        (
            Ask::post("/orders/1", "").bearer(&lab.token_with(json!({ "scope": "orders.read" }))),
            403,
            "insufficient_scope",
        ),
    ] {
        let answer = lab.ask(ask).await;
        assert_own(&answer, status, error, &[]);
        let challenge = answer.challenge().unwrap();
        assert!(
            challenge.starts_with("Bearer realm=\"obo-gateway\", "),
            "{challenge}"
        );
        assert!(challenge.contains(&document), "{challenge}");
    }
    let answer = lab.ask(Ask::get("/v2/named")).await;
    let named = format!(
        "Bearer realm=\"obo-gateway\", resource_metadata=\"https://named.example.com{WELL_KNOWN}/api\""
    );
    assert_eq!(answer.challenge(), Some(named.as_str()));
}

#[tokio::test]
async fn where_nothing_says_what_clients_call_the_challenge_names_no_document() {
    let lab = Lab::start().await;
    let answer = lab.ask(Ask::get("/orders/1")).await;
    assert_eq!(answer.challenge(), Some("Bearer realm=\"obo-gateway\""));
    assert_eq!(lab.ask(Ask::get(WELL_KNOWN)).await.status(), 404);
}

#[tokio::test]
async fn a_script_of_any_origin_may_read_the_documents() {
    let lab = start().await;
    let ask = Ask::new("OPTIONS", &format!("{WELL_KNOWN}/orders"))
        .field("Origin", "https://anybody.example")
        .field("Access-Control-Request-Method", "GET");
    let answer = lab.ask(ask).await;
    assert_eq!(answer.status(), 204);
    assert_eq!(answer.field("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.field("access-control-allow-headers"), Some("*"));
}
