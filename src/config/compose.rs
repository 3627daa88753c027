//! Builds the components of a gateway from the sections of `gateway.yaml`.

mod fingerprints;
mod listeners;
mod own_upstreams;
mod parts;
mod running;
mod service;
mod token_service;

pub use listeners::ListenerTerms;
pub use running::{Memory, Running};
use service::TokenEndpoint;

use super::{Document, empty, top_level::TopLevel};
use crate::{
    admin::{AdminSettings, AdminTerms, Known, Revoker},
    cache::{CacheSettings, ExchangeCache},
    clock::{SharedClock, SharedRandomness},
    exchange::{EngineParts, EngineSettings, NamedExchanger},
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
use fingerprints::ConfigFingerprint;
use parts::SharedComponents;
use running::ReloadPlan;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use token_service::{ServiceGround, known_to_revoke};

/// What the process provides for the components.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The current time.
    pub clock: SharedClock,
    /// Random bytes.
    pub randomness: SharedRandomness,
    /// The runtime for everything that communicates with identity providers.
    pub io: tokio::runtime::Handle,
}

/// A gateway that was built and is not running yet.
#[derive(Debug)]
pub struct Configuration {
    /// The listeners for clients.
    pub listeners: Vec<ListenerTerms>,
    /// The access rules of the admin listener.
    pub admin: AdminTerms,
    /// The admin listener.
    pub admin_listener: ListenerTerms,
    /// Revokes tokens for operators.
    pub revoker: Revoker,
    /// The limits of requests and clients.
    pub limits: LimitsSettings,
    /// How the gateway shuts down.
    pub shutdown: ShutdownSettings,
    /// The threads.
    pub runtime: RuntimeSettings,
    /// The components that serve requests. Their access log is off until [`Configuration::access_log`] replaces it.
    pub hooks: Hooks,
    /// The access log, opened.
    pub access_log: OpenedAccessLog,
    /// The settings of the gateway's own log.
    pub log: LogSettings,
    /// The trusted issuers.
    pub issuers: Vec<Arc<TrustedIssuer>>,
    /// The store, if one is configured.
    pub store: Option<Stores>,
    /// The metrics.
    pub metrics: Metrics,
    /// What the next configuration needs to find out what it changes.
    pub memory: Memory,
}

/// Everything that was read from the file, before the components are built.
pub(super) struct Read {
    listeners: Vec<(usize, ListenerSettings)>,
    admin: AdminSettings,
    issuer: Option<EngineSettings>,
    trusted_issuers: Vec<(usize, IssuerSettings)>,
    /// The number of issuers in the file, including those with a wrong shape.
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

/// Returns the settings of the gateway's own log. They are read before everything else, so that the rest can be logged.
pub fn log_settings(document: &Document) -> LogSettings {
    // mistakes in the file are reported when it is composed
    document
        .sections(&mut Findings::default(), |top| {
            top.take_or_default::<TelemetrySettings>("telemetry")
        })
        .log
}

/// Builds a gateway from `document`. Reports every mistake in `findings`; returns `None` if one of them is an error.
pub fn compose(
    document: &Document,
    base: &BaseDir,
    effects: Effects,
    surroundings: &Surroundings,
    findings: &mut Findings,
) -> Option<Configuration> {
    compose_after(None, document, base, effects, surroundings, findings)
}

/// Like [`compose`], for a gateway that may replace `running`: parts that have not changed are taken over in use.
pub fn compose_after(
    running: Option<&Running>,
    document: &Document,
    base: &BaseDir,
    effects: Effects,
    surroundings: &Surroundings,
    findings: &mut Findings,
) -> Option<Configuration> {
    let read = document.sections(findings, |top| read(top));
    // without effects, no configuration follows this one
    let fingerprints = match effects {
        Effects::Allowed => ConfigFingerprint::of(&read, base),
        Effects::None | Effects::Imagined => ConfigFingerprint::default(),
    };
    let mut building = Building {
        base,
        effects,
        findings,
    };
    let composed = Composer {
        surroundings,
        metrics: running.map_or_else(Metrics::new, |running| running.metrics.clone()),
        succession: ReloadPlan::new(running, fingerprints),
    }
    .compose(read, &mut building);
    empty::refuse_blank(document.root(), findings);
    empty::refuse_stars(document.root(), findings);
    if composed.is_none() && !findings.has_errors() {
        findings.error(
            "the gateway could not be built from this configuration",
            "this is a bug in the gateway: please report it with this file",
        );
    }
    composed.filter(|_| !findings.has_errors())
}

/// Reads the top level. The schema uses the same function to collect the keys and their types.
pub(super) fn read(top: &mut impl TopLevel) -> Read {
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
        // the intended number is unknown: it may be higher than what was read
        read.listed_issuers += 1;
    }
    read
}

