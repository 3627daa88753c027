//! The gateway's own tokens as subject tokens, where a route takes them (`chain.accept_own`).
//!
//! They are verified like everybody's, with the keys that the gateway publishes, and must be addressed to the gateway.
//! Then their subject is led back to the issuer that knows it, so that it gets the name it would have got directly.

use super::{
    TrustedIssuer,
    key_source::KeySource,
    key_store::{KeyStore, KeyTimes},
};
use crate::{
    clock::SharedClock,
    egress::Egress,
    jose::{JwkSet, SigningKeys},
    telemetry::IssuerMetrics,
    token::Audience,
};
use std::{sync::Arc, time::Duration};

/// The own tokens that one route takes.
#[derive(Debug, Clone)]
pub struct OwnTokens {
    pub(super) issuer: Arc<TrustedIssuer>,
    pub(super) audiences: Box<[Audience]>,
    /// `issuer.actor`: as `client_id` it stands for a client that nobody knows.
    pub(super) actor: Box<str>,
    pub(super) origins: Origins,
}

/// How many issuers the gateway trusts in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origins {
    /// One: whoever an own token names is known to it.
    Sole,
    /// Several: a name without its issuer says nothing.
    Several,
}

impl OwnTokens {
    /// Tokens of `issuer`, which [`TrustedIssuer::own`] made, that are addressed to one of `audiences`.
    pub fn addressed_to(
        issuer: Arc<TrustedIssuer>,
        audiences: Vec<Audience>,
        actor: &str,
        origins: Origins,
    ) -> Self {
        Self {
            issuer,
            audiences: audiences.into(),
            actor: actor.into(),
            origins,
        }
    }
}

/// Longer than any token the gateway issues.
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// For the clocks of other replicas.
const LEEWAY: Duration = Duration::from_secs(30);
/// Keys in memory are never too old.
const FOREVER: Duration = Duration::from_secs(u32::MAX as u64);

impl TrustedIssuer {
    /// The name of the gateway itself among issuers; no configured one can have it.
    pub const OWN: &str = "gateway:own";

    /// The gateway as an issuer: `url` with the keys it publishes. None where none of them verifies.
    pub fn own(
        url: &str,
        keys: &SigningKeys,
        clock: &SharedClock,
        egress: &Egress,
        metrics: IssuerMetrics,
    ) -> Option<Arc<Self>> {
        let (set, _) = JwkSet::parse(&keys.jwks()).ok()?;
        let mut algorithms: Vec<_> = keys.iter().map(|key| key.alg()).collect();
        algorithms.dedup();
        let times = KeyTimes {
            max_age: FOREVER,
            max_stale: FOREVER,
        };
        let store = KeyStore::new(
            Self::OWN.into(),
            KeySource::Published(keys.jwks()),
            times,
            egress.clone(),
            Arc::clone(clock),
            metrics.clone(),
        );
        store.hold(set);
        Some(Arc::new(Self {
            name: Self::OWN.into(),
            url: url.into(),
            audiences: Vec::new(),
            algorithms,
            typ: vec!["at+jwt".into()],
            required_claims: Vec::new(),
            scope_claim: "scope".into(),
            subject_claim: None,
            client_claim: Some("client_id".into()),
            roles: None,
            known_as: None,
            max_lifetime: MAX_LIFETIME,
            leeway: LEEWAY,
            required: false,
            keys: store,
            metrics,
        }))
    }
}
