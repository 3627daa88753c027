//! Two processes of the program with the same keys on one server.

use super::server::Server;
use crate::e2e::support::{
    Answer, Ask, Client, Origin, PATIENCE, Provider, Setup, Signer, install_crypto,
    lab::{GATEWAY_ISSUER, sum, yaml},
    process::{Process, program},
};
use obo_gateway::clock::{Clock, SystemClock};
use serde_json::{Value, json};
use std::{fs, path::PathBuf, process::Stdio, time::Duration};
use tempfile::TempDir;
use tokio::time::{Instant, interval, timeout};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const SECRET: &str = "sixteen bytes or more";

const ROUTES: &str = r"
  - name: orders
    match: { prefix: /orders }
    upstream: { targets: [ { url: ORIGIN } ] }
    upgrade: websocket
    exchange:
      audience: orders-api
      scope: { allow: [orders.read] }
      chain: { accept_own: true }
";

const SECTIONS: &str = r"
clients:
  - id: portal
    authentication: { method: client_secret_post, secret: { file: secret } }
    grants: [token_exchange, refresh_token]
    audiences: [GATEWAY, orders-api]
    scope: { allow: [offline_access, orders.read] }
    token_formats: [opaque]
  - id: api
    authentication: { method: client_secret_post, secret: { file: secret } }
    introspects: [GATEWAY]
  - id: signing
    authentication: { method: private_key_jwt, jwks_file: signing.json }
    introspects: [GATEWAY]
store: { redis: { url: { file: redis.url } } }
";

pub(super) struct Pair {
    pub one: Replica,
    pub two: Replica,
    pub idp: Provider,
    pub server: Server,
    signing: Signer,
    pub origin: Origin,
    folder: TempDir,
}

pub(super) struct Replica {
    pub process: Process,
}

impl Pair {
    /// Returns `None` if there is no server.
    pub(super) async fn start() -> Option<Self> {
        // a killed process does not lose what it wrote, so flushing every write would only wait for a busy disk
        let server = Server::start(&["--appendfsync", "no"])?;
        install_crypto();
        let (idp, origin) = (Provider::start().await, Origin::start().await);
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("secret", SECRET);
        let signing = Signer::es256();
        write(
            "signing.json",
            &json!({"keys": [signing.jwk()]}).to_string(),
        );
        write("redis.url", &format!("redis://127.0.0.1:{}/0", server.port));
        let replica = async |number: u8| {
            let setup = Setup {
                routes: ROUTES.to_owned(),
                service: ", opaque_keys: [ { file: opaque.key, generate: true } ]".to_owned(),
                sections: SECTIONS.replace("GATEWAY", &format!("\"{GATEWAY_ISSUER}\"")),
                audit: format!("audit-{number}.jsonl"),
                ..Setup::default()
            };
            let file = yaml(&setup, idp.issuer(), &origin.url());
            let name = format!("gateway-{number}.yaml");
            write(
                &name,
                &file.replace("access.jsonl", &format!("access-{number}.jsonl")),
            );
            let process = Process::start(&folder.path().join(&name));
            process.until_ready().await;
            Replica { process }
        };
        let (one, two) = (replica(1).await, replica(2).await);
        Some(Self {
            one,
            two,
            idp,
            server,
            signing,
            origin,
            folder,
        })
    }

    /// Returns a token of the provider.
    pub(super) fn user(&self) -> String {
        let changes = json!({"scope": "offline_access orders.read"});
        let claims = self.idp.claims(SystemClock.now().as_secs(), changes);
        self.idp.signer().sign(&claims)
    }

    /// Returns a token that the provider issued to the client that exchanges tokens.
    pub(super) fn clients_own(&self) -> String {
        let changes = json!({"scope": "orders.read", "client_id": "portal"});
        let claims = self.idp.claims(SystemClock.now().as_secs(), changes);
        self.idp.signer().sign(&claims)
    }

    /// Returns a client assertion, for one use.
    pub(super) fn assertion(&self) -> String {
        let exp = SystemClock.now().as_secs() + 60;
        let claims = json!({
            "iss": "signing", "sub": "signing", "aud": GATEWAY_ISSUER, "exp": exp, "jti": "once",
        });
        let header = json!({"alg": "ES256", "kid": self.signing.kid()});
        self.signing
            .sign_bytes(&header, claims.to_string().as_bytes())
    }

