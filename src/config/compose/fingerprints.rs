//! Fingerprints of a configuration, by which the next one finds out what has not changed.
//!
//! Each settings type says what belongs to its fingerprint (see [`Fingerprint`]). This module says which of them
//! together decide if issuers, upstreams, the store, the cache and its entries remain in use.

use super::Read;
use crate::{
    exchange::EngineSettings,
    jose::StreamedDigest,
    policy::AcceptSettings,
    route::RouteSettings,
    settings::{BaseDir, Fingerprint, Fingerprinter},
    store::StoreSettings,
    verify::IssuerSettings,
};
use std::{collections::BTreeMap, fmt};

/// A one-way digest of settings and of the contents of the files that they name. It is only compared with others, and
/// is never written anywhere.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct SettingsDigest([u8; 32]);

impl fmt::Debug for SettingsDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SettingsDigest(redacted)")
    }
}

/// The fingerprints of one configuration.
#[derive(Debug, Default)]
pub(super) struct ConfigFingerprint {
    /// The fingerprint of `cache`.
    pub(super) cache: SettingsDigest,
    /// The fingerprint of `store`.
    pub(super) store: SettingsDigest,
    /// The fingerprint of each of `trusted_issuers`, by its position in the list.
    pub(super) issuers: BTreeMap<usize, SettingsDigest>,
    /// The fingerprints of each of `routes`, by its position in the list.
    pub(super) routes: BTreeMap<usize, RouteFingerprints>,
}

/// The fingerprints of one route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RouteFingerprints {
    /// The fingerprint of everything that affects its tokens.
    pub(super) exchange: SettingsDigest,
    /// The fingerprint of its upstream.
    pub(super) upstream: SettingsDigest,
}

impl ConfigFingerprint {
    pub(super) fn of(read: &Read, base: &BaseDir) -> Self {
        // every section: one that is forgotten does not compile
        let Read {
            listeners,
            admin,
            issuer,
            trusted_issuers,
            listed_issuers,
            doubtful: _,
            clients,
            directory,
            routes,
            cache,
            store,
            limits,
            shutdown,
            runtime,
            telemetry,
        } = read;
        let digest = |domain: &'static str, add: &dyn Fn(&mut Fingerprinter<'_>)| {
            let mut digest = StreamedDigest::new(domain);
            let mut receiver = |value: &[u8]| digest.field(value);
            add(&mut Fingerprinter::new(base, &mut receiver));
            SettingsDigest(digest.finish())
        };
        let common = digest("obo-gateway/config/common/2", &|common| {
            add_items("listeners", listeners, common);
            common.field("admin", admin);
            common.field("issuer", issuer);
            add_items("clients", clients, common);
            common.field("directory", directory);
            common.field("limits", limits);
            common.field("shutdown", shutdown);
            common.field("runtime", runtime);
            common.field("telemetry", telemetry);
        });
        let issuers: BTreeMap<usize, SettingsDigest> = trusted_issuers
            .iter()
            .map(|(position, issuer)| {
                let add = |digest: &mut Fingerprinter<'_>| issuer.add_to(digest);
                (*position, digest("obo-gateway/config/issuer/2", &add))
            })
            .collect();
        let routes = routes.iter().map(|(position, route)| {
            let exchange = digest("obo-gateway/config/exchange/2", &|exchange| {
                exchange.value(&common.0);
                add_trusted(route, trusted_issuers, &issuers, exchange);
                if route.accepts_own_tokens() {
                    // an own token may name its subject without the issuer if there is only one
                    exchange.field("sole_issuer", &(*listed_issuers == 1));
                }
                route.add_to(exchange);
            });
            let upstream = digest("obo-gateway/config/upstream/2", &|upstream| {
                route.upstream.add_to(upstream);
            });
            (*position, RouteFingerprints { exchange, upstream })
        });
        Self {
            cache: digest("obo-gateway/config/cache/2", &|digest| cache.add_to(digest)),
            store: digest("obo-gateway/config/store/2", &|digest| {
                add_store(store.as_ref(), issuer.as_ref(), digest);
            }),
            routes: routes.collect(),
            issuers,
        }
    }
}

fn add_items<T: Fingerprint>(
    name: &'static str,
    items: &[(usize, T)],
    fingerprint: &mut Fingerprinter<'_>,
) {
    fingerprint.field(name, &items.len());
    for (_, item) in items {
        item.add_to(fingerprint);
    }
}

/// Adds the issuers that `route` accepts: all of them, if it lists none.
fn add_trusted(
    route: &RouteSettings,
    trusted: &[(usize, IssuerSettings)],
    fingerprints: &BTreeMap<usize, SettingsDigest>,
    fingerprint: &mut Fingerprinter<'_>,
) {
    let accepts = route.exchange.as_ref().map(|exchange| &*exchange.accepts);
    let accepts = accepts.unwrap_or_default();
    for (position, issuer) in trusted {
        let is_named = |accept: &AcceptSettings| accept.issuer == issuer.name;
        if (accepts.is_empty() || accepts.iter().any(is_named))
            && let Some(issuer) = fingerprints.get(position)
        {
            fingerprint.value(&issuer.0);
        }
    }
}

/// Adds the store. Records on a server are sealed.
fn add_store(
    store: Option<&StoreSettings>,
    engine: Option<&EngineSettings>,
    fingerprint: &mut Fingerprinter<'_>,
) {
    if let Some(store) = store {
        store.add_to(fingerprint);
        if store.redis.is_some() {
            let keys = engine.map(|engine| &*engine.opaque_keys);
            fingerprint.field("opaque_keys", keys.unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests;
