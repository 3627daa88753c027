//! The upstream of a route: its targets, Host field, timeouts and TLS.

use crate::settings::{
    Building, HumanDuration, OutboundUrl, UpstreamTlsSettings, UrlError, fingerprint, not_empty,
};
use http::HeaderValue;
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// The API behind a route.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpstreamSettings {
    /// The servers of the API. Several servers take turns, in proportion to their `weight`.
    #[schemars(transform = not_empty)]
    pub targets: Vec<TargetSettings>,
    /// The Host header sent to the API: `target` (the target's own host), `preserve` (the client's Host), or a fixed
    /// name. Default: `target`.
    pub host: Option<String>,
    /// Replaces the part of the path that `match` matched. With `prefix: /reports` and `rewrite_prefix: /v1`,
    /// `/reports/2026` becomes `/v1/2026`. Default: the path is unchanged.
    #[schemars(regex(pattern = "^/"))]
    pub rewrite_prefix: Option<String>,
    /// Uses HTTP/2 to the targets: negotiated by ALPN over https, with prior knowledge over plain http. Default:
    /// HTTP/1.1.
    #[serde(default)]
    pub http2: bool,
    /// How the gateway verifies the targets' certificates, and the client certificate that it presents to them.
    #[serde(default)]
    pub tls: UpstreamTlsSettings,
    /// How long to wait for the API.
    #[serde(default)]
    pub timeouts: TimeoutSettings,
}

fingerprint!(UpstreamSettings {
    fields: [targets, host, rewrite_prefix, http2, tls, timeouts],
});

/// One server of the API.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetSettings {
    /// Scheme, host and port, without a path.
    #[schemars(with = "OutboundUrl")]
    pub url: String,
    /// How many turns this server takes in each round, 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    #[serde(default = "one")]
    pub weight: u8,
    /// Allows plain http to another machine. Anyone on the network path can then read the issued tokens.
    #[serde(default)]
    pub insecure: bool,
}

fingerprint!(TargetSettings {
    fields: [url, weight, insecure],
});

const fn one() -> u8 {
    1
}

/// How long to wait for the API.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TimeoutSettings {
    /// Time to establish a connection, including the TLS handshake. After it the client gets 504.
    pub connect: HumanDuration,
    /// Time until the complete response head has arrived, measured from when the request was sent. After it the
    /// client gets 504. It is also the longest pause within the body.
    ///
    /// Streams use the longer of this and `idle`. Until the head arrives, a request counts as a stream if its
    /// `Accept` names a streaming type or if it is a gRPC call. After that the `Content-Type` of the response decides
    /// (with `http2: true` for the API and HTTP/2 to the client, only if the request already asked for a stream).
    ///
    /// Streaming types are `text/event-stream`, `multipart/x-mixed-replace`, `application/grpc*`,
    /// `application/connect+*` and sequences of JSON or other records (`application/x-ndjson`, `jsonl`, `json-seq`,
    /// `stream+json`, …).
    pub response: HumanDuration,
    /// The longest pause within a streaming response and within a request body. Unused connections to the API are
    /// closed after this time.
    pub idle: HumanDuration,
}

fingerprint!(TimeoutSettings {
    fields: [connect, response, idle],
});

impl Default for TimeoutSettings {
    fn default() -> Self {
        Self {
            connect: HumanDuration::from_secs(2),
            response: HumanDuration::from_secs(15),
            idle: HumanDuration::from_secs(60),
        }
    }
}

/// A compiled upstream.
#[derive(Debug, Clone)]
pub struct Upstream {
    targets: Vec<UpstreamTarget>,
    host: UpstreamHost,
    rewrite_prefix: Option<Box<str>>,
    http2: bool,
    tls: UpstreamTlsSettings,
    timeouts: TimeoutSettings,
}

/// One server of the upstream.
#[derive(Debug, Clone)]
pub struct UpstreamTarget {
    /// Its URL.
    pub url: OutboundUrl,
    /// How many turns it takes in each round.
    pub weight: u8,
    /// The Host field with its own name.
    pub authority: HeaderValue,
}

/// The Host field that the upstream receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpstreamHost {
    /// The target's own authority.
    Target,
    /// The client's Host field.
    Preserve,
    /// A configured name.
    Named(HeaderValue),
}

impl Upstream {
    /// The targets, at least one.
    pub fn targets(&self) -> &[UpstreamTarget] {
        &self.targets
    }

    /// The Host field that the targets receive.
    pub fn host(&self) -> &UpstreamHost {
        &self.host
    }

    /// The replacement of the matched prefix.
    pub fn rewrite_prefix(&self) -> Option<&str> {
        self.rewrite_prefix.as_deref()
    }

    /// Returns `true` if the targets are called with HTTP/2.
    pub fn http2(&self) -> bool {
        self.http2
    }

    /// Returns `true` if the connection to a target is unencrypted and leaves this machine.
    pub fn is_exposed(&self) -> bool {
        let exposed = |url: &OutboundUrl| url.is_plain() && !url.is_loopback();
        self.targets.iter().any(|target| exposed(&target.url))
    }

    /// The TLS settings.
    pub fn tls(&self) -> &UpstreamTlsSettings {
        &self.tls
    }

    /// The maximum time to establish a connection.
    pub fn connect_timeout(&self) -> Duration {
        self.timeouts.connect.get()
    }

