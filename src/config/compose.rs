//! From the sections of `gateway.yaml` to the components of a gateway.

mod listeners;
mod own_upstreams;
mod parts;
mod prints;
mod running;
mod service;
mod token_service;

pub use listeners::ListenerTerms;
pub use running::{Memory, Running};
use service::TokenEndpoint;

use super::{Document, empty, schema::TopLevel};
use crate::{
    admin::{AdminSettings, AdminTerms, Known, Revoker},
    cache::{CacheSettings, ExchangeCache},
    clock::{SharedClock, SharedRandomness},
    exchange::{EngineParts, EngineSettings},
    gate::{Gate, LimitsSettings},
    pipeline::{Pipeline, Recorder},
    policy::{ClientCeilings, ClientSettings},
    proxy::{Hooks, ListenerSettings, RuntimeSettings, ShutdownSettings},
    route::{RouteSettings, RouteTable},
    settings::{BaseDir, Building, Effects, Finding, Findings, Segment},
    store::{Revocations, Store, StoreParts, StoreSettings, Stores},
    telemetry::{
        AccessLog, IdSource, LogSettings, Metrics, TelemetrySettings, access::OpenedAccessLog,
    },
    verify::{DirectorySettings, IssuerSettings, TrustedIssuer},
};
use parts::Ground;
use prints::Prints;
use running::Succession;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use token_service::{ServiceGround, known_to_revoke};

/// What the process gives to what is composed.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The time.
    pub clock: SharedClock,
    /// Random bytes.
    pub randomness: SharedRandomness,
    /// Where everything runs that talks to identity providers.
    pub io: tokio::runtime::Handle,
}

/// A gateway that was composed and does not run yet.
#[derive(Debug)]
pub struct Configuration {
    /// Where it listens.
    pub listeners: Vec<ListenerTerms>,
    /// Whom the operator's listener admits.
    pub admin: AdminTerms,
    /// The operator's listener.
    pub admin_listener: ListenerTerms,
    /// Ends tokens for the operator.
    pub revoker: Revoker,
    /// What requests and clients may take.
    pub limits: LimitsSettings,
    /// How it ends.
    pub shutdown: ShutdownSettings,
    /// Its threads.
    pub runtime: RuntimeSettings,
    /// What requests meet. Their access log is off until [`Configuration::access_log`] is put in its place.
    pub hooks: Hooks,
    /// The access log, opened.
    pub access_log: OpenedAccessLog,
    /// How the gateway's own log is written.
    pub log: LogSettings,
    /// Whom it trusts.
    pub issuers: Vec<Arc<TrustedIssuer>>,
    /// What outlives the process, where there is such a place.
    pub store: Option<Stores>,
    /// What it counts.
    pub metrics: Metrics,
    /// By what the next configuration finds out what it changes.
    pub memory: Memory,
}

/// Everything that was read, before it is put together.
pub(super) struct Read {
    listeners: Vec<(usize, ListenerSettings)>,
    admin: AdminSettings,
    issuer: Option<EngineSettings>,
    trusted_issuers: Vec<(usize, IssuerSettings)>,
    /// Those whose shape is wrong included.
    listed_issuers: usize,
    /// Sections in which something could not be read.
    doubtful: BTreeSet<&'static str>,
    clients: Vec<(usize, ClientSettings)>,
    directory: Option<DirectorySettings>,
    routes: Vec<(usize, RouteSettings)>,
    cache: CacheSettings,
    store: Option<StoreSettings>,
    limits: LimitsSettings,
    shutdown: ShutdownSettings,
    runtime: RuntimeSettings,
    telemetry: TelemetrySettings,
}

/// How the gateway's own log is written; known before anything else, so that the rest can be logged.
pub fn log_settings(document: &Document) -> LogSettings {
    // what is wrong in the file is reported when it is composed
    document
        .sections(&mut Findings::default(), |top| {
            top.take_or_default::<TelemetrySettings>("telemetry")
        })
        .log
}

/// Composes a gateway from `document`. Every mistake is in `findings`; with one of them that is an error there is no
/// gateway.
pub fn compose(
    document: &Document,
    base: &BaseDir,
    effects: Effects,
    surroundings: &Surroundings,
    findings: &mut Findings,
) -> Option<Configuration> {
    compose_after(None, document, base, effects, surroundings, findings)
}

