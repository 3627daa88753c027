//! The `cache` section of the configuration.

use crate::settings::{Building, ByteSize, Percentage, fingerprint};
use schemars::JsonSchema;
use serde::Deserialize;

/// The in-memory cache of exchanged tokens.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CacheSettings {
    /// Maximum memory of all cached exchanges, including overhead. At least 1MiB. When the cache is full, the least
    /// used entries are evicted.
    pub max_size: ByteSize,
    /// A hit after this share of an entry's lifetime starts a new exchange in the background. `100%` turns this off:
    /// the first request after expiry then waits for the exchange.
    pub refresh_ahead: Percentage,
}

fingerprint!(CacheSettings {
    fields: [max_size, refresh_ahead],
});

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            max_size: ByteSize::from_mib(256),
            refresh_ahead: Percentage::of(80),
        }
    }
}

impl CacheSettings {
    /// Reports an invalid size.
    pub fn check(&self, building: &mut Building<'_>) {
        if self.max_size < ByteSize::from_mib(1) {
            building.within("max_size", |b| {
                b.findings.error(
                    "expected at least 1MiB",
                    "write how much memory the cache may use, e.g. 256MiB",
                );
            });
        }
    }
}
