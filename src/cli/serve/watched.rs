//! The metrics about the current configuration, collected at each scrape.

use crate::{
    clock::{SharedClock, UnixTime},
    proxy::{Hooks, Serving},
    telemetry::{CertificateUse, Gauges, Metrics},
    verify::TrustedIssuer,
};
use arc_swap::ArcSwap;
use std::sync::Arc;

/// The parts of the configuration that are not in the [`Hooks`]; replaced together with them. Clones share them.
#[derive(Clone)]
pub(super) struct Watched(Arc<ArcSwap<Snapshot>>);

struct Snapshot {
    issuers: Vec<Arc<TrustedIssuer>>,
    /// Each listener that has a certificate, and when the certificate expires.
    listeners: Vec<(String, UnixTime)>,
}

impl Watched {
    pub(super) fn new(issuers: &[Arc<TrustedIssuer>], listeners: Vec<(String, UnixTime)>) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(Snapshot {
            issuers: issuers.to_vec(),
            listeners,
        })))
    }

    /// Shows another configuration from now on.
    pub(super) fn replace(
        &self,
        issuers: &[Arc<TrustedIssuer>],
        listeners: Vec<(String, UnixTime)>,
    ) {
        self.0.store(Arc::new(Snapshot {
            issuers: issuers.to_vec(),
            listeners,
        }));
    }

    /// Adds the values, and those that `serving` knows, to every scrape of `metrics`.
    pub(super) fn show_at_scrape(&self, metrics: &Metrics, serving: Serving, clock: SharedClock) {
        let watched = self.clone();
        metrics.on_scrape(move |gauges| {
            let hooks = serving.current();
            let (bytes, entries) = hooks.pipeline.cache.size();
            gauges.cache(bytes, entries);
            gauges.revocations(hooks.pipeline.revocations.is_stale(clock.instant()));
            watched.0.load().show(&hooks, gauges);
        });
    }
}

impl Snapshot {
    fn show(&self, hooks: &Hooks, gauges: &Gauges) {
        let issuers = self.issuers.iter();
        gauges.key_ages(issuers.filter_map(|issuer| Some((issuer.name(), issuer.keys_age()?))));
        let listeners = self
            .listeners
            .iter()
            .map(|(name, end)| (CertificateUse::Listener, name.as_str(), *end));
        let routes = hooks.pipeline.routes.routes().iter();
        let upstreams = routes.filter_map(|route| {
            let end = hooks.peers.certificate_expires_at(route)?;
            Some((CertificateUse::UpstreamClient, route.name(), end))
        });
        gauges.certificates(listeners.chain(upstreams));
    }
}
