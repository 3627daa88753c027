//! Paths that two parsers could read differently.

use super::{assert_own, assert_untouched};
use crate::e2e::support::{Ask, Client, Lab};

const AMBIGUOUS: &[&str] = &[
    "/orders/./1",
    "/orders/../status",
    "/orders/..",
    "/orders/.",
    "/./orders",
    "//orders/1",
    "/orders//1",
    "/orders/%2e%2e/status",
    "/orders/.%2E/status",
    "/orders%2f1",
    "/orders%2F1",
    "/orders/%5c1",
    "/orders/%5C1",
    "/orders\\1",
    "/orders/%00",
    "/orders/1%00.json",
    "/orders;a=b/1",
    "/orders/1;a=b",
    "/orders/1%3ba",
    "/%6frders/1",
    "/orders/%zz",
    "/orders/%",
    "/orders/%c0%ae",
];

#[tokio::test]
async fn an_ambiguous_path_is_refused_and_the_connection_closed() {
    let lab = Lab::start().await;
    for path in AMBIGUOUS {
        let mut client = Client::connect(lab.address()).await;
        let ask = Ask::get(path).bearer(&lab.token());
        let answer = client.ask(&ask).await.expect(path);
        assert_own(&answer, 400, "invalid_request", &["status", "%2e"]);
        assert!(client.ends().await, "{path} leaves the connection open");
    }
    assert_untouched(&lab);
    lab.counts("obo_denied_total", &["ambiguous_path"], AMBIGUOUS.len())
        .await;
    assert_eq!(
        lab.metric("obo_subject_tokens_total", &[]),
        0.0,
        "token work"
    );
}

#[tokio::test]
async fn an_ambiguous_path_is_refused_on_public_routes_too() {
    let lab = Lab::start().await;
    for path in ["/status/../orders", "/status//x", "/status/%2e%2e/orders"] {
        let answer = lab.ask(Ask::get(path)).await;
        assert_own(&answer, 400, "invalid_request", &[]);
    }
    assert_untouched(&lab);
}

#[tokio::test]
async fn a_target_that_is_no_path_is_refused() {
    let lab = Lab::start().await;
    for (method, target, expected) in [
        ("OPTIONS", "*", 400),
        ("TRACE", "/orders/1", 405),
        ("GET", "http://other.example.com/orders/1", 400),
        ("CONNECT", "api.example.com:443", 405),
    ] {
        let answer = lab.ask(Ask::new(method, target).bearer(&lab.token())).await;
        assert_own(&answer, expected, "invalid_request", &[]);
    }
    assert_untouched(&lab);
}

#[tokio::test]
async fn what_is_matched_is_forwarded_byte_for_byte() {
    let lab = Lab::start().await;
    let targets = [
        "/orders",
        "/orders/",
        "/orders/1?a=b&c=%2f..%2f",
        "/orders/a%20b/%C3%A9?x",
        "/orders/~a!$&'()*+,=:@",
    ];
    for target in targets {
        let answer = lab.ask(Ask::get(target).bearer(&lab.token())).await;
        assert_eq!(answer.status(), 200, "{target}");
    }
    let seen: Vec<_> = lab.origin.requests();
    let seen: Vec<_> = seen.iter().map(|request| request.target()).collect();
    assert_eq!(seen, targets);
}
