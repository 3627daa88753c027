//! Draining of the edge.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use obo_gateway::edge::{ConnectionEvent, Http2};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::edge::fixture::{Cleartext, Client, Fixture, LIMITS, Tls};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_under_a_stream_of_requests_loses_none_and_ends_before_its_grace() {
    let mut edge = Fixture::start(LIMITS, Cleartext).await;
    let streams =
        (0..8).map(|_| tokio::spawn(stream_of_requests(edge.address, Arc::clone(&edge.answered))));
    let streams: Vec<_> = streams.collect();
    edge.until_answered(500).await;
    let began = Instant::now();
    let drained = edge
        .edge
        .take()
        .unwrap()
        .drain(Duration::from_millis(50), Duration::from_secs(20))
        .await;
    assert_eq!(drained.remaining, 0);
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    for stream in streams {
        assert_eq!(stream.await.unwrap(), Ok(()));
    }
    assert_eq!(
        edge.count(ConnectionEvent::Accepted),
        edge.count(ConnectionEvent::Closed)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_of_http2_streams_loses_none() {
    let mut edge = Fixture::start(LIMITS, Tls).await;
    let mut streams = Vec::new();
    for _ in 0..4 {
        let (client, url, answered) = (
            edge.https(Http2::Offered),
            edge.url("/"),
            Arc::clone(&edge.answered),
        );
        streams.push(tokio::spawn(async move {
            loop {
                match client.get(&url).send().await {
                    Ok(answer) => assert_eq!(answer.status(), http::StatusCode::OK),
                    Err(error) if error.is_connect() => return,
                    Err(error) => panic!("lost: {error:?}"),
                }
                answered.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    edge.until_answered(100).await;
    let drained = edge
        .edge
        .take()
        .unwrap()
        .drain(Duration::ZERO, Duration::from_secs(20))
        .await;
    assert_eq!(drained.remaining, 0);
    for stream in streams {
        stream.await.unwrap();
    }
}

#[tokio::test]
async fn a_request_in_flight_is_answered_during_the_drain_and_its_connection_closed() {
    let mut edge = Fixture::start(LIMITS, Cleartext).await;
    let mut client = Client::connect(edge.address).await;
    client.send("/held").await;
    edge.until_held().await;
    let drain = tokio::spawn(
        edge.edge
            .take()
            .unwrap()
            .drain(Duration::ZERO, Duration::from_secs(20)),
    );
    edge.until_refused().await;
    edge.release.send_replace(true);
    assert!(client.answer().await.unwrap().contains("200 OK"));
    assert!(client.answer().await.is_none());
    assert_eq!(drain.await.unwrap().remaining, 0);
}

#[tokio::test]
async fn a_connection_that_had_sent_nothing_yet_is_served_during_the_drain() {
    let mut edge = Fixture::start(LIMITS, Cleartext).await;
    let mut client = Client::connect(edge.address).await;
    edge.until(ConnectionEvent::Accepted, 1).await;
    let drain = tokio::spawn(
        edge.edge
            .take()
            .unwrap()
            .drain(Duration::ZERO, Duration::from_secs(20)),
    );
    edge.until_refused().await;
    let answer = client.request("/").await.unwrap();
    assert!(
        answer.to_lowercase().contains("connection: close"),
        "{answer}"
    );
    assert_eq!(drain.await.unwrap().remaining, 0);
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_the_drain() {
    let mut edge = Fixture::start(LIMITS, Cleartext).await;
    let mut client = Client::connect(edge.address).await;
    client.request("/").await.unwrap();
    let grace = Duration::from_secs(20);
    let drained = timeout(
        Duration::from_secs(5),
        edge.edge.take().unwrap().drain(Duration::ZERO, grace),
    )
    .await;
    assert_eq!(drained.unwrap().remaining, 0);
    assert!(client.answer().await.is_none());
}

#[tokio::test]
async fn a_stuck_request_is_cut_at_the_grace() {
    let mut edge = Fixture::start(LIMITS, Cleartext).await;
    let mut client = Client::connect(edge.address).await;
    client.send("/held").await;
    edge.until_held().await;
    let began = Instant::now();
    let drained = edge
        .edge
        .take()
        .unwrap()
        .drain(Duration::ZERO, Duration::from_millis(200))
        .await;
    assert_eq!(drained.remaining, 1);
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(client.answer().await.is_none());
}

/// Sends requests one after the other, on new connections after `Connection: close`, until the listener is closed.
async fn stream_of_requests(
    address: SocketAddr,
    answered: Arc<AtomicUsize>,
) -> std::result::Result<(), String> {
    loop {
        let Ok(stream) = TcpStream::connect(address).await else {
            return Ok(());
        };
        let mut client = Client { stream };
        loop {
            let Some(answer) = client.request("/").await else {
                return Err(format!(
                    "lost after {} responses",
                    answered.load(Ordering::Relaxed)
                ));
            };
            answered.fetch_add(1, Ordering::Relaxed);
            if answer.to_lowercase().contains("connection: close") {
                break;
            }
        }
    }
}
