//! `Location` and similar fields never contain an address that only the gateway can reach.

use crate::e2e::support::{Ask, Lab, answer};

const ROUTES: &str = r"
  - name: reports
    match: { prefix: /reports }
    upstream: { targets: [ { url: ORIGIN } ], rewrite_prefix: /v1 }
    exchange: { audience: reports, scope: { allow: [orders.read] } }
  - name: root
    match: { prefix: /root }
    upstream: { targets: [ { url: ORIGIN } ], rewrite_prefix: / }
    exchange: { audience: root, scope: { allow: [orders.read] } }
  - name: orders
    match: { prefix: /orders }
    upstream: { targets: [ { url: ORIGIN } ] }
    exchange: { audience: orders, scope: { allow: [orders.read] } }
  - name: named
    match: { prefix: /named }
    upstream: { targets: [ { url: ORIGIN }, { url: 'http://127.0.0.1:80' }, { url: 'https://127.0.0.1' } ], host: API.internal }
    exchange: { audience: named, scope: { allow: [orders.read] } }
";

async fn leads(lab: &Lab, path: &str, field: &str, written: &str) -> String {
    lab.origin
        .always(answer("302 Found", &[(field, written)], ""));
    let got = lab.ask(Ask::get(path).bearer(&lab.token())).await;
    assert_eq!(got.status(), 302, "{written}");
    got.field(field).unwrap().to_owned()
}

#[tokio::test]
async fn what_names_the_upstream_is_given_the_path_that_clients_know() {
    let lab = Lab::routes(ROUTES).await;
    let own = lab.origin.url();
    let port = own.rsplit(':').next().unwrap().to_owned();
    for (path, written, led) in [
        (
            "/reports/a",
            format!("{own}/v1/b?x=1#y"),
            "/reports/b?x=1#y",
        ),
        (
            "/reports/a",
            format!("HTTP://127.0.0.1:{port}/v1/b"),
            "/reports/b",
        ),
        ("/reports/a", format!("//127.0.0.1:{port}/v1"), "/reports"),
        ("/reports/a", "/v1/d".to_owned(), "/reports/d"),
        ("/reports/a", "/v1?q".to_owned(), "/reports?q"),
        (
            "/reports/a",
            "http://api.example.com/v1/d".to_owned(),
            "/reports/d",
        ),
        ("/reports/a", format!("{own}/login"), "/login"),
        ("/root/a", format!("{own}/b"), "/root/b"),
        ("/root/a", own.clone(), "/root/"),
        ("/root/a", "/b".to_owned(), "/root/b"),
        ("/orders/a", format!("{own}/orders/b"), "/orders/b"),
        ("/orders/a", format!("{own}?x"), "/?x"),
        (
            "/orders/a",
            format!("{own}//evil.example/x"),
            "/.//evil.example/x",
        ),
    ] {
        for field in ["Location", "Content-Location"] {
            assert_eq!(leads(&lab, path, field, &written).await, led, "{written}");
        }
    }
}

#[tokio::test]
async fn the_default_port_and_the_name_that_the_upstream_is_called_by_are_its_own_too() {
    let lab = Lab::routes(&ROUTES.replace(
        "targets: [ { url: ORIGIN }, { url: 'http://127.0.0.1:80' }, { url: 'https://127.0.0.1' } ]",
        "targets: [ { url: ORIGIN, weight: 100 }, { url: 'http://localhost:80' } ]",
    ))
    .await;
    for (written, led) in [
        ("http://localhost/named/x", "/named/x"),
        ("http://LOCALHOST:80/named/x", "/named/x"),
        ("http://localhost.:/named/x", "/named/x"),
        ("http://api.internal/named/x", "/named/x"),
        ("http://Api.Internal:80/named/x", "/named/x"),
    ] {
        assert_eq!(
            leads(&lab, "/named/a", "Location", written).await,
            led,
            "{written}"
        );
    }
}

#[tokio::test]
async fn what_leads_elsewhere_is_left_as_it_is() {
    let lab = Lab::routes(ROUTES).await;
    let own = lab.origin.url();
    let elsewhere = [
        "https://elsewhere.example/x".to_owned(),
        "//elsewhere.example/v1/x".to_owned(),
        "http://127.0.0.1:1/v1/x".to_owned(),
        own.replace("http://", "https://") + "/v1/x",
        own.replace("http://", "http://user@") + "/v1/x",
        format!("https://elsewhere.example/?next={own}/v1/x"),
        "next".to_owned(),
        "../next".to_owned(),
        "?page=2".to_owned(),
        "#there".to_owned(),
        "mailto:a@example.com".to_owned(),
        "/v2/x".to_owned(),
        "/v10/x".to_owned(),
    ];
    for written in elsewhere {
        let led = leads(&lab, "/reports/a", "Location", &written).await;
        assert_eq!(led, written);
    }
    assert_eq!(leads(&lab, "/orders/a", "Location", "/x").await, "/x");
}
