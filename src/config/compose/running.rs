//! What a running configuration hands on to the next, so that what did not change goes on undisturbed.
//!
//! What enters is what runs, and what the next configuration says; what leaves are the parts of the one that serve the
//! other as they are: issuers with their keys, servers with their connections, the cache with its entries. An entry of the
//! cache counts while its route keeps its generation, which it does only where nothing has changed that decides on its
//! tokens.

use super::prints::{Print, Prints, RoutePrints};
use crate::{
    cache::ExchangeCache,
    exchange::EngineParts,
    pipeline::RefusedExchange,
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

/// How many identifiers of clients' JWTs are remembered at once: some 50 MB.
const REMEMBERED: usize = 1 << 20;

/// A configuration that is served, as the next one sees it.
#[derive(Debug)]
pub struct Running {
    /// What requests meet.
    pub hooks: Arc<Hooks>,
    /// Whom it trusts.
    pub issuers: Vec<Arc<TrustedIssuer>>,
    /// What outlives the process.
    pub store: Option<Stores>,
    /// What it counts.
    pub metrics: Metrics,
    /// By what the next configuration finds out what did not change.
    pub memory: Memory,
}

/// What has to be known of a configuration to find out what the next one changes.
#[derive(Debug, Default)]
pub struct Memory {
    prints: Prints,
    routes: HashMap<Box<str>, Known>,
    /// The ids of the published keys.
    keys: BTreeSet<Box<str>>,
    /// The highest generation that was ever given to a route.
    generation: u64,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    position: usize,
    prints: RoutePrints,
    generation: u64,
}

/// A configuration in the making, beside the one that it may replace.
pub(super) struct Succession<'a> {
    running: Option<&'a Running>,
    next: Memory,
    /// Whether a token that was signed earlier may not be verified by a downstream any more.
    keys_gone: bool,
}

impl<'a> Succession<'a> {
    pub(super) fn new(running: Option<&'a Running>, prints: Prints) -> Self {
        let generation = running.map_or(0, |running| running.memory.generation);
        Self {
            running,
            next: Memory {
                prints,
                generation,
                ..Memory::default()
            },
            keys_gone: false,
        }
    }

    pub(super) fn ids(&self) -> Option<IdSource> {
        self.running.map(|running| running.hooks.ids.clone())
    }

    /// What was decided on recent requests.
    pub(super) fn decisions(&self) -> Decisions {
        self.running.map_or_else(Decisions::default, |running| {
            running.hooks.decisions.clone()
        })
    }

    /// What was used once stays used.
    pub(super) fn once(&self) -> OnceOnly {
        self.running.map_or_else(
            || OnceOnly::in_memory(REMEMBERED),
            |running| running.hooks.service.once(),
        )
    }

    /// Notes the keys that are published from now on.
    pub(super) fn keys(&mut self, engine: &EngineParts) {
        self.next.keys = engine.keys.iter().map(|key| key.kid().into()).collect();
        self.keys_gone = self
            .running
            .is_some_and(|running| !running.memory.keys.is_subset(&self.next.keys));
    }

    /// The issuer called `name`, listed at `position`, as it runs: where nothing about it has changed.
    pub(super) fn issuer(&self, name: &str, position: usize) -> Option<Arc<TrustedIssuer>> {
        let running = self.running?;
        let print = self.next.prints.issuers.get(position)?;
        let same = |other: &Print| other == print;
        let unchanged = running.memory.prints.issuers.iter().any(same);
        let issuer = running
            .issuers
            .iter()
            .find(|issuer| issuer.name() == name)?;
        unchanged.then(|| Arc::clone(issuer))
    }

    /// The cache, with its entries, where its settings are the same, and the store whose revocations end them.
    pub(super) fn cache(&self) -> Option<ExchangeCache<RefusedExchange>> {
        let running = self.running?;
        let (known, next) = (&running.memory.prints, &self.next.prints);
        let unchanged = known.cache == next.cache && known.store == next.store;
        unchanged.then(|| running.hooks.pipeline.cache.clone())
    }

    /// The store, where its settings are the same.
    pub(super) fn store(&self) -> Option<Stores> {
        let running = self.running?;
        let unchanged = running.memory.prints.store == self.next.prints.store;
        running.store.clone().filter(|_| unchanged)
    }

    pub(super) fn peers(&self) -> Peers {
        self.running
            .map_or_else(Peers::default, |running| running.hooks.peers.successor())
    }

    /// Gives `route` its generation: the one it has where nothing has changed that decides on its tokens, else one that no
    /// route ever had.
    pub(super) fn generation(&mut self, route: Route) -> Route {
        let Some(prints) = self.next.prints.routes.get(route.position()).copied() else {
            return route;
        };
        let known = self.known(route.name());
        let unchanged =
            known.filter(|known| known.prints.exchange == prints.exchange && !self.keys_gone);
        let generation = unchanged.map_or_else(
            || {
                self.next.generation += 1;
                self.next.generation
            },
            |known| known.generation,
        );
        let known = Known {
            position: route.position(),
            prints,
            generation,
        };
        self.next.routes.insert(route.name().into(), known);
        route.in_generation(generation)
    }

    /// Has `route` use its servers as they run; whether nothing about them has changed.
    pub(super) fn keep_peers(&self, route: &Route, peers: &mut Peers) -> bool {
        let prints = self.next.prints.routes.get(route.position());
        let known = self.known(route.name());
        match (self.running, known, prints) {
            (Some(running), Some(known), Some(prints))
                if known.prints.upstream == prints.upstream =>
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
