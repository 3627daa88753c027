//! The values that are asked for when somebody looks, instead of being kept up to date.

use super::family::{Gauge, GaugeFamily};
use crate::clock::UnixTime;
use prometheus::Registry;
use std::time::Duration;

/// The gauges that [`Metrics::on_scrape`](super::Metrics::on_scrape) fills in.
pub struct Gauges {
    cache_bytes: Gauge,
    cache_entries: Gauge,
    revocations_stale: Gauge,
    key_ages: GaugeFamily,
    certificates: GaugeFamily,
}

/// What a certificate of the gateway's own proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateUse {
    /// Who the gateway is to clients of a listener.
    Listener,
    /// Who the gateway is to the upstream of a route.
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
            cache_bytes: gauge("obo_cache_bytes", "Bytes that remembered exchanges take."),
            cache_entries: gauge("obo_cache_entries", "Remembered exchanges."),
            revocations_stale: gauge(
                "obo_revocations_stale",
                "1 where others may have revoked what is still accepted here.",
            ),
            key_ages: GaugeFamily::register(
                registry,
                "obo_jwks_age_seconds",
                "Time since the keys in use were fetched.",
                &["issuer"],
            ),
            certificates: GaugeFamily::register(
                registry,
                "obo_certificate_expiry_timestamp_seconds",
                "When a certificate of the gateway's own expires, in seconds since 1970.",
                &["use", "name"],
            ),
        }
    }

    /// `obo_revocations_stale`.
    pub fn revocations(&self, stale: bool) {
        self.revocations_stale.set(i64::from(stale));
    }

    /// `obo_cache_bytes` and `obo_cache_entries`.
    pub fn cache(&self, bytes: u64, entries: u64) {
        self.cache_bytes
            .set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.cache_entries
            .set(i64::try_from(entries).unwrap_or(i64::MAX));
    }

    /// `obo_jwks_age_seconds` of every issuer that has keys; of no other from now on.
    pub fn key_ages<'a>(&self, ages: impl IntoIterator<Item = (&'a str, Duration)>) {
        self.key_ages.clear();
        for (issuer, age) in ages {
            let seconds = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
            self.key_ages.set(&[issuer], seconds);
        }
    }

    /// `obo_certificate_expiry_timestamp_seconds` of every certificate, by its use and the name of its listener or route;
    /// of no other from now on.
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
