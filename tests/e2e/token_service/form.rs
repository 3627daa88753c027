//! The form of a request, which is checked before the client is authenticated.

use super::{FORM, PATH, SECRET, Service, assert_invalid, post, told};
use crate::e2e::support::{Ask, Client};

fn body(text: impl Into<Vec<u8>>) -> Ask {
    Ask::post(PATH, text).field("Content-Type", FORM)
}

#[tokio::test]
async fn a_body_that_is_no_form_with_each_parameter_once_is_refused() {
    let service = Service::start().await;
    let many = "a=1&".repeat(65);
    for text in [
        &b"grant_type=a&grant_type=b"[..],
        b"grant_type=a&grant%5Ftype=a",
        b"unknown=1&unknown=1",
        b"grant_type=%",
        b"grant_type=%ZZ",
        b"grant_type=%FF",
        b"\xff\xfe=1",
        many.as_bytes(),
    ] {
        assert_invalid(&service.lab.ask(body(text)).await);
    }
    for media_type in [
        "application/json",
        "multipart/form-data; boundary=x",
        "text/plain",
        "",
    ] {
        let ask = Ask::post(PATH, "client_id=public").field("Content-Type", media_type);
        assert_invalid(&service.lab.ask(ask).await);
    }
    assert_invalid(&service.lab.ask(Ask::post(PATH, "client_id=public")).await);
    let labels = ["route=\"none\"", "reason=\"malformed_form\""];
    service.lab.counts("obo_denied_total", &labels, 13).await;
}

#[tokio::test]
async fn a_grant_type_is_needed_and_an_empty_one_is_none() {
    let service = Service::start().await;
    assert_invalid(&service.lab.ask(body("client_id=public")).await);
    assert_invalid(&service.lab.ask(body("client_id=public&grant_type=")).await);
    let ask = body("client_id=public&grant_type=&&grant_type=password&").field("x", "y");
    let answer = service.lab.ask(ask).await;
    assert_eq!(told(&answer), (400, "unsupported_grant_type".to_owned()));
}

#[tokio::test]
async fn credentials_in_the_query_are_refused() {
    let service = Service::start().await;
    let mut ask = post(&[]);
    ask.target = format!("{PATH}?client_id=post&client_secret={SECRET}").replace([' ', '%'], "+");
    let answer = service.lab.ask(ask).await;
    assert_invalid(&answer);
    let log = std::fs::read_to_string(service.lab.file("access.jsonl")).unwrap_or_default();
    assert!(!log.contains("secret"));
}

#[tokio::test]
async fn what_a_client_adds_to_the_url_is_ignored_unless_it_belongs_in_the_body() {
    let service = Service::start().await;
    let asked = async |query: &str| {
        let mut ask = post(&[("client_id", "post"), ("client_secret", SECRET)]);
        ask.target = format!("{PATH}?{query}");
        service.lab.ask(ask).await
    };
    for query in [
        "client-request-id=5f1c3f0e-6f5b-4b0e-9b1a-1f1f1f1f1f1f",
        "x=1&x=2&y",
        "scope=",
        "",
        "api-version=1.0&Client_Id=other",
    ] {
        let answer = asked(query).await;
        assert_eq!(
            told(&answer),
            (400, "unsupported_grant_type".to_owned()),
            "{query}"
        );
    }
    for query in [
        "client_id=post",
        "client-request-id=1&grant_type=password",
        "cl%69ent_secret=x",
        "subject_token=a",
        "scope=openid",
        "resource=https://a.example",
        "token=a",
        "password=a",
        "x=%zz",
    ] {
        assert_invalid(&asked(query).await);
    }
}

#[tokio::test]
async fn other_methods_are_told_which_there_are() {
    let service = Service::start().await;
    for (method, path, allow) in [
        ("GET", PATH, "POST"),
        ("PUT", PATH, "POST"),
        ("OPTIONS", PATH, "POST"),
        ("DELETE", "/oauth/v2/authorize", "GET, HEAD, POST"),
    ] {
        let answer = service
            .lab
            .ask(Ask::new(method, path).field("Origin", "https://a.example"))
            .await;
        assert_eq!(
            (answer.status(), answer.field("allow")),
            (405, Some(allow)),
            "{method} {path}"
        );
        assert!(answer.field("access-control-allow-origin").is_none());
    }
}

#[tokio::test]
async fn there_is_no_sign_in() {
    let service = Service::start().await;
    let query =
        "/oauth/v2/authorize?response_type=code&client_id=public&redirect_uri=https://evil.example";
    for ask in [
        Ask::get(query),
        Ask::post("/oauth/v2/authorize", "response_type=code"),
    ] {
        let answer = service.lab.ask(ask).await;
        assert_eq!(told(&answer), (400, "unsupported_response_type".to_owned()));
        assert!(answer.field("location").is_none());
    }
}

#[tokio::test]
async fn a_body_that_is_too_long_is_not_read_and_the_connection_ends() {
    let service = Service::start().await;
    let announced = format!(
        "POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Type: {FORM}\r\nContent-Length: 65537\r\n\r\n"
    );
    let part = "a".repeat(60_000);
    let chunked = format!(
        "POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Type: {FORM}\r\nTransfer-Encoding: chunked\r\n\r\n\
         ea60\r\n{part}\r\nea60\r\n{part}\r\n"
    );
    for request in [announced, chunked] {
        let mut client = Client::connect(service.lab.address()).await;
        client.send(request.as_bytes()).await;
        let answer = client
            .answer(crate::e2e::support::wire::Kind::Response)
            .await
            .unwrap();
        assert_eq!(told(&answer), (413, "invalid_request".to_owned()));
        assert!(client.ends().await);
    }
    let labels = ["route=\"none\"", "reason=\"body_refused\""];
    service.lab.counts("obo_denied_total", &labels, 2).await;
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_given_up_after_ten_seconds() {
    let service = Service::start().await;
    let mut client = Client::connect(service.lab.address()).await;
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Type: {FORM}\r\nContent-Length: 9\r\n\r\nclient"
    );
    client.send(head.as_bytes()).await;
    let answer = client
        .answer(crate::e2e::support::wire::Kind::Response)
        .await
        .unwrap();
    assert_eq!(told(&answer), (408, "invalid_request".to_owned()));
    assert!(client.ends().await);
}

#[tokio::test]
async fn a_client_that_waits_for_leave_to_send_gets_it_and_the_connection_is_kept() {
    let service = Service::start().await;
    let mut client = Client::connect(service.lab.address()).await;
    let body = "grant_type=password&client_id=public";
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Type: {FORM}\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        body.len()
    );
    for _ in 0..2 {
        client.send(head.as_bytes()).await;
        client.until_received(b"100 Continue\r\n\r\n").await;
        client.send(body.as_bytes()).await;
        let answer = client
            .answer(crate::e2e::support::wire::Kind::Response)
            .await
            .unwrap();
        assert_eq!(told(&answer), (400, "unsupported_grant_type".to_owned()));
    }
}
