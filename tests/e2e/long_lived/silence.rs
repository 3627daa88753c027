//! How long a response may be silent: `idle` for streams, `response` for all others.

use super::{EVENTS, ROUTES, SWITCH, Told, chunk, handshake};
use crate::e2e::support::{Ask, Client, Lab, Reply, wire::Kind};
use std::time::Duration;
use tokio::{net::TcpListener, time::timeout};

/// Waits until the timeout `response` of a request that starts now has passed.
async fn until_response_is_over(lab: &Lab, told: &Told, token: &str) {
    let mut hanging = Client::connect(lab.address()).await;
    let ask = Ask::get("/orders/hangs").bearer(token);
    let answer = hanging.ask(&ask).await.unwrap();
    assert_eq!(answer.status(), 504);
    told.arrived("/orders/hangs").await;
}

#[tokio::test]
async fn a_stream_may_be_silent_whoever_says_that_it_is_one() {
    let lab = Lab::routes(ROUTES).await;
    let told = Told::by(&lab);
    let token = lab.token();
    let typed = |content_type: &str| EVENTS.replace("text/event-stream", content_type);
    let accepts: [(&[&str], String); 14] = [
        (&["text/event-stream"], typed("text/event-stream")),
        (&["application/json, text/event-stream"], EVENTS.to_owned()),
        (&["TEXT/EVENT-STREAM;q=0.9 , */*;q=0.1"], EVENTS.to_owned()),
        (
            &["application/json", "text/event-stream"],
            EVENTS.to_owned(),
        ),
        (&[], EVENTS.to_owned()),
        (&["*/*"], EVENTS.to_owned()),
        (&["application/json"], EVENTS.to_owned()),
        (&["text/event-stream;q=0"], EVENTS.to_owned()),
        (&["*/*"], typed("Text/Event-Stream; charset=utf-8")),
        (&["*/*"], typed("application/x-ndjson")),
        (&["*/*"], typed("application/stream+json")),
        (&["*/*"], typed("application/json-seq")),
        (&["*/*"], typed("multipart/x-mixed-replace;boundary=b")),
        (&["*/*"], typed("application/grpc-web+proto")),
    ];
    let mut open = Vec::new();
    for (number, (accept, head)) in accepts.iter().enumerate() {
        let path = format!("/orders/{number}");
        let mut ask = Ask::get(&path).bearer(&token);
        for value in *accept {
            ask = ask.field("Accept", value);
        }
        open.push((told.open(lab.address(), ask, head).await, path, accept));
    }
    until_response_is_over(&lab, &told, &token).await;
    until_response_is_over(&lab, &told, &token).await;
    for (client, path, _) in &mut open {
        told.says(path, &chunk("second"));
        client.until_received(b"second").await;
    }
}

#[tokio::test]
async fn a_response_that_is_no_stream_is_cut_when_it_is_silent_for_longer_than_response() {
    let lab = Lab::routes(ROUTES).await;
    let told = Told::by(&lab);
    let token = lab.token();
    for (number, content_type) in ["application/json", "text/plain; x=text/event-stream", ""]
        .iter()
        .enumerate()
    {
        let path = format!("/orders/{number}");
        let head = EVENTS.replace("text/event-stream", content_type);
        let ask = Ask::get(&path).bearer(&token).field("Accept", "*/*");
        // the head is sent when the body begins
        let begin = format!("{head}{}", chunk("first"));
        let mut client = told.open(lab.address(), ask, &begin).await;
        client.until_received(b"first").await;
        assert!(!client.rest().await.ends_with(b"0\r\n\r\n"));
        lab.counts(
            "obo_denied_total",
            &["reason=\"upstream_timeout\""],
            number + 1,
        )
        .await;
    }
}

#[tokio::test]
async fn a_head_has_to_come_within_response_where_no_stream_was_asked_for() {
    let lab = Lab::routes(ROUTES).await;
    lab.origin.answers(|_| Reply::Hang);
    let token = lab.token();
    for accept in ["*/*", "application/json", "text/event-stream;q=0", "text/*"] {
        let ask = Ask::get("/orders/1").bearer(&token).field("Accept", accept);
        assert_eq!(lab.ask(ask).await.status(), 504, "{accept}");
    }
}

#[tokio::test]
async fn a_tunnel_is_cut_when_its_upstream_is_silent_for_longer_than_idle_whatever_the_client_says()
{
    let lab = Lab::routes(&ROUTES.replace("idle: 60s", "idle: 900ms")).await;
    let told = Told::by(&lab);
    let ask = handshake("/orders/live").bearer(&lab.token());
    let mut client = told.open(lab.address(), ask, SWITCH).await;
    client.send(b"said").await;
    client.rest().await;
    lab.counts("obo_denied_total", &["reason=\"upstream_timeout\""], 1)
        .await;
}

#[tokio::test]
async fn an_upstream_that_does_not_read_an_upload_is_given_up_after_response() {
    // the system accepts the connection, and no program reads from it
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", upstream.local_addr().unwrap());
    let lab = Lab::routes(&ROUTES.replacen("ORIGIN", &address, 1)).await;
    let mut client = Client::connect(lab.address()).await;
    let ask = Ask::new("PUT", "/orders/1").bearer(&lab.token());
    let head = String::from_utf8(ask.bytes()).unwrap();
    let length = "Content-Length: 1000000000\r\n\r\n";
    client
        .send(
            head.replacen("\r\n\r\n", &format!("\r\n{length}"), 1)
                .as_bytes(),
        )
        .await;
    let piece = vec![0; 1 << 20];
    // as much as fits into the buffers on the way
    while timeout(Duration::from_millis(200), client.send(&piece))
        .await
        .is_ok()
    {}
    let answer = client.answer(Kind::Response).await.unwrap();
    assert_eq!(answer.status(), 504);
}
