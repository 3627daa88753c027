//! HTTP/2 streams end with their credentials, independently of each other.

use crate::streaming::{
    authority::Authority,
    http2::{H2Origin, part, read},
    stage::{NAME, Stage},
    support::{Ask, Client, Origin, PATIENCE, Reply, until},
};
use bytes::Bytes;
use h2::{Reason, RecvStream};
use http::{HeaderMap, Request, Response};
use obo_gateway::clock::{Clock, SystemClock};
use serde_json::json;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{Instant, timeout},
};

const ROUTES: &str = r"
  - name: orders
    match: { prefix: /orders }
    upstream: { targets: [ { url: ORIGIN } ], timeouts: { response: 300ms, idle: 60s } }
    exchange: { audience: orders-api, scope: { allow: [orders.read] } }
store: { embedded: { path: store } }
";

const CALLS: &str = r"
  - name: calls
    match: { prefix: /calls }
    upstream: { targets: [ { url: ORIGIN } ], http2: true, tls: { ca: ca.pem }, timeouts: { response: 300ms, idle: 60s } }
    exchange: { audience: orders-api, scope: { allow: [orders.read] } }
store: { embedded: { path: store } }
";

const EVENTS: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n";

fn token_of(stage: &Stage, sub: &str) -> String {
    let changes = json!({"sub": sub});
    let claims = stage.idp.claims(SystemClock.now().as_secs(), changes);
    stage.idp.signer().sign(&claims)
}

async fn revoke(stage: &Stage, sub: &str) {
    let asked = json!({"subject": {"issuer": stage.idp.issuer(), "sub": sub}});
    let admin = stage.gateway.admin_address();
    let ask = Ask::post("/revocations", asked.to_string())
        .host(&admin.to_string())
        .field("Content-Type", "application/json");
    let answer = Client::connect(admin).await.ask(&ask).await.unwrap();
    assert_eq!(answer.status(), 200);
}

/// Waits for the reset of a stream, within a second.
async fn is_reset(body: &mut RecvStream) {
    let since = Instant::now();
    let end = timeout(PATIENCE, body.data()).await.expect("it goes on");
    let error = end.expect("it ended as if whole").unwrap_err();
    assert_eq!(error.reason(), Some(Reason::CANCEL), "{error}");
    assert!(since.elapsed() <= Duration::from_secs(1));
}

/// What the upstream sends on each path; the test provides it.
type Told = Arc<Mutex<HashMap<String, UnboundedSender<Vec<u8>>>>>;

async fn told() -> (Origin, Told) {
    let origin = Origin::start().await;
    let told = Told::default();
    let senders = Arc::clone(&told);
    origin.answers(move |request| {
        let path = request.start.split(' ').nth(1).unwrap().to_owned();
        let (sender, receiver) = unbounded_channel();
        let _ = sender.send(EVENTS.to_vec());
        senders.lock().unwrap().insert(path, sender);
        Reply::Stream(receiver)
    });
    (origin, told)
}

