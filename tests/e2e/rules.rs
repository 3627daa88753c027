//! The rules that a route sets for scopes, subjects, callers and chains, each through the whole gateway.

mod chain;
mod details;
mod kinds;

use crate::e2e::{
    answers::{assert_own, assert_untouched},
    support::{
        Ask, Lab, Setup,
        lab::{GATEWAY_ISSUER, ISSUER},
    },
};
use serde_json::{Value, json};

/// Starts a lab whose only route has this `exchange`, written in flow style without its braces.
async fn lab(exchange: &str) -> Lab {
    with(exchange, only("required: true")).await
}

async fn with(exchange: &str, setup: Setup) -> Lab {
    let routes = format!("{}{}", route("orders", "/orders", exchange), setup.routes);
    Lab::with(Setup { routes, ..setup }).await
}

fn route(name: &str, prefix: &str, exchange: &str) -> String {
    format!(
        r#"
  - name: {name}
    match: {{ prefix: {prefix} }}
    upstream: {{ targets: [ {{ url: ORIGIN }} ] }}
    exchange: {{ {exchange} }}
"#
    )
}

fn only(rules: &str) -> Setup {
    Setup {
        routes: String::new(),
        issuer: format!("{ISSUER}, {rules}"),
        ..Setup::default()
    }
}

fn sections(sections: &str) -> Setup {
    Setup {
        sections: sections.to_owned(),
        ..only("required: true")
    }
}

impl Lab {
    /// Returns the claims that the upstream gets for a token with these claims.
    async fn given(&self, changes: Value) -> Value {
        self.given_for(Ask::get("/orders/1"), changes).await
    }

    async fn given_for(&self, ask: Ask, changes: Value) -> Value {
        self.origin.forget();
        let answer = self.ask(ask.bearer(&self.token_with(changes))).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status(), 200, "{text}");
        self.issued(&self.origin.request()).await
    }

    async fn denied(&self, ask: Ask, changes: Value, error: &str) {
        self.origin.forget();
        let answer = self.ask(ask.bearer(&self.token_with(changes))).await;
        assert_own(&answer, 403, error, &[]);
        assert_untouched(self);
    }
}

const SCOPE: &str = "audience: orders-api, scope: { allow: [orders.read, orders.write] }";

#[tokio::test]
async fn mapped_scopes_take_the_place_of_the_subjects() {
    let lab = lab(
        "audience: orders-api, scope: { allow: [read, write, orders.write], require: [read], \
         map: { orders.read: [read], profile: [] } }",
    )
    .await;
    let issued = lab.given(json!({})).await;
    assert_eq!(issued["scope"], "orders.write read");
    lab.denied(
        Ask::get("/orders/1"),
        json!({"scope": "write profile"}),
        "insufficient_scope",
    )
    .await;
}

#[tokio::test]
async fn an_operation_gets_its_own_scope_and_its_own_entry_in_the_cache() {
    let lab = lab(
        "audience: orders-api, scope: { allow: [orders.read, orders.write], operations: [ \
         { methods: [GET], scope: [orders.read] }, \
         { methods: [POST], prefix: /bulk, scope: [orders.write], require: [bulk] } ] }",
    )
    .await;
    let token = lab.token_with(json!({"scope": "orders.read orders.write bulk"}));
    let bulk = || Ask::new("POST", "/orders/bulk/1").bearer(&token);
    for (ask, scope) in [
        (Ask::get("/orders/1").bearer(&token), "orders.read"),
        (bulk(), "orders.write"),
        (Ask::get("/orders/2").bearer(&token), "orders.read"),
        (bulk(), "orders.write"),
    ] {
        lab.origin.forget();
        assert_eq!(lab.ask(ask).await.status(), 200);
        assert_eq!(lab.issued(&lab.origin.request()).await["scope"], scope);
    }
    lab.counts("obo_exchange_total", &["issued"], 2).await;
    lab.counts("obo_cache_total", &["result=\"hit\""], 2).await;
    lab.denied(
        Ask::new("POST", "/orders/bulk"),
        json!({}),
        "insufficient_scope",
    )
    .await;
}

#[tokio::test]
async fn a_request_that_is_no_operation_is_refused_once_its_token_is_verified() {
    let lab = lab(
        "audience: orders-api, scope: { allow: [orders.read], operations: [ \
         { methods: [GET], prefix: /list, scope: [orders.read] } ] }",
    )
    .await;
    for ask in [
        Ask::get("/orders"),
        Ask::get("/orders/listing"),
        Ask::get("/orders/List"),
        Ask::new("DELETE", "/orders/list"),
    ] {
        lab.denied(ask, json!({}), "access_denied").await;
    }
    lab.counts("obo_denied_total", &["no_operation"], 4).await;
    // without a valid token, the response does not reveal the operations
    let expired = lab.token_with(json!({"exp": lab.now() - 1}));
    for path in ["/orders", "/orders/list"] {
        let answer = lab.ask(Ask::get(path).bearer(&expired)).await;
        assert_own(&answer, 401, "invalid_token", &[]);
    }
    assert_eq!(
        lab.given_for(Ask::get("/orders/list/1"), json!({})).await["scope"],
        "orders.read"
    );
}

