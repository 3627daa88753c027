//! An issuer whose tokens are accepted.

use super::{VerifyError, prover::Prover, roles::RoleGrants, subject::Proven};
use crate::{
    jose::{UnverifiedJws, normalized_typ},
    telemetry::{DecisionObserver, IssuerMetrics},
    token::{Audience, RawToken},
};
use serde_json::Value;
use std::{fmt, sync::Arc, time::Duration};

/// One of `trusted_issuers`: the rules for its tokens, and how they are proven.
pub struct TrustedIssuer {
    pub(super) name: Arc<str>,
    pub(super) url: Box<str>,
    pub(super) audiences: Vec<Audience>,
    /// In lower case and without `application/`.
    pub(super) typ: Vec<Box<str>>,
    pub(super) required_claims: Vec<(Arc<str>, Value)>,
    pub(super) scope_claim: Box<str>,
    /// `None` means `sub`.
    pub(super) subject_claim: Option<Box<str>>,
    pub(super) client_claim: Option<Box<str>>,
    /// A claim that only users' tokens have.
    pub(super) user_claim: Option<Box<str>>,
    pub(super) roles: Option<RoleGrants>,
    pub(super) known_as: Option<Box<str>>,
    pub(super) max_lifetime: Duration,
    pub(super) leeway: Duration,
    pub(super) required: bool,
    pub(super) prover: Prover,
    pub(super) metrics: IssuerMetrics,
}

impl TrustedIssuer {
    /// The name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `iss`, compared exactly.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The accepted audiences. A token must name one of them.
    pub fn audiences(&self) -> &[Audience] {
        &self.audiences
    }

    /// Returns `true` if its tokens can be proven now: its keys are available and not too old.
    pub fn is_ready(&self) -> bool {
        self.prover.is_ready()
    }

    /// The ids of the published keys. `None` if no usable keys are available.
    pub fn key_ids(&self) -> Option<Vec<Box<str>>> {
        self.prover.key_ids()
    }

    /// The time since the keys were fetched. `None` if none were fetched yet.
    pub fn keys_age(&self) -> Option<Duration> {
        self.prover.keys_age()
    }

    /// Returns `true` if the gateway's readiness depends on these keys.
    pub fn is_required(&self) -> bool {
        self.required
    }

    /// Fetches the keys unless usable keys are available. Returns `true` if they are available afterwards.
    ///
    /// Call this to have the issuer ready before it is used. It waits for the fetch: at most 5 s for each document.
    pub async fn prepare(&self) -> bool {
        // the cause of a failure is logged and counted where it occurs
        self.is_ready() || self.fetch_keys().await.is_ok()
    }

    /// Fetches the keys now.
    ///
    /// Waits for the fetch: at most 5 s for each document.
    ///
    /// # Errors
    /// The whole chain of causes, as text for the operator.
    pub async fn fetch_keys(&self) -> Result<(), String> {
        self.prover.fetch_keys().await
    }

    /// Starts to refresh the keys in the background, on the runtime for calls to identity providers. It stops when the
    /// issuer is dropped. Call this once.
    pub fn start(&self) {
        self.prover.start();
    }

    /// Proves that it issued the token. The caller checks the claims.
    pub(super) async fn prove<'a>(
        &self,
        token: &'a RawToken,
        jws: UnverifiedJws<'a>,
        observer: &mut impl DecisionObserver,
    ) -> Result<Proven<'a>, VerifyError> {
        self.prover.prove(&self.name, token, jws, observer).await
    }

    pub(super) fn accepts_typ(&self, typ: Option<&str>) -> bool {
        // RFC 7515 §4.1.9: a `typ` without a slash has the prefix `application/`. RFC 9068 §4 allows both spellings.
        let typ = typ.map_or_else(|| "jwt".to_owned(), normalized_typ);
        self.typ.iter().any(|accepted| **accepted == *typ)
    }

    pub(super) fn required_claims(&self) -> &[(Arc<str>, Value)] {
        &self.required_claims
    }

    pub(super) fn client_claim(&self) -> Option<&str> {
        self.client_claim.as_deref()
    }

    pub(super) fn user_claim(&self) -> Option<&str> {
        self.user_claim.as_deref()
    }

    pub(super) fn scope_claim(&self) -> &str {
        &self.scope_claim
    }

    pub(super) fn subject_claim(&self) -> Option<&str> {
        self.subject_claim.as_deref()
    }

    pub(super) fn roles(&self) -> Option<&RoleGrants> {
        self.roles.as_ref()
    }

    pub(super) fn known_as(&self) -> Option<&str> {
        self.known_as.as_deref()
    }

    pub(super) fn max_lifetime(&self) -> Duration {
        self.max_lifetime
    }

    pub(super) fn leeway(&self) -> Duration {
        self.leeway
    }

    pub(super) fn metrics(&self) -> &IssuerMetrics {
        &self.metrics
    }
}

impl fmt::Debug for TrustedIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustedIssuer")
            .field("name", &self.name)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}
