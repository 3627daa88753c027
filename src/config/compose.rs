//! From the sections of `gateway.yaml` to the components of a gateway.

use super::{Document, Section};
use crate::{
    admin::{AdminSettings, AdminTerms},
    cache::{CacheSettings, ExchangeCache},
    clock::{SharedClock, SharedRandomness},
    egress::Egress,
    exchange::{EngineParts, EngineSettings},
    gate::{Gate, LimitsSettings},
    pipeline::{Pipeline, Recorder},
    proxy::{
        Hooks, ListenerSettings, Peers, RuntimeSettings, ShutdownSettings,
        edge::{Http2, TlsTerms},
    },
    route::{Route, RouteParts, RouteSettings, RouteTable},
    settings::{BaseDir, Building, Effects, Findings},
    sts::Documents,
    telemetry::{AccessLog, IdSource, LogSettings, Metrics, TelemetrySettings},
    verify::{IssuerSettings, TrustedIssuer},
};
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

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
    /// The operator's listener.
    pub admin: AdminTerms,
    /// What requests and clients may take.
    pub limits: LimitsSettings,
    /// How it ends.
    pub shutdown: ShutdownSettings,
    /// Its threads.
    pub runtime: RuntimeSettings,
    /// What requests meet.
    pub hooks: Hooks,
    /// Whom it trusts.
    pub issuers: Vec<Arc<TrustedIssuer>>,
    /// What it counts.
    pub metrics: Metrics,
}

/// One listener, its certificate read.
#[derive(Debug)]
pub struct ListenerTerms {
    /// Address and port.
    pub address: SocketAddr,
    /// The certificate.
    pub tls: Option<TlsTerms>,
}

/// Everything that was read, before it is put together.
struct Read {
    listeners: Vec<(usize, ListenerSettings)>,
    admin: AdminSettings,
    issuer: Option<EngineSettings>,
    trusted_issuers: Vec<(usize, IssuerSettings)>,
    routes: Vec<(usize, RouteSettings)>,
    cache: CacheSettings,
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
    let read = document.sections(findings, read);
    let mut building = Building {
        base,
        effects,
        findings,
    };
    let composed = Composer {
        surroundings,
        metrics: Metrics::new(),
    }
    .compose(read, &mut building);
    composed.filter(|_| !findings.has_errors())
}

fn read(top: &mut Section<'_>) -> Read {
    Read {
        listeners: top.required_list("listeners"),
        admin: top.take_or_default("admin"),
        issuer: top.required("issuer"),
        trusted_issuers: top.list("trusted_issuers"),
        routes: top.required_list("routes"),
        cache: top.take_or_default("cache"),
        limits: top.take_or_default("limits"),
        shutdown: top.take_or_default("shutdown"),
        runtime: top.take_or_default("runtime"),
        telemetry: top.take_or_default("telemetry"),
    }
}

struct Composer<'a> {
    surroundings: &'a Surroundings,
    metrics: Metrics,
}

