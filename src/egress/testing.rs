//! An identity provider for tests, with a few fixed responses on a loopback port.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Responds until it is dropped with its runtime. A path without a response returns 404.
pub(crate) struct Provider {
    base: String,
    shared: Arc<Shared>,
    holding: watch::Sender<bool>,
}

#[derive(Default)]
struct Shared {
    responses: Mutex<HashMap<String, Vec<u8>>>,
    hits: Mutex<Vec<String>>,
}

impl Provider {
    pub(crate) async fn start() -> Self {
        // The first call installs the provider. Later calls fail, which is harmless: the provider is the same.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        let (holding, held) = watch::channel(false);
        let responding = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(respond(stream, Arc::clone(&responding), held.clone()));
            }
        });
        Self {
            base,
            shared,
            holding,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub(crate) fn raw(&self, path: &str, response: impl Into<Vec<u8>>) {
        let mut responses = self.shared.responses.lock().unwrap();
        responses.insert(path.to_owned(), response.into());
    }

    pub(crate) fn ok(&self, path: &str, body: impl AsRef<[u8]>) {
        let body = body.as_ref();
        let mut response = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        response.reserve(body.len());
        let mut response = response.into_bytes();
        response.extend_from_slice(body);
        self.raw(path, response);
    }

    pub(crate) fn status(&self, path: &str, status: u16) {
        self.raw(
            path,
            format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n"),
        );
    }

    /// Sends no response until `release` is called.
    pub(crate) fn hold(&self) {
        self.holding.send_replace(true);
    }

    pub(crate) fn release(&self) {
        self.holding.send_replace(false);
    }

    /// Returns the number of requests for a path.
    pub(crate) fn hits(&self, path: &str) -> usize {
        let hits = self.shared.hits.lock().unwrap();
        hits.iter().filter(|hit| *hit == path).count()
    }
}

async fn respond(mut stream: TcpStream, shared: Arc<Shared>, mut held: watch::Receiver<bool>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    shared.hits.lock().unwrap().push(path.clone());
    if held.wait_for(|holding| !holding).await.is_err() {
        return;
    }
    let found = shared.responses.lock().unwrap().get(&path).cloned();
    let found =
        found.unwrap_or_else(|| b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec());
    // A client that refuses the response early closes the connection while it is written.
    let _ = stream.write_all(&found).await;
    let _ = stream.shutdown().await;
}
