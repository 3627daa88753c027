//! The program with a provider and an upstream, and the search through all of its output.

use super::traces::{Canary, Text};
use crate::e2e::support::{
    Answer, Ask, Client, Origin, Provider, Setup, Signer, install_crypto, lab, process::Process,
    wire::Kind,
};
use serde_json::Value;
use std::{fs, net::SocketAddr, path::Path};
use tempfile::TempDir;

/// The program with the most verbose log, between a provider and an upstream.
pub struct Aviary {
    pub idp: Provider,
    pub origin: Origin,
    pub process: Process,
    folder: TempDir,
    /// Every token that was presented.
    pub canaries: Vec<Canary>,
    /// Every byte that clients received.
    pub answers: Vec<u8>,
}

impl Aviary {
    pub async fn start() -> Self {
        Self::with(|_, yaml| yaml).await
    }

    /// `change` may add files and rewrite the configuration.
    pub async fn with(change: impl FnOnce(&Path, String) -> String) -> Self {
        install_crypto();
        let (idp, origin) = (Provider::start().await, Origin::start().await);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.yaml");
        let gone = {
            std::net::TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
        };
        let routes = format!(
            r#"{}
  - name: gone
    match: {{ prefix: /gone }}
    upstream: {{ targets: [ {{ url: "http://{gone}" }} ] }}
    exchange: {{ audience: gone-api, scope: {{ allow: [orders.read] }} }}
  - name: slow
    match: {{ prefix: /slow }}
    upstream: {{ targets: [ {{ url: ORIGIN }} ], timeouts: {{ response: 300ms }}, rewrite_prefix: /very/slow }}
    exchange: {{ audience: slow-api, scope: {{ allow: [orders.read] }}, clients: [web] }}
  - name: generous
    match: {{ prefix: /generous }}
    upstream: {{ targets: [ {{ url: ORIGIN }} ] }}
    request: {{ cookies: [session, theme], headers: {{ set: [ {{ name: X-Partner, value: portal }} ] }} }}
    response: {{ pass_headers: [Set-Cookie] }}
    cors: {{ origins: ["*"], headers: [Authorization] }}
    upgrade: websocket
    exchange: {{ audience: generous-api, scope: {{ allow: [orders.read] }} }}
"#,
            lab::ORDERS
        );
        let setup = Setup {
            routes,
            ..Setup::default()
        };
        let yaml = lab::yaml(&setup, idp.issuer(), &origin.url());
        fs::write(&file, change(folder.path(), yaml)).unwrap();
        let process = Process::start(&file);
        process.until_ready().await;
        Self {
            idp,
            origin,
            process,
            folder,
            canaries: Vec::new(),
            answers: Vec::new(),
        }
    }

    pub fn now() -> i64 {
        use obo_gateway::clock::{Clock, SystemClock};
        SystemClock.now().as_secs()
    }

    pub fn token(&mut self, changes: Value) -> String {
        let claims = self.idp.claims(Self::now(), changes);
        let signer = self.idp.signer().clone();
        self.sign(&signer, &claims)
    }

    pub fn sign(&mut self, signer: &Signer, claims: &Value) -> String {
        let token = signer.sign(claims);
        self.canaries.push(Canary::new(&token));
        token
    }

    pub async fn ask(&mut self, ask: &Ask) -> Option<Answer> {
        let kind = if ask.method == "HEAD" {
            Kind::ResponseWithoutBody
        } else {
            Kind::Response
        };
        self.write(&ask.bytes(), kind).await
    }

    pub async fn write(&mut self, bytes: &[u8], kind: Kind) -> Option<Answer> {
        self.write_to(self.process.address, bytes, kind).await
    }

    pub async fn write_to(&mut self, to: SocketAddr, bytes: &[u8], kind: Kind) -> Option<Answer> {
        let mut client = Client::connect(to).await;
        client.send(bytes).await;
        let answer = client.answer(kind).await;
        if let Some(answer) = &answer {
            let text = format!("{answer:?} {}\n", String::from_utf8_lossy(&answer.body));
            self.answers.extend_from_slice(text.as_bytes());
        }
        answer
    }

    /// Stops the program and searches all of its output.
    pub async fn search(self) -> usize {
        let metrics = self.process.metrics().await;
        let (status, output) = self.process.end();
        assert_eq!(status, 0, "{}", String::from_utf8_lossy(&output));
        let read = |name: &str| fs::read(self.folder.path().join(name)).unwrap();
        let (access, audit) = (read("access.jsonl"), read("audit.jsonl"));
        assert!(!access.is_empty(), "no access log to look through");

        let received = Text::new(&self.origin.bytes());
        for canary in &self.canaries {
            let where_it_is = || {
                let requests = self.origin.requests();
                let found = requests
                    .into_iter()
                    .find(|request| canary.is_in(&Text::new(format!("{request:?}").as_bytes())));
                format!("the upstream received {}: {found:#?}", canary.token)
            };
            assert!(!canary.is_in(&received), "{}", where_it_is());
        }
        let issued: Vec<Canary> = self
            .origin
            .requests()
            .iter()
            .filter_map(|request| request.bearer().map(Canary::new))
            .collect();
        for (place, bytes) in [
            ("output", output),
            ("access log", access),
            ("audit log", audit),
            ("metrics", metrics.into_bytes()),
            ("answers", self.answers),
        ] {
            let text = Text::new(&bytes);
            for canary in self.canaries.iter().chain(&issued) {
                assert!(
                    !canary.is_in(&text) && !canary.payload_is_in(&text),
                    "{place}: {}\n{}",
                    canary.token,
                    String::from_utf8_lossy(&bytes)
                );
            }
        }
        issued.len()
    }
}
