//! Server-sent events: the API writes the next one only after the previous one has reached the client.

use crate::streaming::{
    authority::Authority,
    http2::{part, read},
    stage::Stage,
    support::{Ask, Client, Origin, PATIENCE, Reply, wire::Kind},
};
use std::sync::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc::{UnboundedSender, unbounded_channel},
    time::timeout,
};

const EVENTS: usize = 50;
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\n";

/// An API that sends what the test provides.
async fn told() -> (Origin, UnboundedSender<Vec<u8>>) {
    let origin = Origin::start().await;
    let (events, receiver) = unbounded_channel();
    let receiver = Mutex::new(Some(receiver));
    origin.answers(move |_| Reply::Stream(receiver.lock().unwrap().take().unwrap()));
    (origin, events)
}

fn event(id: usize) -> String {
    format!("id: {id}\ndata: tick\n\n")
}

fn chunk(text: &str) -> Vec<u8> {
    format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
}

#[tokio::test]
async fn each_event_reaches_a_client_of_http_1_before_the_next_is_written() {
    let (origin, events) = told().await;
    let stage = Stage::before(&origin.url()).await;
    let mut client: Client = stage.client().await;
    let ask = Ask::get("/orders/events")
        .field("Accept", "text/event-stream")
        .bearer(&stage.token());
    client.send(&ask.bytes()).await;
    events.send(HEAD.to_vec()).unwrap();
    for id in 0..EVENTS {
        events.send(chunk(&event(id))).unwrap();
        client.until_received(event(id).as_bytes()).await;
    }
    events.send(b"0\r\n\r\n".to_vec()).unwrap();
    drop(events);
    let answer = client.answer(Kind::Response).await.unwrap();
    let expected: String = (0..EVENTS).map(event).collect();
    assert_eq!(answer.body, expected.as_bytes());
    assert_eq!(answer.field("content-type"), Some("text/event-stream"));
}

#[tokio::test]
async fn each_event_reaches_a_client_of_http_2_before_the_next_is_written() {
    let (origin, events) = told().await;
    let stage = Stage::before(&origin.url()).await;
    let client = stage.h2_client().await;
    let mut request = client.request("GET", "/orders/events", &stage.token());
    let wanted = "text/event-stream".parse().unwrap();
    request.headers_mut().insert("accept", wanted);
    let (answer, _) = client.open(request, true).await;
    events.send(HEAD.to_vec()).unwrap();
    let answer = timeout(PATIENCE, answer).await.unwrap().unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut body = answer.into_body();
    for id in 0..EVENTS {
        events.send(chunk(&event(id))).unwrap();
        let mut received = Vec::new();
        while received.len() < event(id).len() {
            let part = timeout(PATIENCE, part(&mut body)).await.unwrap();
            received.extend_from_slice(&part.unwrap());
        }
        assert_eq!(received, event(id).into_bytes());
    }
    events.send(b"0\r\n\r\n".to_vec()).unwrap();
    assert_eq!(read(&mut body).await.0, b"");
}

#[tokio::test]
async fn an_event_stream_may_be_quiet_for_longer_than_a_head_may_take() {
    let origin = Origin::start().await;
    let (events, receiver) = unbounded_channel();
    let receiver = Mutex::new(Some(receiver));
    origin.answers(move |_| match receiver.lock().unwrap().take() {
        Some(receiver) => Reply::Stream(receiver),
        None => Reply::Hang,
    });
    let stage = Stage::with(Authority::new(), IMPATIENT, &origin.url()).await;
    let token = stage.token();
    let mut client = stage.client().await;
    let ask = Ask::get("/orders/events")
        .field("Accept", "text/event-stream")
        .bearer(&token);
    client.send(&ask.bytes()).await;
    events.send(HEAD.to_vec()).unwrap();
    events.send(chunk(&event(0))).unwrap();
    client.until_received(event(0).as_bytes()).await;

    // a request that started later exceeds its timeout first
    let hanging = Ask::get("/orders/1").bearer(&token);
    let answer = stage.client().await.ask(&hanging).await.unwrap();
    assert_eq!(answer.status(), 504);

    events.send(chunk(&event(1))).unwrap();
    client.until_received(event(1).as_bytes()).await;
}

/// A response head must arrive within 300 ms.
const IMPATIENT: &str = r"
  - name: orders
    match: { prefix: /orders }
    upstream: { targets: [ { url: ORIGIN } ], timeouts: { response: 300ms, idle: 60s } }
    exchange: { audience: orders-api, scope: { allow: [orders.read] } }
";

#[tokio::test]
async fn a_client_that_leaves_a_quiet_event_stream_ends_it_at_the_downstream_too() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stage = Stage::before(&format!("http://{}", listener.local_addr().unwrap())).await;
    let mut client = stage.client().await;
    let ask = Ask::get("/orders/events").bearer(&stage.token());
    client.send(&ask.bytes()).await;
    let (mut api, _) = listener.accept().await.unwrap();
    let first = [HEAD, &chunk(&event(0))].concat();
    api.write_all(&first).await.unwrap();
    client.until_received(event(0).as_bytes()).await;
    drop(client);
    let mut request = Vec::new();
    let ended = timeout(PATIENCE, api.read_to_end(&mut request)).await;
    // a reset ends it as well
    let _ = ended.expect("the upstream still streams after the client has left");
}
