//! The public keys of one client.

use crate::{
    clock::SharedClock,
    egress::{Egress, EgressTlsSettings},
    jose::Algorithm,
    settings::{Building, OutboundUrl},
    telemetry::IssuerMetrics,
    verify::{
        VerifyError,
        key_source::KeySource,
        key_store::{KeyStore, KeyTimes, LeasedKey},
    },
};
use std::{
    path::PathBuf,
    sync::{Arc, Once},
    time::Duration,
};

/// The keys with which a client signs. Clones share them. They are cached like issuers' keys: fetched in the background
/// after the first use, and once more for an unknown key.
#[derive(Debug, Clone)]
pub struct ClientKeys {
    store: Arc<KeyStore>,
    started: Arc<Once>,
}

/// The place of a client's keys.
#[derive(Debug, Clone)]
pub(super) enum ClientKeyPlace<'a> {
    File(&'a PathBuf),
    Uri(&'a str, Option<&'a EgressTlsSettings>),
}

/// A key that the client removed is refused within five minutes. The last fetched keys are used for up to an hour.
const TIMES: KeyTimes = KeyTimes {
    max_age: Duration::from_secs(5 * 60),
    max_stale: Duration::from_secs(60 * 60),
};

impl ClientKeys {
    /// Reads a file immediately. Keys from a URL are fetched when they are first needed.
    pub(super) fn build(
        id: &str,
        place: ClientKeyPlace<'_>,
        building: &mut Building<'_>,
        clock: &SharedClock,
        egress: &Egress,
    ) -> Option<Self> {
        let (source, egress) = match place {
            ClientKeyPlace::File(file) => {
                let path = building.base.resolve(file);
                (KeySource::File(path), egress.clone())
            }
            ClientKeyPlace::Uri(uri, tls) => {
                let url = building.within("jwks_uri", |b| url(uri, b));
                let egress = match tls {
                    None => Some(egress.clone()),
                    Some(tls) => building.within("tls", |b| egress.trusting(tls, b)),
                };
                (KeySource::Uri(url?), egress?)
            }
        };
        let store = KeyStore::new(
            format!("client:{id}").into(),
            source,
            TIMES,
            egress,
            Arc::clone(clock),
            IssuerMetrics::unseen(),
        );
        store.load_file(building)?;
        Some(Self {
            store,
            started: Arc::new(Once::new()),
        })
    }

    /// Returns the key for a JWT of the client.
    pub(super) async fn key(
        &self,
        kid: Option<&str>,
        alg: Algorithm,
    ) -> Result<LeasedKey, VerifyError> {
        self.started.call_once(|| self.store.start());
        self.store.key(kid, alg).await
    }
}

fn url(text: &str, building: &mut Building<'_>) -> Option<OutboundUrl> {
    match OutboundUrl::parse(text) {
        Ok(url) => Some(url),
        Err(error) => {
            building.findings.error_because(
                error.to_string(),
                "anyone who can change the keys in transit can authenticate as the client",
                "write an https URL; plain http is for loopback only",
            );
            None
        }
    }
}
