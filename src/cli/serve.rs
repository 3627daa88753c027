//! A gateway that runs: sockets bound, threads started, keys being fetched.

use super::check::Loaded;
use crate::{
    admin::Admin,
    config::{Configuration, Paint, Surroundings},
    proxy::{
        self, AdminApp, ShutdownSettings, ThreadSetting,
        edge::{
            ConnectionEvent, ConnectionObserver, Drained, Edge, EdgeLimits, InheritedSockets,
            ListenError, Listener, ThreadCount,
        },
    },
    settings::Effects,
    telemetry::{AccessLog, Metrics, Readiness},
    verify::TrustedIssuer,
};
use std::{fmt, io, net::SocketAddr, num::NonZeroUsize, path::Path, sync::Arc, time::Duration};
use thiserror::Error;

/// A running gateway. Dropping it ends it at once; [`Gateway::drain`] ends it without losing a request.
pub struct Gateway {
    edge: Edge,
    admin_edge: Edge,
    admin_address: SocketAddr,
    readiness: Readiness,
    shutdown: ShutdownSettings,
    access_log: AccessLog,
    metrics: Metrics,
    _issuers: Vec<Arc<TrustedIssuer>>,
}

/// Why a gateway does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The configuration has mistakes; the text says where and how to mend them.
    #[error("{report}")]
    Configuration {
        /// The findings, one below the other.
        report: String,
    },
    /// An address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A thread or an event loop cannot be had.
    #[error("the operating system gives no more threads or descriptors")]
    System(#[source] io::Error),
}

impl StartError {
    /// Whether the configuration is what has to be mended.
    pub fn is_configuration(&self) -> bool {
        matches!(self, Self::Configuration { .. })
    }
}

/// How long the last lines of the access log may take at the end.
const LAST_LINES: Duration = Duration::from_secs(2);
/// Connections that the operator's listener takes.
const ADMIN_CONNECTIONS: usize = 256;

impl Gateway {
    /// Starts the gateway that the file at `path` describes.
    ///
    /// # Errors
    /// [`StartError`]; nothing runs then.
    pub fn start(path: &Path, surroundings: &Surroundings) -> Result<Self, StartError> {
        let mut loaded = Loaded::from(path, Effects::Allowed, surroundings);
        let mut report = Vec::new();
        // writing to memory does not fail
        let _ = loaded.report(Paint::Plain, &mut report);
        let report = String::from_utf8_lossy(&report).trim_end().to_owned();
        match loaded.configuration.take() {
            Some(configuration) => {
                if !report.is_empty() {
                    tracing::warn!(findings = report, "the configuration is legal and unwise");
                }
                Self::run(configuration, surroundings)
            }
            None => Err(StartError::Configuration { report }),
        }
    }

    fn run(configuration: Configuration, surroundings: &Surroundings) -> Result<Self, StartError> {
        let Configuration {
            listeners,
            admin,
            limits,
            shutdown,
            runtime,
            hooks,
            issuers,
            metrics,
        } = configuration;
        // sockets before anything else: what cannot be had ends the start while nothing runs
        let mut inherited = InheritedSockets::from_environment();
        let admin_listener = Listener::bind(admin.address, None)?;
        let admin_address = admin_listener.local_address();
        let listeners = listeners
            .into_iter()
            .map(|terms| match inherited.take(terms.address) {
                Some(socket) => Listener::adopt(socket, terms.tls).map_err(StartError::System),
                None => Ok(Listener::bind(terms.address, terms.tls)?),
            })
            .collect::<Result<Vec<_>, _>>()?;

        let readiness = Readiness::new();
        for issuer in issuers.iter().filter(|issuer| issuer.is_required()) {
            let watched = Arc::clone(issuer);
            readiness.require(&format!("keys of issuer {}", issuer.name()), move || {
                watched.is_ready()
            });
        }
        let limits = EdgeLimits {
            head_bytes: limits.head_bytes(),
            header_timeout: limits.header_timeout.get(),
            connections: limits.connections,
            connections_per_address: limits.connections_per_address,
        };
        let edge = Edge::start(
            limits,
            threads(runtime.threads),
            proxy::connection_metrics(&metrics),
        )
        .map_err(StartError::System)?;
        let admin_limits = EdgeLimits {
            connections: ADMIN_CONNECTIONS,
            connections_per_address: ADMIN_CONNECTIONS,
            ..limits
        };
        let admin_edge = Edge::start(
            admin_limits,
            ThreadCount::Exactly(NonZeroUsize::MIN),
            Arc::new(Uncounted),
        )
        .map_err(StartError::System)?;
        issuers.iter().for_each(|issuer| issuer.start());
        hooks.peers.start_resolving(&surroundings.io);
        readiness.require(
            "the first look-up of upstream names",
            hooks.peers.first_look(),
        );
        let access_log = hooks.access_log.clone();
        let app = proxy::app(hooks, runtime.threads.count());
        for listener in listeners {
            edge.serve(listener, Arc::clone(&app))
                .map_err(StartError::System)?;
        }
        let admin = Admin::new(admin, admin_address, metrics.clone(), readiness.clone());
        admin_edge
            .serve(admin_listener, AdminApp::new(admin))
            .map_err(StartError::System)?;
        Ok(Self {
            edge,
            admin_edge,
            admin_address,
            readiness,
            shutdown,
            access_log,
            metrics,
            _issuers: issuers,
        })
    }

    /// Where it listens, in the order of the configuration.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.edge.addresses()
    }

    /// Where the operator's listener is.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// Whether it can do its work now.
    pub fn is_ready(&self) -> bool {
        self.readiness.report().is_ready()
    }

    /// What it counts.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Ends it: not ready, accepting for `shutdown.delay`, then no more; returns when the last request is answered, or
    /// after `shutdown.grace`.
    pub async fn drain(self) -> Drained {
        self.readiness.drain();
        let drained = self
            .edge
            .drain(self.shutdown.delay.get(), self.shutdown.grace.get())
            .await;
        // probes are answered to the end
        drop(self.admin_edge);
        if !self.access_log.flush(LAST_LINES) {
            tracing::warn!("the last lines of the access log could not be written");
        }
        drained
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("edge", &self.edge)
            .field("admin", &self.admin_address)
            .finish_non_exhaustive()
    }
}

fn threads(setting: ThreadSetting) -> ThreadCount {
    match setting {
        ThreadSetting::Auto => ThreadCount::Auto,
        ThreadSetting::Exactly(threads) => ThreadCount::Exactly(threads),
    }
}

/// Connections that are not the clients' are not counted with theirs.
pub(super) struct Uncounted;

impl ConnectionObserver for Uncounted {
    fn observe(&self, _event: ConnectionEvent) {}
}
