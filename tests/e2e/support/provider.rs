//! A small OpenID provider on loopback: metadata, keys that rotate, outages.

use super::{
    Signer,
    signer::with,
    wire::{Kind, Reader},
};
use serde_json::{Value, json};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

pub struct Provider {
    inner: Arc<Inner>,
    accepting: JoinHandle<()>,
    signer: Signer,
}

struct Inner {
    issuer: String,
    published: Mutex<Vec<Value>>,
    health: Mutex<Health>,
    requests: AtomicUsize,
}

/// The provider's behavior.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    Good,
    /// Responds to everything with 500.
    Failing,
    /// Accepts connections and closes them.
    Refusing,
    /// Never responds.
    Silent,
    /// Does not respond until the behavior changes.
    Held,
}

impl Provider {
    pub async fn start() -> Self {
        Self::with(Signer::es256()).await
    }

    pub async fn with(signer: Signer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::new(Inner {
            issuer: format!("http://{address}"),
            published: Mutex::new(vec![signer.jwk()]),
            health: Mutex::new(Health::Good),
            requests: AtomicUsize::new(0),
        });
        let serving = Arc::clone(&inner);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&serving)));
            }
        });
        Self {
            inner,
            accepting,
            signer,
        }
    }

    pub fn issuer(&self) -> &str {
        &self.inner.issuer
    }

    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    pub fn publish(&self, keys: &[&Signer]) {
        self.publish_with(keys, &[]);
    }

    /// Publishes the keys after entries that are not keys.
    pub fn publish_with(&self, keys: &[&Signer], others: &[Value]) {
        let keys = keys.iter().map(|key| key.jwk());
        *self.inner.published.lock().unwrap() = others.iter().cloned().chain(keys).collect();
    }

    pub fn turn(&self, health: Health) {
        *self.inner.health.lock().unwrap() = health;
    }

    pub fn requests(&self) -> usize {
        self.inner.requests.load(Ordering::SeqCst)
    }

    /// Returns the claims of an ordinary user's token at `now`, with some replaced; null removes one.
    pub fn claims(&self, now: i64, changes: Value) -> Value {
        static SERIAL: AtomicU64 = AtomicU64::new(1);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let claims = json!({
            "iss": self.issuer(), "sub": "alice", "aud": "portal", "iat": now - 5, "exp": now + 600,
            "client_id": "web", "scope": "orders.read orders.write profile", "jti": format!("subject-{serial}"),
            "email": "alice@example.com", "auth_time": now - 60, "acr": "loa2", "amr": ["pwd"],
        });
        with(claims, changes)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(mut stream: TcpStream, inner: Arc<Inner>) {
    let mut reader = Reader::new();
    while let Some(request) = reader.next(&mut stream, Kind::Request, &mut |_| {}).await {
        inner.requests.fetch_add(1, Ordering::SeqCst);
        let current = || *inner.health.lock().unwrap();
        let mut ticks = tokio::time::interval(std::time::Duration::from_millis(5));
        while current() == Health::Held {
            ticks.tick().await;
        }
        let health = current();
        let (status, body) = match health {
            Health::Refusing => return,
            Health::Silent | Health::Held => std::future::pending().await,
            Health::Failing => ("500 Internal Server Error", json!({})),
            Health::Good => match request.target() {
                "/.well-known/openid-configuration" => (
                    "200 OK",
                    json!({"issuer": inner.issuer, "jwks_uri": format!("{}/keys", inner.issuer)}),
                ),
                "/keys" => ("200 OK", json!({"keys": *inner.published.lock().unwrap()})),
                _ => ("404 Not Found", json!({})),
            },
        };
        let body = body.to_string();
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}
