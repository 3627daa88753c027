//! The `store.redis` section of the configuration, and how it becomes a store.

use super::{
    Redis, Surroundings,
    connection::{Server, Topology},
};
use crate::settings::{Building, Effects, SecretSettings, fingerprint};
use redis::{
    Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisError,
    TlsCertificates, TlsMode,
    cluster::ClusterClient,
    sentinel::{SentinelClientBuilder, SentinelServerType},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{fs, net::IpAddr, path::PathBuf, time::Duration};
use tokio::sync::Mutex;

/// A Redis or Valkey server (6.2 or later), shared by any number of gateways with the same `issuer.opaque_keys`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RedisSettings {
    /// The server's URL with user and password: `rediss://user:password@host:port/database`. For a cluster or
    /// sentinels, several URLs separated by commas.
    pub url: SecretSettings,
    /// `true` if the URLs are nodes of a Redis Cluster.
    #[serde(default)]
    pub cluster: bool,
    /// Set this if the URLs are sentinels. User and password in the URLs are then those of the servers that the
    /// sentinels monitor.
    pub sentinel: Option<SentinelSettings>,
    /// How the servers' certificates are verified, and the client certificate to present.
    #[serde(default)]
    pub tls: RedisTlsSettings,
    /// Allows `redis://` without encryption over a network. The stored data is encrypted anyway, but the password is
    /// not.
    #[serde(default)]
    pub insecure: bool,
}

fingerprint!(RedisSettings {
    fields: [url, cluster, sentinel, tls, insecure],
});

/// The master to ask the sentinels for, and how to authenticate to them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SentinelSettings {
    /// The name of the master.
    pub master: String,
    /// The user name for the sentinels themselves.
    pub username: Option<String>,
    /// The password for the sentinels themselves.
    pub password: Option<SecretSettings>,
}

fingerprint!(SentinelSettings {
    fields: [master, username, password],
});

/// How the certificates of Redis servers are verified, and the gateway's client certificate.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RedisTlsSettings {
    /// A PEM file with the CA certificates to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// A PEM file with the gateway's client certificate chain. Requires `private_key`. Default: no client
    /// certificate.
    pub certificate: Option<PathBuf>,
    /// A PEM file with the private key of the client certificate.
    pub private_key: Option<PathBuf>,
}

fingerprint!(RedisTlsSettings {
    files: [ca, certificate, private_key],
});

/// The timeout for a node of a cluster.
const WAIT: Duration = Duration::from_millis(800);

impl RedisSettings {
    /// Connects. Without effects, the settings are only checked, and there is no store.
    pub(in crate::store) fn build(
        &self,
        building: &mut Building<'_>,
        with: Surroundings,
    ) -> Option<Redis> {
        if building.effects == Effects::Imagined {
            return None;
        }
        if self.cluster && self.sentinel.is_some() {
            building.findings.error(
                "cluster and sentinel are both set",
                "remove the one that does not match the URLs",
            );
            return None;
        }
        let servers = building.within("url", |b| self.servers(b));
        let certificates = building.within("tls", |b| self.tls.build(b));
        let (servers, certificates) = (servers?, certificates?);
        let place = match self.place(servers, certificates, building)? {
            Ok(place) => place,
            Err(error) => {
                building
                    .findings
                    .error(error.to_string(), "write URLs and certificates that match");
                return None;
            }
        };
        if building.effects != Effects::Allowed {
            return None;
        }
        let server = Server::new(place, with.clock.clone());
        match Redis::connect(server, with) {
            Ok(store) => Some(store),
            Err(error) => {
                building.within("url", |b| {
                    b.findings.unavailable(
                        error.to_string(),
                        "without the revocations, the gateway would accept revoked tokens",
                        "the file is correct: start the server, or make it reachable for the gateway, and try again",
                    );
                });
                None
            }
        }
    }