impl Composer<'_> {
    /// Builds every part, so that one run shows what is wrong with each, and then puts them together.
    fn compose(self, mut read: Read, building: &mut Building<'_>) -> Option<Configuration> {
        let Surroundings {
            clock, randomness, ..
        } = self.surroundings;
        let configured = std::mem::take(&mut read.listeners);
        let listeners = building.within("listeners", |b| listeners(configured, b));
        let admin = building.within("admin", |b| read.admin.build(b));
        let engine = building.within("issuer", |b| {
            read.issuer
                .as_ref()?
                .build(b, Arc::clone(clock), Arc::clone(randomness))
        });
        let issuers = building.within("trusted_issuers", |b| {
            self.issuers(&read.trusted_issuers, engine.as_ref(), b)
        });
        let documents = engine.as_ref().map(Documents::of);
        let routes = building.within("routes", |b| {
            self.routes(&read, &issuers, engine.as_ref(), documents.as_ref(), b)
        });
        building.within("cache", |b| read.cache.check(b));
        building.within("limits", |b| read.limits.check(b));
        let logs = building.within("telemetry", |b| self.logs(&read.telemetry, b));
        let Ok(ids) = IdSource::new(randomness.as_ref()) else {
            building.findings.error(
                "the operating system gave no random bytes",
                "see to it that /dev/urandom works",
            );
            return None;
        };
        let ((table, peers), (access_log, recorder)) = (routes?, logs?);
        let cache = ExchangeCache::new(&read.cache, Arc::clone(clock));
        let sizes = cache.clone();
        self.metrics.on_scrape(move |gauges| {
            let (bytes, entries) = sizes.size();
            gauges.cache(bytes, entries);
        });
        let pipeline = Pipeline {
            gate: Gate::new(&read.limits),
            routes: table,
            token_limit: read.limits.token.as_len(),
            cache,
            recorder,
            clock: Arc::clone(clock),
        };
        let hooks = Hooks {
            pipeline,
            documents: documents?,
            peers,
            access_log,
            ids,
            no_route: self.metrics.no_route(),
            clock: Arc::clone(clock),
        };
        Some(Configuration {
            listeners: listeners?,
            admin: admin?,
            limits: read.limits,
            shutdown: read.shutdown,
            runtime: read.runtime,
            hooks,
            issuers: issuers.into_values().collect(),
            metrics: self.metrics,
        })
    }

    fn issuers(
        &self,
        settings: &[(usize, IssuerSettings)],
        engine: Option<&EngineParts>,
        building: &mut Building<'_>,
    ) -> BTreeMap<String, Arc<TrustedIssuer>> {
        let egress = Egress::new(self.surroundings.io.clone());
        let mut issuers: BTreeMap<String, Arc<TrustedIssuer>> = BTreeMap::new();
        for (position, settings) in settings {
            building.within(*position, |b| {
                let name = settings.name.clone();
                if engine.is_some_and(|engine| *engine.identity.issuer == *settings.issuer) {
                    b.within("issuer", |b| {
                        b.findings.error(
                            "the gateway's own issuer",
                            "name the provider whose tokens are presented",
                        )
                    });
                }
                if issuers.contains_key(&name) {
                    b.within("name", |b| {
                        b.findings.error(
                            format!("a second issuer called {name:?}"),
                            "give each issuer a name of its own",
                        )
                    });
                    return;
                }
                if issuers.values().any(|other| other.url() == settings.issuer) {
                    b.within("issuer", |b| {
                        b.findings.error(
                            "this issuer is listed twice",
                            "keep one entry: an issuer has one set of keys",
                        )
                    });
                    return;
                }
                let metrics = self.metrics.issuer(&name);
                if let Some(issuer) =
                    settings
                        .clone()
                        .build(b, &self.surroundings.clock, &egress, metrics)
                {
                    issuers.insert(name, issuer);
                }
            });
        }
        issuers
    }

    fn routes(
        &self,
        read: &Read,
        issuers: &BTreeMap<String, Arc<TrustedIssuer>>,
        engine: Option<&EngineParts>,
        documents: Option<&Documents>,
        building: &mut Building<'_>,
    ) -> Option<(RouteTable, Peers)> {
        let before = building.findings.count();
        let parts = RouteParts {
            issuers,
            listed_issuers: read.trusted_issuers.len(),
            engine,
            metrics: &self.metrics,
            clock: &self.surroundings.clock,
        };
        let mut peers = Peers::default();
        let mut routes: Vec<(usize, Route)> = Vec::new();
        for (position, settings) in &read.routes {
            building.within(*position, |b| {
                if routes
                    .iter()
                    .any(|(_, other)| other.name() == settings.name)
                {
                    b.within("name", |b| {
                        b.findings.error(
                            format!("a second route called {:?}", settings.name),
                            "give each route a name of its own",
                        )
                    });
                }
                let Some(route) = settings.build(b, &parts) else {
                    return;
                };
                check_endpoints(&route, documents, b);
                if let Err(error) = peers.add(&route, b.base) {
                    b.within("upstream", |b| {
                        b.within("tls", |b| {
                            b.findings.error(
                                error.to_string(),
                                "name files that hold what is expected, in PEM form",
                            )
                        })
                    });
                }
                routes.push((*position, route));
            });
        }
        let table = RouteTable::build(routes, building.findings);
        (building.findings.count() == before && table.routes().len() == read.routes.len())
            .then_some((table, peers))
    }

    fn logs(
        &self,
        settings: &TelemetrySettings,
        building: &mut Building<'_>,
    ) -> Option<(AccessLog, Recorder)> {
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

fn listeners(
    settings: Vec<(usize, ListenerSettings)>,
    building: &mut Building<'_>,
) -> Option<Vec<ListenerTerms>> {
    let mut listeners: Vec<ListenerTerms> = Vec::new();
    let mut complete = true;
    for (position, settings) in settings {
        building.within(position, |b| {
            let address = settings.address;
            if address.port() != 0 && listeners.iter().any(|other| other.address == address) {
                b.within("address", |b| {
                    b.findings.error(
                        format!("a second listener on {address}"),
                        "remove one of them",
                    )
                });
            }
            if settings.tls.is_none() && settings.http2 == Some(true) {
                b.within("http2", |b| {
                    b.findings.error(
                        "HTTP/2 is agreed upon in the TLS handshake",
                        "write tls, or remove http2",
                    )
                });
            }
            let tls = settings.tls.map(|tls| {
                let http2 = if settings.http2.unwrap_or(true) {
                    Http2::Offered
                } else {
                    Http2::Off
                };
                let (certificate, key) = (
                    b.base.resolve(&tls.certificate),
                    b.base.resolve(&tls.private_key),
                );
                TlsTerms::read(&certificate, &key, http2)
            });
            match tls.transpose() {
                Ok(tls) => listeners.push(ListenerTerms { address, tls }),
                Err(error) => {
                    complete = false;
                    b.within("tls", |b| {
                        b.findings.error(
                            error.to_string(),
                            "name a PEM certificate chain and its private key",
                        )
                    });
                }
            }
        });
    }
    complete.then_some(listeners)
}

/// The gateway's own documents are matched before any route: one behind them would never be reached.
fn check_endpoints(route: &Route, documents: Option<&Documents>, building: &mut Building<'_>) {
    let taken =
        documents.and_then(|documents| documents.paths().find(|path| route.is_at_or_below(path)));
    if let Some(path) = taken {
        building.within("match", |b| {
            b.findings.error(
                format!("{path} is answered by the gateway itself"),
                "choose a path that is not below it",
            );
        });
    }
}
