//! Many concurrent requests on one HTTP/2 connection.

use crate::streaming::{
    http2::part,
    stage::Stage,
    support::{Origin, Reply, answer, until},
};
use bytes::Bytes;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};
use tokio::{sync::mpsc, task::JoinSet};

const STREAMS: usize = 500;

/// An API with a different response for each request.
async fn echo() -> Origin {
    let origin = Origin::start().await;
    origin.answers(|request| {
        let body = String::from_utf8_lossy(&request.body);
        let text = format!("{} {} {body}", request.method(), request.target());
        Reply::Send(answer("200 OK", &[], &text))
    });
    origin
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_requests_on_one_connection_each_get_their_own_answer() {
    let origin = echo().await;
    let stage = Stage::before(&origin.url()).await;
    let client = Arc::new(stage.h2_client().await);
    let token = stage.token();
    let mut asking = JoinSet::new();
    for id in 0..STREAMS {
        let (client, token) = (Arc::clone(&client), token.clone());
        asking.spawn(async move {
            let path = format!("/orders/{id}");
            let (method, body) = match id % 2 {
                0 => ("GET", String::new()),
                _ => ("POST", format!("body-{id}").repeat(id)),
            };
            let request = client.request(method, &path, &token);
            let answer = client.ask(request, body.as_bytes()).await;
            assert_eq!(answer.status, 200);
            let text = String::from_utf8(answer.body).unwrap();
            assert_eq!(text, format!("{method} {path} {body}"));
        });
    }
    asking.join_all().await;
    let accepted = stage.metric("obo_connection_events_total", &["event=\"accepted\""]);
    assert_eq!(accepted, 1);
    assert_eq!(
        stage.metric("obo_exchange_total", &["outcome=\"issued\""]),
        1
    );
}

#[tokio::test]
async fn the_gateway_says_how_many_streams_it_serves_at_a_time_and_keeps_to_it() {
    let origin = Origin::start().await;
    origin.answers(|_| Reply::Hang);
    let stage = Stage::before(&origin.url()).await;
    let client = stage.h2_client().await;
    let token = stage.token();
    let limit = client.stream_limit().await;
    assert_eq!(limit, 100);
    let mut open = Vec::new();
    for id in 0..limit {
        let request = client.request("GET", &format!("/orders/{id}"), &token);
        open.push(client.open(request, true).await);
    }
    until("all of them are served", || {
        origin.requests().len() == limit
    })
    .await;
}

#[tokio::test]
async fn a_refused_or_cancelled_stream_does_not_disturb_its_neighbour() {
    let origin = Origin::start().await;
    let (parts, receiver) = mpsc::unbounded_channel();
    let receiver = Mutex::new(Some(receiver));
    origin.answers(move |_| match receiver.lock().unwrap().take() {
        Some(receiver) => Reply::Stream(receiver),
        None => Reply::Hang,
    });
    let stage = Stage::before(&origin.url()).await;
    let client = stage.h2_client().await;
    let token = stage.token();

    let (answer, _) = client
        .open(client.request("GET", "/orders/long", &token), true)
        .await;
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nfirst".to_vec();
    parts.send(head).unwrap();
    let mut body = answer.await.unwrap().into_body();
    assert_eq!(part(&mut body).await.unwrap(), Bytes::from("first"));

    let refused = client
        .ask(client.request("GET", "/orders/1", "a.b.c"), b"")
        .await;
    assert_eq!(refused.status, 401);
    let (cancelled, mut sending) = client
        .open(client.request("POST", "/orders/2", &token), false)
        .await;
    sending.send_data(Bytes::from("never ends"), false).unwrap();
    until("the second request is on its way", || {
        origin.bytes().ends_with(b"never ends\r\n")
    })
    .await;
    sending.send_reset(h2::Reason::CANCEL);
    drop(cancelled);
    until("the gateway lets go of it", || {
        stage.metric("obo_requests_total", &["outcome=\"client_gone\""]) == 1
    })
    .await;

    parts.send(b"second".to_vec()).unwrap();
    assert_eq!(part(&mut body).await.unwrap(), Bytes::from("second"));
    assert!(part(&mut body).await.is_none());
}

#[tokio::test]
async fn streams_of_different_tokens_on_one_connection_do_not_mix() {
    let origin = Origin::start().await;
    origin.answers(|request| {
        let token = request.bearer().unwrap().to_owned();
        Reply::Send(answer("200 OK", &[], token.split('.').nth(2).unwrap()))
    });
    let stage = Stage::before(&origin.url()).await;
    let client = Arc::new(stage.h2_client().await);
    let mut asking = JoinSet::new();
    for user in 0..20 {
        let token = stage.token();
        for _ in 0..5 {
            let (client, token) = (Arc::clone(&client), token.clone());
            asking.spawn(async move {
                let request = client.request("GET", "/orders/1", &token);
                (user, client.ask(request, b"").await.body)
            });
        }
    }
    let seen: BTreeSet<_> = asking.join_all().await.into_iter().collect();
    let signatures: BTreeSet<_> = seen.iter().map(|(_, signature)| signature).collect();
    assert_eq!((seen.len(), signatures.len()), (20, 20));
}
