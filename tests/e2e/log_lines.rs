//! The lines of the program's log that report failures: level, message and fields.

mod keys;
mod store;
mod upstreams;

use crate::e2e::support::{install_crypto, process::Process, until};
use serde_json::Value;
use std::{fs, net::SocketAddr, sync::Arc};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// The program with a log in JSON from INFO on.
struct Running {
    process: Process,
    folder: TempDir,
}

const CONFIGURATION: &str = r#"
listeners: [ { address: "127.0.0.1:0" } ]
admin: { address: "127.0.0.1:0" }
issuer: { url: "https://gateway.example.com", signing_keys: [ { file: signing.pem, generate: ES256 } ] }
trusted_issuers:
  - name: corp
    issuer: "ISSUER"
    audiences: [portal]
    algorithms: [ES256]
    keys: { KEYS }
    required: false
routes:
  - name: orders
    match: { prefix: /orders }
    upstream: { UPSTREAM }
    public: true
runtime: { threads: 1 }
telemetry: { log: { level: info, access: { file: access.jsonl } }, audit: { file: audit.jsonl } }
"#;

impl Running {
    /// Starts the program with `upstream` as the target of a public route.
    fn before(upstream: &str, files: &[(&str, String)]) -> Self {
        Self::of("http://127.0.0.1:1", "discovery: true", upstream, files)
    }

    fn of(issuer: &str, keys: &str, upstream: &str, files: &[(&str, String)]) -> Self {
        install_crypto();
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let file = folder.path().join("gateway.yaml");
        let yaml = CONFIGURATION
            .replace("ISSUER", issuer)
            .replace("KEYS", keys)
            .replace("UPSTREAM", upstream);
        fs::write(&file, yaml).unwrap();
        let process = Process::start(&file);
        Self { process, folder }
    }

    fn lines(&self) -> Vec<Value> {
        let output = self.process.output();
        let lines = output
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        lines.collect()
    }

    /// Waits for the first line whose message starts with `message`, and returns it.
    async fn line(&self, message: &str) -> Value {
        let found = || {
            let mut lines = self.lines().into_iter();
            lines.find(|line| text(line, "message").starts_with(message))
        };
        until(&format!("there is a line {message:?}"), || {
            found().is_some()
        })
        .await;
        found().unwrap()
    }

    /// Waits until the access log has `number` lines, and returns them.
    async fn access(&self, number: usize) -> Vec<Value> {
        let text =
            || fs::read_to_string(self.folder.path().join("access.jsonl")).unwrap_or_default();
        until("the request is logged", || text().lines().count() >= number).await;
        let text = text();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.collect()
    }
}

fn text<'a>(line: &'a Value, name: &str) -> &'a str {
    line[name].as_str().unwrap_or_default()
}

/// The reaction of a small server to the head of a request.
enum Does {
    /// Writes this and closes.
    Says(String),
    /// Writes this and keeps the connection.
    SaysAndWaits(String),
    /// Writes these bytes one by one, each after a pause shorter than any timeout.
    Drips(String),
}

/// A server that decides by the target of each request; it ends with the test's runtime.
async fn serve(decide: impl Fn(&str) -> Does + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let decide = Arc::new(decide);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, Arc::clone(&decide)));
        }
    });
    address
}

async fn answer(mut stream: TcpStream, decide: Arc<impl Fn(&str) -> Does>) {
    let mut head = Vec::new();
    while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        let mut piece = [0; 1024];
        match stream.read(&mut piece).await {
            Ok(read @ 1..) => head.extend_from_slice(&piece[..read]),
            _ => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.split(' ').nth(1).unwrap_or_default();
    match decide(target) {
        Does::Says(text) => {
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        Does::SaysAndWaits(text) => {
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.read(&mut [0]).await;
        }
        Does::Drips(text) => {
            let mut ticks = tokio::time::interval(std::time::Duration::from_millis(100));
            for byte in text.into_bytes() {
                ticks.tick().await;
                if stream.write_all(&[byte]).await.is_err() {
                    return;
                }
            }
        }
    }
}

fn ok(body: &str) -> Does {
    says("200 OK", body)
}

fn says(status: &str, body: &str) -> Does {
    let length = body.len();
    Does::Says(format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    ))
}
