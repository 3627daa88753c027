//! Issuers and tokens for the tests of this module.

use super::{IssuerSettings, TrustedIssuer};
use crate::{
    clock::{Clock, ManualClock, SharedClock, UnixTime},
    egress::Egress,
    jose::{Algorithm, SigningKey, SigningKeys},
    settings::{BaseDir, Building, Effects, Finding, Findings},
    telemetry::Metrics,
};
use serde_json::{Value, json};
use std::{path::Path, sync::Arc};
use tempfile::TempDir;
use tokio::runtime::Handle;

pub(super) const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
pub(super) const ISSUER: &str = "https://idp.example.com";

pub(super) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(NOW))
}

pub(super) fn key(alg: Algorithm) -> SigningKey {
    SigningKey::generate(alg).unwrap().key
}

/// A key set as a provider publishes it.
pub(super) fn jwks(keys: &[&SigningKey]) -> String {
    let keys: Vec<Value> = keys.iter().map(|key| key.public_jwk()).collect();
    json!({ "keys": keys }).to_string()
}

/// The default settings of every test, with some members replaced.
pub(super) fn settings(changes: Value) -> IssuerSettings {
    let mut settings = json!({
        "name": "corp",
        "issuer": ISSUER,
        "audiences": ["portal"],
        "algorithms": ["ES256", "EdDSA"],
        "keys": { "jwks_file": "jwks.json" },
    });
    for (name, value) in changes.as_object().unwrap() {
        settings[name] = value.clone();
    }
    serde_json::from_value(settings).unwrap()
}

/// Builds an issuer whose key file contains `jwks`. The file is deleted afterwards and cannot be read again.
pub(super) fn build(
    settings: IssuerSettings,
    jwks: &str,
    clock: &Arc<ManualClock>,
) -> (Option<Arc<TrustedIssuer>>, Vec<Finding>) {
    build_in(TempDir::new().unwrap().path(), settings, jwks, clock)
}

/// Builds an issuer whose key file is in `folder` and contains `jwks`.
pub(super) fn build_in(
    folder: &Path,
    settings: IssuerSettings,
    jwks: &str,
    clock: &Arc<ManualClock>,
) -> (Option<Arc<TrustedIssuer>>, Vec<Finding>) {
    std::fs::write(folder.join("jwks.json"), jwks).unwrap();
    let base = BaseDir::of_file(&folder.join("gateway.yaml"));
    let mut findings = Findings::default();
    let mut building = Building {
        base: &base,
        effects: Effects::None,
        findings: &mut findings,
    };
    let shared: SharedClock = Arc::clone(clock) as Arc<dyn Clock>;
    let metrics = Metrics::new().issuer(&settings.name);
    let egress = Egress::new(Handle::current());
    let issuer = settings.build(&mut building, &shared, &egress, metrics);
    (issuer, findings.into_vec())
}

/// The claims of a token that every rule accepts, with some replaced. A null removes a claim.
pub(super) fn claims(changes: Value) -> Value {
    let mut claims = json!({
        "iss": ISSUER,
        "sub": "alice",
        "aud": "portal",
        "exp": NOW.as_secs() + 300,
        "iat": NOW.as_secs() - 10,
        "client_id": "web",
        "scope": "orders.read profile",
    });
    let members = claims.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    claims
}

pub(super) fn sign(key: &SigningKey, claims: &Value) -> String {
    key.sign("at+jwt", claims.as_object().unwrap()).unwrap()
}

/// A published key set with its signing keys.
pub(super) fn published(alg: Algorithm) -> (SigningKeys, String) {
    let keys = SigningKeys::new([key(alg)]).unwrap();
    let jwks = String::from_utf8(keys.jwks()).unwrap();
    (keys, jwks)
}
