//! An edge in front of a small API, and clients that see every byte.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use obo_gateway::edge::{
    self, ConnectionEvent, ConnectionObserver, Edge, EdgeLimits, Http2, Listener, ThreadCount,
    TlsTerms,
};
use pingora::Result;
use pingora::modules::http::HttpModules;
use pingora::prelude::{HttpPeer, ProxyHttp, Session};
use pingora::server::configuration::ServerConf;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{interval, timeout};

pub struct Client {
    pub stream: TcpStream,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        Self {
            stream: TcpStream::connect(address).await.unwrap(),
        }
    }

    pub async fn send(&mut self, path: &str) {
        // A refused connection may be closed already; then there is no response.
        let _ = self
            .stream
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes())
            .await;
    }

    pub async fn request(&mut self, path: &str) -> Option<String> {
        self.send(path).await;
        self.answer().await
    }

    /// Returns the head and five bytes of body, or `None` if the connection ends first.
    pub async fn answer(&mut self) -> Option<String> {
        timeout(PATIENCE, read_message(&mut self.stream, 5))
            .await
            .expect("neither a response nor a close")
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

pub enum Transport {
    Cleartext,
    Tls,
}
pub use Transport::{Cleartext, Tls};

pub struct Fixture {
    pub edge: Option<Edge>,
    pub address: SocketAddr,
    events: Arc<Events>,
    pub release: watch::Sender<bool>,
    held: Arc<AtomicBool>,
    pub answered: Arc<AtomicUsize>,
    certificate: Option<Vec<u8>>,
    _files: tempfile::TempDir,
}

impl Fixture {
    pub async fn start(limits: EdgeLimits, transport: Transport) -> Self {
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
                    Some(TlsTerms::read(&chain, &key, Http2::Offered, None).unwrap()),
                    Some(own.cert.pem().into_bytes()),
                )
            }
        };
        let (release, released) = watch::channel(false);
        let held = Arc::new(AtomicBool::new(false));
        let origin = origin(released, Arc::clone(&held)).await;
        let conf = Arc::new(ServerConf::default());
        let app = edge::app(&conf, Forward { origin });
        let events = Arc::new(Events::default());
        let edge = Edge::start(
            limits,
            ThreadCount::Exactly(NonZeroUsize::new(2).unwrap()),
            events.clone(),
        )
        .unwrap();
        let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0)), tls).unwrap();
        edge.serve(listener, app).unwrap();
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

    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    pub fn https(&self, http2: Http2) -> reqwest::Client {
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

    pub fn count(&self, event: ConnectionEvent) -> usize {
        self.events
            .0
            .lock()
            .unwrap()
            .get(&event)
            .copied()
            .unwrap_or_default()
    }

    pub async fn until(&self, event: ConnectionEvent, times: usize) {
        poll(|| std::future::ready(self.count(event) >= times)).await;
    }

    pub async fn until_held(&self) {
        poll(|| std::future::ready(self.held.load(Ordering::Acquire))).await;
    }

    pub async fn until_answered(&self, times: usize) {
        poll(|| std::future::ready(self.answered.load(Ordering::Relaxed) >= times)).await;
    }

    pub async fn until_refused(&self) {
        poll(|| async { TcpStream::connect(self.address).await.is_err() }).await;
    }
}

/// Waits for the condition, at most for `PATIENCE`.
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

    async fn request_filter(&self, session: &mut Session, (): &mut Self::CTX) -> Result<bool> {
        let refused = edge::refusal().is_some();
        if refused {
            session.respond_error(400).await?;
        }
        Ok(refused)
    }

    async fn upstream_peer(&self, _: &mut Session, (): &mut Self::CTX) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.origin, false, String::new())))
    }
}

/// Responds with the length of the request's body in five digits; to `/held` only after the test releases it.
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

pub const PATIENCE: Duration = Duration::from_secs(20);

pub const LIMITS: EdgeLimits = EdgeLimits {
    head_bytes: 136 * 1024,
    header_timeout: Duration::from_secs(10),
    connections: 1_000,
    connections_per_address: 1_000,
};
