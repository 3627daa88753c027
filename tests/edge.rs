//! The edge over real sockets on loopback: what it forwards, closes and refuses, and how it drains.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

mod changes;
mod drain;
mod fixture;

use std::net::SocketAddr;
use std::time::Duration;

use obo_gateway::edge::{ConnectionEvent, EdgeLimits, Http2};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::time::{Instant, interval};

use crate::edge::fixture::{Cleartext, Client, Fixture, LIMITS, Tls};

#[tokio::test]
async fn cleartext_http1_is_forwarded_on_a_kept_alive_connection() {
    let edge = Fixture::start(LIMITS, Cleartext).await;
    let mut client = Client::connect(edge.address).await;
    for _ in 0..3 {
        assert!(client.request("/").await.unwrap().contains("200 OK"));
    }
    assert_eq!(edge.count(ConnectionEvent::Accepted), 1);
}

#[tokio::test]
async fn a_request_with_a_body_is_forwarded_whatever_its_size() {
    let edge = Fixture::start(
        EdgeLimits {
            head_bytes: 512,
            ..LIMITS
        },
        Cleartext,
    )
    .await;
    let mut client = Client::connect(edge.address).await;
    for size in [1, 600, 90_000] {
        let body = "\r\n\r\n".repeat(size / 4 + 1);
        let head = format!(
            "POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        client.stream.write_all(head.as_bytes()).await.unwrap();
        client.stream.write_all(body.as_bytes()).await.unwrap();
        let answer = client.answer().await.unwrap();
        assert!(answer.ends_with(&format!("{:05}", body.len())), "{answer}");
    }
}

#[tokio::test]
async fn tls_serves_http2_to_who_offers_it_and_http1_to_the_others() {
    let edge = Fixture::start(LIMITS, Tls).await;
    for (client, version) in [
        (edge.https(Http2::Offered), http::Version::HTTP_2),
        (edge.https(Http2::Off), http::Version::HTTP_11),
    ] {
        for _ in 0..2 {
            let answer = client.get(edge.url("/")).send().await.unwrap();
            assert_eq!(
                (answer.status(), answer.version()),
                (http::StatusCode::OK, version)
            );
            assert_eq!(answer.text().await.unwrap(), "00000");
        }
    }
}

#[tokio::test]
async fn a_head_dripped_byte_by_byte_is_cut_at_the_header_timeout() {
    let edge = Fixture::start(
        EdgeLimits {
            header_timeout: Duration::from_millis(300),
            ..LIMITS
        },
        Cleartext,
    )
    .await;
    let mut client = Client::connect(edge.address).await;
    let began = Instant::now();
    let mut ticks = interval(Duration::from_millis(20));
    let (mut reader, mut writer) = client.stream.split();
    let drip = async {
        for byte in b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: "
            .iter()
            .chain([b'x'; 9_999].iter())
        {
            ticks.tick().await;
            if writer.write_all(&[*byte]).await.is_err() {
                break;
            }
        }
    };
    let mut byte = [0];
    tokio::select! {
        read = reader.read(&mut byte) => assert!(!matches!(read, Ok(1..))),
        () = drip => {}
    }
    let lived = began.elapsed();
    assert!(
        lived > Duration::from_millis(250) && lived < Duration::from_secs(2),
        "{lived:?}"
    );
    edge.until(ConnectionEvent::HeadTimeout, 1).await;
    edge.until(ConnectionEvent::Closed, 1).await;
}

#[tokio::test]
async fn a_head_over_the_cap_is_refused_and_one_under_it_is_served() {
    let edge = Fixture::start(
        EdgeLimits {
            head_bytes: 2_000,
            ..LIMITS
        },
        Cleartext,
    )
    .await;
    let head = |filler: usize| {
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
            "x".repeat(filler)
        )
    };
    let mut client = Client::connect(edge.address).await;
    client
        .stream
        .write_all(head(1_900).as_bytes())
        .await
        .unwrap();
    assert!(client.answer().await.unwrap().contains("200 OK"));
    client
        .stream
        .write_all(head(2_000).as_bytes())
        .await
        .unwrap();
    assert!(client.answer().await.is_none());
    assert_eq!(edge.count(ConnectionEvent::HeadTooLarge), 1);
}

#[tokio::test]
async fn a_tls_handshake_that_never_comes_is_cut_at_the_header_timeout() {
    let edge = Fixture::start(
        EdgeLimits {
            header_timeout: Duration::from_millis(300),
            ..LIMITS
        },
        Tls,
    )
    .await;
    let mut client = Client::connect(edge.address).await;
    assert!(client.answer().await.is_none());
    edge.until(ConnectionEvent::HeadTimeout, 1).await;
    let mut client = Client::connect(edge.address).await;
    client
        .stream
        .write_all(b"GET / HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    edge.until(ConnectionEvent::HandshakeFailed, 1).await;
    edge.until(ConnectionEvent::Closed, 2).await;
}

#[tokio::test]
async fn the_twenty_first_connection_of_twenty_is_refused_without_hurting_the_others() {
    let edge = Fixture::start(
        EdgeLimits {
            connections: 20,
            ..LIMITS
        },
        Cleartext,
    )
    .await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = Client::connect(edge.address).await;
        assert!(client.request("/").await.is_some());
        clients.push(client);
    }
    assert!(
        Client::connect(edge.address)
            .await
            .request("/")
            .await
            .is_none()
    );
    assert_eq!(edge.count(ConnectionEvent::RefusedTotal), 1);
    for client in &mut clients {
        assert!(client.request("/").await.is_some());
    }
    drop(clients.pop());
    edge.until(ConnectionEvent::Closed, 1).await;
    assert!(
        Client::connect(edge.address)
            .await
            .request("/")
            .await
            .is_some()
    );
}

#[tokio::test]
async fn an_address_at_its_limit_leaves_room_for_another() {
    let edge = Fixture::start(
        EdgeLimits {
            connections_per_address: 2,
            ..LIMITS
        },
        Cleartext,
    )
    .await;
    let mut first = Client::connect(edge.address).await;
    let mut second = Client::connect(edge.address).await;
    assert!(first.request("/").await.is_some() && second.request("/").await.is_some());
    assert!(
        Client::connect(edge.address)
            .await
            .request("/")
            .await
            .is_none()
    );
    assert_eq!(edge.count(ConnectionEvent::RefusedAddress), 1);
    let elsewhere = TcpSocket::new_v4().unwrap();
    elsewhere
        .bind(SocketAddr::from(([127, 0, 0, 2], 0)))
        .unwrap();
    let mut other = Client {
        stream: elsewhere.connect(edge.address).await.unwrap(),
    };
    assert!(other.request("/").await.is_some());
}
