//! Reloads the configuration without losing a request.
//!
//! The result is a gateway that serves the new file, or the unchanged old gateway and the reason. The whole file is
//! composed, its sockets are bound and its keys fetched before any request is affected. Then everything changes between
//! one request and the next. Unchanged parts remain in use: connections, keys, connections to upstreams, cached
//! exchanges.

use super::{Fixed, Gateway, StartError, admin_limits, edge_limits, listeners::Change};
use crate::{
    cli::check::Loaded,
    config::{ConfigFile, Configuration, Running},
    edge::InheritedSockets,
    proxy::Hooks,
    telemetry::{LogLevel, Readiness, ReloadOutcome},
    verify::TrustedIssuer,
};
use std::{sync::Arc, time::Duration};
use thiserror::Error;
use tokio::{task::JoinSet, time::timeout};

/// The result of a successful reload.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Reloaded {
    /// The level of the gateway's own log, which the process has to set.
    pub log_level: LogLevel,
}

/// Why the previous configuration remains in use.
#[derive(Debug, Error)]
pub enum ReloadError {
    /// The file has mistakes, or one of its addresses cannot be listened on.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A required issuer has no keys: the gateway would no longer be ready.
    #[error(
        "no keys of issuer {name} could be fetched; fix `keys`, or write `required: false` if the gateway may be ready without them"
    )]
    NoKeys {
        /// The issuer's name in the configuration.
        name: String,
    },
    /// The configuration was read from standard input.
    #[error(
        "the configuration came from standard input, which cannot be read twice; restart the gateway, or start it with --config FILE to be able to reload"
    )]
    StandardInput,
    /// The thread that composed the configuration ended early.
    #[error("the configuration could not be built")]
    Broken,
}

/// Maximum time for fetching the first keys of all new issuers.
const KEYS_WITHIN: Duration = Duration::from_secs(15);
/// Maximum time for the first lookup of all new names: a name that cannot be resolved does not block the reload.
const NAMES_WITHIN: Duration = Duration::from_secs(5);

impl Gateway {
    /// Reads the file again and applies it: routes, issuers, keys, limits, listeners, certificates and log files.
    /// Requests in progress end with the configuration that they began with. A cached exchange is used again only on a
    /// route for which nothing has changed that affects its tokens.
    ///
    /// Takes as long as fetching the first keys of new issuers, at most 15 s, and the first lookup of new names, at
    /// most 5 s. If the future is dropped early, one configuration or the other is completely in use.
    ///
    /// # Errors
    /// [`ReloadError`]: nothing has changed. The error was logged and counted.
    pub async fn reload(&mut self) -> Result<Reloaded, ReloadError> {
        let result = self.try_reload().await;
        let running = &self.running;
        let now = self.surroundings.clock.now();
        let names = running.issuers.iter().map(|issuer| issuer.name());
        running.metrics.keep_issuers(names);
        match &result {
            Ok(_) => {
                running.metrics.reload(ReloadOutcome::Applied, now);
                let routes = running.hooks.pipeline.routes.routes().len();
                tracing::info!(routes, "configuration reloaded");
            }
            Err(error) => {
                running.metrics.reload(ReloadOutcome::Refused, now);
                tracing::error!(why = %error, "configuration reload failed, the previous configuration remains in use");
            }
        }
        result
    }

    async fn try_reload(&mut self) -> Result<Reloaded, ReloadError> {
        let mut configuration = self.compose().await?;
        let listeners = std::mem::take(&mut configuration.listeners);
        let none = || InheritedSockets::default();
        let listeners = self.listeners.change(listeners, &mut none())?;
        let admin = vec![configuration.admin_listener.clone()];
        let admin = self.admin_listeners.change(admin, &mut none())?;
        self.prepare(&configuration).await?;
        self.replace(configuration, listeners, admin).await
    }

    /// Composes the current file on a thread that serves no requests.
    async fn compose(&self) -> Result<Configuration, ReloadError> {
        if matches!(self.file, ConfigFile::StandardInput(_)) {
            return Err(ReloadError::StandardInput);
        }
        let (file, surroundings) = (self.file.clone(), self.surroundings.clone());
        let running = Arc::clone(&self.running);
        let composing = self.surroundings.io.spawn_blocking(move || {
            let mut loaded = Loaded::after(&running, &file, &surroundings);
            (loaded.configuration.take(), loaded.text())
        });
        let (configuration, report) = composing.await.map_err(|_| ReloadError::Broken)?;
        match configuration {
            Some(configuration) => {
                if !report.is_empty() {
                    tracing::warn!(findings = report, "configuration warning");
                }
                Ok(configuration)
            }
            None => Err(StartError::Configuration { report }.into()),
        }
    }

