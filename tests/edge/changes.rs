//! Changes of a running edge.

use std::net::SocketAddr;

use obo_gateway::edge::{EdgeLimits, Http2, TlsTerms};

use crate::edge::fixture::{Cleartext, Client, Fixture, LIMITS, Tls};

#[tokio::test]
async fn a_connection_is_held_to_the_limits_of_its_moment() {
    let edge = Fixture::start(LIMITS, Cleartext).await;
    let mut before = Client::connect(edge.address).await;
    assert!(before.request("/").await.is_some());
    edge.edge.as_ref().unwrap().limit(EdgeLimits {
        connections: 1,
        ..LIMITS
    });
    assert!(
        Client::connect(edge.address)
            .await
            .request("/")
            .await
            .is_none()
    );
    assert!(
        before.request("/").await.is_some(),
        "an open connection was cut"
    );
    edge.edge.as_ref().unwrap().limit(LIMITS);
    assert!(
        Client::connect(edge.address)
            .await
            .request("/")
            .await
            .is_some()
    );
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_connections_while_the_others_go_on() {
    let edge = Fixture::start(LIMITS, Tls).await;
    let client = edge.https(Http2::Off);
    let get = async |client: &reqwest::Client| client.get(edge.url("/")).send().await;
    assert!(get(&client).await.is_ok());
    let folder = tempfile::tempdir().unwrap();
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (chain, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
    std::fs::write(&chain, own.cert.pem()).unwrap();
    std::fs::write(&key, own.signing_key.serialize_pem()).unwrap();
    let terms = TlsTerms::read(&chain, &key, Http2::Off, None).unwrap();
    edge.edge
        .as_ref()
        .unwrap()
        .secure(edge.address, Some(terms));
    assert!(get(&client).await.is_ok(), "the open connection is used");
    let error = get(&edge.https(Http2::Off)).await.unwrap_err();
    assert!(
        error.is_connect(),
        "the earlier certificate was shown: {error:?}"
    );
    let root = reqwest::Certificate::from_pem(own.cert.pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder()
        .tls_certs_only([root])
        .no_proxy()
        .resolve("localhost", edge.address)
        .build()
        .unwrap();
    assert!(get(&client).await.is_ok());
}

#[tokio::test]
async fn a_listener_that_is_stopped_closes_and_leaves_the_edge_running() {
    let edge = Fixture::start(LIMITS, Cleartext).await;
    let mut idle = Client::connect(edge.address).await;
    assert!(idle.request("/").await.is_some());
    let stopped = edge.edge.as_ref().unwrap();
    stopped.stop(edge.address).await;
    assert!(idle.answer().await.is_none(), "an idle connection stays");
    assert!(tokio::net::TcpStream::connect(edge.address).await.is_err());
    assert_eq!(stopped.addresses(), Vec::<SocketAddr>::new());
}
