//! The edge over real sockets on loopback: what it forwards, what it cuts, what it refuses, and how it ends.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use obo_gateway::proxy::edge::{
    ConnectionEvent, ConnectionObserver, Edge, EdgeLimits, Http2, Listener, ThreadCount, TlsTerms,
};
use pingora::Result;
use pingora::apps::HttpServerOptions;
use pingora::modules::http::HttpModules;
use pingora::prelude::{HttpPeer, ProxyHttp, Session};
use pingora::proxy::{HttpProxy, http_proxy};
use pingora::server::configuration::ServerConf;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, interval, timeout};

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
async fn a_head_over_the_cap_is_cut_and_one_under_it_is_served() {
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

/// Sends requests one after the other, on new connections after `Connection: close`, until nobody listens any more.
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
                    "lost after {} answers",
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

struct Client {
    stream: TcpStream,
}

impl Client {
    async fn connect(address: SocketAddr) -> Self {
        Self {
            stream: TcpStream::connect(address).await.unwrap(),
        }
    }

    async fn send(&mut self, path: &str) {
        // A refused connection may be gone already; the missing answer tells.
        let _ = self
            .stream
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes())
            .await;
    }

    async fn request(&mut self, path: &str) -> Option<String> {
        self.send(path).await;
        self.answer().await
    }

    /// Head and five bytes of body, or none if the connection ends first.
    async fn answer(&mut self) -> Option<String> {
        timeout(PATIENCE, read_message(&mut self.stream, 5))
            .await
            .expect("neither an answer nor a close")
    }
}

async fn read_message(stream: &mut TcpStream, body: usize) -> Option<String> {
    let mut message = Vec::new();
    loop {
        let head = message.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        if head.is_some_and(|end| message.len() >= end + 4 + body) {
            return String::from_utf8(message).ok();
        }
        match stream.read_buf(&mut message).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => return None,
        }
    }
}

enum Transport {
    Cleartext,
    Tls,
}
use Transport::{Cleartext, Tls};

struct Fixture {
    edge: Option<Edge>,
    address: SocketAddr,
    events: Arc<Events>,
    release: watch::Sender<bool>,
    held: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    certificate: Option<Vec<u8>>,
    _files: tempfile::TempDir,
}

impl Fixture {
    async fn start(limits: EdgeLimits, transport: Transport) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let files = tempfile::tempdir().unwrap();
        let (tls, certificate) = match transport {
            Cleartext => (None, None),
            Tls => {
                let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
                let write = |name: &str, text: String| -> PathBuf {
                    let path = files.path().join(name);
                    std::fs::write(&path, text).unwrap();
                    path
                };
                let (chain, key) = (
                    write("cert.pem", own.cert.pem()),
                    write("key.pem", own.signing_key.serialize_pem()),
                );
                (
                    Some(TlsTerms::read(&chain, &key, Http2::Offered).unwrap()),
                    Some(own.cert.pem().into_bytes()),
                )
            }
        };
        let (release, released) = watch::channel(false);
        let held = Arc::new(AtomicBool::new(false));
        let origin = origin(released, Arc::clone(&held)).await;
        let conf = Arc::new(ServerConf::default());
        let mut proxy: HttpProxy<Forward> = http_proxy(&conf, Forward { origin });
        proxy.server_options = Some(HttpServerOptions::default());
        let events = Arc::new(Events::default());
        let edge = Edge::start(
            limits,
            ThreadCount::Exactly(NonZeroUsize::new(2).unwrap()),
            events.clone(),
        )
        .unwrap();
        let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0)), tls).unwrap();
        edge.serve(listener, Arc::new(proxy)).unwrap();
        let address = edge.addresses()[0];
        let answered = Arc::default();
        Self {
            edge: Some(edge),
            address,
            events,
            release,
            held,
            answered,
            certificate,
            _files: files,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    fn https(&self, http2: Http2) -> reqwest::Client {
        let root = reqwest::Certificate::from_pem(self.certificate.as_ref().unwrap()).unwrap();
        let builder = reqwest::Client::builder()
            .tls_certs_only([root])
            .no_proxy()
            .timeout(PATIENCE);
        let builder = builder.resolve("localhost", self.address);
        match http2 {
            Http2::Offered => builder,
            Http2::Off => builder.http1_only(),
        }
        .build()
        .unwrap()
    }

    fn count(&self, event: ConnectionEvent) -> usize {
        self.events
            .0
            .lock()
            .unwrap()
            .get(&event)
            .copied()
            .unwrap_or_default()
    }

    async fn until(&self, event: ConnectionEvent, times: usize) {
        poll(|| std::future::ready(self.count(event) >= times)).await;
    }

    async fn until_held(&self) {
        poll(|| std::future::ready(self.held.load(Ordering::Acquire))).await;
    }

    async fn until_answered(&self, times: usize) {
        poll(|| std::future::ready(self.answered.load(Ordering::Relaxed) >= times)).await;
    }

    async fn until_refused(&self) {
        poll(|| async { TcpStream::connect(self.address).await.is_err() }).await;
    }
}

/// Asks until it is so, at most for `PATIENCE`.
async fn poll<F: Future<Output = bool>>(mut condition: impl FnMut() -> F) {
    let mut ticks = interval(Duration::from_millis(5));
    timeout(PATIENCE, async {
        while !condition().await {
            ticks.tick().await;
        }
    })
    .await
    .expect("the condition never came true");
}

#[derive(Default)]
struct Events(Mutex<HashMap<ConnectionEvent, usize>>);

impl ConnectionObserver for Events {
    fn observe(&self, event: ConnectionEvent) {
        *self.0.lock().unwrap().entry(event).or_default() += 1;
    }
}

struct Forward {
    origin: SocketAddr,
}

#[async_trait]
impl ProxyHttp for Forward {
    type CTX = ();

    fn new_ctx(&self) -> Self::CTX {}

    fn init_downstream_modules(&self, _: &mut HttpModules) {}

    async fn upstream_peer(&self, _: &mut Session, (): &mut Self::CTX) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.origin, false, String::new())))
    }
}

/// Answers with the length of the request's body in five digits; `/held` only once released.
async fn origin(released: watch::Receiver<bool>, held: Arc<AtomicBool>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer_requests(stream, released.clone(), Arc::clone(&held)));
        }
    });
    address
}

async fn answer_requests(
    mut stream: TcpStream,
    mut released: watch::Receiver<bool>,
    held: Arc<AtomicBool>,
) {
    while let Some(message) = read_message(&mut stream, 0).await {
        let (head, begun) = message.split_once("\r\n\r\n").unwrap();
        let length = head.lines().find_map(|line| {
            line.to_lowercase()
                .strip_prefix("content-length: ")?
                .parse()
                .ok()
        });
        let length: usize = length.unwrap_or(0);
        let mut rest = vec![0; length - begun.len()];
        stream.read_exact(&mut rest).await.unwrap();
        if head.starts_with("GET /held") {
            held.store(true, Ordering::Release);
            released.wait_for(|released| *released).await.unwrap();
        }
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{length:05}");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(20);

const LIMITS: EdgeLimits = EdgeLimits {
    head_bytes: 136 * 1024,
    header_timeout: Duration::from_secs(10),
    connections: 1_000,
    connections_per_address: 1_000,
};
