use super::*;
use crate::{
    settings::{BaseDir, Building, Effects, Finding, Findings, Severity},
    telemetry::{Outcome, Readiness},
};
use serde_json::Value;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use std::{path::Path, time::Duration};

mod revocations;

use revocations::revoker;

const TOKEN: &str = "correct horse battery";

fn build(yaml: &str) -> (Option<AdminTerms>, Vec<Finding>) {
    let settings: AdminSettings = serde_yaml::from_str(yaml).unwrap();
    let (base, mut findings) = (BaseDir::of_file(Path::new("/x.yaml")), Findings::default());
    let mut building = Building {
        base: &base,
        effects: Effects::None,
        findings: &mut findings,
    };
    let terms = settings.build(&mut building);
    (terms, findings.into_vec())
}

fn with_token(address: &str) -> AdminTerms {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{TOKEN}\n")).unwrap();
    let yaml = format!(
        "{{ address: '{address}', insecure: true, token: {{ file: '{}' }} }}",
        file.path().display()
    );
    build(&yaml).0.unwrap()
}

fn admin(terms: AdminTerms) -> Admin {
    let bound = terms.address;
    Admin::new(
        terms,
        bound,
        revoker(None),
        Metrics::new(),
        Readiness::new(),
    )
}

fn respond(admin: &Admin, request: &Request<Bytes>) -> Response<Bytes> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.unwrap().block_on(admin.respond(request))
}

fn local() -> Admin {
    admin(build("{}").0.unwrap())
}

fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<Bytes> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Bytes::new()).unwrap()
}

fn ask(admin: &Admin, path: &str) -> Response<Bytes> {
    respond(admin, &request("GET", path, &[("host", "127.0.0.1:9090")]))
}