    /// The maximum time until the response head has arrived.
    pub fn response_timeout(&self) -> Duration {
        self.timeouts.response.get()
    }

    /// The maximum pause between two chunks of a body.
    pub fn idle_timeout(&self) -> Duration {
        self.timeouts.idle.get()
    }
}

impl UpstreamSettings {
    pub(super) fn build(&self, building: &mut Building<'_>) -> Option<Upstream> {
        let before = building.findings.errors();
        let targets = building.within("targets", |b| self.targets(b));
        let host = building.within("host", |b| self.host(b));
        building.within("rewrite_prefix", |b| self.check_rewrite(b));
        building.within("timeouts", |b| self.timeouts.check(b));
        building.within("tls", |b| check_tls(&self.tls, b));
        (building.findings.errors() == before).then_some(())?;
        Some(Upstream {
            targets,
            host: host?,
            rewrite_prefix: self.rewrite_prefix.as_deref().map(Into::into),
            http2: self.http2,
            tls: self.tls.clone(),
            timeouts: self.timeouts,
        })
    }

    fn targets(&self, building: &mut Building<'_>) -> Vec<UpstreamTarget> {
        if self.targets.is_empty() {
            building.findings.error(
                "expected at least one target",
                "write [ { url: https://api.internal:8443 } ]",
            );
        }
        let targets = self.targets.iter().enumerate();
        targets
            .filter_map(|(position, target)| building.within(position, |b| target.build(b)))
            .collect()
    }

    fn host(&self, building: &mut Building<'_>) -> Option<UpstreamHost> {
        match self.host.as_deref() {
            None | Some("target") => Some(UpstreamHost::Target),
            Some("preserve") => Some(UpstreamHost::Preserve),
            Some(name) => {
                let authority = name
                    .parse::<http::uri::Authority>()
                    .ok()
                    .filter(|a| !a.as_str().contains('@'));
                let value =
                    authority.and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
                if value.is_none() {
                    building.findings.error(
                        format!("expected target, preserve or a host name, found {name:?}"),
                        "write the host name that the API expects",
                    );
                }
                value.map(UpstreamHost::Named)
            }
        }
    }

    fn check_rewrite(&self, building: &mut Building<'_>) {
        if let Some(prefix) = &self.rewrite_prefix
            && let Err(error) = crate::gate::check_path(prefix)
        {
            building.findings.error(
                format!("{prefix:?} is not a valid path: {error}"),
                "write what replaces the matched prefix, e.g. / or /v1",
            );
        }
    }
}

impl TargetSettings {
    fn build(&self, building: &mut Building<'_>) -> Option<UpstreamTarget> {
        let parsed = if self.insecure {
            OutboundUrl::parse_insecure(&self.url)
        } else {
            OutboundUrl::parse(&self.url)
        };
        let url = match parsed {
            Ok(url) => url,
            Err(error @ UrlError::Unencrypted(_)) => {
                building.within("url", |b| {
                    b.findings.error_because(
                        error.to_string(),
                        "the on-behalf-of token would be sent unencrypted",
                        "write https, or add insecure: true to the target if that is meant",
                    );
                });
                return None;
            }
            Err(error) => {
                building.within("url", |b| {
                    b.findings.error(
                        error.to_string(),
                        "write scheme, host and port, e.g. https://api.internal:8443",
                    )
                });
                return None;
            }
        };
        if !matches!(url.url().path(), "" | "/") || url.url().query().is_some() {
            building.within("url", |b| {
                b.findings.error(
                    "a target URL contains only scheme, host and port",
                    "move the path to rewrite_prefix",
                )
            });
            return None;
        }
        if !(1..=100).contains(&self.weight) {
            building.within("weight", |b| {
                b.findings.error(
                    "expected a number from 1 to 100",
                    "write the target's share of each round of requests",
                )
            });
            return None;
        }
        if url.is_plain() && !url.is_loopback() {
            building.within("url", |b| {
                b.findings.warn(
                    "plain http to another machine",
                    "anyone on the network path can read the on-behalf-of token and use it until it expires",
                    "use https if the API supports it",
                );
            });
        }
        let authority = HeaderValue::from_str(&url.authority()).ok()?;
        Some(UpstreamTarget {
            url,
            weight: self.weight,
            authority,
        })
    }
}

impl TimeoutSettings {
    fn check(&self, building: &mut Building<'_>) {
        for (key, value) in [
            ("connect", self.connect),
            ("response", self.response),
            ("idle", self.idle),
        ] {
            if value.get().is_zero() {
                building.within(key, |b| {
                    b.findings.error_because(
                        "expected more than zero",
                        "without a timeout, one API could block every connection",
                        "write a duration, e.g. 15s",
                    )
                });
            }
        }
    }
}

fn check_tls(tls: &UpstreamTlsSettings, building: &mut Building<'_>) {
    if tls.certificate.is_some() != tls.private_key.is_some() {
        building.findings.error(
            "a client certificate needs its key, and a key its certificate",
            "write both certificate and private_key, or neither",
        );
    }
    if tls.server_name.as_deref().is_some_and(str::is_empty) {
        building.within("server_name", |b| {
            b.findings.error_because(
                "expected a name",
                "without one the server's certificate would not be verified",
                "write the name in the server's certificate",
            )
        });
    }
}