    fn servers(&self, building: &mut Building<'_>) -> Option<Vec<ConnectionInfo>> {
        let secret = self.url.build(building)?;
        let text = str::from_utf8(secret.expose()).unwrap_or_default();
        let mut servers = Vec::new();
        for url in text.split(',').map(str::trim) {
            // the URL and the library's error about it contain a password and must not be shown
            let Ok(server) = url.into_connection_info() else {
                building.findings.error(
                    "expected a URL that starts with rediss:// or redis://",
                    "store a URL such as rediss://user:password@redis.example.com:6379/0 in the secret",
                );
                return None;
            };
            self.check(server.addr(), building)?;
            servers.push(server);
        }
        if servers.len() > 1 && !self.cluster && self.sentinel.is_none() {
            building.findings.error(
                "several URLs of one server",
                "add `cluster: true` or `sentinel: { master: … }`, or store one URL",
            );
            return None;
        }
        Some(servers)
    }

    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "the library's enum is non-exhaustive; no other kind of address goes over a network in the open"
    )]
    fn check(&self, address: &ConnectionAddr, building: &mut Building<'_>) -> Option<()> {
        match address {
            ConnectionAddr::Tcp(host, _) if !self.insecure && !is_loopback(host) => {
                building.findings.error_because(
                    "redis:// to another machine is not encrypted",
                    "anyone on the network path can read the password",
                    "store a rediss:// URL, or add `insecure: true`",
                );
                None
            }
            ConnectionAddr::TcpTls { insecure: true, .. } => {
                building.findings.error(
                    "the URL disables certificate verification",
                    "remove `#insecure` from it, and name the certificates to trust in `tls.ca`",
                );
                None
            }
            _ => Some(()),
        }
    }

    /// Returns `None` if a finding was reported.
    fn place(
        &self,
        servers: Vec<ConnectionInfo>,
        certificates: TlsCertificates,
        building: &mut Building<'_>,
    ) -> Option<Result<Topology, RedisError>> {
        if let Some(sentinel) = &self.sentinel {
            return building.within("sentinel", |b| sentinel.place(&servers, certificates, b));
        }
        if self.cluster {
            let encrypted = servers.iter().any(is_encrypted);
            let mut cluster = ClusterClient::builder(servers);
            if encrypted {
                // the library uses TLS for all nodes
                cluster = cluster.certs(certificates);
            }
            let cluster = cluster
                .connection_timeout(WAIT)
                .response_timeout(WAIT)
                .retries(1)
                .build();
            return Some(cluster.map(|cluster| Topology::Cluster(Box::new(cluster))));
        }
        let server = servers.into_iter().next()?;
        let client = if is_encrypted(&server) {
            Client::build_with_tls(server, certificates)
        } else {
            Client::open(server)
        };
        Some(client.map(|client| Topology::Node(Box::new(client))))
    }
}

impl SentinelSettings {
    fn place(
        &self,
        servers: &[ConnectionInfo],
        certificates: TlsCertificates,
        building: &mut Building<'_>,
    ) -> Option<Result<Topology, RedisError>> {
        let password = match &self.password {
            Some(password) => {
                let secret = building.within("password", |b| password.build(b))?;
                Some(String::from_utf8_lossy(secret.expose()).into_owned())
            }
            None => None,
        };
        let first = servers.first()?;
        let addresses = servers.iter().map(|server| server.addr().clone());
        let builder =
            SentinelClientBuilder::new(addresses, &self.master, SentinelServerType::Master);
        Some(builder.and_then(|mut builder| {
            let server = first.redis_settings();
            builder = builder.set_client_to_redis_db(server.db());
            if let Some(username) = server.username() {
                builder = builder.set_client_to_redis_username(username);
            }
            if let Some(password) = server.password() {
                builder = builder.set_client_to_redis_password(password);
            }
            if let Some(username) = &self.username {
                builder = builder.set_client_to_sentinel_username(username);
            }
            if let Some(password) = password {
                builder = builder.set_client_to_sentinel_password(password);
            }
            if is_encrypted(first) {
                builder = builder
                    .set_client_to_redis_tls_mode(TlsMode::Secure)
                    .set_client_to_redis_certificates(certificates.clone())
                    .set_client_to_sentinel_tls_mode(TlsMode::Secure)
                    .set_client_to_sentinel_certificates(certificates);
            }
            let client = builder.build()?;
            Ok(Topology::Sentinel(Box::new(Mutex::new(client))))
        }))
    }
}

impl RedisTlsSettings {
    fn build(&self, building: &mut Building<'_>) -> Option<TlsCertificates> {
        if self.certificate.is_some() != self.private_key.is_some() {
            building.findings.error(
                "certificate and private_key belong together",
                "write both or neither",
            );
            return None;
        }
        let mut read = |key: &'static str, path: &Option<PathBuf>| {
            let Some(path) = path else {
                return Some(None);
            };
            let path = building.base.resolve(path);
            match fs::read(&path) {
                Ok(bytes) => Some(Some(bytes)),
                Err(error) => {
                    building.within(key, |b| {
                        b.findings.error(
                            format!("{}: {error}", path.display()),
                            "name a PEM file that the gateway can read",
                        );
                    });
                    None
                }
            }
        };
        let root_cert = read("ca", &self.ca);
        let client_cert = read("certificate", &self.certificate);
        let client_key = read("private_key", &self.private_key);
        let client_tls = client_cert?.zip(client_key?);
        Some(TlsCertificates {
            client_tls: client_tls.map(|(client_cert, client_key)| ClientTlsConfig {
                client_cert,
                client_key,
            }),
            root_cert: root_cert?,
        })
    }
}

fn is_encrypted(server: &ConnectionInfo) -> bool {
    matches!(server.addr(), ConnectionAddr::TcpTls { .. })
}

/// RFC 6761 §6.3, RFC 1122 §3.2.1.3.
fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
