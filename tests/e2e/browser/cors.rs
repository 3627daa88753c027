//! Scripts of other origins.

use crate::e2e::{
    answers::{assert_own, assert_untouched},
    support::{Answer, Ask, Lab, answer},
};

const APP: &str = "https://app.example.com";

const ROUTES: &str = r#"
  - name: orders
    match: { prefix: /orders, methods: [GET, POST] }
    upstream: { targets: [ { url: ORIGIN } ] }
    exchange: { audience: orders-api, scope: { allow: [orders.read] } }
    cors: { origins: [https://app.example.com, "http://localhost:3000"], methods: [GET, POST], headers: [Authorization, Content-Type], max_age: 10m }
  - name: everybody
    match: { prefix: /everybody }
    upstream: { targets: [ { url: ORIGIN } ] }
    public: true
    cors: { origins: ["*"], methods: [GET, DELETE] }
  - name: closed
    match: { prefix: /closed }
    upstream: { targets: [ { url: ORIGIN } ] }
    exchange: { audience: closed-api, scope: { allow: [orders.read] } }
"#;

fn preflight(target: &str, origin: &str, method: &str) -> Ask {
    Ask::new("OPTIONS", target)
        .field("Origin", origin)
        .field("Access-Control-Request-Method", method)
        .field("Access-Control-Request-Headers", "authorization")
}

/// The names of the CORS fields, in lower case.
fn permissions(answer: &Answer) -> Vec<String> {
    let names = answer.fields.iter().map(|(name, _)| name.to_lowercase());
    names
        .filter(|name| name.starts_with("access-control-"))
        .collect()
}

#[tokio::test]
async fn a_preflight_is_answered_before_any_token_work_by_the_route_of_the_announced_method() {
    let lab = Lab::routes(ROUTES).await;
    let answer = lab.ask(preflight("/orders/1", APP, "POST")).await;
    assert_eq!((answer.status(), answer.body.len()), (204, 0));
    for (name, value) in [
        ("access-control-allow-origin", APP),
        ("access-control-allow-methods", "GET, POST"),
        (
            "access-control-allow-headers",
            "Authorization, Content-Type",
        ),
        ("access-control-max-age", "600"),
        ("vary", "Origin"),
    ] {
        assert_eq!(answer.field(name), Some(value), "{name}");
    }
    assert!(answer.field("access-control-allow-credentials").is_none());
    assert!(answer.field("x-request-id").is_some());
    assert_untouched(&lab);
    lab.counts("obo_requests_total", &["orders", "served"], 1)
        .await;
    assert_eq!(lab.metric("obo_cache_total", &["orders"]) as usize, 0);
}

#[tokio::test]
async fn a_preflight_of_another_origin_gets_no_permission_and_goes_nowhere() {
    let lab = Lab::routes(ROUTES).await;
    for origin in [
        "https://evil.example.com",
        "https://app.example.com.evil.example",
        "https://app.example.com:8443",
        "http://app.example.com",
        "null",
    ] {
        let answer = lab.ask(preflight("/orders/1", origin, "GET")).await;
        assert_eq!(answer.status(), 204, "{origin}");
        assert_eq!(permissions(&answer), [""; 0], "{origin}");
        assert_eq!(answer.field("vary"), Some("Origin"));
    }
    assert_untouched(&lab);
}

#[tokio::test]
async fn what_is_no_preflight_of_a_route_with_cors_is_an_ordinary_request() {
    let lab = Lab::routes(ROUTES).await;
    // no route serves DELETE, and none OPTIONS
    let answer = lab.ask(preflight("/orders/1", APP, "DELETE")).await;
    assert_own(&answer, 404, "not_found", &[]);
    let ask = Ask::new("OPTIONS", "/orders/1").field("Origin", APP);
    assert_own(&lab.ask(ask).await, 404, "not_found", &[]);
    // without CORS rules the preflight request is for the API, and needs a token
    let answer = lab.ask(preflight("/closed/1", APP, "GET")).await;
    assert_own(&answer, 401, "unauthorized", &[]);
    assert_eq!(permissions(&answer), [""; 0]);
    assert_untouched(&lab);
}

#[tokio::test]
async fn a_script_of_an_allowed_origin_can_read_a_refusal_and_no_other_can() {
    let lab = Lab::routes(ROUTES).await;
    for (ask, status, error) in [
        (Ask::get("/orders/1"), 401, "unauthorized"),
        (Ask::get("/orders/1").bearer("a.b.c"), 401, "invalid_token"),
        (
            Ask::get("/orders/1").field("Authorization", "Bearer"),
            400,
            "invalid_request",
        ),
    ] {
        let answer = lab.ask(ask.clone().field("Origin", APP)).await;
        assert_own(&answer, status, error, &[]);
        assert_eq!(answer.field("access-control-allow-origin"), Some(APP));
        let exposed = answer.field("access-control-expose-headers").unwrap();
        assert!(exposed.contains("WWW-Authenticate") && exposed.contains("X-Request-Id"));
        assert_eq!(answer.field("vary"), Some("Origin"));

        let answer = lab
            .ask(ask.field("Origin", "https://evil.example.com"))
            .await;
        assert_eq!(answer.status(), status);
        assert_eq!(permissions(&answer), [""; 0]);
        assert_eq!(answer.field("vary"), Some("Origin"));
    }
    assert_untouched(&lab);
}

#[tokio::test]
async fn a_script_can_read_that_the_downstream_failed() {
    let lab = Lab::routes(ROUTES).await;
    let leak = lab.token();
    lab.origin.answers(|request| {
        let own = request.bearer().unwrap().to_owned();
        crate::e2e::support::Reply::Send(answer("200 OK", &[("X-Debug", &own)], ""))
    });
    let ask = Ask::get("/orders/1").bearer(&leak).field("Origin", APP);
    let answer = lab.ask(ask).await;
    assert_own(&answer, 502, "bad_gateway", &[&leak]);
    assert_eq!(answer.field("access-control-allow-origin"), Some(APP));
}

const DOWNSTREAMS: &[(&str, &str)] = &[
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Credentials", "true"),
    ("Access-Control-Expose-Headers", "X-Secret"),
    ("Access-Control-Allow-Methods", "PATCH"),
    ("Access-Control-Allow-Headers", "X-Anything"),
    ("Access-Control-Max-Age", "99"),
    ("Access-Control-Allow-Private-Network", "true"),
    ("Vary", "Accept"),
];

#[tokio::test]
async fn what_the_downstream_says_to_scripts_is_replaced() {
    let lab = Lab::routes(ROUTES).await;
    lab.origin.always(answer("200 OK", DOWNSTREAMS, "hello"));
    let ask = || Ask::get("/orders/1").bearer(&lab.token());
    let allowed = lab.ask(ask().field("Origin", APP)).await;
    assert_eq!(allowed.status(), 200);
    assert_eq!(allowed.field("access-control-allow-origin"), Some(APP));
    assert_eq!(
        permissions(&allowed),
        [
            "access-control-allow-origin",
            "access-control-expose-headers"
        ]
    );
    assert_eq!(
        allowed.all("vary").collect::<Vec<_>>(),
        ["Accept", "Origin"]
    );
    for other in [ask().field("Origin", "https://evil.example.com"), ask()] {
        let answer = lab.ask(other).await;
        assert_eq!(
            (answer.status(), answer.body.as_slice()),
            (200, &b"hello"[..])
        );
        assert_eq!(permissions(&answer), [""; 0]);
        assert_eq!(answer.all("vary").collect::<Vec<_>>(), ["Accept", "Origin"]);
    }
}

#[tokio::test]
async fn without_rules_the_downstreams_own_fields_pass() {
    let lab = Lab::routes(ROUTES).await;
    lab.origin.always(answer("200 OK", DOWNSTREAMS, "hello"));
    let ask = Ask::get("/closed/1")
        .bearer(&lab.token())
        .field("Origin", APP);
    let answer = lab.ask(ask).await;
    assert_eq!(answer.field("access-control-allow-origin"), Some("*"));
    assert_eq!(permissions(&answer).len(), DOWNSTREAMS.len() - 1);
}

#[tokio::test]
async fn a_star_admits_every_origin_and_needs_no_vary() {
    let lab = Lab::routes(ROUTES).await;
    let answer = lab
        .ask(preflight("/everybody", "https://anybody.example", "DELETE"))
        .await;
    assert_eq!(answer.status(), 204);
    assert_eq!(answer.field("access-control-allow-origin"), Some("*"));
    assert_eq!(
        answer.field("access-control-allow-methods"),
        Some("GET, DELETE")
    );
    assert!(answer.field("access-control-max-age").is_none());
    let ask = Ask::get("/everybody").field("Origin", "null");
    let answer = lab.ask(ask).await;
    assert_eq!(answer.field("access-control-allow-origin"), Some("*"));
    assert!(answer.field("vary").is_none());
}
