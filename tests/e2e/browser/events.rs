//! Event streams, which last longer than ordinary responses.

use crate::e2e::support::{Ask, Client, Lab, PATIENCE, Reply, Setup, wire::Kind};
use obo_gateway::clock::{Clock, ManualClock, SystemClock};
use reqwest::{Certificate, Version};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::mpsc::{UnboundedSender, unbounded_channel},
    time::timeout,
};

const ROUTES: &str = r"
  - name: events
    match: { prefix: /events }
    upstream: { targets: [ { url: ORIGIN } ] }
    exchange: { audience: events-api, scope: { allow: [orders.read] }, token: { lifetime: 4s } }
";

const HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const EVENT: &[u8] = b"9\r\ndata: 1\n\n\r\n";

/// Makes the upstream send the data that is sent into the channel.
fn stream(lab: &Lab) -> UnboundedSender<Vec<u8>> {
    let (parts, receiver) = unbounded_channel();
    let receiver = Mutex::new(Some(receiver));
    lab.origin
        .answers(move |_| Reply::Stream(receiver.lock().unwrap().take().unwrap()));
    parts.send(HEAD.to_vec()).unwrap();
    parts.send(EVENT.to_vec()).unwrap();
    parts
}

fn ask(token: &str) -> Ask {
    Ask::get("/events")
        .bearer(token)
        .field("Accept", "text/event-stream")
}

#[tokio::test]
async fn a_quiet_stream_ends_when_its_token_does() {
    let lab = Lab::routes(ROUTES).await;
    let _parts = stream(&lab);
    let mut client = Client::connect(lab.address()).await;
    client.send(&ask(&lab.token()).bytes()).await;
    client.until_received(b"data: 1").await;
    let answer = client.answer(Kind::Response).await.unwrap();
    assert!(!answer.complete, "a cut stream does not look whole");
    lab.counts("obo_requests_total", &["events", "ended"], 1)
        .await;
    lab.counts("obo_denied_total", &["events", "token_expired"], 1)
        .await;
}

#[tokio::test]
async fn over_http_2_no_event_passes_after_the_token_has_ended_and_other_streams_go_on() {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    std::fs::write(&certificate, own.cert.pem()).unwrap();
    std::fs::write(&key, own.signing_key.serialize_pem()).unwrap();
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let lab = Lab::with(Setup {
        routes: ROUTES.to_owned(),
        listener: format!(
            "tls: {{ certificate: {}, private_key: {} }}",
            certificate.display(),
            key.display()
        ),
        clock: clock.clone(),
        ..Setup::default()
    })
    .await;
    let client = reqwest::Client::builder()
        .tls_certs_only([Certificate::from_pem(own.cert.pem().as_bytes()).unwrap()])
        .no_proxy()
        .resolve("localhost", lab.address())
        .timeout(PATIENCE)
        .build()
        .unwrap();
    let url = format!("https://localhost:{}/events", lab.address().port());
    let get = || client.get(&url).bearer_auth(lab.token());

    let parts = stream(&lab);
    let mut events = get()
        .header("accept", "text/event-stream")
        .send()
        .await
        .unwrap();
    assert_eq!(events.version(), Version::HTTP_2);
    assert_eq!(events.chunk().await.unwrap().unwrap(), "data: 1\n\n");
    clock.advance(Duration::from_secs(4));
    parts.send(EVENT.to_vec()).unwrap();
    let end = timeout(PATIENCE, events.chunk()).await.expect("it goes on");
    assert!(end.is_err(), "{end:?}");

    lab.origin
        .always(crate::e2e::support::answer("200 OK", &[], "on"));
    let answer = get().send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "on");
    lab.counts("obo_requests_total", &["events", "forwarded"], 1)
        .await;
    lab.counts("obo_requests_total", &["events", "ended"], 1)
        .await;
}
