//! A running gateway: its sockets and threads, and the configuration that it serves, which can be replaced.

mod listeners;
mod reload;
mod watched;

pub use listeners::Listening;
pub use reload::{ReloadError, Reloaded};

use super::check::Loaded;
use crate::{
    admin::Admin,
    config::{ConfigFile, Configuration, Running, Surroundings},
    edge::{
        ConnectionEvent, ConnectionMetrics, ConnectionObserver, Drained, Edge, EdgeLimits,
        InheritedSockets, ListenError, ThreadCount,
    },
    gate::LimitsSettings,
    proxy::{self, AdminApp, App, Serving, ShutdownSettings, ThreadSetting},
    settings::Effects,
    store::Stores,
    telemetry::{LogFormat, Metrics, Readiness},
};
use listeners::Listeners;
use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
    sync::Arc,
    time::Duration,
};
use thiserror::Error;
use watched::Watched;

/// A running gateway. Dropping it ends it immediately; [`Gateway::drain`] ends it without losing a request;
/// [`Gateway::reload`] applies another configuration.
pub struct Gateway {
    file: ConfigFile,
    surroundings: Surroundings,
    edge: Edge,
    app: Arc<App>,
    listeners: Listeners,
    admin_edge: Edge,
    admin: Arc<Admin>,
    admin_app: Arc<AdminApp>,
    admin_listeners: Listeners,
    readiness: Readiness,
    shutdown: ShutdownSettings,
    /// Settings that cannot change while the process runs.
    fixed: Fixed,
    serving: Serving,
    running: Arc<Running>,
    watched: Watched,
}

/// Settings that take effect only at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fixed {
    threads: ThreadSetting,
    log_format: LogFormat,
}

/// Why a gateway does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The configuration has mistakes; the text says where they are and how to fix them.
    #[error("{report}")]
    Configuration {
        /// The findings, one per paragraph.
        report: String,
    },
    /// Something that the configuration names is unavailable now; another start later may succeed.
    #[error("{report}")]
    Unavailable {
        /// The findings, one per paragraph.
        report: String,
    },
    /// An address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The system cannot create a thread or an event loop.
    #[error("the operating system has no more threads or file descriptors")]
    System(#[source] io::Error),
}

impl StartError {
    /// Returns `true` if the configuration has to be fixed.
    pub fn is_configuration(&self) -> bool {
        matches!(self, Self::Configuration { .. })
    }
}

/// Maximum time for writing the last lines of the access log at the end.
const LAST_LINES: Duration = Duration::from_secs(2);
/// Maximum number of connections to the admin listener.
const ADMIN_CONNECTIONS: usize = 256;
/// The address of a missing listener. The admin listener always exists.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

impl Gateway {
    /// Starts the gateway that `file` configures.
    ///
    /// # Errors
    /// [`StartError`]; nothing is running then.
    pub fn start(
        file: impl Into<ConfigFile>,
        surroundings: &Surroundings,
    ) -> Result<Self, StartError> {
        let file = file.into();
        let mut loaded = Loaded::from(&file, Effects::Allowed, surroundings);
        let report = loaded.text();
        match loaded.configuration.take() {
            Some(configuration) => {
                if !report.is_empty() {
                    tracing::warn!(findings = report, "configuration warning");
                }
                Self::run(file, configuration, surroundings)
            }
            None if loaded.only_unavailable => Err(StartError::Unavailable { report }),
            None => Err(StartError::Configuration { report }),
        }
    }

