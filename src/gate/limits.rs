//! The `limits` section of the configuration.

use crate::{
    rate_limit::RateSettings,
    settings::{Building, ByteSize, HumanDuration, fingerprint},
};
use schemars::JsonSchema;
use serde::Deserialize;

/// The maximum number of fields that the HTTP library accepts.
pub(super) const MOST_FIELDS: usize = 256;

/// Limits on the size of requests, on connections, and on the rate of token service requests.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsSettings {
    /// Maximum length of a token, 1KiB to 1MiB. Longer tokens get 431.
    pub token: ByteSize,
    /// Maximum size of all headers together, 1KiB to 1MiB. Larger requests get 431.
    pub headers: ByteSize,
    /// Maximum length of path and query together, 1KiB to 1MiB. Longer targets get 414.
    pub target: ByteSize,
    /// Time in which a client must complete a request head, including the TLS handshake on a new connection. After it
    /// the connection is closed.
    pub header_timeout: HumanDuration,
    /// Maximum number of open client connections. New connections above it are closed immediately.
    #[schemars(range(min = 1))]
    pub connections: usize,
    /// Maximum number of open connections from one client address. New connections above it are closed immediately.
    /// Behind a load balancer all connections come from its address.
    #[schemars(range(min = 1))]
    pub connections_per_address: usize,
    /// Limits of the token service.
    pub token_service: TokenServiceLimitsSettings,
}

fingerprint!(LimitsSettings {
    without: {
        [token, headers, target]: "are checked for every request, before the cache is asked",
        [header_timeout, connections, connections_per_address]: "are about connections",
        [token_service]: "limits how many requests are served, not what they get",
    },
});

/// Limits of the token service. They do not apply to routes.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TokenServiceLimitsSettings {
    /// Rate limit of the token service. Default: no limit.
    pub requests_per_second: RateSettings,
}

impl Default for LimitsSettings {
    fn default() -> Self {
        Self {
            token: ByteSize::from_kib(16),
            headers: ByteSize::from_kib(64),
            target: ByteSize::from_kib(8),
            header_timeout: HumanDuration::from_secs(10),
            connections: 20_000,
            connections_per_address: 1_000,
            token_service: TokenServiceLimitsSettings::default(),
        }
    }
}

impl LimitsSettings {
    /// The maximum number of bytes of a head that are read before it is refused unparsed.
    pub fn head_bytes(&self) -> usize {
        self.headers
            .as_len()
            .saturating_mul(2)
            .saturating_add(self.target.as_len())
    }

    /// Reports limits outside of their allowed ranges.
    pub fn check(&self, building: &mut Building<'_>) {
        building.within("token_service", |b| {
            let rates = self.token_service.requests_per_second;
            b.within("requests_per_second", |b| rates.check(b));
        });
        let mib = ByteSize::from_mib(1);
        for (key, size) in [
            ("token", self.token),
            ("headers", self.headers),
            ("target", self.target),
        ] {
            if !(ByteSize::from_kib(1)..=mib).contains(&size) {
                building.within(key, |b| {
                    b.findings
                        .error("expected a size from 1KiB to 1MiB", "write e.g. 16KiB")
                });
            }
        }
        if self.header_timeout.get().is_zero() {
            building.within("header_timeout", |b| {
                b.findings.error(
                    "expected more than zero",
                    "write how long a client may take to send a head, e.g. 10s",
                )
            });
        }
        for (key, count) in [
            ("connections", self.connections),
            ("connections_per_address", self.connections_per_address),
        ] {
            if count == 0 {
                building.within(key, |b| {
                    b.findings.error(
                        "expected at least 1",
                        "write how many connections may be open",
                    )
                });
            }
        }
    }
}
