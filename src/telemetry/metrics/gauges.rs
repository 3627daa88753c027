//! The gauges that are set at each scrape, instead of being updated continuously.

use super::family::{Gauge, GaugeFamily};
use crate::clock::UnixTime;
use prometheus::Registry;
use std::time::Duration;

/// The gauges that [`Metrics::on_scrape`](super::Metrics::on_scrape) sets.
pub struct Gauges {
    cache_bytes: Gauge,
    cache_entries: Gauge,
    revocations_stale: Gauge,
    key_ages: GaugeFamily,
    certificates: GaugeFamily,
}

/// The purpose of one of the gateway's own certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateUse {
    /// Authenticates the gateway to the clients of a listener.
    Listener,
    /// Authenticates the gateway to the upstream of a route.
    UpstreamClient,
}

impl CertificateUse {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Listener => "listener",
            Self::UpstreamClient => "upstream_client",
        }
    }
}

impl Gauges {
    pub(super) fn register(registry: &Registry) -> Self {
        let gauge = |name, help| Gauge::register(registry, name, help, &[]);
        Self {
            cache_bytes: gauge(
                "obo_cache_bytes",
                "Memory that cached exchanges use, in bytes.",
            ),
            cache_entries: gauge("obo_cache_entries", "Cached exchanges."),
            revocations_stale: gauge(
                "obo_revocations_stale",
                "1 if this gateway may accept tokens that other gateways have revoked, otherwise 0.",
            ),
            key_ages: GaugeFamily::register(
                registry,
                "obo_jwks_age_seconds",
                "Time since the keys in use were fetched, in seconds.",
                &["issuer"],
            ),
            certificates: GaugeFamily::register(
                registry,
                "obo_certificate_expiry_timestamp_seconds",
                "Expiry of the gateway's own certificates, in seconds since 1970.",
                &["use", "name"],
            ),
        }
    }

    /// Sets `obo_revocations_stale`.
    pub fn revocations(&self, stale: bool) {
        self.revocations_stale.set(i64::from(stale));
    }

    /// Sets `obo_cache_bytes` and `obo_cache_entries`.
    pub fn cache(&self, bytes: u64, entries: u64) {
        self.cache_bytes
            .set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.cache_entries
            .set(i64::try_from(entries).unwrap_or(i64::MAX));
    }

    /// Sets `obo_jwks_age_seconds` for every issuer with keys, and removes it for all others.
    pub fn key_ages<'a>(&self, ages: impl IntoIterator<Item = (&'a str, Duration)>) {
        self.key_ages.clear();
        for (issuer, age) in ages {
            let seconds = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
            self.key_ages.set(&[issuer], seconds);
        }
    }

    /// Sets `obo_certificate_expiry_timestamp_seconds` for every certificate, by its use and the name of its listener
    /// or route, and removes it for all others.
    pub fn certificates<'a>(
        &self,
        certificates: impl IntoIterator<Item = (CertificateUse, &'a str, UnixTime)>,
    ) {
        self.certificates.clear();
        for (used, name, expires_at) in certificates {
            self.certificates
                .set(&[used.as_str(), name], expires_at.as_secs());
        }
    }
}
