//! Runs the components of the demo: a provider, two APIs and a gateway, on free ports of this machine.
//!
//! The gateway is the same as that of `run`, started from the same file with other addresses. Everything listens on
//! loopback; all keys and logs are in one folder, which is removed at the end.

use super::{
    DemoError,
    api::{Api, ApiTerms},
    client::{self, DemoResponse},
    folder::Folder,
    provider::{Presented, Provider},
    site,
};
use crate::{
    cli::Gateway,
    config::{Surroundings, overridden},
    edge::{Edge, Listener},
    egress::Egress,
    settings::OutboundUrl,
    token::RawToken,
};
use serde_json::Value;
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};
use tokio::time::{sleep, timeout};

/// Maximum time for the gateway to fetch the provider's keys.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// Maximum time for a line of the access log, which is written every 100 ms.
const LOGGED_WITHIN: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(5);
/// Number of attempts: a port that was free can be taken by another program in the meantime.
const ATTEMPTS: usize = 5;

const ACCESS_LOG: &str = "access.jsonl";
const AUDIT_LOG: &str = "audit.jsonl";

/// All running components. Dropping it ends them and removes the folder.
pub(super) struct World {
    gateway: Gateway,
    _sites: Edge,
    folder: Folder,
    pub(super) orders: Arc<Api>,
    pub(super) reports: Arc<Api>,
    pub(super) tokens: Presented,
    pub(super) addresses: Addresses,
}

/// The addresses of all components.
#[derive(Debug, Clone, Copy)]
pub(super) struct Addresses {
    pub(super) provider: SocketAddr,
    pub(super) gateway: SocketAddr,
    pub(super) admin: SocketAddr,
    pub(super) orders: SocketAddr,
    pub(super) reports: SocketAddr,
}

impl World {
    /// Starts everything; `configuration` is changed to use free ports.
    pub(super) async fn start(
        configuration: &str,
        surroundings: &Surroundings,
    ) -> Result<Self, DemoError> {
        let mut attempts = 1..=ATTEMPTS;
        loop {
            attempts.next();
            match Self::try_start(configuration, surroundings) {
                Err(DemoError::Start(error))
                    if !error.is_configuration() && !attempts.is_empty() => {}
                Err(error) => return Err(error),
                Ok(world) => {
                    timeout(READY_WITHIN, world.until_ready())
                        .await
                        .map_err(|_| DemoError::NotReady)?;
                    return Ok(world);
                }
            }
        }
    }

    fn try_start(configuration: &str, surroundings: &Surroundings) -> Result<Self, DemoError> {
        let folder = Folder::new(surroundings.randomness.as_ref())?;
        let (provider_at, orders_at, reports_at) = (listener()?, listener()?, listener()?);
        let mut addresses = Addresses {
            provider: provider_at.local_address(),
            gateway: free_address()?,
            admin: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            orders: orders_at.local_address(),
            reports: reports_at.local_address(),
        };
        let clock = &surroundings.clock;
        let provider = Provider::new(origin(addresses.provider), Arc::clone(clock))?;
        let tokens = provider.tokens()?;
        let egress = Egress::new(surroundings.io.clone());
        let api = |audience| -> Result<Arc<Api>, DemoError> {
            let terms = ApiTerms {
                audience,
                issuer: origin(addresses.gateway),
                keys: OutboundUrl::parse(&format!("{}/oauth/v2/keys", origin(addresses.gateway)))?,
            };
            Ok(Arc::new(Api::new(terms, egress.clone(), Arc::clone(clock))))
        };
        let (orders, reports) = (api("orders-api")?, api("reports-api")?);
        let sites = site::edge()?;
        site::serve(&sites, provider_at, &Arc::new(provider))?;
        site::serve(&sites, orders_at, &orders)?;
        site::serve(&sites, reports_at, &reports)?;

        folder.write("alice.token", tokens.alice.expose())?;
        folder.write("bob.token", tokens.bob.expose())?;
        let moved = moved(configuration, &addresses)?;
        let file = folder.write("gateway.yaml", moved.as_bytes())?;
        let gateway = Gateway::start(&file, surroundings)?;
        addresses.admin = gateway.admin_address();
        Ok(Self {
            gateway,
            _sites: sites,
            folder,
            orders,
            reports,
            tokens,
            addresses,
        })
    }