/// The same for a gateway that may replace what is `running`: what has not changed is taken over as it runs.
pub fn compose_after(
    running: Option<&Running>,
    document: &Document,
    base: &BaseDir,
    effects: Effects,
    surroundings: &Surroundings,
    findings: &mut Findings,
) -> Option<Configuration> {
    let read = document.sections(findings, |top| read(top));
    // nothing comes after what is only looked at
    let prints = match effects {
        Effects::Allowed => Prints::of(document, base),
        Effects::None | Effects::Imagined => Prints::default(),
    };
    let mut building = Building {
        base,
        effects,
        findings,
    };
    let composed = Composer {
        surroundings,
        metrics: running.map_or_else(Metrics::new, |running| running.metrics.clone()),
        succession: Succession::new(running, prints),
    }
    .compose(read, &mut building);
    empty::refuse_blank(document.root(), findings);
    empty::refuse_stars(document.root(), findings);
    if composed.is_none() && !findings.has_errors() {
        findings.error(
            "the gateway could not be composed",
            "this is a fault of the gateway: please report it with this file",
        );
    }
    composed.filter(|_| !findings.has_errors())
}

/// Reads the top level. Also names its keys and their types for the schema.
pub(super) fn read(top: &mut impl TopLevel) -> Read {
    // first: the keys are documented in the order in which they are asked for
    let listeners = top.required_list("listeners");
    let admin = top.take_or_default("admin");
    let issuer = top.required("issuer");
    let trusted_issuers = top.list("trusted_issuers");
    let mut read = Read {
        listed_issuers: trusted_issuers.len(),
        doubtful: BTreeSet::new(),
        trusted_issuers,
        listeners,
        admin,
        issuer,
        clients: top.list("clients"),
        directory: top.take_or_default("directory"),
        routes: top.required_list("routes"),
        cache: top.take_or_default("cache"),
        store: top.take_or_default("store"),
        limits: top.take_or_default("limits"),
        shutdown: top.take_or_default("shutdown"),
        runtime: top.take_or_default("runtime"),
        telemetry: top.take_or_default("telemetry"),
    };
    for section in DEPENDED_UPON {
        let is_about = |finding: &Finding| {
            let first = finding.path.segments().first();
            first.is_some_and(|first| *first == Segment::from(section))
        };
        if top.is_doubtful(section) || top.findings().since(0).iter().any(is_about) {
            read.doubtful.insert(section);
        }
    }
    if read.doubtful.contains("trusted_issuers") {
        // how many were meant is not known: more than were read
        read.listed_issuers += 1;
    }
    read
}

/// The sections that others need: what is said about one of them is not said again about what needs it.
const DEPENDED_UPON: [&str; 6] = [
    "listeners",
    "admin",
    "trusted_issuers",
    "clients",
    "directory",
    "store",
];

impl Read {
    fn takes_own_tokens(&self) -> bool {
        let accepts_own = |route: &RouteSettings| {
            let exchange = route.exchange.as_ref();
            exchange.is_some_and(|exchange| exchange.chain.accept_own)
        };
        self.routes.iter().any(|(_, route)| accepts_own(route))
    }
}

impl Read {
    /// How long anything can live that was issued, or made from what was issued, a moment ago.
    fn longest_life(&self) -> Duration {
        let issuers = self.trusted_issuers.iter();
        let tokens = issuers.map(|(_, issuer)| issuer.max_lifetime.get());
        let clients = self.clients.iter();
        let families = clients.map(|(_, client)| client.refresh.unwrap_or_default().absolute.get());
        tokens.chain(families).max().unwrap_or_default() + LONGEST_LEEWAY
    }
}

/// Longer than clocks may differ: a revocation outlives what it ends.
const LONGEST_LEEWAY: Duration = Duration::from_secs(3_600);

struct Composer<'a> {
    surroundings: &'a Surroundings,
    metrics: Metrics,
    succession: Succession<'a>,
}

