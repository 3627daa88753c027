//! Cookies and header fields that a route names.

use crate::e2e::support::{Ask, Lab, Setup, answer, lab};

const ROUTES: &str = r"
  - name: orders
    match: { prefix: /orders }
    upstream: { targets: [ { url: ORIGIN } ] }
    exchange: { audience: orders-api, scope: { allow: [orders.read] } }
    request:
      cookies: [theme, cart]
      headers:
        set:
          - { name: X-Api-Key, value: { file: key.txt } }
          - { name: X-Partner, value: the portal }
          - { name: X_Team-Name, value: gateway }
        remove: [X-Internal, User-Agent, X_Hidden]
        pass: [X_Legacy]
    response: { pass_headers: [Set-Cookie, Strict-Transport-Security] }
  - name: told
    match: { prefix: /told }
    upstream: { targets: [ { url: ORIGIN } ] }
    exchange: { audience: orders-api, scope: { allow: [orders.read] } }
    request: { headers: { set: [ { name: X-Forwarded-Proto, value: https } ], remove: [X-Forwarded-For] } }
  - name: usual
    match: { prefix: /usual }
    upstream: { targets: [ { url: ORIGIN } ] }
    exchange: { audience: orders-api, scope: { allow: [orders.read] } }
";

async fn start() -> Lab {
    let key = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(key.path(), "the-partners-own-key\n").unwrap();
    let routes = ROUTES.replace("key.txt", key.path().to_str().unwrap());
    Lab::with(Setup {
        routes,
        ..Setup::default()
    })
    .await
}

#[tokio::test]
async fn cookies_that_are_named_pass_and_no_other_credential_does() {
    let lab = start().await;
    let ask = Ask::get("/orders/1")
        .bearer(&lab.token())
        .field("Cookie", "session=secret; theme=dark; cart=7")
        .field("DPoP", "a.b.c");
    assert_eq!(lab.ask(ask).await.status(), 200);
    let request = lab.origin.request();
    let cookies: Vec<_> = request.all("cookie").collect();
    assert_eq!(cookies, ["theme=dark; cart=7"]);
    assert!(request.field("dpop").is_none());
}

#[tokio::test]
async fn a_cookie_that_holds_the_token_is_dropped_whole_though_its_name_may_pass() {
    let lab = start().await;
    let token = lab.token();
    let signature = token.rsplit('.').next().unwrap();
    let encoded = crate::e2e::support::encoded(&token);
    for copy in [&token, signature, &encoded] {
        lab.origin.forget();
        let ask = Ask::get("/orders/1")
            .bearer(&token)
            .field("Cookie", &format!("theme=a{copy}; cart=7"));
        assert_eq!(lab.ask(ask).await.status(), 200);
        assert_eq!(lab.origin.request().field("cookie"), Some("cart=7"));
    }
    lab.counts("obo_leak_blocked_total", &["request_header"], 3)
        .await;
}

#[tokio::test]
async fn the_operators_own_fields_replace_the_clients_and_others_are_removed() {
    let lab = start().await;
    let ask = Ask::get("/orders/1")
        .bearer(&lab.token())
        .field("X-Api-Key", "the client's")
        .field("X_Api_Key", "the client's")
        .field("X-Partner", "somebody else")
        .field("X-Partner", "and again")
        .field("X-Internal", "1")
        .field("User-Agent", "curl");
    assert_eq!(lab.ask(ask).await.status(), 200);
    let request = lab.origin.request();
    let all = |name| request.all(name).collect::<Vec<_>>();
    assert_eq!(all("x-api-key"), ["the-partners-own-key"]);
    assert_eq!(all("x-partner"), ["the portal"]);
    for gone in ["x_api_key", "x-internal", "user-agent"] {
        assert!(request.field(gone).is_none(), "{gone}");
    }
    lab.issued(&request).await;
}

