//! Bodies of requests and responses.

use crate::e2e::support::{Answer, Ask, Client, Lab, Reply, answer, until, wire::Kind};
use std::sync::Mutex;
use tokio::sync::mpsc;

#[tokio::test]
async fn the_answer_to_head_has_no_body() {
    let lab = Lab::start().await;
    lab.origin
        .always(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nX-A: b\r\n\r\n".to_vec());
    let mut client = Client::connect(lab.address()).await;
    let ask = Ask::new("HEAD", "/orders/1").bearer(&lab.token());
    let answer = client.ask(&ask).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.field("content-length"), Some("1234"));
    // the connection is still in sync
    assert_eq!(client.ask(&ask).await.unwrap().field("x-a"), Some("b"));

    let refused = client.ask(&Ask::new("HEAD", "/orders/1")).await.unwrap();
    assert_eq!((refused.status(), refused.body.len()), (401, 0));
    assert_eq!(client.ask(&ask).await.unwrap().status(), 200);
}

#[tokio::test]
async fn large_bodies_pass_both_ways() {
    let lab = Lab::start().await;
    lab.origin.answers(|request| {
        let text = String::from_utf8(request.body.clone()).unwrap();
        Reply::Send(answer("200 OK", &[], &text))
    });
    let body = "0123456789abcdef".repeat(300_000);
    let answer = ask_while_reading(
        &lab,
        Ask::post("/orders", body.as_str()).bearer(&lab.token()),
    )
    .await;
    assert_eq!(answer.status(), 200);
    assert!(answer.complete && answer.body == body.as_bytes());
}

/// If both sides only wrote, client and gateway would wait for each other.
async fn ask_while_reading(lab: &Lab, ask: Ask) -> Answer {
    lab.ask(ask).await
}

#[tokio::test]
async fn a_request_body_is_forwarded_before_it_ends() {
    let lab = Lab::start().await;
    let mut client = Client::connect(lab.address()).await;
    let head = Ask::new("POST", "/orders")
        .bearer(&lab.token())
        .field("Transfer-Encoding", "chunked");
    client.send(&head.bytes()).await;
    client.send(b"5\r\nfirst\r\n").await;
    until("the first part arrives", || {
        String::from_utf8_lossy(&lab.origin.bytes()).contains("first")
    })
    .await;
    assert!(lab.origin.requests().is_empty());
    client.send(b"6\r\nsecond\r\n0\r\n\r\n").await;
    assert_eq!(client.answer(Kind::Response).await.unwrap().status(), 200);
    assert_eq!(lab.origin.request().body, b"firstsecond");
}

#[tokio::test]
async fn an_answers_body_is_forwarded_before_it_ends() {
    let lab = Lab::start().await;
    let (parts, receiver) = mpsc::unbounded_channel();
    let receiver = Mutex::new(Some(receiver));
    lab.origin
        .answers(move |_| Reply::Stream(receiver.lock().unwrap().take().unwrap()));
    let mut client = Client::connect(lab.address()).await;
    let ask = Ask::get("/orders/1").bearer(&lab.token());
    client.send(&ask.bytes()).await;
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n";
    parts.send(head.to_vec()).unwrap();
    client.until_received(b"first").await;
    parts.send(b"6\r\nsecond\r\n0\r\n\r\n".to_vec()).unwrap();
    drop(parts);
    let answer = client.answer(Kind::Response).await.unwrap();
    assert_eq!(
        (answer.status(), answer.body.as_slice()),
        (200, b"firstsecond".as_slice())
    );
}

#[tokio::test]
async fn a_refused_upload_is_answered_and_never_reaches_the_downstream() {
    let lab = Lab::start().await;
    let ask = Ask::post("/orders", vec![b'x'; 300 << 10]).field("Authorization", "Bearer a.b.c");
    let answer = lab.ask(ask).await;
    super::assert_own(&answer, 401, "invalid_token", &[]);
    super::assert_untouched(&lab);
}