    /// Starts the gateway with `configuration`, which was composed from `file`.
    ///
    /// # Errors
    /// [`StartError`]; nothing is running then.
    pub fn run(
        file: ConfigFile,
        configuration: Configuration,
        surroundings: &Surroundings,
    ) -> Result<Self, StartError> {
        // sockets first: what is unavailable ends the start before anything runs
        let mut inherited = InheritedSockets::from_environment();
        let (none, mut no_sockets) = (Listeners::default(), InheritedSockets::default());
        let mut admin_listeners =
            none.change(vec![configuration.admin_listener], &mut no_sockets)?;
        let mut listeners = none.change(configuration.listeners, &mut inherited)?;
        let limits = edge_limits(&configuration.limits);
        let threads = configuration.runtime.threads;
        let observer = Arc::new(ConnectionMetrics::register(&configuration.metrics));
        let edge =
            Edge::start(limits, thread_count(threads), observer).map_err(StartError::System)?;
        let one = ThreadCount::Exactly(NonZeroUsize::MIN);
        let admin_edge = Edge::start(admin_limits(limits), one, Arc::new(Uncounted))
            .map_err(StartError::System)?;

        let Configuration {
            mut hooks,
            access_log,
            issuers,
            store,
            metrics,
            memory,
            ..
        } = configuration;
        hooks.access_log = access_log
            .continue_from(&hooks.access_log)
            .map_err(StartError::System)?;
        let readiness = Readiness::new();
        issuers.iter().for_each(|issuer| issuer.start());
        hooks.peers.start_resolving(&surroundings.io);
        reload::require(&readiness, &issuers, &hooks);
        let serving = Serving::new(hooks);
        let app = proxy::app(serving.clone(), threads.count());
        listeners
            .begin(|listener| edge.serve(listener, Arc::clone(&app)))
            .map_err(StartError::System)?;
        metrics.configured(surroundings.clock.now());
        let (listeners, _) = listeners.complete(&edge);
        let certificates = listeners
            .certificates()
            .chain(admin_listeners.certificates());
        let watched = Watched::new(&issuers, certificates.collect());
        watched.show_at_scrape(&metrics, serving.clone(), Arc::clone(&surroundings.clock));
        let admin = Admin::new(
            configuration.admin,
            admin_listeners.addresses().next().unwrap_or(NOWHERE),
            configuration.revoker,
            metrics.clone(),
            readiness.clone(),
        );
        let admin = Arc::new(admin.telling(serving.current().decisions.clone()));
        let admin_app = AdminApp::new(Arc::clone(&admin));
        admin_listeners
            .begin(|listener| admin_edge.serve(listener, Arc::clone(&admin_app)))
            .map_err(StartError::System)?;
        let running = Running {
            hooks: serving.current(),
            issuers,
            store,
            metrics,
            memory,
        };
        Ok(Self {
            file,
            surroundings: surroundings.clone(),
            listeners,
            edge,
            app,
            admin_listeners: admin_listeners.complete(&admin_edge).0,
            admin_edge,
            admin,
            admin_app,
            readiness,
            shutdown: configuration.shutdown,
            fixed: Fixed {
                threads,
                log_format: configuration.log.format,
            },
            serving,
            running: Arc::new(running),
            watched,
        })
    }

    /// Returns the addresses of the listeners, in the order of the configuration.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.addresses().collect()
    }

    /// Returns the addresses and protocols of the listeners, in the order of the configuration.
    pub fn listeners(&self) -> Vec<Listening> {
        self.listeners.listening().collect()
    }

    /// Returns the address and protocol of the admin listener.
    pub fn admin_listener(&self) -> Listening {
        let mut listening = self.admin_listeners.listening();
        listening.next().unwrap_or(Listening {
            address: NOWHERE,
            tls: false,
        })
    }

    /// Logs the numbers of configured items.
    pub(super) fn log_contents(&self) {
        let running = &self.running;
        tracing::info!(
            routes = running.hooks.pipeline.routes.routes().len(),
            trusted_issuers = running.issuers.len(),
            store = running.store.as_ref().map_or("none", Stores::kind),
            "configuration read"
        );
    }

    /// Returns the address of the admin listener.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin_listener().address
    }

    /// Returns `true` if the gateway is ready.
    pub fn is_ready(&self) -> bool {
        self.readiness.report().is_ready()
    }

    /// Returns the metrics.
    pub fn metrics(&self) -> &Metrics {
        &self.running.metrics
    }

    /// Drains the gateway: it is no longer ready, accepts connections for `shutdown.delay`, and then no more. Returns
    /// when the last request has ended, or after `shutdown.grace`.
    pub async fn drain(self) -> Drained {
        self.readiness.drain();
        let drained = self
            .edge
            .drain(self.shutdown.delay.get(), self.shutdown.grace.get())
            .await;
        // probes get responses until the end
        drop(self.admin_edge);
        if !self.running.hooks.access_log.flush(LAST_LINES) {
            tracing::warn!("the last lines of the access log could not be written");
        }
        drained
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("edge", &self.edge)
            .field("admin", &self.admin_address())
            .finish_non_exhaustive()
    }
}

/// Returns the limits of what is read before the limits of the request are checked.
fn edge_limits(limits: &LimitsSettings) -> EdgeLimits {
    EdgeLimits {
        head_bytes: limits.head_bytes(),
        header_timeout: limits.header_timeout.get(),
        connections: limits.connections,
        connections_per_address: limits.connections_per_address,
    }
}

fn admin_limits(limits: EdgeLimits) -> EdgeLimits {
    EdgeLimits {
        connections: ADMIN_CONNECTIONS,
        connections_per_address: ADMIN_CONNECTIONS,
        ..limits
    }
}

fn thread_count(setting: ThreadSetting) -> ThreadCount {
    match setting {
        ThreadSetting::Auto => ThreadCount::Auto,
        ThreadSetting::Exactly(threads) => ThreadCount::Exactly(threads),
    }
}

/// Connections to other listeners than those for clients are not counted in the metrics.
pub(super) struct Uncounted;

impl ConnectionObserver for Uncounted {
    fn observe(&self, _event: ConnectionEvent) {}
}