#[tokio::test]
async fn fields_with_an_underscore_cross_only_where_a_route_names_them() {
    let lab = start().await;
    let token = lab.token();
    let ask = |path: &str| {
        Ask::get(path)
            .bearer(&token)
            .field("X_LEGACY", "1")
            .field("X_Legacy", "2")
            .field("X_Other", "1")
            .field("X_Partner", "somebody else")
            .field("X-Team-Name", "somebody else")
            .field("X-Team_Name", "somebody else")
            .field("X-Hidden", "1")
            .field("Content_Length", "9")
            .field("Transfer_Encoding", "chunked")
            .field("X_Forwarded_For", "1.2.3.4")
    };
    assert_eq!(lab.ask(ask("/orders/1")).await.status(), 200);
    let request = lab.origin.request();
    assert_eq!(request.all("x_legacy").collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(request.all("x-partner").collect::<Vec<_>>(), ["the portal"]);
    assert_eq!(request.all("x_team-name").collect::<Vec<_>>(), ["gateway"]);
    let underscored = |request: &crate::e2e::support::Answer| {
        let names = request.fields.iter().map(|(name, _)| name.to_lowercase());
        names.filter(|name| name.contains('_')).count()
    };
    assert_eq!(underscored(&request), 3);
    for gone in ["x-team-name", "x-hidden"] {
        assert!(request.field(gone).is_none(), "{gone}");
    }
    lab.origin.forget();
    assert_eq!(lab.ask(ask("/usual/1")).await.status(), 200);
    let request = lab.origin.request();
    assert_eq!(underscored(&request), 0, "{request:#?}");
    assert_eq!(request.field("x-team-name"), Some("somebody else"));
}

#[tokio::test]
async fn a_field_that_passes_by_name_does_not_carry_the_token() {
    let lab = start().await;
    let token = lab.token();
    let ask = Ask::get("/orders/1")
        .bearer(&token)
        .field("X_Legacy", &token);
    assert_eq!(lab.ask(ask).await.status(), 200);
    assert!(lab.origin.request().field("x_legacy").is_none());
    lab.counts("obo_leak_blocked_total", &["request_header"], 1)
        .await;
}

#[tokio::test]
async fn what_the_gateway_writes_itself_can_be_replaced_and_kept_back() {
    let lab = start().await;
    let ask = Ask::get("/told/1").bearer(&lab.token());
    assert_eq!(lab.ask(ask).await.status(), 200);
    let request = lab.origin.request();
    assert_eq!(request.field("x-forwarded-proto"), Some("https"));
    assert!(request.field("x-forwarded-for").is_none());
    assert!(request.field("x-request-id").is_some());
}

#[tokio::test]
async fn fields_that_are_named_pass_to_the_client_and_no_other_of_their_kind() {
    let lab = start().await;
    let fields = [
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
        ("Strict-Transport-Security", "max-age=1"),
        ("Clear-Site-Data", "\"*\""),
        ("WWW-Authenticate", "Basic"),
    ];
    lab.origin.always(answer("200 OK", &fields, ""));
    let got = lab.ask(Ask::get("/orders/1").bearer(&lab.token())).await;
    assert_eq!(got.all("set-cookie").collect::<Vec<_>>(), ["a=1", "b=2"]);
    assert_eq!(got.field("strict-transport-security"), Some("max-age=1"));
    for gone in ["clear-site-data", "www-authenticate"] {
        assert!(got.field(gone).is_none(), "{gone}");
    }
    let got = lab.ask(Ask::get("/usual/1").bearer(&lab.token())).await;
    assert!(got.field("set-cookie").is_none());
}

#[tokio::test]
async fn a_cookie_that_would_carry_the_issued_token_to_the_client_is_a_leak() {
    let lab = start().await;
    lab.origin.answers(|request| {
        let cookie = format!("session={}", request.bearer().unwrap());
        crate::e2e::support::Reply::Send(answer("200 OK", &[("Set-Cookie", &cookie)], ""))
    });
    let got = lab.ask(Ask::get("/orders/1").bearer(&lab.token())).await;
    assert_eq!(got.status(), 502);
    assert!(got.field("set-cookie").is_none());
    assert_eq!(
        lab::sum(
            &lab.gateway.metrics().render(),
            "obo_leak_blocked_total",
            &["response_head"]
        ) as usize,
        1
    );
}
