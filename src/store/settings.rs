//! The `store` section of the configuration, and how it becomes a store.

use super::{Embedded, OpenError, RedisSettings, Stores, redis::Surroundings as RedisSurroundings};
use crate::{
    clock::{SharedClock, SharedRandomness},
    jose::SealingKeys,
    settings::{Building, Effects, exactly_one, fingerprint},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::runtime::Handle;

/// Where revocations and refresh tokens are stored, so that they survive a restart. Without a store, revocation and
/// refresh tokens are not available.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = exactly_one(&["embedded", "redis"]))]
pub struct StoreSettings {
    /// A local file, for a single gateway.
    pub embedded: Option<EmbeddedSettings>,
    /// A server that several gateways share.
    pub redis: Option<RedisSettings>,
}

fingerprint!(StoreSettings {
    fields: [embedded, redis],
});

/// The components that a store needs.
#[derive(Debug, Clone)]
pub struct StoreParts {
    /// The source of the current time.
    pub clock: SharedClock,
    /// The source of random bytes.
    pub randomness: SharedRandomness,
    /// The runtime for all network I/O.
    pub io: Handle,
    /// The keys that seal everything that leaves the process.
    pub keys: Option<Arc<SealingKeys>>,
}

/// A store in a local file, for a single gateway.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmbeddedSettings {
    /// The file. If it does not exist, it is created, readable only by its owner.
    pub path: PathBuf,
}

// the gateway itself writes the file
fingerprint!(EmbeddedSettings { paths: [path] });

impl StoreSettings {
    /// Opens the store. Without effects, the settings are only checked, and there is no store.
    pub fn build(&self, building: &mut Building<'_>, parts: StoreParts) -> Option<Stores> {
        building.findings.exactly_one(&[
            ("embedded", self.embedded.is_some()),
            ("redis", self.redis.is_some()),
        ])?;
        if let Some(embedded) = &self.embedded {
            return building.within("embedded", |b| embedded.build(b, parts));
        }
        let redis = self.redis.as_ref()?;
        building.within("redis", |b| {
            let Some(keys) = parts.keys else {
                b.findings.error_because(
                    "issuer.opaque_keys is missing",
                    "all records are sealed with them before they leave the gateway",
                    "write issuer.opaque_keys: [ { file: keys/opaque-1.key, generate: true } ], the same key for all gateways",
                );
                return None;
            };
            let with = RedisSurroundings {
                clock: parts.clock,
                randomness: parts.randomness,
                io: parts.io,
                keys,
            };
            let store = redis.build(b, with)?;
            Some(Stores::Redis(Arc::new(store)))
        })
    }
}

impl EmbeddedSettings {
    fn build(&self, building: &mut Building<'_>, parts: StoreParts) -> Option<Stores> {
        let path = building.base.resolve(&self.path);
        let opened = match building.effects {
            Effects::None => Embedded::look(&path).map(|()| None),
            Effects::Imagined => return None,
            Effects::Allowed => Embedded::open(&path, parts.clock, parts.randomness).map(Some),
        };
        match opened {
            Ok(store) => store.map(|store| Stores::Embedded(Arc::new(store))),
            Err(error) => {
                building.within("path", |b| report(&path, &error, b));
                None
            }
        }
    }
}

fn report(path: &Path, error: &OpenError, building: &mut Building<'_>) {
    let what = format!("{}: {error}", path.display());
    match error {
        OpenError::Locked => building.findings.error_because(
            what,
            "only one process may open an embedded store",
            "use a separate path for each gateway, or share a redis store",
        ),
        OpenError::Empty | OpenError::Damaged(_) => building.findings.error_because(
            what,
            "its revocations would be lost, and revoked tokens would be accepted again",
            "restore a backup; or remove the file, replace the signing and opaque keys, and start again",
        ),
        OpenError::NotAStore => building
            .findings
            .error(what, "name the file of a store, or one that does not exist yet"),
        OpenError::OtherFormat(_) => building
            .findings
            .error(what, "run the version of the gateway that wrote it"),
        OpenError::Io(_) => building.findings.error(
            what,
            "name a file that the gateway can read and write, in a folder where it may create files",
        ),
    }
}
