//! The rules that a route sets for scopes, subjects, callers and chains, each through the whole gateway.

use crate::{
    answers::{assert_own, assert_untouched},
    support::{
        Ask, Lab, Provider, Setup,
        lab::{GATEWAY_ISSUER, ISSUER},
    },
};
use serde_json::{Value, json};

/// A laboratory whose one route has this `exchange`, written in flow style without its braces.
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
    /// What the downstream is given for a token with these claims.
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
    // without a good token nobody learns which operations there are
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

/// Two routes: `/front` issues for the gateway, `/orders` takes what it issued.
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
    /// The token that `/front` gives its downstream.
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
    // addressed to somebody else it is nobody's
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
