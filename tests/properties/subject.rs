//! Subject tokens, signed by an issuer and verified by the gateway's verifier.

use obo_gateway::{
    clock::{ManualClock, SharedClock, UnixTime},
    egress::Egress,
    jose::{Algorithm, SigningKey, SigningKeys},
    settings::{BaseDir, Building, Effects, Findings},
    source::{self, PresentedToken},
    store::Revocations,
    telemetry::Metrics,
    verify::{IssuerSettings, SubjectToken, Verifier},
};
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};
use tokio::runtime::Runtime;

pub const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
pub const ISSUER: &str = "https://idp.example.com";
pub const ISSUER_NAME: &str = "corp";
pub const GATEWAY: &str = "https://gateway.example.com";

/// An identity provider and the verifier that trusts it.
pub struct Issuer {
    key: SigningKey,
    verifier: Verifier,
    pub clock: SharedClock,
    pub runtime: Runtime,
}

pub static IDP: LazyLock<Issuer> = LazyLock::new(Issuer::start);

impl Issuer {
    fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let clock: SharedClock = Arc::new(ManualClock::at(NOW));
        let key = SigningKey::generate(Algorithm::EdDSA).unwrap();
        let pem = key.pem.expose();
        let published = SigningKeys::new([SigningKey::from_pem(pem, Default::default()).unwrap()]);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("jwks.json"), published.unwrap().jwks()).unwrap();
        let settings: IssuerSettings = serde_json::from_value(json!({
            "name": ISSUER_NAME,
            "issuer": ISSUER,
            "audiences": ["portal"],
            "algorithms": ["EdDSA"],
            "keys": { "jwks_file": "jwks.json" },
        }))
        .unwrap();
        let issuer = build(&BaseDir::of_file(&folder.path().join("x")), |building| {
            let egress = Egress::new(runtime.handle().clone());
            let metrics = Metrics::new().issuer(ISSUER_NAME);
            settings.build(building, &clock, &egress, metrics)
        });
        let verifier = Verifier::new(
            [issuer],
            GATEWAY,
            Revocations::of_one_process(),
            Arc::clone(&clock),
        );
        Self {
            key: key.key,
            verifier,
            clock,
            runtime,
        }
    }

    /// Issues a token with these claims and verifies it; it must be acceptable.
    pub fn subject(&self, claims: &Value) -> SubjectToken {
        self.verified(&self.presented(claims))
    }

    /// Issues a token with these claims.
    pub fn presented(&self, claims: &Value) -> PresentedToken {
        let claims = claims.as_object().unwrap();
        present(&self.key.sign("at+jwt", claims).unwrap())
    }

    /// Verifies a token, which must be acceptable.
    pub fn verified(&self, presented: &PresentedToken) -> SubjectToken {
        let verified = self.runtime.block_on(self.verifier.verify(presented));
        verified.expect("an honest token")
    }
}

/// Takes `token` out of a request that presents it.
pub fn present(token: &str) -> PresentedToken {
    let bearer = source::Source::Authorization
        .find(&presenting(token), None, 64 << 10)
        .and_then(|found| found.token.present());
    bearer.unwrap()
}

/// Returns the fields of a request that presents `token`.
pub fn presenting(token: &str) -> http::HeaderMap {
    let mut headers = http::HeaderMap::new();
    let field = format!("Bearer {token}").parse().unwrap();
    headers.insert(http::header::AUTHORIZATION, field);
    headers
}

/// Builds a component from settings without errors.
pub fn build<T>(base: &BaseDir, build: impl FnOnce(&mut Building<'_>) -> Option<T>) -> T {
    let mut findings = Findings::default();
    let built = build(&mut Building {
        base,
        effects: Effects::None,
        findings: &mut findings,
    });
    built.unwrap_or_else(|| panic!("{:?}", findings.into_vec()))
}
