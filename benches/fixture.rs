//! A provider, its tokens and the settings of a gateway that trusts it, which several benchmarks use.

use criterion::Criterion;
use obo_gateway::{
    clock::{Clock, SharedClock, SystemClock},
    egress::Egress,
    jose::{Algorithm, SigningKey, SigningKeys},
    policy::GatewayIdentity,
    settings::{BaseDir, Building, Effects, Findings},
    telemetry::Metrics,
    verify::{IssuerSettings, TrustedIssuer},
};
use serde_json::{Map, Value, json};
use std::{path::Path, sync::Arc, time::Duration};
use tokio::runtime::Runtime;

/// The algorithms with which the gateway signs.
pub(crate) const ALGORITHMS: [Algorithm; 5] = [
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
    Algorithm::RS256,
    Algorithm::PS256,
];
pub(crate) const GATEWAY: &str = "https://gateway.example.com";
const PROVIDER: &str = "https://idp.example.com";

pub(crate) fn gateway() -> GatewayIdentity {
    GatewayIdentity {
        issuer: GATEWAY.into(),
        actor: "obo-gateway".into(),
    }
}

/// A new key of this kind.
pub(crate) fn keys(alg: Algorithm) -> SigningKeys {
    SigningKeys::new([SigningKey::generate(alg).unwrap().key]).unwrap()
}

/// The claims of a current token of the provider, and `others`.
pub(crate) fn claims(others: &Value) -> Map<String, Value> {
    let now = SystemClock.now().as_secs();
    let mut claims = Map::new();
    let all = json!({
        "iss": PROVIDER, "sub": "1f0e6d9a-7b1c-4d0e-9c55-3f2c5a1b0001", "aud": "portal",
        "iat": now, "exp": now + 3_600, "jti": "3f2c5a1b0001",
    });
    for part in [&all, others] {
        claims.extend(part.as_object().cloned().unwrap());
    }
    claims
}

/// The provider, which signs with the `alg` keys in `keys`.
pub(crate) fn issuer(
    alg: Algorithm,
    keys: &SigningKeys,
    clock: &SharedClock,
    runtime: &Runtime,
) -> Arc<TrustedIssuer> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("jwks.json"), keys.jwks()).unwrap();
    let settings: IssuerSettings = serde_json::from_value(json!({
        "name": "corp",
        "issuer": PROVIDER,
        "audiences": ["portal"],
        "algorithms": [alg.as_str()],
        "keys": { "jwks_file": "jwks.json", "max_age": "24h", "max_stale": "24h" },
    }))
    .unwrap();
    let egress = Egress::new(runtime.handle().clone());
    let metrics = Metrics::new().issuer("corp");
    build(&folder.path().join("gateway.yaml"), |building| {
        settings.build(building, clock, &egress, metrics)
    })
}

/// Builds a component from settings in `file`.
pub(crate) fn build<T>(file: &Path, build: impl FnOnce(&mut Building<'_>) -> Option<T>) -> T {
    let mut findings = Findings::default();
    let built = build(&mut Building {
        base: &BaseDir::of_file(file),
        effects: Effects::None,
        findings: &mut findings,
    });
    built.unwrap_or_else(|| panic!("{:?}", findings.into_vec()))
}

/// A measurement that ends within seconds.
pub(crate) fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}