#[tokio::test]
async fn a_revoked_users_stream_is_reset_and_anothers_on_the_same_connection_goes_on() {
    let (origin, told) = told().await;
    let stage = Stage::with(Authority::new(), ROUTES, &origin.url()).await;
    let client = stage.h2_client().await;
    let mut bodies = Vec::new();
    for sub in ["alice", "bob"] {
        let path = format!("/orders/{sub}");
        let mut request = client.request("GET", &path, &token_of(&stage, sub));
        let accept = "application/json, text/event-stream".parse().unwrap();
        request.headers_mut().insert("accept", accept);
        let (answer, _) = client.open(request, true).await;
        let answer = timeout(PATIENCE, answer).await.unwrap().unwrap();
        let mut body = answer.into_body();
        assert_eq!(part(&mut body).await.unwrap(), "first");
        bodies.push(body);
    }
    let [alice, bob] = bodies.as_mut_slice() else {
        panic!("two were opened")
    };
    revoke(&stage, "alice").await;
    is_reset(alice).await;
    let bobs = told.lock().unwrap()["/orders/bob"].clone();
    bobs.send(b"6\r\nsecond\r\n".to_vec()).unwrap();
    assert_eq!(part(bob).await.unwrap(), "second");
    until("the end is counted", || {
        stage.metric("obo_requests_total", &["outcome=\"ended\""]) == 1
            && stage.metric("obo_denied_total", &["reason=\"token_revoked\""]) == 1
    })
    .await;
    // the log line of a stream that pingora did not end itself is complete
    until("the log has its line", || {
        stage.access_log().lines().any(|line| {
            line.contains(r#""outcome":"ended""#)
                && line.contains(r#""reason":"token_revoked""#)
                && line.contains(r#""path":"/orders/alice""#)
                && line.contains("\"status\":200")
        })
    })
    .await;
    // the stream to the upstream is reset
    let alices = told.lock().unwrap()["/orders/alice"].clone();
    until("the upstream's connection ends", || {
        alices.send(b"4\r\nmore\r\n".to_vec()).is_err()
    })
    .await;
    bobs.send(b"0\r\n\r\n".to_vec()).unwrap();
    assert_eq!(read(bob).await.0, b"");
}

#[tokio::test]
async fn a_response_that_has_not_begun_is_reset_when_its_token_is_revoked() {
    let origin = Origin::start().await;
    origin.answers(|_| Reply::Hang);
    let routes = ROUTES.replace("response: 300ms", "response: 50s");
    let stage = Stage::with(Authority::new(), &routes, &origin.url()).await;
    let client = stage.h2_client().await;
    let request = client.request("GET", "/orders/1", &token_of(&stage, "alice"));
    let (answer, _) = client.open(request, true).await;
    until("the request arrives", || origin.requests().len() == 1).await;
    revoke(&stage, "alice").await;
    let error = timeout(PATIENCE, answer).await.unwrap().unwrap_err();
    assert_eq!(error.reason(), Some(Reason::CANCEL), "{error}");
    let bobs = client.request("GET", "/orders/2", &token_of(&stage, "bob"));
    origin.always(crate::streaming::support::answer("200 OK", &[], "hello"));
    assert_eq!(client.ask(bobs, b"").await.body, b"hello");
}

/// The path of a call, and the channel for its messages.
type Call = (String, UnboundedSender<Bytes>);

/// An upstream of gRPC calls. It gives channels to the test and sends what comes through them.
async fn calls() -> (Stage, H2Origin, UnboundedReceiver<Call>) {
    let authority = Authority::new();
    let (begun, calls) = unbounded_channel();
    let acceptor = authority.server(NAME, &["h2"]);
    let origin = H2Origin::start(acceptor, move |request: Request<_>, mut respond| {
        let begun = begun.clone();
        async move {
            let (sender, mut messages) = unbounded_channel::<Bytes>();
            let _ = begun.send((request.uri().path().to_owned(), sender));
            let _request: Request<RecvStream> = request;
            // like gRPC servers: the head is sent with the first message
            let Some(first) = messages.recv().await else {
                return;
            };
            let head = Response::builder().header("content-type", "application/grpc");
            let head = head.body(()).unwrap();
            let mut sending = respond.send_response(head, false).unwrap();
            sending.send_data(first, false).unwrap();
            while let Some(message) = messages.recv().await {
                if sending.send_data(message, false).is_err() {
                    return;
                }
            }
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", "0".parse().unwrap());
            sending.send_trailers(trailers).unwrap();
        }
    })
    .await;
    let url = format!("https://{NAME}:{}", origin.port());
    let stage = Stage::with(authority, CALLS, &url).await;
    (stage, origin, calls)
}

#[tokio::test]
async fn a_call_of_grpc_may_be_silent_before_and_between_its_messages_and_ends_with_its_token() {
    let (stage, _origin, mut calls) = calls().await;
    let client = stage.h2_client().await;
    let token = token_of(&stage, "alice");
    let call = |number: u32| {
        let mut request = client.request("POST", &format!("/calls/{number}"), &token);
        let fields = request.headers_mut();
        fields.insert("content-type", "application/grpc+proto".parse().unwrap());
        fields.insert("te", "trailers".parse().unwrap());
        request
    };
    // a request that is not a call exceeds the timeout `response`
    let hang = async || {
        let plain = client.request("GET", "/calls/hangs", &token);
        assert_eq!(client.ask(plain, b"").await.status, 504);
    };
    let (answer, mut asking) = client.open(call(1), false).await;
    asking.send_data(Bytes::from("ask"), true).unwrap();
    let (path, call_messages) = timeout(PATIENCE, calls.recv()).await.unwrap().unwrap();
    assert_eq!(path, "/calls/1");
    hang().await;
    hang().await;
    call_messages.send(Bytes::from("one")).unwrap();
    let answer = timeout(PATIENCE, answer).await.unwrap().unwrap();
    let mut body = answer.into_body();
    assert_eq!(part(&mut body).await.unwrap(), "one");
    hang().await;
    call_messages.send(Bytes::from("two")).unwrap();
    assert_eq!(part(&mut body).await.unwrap(), "two");
    revoke(&stage, "alice").await;
    is_reset(&mut body).await;
    until("the upstream's stream is reset", || {
        call_messages.send(Bytes::from("three")).is_err()
    })
    .await;
}
