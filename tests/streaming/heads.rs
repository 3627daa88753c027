//! HTTP/2 heads without an HTTP/1 form, or with several, are refused like HTTP/1 heads, and nothing is forwarded.

use crate::streaming::{
    http2::{H2Answer, H2Client},
    stage::{NAME, Stage},
    support::{Origin, until},
};
use bytes::Bytes;
use http::{Method, Request, Uri};
use serde_json::{Value, json};
use std::collections::HashSet;

/// Names and values.
type Fields<'a> = &'a [(&'a str, &'a str)];

fn request(method: &str, path: &str, fields: Fields<'_>) -> Request<()> {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("https://{NAME}{path}"));
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

#[track_caller]
fn assert_own(answer: &H2Answer, status: u16, what: &str) {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, status, "{what}: {text}");
    let body: serde_json::Value = serde_json::from_slice(&answer.body).expect(what);
    assert_eq!(body["error"], "invalid_request", "{what}");
}

async fn refused(client: &H2Client, request: Request<()>, body: &[u8], status: u16) {
    let what = format!("{request:?}");
    assert_own(&client.ask(request, body).await, status, &what);
}

#[tokio::test]
async fn a_head_of_http_2_that_http_1_would_not_take_is_refused_and_not_forwarded() {
    let origin = Origin::start().await;
    let stage = Stage::before(&origin.url()).await;
    let client = stage.h2_client().await;
    let lengths: [(Fields<'_>, &[u8]); 5] = [
        (&[("content-length", "3"), ("content-length", "3")], b"abc"),
        (&[("content-length", "03")], b"abc"),
        (&[("content-length", "0000000000000000003")], b"abc"),
        (&[("content-length", "00")], b""),
        (&[("content-length", "0"), ("content-length", "0")], b""),
    ];
    let mut count = 0;
    for path in ["/status", "/orders", "/oauth/v2/token"] {
        for method in ["get", "Post", "gET", "G.T", "M!", "1GET", "G'ET"] {
            refused(&client, request(method, path, &[]), b"", 400).await;
            count += 1;
        }
        for (fields, body) in lengths {
            refused(&client, request("POST", path, fields), body, 400).await;
            count += 1;
        }
        for expectation in ["x", "", "200-ok", "100-continue, x"] {
            let fields = [("expect", expectation)];
            refused(&client, request("POST", path, &fields), b"abc", 417).await;
            count += 1;
        }
        let fields = [("expect", "100-continue"), ("expect", "100-continue")];
        refused(&client, request("POST", path, &fields), b"abc", 417).await;
        count += 1;
    }
    let mut ftp = request("GET", "/status", &[]);
    *ftp.uri_mut() = Uri::try_from(format!("ftp://{NAME}/status")).unwrap();
    refused(&client, ftp, b"", 400).await;
    assert!(origin.bytes().is_empty());
    count += 1;
    until("every refusal is counted", || {
        stage.metric("obo_denied_total", &["malformed_request"]) == count
    })
    .await;
    until("every refusal is in the access log", || {
        stage.access_log().matches("malformed_request").count() == count
    })
    .await;
}

#[tokio::test]
async fn a_stream_for_no_host_or_for_two_is_refused_and_counted_and_its_neighbours_go_on() {
    let origin = Origin::start().await;
    let stage = Stage::before(&origin.url()).await;
    let client = stage.h2_client().await;
    let hosts: [Fields<'_>; 6] = [
        &[("host", "elsewhere.example")],
        &[("host", NAME), ("host", NAME)],
        &[("host", NAME), ("host", "elsewhere.example")],
        &[("host", "user@elsewhere.example")],
        &[("host", "")],
        &[("host", "elsewhere.example:443")],
    ];
    for (count, fields) in hosts.into_iter().enumerate() {
        let answer = client.ask(request("GET", "/status", fields), b"").await;
        assert_eq!(answer.status, 400, "{fields:?}");
        until("the refusal is counted", || {
            stage.metric("obo_connection_events_total", &["stream_refused"]) == count + 1
        })
        .await;
    }
    assert!(origin.bytes().is_empty());
    let answer = client.ask(request("GET", "/status", &[]), b"").await;
    assert_eq!(answer.status, 200);
    until("every refusal is in the access log and counted", || {
        stage.access_log().matches("malformed_request").count() == hosts.len()
            && stage.metric("obo_denied_total", &["malformed_request"]) == hosts.len()
    })
    .await;
    let log = stage.access_log();
    let lines = log
        .lines()
        .filter(|line| line.contains("malformed_request"));
    let mut ids = HashSet::new();
    for line in lines {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(
            (&line["status"], &line["client"]),
            (&json!(400), &json!("127.0.0.1"))
        );
        assert_eq!(
            (&line["path"], &line["host"], &line["method"]),
            (&Value::Null, &Value::Null, &json!("-"))
        );
        assert!(
            line["detail"].as_str().unwrap().contains("HTTP/2"),
            "{line}"
        );
        ids.insert(line["request_id"].to_string());
    }
    assert_eq!(ids.len(), hosts.len());
}

#[tokio::test]
async fn methods_that_are_not_forwarded_are_refused_over_http_2_too() {
    let origin = Origin::start().await;
    let stage = Stage::before(&origin.url()).await;
    let client = stage.h2_client().await;
    for method in ["TRACE", "TRACK"] {
        refused(&client, request(method, "/status", &[]), b"", 405).await;
    }
    let mut connect = request("GET", "/", &[]);
    *connect.method_mut() = Method::CONNECT;
    *connect.uri_mut() = Uri::try_from(format!("{NAME}:443")).unwrap();
    let (answer, mut sending) = client.open(connect, false).await;
    let _ = sending.send_data(Bytes::from_static(b"tunnel"), true);
    assert_own(
        &crate::streaming::http2::whole(answer).await,
        405,
        "CONNECT",
    );
    assert!(origin.bytes().is_empty());
    until("every refusal is counted", || {
        stage.metric("obo_denied_total", &["ambiguous_path"]) == 3
    })
    .await;
}

#[tokio::test]
async fn sound_heads_of_http_2_pass() {
    let origin = Origin::start().await;
    let stage = Stage::before(&origin.url()).await;
    let client = stage.h2_client().await;
    for (method, fields, body) in [
        ("GET", &[][..], ""),
        ("PROPFIND", &[], ""),
        ("M-SEARCH", &[], ""),
        ("POST", &[("content-length", "3")], "abc"),
        ("POST", &[("content-length", "0")], ""),
        ("POST", &[("expect", "100-Continue")], "abc"),
        (
            "POST",
            &[("x_gw_subject", "MARKER"), ("content_length", "MARKER")],
            "abc",
        ),
        (
            "POST",
            &[("x-goog-unknown", "MARKER"), ("x-envoy-unknown", "MARKER")],
            "abc",
        ),
    ] {
        origin.forget();
        let answer = client.ask(request(method, "/status", fields), body.as_bytes());
        assert_eq!(answer.await.status, 200, "{method} {fields:?}");
        let request = origin.request();
        assert_eq!(
            (request.method(), &request.body[..]),
            (method, body.as_bytes())
        );
        let text = String::from_utf8(origin.bytes()).unwrap();
        assert!(!text.contains("MARKER"), "{text}");
    }
}
