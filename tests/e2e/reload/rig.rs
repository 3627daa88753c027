//! A provider, an upstream, the program between them, and the file that it reloads.

use crate::e2e::support::{
    Answer, Ask, Client, Origin, Provider, Setup, install_crypto,
    lab::{sum, yaml},
    obo::{self, Obo},
    process::Process,
};
use obo_gateway::clock::{Clock, SystemClock};
use serde_json::{Value, json};
use std::{fs, net::SocketAddr, path::PathBuf, time::Duration};
use tempfile::TempDir;
use tokio::time::{interval, timeout};

pub struct Rig {
    pub process: Process,
    pub idp: Provider,
    pub origin: Origin,
    folder: TempDir,
    file: String,
    applied: usize,
}

impl Rig {
    pub async fn start() -> Self {
        install_crypto();
        let (idp, origin) = (Provider::start().await, Origin::start().await);
        let folder = tempfile::tempdir().unwrap();
        let file = yaml(&Setup::default(), idp.issuer(), &origin.url());
        let path = folder.path().join("gateway.yaml");
        fs::write(&path, &file).unwrap();
        let process = Process::start(&path);
        process.until_ready().await;
        Self {
            process,
            idp,
            origin,
            folder,
            file,
            applied: 0,
        }
    }

    /// The file that the program was started with.
    pub fn yaml(&self) -> String {
        self.file.clone()
    }

    pub fn write(&self, file: &str) {
        fs::write(self.path("gateway.yaml"), file).unwrap();
    }

    pub fn hang_up(&self) {
        self.process.hang_up();
    }

    /// Makes the program serve `file`.
    pub async fn reload(&mut self, file: &str) {
        self.write(file);
        self.hang_up();
        self.applied += 1;
        self.counts("obo_config_reload_total", &["applied"], self.applied)
            .await;
    }

    /// Waits until the metric has this value.
    pub async fn counts(&self, family: &str, labels: &[&str], expected: usize) {
        let counted = async {
            let mut ticks = interval(Duration::from_millis(10));
            loop {
                ticks.tick().await;
                if sum(&self.metrics().await, family, labels) as usize == expected {
                    return;
                }
            }
        };
        if timeout(crate::e2e::support::PATIENCE, counted)
            .await
            .is_err()
        {
            panic!(
                "{family}{labels:?} is not {expected}:\n{}\n{}",
                self.metrics().await,
                self.process.output()
            );
        }
    }

    pub async fn metrics(&self) -> String {
        self.process.metrics().await
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn now(&self) -> i64 {
        SystemClock.now().as_secs()
    }

    pub fn token(&self) -> String {
        let claims = self.idp.claims(self.now(), json!({}));
        self.idp.signer().sign(&claims)
    }

    pub async fn ask(&self, ask: &Ask) -> Answer {
        let mut client = Client::connect(self.process.address).await;
        client.ask(ask).await.expect("no response")
    }

    pub async fn present(&self, token: &str) -> Answer {
        self.ask(&Ask::get("/orders/1").bearer(token)).await
    }

    /// Returns the status for a request with a new token.
    pub async fn status(&self, path: &str) -> u16 {
        let token = self.token();
        self.ask(&Ask::get(path).bearer(&token)).await.status()
    }

    /// Returns the claims of the last token that the upstream got, verified with the currently published keys.
    pub async fn issued(&self) -> Value {
        self.last_token().await.claims
    }

    pub async fn issued_header(&self) -> Value {
        self.last_token().await.header
    }

    async fn last_token(&self) -> Obo {
        let requests = self.origin.requests();
        let token = requests
            .last()
            .and_then(|request| request.bearer())
            .unwrap();
        obo::verify(self.process.address, token, self.now()).await
    }

    /// Returns the number of published keys.
    pub async fn published(&self) -> usize {
        let keys = self.ask(&Ask::get("/oauth/v2/keys")).await.json();
        keys["keys"].as_array().unwrap().len()
    }

    /// Returns a public route, as an item of `routes`.
    pub fn public(&self, prefix: &str) -> String {
        let (name, url) = (prefix.trim_start_matches('/'), self.origin.url());
        format!(
            "  - {{ name: {name}, match: {{ prefix: {prefix} }}, upstream: {{ targets: [ {{ url: \"{url}\" }} ] }}, public: true }}\n"
        )
    }

    pub fn idp_address(&self) -> SocketAddr {
        let issuer = self.idp.issuer();
        issuer.trim_start_matches("http://").parse().unwrap()
    }

    /// Returns an address that was free a moment ago.
    pub fn free_address(&self) -> SocketAddr {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    }

    /// Stops the program; returns its exit status and output.
    pub fn end(self) -> (i32, String) {
        let (status, output) = self.process.end();
        (status, String::from_utf8_lossy(&output).into_owned())
    }
}
