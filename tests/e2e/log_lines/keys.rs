//! The log line when an issuer's keys cannot be fetched or used.

use super::{Does, Running, ok, says, serve, text};
use crate::e2e::support::{PATIENCE, Signer, process::Process};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::timeout;

const UPSTREAM: &str = r#"targets: [ { url: "http://127.0.0.1:1" } ]"#;
const METADATA: &str = "/.well-known/openid-configuration";

/// Returns the log line about the keys of an issuer with these responses, and the issuer.
async fn line_of(answer: impl Fn(&str, &str) -> Does + Send + Sync + 'static) -> (Value, String) {
    let own = Arc::new(OnceLock::<String>::new());
    let known = Arc::clone(&own);
    let address = serve(move |target| answer(target, known.get().unwrap())).await;
    let issuer = own.get_or_init(|| format!("http://{address}")).clone();
    let running = Running::of(&issuer, "discovery: true", UPSTREAM, &[]);
    let line = running.line("keys not refreshed").await;
    assert_eq!(text(&line, "level"), "WARN", "{line}");
    assert_eq!(text(&line, "issuer"), "corp", "{line}");
    (line, issuer)
}

#[tokio::test]
async fn an_issuer_that_calls_itself_otherwise_is_told_with_both_values_and_the_url() {
    for suffix in ["/", "/tenant", "x"] {
        let (line, issuer) = line_of(move |_, issuer| {
            let other = format!("{issuer}{suffix}");
            ok(&json!({"issuer": other, "jwks_uri": format!("{issuer}/keys")}).to_string())
        })
        .await;
        let why = text(&line, "why");
        let url = format!("the metadata at {issuer}{METADATA} ");
        let found = format!("the issuer {:?}", format!("{issuer}{suffix}"));
        let expected = format!("expected {issuer:?}");
        for part in [url, found, expected] {
            assert!(why.contains(&part), "{part} is not in {why}");
        }
    }
}

#[tokio::test]
async fn a_document_that_cannot_be_fetched_or_read_is_told_with_its_url_and_why() {
    type Answers = fn(&str, &str) -> Does;
    let cases: [(Answers, &str, &str); 8] = [
        (
            |_, _| says("500 Internal Server Error", "{}"),
            METADATA,
            "the status 500",
        ),
        (
            |_, _| Does::Says(String::new()),
            METADATA,
            "connection closed",
        ),
        (
            |_, _| ok("<html>sign in</html>"),
            METADATA,
            "not a JSON object with an issuer and a jwks_uri",
        ),
        (
            |_, issuer| ok(&json!({"issuer": issuer}).to_string()),
            METADATA,
            "not a JSON object with an issuer and a jwks_uri",
        ),
        (
            |_, issuer| {
                ok(&json!({"issuer": issuer, "jwks_uri": "http://192.0.2.1/keys"}).to_string())
            },
            METADATA,
            "jwks_uri",
        ),
        (
            |target, issuer| match target {
                METADATA => found_at(issuer),
                _ => says("302 Found", ""),
            },
            "/keys",
            "the status 302",
        ),
        (
            |target, issuer| match target {
                METADATA => found_at(issuer),
                _ => ok("[]"),
            },
            "/keys",
            "not a JSON object with an array of keys",
        ),
        (
            |target, issuer| match target {
                METADATA => found_at(issuer),
                _ => ok(r#"{"keys":[]}"#),
            },
            "/keys",
            "none of its 0 keys can be used",
        ),
    ];
    for (answers, path, expected) in cases {
        let (line, issuer) = line_of(answers).await;
        let why = text(&line, "why");
        assert!(
            why.contains(&format!("{issuer}{path}")),
            "{issuer}{path} is not in {why}"
        );
        assert!(why.contains(expected), "{expected} is not in {why}");
        assert!(!line.to_string().contains("secret"), "{line}");
        // no fetched keys stay in use, because there were none
        assert!(!text(&line, "message").contains("last fetched"), "{line}");
    }
}

fn found_at(issuer: &str) -> Does {
    ok(&json!({"issuer": issuer, "jwks_uri": format!("{issuer}/keys?secret=1")}).to_string())
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_is_told_with_the_systems_word() {
    let running = Running::of("http://127.0.0.1:1", "discovery: true", UPSTREAM, &[]);
    let line = running.line("keys not refreshed").await;
    let why = text(&line, "why");
    assert!(
        why.contains("http://127.0.0.1:1/.well-known/openid-configuration"),
        "{why}"
    );
    assert!(why.contains("Connection refused"), "{why}");
    let running = Running::of(
        "https://idp.example.com",
        r#"jwks_uri: "http://127.0.0.1:1/jwks?a=secret""#,
        UPSTREAM,
        &[],
    );
    let line = running.line("keys not refreshed").await;
    let why = text(&line, "why");
    assert!(
        why.contains("the key set could not be fetched from http://127.0.0.1:1/jwks:"),
        "{why}"
    );
    assert!(!line.to_string().contains("secret"), "{line}");
}

#[tokio::test]
async fn of_a_set_without_a_usable_key_it_is_said_why_of_each() {
    let (line, issuer) = line_of(|target, issuer| match target {
        METADATA => found_at(issuer),
        _ => {
            let mut encrypts = Signer::es256().jwk();
            encrypts["use"] = json!("enc");
            let symmetric = json!({"kty": "oct", "k": "c2VjcmV0", "kid": "s"});
            ok(&json!({"keys": [encrypts, symmetric, {"kty": "RSA", "n": "AQAB", "e": "AQAB"}, 7]})
                .to_string())
        }
    })
    .await;
    let why = text(&line, "why");
    assert!(why.contains(&format!("{issuer}/keys")), "{why}");
    let parts = [
        "none of its 4 keys can be used (key 0: ",
        "; key 1: ",
        "; key 2: ",
        "; key 3: ",
    ];
    for part in parts {
        assert!(why.contains(part), "{part} is not in {why}");
    }
    // never the key itself
    assert!(!why.contains("c2VjcmV0"), "{why}");
}

#[tokio::test]
async fn keys_that_were_good_once_are_said_to_be_kept() {
    let failing = Arc::new(AtomicBool::new(false));
    let turned = Arc::clone(&failing);
    let signer = Signer::es256();
    let keys = json!({"keys": [signer.jwk()]}).to_string();
    let address = serve(move |_| match turned.load(Ordering::SeqCst) {
        false => ok(&keys),
        true => says("503 Service Unavailable", ""),
    })
    .await;
    let source = format!(r#"jwks_uri: "http://{address}/keys", max_age: 1s"#);
    let running = Running::of("https://idp.example.com", &source, UPSTREAM, &[]);
    has_keys(&running.process).await;
    failing.store(true, Ordering::SeqCst);
    let line = running.line("keys not refreshed").await;
    assert!(text(&line, "message").contains("last fetched"), "{line}");
    assert!(text(&line, "why").contains("the status 503"), "{line}");
}

async fn has_keys(process: &Process) {
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let fetched = async {
        while !process.metrics().await.contains("obo_jwks_age_seconds{") {
            ticks.tick().await;
        }
    };
    timeout(PATIENCE, fetched).await.expect("there are no keys");
}
