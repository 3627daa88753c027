//! A provider and a gateway that listens in cleartext and with TLS; each test provides its own API.

use crate::streaming::{
    authority::Authority,
    http2::H2Client,
    support::{Client, Provider, Setup, install_crypto, lab, lab::sum, until},
};
use obo_gateway::{
    cli::Gateway,
    clock::{Clock, SystemClock, SystemRandomness},
    config::Surroundings,
};
use serde_json::json;
use std::{net::SocketAddr, path::Path, sync::Arc};
use tempfile::TempDir;
use tokio::runtime::Handle;

/// The name in the gateway's certificate.
pub const NAME: &str = "localhost";

pub struct Stage {
    pub idp: Provider,
    pub gateway: Gateway,
    pub authority: Authority,
    folder: TempDir,
}

impl Stage {
    /// Starts the gateway with the default routes to the API at `origin`.
    pub async fn before(origin: &str) -> Self {
        Self::with(Authority::new(), lab::ORDERS, origin).await
    }

    /// Starts the gateway with `routes`, in which `ORIGIN` is replaced with `origin`. The folder of the configuration contains
    /// `ca.pem`, `client.pem` and `client.key`.
    pub async fn with(authority: Authority, routes: &str, origin: &str) -> Self {
        install_crypto();
        let idp = Provider::start().await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.yaml");
        let listeners = [CLEARTEXT, ENCRYPTED];
        let text = configuration(
            &authority,
            folder.path(),
            &listeners,
            routes,
            idp.issuer(),
            origin,
        );
        std::fs::write(&file, text).unwrap();
        let surroundings = Surroundings {
            clock: Arc::new(SystemClock),
            randomness: Arc::new(SystemRandomness),
            io: Handle::current(),
        };
        let gateway =
            Gateway::start(&file, &surroundings).unwrap_or_else(|error| panic!("{error}"));
        until("the gateway is ready", || gateway.is_ready()).await;
        Self {
            idp,
            gateway,
            authority,
            folder,
        }
    }

    pub fn cleartext(&self) -> SocketAddr {
        self.gateway.addresses()[0]
    }

    pub fn encrypted(&self) -> SocketAddr {
        self.gateway.addresses()[1]
    }

    /// Opens an HTTP/1.1 connection in cleartext.
    pub async fn client(&self) -> Client {
        Client::connect(self.cleartext()).await
    }

    /// Opens an HTTP/2 connection with TLS.
    pub async fn h2_client(&self) -> H2Client {
        H2Client::connect(self.encrypted(), &self.authority).await
    }

    pub fn access_log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("access.jsonl")).unwrap_or_default()
    }

    pub fn token(&self) -> String {
        token(&self.idp)
    }

    /// Returns the sum of the series of `family` that contain all of `labels`.
    pub fn metric(&self, family: &str, labels: &[&str]) -> usize {
        sum(&self.gateway.metrics().render(), family, labels) as usize
    }
}

/// Returns a token that the default routes accept.
pub fn token(idp: &Provider) -> String {
    idp.signer()
        .sign(&idp.claims(SystemClock.now().as_secs(), json!({})))
}

/// A listener in cleartext.
pub const CLEARTEXT: &str = r#"{ address: "127.0.0.1:0" }"#;
/// A listener with TLS.
pub const ENCRYPTED: &str =
    r#"{ address: "127.0.0.1:0", tls: { certificate: front.pem, private_key: front.key } }"#;

/// Returns the configuration of a gateway with these listeners, and writes the files that it names to `folder`.
pub fn configuration(
    authority: &Authority,
    folder: &Path,
    listeners: &[&str],
    routes: &str,
    issuer: &str,
    origin: &str,
) -> String {
    std::fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    authority.identity(NAME).write(folder, "front");
    authority.identity("the-gateway").write(folder, "client");
    let setup = Setup {
        routes: routes.to_owned(),
        ..Setup::default()
    };
    let text = lab::yaml(&setup, issuer, origin);
    let only = format!("listeners: [ {CLEARTEXT} ]");
    assert!(text.contains(&only));
    text.replacen(
        &only,
        &format!("listeners: [ {} ]", listeners.join(", ")),
        1,
    )
    .replacen("level: trace", "level: info", 1)
}