fn body(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

#[test]
fn metrics_are_served_in_prometheus_text() {
    let admin = local();
    let route = admin.metrics.route("orders", "embedded");
    route.request(Outcome::Forwarded, Duration::ZERO);
    let response = ask(&admin, "/metrics");
    assert_eq!(response.status(), 200);
    assert_eq!(
        response.headers()[CONTENT_TYPE],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let text = std::str::from_utf8(response.body()).unwrap();
    assert!(text.contains("obo_requests_total{outcome=\"forwarded\",route=\"orders\"} 1"));
}

#[test]
fn readiness_names_what_is_missing_and_health_does_not_care() {
    let admin = local();
    let fetched = Arc::new(AtomicBool::new(false));
    let holds = Arc::clone(&fetched);
    admin
        .readiness
        .require("keys of issuer corp", move || holds.load(Ordering::SeqCst));
    let response = ask(&admin, "/readyz");
    assert_eq!(response.status(), 503);
    assert_eq!(
        body(&response),
        json!({"ready": false, "waiting_for": ["keys of issuer corp"], "draining": false})
    );
    assert_eq!(ask(&admin, "/healthz").status(), 200);
    fetched.store(true, Ordering::SeqCst);
    let response = ask(&admin, "/readyz");
    assert_eq!(response.status(), 200);
    assert_eq!(body(&response), json!({"ready": true}));
    admin.readiness.drain();
    let response = ask(&admin, "/readyz");
    assert_eq!(response.status(), 503);
    assert_eq!(
        body(&response),
        json!({"ready": false, "waiting_for": [], "draining": true})
    );
}

#[test]
fn a_head_request_gets_the_head_alone() {
    let admin = local();
    let response = respond(
        &admin,
        &request("HEAD", "/healthz", &[("host", "localhost")]),
    );
    assert_eq!(response.status(), 200);
    assert!(response.body().is_empty());
    assert_eq!(response.headers()[CONTENT_LENGTH], "14");
}

#[test]
fn other_paths_and_methods_are_refused() {
    let admin = local();
    for path in ["/", "/metrics/", "/console", "//metrics"] {
        assert_eq!(ask(&admin, path).status(), 404, "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"] {
        let response = respond(
            &admin,
            &request(method, "/metrics", &[("host", "localhost")]),
        );
        assert_eq!(response.status(), 405, "{method}");
        assert_eq!(response.headers()[ALLOW], "GET, HEAD");
    }
}

#[test]
fn without_a_token_only_this_machines_names_get_a_response() {
    let admin = local();
    for host in [
        "localhost",
        "LOCALHOST:9090",
        "127.0.0.1",
        "127.0.0.9:1",
        "[::1]:9090",
        "[::1]",
    ] {
        let response = respond(&admin, &request("GET", "/metrics", &[("host", host)]));
        assert_eq!(response.status(), 200, "{host}");
    }
    for host in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "127.0.0.1@evil.example",
        "evil@127.0.0.1",
        "192.0.2.1:9090",
        "",
        "[::1",
    ] {
        for path in ["/metrics", "/healthz", "/readyz", "/other"] {
            let response = respond(&admin, &request("GET", path, &[("host", host)]));
            assert_eq!(response.status(), 403, "{host} {path}");
        }
    }
}

#[test]
fn a_request_that_names_no_host_or_two_different_ones_is_refused() {
    let admin = local();
    for request in [
        request("GET", "/metrics", &[]),
        request(
            "GET",
            "/metrics",
            &[("host", "localhost"), ("host", "evil.example")],
        ),
        request(
            "GET",
            "http://evil.example/metrics",
            &[("host", "localhost")],
        ),
    ] {
        assert_eq!(respond(&admin, &request).status(), 403);
    }
    let absolute = request(
        "GET",
        "http://localhost:9090/metrics",
        &[("host", "localhost:9090")],
    );
    assert_eq!(respond(&admin, &absolute).status(), 200);
}

#[test]
fn with_a_token_nobody_else_sees_metrics() {
    let admin = admin(with_token("0.0.0.0:9090"));
    let right = format!("Bearer {TOKEN}");
    let lower = format!("bearer {TOKEN}");
    for (value, status) in [
        (right.as_str(), 200),
        (lower.as_str(), 200),
        ("Bearer correct horse batter", 401),
        ("Bearer correct horse batterz", 401),
        ("Bearer ", 401),
        ("Bearer", 401),
        ("Basic correct horse battery", 401),
        (TOKEN, 401),
    ] {
        let headers = [("host", "gateway.internal:9090"), ("authorization", value)];
        let response = respond(&admin, &request("GET", "/metrics", &headers));
        assert_eq!(response.status(), status, "{value}");
        assert!(!String::from_utf8_lossy(response.body()).contains(TOKEN));
    }
    let twice = [
        ("authorization", right.as_str()),
        ("authorization", right.as_str()),
    ];
    assert_eq!(
        respond(&admin, &request("GET", "/metrics", &twice)).status(),
        401
    );
    let response = ask(&admin, "/metrics");
    assert_eq!(response.status(), 401);
    assert!(response.headers().contains_key(WWW_AUTHENTICATE));
    assert_eq!(ask(&admin, "/other").status(), 401);
}

#[test]
fn a_probe_without_the_token_learns_yes_or_no_and_no_names() {
    let admin = admin(with_token("0.0.0.0:9090"));
    admin.readiness.require("keys of issuer corp", || false);
    let response = respond(
        &admin,
        &request("GET", "/readyz", &[("host", "10.0.0.7:9090")]),
    );
    assert_eq!(response.status(), 503);
    assert_eq!(body(&response), json!({"ready": false}));
    let response = respond(
        &admin,
        &request("GET", "/healthz", &[("host", "10.0.0.7:9090")]),
    );
    assert_eq!(response.status(), 200);
}

#[test]
fn a_listener_that_others_can_reach_needs_a_token() {
    for address in ["0.0.0.0:9090", "192.0.2.1:9090", "[::]:9090"] {
        let (terms, findings) = build(&format!("{{ address: '{address}', insecure: true }}"));
        assert!(terms.is_none());
        assert_eq!(findings[1].path.to_string(), "address");
        assert!(findings[1].fix.contains("token"), "{findings:?}");
    }
    for address in ["127.0.0.1:0", "[::1]:9090", "[::ffff:127.0.0.1]:9090"] {
        assert!(build(&format!("{{ address: '{address}' }}")).0.is_some());
    }
    assert_eq!(build("{}").0.unwrap().address.to_string(), "127.0.0.1:9090");
    let (terms, findings) = build("{ token: { env: SURELY_NOT_SET_ANYWHERE } }");
    assert!(terms.is_none());
    assert_eq!(findings[0].path.to_string(), "token");
}

#[test]
fn tokens_cross_no_network_in_clear_text_unless_that_is_meant() {
    let token = secret_file(TOKEN);
    let tls = "tls: { certificate: a.pem, private_key: a.key }";
    for (address, more, severities) in [
        ("0.0.0.0:9090", "", &[Severity::Error][..]),
        ("192.0.2.1:9090", "insecure: false", &[Severity::Error]),
        ("[::]:0", "", &[Severity::Error]),
        ("0.0.0.0:9090", "insecure: true", &[Severity::Warning]),
        ("192.0.2.1:9090", tls, &[]),
        ("127.0.0.1:9090", "", &[]),
        ("[::ffff:127.0.0.1]:9090", "", &[]),
        ("127.0.0.1:9090", "insecure: true", &[]),
    ] {
        let token = token.path().display();
        let (terms, findings) = build(&format!(
            "{{ address: '{address}', token: {{ file: '{token}' }}, {more} }}"
        ));
        let found: Vec<_> = findings.iter().map(|finding| finding.severity).collect();
        assert_eq!(found, severities, "{address} {more}: {findings:?}");
        assert_eq!(
            terms.is_none(),
            found.contains(&Severity::Error),
            "{address} {more}"
        );
        if let Some(finding) = findings.first() {
            assert_eq!(finding.path.to_string(), "address");
            assert!(finding.fix.contains("tls"), "{findings:?}");
        }
    }
}

fn secret_file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

const READ: &str = "read-0123456789abcdef";
const REVOKE: &str = "revoke-0123456789abcdef";

fn with_two_tokens(read: &str, revoke: &str) -> (Option<AdminTerms>, Vec<Finding>) {
    let (read, revoke) = (secret_file(read), secret_file(revoke));
    build(&format!(
        "{{ tokens: {{ read: {{ file: '{}' }}, revoke: {{ file: '{}' }} }} }}",
        read.path().display(),
        revoke.path().display()
    ))
}

#[test]
fn the_token_for_reading_does_not_revoke_and_the_other_does_not_read() {
    let admin = admin(with_two_tokens(READ, REVOKE).0.unwrap());
    for (method, path, token, status) in [
        ("GET", "/metrics", READ, 200),
        ("GET", "/metrics", REVOKE, 403),
        ("GET", "/readyz", READ, 200),
        ("GET", "/readyz", REVOKE, 403),
        ("POST", "/revocations", READ, 403),
        // the request is admitted, and has no body
        ("POST", "/revocations", REVOKE, 415),
        ("GET", "/metrics", "another-0123456789abcdef", 401),
        ("POST", "/revocations", "another-0123456789abcdef", 401),
    ] {
        let value = format!("Bearer {token}");
        let headers = [("host", "localhost"), ("authorization", value.as_str())];
        let response = respond(&admin, &request(method, path, &headers));
        assert_eq!(response.status(), status, "{method} {path} {token}");
    }
    assert_eq!(ask(&admin, "/metrics").status(), 401);
    assert_eq!(ask(&admin, "/healthz").status(), 200);
}

#[test]
fn a_token_that_is_short_or_the_same_for_both_purposes_is_a_finding() {
    for (read, revoke, path) in [
        (READ, READ, "tokens.revoke"),
        ("short", REVOKE, "tokens.read"),
        (READ, "15-bytes-123456", "tokens.revoke"),
        (READ, "", "tokens.revoke"),
    ] {
        let (terms, findings) = with_two_tokens(read, revoke);
        assert!(terms.is_none());
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].path.to_string(), path);
    }
    let short = secret_file("0123456789abcde");
    let (terms, findings) = build(&format!(
        "{{ token: {{ file: '{}' }} }}",
        short.path().display()
    ));
    assert!(terms.is_none());
    assert_eq!(findings[0].path.to_string(), "token");
    let both = "{ token: { env: A }, tokens: { read: { env: A }, revoke: { env: B } } }";
    let (terms, findings) = build(both);
    assert!(terms.is_none());
    assert_eq!(findings[0].path.to_string(), "tokens");
}
