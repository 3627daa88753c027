//! HTTP/2 with control over every frame: a client, and an API.

use crate::streaming::{
    authority::Authority,
    stage::NAME,
    support::{PATIENCE, until},
};
use bytes::Bytes;
use h2::{
    RecvStream, SendStream,
    client::{ResponseFuture, SendRequest},
    server::SendResponse,
};
use http::{HeaderMap, Request, Response};
use rustls_pki_types::ServerName;
use std::{
    future::poll_fn,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

/// One connection of a client.
pub struct H2Client {
    requests: SendRequest<Bytes>,
    driving: JoinHandle<()>,
    address: SocketAddr,
}

/// A complete response.
#[derive(Debug)]
pub struct H2Answer {
    pub status: u16,
    pub body: Vec<u8>,
    pub trailers: Option<HeaderMap>,
}

impl H2Client {
    pub async fn connect(address: SocketAddr, authority: &Authority) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let name = ServerName::try_from(NAME).unwrap();
        let stream = authority.client("h2").connect(name, stream).await.unwrap();
        // like browsers: a stream that is not read leaves window space for the others
        let (requests, connection) = h2::client::Builder::new()
            .initial_connection_window_size(1 << 20)
            .handshake(stream)
            .await
            .unwrap();
        let driving = tokio::spawn(async move {
            // an error of the connection is visible in its streams
            let _ = connection.await;
        });
        let client = Self {
            requests,
            driving,
            address,
        };
        // until the settings arrive the client knows no limit, and streams above the gateway's limit would be refused
        client.stream_limit().await;
        client
    }

    /// Waits for the gateway's settings; returns the maximum number of concurrent streams.
    pub async fn stream_limit(&self) -> usize {
        let said = || self.requests.current_max_send_streams();
        until("the settings are here", || said() < usize::MAX).await;
        said()
    }

    pub fn request(&self, method: &str, path: &str, token: &str) -> Request<()> {
        Request::builder()
            .method(method)
            .uri(format!("https://{NAME}:{}{path}", self.address.port()))
            .header("authorization", format!("Bearer {token}"))
            .body(())
            .unwrap()
    }

    /// Opens a stream, as soon as the gateway's limit permits it.
    pub async fn open(
        &self,
        request: Request<()>,
        ends: bool,
    ) -> (ResponseFuture, SendStream<Bytes>) {
        let opening = async {
            let mut requests = self.requests.clone().ready().await.unwrap();
            requests.send_request(request, ends).unwrap()
        };
        timeout(PATIENCE, opening).await.expect("no stream is free")
    }

    /// Sends a request with this body and reads the whole response.
    pub async fn ask(&self, request: Request<()>, body: &[u8]) -> H2Answer {
        let (answer, mut sending) = self.open(request, body.is_empty()).await;
        if !body.is_empty() {
            sending
                .send_data(Bytes::copy_from_slice(body), true)
                .unwrap();
        }
        whole(answer).await
    }
}

impl Drop for H2Client {
    fn drop(&mut self) {
        self.driving.abort();
    }
}

/// Reads a response to its end.
pub async fn whole(answer: ResponseFuture) -> H2Answer {
    let reading = async {
        let (head, mut body) = answer.await.unwrap().into_parts();
        let (bytes, trailers) = read(&mut body).await;
        H2Answer {
            status: head.status.as_u16(),
            body: bytes,
            trailers,
        }
    };
    timeout(PATIENCE, reading)
        .await
        .expect("no complete response")
}

/// Reads a body and its trailers.
pub async fn read(body: &mut RecvStream) -> (Vec<u8>, Option<HeaderMap>) {
    let mut bytes = Vec::new();
    while let Some(part) = part(body).await {
        bytes.extend_from_slice(&part);
    }
    (bytes, body.trailers().await.unwrap())
}

/// Returns the next part of a body, and releases its window space immediately.
pub async fn part(body: &mut RecvStream) -> Option<Bytes> {
    let part = body.data().await?.unwrap();
    body.flow_control().release_capacity(part.len()).unwrap();
    Some(part)
}

/// Waits until the other side accepts a part of a piece; returns the number of bytes.
pub async fn room(body: &mut SendStream<Bytes>, piece: usize) -> usize {
    body.reserve_capacity(piece);
    loop {
        let granted = poll_fn(|context| body.poll_capacity(context)).await;
        match granted.expect("the stream ended").unwrap() {
            0 => {}
            granted => return granted,
        }
    }
}

/// An API that speaks HTTP/2 over TLS.
pub struct H2Origin {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl H2Origin {
    /// Handles each request with `serve`, which gets the request with its body and the sender of the response.
    pub async fn start<F>(
        acceptor: TlsAcceptor,
        serve: impl Fn(Request<RecvStream>, SendResponse<Bytes>) -> F + Clone + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, serve) = (acceptor.clone(), serve.clone());
                let counted = Arc::clone(&counted);
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    let Ok(mut connection) = h2::server::handshake(stream).await else {
                        return;
                    };
                    counted.fetch_add(1, Ordering::SeqCst);
                    while let Some(Ok((request, respond))) = connection.accept().await {
                        tokio::spawn(serve(request, respond));
                    }
                });
            }
        });
        Self {
            address,
            connections,
            accepting,
        }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Returns the number of HTTP/2 connections.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for H2Origin {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Responds with 200 and this body.
pub fn answer_with(mut respond: SendResponse<Bytes>, body: impl Into<Bytes>) {
    let mut sending = respond.send_response(Response::new(()), false).unwrap();
    sending.send_data(body.into(), true).unwrap();
}