    async fn until_ready(&self) {
        while !self.gateway.is_ready() {
            sleep(POLL).await;
        }
    }

    /// Sends a request to the gateway, as the portal does.
    pub(super) async fn ask(
        &self,
        path: &str,
        token: &RawToken,
    ) -> Result<DemoResponse, DemoError> {
        Ok(client::get(self.addresses.gateway, path, Some(token)).await?)
    }

    /// Returns the line of the gateway's access log for the request that received `response`.
    pub(super) async fn logged(&self, response: &DemoResponse) -> Result<Value, DemoError> {
        let id = response
            .header("x-request-id")
            .ok_or(DemoError::NotLogged)?
            .to_owned();
        let path = self.folder.path().join(ACCESS_LOG);
        let look = async {
            loop {
                if let Some(entry) = entry(&path, &id) {
                    return entry;
                }
                sleep(POLL).await;
            }
        };
        timeout(LOGGED_WITHIN, look)
            .await
            .map_err(|_| DemoError::NotLogged)
    }

    /// Returns the lines of the gateway's metrics that start with `name` and contain `label`, except those with the
    /// value zero.
    pub(super) async fn metrics(&self, name: &str, label: &str) -> Result<Vec<String>, DemoError> {
        let response = client::get(self.addresses.admin, "/metrics", None).await?;
        let wanted = |line: &&str| {
            line.starts_with(&format!("{name}{{")) && line.contains(label) && !line.ends_with(" 0")
        };
        Ok(response
            .body
            .lines()
            .filter(wanted)
            .map(str::to_owned)
            .collect())
    }

    /// Returns the folder with the tokens, the configuration and the logs.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Drains the gateway.
    pub(super) async fn end(self) {
        let _ = self.gateway.drain().await;
    }
}

/// Returns `configuration` with the addresses, keys and logs of the demo.
fn moved(configuration: &str, at: &Addresses) -> Result<String, DemoError> {
    let (gateway, provider) = (origin(at.gateway), origin(at.provider));
    let (orders, reports) = (origin(at.orders), origin(at.reports));
    let values = [
        ("listeners.0.address", at.gateway.to_string()),
        ("admin.address", at.admin.to_string()),
        ("issuer.url", gateway),
        ("issuer.signing_keys.0.file", "signing.pem".to_owned()),
        ("trusted_issuers.0.issuer", provider),
        ("routes.0.upstream.targets.0.url", orders.clone()),
        ("routes.1.upstream.targets.0.url", reports),
        ("routes.2.upstream.targets.0.url", orders),
        ("telemetry.log.access.file", ACCESS_LOG.to_owned()),
        ("telemetry.audit.file", AUDIT_LOG.to_owned()),
        ("shutdown.grace", "2s".to_owned()),
    ]
    .map(|(path, value)| (path, value.into()));
    Ok(overridden(configuration, &values)?)
}

fn entry(path: &Path, request_id: &str) -> Option<Value> {
    fs::read_to_string(path)
        .ok()?
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|entry| entry.get("request_id").and_then(Value::as_str) == Some(request_id))
}

fn listener() -> Result<Listener, DemoError> {
    Ok(Listener::bind((Ipv4Addr::LOCALHOST, 0).into(), None)?)
}

/// Returns a free address for the gateway, whose own URL must be known before it listens.
fn free_address() -> Result<SocketAddr, DemoError> {
    Ok(listener()?.local_address())
}

pub(super) fn origin(address: SocketAddr) -> String {
    format!("http://{address}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::demo::CONFIGURATION;

    #[test]
    fn no_address_of_the_file_is_left() {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let addresses = Addresses {
            provider: address,
            gateway: address,
            admin: address,
            orders: address,
            reports: address,
        };
        let text = moved(CONFIGURATION, &addresses).unwrap();
        let ports: Vec<_> = text
            .match_indices("127.0.0.1:")
            .map(|(at, found)| &text[at + found.len()..][..2])
            .collect();
        assert!(!ports.is_empty());
        assert!(ports.iter().all(|port| *port == "1\n"), "{text}");
        assert!(!text.contains("0.0.0.0") && !text.contains("localhost"));
    }
}