/// Sections that others depend on: a mistake in one of them is not reported again where it is used.
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
        let mut routes = self.routes.iter();
        routes.any(|(_, route)| route.accepts_own_tokens())
    }
}

impl Read {
    /// Returns the maximum lifetime of anything that was issued just now, or is made from it.
    fn longest_life(&self) -> Duration {
        let issuers = self.trusted_issuers.iter();
        let tokens = issuers.map(|(_, issuer)| issuer.max_lifetime.get());
        let clients = self.clients.iter();
        let families = clients.map(|(_, client)| client.refresh.unwrap_or_default().absolute.get());
        tokens.chain(families).max().unwrap_or_default() + LONGEST_LEEWAY
    }
}

/// Longer than clocks may differ, so that a revocation outlives what it ends.
const LONGEST_LEEWAY: Duration = Duration::from_secs(3_600);

struct Composer<'a> {
    surroundings: &'a Surroundings,
    metrics: Metrics,
    succession: ReloadPlan<'a>,
}

impl Composer<'_> {
    /// Builds every part, so that one run reports the mistakes of all of them, and then combines them.
    fn compose(mut self, mut read: Read, building: &mut Building<'_>) -> Option<Configuration> {
        let clock = &self.surroundings.clock;
        let configured = std::mem::take(&mut read.listeners);
        let listeners = building.within("listeners", |b| listeners::build(configured, b));
        let own = listeners.as_deref().unwrap_or_default();
        let admin = building.within("admin", |b| listeners::admin(&read.admin, own, b));
        let engine = building.within("issuer", |b| self.engine(&read, b));
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
        let endpoint =
            self.token_endpoint(&read, engine.as_ref(), &issuers, &revocations, building);
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
            let ground = SharedComponents {
                issuers: &issuers,
                engine: engine.as_ref(),
                service: service.as_ref(),
                clients: &clients,
                revocations: &revocations,
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
            no_route: self.metrics.no_route(NamedExchanger::EMBEDDED),
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

    /// Builds the embedded engine.
    fn engine(&self, read: &Read, building: &mut Building<'_>) -> Option<EngineParts> {
        let clock = Arc::clone(&self.surroundings.clock);
        let randomness = Arc::clone(&self.surroundings.randomness);
        read.issuer.as_ref()?.build(building, clock, randomness)
    }

    /// Builds the pipeline. The cache is taken over if its settings have not changed.
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

    /// Builds the revoker for operators, without the names in the configuration.
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

    /// Builds the store, or takes it over if its settings have not changed.
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

    /// Takes over the source of request ids, or creates it.
    fn ids(&self, building: &mut Building<'_>) -> Option<IdSource> {
        if let Some(ids) = self.succession.ids() {
            return Some(ids);
        }
        let ids = IdSource::new(self.surroundings.randomness.as_ref());
        if ids.is_err() {
            building.findings.error(
                "the operating system returned no random bytes",
                "make sure that /dev/urandom works",
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
