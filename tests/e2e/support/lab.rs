//! A provider, an upstream and a gateway between them, in this process.

use super::{Answer, Ask, Client, Origin, Provider, install_crypto, obo, until};
use obo_gateway::{
    cli::Gateway,
    clock::{SharedClock, SharedRandomness, SystemClock, SystemRandomness},
    config::Surroundings,
};
use serde_json::{Value, json};
use std::{net::SocketAddr, path::PathBuf, sync::Arc};
use tempfile::TempDir;
use tokio::runtime::Handle;

/// The settings of the gateway that a test changes.
pub struct Setup {
    /// The `routes` section; `ORIGIN` is replaced with the upstream's URL.
    pub routes: String,
    /// Further keys of the trusted issuer, in flow form.
    pub issuer: String,
    /// Further keys of the embedded token service, in flow form, each with a comma in front.
    pub service: String,
    /// Further sections.
    pub sections: String,
    /// Further keys of the listener, in flow form.
    pub listener: String,
    pub audit: String,
    /// Further keys of the access log, in flow form, each with a comma in front.
    pub access: String,
    /// Files in the folder of the configuration, by name.
    pub files: Vec<(&'static str, String)>,
    pub clock: SharedClock,
    pub randomness: SharedRandomness,
    /// `true` to wait for the provider's keys.
    pub ready: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            routes: ORDERS.to_owned(),
            issuer: ISSUER.to_owned(),
            service: String::new(),
            sections: String::new(),
            listener: String::new(),
            audit: "audit.jsonl".to_owned(),
            access: String::new(),
            files: Vec::new(),
            clock: Arc::new(SystemClock),
            randomness: Arc::new(SystemRandomness),
            ready: true,
        }
    }
}

pub const ISSUER: &str = "audiences: [portal], algorithms: [ES256], keys: { discovery: true }";

pub const ORDERS: &str = r"
  - name: orders
    match: { prefix: /orders }
    upstream: { targets: [ { url: ORIGIN } ], timeouts: { response: 10s } }
    exchange:
      audience: orders-api
      scope: { allow: [orders.read, orders.write], require: [orders.read] }
      token: { lifetime: 2m }
  - name: status
    match: { prefix: /status }
    upstream: { targets: [ { url: ORIGIN } ] }
    public: true
";

pub const GATEWAY_ISSUER: &str = "https://gateway.example.com";

/// The configuration of the gateway.
pub fn yaml(setup: &Setup, issuer: &str, origin: &str) -> String {
    let Setup {
        routes,
        issuer: rules,
        service,
        sections,
        audit,
        access,
        listener,
        ..
    } = setup;
    let separator = if listener.is_empty() { "" } else { ", " };
    let routes = routes.replace("ORIGIN", origin);
    format!(
        r#"
listeners: [ {{ address: "127.0.0.1:0"{separator}{listener} }} ]
admin: {{ address: "127.0.0.1:0" }}
issuer: {{ url: "{GATEWAY_ISSUER}", signing_keys: [ {{ file: signing.pem, generate: ES256 }} ]{service} }}
trusted_issuers: [ {{ name: corp, issuer: "{issuer}", {rules} }} ]
routes:
{routes}
runtime: {{ threads: 1 }}
telemetry: {{ log: {{ level: trace, access: {{ file: access.jsonl{access} }} }}, audit: {{ file: "{audit}" }} }}
{sections}
"#
    )
}

pub struct Lab {
    pub idp: Provider,
    pub origin: Origin,
    pub gateway: Gateway,
    pub folder: TempDir,
    pub clock: SharedClock,
}

impl Lab {
    pub async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    pub async fn routes(routes: &str) -> Self {
        Self::with(Setup {
            routes: routes.to_owned(),
            ..Setup::default()
        })
        .await
    }

    pub async fn with(setup: Setup) -> Self {
        let idp = Provider::start().await;
        Self::around(idp, setup).await
    }

    pub async fn around(idp: Provider, setup: Setup) -> Self {
        install_crypto();
        let origin = Origin::start().await;
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in &setup.files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let file = folder.path().join("gateway.yaml");
        std::fs::write(&file, yaml(&setup, idp.issuer(), &origin.url())).unwrap();
        let surroundings = Surroundings {
            clock: Arc::clone(&setup.clock),
            randomness: setup.randomness,
            io: Handle::current(),
        };
        let gateway =
            Gateway::start(&file, &surroundings).unwrap_or_else(|error| panic!("{error}"));
        if setup.ready {
            until("the gateway is ready", || gateway.is_ready()).await;
        }
        Self {
            idp,
            origin,
            gateway,
            folder,
            clock: setup.clock,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.gateway.addresses()[0]
    }

    pub fn now(&self) -> i64 {
        self.clock.now().as_secs()
    }

    /// Returns a token of the provider that the default route accepts.
    pub fn token(&self) -> String {
        self.token_with(json!({}))
    }

    /// Returns such a token with some claims replaced; null removes one.
    pub fn token_with(&self, changes: Value) -> String {
        self.idp.signer().sign(&self.claims(changes))
    }

    pub fn claims(&self, changes: Value) -> Value {
        self.idp.claims(self.now(), changes)
    }

    /// Sends a request on a new connection.
    pub async fn ask(&self, ask: Ask) -> Answer {
        let mut client = Client::connect(self.address()).await;
        client.ask(&ask).await.expect("no response")
    }

    /// Sends `GET /orders/1` with `token`.
    pub async fn present(&self, token: &str) -> Answer {
        self.ask(Ask::get("/orders/1").bearer(token)).await
    }

    /// Returns the claims of the token in a request that the upstream got, verified with the gateway's keys.
    pub async fn issued(&self, request: &super::wire::Message) -> Value {
        let token = request.bearer().expect("no bearer token");
        obo::verify(self.address(), token, self.now()).await.claims
    }

    /// Returns a value of `/metrics`: the sum of all series of `family` that contain all of `labels`.
    pub fn metric(&self, family: &str, labels: &[&str]) -> f64 {
        sum(&self.gateway.metrics().render(), family, labels)
    }

    /// Waits until the metric has this value, because a request is counted after its response was sent.
    pub async fn counts(&self, family: &str, labels: &[&str], expected: usize) {
        let what = format!("{family}{labels:?} is {expected}");
        super::until(&what, || self.metric(family, labels) as usize == expected).await;
    }

    pub fn audit(&self) -> String {
        std::fs::read_to_string(self.file("audit.jsonl")).unwrap_or_default()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Returns the sum of all series of `family` in `text` that contain all of `labels`.
pub fn sum(text: &str, family: &str, labels: &[&str]) -> f64 {
    text.lines()
        .filter(|line| {
            line.strip_prefix(family)
                .is_some_and(|rest| rest.starts_with(['{', ' ']))
                && labels.iter().all(|label| line.contains(label))
        })
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum()
}
