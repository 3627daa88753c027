//! Which route a request matches, and what its upstream receives.

use super::{assert_own, assert_untouched};
use crate::e2e::support::{Ask, Lab, Origin, answer};

/// Public routes, which show the route of a request without token work.
fn public(routes: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, matches) in routes {
        text.push_str(&format!(
            "  - {{ name: {name}, match: {{ {matches} }}, public: true, upstream: {{ targets: [ {{ url: ORIGIN }} ], host: {name}.internal }} }}\n"
        ));
    }
    text
}

#[tokio::test]
async fn the_most_specific_route_takes_a_request() {
    let lab = Lab::routes(&public(&[
        ("any", "prefix: /"),
        ("api", "prefix: /api"),
        ("deep", "prefix: /api/deep"),
        ("exact", "exact: /api/deep/x"),
        ("writes", "prefix: /api/deep, methods: [POST]"),
        ("host", "hosts: [a.example.com], prefix: /"),
        ("wild", "hosts: ['*.example.com'], prefix: /"),
    ]))
    .await;
    for (host, method, target, route) in [
        ("x", "GET", "/", "any"),
        ("x", "GET", "/apiary", "any"),
        ("x", "GET", "/api", "api"),
        ("x", "GET", "/api/", "api"),
        ("x", "GET", "/api/deeper", "api"),
        ("x", "GET", "/api/deep/y", "deep"),
        ("x", "POST", "/api/deep/y", "writes"),
        ("x", "GET", "/api/deep/x", "exact"),
        ("x", "GET", "/api/deep/x/z", "deep"),
        ("x", "GET", "/api/deep/x?q=1", "exact"),
        ("a.example.com", "GET", "/api", "host"),
        ("A.Example.COM:8443", "GET", "/api", "host"),
        ("b.example.com", "GET", "/api", "wild"),
        ("b.c.example.com", "GET", "/api", "api"),
        ("example.com", "GET", "/api", "api"),
    ] {
        lab.origin.forget();
        let answer = lab.ask(Ask::new(method, target).host(host)).await;
        assert_eq!(answer.status(), 200, "{host} {method} {target}");
        let request = lab.origin.request();
        assert_eq!(
            request.field("host"),
            Some(format!("{route}.internal").as_str()),
            "{host} {method} {target}"
        );
        assert_eq!(request.target(), target);
    }
}

#[tokio::test]
async fn what_no_route_serves_is_not_found_without_token_work() {
    let lab = Lab::routes(
        r"
  - name: orders
    match: { hosts: [api.example.com], prefix: /orders, methods: [GET] }
    upstream: { targets: [ { url: ORIGIN } ] }
    exchange: { audience: orders-api, scope: { allow: [orders.read] } }
",
    )
    .await;
    let token = lab.token();
    for ask in [
        Ask::get("/"),
        Ask::get("/ordersx"),
        Ask::get("/Orders"),
        Ask::get("/orders").host("other.example.com"),
        Ask::get("/orders").host("api.example.com.evil.example"),
        Ask::post("/orders", "x"),
        Ask::new("DELETE", "/orders/1"),
    ] {
        let answer = lab.ask(ask.bearer(&token)).await;
        assert_own(&answer, 404, "not_found", &[&token, "evil"]);
        assert_eq!(answer.challenge(), None);
    }
    assert_untouched(&lab);
    lab.counts("obo_subject_tokens_total", &[], 0).await;
    lab.counts("obo_denied_total", &["route=\"none\"", "no_route"], 7)
        .await;
}

#[tokio::test]
async fn the_matched_prefix_is_replaced_and_joined_with_one_slash() {
    for (rewrite, cases) in [
        (
            "/",
            [
                ("/orders", "/"),
                ("/orders/", "/"),
                ("/orders/1?a=/b", "/1?a=/b"),
            ],
        ),
        (
            "/v2/x",
            [
                ("/orders", "/v2/x"),
                ("/orders/", "/v2/x/"),
                ("/orders/1?a=/b", "/v2/x/1?a=/b"),
            ],
        ),
        (
            "/v2/",
            [
                ("/orders", "/v2/"),
                ("/orders/", "/v2/"),
                ("/orders/1/2", "/v2/1/2"),
            ],
        ),
    ] {
        let routes = crate::e2e::support::lab::ORDERS.replace(
            "timeouts: { response: 10s }",
            &format!("rewrite_prefix: {rewrite}"),
        );
        let lab = Lab::routes(&routes).await;
        for (asked, expected) in cases {
            lab.origin.forget();
            let answer = lab.ask(Ask::get(asked).bearer(&lab.token())).await;
            assert_eq!(answer.status(), 200);
            assert_eq!(lab.origin.request().target(), expected, "{rewrite} {asked}");
        }
    }
}

#[tokio::test]
async fn the_downstream_is_told_its_own_host_the_clients_or_a_name() {
    for (setting, expected) in [
        ("", None),
        ("host: target", None),
        ("host: preserve", Some("api.example.com")),
        ("host: orders.internal", Some("orders.internal")),
    ] {
        let routes =
            crate::e2e::support::lab::ORDERS.replace("timeouts: { response: 10s }", setting);
        let lab = Lab::routes(&routes).await;
        let ask = Ask::get("/orders").bearer(&lab.token());
        assert_eq!(
            lab.ask(ask.field("X-Forwarded-Host", "evil"))
                .await
                .status(),
            200
        );
        let request = lab.origin.request();
        let own = lab.origin.address().to_string();
        assert_eq!(
            request.field("host"),
            Some(expected.unwrap_or(&own)),
            "{setting}"
        );
        let forwarded: Vec<_> = request.all("x-forwarded-host").collect();
        if setting == "host: preserve" {
            assert!(forwarded.is_empty());
        } else {
            assert_eq!(forwarded, ["api.example.com"], "{setting}");
        }
        assert_eq!(request.field("x-forwarded-for"), Some("127.0.0.1"));
    }
}

#[tokio::test]
async fn several_targets_take_turns_by_weight() {
    let other = Origin::start().await;
    other.always(answer("200 OK", &[], "other"));
    let targets = format!(
        "targets: [ {{ url: ORIGIN, weight: 2 }}, {{ url: \"{}\" }} ]",
        other.url()
    );
    let routes = crate::e2e::support::lab::ORDERS.replace("targets: [ { url: ORIGIN } ]", &targets);
    let lab = Lab::routes(&routes).await;
    let token = lab.token();
    for _ in 0..9 {
        assert_eq!(lab.present(&token).await.status(), 200);
    }
    assert_eq!(
        (lab.origin.requests().len(), other.requests().len()),
        (6, 3)
    );
}

#[tokio::test]
async fn a_target_that_is_gone_is_passed_over() {
    let gone = { Origin::start().await.url() };
    let targets = format!("targets: [ {{ url: \"{gone}\" }}, {{ url: ORIGIN }} ]");
    let routes = crate::e2e::support::lab::ORDERS.replace("targets: [ { url: ORIGIN } ]", &targets);
    let lab = Lab::routes(&routes).await;
    for _ in 0..4 {
        let answer = lab
            .ask(Ask::post("/orders", "x=1").bearer(&lab.token()))
            .await;
        assert_eq!(answer.status(), 200);
    }
    assert_eq!(lab.origin.requests().len(), 4);
}