    /// Revokes a token at one gateway, and waits until both refuse it.
    pub(super) async fn revoked(&self) -> String {
        let issued = self.one.exchange(&self.user()).await;
        let token = member(&issued, "access_token");
        self.one.until_revoked(&token).await;
        self.one.until_refused(&token).await;
        self.two.until_refused(&token).await;
        token
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns `true` if another gateway starts now. It is stopped afterwards.
    pub(super) async fn starts(&self) -> bool {
        let mut command = program();
        command.arg("--config").arg(self.file("gateway-1.yaml"));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut ended = None;
        let ends = until(async || {
            ended = child.try_wait().unwrap();
            ended.is_some()
        });
        if timeout(PATIENCE / 2, ends).await.is_err() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        ended.is_none_or(|status| status.success())
    }
}

impl Replica {
    async fn post(&self, path: &str, client: &str, form: &[(&str, &str)]) -> Answer {
        let body: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", client)
            .append_pair("client_secret", SECRET)
            .extend_pairs(form)
            .finish();
        self.send(path, body).await
    }

    async fn send(&self, path: &str, body: String) -> Answer {
        let ask = Ask::post(path, body).field("Content-Type", "application/x-www-form-urlencoded");
        ask_at(&self.process, &ask).await
    }

    /// Returns the response to a client that authenticates with an assertion.
    pub(super) async fn by_assertion(&self, assertion: &str) -> Answer {
        let body: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("client_assertion", assertion)
            .append_pair("client_assertion_type", ASSERTION_TYPE)
            .append_pair("token", "of nobody")
            .finish();
        self.send("/oauth/v2/introspect", body).await
    }

    /// Returns the response to an exchange of `token` for an opaque one that the gateway itself accepts.
    pub(super) async fn exchange(&self, token: &str) -> Value {
        let form = [
            ("grant_type", EXCHANGE),
            ("subject_token", token),
            ("subject_token_type", ACCESS_TOKEN),
            ("audience", GATEWAY_ISSUER),
        ];
        let answer = self.post("/oauth/v2/token", "portal", &form).await;
        assert_eq!(answer.status(), 200, "{}", answer.json());
        answer.json()
    }

    pub(super) async fn refresh(&self, token: &str) -> Answer {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.post("/oauth/v2/token", "portal", &form).await
    }

    pub(super) async fn revoke(&self, token: &str) -> Answer {
        let form = [("token", token)];
        self.post("/oauth/v2/revoke", "portal", &form).await
    }

    pub(super) async fn introspect(&self, token: &str) -> Value {
        let form = [("token", token)];
        let answer = self.post("/oauth/v2/introspect", "api", &form).await;
        assert_eq!(answer.status(), 200);
        answer.json()
    }

    pub(super) async fn present(&self, token: &str) -> Answer {
        present(&self.process, token).await
    }

    /// Sends requests with `token` until one of them uses the cached exchange.
    pub(super) async fn warm(&self, token: &str) {
        let before = self.hits().await;
        let first = self.present(token).await;
        assert_eq!(first.status(), 200, "{}", self.process.metrics().await);
        while self.hits().await == before {
            assert_eq!(self.present(token).await.status(), 200);
        }
    }

    async fn hits(&self) -> f64 {
        let metrics = self.process.metrics().await;
        sum(&metrics, "obo_cache_total", &["result=\"hit\""])
    }

    /// Returns the time until `token` is refused on the route.
    pub(super) async fn until_refused(&self, token: &str) -> Duration {
        until(async || self.present(token).await.status() == 401).await
    }

    /// Returns the time until introspection reports `token` as inactive.
    pub(super) async fn until_inactive(&self, token: &str) -> Duration {
        until(async || self.introspect(token).await == json!({"active": false})).await
    }

    /// Returns the time until `token` can be revoked.
    pub(super) async fn until_revoked(&self, token: &str) -> Duration {
        until(async || self.revoke(token).await.status() == 200).await
    }
}

pub(super) async fn present(process: &Process, token: &str) -> Answer {
    ask_at(process, &Ask::get("/orders/1").bearer(token)).await
}

async fn ask_at(process: &Process, ask: &Ask) -> Answer {
    let mut client = Client::connect(process.address).await;
    client.ask(ask).await.expect("no response")
}

#[track_caller]
pub(super) fn member(answer: &Value, name: &str) -> String {
    let member = answer[name].as_str();
    member
        .unwrap_or_else(|| panic!("no {name}: {answer}"))
        .to_owned()
}

/// Waits for the condition; returns how long that took.
async fn until(mut condition: impl AsyncFnMut() -> bool) -> Duration {
    let began = Instant::now();
    let mut ticks = interval(Duration::from_millis(5));
    while !condition().await {
        assert!(began.elapsed() < PATIENCE, "it never came true");
        ticks.tick().await;
    }
    began.elapsed()
}