    /// Prepares everything that the first request may need.
    async fn prepare(&self, configuration: &Configuration) -> Result<(), ReloadError> {
        let new = configuration
            .issuers
            .iter()
            .filter(|issuer| !self.runs(issuer));
        let mut preparing = JoinSet::new();
        for issuer in new.clone().filter(|issuer| issuer.is_required()) {
            let issuer = Arc::clone(issuer);
            preparing.spawn_on(async move { issuer.prepare().await }, &self.surroundings.io);
        }
        // the result is read from the issuers themselves
        let _ = timeout(KEYS_WITHIN, preparing.join_all()).await;
        let lacking = new
            .clone()
            .find(|issuer| issuer.is_required() && !issuer.is_ready());
        if let Some(issuer) = lacking {
            return Err(ReloadError::NoKeys {
                name: issuer.name().to_owned(),
            });
        }
        new.for_each(|issuer| issuer.start());
        let peers = &configuration.hooks.peers;
        peers.start_resolving(&self.surroundings.io);
        if timeout(NAMES_WITHIN, peers.until_looked_up())
            .await
            .is_err()
        {
            tracing::warn!("the names of new upstreams are not resolved yet");
        }
        Ok(())
    }

    /// Returns `true` if this issuer, with its keys, is in use.
    fn runs(&self, issuer: &Arc<TrustedIssuer>) -> bool {
        let mut issuers = self.running.issuers.iter();
        issuers.any(|running| Arc::ptr_eq(running, issuer))
    }

    /// Replaces the running configuration by `configuration`. Everything that can fail is done first. From then until
    /// the first listener is stopped, nothing waits, so no other task can run in between.
    async fn replace(
        &mut self,
        configuration: Configuration,
        mut listeners: Change,
        mut admin: Change,
    ) -> Result<Reloaded, ReloadError> {
        self.note_what_needs_a_restart(&configuration);
        let mut begun = Vec::new();
        let started = listeners
            .begin(|listener| {
                begun.push((&self.edge, listener.local_address()));
                self.edge.serve(listener, Arc::clone(&self.app))
            })
            .and_then(|()| {
                admin.begin(|listener| {
                    begun.push((&self.admin_edge, listener.local_address()));
                    let app = Arc::clone(&self.admin_app);
                    self.admin_edge.serve(listener, app)
                })
            })
            .and_then(|()| {
                let running = &self.running.hooks.access_log;
                configuration.access_log.continue_from(running)
            });
        let access_log = match started {
            Ok(access_log) => access_log,
            Err(error) => {
                for (edge, address) in begun {
                    edge.stop(address).await;
                }
                return Err(StartError::System(error).into());
            }
        };
        let mut hooks = configuration.hooks;
        hooks.access_log = access_log;
        let requirements = Readiness::new();
        require(&requirements, &configuration.issuers, &hooks);

        self.serving.replace(hooks);
        self.readiness.take_over(&requirements);
        let limits = edge_limits(&configuration.limits);
        self.edge.limit(limits);
        self.admin_edge.limit(admin_limits(limits));
        if let Some(address) = admin.addresses().next() {
            self.admin
                .admit_by(configuration.admin, address, configuration.revoker);
        }
        let (listeners, gone) = listeners.complete(&self.edge);
        let (admin_listeners, admin_gone) = admin.complete(&self.admin_edge);
        let certificates = listeners
            .certificates()
            .chain(admin_listeners.certificates());
        self.watched
            .replace(&configuration.issuers, certificates.collect());
        self.listeners = listeners;
        self.admin_listeners = admin_listeners;
        self.shutdown = configuration.shutdown;
        let running = Arc::new(Running {
            hooks: self.serving.current(),
            issuers: configuration.issuers,
            store: configuration.store,
            metrics: configuration.metrics,
            memory: configuration.memory,
        });
        let retired = std::mem::replace(&mut self.running, running);
        self.surroundings.io.spawn(retire(retired));
        for address in gone {
            tracing::info!(%address, "no longer listening");
            self.edge.stop(address).await;
        }
        for address in admin_gone {
            self.admin_edge.stop(address).await;
        }
        Ok(Reloaded {
            log_level: configuration.log.level,
        })
    }

    fn note_what_needs_a_restart(&self, configuration: &Configuration) {
        let Fixed {
            threads,
            log_format,
        } = self.fixed;
        if configuration.runtime.threads != threads {
            tracing::warn!(
                key = "runtime.threads",
                "the changed setting takes effect at the next start"
            );
        }
        if configuration.log.format != log_format {
            tracing::warn!(
                key = "telemetry.log.format",
                "the changed setting takes effect at the next start"
            );
        }
    }
}

/// Drops a configuration after the last request that began with it has ended. Freeing ten thousand routes takes
/// milliseconds, which would delay requests on their threads.
async fn retire(running: Arc<Running>) {
    let mut pause = Duration::from_millis(1);
    while Arc::strong_count(&running.hooks) > 1 {
        tokio::time::sleep(pause).await;
        pause = (2 * pause).min(Duration::from_secs(1));
    }
}

/// Makes `readiness` wait for everything that requests need.
pub(super) fn require(readiness: &Readiness, issuers: &[Arc<TrustedIssuer>], hooks: &Hooks) {
    for issuer in issuers.iter().filter(|issuer| issuer.is_required()) {
        let watched = Arc::clone(issuer);
        readiness.require(&format!("keys of issuer {}", issuer.name()), move || {
            watched.is_ready()
        });
    }
    readiness.require(
        "the first lookup of upstream names",
        hooks.peers.first_look(),
    );
    let audit = hooks.pipeline.recorder.audit().clone();
    readiness.require("a writable audit log", move || audit.is_writable());
}