impl Composer<'_> {
    /// Builds every part, so that one run shows what is wrong with each, and then puts them together.
    fn compose(mut self, mut read: Read, building: &mut Building<'_>) -> Option<Configuration> {
        let (clock, randomness) = (&self.surroundings.clock, &self.surroundings.randomness);
        let configured = std::mem::take(&mut read.listeners);
        let listeners = building.within("listeners", |b| listeners::build(configured, b));
        let own = listeners.as_deref().unwrap_or_default();
        let admin = building.within("admin", |b| listeners::admin(&read.admin, own, b));
        let engine = building.within("issuer", |b| {
            read.issuer
                .as_ref()?
                .build(b, Arc::clone(clock), Arc::clone(randomness))
        });
        let issuers = building.within("trusted_issuers", |b| {
            let issuers = self.issuers(&read.trusted_issuers, engine.as_ref(), b);
            Self::warn_of_unmarked_applications(&read, &issuers, b);
            issuers
        });
        let store = building.within("store", |b| {
            self.store(read.store.as_ref(), engine.as_ref(), b)
        });
        let revocations = store.as_ref().map(|store| store.revocations().clone());
        let revocations = revocations.unwrap_or_else(Revocations::of_one_process);
        let logs = building.within("telemetry", |b| self.logs(&read.telemetry, b));
        let endpoint = self.token_endpoint(&read, engine.as_ref(), &issuers, building);
        let audit = logs.as_ref().map(|(_, recorder)| recorder.audit());
        let ground = ServiceGround::of(engine.as_ref(), store.as_ref(), &revocations, audit);
        let mut service = ground
            .zip(endpoint)
            .map(|(ground, endpoint)| self.token_service(&read, endpoint, &ground));
        let clients =
            Arc::new(building.within("clients", |b| ClientCeilings::build(&read.clients, b)));
        if let Some(engine) = &engine {
            self.succession.keys(engine);
        }
        let routes = building.within("routes", |b| {
            let ground = Ground {
                issuers: &issuers,
                engine: engine.as_ref(),
                service: service.as_ref(),
                clients: &clients,
                public_url: listeners::public_url_of(own),
            };
            own_upstreams::refuse(&read, own, b);
            self.routes(&read, &ground, b)
        });
        building.within("cache", |b| read.cache.check(b));
        building.within("limits", |b| read.limits.check(b));
        let ids = self.ids(building)?;
        let ((table, peers), (access_log, recorder)) = (routes?, logs?);
        let (admin, admin_listener) = admin?;
        if let Some(service) = &mut service {
            service.documents.describe(table.routes());
        }
        let mut revoker = self.revoker(&read, store.as_ref(), engine.as_ref(), &recorder, &ids);
        revoker.known = known_to_revoke(&read, engine.as_ref(), &issuers);
        let pipeline = self.pipeline(&read, table, recorder, revocations);
        let hooks = Hooks {
            pipeline,
            service: service?,
            peers,
            access_log: AccessLog::off(),
            decisions: self.succession.decisions(),
            ids,
            no_route: self.metrics.no_route(),
            clock: Arc::clone(clock),
        };
        Some(Configuration {
            listeners: listeners?,
            admin,
            admin_listener,
            revoker,
            limits: read.limits,
            shutdown: read.shutdown,
            runtime: read.runtime,
            hooks,
            access_log,
            log: read.telemetry.log,
            issuers: issuers.into_values().collect(),
            store,
            metrics: self.metrics,
            memory: self.succession.into_memory(),
        })
    }

    /// What requests meet in the end; the cache goes on as it is where nothing was written anew about it.
    fn pipeline(
        &self,
        read: &Read,
        routes: RouteTable,
        recorder: Recorder,
        revocations: Revocations,
    ) -> Pipeline {
        let clock = &self.surroundings.clock;
        let cache = self.succession.cache().unwrap_or_else(|| {
            ExchangeCache::new(&read.cache, revocations.clone(), Arc::clone(clock))
        });
        Pipeline {
            gate: Gate::new(&read.limits),
            routes,
            token_limit: read.limits.token.as_len(),
            cache,
            recorder,
            revocations,
            clock: Arc::clone(clock),
        }
    }

    /// What an operator revokes with, who knows no names yet.
    fn revoker(
        &self,
        read: &Read,
        store: Option<&Stores>,
        engine: Option<&EngineParts>,
        recorder: &Recorder,
        ids: &IdSource,
    ) -> Revoker {
        Revoker {
            store: store.cloned(),
            own: self.own_tokens(engine, store),
            known: Known::default(),
            audit: recorder.audit().clone(),
            ids: ids.clone(),
            clock: Arc::clone(&self.surroundings.clock),
            longest_life: read.longest_life(),
        }
    }

    /// The store goes on as it is where nothing was written anew about it.
    fn store(
        &self,
        settings: Option<&StoreSettings>,
        engine: Option<&EngineParts>,
        building: &mut Building<'_>,
    ) -> Option<Stores> {
        let settings = settings?;
        let parts = StoreParts {
            clock: Arc::clone(&self.surroundings.clock),
            randomness: Arc::clone(&self.surroundings.randomness),
            io: self.surroundings.io.clone(),
            keys: engine.and_then(|engine| engine.opaque_keys.clone()),
        };
        self.succession
            .store()
            .or_else(|| settings.build(building, parts))
    }

    /// The ids of requests go on where they were.
    fn ids(&self, building: &mut Building<'_>) -> Option<IdSource> {
        if let Some(ids) = self.succession.ids() {
            return Some(ids);
        }
        let ids = IdSource::new(self.surroundings.randomness.as_ref());
        if ids.is_err() {
            building.findings.error(
                "the operating system gave no random bytes",
                "see to it that /dev/urandom works",
            );
        }
        ids.ok()
    }

    fn logs(
        &self,
        settings: &TelemetrySettings,
        building: &mut Building<'_>,
    ) -> Option<(OpenedAccessLog, Recorder)> {
        let clock = &self.surroundings.clock;
        let access = building.within("log", |b| {
            b.within("access", |b| {
                settings
                    .log
                    .access
                    .build(Arc::clone(clock), self.metrics.log_dropped(), b)
            })
        });
        let audit = building.within("audit", |b| settings.audit.build(Arc::clone(clock), b));
        Some((access?, Recorder::new(audit?)))
    }
}
