//! The log line when an upstream fails: certificates and timeouts.

use super::{Does, Running, serve, text};
use crate::e2e::support::{Ask, Client};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use serde_json::Value;
use std::{net::SocketAddr, sync::Arc};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    time::{Duration, timeout},
};
use tokio_rustls::TlsAcceptor;

/// Returns the lines of the gateway's log and of the access log about one failed request.
async fn failing(upstream: &str, files: &[(&str, String)]) -> (Value, Value, u16) {
    let running = Running::before(upstream, files);
    let mut client = Client::connect(running.process.address).await;
    let answer = client.ask(&Ask::get("/orders/7?secret=1")).await;
    let line = running.line("the upstream failed").await;
    let access = running.access(1).await.remove(0);
    for (name, value) in [("level", "WARN"), ("route", "orders")] {
        assert_eq!(text(&line, name), value, "{line}");
    }
    assert_eq!(line["request_id"], access["request_id"]);
    assert_eq!(line["error"], access["upstream_error"], "{line} {access}");
    assert_eq!(access["outcome"], "upstream_failed", "{access}");
    assert_eq!(line["left_out"], 0);
    assert!(!line.to_string().contains("secret"), "{line}");
    (line, access, answer.map_or(0, |answer| answer.status()))
}

#[tokio::test]
async fn a_certificate_that_is_not_acceptable_is_told_with_why_dates_and_names() {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params.clone(), KeyPair::generate().unwrap()).unwrap();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "another");
    let other = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let (past, early, late) = (
        date_time_ymd(2020, 1, 1),
        date_time_ymd(2021, 2, 3),
        date_time_ymd(2090, 1, 1),
    );
    let cases: [(&str, _, _, &str, &[&str]); 4] = [
        (
            "api.internal",
            past,
            early,
            "certificate expired",
            &["2021-02-03T00:00:00Z"],
        ),
        (
            "api.internal",
            late,
            date_time_ymd(2095, 1, 1),
            "certificate not yet valid",
            &["2090-01-01T00:00:00Z"],
        ),
        (
            "other.internal",
            past,
            late,
            "certificate name mismatch",
            &["api.internal", "other.internal"],
        ),
        (
            "api.internal",
            past,
            late,
            "certificate unknown issuer",
            &[],
        ),
    ];
    for (name, from, until, cause, details) in cases {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        (params.not_before, params.not_after) = (from, until);
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &ca).unwrap();
        let address = serve_tls(&leaf.pem(), &key.serialize_pem()).await;
        let trusted = match cause {
            "certificate unknown issuer" => other.pem(),
            _ => ca.pem(),
        };
        let upstream = format!(
            r#"targets: [ {{ url: "https://{address}" }} ], tls: {{ ca: ca.pem, server_name: api.internal }}"#
        );
        let (line, access, status) = failing(&upstream, &[("ca.pem", trusted)]).await;
        assert_eq!(text(&line, "error"), cause, "{line}");
        for detail in details {
            assert!(text(&line, "detail").contains(detail), "{detail}: {line}");
        }
        assert_eq!(text(&line, "target_address"), address.to_string());
        assert_eq!(text(&line, "target_name"), "api.internal");
        assert_eq!(
            (status, text(&access, "reason")),
            (502, "upstream_unreachable")
        );
    }
}

async fn serve_tls(certificate: &str, key: &str) -> SocketAddr {
    crate::e2e::support::install_crypto();
    let chain = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![chain], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = acceptor.accept(stream).await;
        }
    });
    address
}

const TIMEOUTS: &str = "timeouts: { connect: 1s, response: 1s, idle: 1s }";

fn waited(address: SocketAddr) -> String {
    format!(r#"targets: [ {{ url: "http://{address}" }} ], {TIMEOUTS}"#)
}

#[tokio::test]
async fn a_timeout_says_what_was_waited_for() {
    let silent = serve(|_| Does::SaysAndWaits(String::new())).await;
    let half = serve(|_| Does::SaysAndWaits("HTTP/1.1 200 OK\r\nX-Begun: 1\r\n".to_owned())).await;
    let drips = serve(|_| Does::Drips(format!("HTTP/1.1 200 OK\r\nX: {}", "a".repeat(200)))).await;
    for address in [silent, half, drips] {
        let (line, access, status) = failing(&waited(address), &[]).await;
        assert_eq!(text(&line, "error"), "timed out reading the response head");
        assert_eq!(text(&line, "target_address"), address.to_string());
        assert_eq!((status, text(&access, "reason")), (504, "upstream_timeout"));
    }

    let plain = "Content-Type: text/plain\r\nContent-Length: 9";
    let stream = "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked";
    for (fields, body) in [(plain, "half"), (stream, "5\r\nhello\r\n")] {
        let head = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n{body}");
        let address = serve(move |_| Does::SaysAndWaits(head.clone())).await;
        let (line, access, _) = failing(&waited(address), &[]).await;
        assert_eq!(text(&line, "error"), "timed out reading the response body");
        assert_eq!(text(&access, "reason"), "upstream_timeout");
        assert_eq!(access["status"], 200);
    }
}

#[tokio::test]
async fn a_connection_that_never_stands_is_told_apart_from_a_handshake_that_never_ends() {
    // its queue is full: the system does not respond to further connection attempts
    let full = TcpSocket::new_v4().unwrap();
    full.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = full.listen(1).unwrap();
    let address = full.local_addr().unwrap();
    let mut queued = Vec::new();
    let within = Duration::from_millis(300);
    while let Ok(stream) = timeout(within, TcpStream::connect(address)).await {
        queued.push(stream.unwrap());
    }
    let (line, access, status) = failing(&waited(address), &[]).await;
    assert_eq!(text(&line, "error"), "timed out connecting");
    assert_eq!(text(&line, "target_address"), address.to_string());
    assert_eq!((status, text(&access, "reason")), (504, "upstream_timeout"));

    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let upstream = waited(address).replace("http:", "https:");
    let (line, access, status) = failing(&upstream, &[]).await;
    assert_eq!(text(&line, "error"), "timed out in the TLS handshake");
    assert_eq!((status, text(&access, "reason")), (504, "upstream_timeout"));
}

#[tokio::test]
async fn an_upstream_that_refuses_or_closes_is_told_with_its_address_and_the_systems_word() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    let (line, access, status) = failing(&waited(address), &[]).await;
    assert_eq!(text(&line, "error"), "connection refused");
    assert_eq!(text(&line, "target_address"), address.to_string());
    assert_eq!(
        (status, text(&access, "reason")),
        (502, "upstream_unreachable")
    );

    let closes = serve(|_| Does::Says(String::new())).await;
    let (line, _, status) = failing(&waited(closes), &[]).await;
    assert_eq!(
        text(&line, "error"),
        "connection closed before the response head"
    );
    assert_eq!(status, 502);

    let cut =
        serve(|_| Does::Says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".into())).await;
    let (line, _, _) = failing(&waited(cut), &[]).await;
    assert_eq!(
        text(&line, "error"),
        "connection closed within the response body"
    );
}
