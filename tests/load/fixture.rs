//! A gateway with an issuer's key and an API that responds to everything; the gateway runs in this process or as the real
//! program.

use crate::client::{Answer, Client, PATIENCE};
use obo_gateway::{
    clock::{Clock, SystemClock},
    jose::{Algorithm, SigningKey},
};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{interval, timeout},
};

pub struct World {
    pub folder: TempDir,
    pub key: SigningKey,
    api: Arc<Api>,
    api_address: SocketAddr,
}

/// The API behind the gateway.
#[derive(Default)]
struct Api {
    requests: AtomicUsize,
}

impl World {
    pub async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api_address = listener.local_addr().unwrap();
        let api = Arc::new(Api::default());
        tokio::spawn(serve(listener, Arc::clone(&api)));
        let folder = TempDir::new().unwrap();
        let key = SigningKey::generate(Algorithm::EdDSA).unwrap().key;
        std::fs::write(folder.path().join("jwks.json"), jwks(&[&key])).unwrap();
        Self {
            folder,
            key,
            api,
            api_address,
        }
    }

    /// Writes the configuration: `keys` of the issuer, and further sections.
    pub fn configure(&self, keys: &str, sections: &str) -> PathBuf {
        let path = self.folder.path().join("gateway.yaml");
        let text = format!(
            "listeners: [ {{ address: 127.0.0.1:0 }} ]
admin: {{ address: 127.0.0.1:0 }}
issuer:
  url: https://gateway.example.com
  signing_keys: [ {{ file: keys/signing.pem, generate: EdDSA }} ]
trusted_issuers:
  - name: corp
    issuer: https://idp.example.com
    audiences: [portal]
    algorithms: [EdDSA]
    keys: {keys}
routes:
  - name: orders
    match: {{ prefix: /orders }}
    upstream: {{ targets: [ {{ url: 'http://{}' }} ] }}
    exchange: {{ audience: orders-api, scope: {{ allow: [orders.read] }} }}
telemetry: {{ log: {{ access: {{ file: access.jsonl }} }}, audit: {{ file: audit.jsonl }} }}
{sections}
",
            self.api_address
        );
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Returns a token that the gateway accepts; different `id`s result in different tokens.
    pub fn token(&self, id: usize) -> String {
        token(&self.key, id)
    }

    /// Returns the number of requests that reached the API.
    pub fn api_requests(&self) -> usize {
        self.api.requests.load(Ordering::Relaxed)
    }
}

pub fn token(key: &SigningKey, id: usize) -> String {
    let now = SystemClock.now().as_secs();
    let claims = json!({
        "iss": "https://idp.example.com",
        "sub": format!("user-{id}"),
        "aud": "portal",
        "iat": now,
        "exp": now + 3_600,
        "jti": id.to_string(),
        "client_id": "web",
        "scope": "orders.read orders.write",
    });
    key.sign("at+jwt", claims.as_object().unwrap()).unwrap()
}

/// Returns a key set as a provider publishes it.
pub fn jwks(keys: &[&SigningKey]) -> String {
    let keys: Vec<Value> = keys.iter().map(|key| key.public_jwk()).collect();
    json!({ "keys": keys }).to_string()
}

async fn serve(listener: TcpListener, api: Arc<Api>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(answer(stream, Arc::clone(&api)));
    }
}

/// Responds to every head, because requests of these tests have no body.
async fn answer(mut stream: TcpStream, api: Arc<Api>) {
    let mut received = Vec::new();
    while let Ok(1..) = stream.read_buf(&mut received).await {
        while let Some(end) = received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&received[..end]).to_lowercase();
            assert!(head.contains("authorization: bearer "), "{head}");
            received.drain(..end + 4);
            api.requests.fetch_add(1, Ordering::Relaxed);
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
            if stream.write_all(answer).await.is_err() {
                return;
            }
        }
    }
}

/// The real program. It is killed when dropped.
pub struct Program {
    child: Child,
    pub address: SocketAddr,
    pub admin: SocketAddr,
}

impl Program {
    /// Starts it and reads its addresses from its log.
    pub fn start(world: &World, config: &std::path::Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_obo-gateway"))
            .args(["run", "--config"])
            .arg(config)
            .current_dir(world.folder.path())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut address_of = |message: &str| {
            let address = lines.find_map(|line| {
                let line: Value = serde_json::from_str(&line.unwrap()).ok()?;
                (line["message"] == message).then(|| line["address"].as_str().unwrap().to_owned())
            });
            address
                .expect("the log names the addresses")
                .parse()
                .unwrap()
        };
        let (address, admin) = (address_of("listening"), address_of("admin listening"));
        // a full pipe would stop the program
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            child,
            address,
            admin,
        }
    }

    /// Returns its memory use in bytes (proc_pid_status(5): VmRSS).
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.unwrap().trim().trim_end_matches(" kB");
        kib.parse::<u64>().unwrap() * 1024
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }

    /// Waits for the exit status, and returns it.
    pub async fn ended(&mut self) -> std::process::ExitStatus {
        let mut status = None;
        until(async || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }

    pub async fn until_ready(&self) {
        until(async || probe(self.admin).await == Some(200)).await;
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the status of `/readyz`, or `None` if there is no response.
pub async fn probe(admin: SocketAddr) -> Option<u16> {
    let answer = ask(admin, "/readyz").await?;
    Some(answer.status)
}

/// Sends a request to the admin listener.
pub async fn ask(admin: SocketAddr, path: &str) -> Option<Answer> {
    Client::connect(admin)
        .await
        .ok()?
        .request(path, "none")
        .await
}

/// Waits for the condition, at most for [`PATIENCE`].
pub async fn until(mut condition: impl AsyncFnMut() -> bool) {
    let mut ticks = interval(Duration::from_millis(5));
    let polled = timeout(PATIENCE, async {
        while !condition().await {
            ticks.tick().await;
        }
    });
    polled.await.expect("the condition never came true");
}

/// Returns the sum of the series of this name with these labels, in the text of `/metrics`.
pub fn series(text: &str, name: &str, labels: &[&str]) -> u64 {
    let of_name = |line: &&str| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with('{'))
            && labels.iter().all(|label| line.contains(label))
    };
    let value = |line: &str| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
    text.lines().filter(of_name).map(value).sum::<f64>() as u64
}
