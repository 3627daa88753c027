//! Routes that send opaque tokens to their upstreams.

use crate::e2e::{
    answers::{assert_own, assert_untouched},
    support::{
        Ask, Lab, Reply, Setup, answer, encoded,
        lab::{GATEWAY_ISSUER, ISSUER},
    },
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::json;

pub const KEYS: &str = ", opaque_keys: [ { file: opaque.key, generate: true } ]";

/// `/orders` with opaque tokens for one API, and `/front` with opaque tokens for the gateway itself.
async fn lab() -> Lab {
    let routes = format!(
        r#"
  - name: orders
    match: {{ prefix: /orders }}
    upstream: {{ targets: [ {{ url: ORIGIN }} ] }}
    exchange:
      audience: orders-api
      scope: {{ allow: [orders.read, orders.write] }}
      token: {{ format: opaque, lifetime: 2m }}
      chain: {{ accept_own: true }}
  - name: front
    match: {{ prefix: /front }}
    upstream: {{ targets: [ {{ url: ORIGIN }} ] }}
    exchange:
      audience: "{GATEWAY_ISSUER}"
      scope: {{ allow: [orders.read] }}
      token: {{ format: opaque, lifetime: 2m }}
  - name: signed
    match: {{ prefix: /signed }}
    upstream: {{ targets: [ {{ url: ORIGIN }} ] }}
    exchange:
      audience: orders-api
      scope: {{ allow: [orders.read, orders.write] }}
      chain: {{ accept_own: true }}
"#
    );
    Lab::with(Setup {
        routes,
        service: KEYS.to_owned(),
        issuer: format!("{ISSUER}, required: true"),
        ..Setup::default()
    })
    .await
}

impl Lab {
    /// Returns the opaque token that the upstream of `path` gets for `token`.
    async fn opaque(&self, path: &str, token: &str) -> String {
        self.origin.forget();
        let answer = self.ask(Ask::get(path).bearer(token)).await;
        assert_eq!(answer.status(), 200);
        let given = self.origin.request().bearer().unwrap().to_owned();
        assert!(given.starts_with("oboat_"), "{given}");
        given
    }
}

#[tokio::test]
async fn the_downstream_learns_nothing_from_an_opaque_token() {
    let lab = lab().await;
    let token = lab.token();
    let given = lab.opaque("/orders/1", &token).await;
    let sealed = URL_SAFE_NO_PAD.decode(&given["oboat_".len()..]).unwrap();
    for secret in ["alice", "orders", "corp", GATEWAY_ISSUER] {
        let found = sealed
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(!found, "{secret}");
    }
    assert_eq!(lab.opaque("/orders/2", &token).await, given, "remembered");
    let anew = lab.opaque("/orders/1", &lab.token()).await;
    assert_ne!(anew, given);
}

#[tokio::test]
async fn the_audit_log_says_what_an_opaque_token_is_for_and_not_the_token() {
    let lab = lab().await;
    let given = lab.opaque("/orders/1", &lab.token()).await;
    let audit = lab.audit();
    assert!(
        !audit.contains(&given) && !audit.contains("oboat_"),
        "{audit}"
    );
    for fact in ["orders-api", "orders.read orders.write", r#""jti":"s."#] {
        assert!(audit.contains(fact), "{fact}: {audit}");
    }
}

/// A value of a field that repeats a token.
type Place = fn(&str) -> String;

#[tokio::test]
async fn an_opaque_token_in_the_answers_head_is_a_blocked_leak() {
    let lab = lab().await;
    let places: [Place; 4] = [
        |token| format!("Bearer {token}"),
        |token| encoded(token),
        |token| STANDARD.encode(format!("x{token}")),
        |token| token[token.len() - 32..].to_owned(),
    ];
    for place in places {
        lab.origin.answers(move |request| {
            let value = place(request.bearer().unwrap());
            Reply::Send(answer("200 OK", &[("X-Debug", &value)], "fine"))
        });
        let answer = lab.present(&lab.token()).await;
        let issued = lab.origin.requests().pop().unwrap();
        assert_own(&answer, 502, "bad_gateway", &[issued.bearer().unwrap()]);
    }
    let places = places.len();
    lab.counts("obo_leak_blocked_total", &["response_head"], places)
        .await;
}

#[tokio::test]
async fn an_opaque_token_of_the_gateway_s_own_is_a_subject_where_the_route_says_so() {
    let lab = lab().await;
    let own = lab.opaque("/front", &lab.token()).await;
    lab.origin.forget();
    let answer = lab.ask(Ask::get("/signed").bearer(&own)).await;
    assert_eq!(answer.status(), 200);
    assert_ne!(lab.origin.request().bearer(), Some(own.as_str()));
    let issued = lab.issued(&lab.origin.request()).await;
    let gateway = json!({"iss": GATEWAY_ISSUER, "sub": "obo-gateway"});
    let mut twice = gateway.clone();
    twice["act"] = gateway;
    assert_eq!((&issued["act"], &issued["sub"]), (&twice, &json!("alice")));
    assert_eq!(issued["scope"], "orders.read");
    let opaque = lab.opaque("/orders/1", &own).await;
    assert_ne!(opaque, own);
}

#[tokio::test]
async fn an_opaque_token_for_somebody_else_and_a_changed_one_are_refused() {
    let lab = lab().await;
    let elsewhere = lab.opaque("/orders/1", &lab.token()).await;
    let own = lab.opaque("/front", &lab.token()).await;
    lab.origin.forget();
    let end = if own.ends_with('A') { "B" } else { "A" };
    for token in [
        elsewhere.as_str(),
        &format!("{}{end}", &own[..own.len() - 1]),
        &own[..own.len() - 4],
        "oboat_",
        "oboat_AAAA",
        &own.replacen("oboat_", "oborf_", 1),
    ] {
        let answer = lab.ask(Ask::get("/signed").bearer(token)).await;
        assert_own(&answer, 401, "invalid_token", &[token]);
    }
    // a route that does not accept the gateway's own tokens
    let answer = lab.ask(Ask::get("/front").bearer(&own)).await;
    assert_own(&answer, 401, "invalid_token", &[&own]);
    lab.counts("obo_denied_total", &["self_issued"], 1).await;
    assert_untouched(&lab);
}