#[tokio::test]
async fn a_configured_client_gets_no_more_than_its_ceiling() {
    let clients = "clients: [ { id: web, audiences: [orders-api], scope: { allow: [orders.read] }, lifetime: 20s } ]";
    let lab = with(SCOPE, sections(clients)).await;
    let issued = lab.given(json!({})).await;
    assert_eq!(issued["scope"], "orders.read");
    assert!(issued["exp"].as_i64().unwrap() - issued["iat"].as_i64().unwrap() <= 20);
    let other = lab.given(json!({"client_id": "phone"})).await;
    assert_eq!(other["scope"], "orders.read orders.write");
    lab.denied(
        Ask::get("/orders/1"),
        json!({"scope": "orders.write"}),
        "insufficient_scope",
    )
    .await;
}

#[tokio::test]
async fn a_configured_client_reaches_only_its_audiences() {
    let clients =
        "clients: [ { id: web, audiences: [people-api], scope: { allow: [orders.read] } } ]";
    let lab = with(SCOPE, sections(clients)).await;
    lab.denied(Ask::get("/orders/1"), json!({}), "access_denied")
        .await;
    lab.counts("obo_denied_total", &["audience_not_for_client"], 1)
        .await;
}

#[tokio::test]
async fn user_only_lifts_a_clients_ceiling_where_both_say_so() {
    let scope = |rule: &str| {
        format!(
            "audience: orders-api, scope: {{ allow: [orders.read, orders.write], require: [orders.read]{rule} }}"
        )
    };
    let user_only = ", rule: user_only, rule_prefix: orders.w";
    for (route, client, expected) in [
        (user_only, user_only, "orders.read orders.write"),
        (user_only, "", "orders.read"),
        ("", user_only, "orders.read"),
    ] {
        let clients =
            format!("clients: [ {{ id: web, scope: {{ allow: [orders.read]{client} }} }} ]");
        let lab = with(&scope(route), sections(&clients)).await;
        assert_eq!(
            lab.given(json!({})).await["scope"],
            expected,
            "{route} {client}"
        );
        let held = lab.given(json!({"scope": "orders.read"})).await;
        assert_eq!(held["scope"], "orders.read", "never more than the user's");
    }
}

#[tokio::test]
async fn scopes_subject_and_roles_are_read_where_the_issuer_writes_them() {
    let rules = "scope_claim: scp, subject_claim: oid, \
        roles: { claim: realm_access.roles, grants: [ { role: clerk, scope: [orders.write] } ] }";
    let lab = with(SCOPE, only(rules)).await;
    let issued = lab
        .given(json!({"scp": ["orders.read"], "scope": null, "oid": "7", "realm_access": {"roles": ["clerk"]}}))
        .await;
    assert_eq!(issued["scope"], "orders.read orders.write");
    assert_eq!(issued["sub"], "7");
    let token = lab.token_with(json!({"scp": ["orders.read"]}));
    assert_own(&lab.present(&token).await, 401, "invalid_token", &[]);
}

#[tokio::test]
async fn may_act_names_the_gateway_as_its_issuer_knows_it() {
    let lab = with(SCOPE, only("known_as: { sub: gateway-app }")).await;
    lab.given(json!({"may_act": {"sub": "gateway-app"}})).await;
    for may_act in [
        json!({"sub": "obo-gateway"}),
        json!({"sub": "gateway-app", "iss": GATEWAY_ISSUER}),
    ] {
        lab.denied(
            Ask::get("/orders/1"),
            json!({"may_act": may_act}),
            "access_denied",
        )
        .await;
    }
}

#[tokio::test]
async fn a_route_takes_tokens_for_the_audiences_it_names_alone() {
    let setup = Setup {
        routes: route(
            "people",
            "/people",
            "audience: people-api, scope: { allow: [] }",
        ),
        issuer: ISSUER.replace("[portal]", "[portal, desktop]"),
        ..Setup::default()
    };
    let exchange = "audience: orders-api, scope: { allow: [] }, accepts: [ { issuer: corp, audiences: [desktop] } ]";
    let lab = with(exchange, setup).await;
    lab.given(json!({"aud": "desktop"})).await;
    let token = lab.token();
    assert_own(&lab.present(&token).await, 401, "invalid_token", &[]);
    lab.counts("obo_denied_total", &["reason=\"audience\""], 1)
        .await;
    assert_eq!(
        lab.ask(Ask::get("/people/1").bearer(&token)).await.status(),
        200
    );
}

#[tokio::test]
async fn a_pairwise_subject_is_another_at_every_audience_and_the_same_at_one() {
    let pairwise = |audience: &str| {
        format!("audience: {audience}, scope: {{ allow: [] }}, token: {{ subject: pairwise }}")
    };
    let folder = tempfile::tempdir().unwrap();
    let salt = folder.path().join("salt");
    std::fs::write(&salt, "0123456789abcdef0123456789abcdef\n").unwrap();
    let setup = Setup {
        routes: route("people", "/people", &pairwise("people-api")),
        service: format!(", pairwise_salt: {{ file: \"{}\" }}", salt.display()),
        ..Setup::default()
    };
    let lab = with(&pairwise("orders-api"), setup).await;
    let first = lab.given(json!({})).await["sub"].clone();
    assert_eq!(first, lab.given(json!({"client_id": "phone"})).await["sub"]);
    assert_eq!(first.as_str().unwrap().len(), 43, "{first}");
    let elsewhere = lab.given_for(Ask::get("/people/1"), json!({})).await["sub"].clone();
    assert_ne!(first, elsewhere);
    assert_ne!(first, lab.given(json!({"sub": "bob"})).await["sub"]);
}
