//! `Expect: 100-continue` (RFC 9110 §10.1.1): the upstream decides whether it wants the body, and the gateway refuses a request
//! before its body is sent.

use crate::streaming::{
    stage::Stage,
    support::{
        Ask, Client, Origin, PATIENCE,
        wire::{Kind, find},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

const BODY: &[u8] = b"0123456789";

fn head(token: &str) -> Vec<u8> {
    let mut ask = Ask::post("/orders", BODY)
        .field("Expect", "100-continue")
        .bearer(token)
        .bytes();
    ask.truncate(ask.len() - BODY.len());
    ask
}

/// Reads until `end` was read; returns everything that was read.
async fn until_read(stream: &mut TcpStream, end: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let reading = async {
        while find(&bytes, end).is_none() {
            assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0);
        }
    };
    timeout(PATIENCE, reading).await.expect("it never came");
    bytes
}

#[tokio::test]
async fn the_body_is_sent_when_the_downstream_asks_for_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stage = Stage::before(&format!("http://{}", listener.local_addr().unwrap())).await;
    let mut client = stage.client().await;
    client.send(&head(&stage.token())).await;

    let (mut api, _) = listener.accept().await.unwrap();
    let request = until_read(&mut api, b"\r\n\r\n").await;
    let text = String::from_utf8(request).unwrap().to_lowercase();
    assert!(text.contains("\r\nexpect: 100-continue\r\n"), "{text}");
    assert!(text.ends_with("\r\n\r\n"), "no body yet: {text}");

    api.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
        .await
        .unwrap();
    client.until_received(b"HTTP/1.1 100 Continue\r\n").await;
    client.send(BODY).await;
    until_read(&mut api, BODY).await;
    api.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
        .await
        .unwrap();
    client.until_received(b"done").await;
}

#[tokio::test]
async fn a_downstream_that_does_not_want_the_body_answers_without_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stage = Stage::before(&format!("http://{}", listener.local_addr().unwrap())).await;
    let mut client = stage.client().await;
    client.send(&head(&stage.token())).await;

    let (mut api, _) = listener.accept().await.unwrap();
    until_read(&mut api, b"\r\n\r\n").await;
    api.write_all(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 4\r\n\r\nnone")
        .await
        .unwrap();
    let answer = client.answer(Kind::Response).await;
    let answer = answer.unwrap();
    assert_eq!((answer.status(), answer.body), (417, b"none".to_vec()));
}

#[tokio::test]
async fn a_bad_token_is_refused_before_the_body_is_asked_for() {
    let origin = Origin::start().await;
    let stage = Stage::before(&origin.url()).await;
    let mut client: Client = stage.client().await;
    client.send(&head("a.b.c")).await;
    let mut received = Vec::new();
    let reading = async {
        while find(&received, b"\r\n\r\n").is_none() {
            assert_ne!(client.stream.read_buf(&mut received).await.unwrap(), 0);
        }
    };
    timeout(PATIENCE, reading).await.expect("no response");
    // the first line: there was no earlier response
    assert!(received.starts_with(b"HTTP/1.1 401 "));
    assert!(origin.bytes().is_empty());
}

#[tokio::test]
async fn a_body_that_comes_after_the_refusal_is_not_taken_for_a_request() {
    let origin = Origin::start().await;
    let stage = Stage::before(&origin.url()).await;
    let mut client = stage.client().await;
    let smuggled = Ask::get("/status/smuggled").bytes();
    let ask = Ask::post("/orders", smuggled)
        .field("Expect", "100-continue")
        .bearer("a.b.c");
    let answer = client.ask(&ask).await.unwrap();
    assert_eq!(answer.status(), 401);
    // if the connection is kept, the bytes were read as the body of the first request
    let again = client.ask(&Ask::get("/status/own")).await;
    assert!(again.is_none_or(|answer| answer.status() == 200));
    let targets: Vec<_> = origin
        .requests()
        .iter()
        .map(|request| request.target().to_owned())
        .collect();
    assert!(
        targets.iter().all(|target| target == "/status/own"),
        "{targets:?}"
    );
}
