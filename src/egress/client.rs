//! The HTTP clients: one for each reach.

use super::{
    Reach,
    address::CheckedResolver,
    fetch::{EgressError, Fetched, fetch},
};
use crate::settings::{Building, OutboundUrl, fingerprint};
use reqwest::{Certificate, Client, ClientBuilder, redirect, retry};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
};
use tokio::runtime::Handle;

/// Sends requests to identity providers. Clones share the HTTP clients.
#[derive(Debug, Clone)]
pub struct Egress {
    io: Handle,
    trust: Arc<Trust>,
}

/// How the gateway verifies the TLS certificate of an identity provider.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EgressTlsSettings {
    /// A PEM file with the CA certificates to trust instead of the system's.
    pub ca: PathBuf,
}

fingerprint!(EgressTlsSettings { files: [ca] });

/// One set of trusted roots, and the clients that use it. They are made when first needed, because loading the system's
/// roots takes time and a gateway with key files does not need them.
#[derive(Debug, Default)]
struct Trust {
    ca: Option<Vec<Certificate>>,
    named: OnceLock<Option<Client>>,
    public: OnceLock<Option<Client>>,
}

impl Egress {
    /// Sends requests on the runtime `io`, and trusts the system's roots.
    pub fn new(io: Handle) -> Self {
        Self {
            io,
            trust: Arc::default(),
        }
    }

    /// Returns a client that trusts the certificates in a file instead of the system's.
    pub fn trusting(&self, tls: &EgressTlsSettings, building: &mut Building<'_>) -> Option<Self> {
        let path = building.base.resolve(&tls.ca);
        let read = std::fs::read(&path)
            .map_err(|error| error.to_string())
            .and_then(|pem| {
                Certificate::from_pem_bundle(&pem)
                    .ok()
                    .filter(|certificates| !certificates.is_empty())
                    .ok_or_else(|| "expected PEM certificates".to_owned())
            });
        match read {
            Ok(certificates) => Some(Self {
                io: self.io.clone(),
                trust: Arc::new(Trust {
                    ca: Some(certificates),
                    ..Trust::default()
                }),
            }),
            Err(error) => {
                building.within("ca", |building| {
                    building.findings.error(
                        format!("{}: {error}", path.display()),
                        "name a PEM file with the certificates to trust",
                    );
                });
                None
            }
        }
    }

    /// Fetches a JSON document.
    ///
    /// # Errors
    /// [`EgressError`] for everything except a 200 with a body of at most 1 MiB within 5 s.
    pub async fn get(&self, url: &OutboundUrl, reach: Reach) -> Result<Fetched, EgressError> {
        reach
            .check_literal(url.url())
            .map_err(|_| EgressError::AddressRefused)?;
        let client = self.trust.client(reach).ok_or(EgressError::NoTls)?.clone();
        let url = url.url().clone();
        let running = self.io.spawn(fetch(client, url));
        running.await.unwrap_or(Err(EgressError::Stopped))
    }

    /// The runtime for requests to identity providers.
    pub fn io(&self) -> &Handle {
        &self.io
    }
}

impl Trust {
    fn client(&self, reach: Reach) -> Option<&Client> {
        let slot = match reach {
            Reach::Named => &self.named,
            Reach::Public => &self.public,
        };
        slot.get_or_init(|| self.make(reach)).as_ref()
    }

    fn make(&self, reach: Reach) -> Option<Client> {
        // Without an installed provider reqwest would panic instead of returning an error.
        rustls::crypto::CryptoProvider::get_default()?;
        let build = |builder: ClientBuilder| {
            builder
                .redirect(redirect::Policy::none())
                .retry(retry::never())
                .no_proxy()
                .referer(false)
                // A connection that is kept until the next refresh would use an address that was checked long ago.
                .pool_max_idle_per_host(0)
                .dns_resolver(Arc::new(CheckedResolver(reach)))
                .user_agent(concat!("obo-gateway/", env!("CARGO_PKG_VERSION")))
                .build()
                .ok()
        };
        match &self.ca {
            Some(ca) => build(Client::builder().tls_certs_only(ca.iter().cloned())),
            // On a machine without roots, plain http to loopback still works. Every https request then fails.
            None => build(Client::builder())
                .or_else(|| build(Client::builder().tls_certs_only(Vec::new()))),
        }
    }
}
