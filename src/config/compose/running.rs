//! Takes over unchanged components from the running configuration: issuers with their keys, upstreams with their
//! connections, and the cache with its entries.
//!
//! A cache entry remains valid while its route keeps its generation. A route keeps it only if nothing has changed that
//! affects its tokens.

use super::fingerprints::{ConfigFingerprint, RouteFingerprints, SettingsDigest};
use crate::{
    cache::ExchangeCache,
    exchange::EngineParts,
    jose::Algorithm,
    proxy::{Hooks, Peers},
    route::Route,
    store::{OnceOnly, Stores},
    telemetry::{Decisions, IdSource, Metrics},
    verify::TrustedIssuer,
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// Maximum number of remembered identifiers of client JWTs: about 50 MB.
const REMEMBERED: usize = 1 << 20;

/// The running configuration, for building the next one.
#[derive(Debug)]
pub struct Running {
    /// The components that serve requests.
    pub hooks: Arc<Hooks>,
    /// The trusted issuers.
    pub issuers: Vec<Arc<TrustedIssuer>>,
    /// The store, if one is configured.
    pub store: Option<Stores>,
    /// The metrics.
    pub metrics: Metrics,
    /// What the next configuration needs to find out what has not changed.
    pub memory: Memory,
}

/// The data of a configuration that is needed to find out what the next one changes.
#[derive(Debug, Default)]
pub struct Memory {
    fingerprints: ConfigFingerprint,
    routes: HashMap<Box<str>, Known>,
    /// The ids of the published keys, and the algorithm that each is published for.
    keys: BTreeSet<(Box<str>, Algorithm)>,
    /// The highest generation that any route had.
    generation: u64,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    position: usize,
    fingerprints: RouteFingerprints,
    generation: u64,
}

/// A configuration that is being built, and the running one that it may replace.
pub(super) struct ReloadPlan<'a> {
    running: Option<&'a Running>,
    next: Memory,
    /// `true` if a signing key was withdrawn or has another algorithm, so that upstreams may no longer be able to verify
    /// earlier tokens.
    keys_gone: bool,
}

impl<'a> ReloadPlan<'a> {
    pub(super) fn new(running: Option<&'a Running>, fingerprints: ConfigFingerprint) -> Self {
        let generation = running.map_or(0, |running| running.memory.generation);
        Self {
            running,
            next: Memory {
                fingerprints,
                generation,
                ..Memory::default()
            },
            keys_gone: false,
        }
    }

    pub(super) fn ids(&self) -> Option<IdSource> {
        self.running.map(|running| running.hooks.ids.clone())
    }

    /// Returns the decisions on recent requests.
    pub(super) fn decisions(&self) -> Decisions {
        self.running.map_or_else(Decisions::default, |running| {
            running.hooks.decisions.clone()
        })
    }

    /// Returns the identifiers that were used, which stay used after a reload.
    pub(super) fn once(&self) -> OnceOnly {
        self.running.map_or_else(
            || OnceOnly::in_memory(REMEMBERED),
            |running| running.hooks.service.once(),
        )
    }

    /// Records the published keys of the new configuration.
    pub(super) fn keys(&mut self, engine: &EngineParts) {
        let published = engine.keys.iter().map(|key| (key.kid().into(), key.alg()));
        self.next.keys = published.collect();
        self.keys_gone = self
            .running
            .is_some_and(|running| !running.memory.keys.is_subset(&self.next.keys));
    }

    /// Returns the running issuer `name`, which is listed at `position`, if nothing about it has changed.
    pub(super) fn issuer(&self, name: &str, position: usize) -> Option<Arc<TrustedIssuer>> {
        let running = self.running?;
        let fingerprint = self.next.fingerprints.issuers.get(&position)?;
        let same = |other: &SettingsDigest| other == fingerprint;
        let unchanged = running.memory.fingerprints.issuers.values().any(same);
        let issuer = running
            .issuers
            .iter()
            .find(|issuer| issuer.name() == name)?;
        unchanged.then(|| Arc::clone(issuer))
    }

    /// Returns the cache with its entries, if neither its settings nor the store of the revocations have changed.
    pub(super) fn cache(&self) -> Option<ExchangeCache> {
        let running = self.running?;
        let (known, next) = (&running.memory.fingerprints, &self.next.fingerprints);
        let unchanged = known.cache == next.cache && known.store == next.store;
        unchanged.then(|| running.hooks.pipeline.cache.clone())
    }

    /// Returns the store, if its settings have not changed.
    pub(super) fn store(&self) -> Option<Stores> {
        let running = self.running?;
        let unchanged = running.memory.fingerprints.store == self.next.fingerprints.store;
        running.store.clone().filter(|_| unchanged)
    }

    pub(super) fn peers(&self) -> Peers {
        self.running
            .map_or_else(Peers::default, |running| running.hooks.peers.successor())
    }

    /// Assigns a generation to `route`: its current one if nothing has changed that affects its tokens, otherwise one
    /// that no route has had.
    pub(super) fn generation(&mut self, route: Route) -> Route {
        let Some(fingerprints) = self
            .next
            .fingerprints
            .routes
            .get(&route.position())
            .copied()
        else {
            return route;
        };
        let known = self.known(route.name());
        let unchanged = known.filter(|known| {
            known.fingerprints.exchange == fingerprints.exchange && !self.keys_gone
        });
        let generation = unchanged.map_or_else(
            || {
                self.next.generation += 1;
                self.next.generation
            },
            |known| known.generation,
        );
        let known = Known {
            position: route.position(),
            fingerprints,
            generation,
        };
        self.next.routes.insert(route.name().into(), known);
        route.in_generation(generation)
    }

    /// Makes `route` use its running servers. Returns `true` if nothing about them has changed.
    pub(super) fn keep_peers(&self, route: &Route, peers: &mut Peers) -> bool {
        let fingerprints = self.next.fingerprints.routes.get(&route.position());
        let known = self.known(route.name());
        match (self.running, known, fingerprints) {
            (Some(running), Some(known), Some(fingerprints))
                if known.fingerprints.upstream == fingerprints.upstream =>
            {
                peers.keep(route, &running.hooks.peers, known.position)
            }
            (_, _, _) => false,
        }
    }

    fn known(&self, name: &str) -> Option<Known> {
        self.running?.memory.routes.get(name).copied()
    }

    pub(super) fn into_memory(self) -> Memory {
        self.next
    }
}
