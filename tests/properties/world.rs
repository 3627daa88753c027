//! Three providers, the gateway's engine, and verifiers that accept the tokens of each of them.

use crate::properties::subject::{GATEWAY, NOW, build, present};
use obo_gateway::{
    clock::{ManualClock, SharedClock, SystemRandomness},
    egress::Egress,
    exchange::{Embedded, IssuedToken, TokenResponse},
    jose::{Algorithm, HmacKey, SigningKey, SigningKeys},
    policy::{
        ClientCeilings, ClientSettings, ExchangePolicy, ExchangeSettings, GatewayIdentity,
        PermittedExchange, PolicyParts, Salt,
    },
    settings::BaseDir,
    store::Revocations,
    telemetry::Metrics,
    token::Audience,
    verify::{
        Accepted, IssuerSettings, Origins, OwnTokens, SubjectToken, TrustedIssuer, Verifier,
        VerifyError,
    },
};
use serde_json::{Value, json};
use std::{
    path::Path,
    sync::{Arc, LazyLock},
    time::Duration,
};
use tokio::runtime::Runtime;

/// Names with equal prefixes that contain every kind of character of a `sub`.
pub const NAMES: [&str; 3] = ["corp", "corp.a", "a"];
pub const ACTOR: &str = "obo-gateway";
/// The scopes that roles of every provider grant.
pub const ROLES: [(&str, &[&str]); 3] = [
    ("admin", &["write", "admin"]),
    ("clerk", &["portal"]),
    ("user", &["u.read"]),
];

pub struct World {
    keys: Vec<SigningKey>,
    trusted: Vec<Arc<TrustedIssuer>>,
    own: Arc<TrustedIssuer>,
    engine: Embedded,
    salt: Arc<HmacKey>,
    clock: SharedClock,
    runtime: Runtime,
}

pub static WORLD: LazyLock<World> = LazyLock::new(World::start);

pub fn url(issuer: usize) -> String {
    format!("https://{}.example.com", NAMES[issuer])
}

impl World {
    fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let clock: SharedClock = Arc::new(ManualClock::at(NOW));
        let egress = Egress::new(runtime.handle().clone());
        let metrics = Metrics::new();
        let mut keys = Vec::new();
        let mut trusted = Vec::new();
        for (position, name) in NAMES.iter().enumerate() {
            let (key, published) = key();
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("jwks.json"), published.jwks()).unwrap();
            let grants: Vec<Value> = ROLES
                .iter()
                .map(|(role, scope)| json!({ "role": role, "scope": scope }))
                .collect();
            let settings: IssuerSettings = serde_json::from_value(json!({
                "name": name, "issuer": url(position), "audiences": ["portal"],
                "algorithms": ["EdDSA"], "keys": { "jwks_file": "jwks.json" },
                "roles": { "claim": "realm.roles", "grants": grants },
            }))
            .unwrap();
            let base = BaseDir::of_file(&folder.path().join("x"));
            trusted.push(build(&base, |b| {
                settings.build(b, &clock, &egress, metrics.issuer(name))
            }));
            keys.push(key);
        }
        let (_, published) = key();
        let own = metrics.issuer(TrustedIssuer::OWN);
        let own = TrustedIssuer::own(GATEWAY, &published, &clock, &egress, own).unwrap();
        let engine = Embedded::new(
            &gateway(),
            Arc::new(published),
            Arc::clone(&clock),
            Arc::new(SystemRandomness),
        );
        Self {
            keys,
            trusted,
            own,
            engine,
            salt: Arc::new(HmacKey::new(&[7; 32]).unwrap()),
            clock,
            runtime,
        }
    }

    /// Returns a token of a provider.
    pub fn sign(&self, issuer: usize, claims: &Value) -> String {
        let claims = claims.as_object().unwrap();
        self.keys[issuer].sign("at+jwt", claims).unwrap()
    }

    /// Verifies `token` on a route that accepts these providers and the gateway's own tokens.
    pub fn verify(
        &self,
        token: &str,
        accepts: &[usize],
        origins: Origins,
    ) -> Result<SubjectToken, VerifyError> {
        let accepted = accepts
            .iter()
            .map(|&issuer| Accepted::from(Arc::clone(&self.trusted[issuer])));
        let named = vec![Audience::parse(GATEWAY).unwrap()];
        let own = OwnTokens::addressed_to(Arc::clone(&self.own), named, ACTOR, origins);
        let verifier = Verifier::new(
            accepted,
            GATEWAY,
            Revocations::of_one_process(),
            Arc::clone(&self.clock),
        )
        .accepting(Some(own));
        self.runtime.block_on(verifier.verify(&present(token)))
    }

    /// Compiles the rules of a route.
    pub fn policy(&self, settings: Value, clients: Vec<Value>, issuers: usize) -> ExchangePolicy {
        let settings: ExchangeSettings = serde_json::from_value(settings).unwrap();
        let clients: Vec<(usize, ClientSettings)> = clients
            .into_iter()
            .map(|client| serde_json::from_value(client).unwrap())
            .enumerate()
            .collect();
        let gateway = gateway();
        build(&BaseDir::of_file(Path::new("x")), |building| {
            let clients = Arc::new(ClientCeilings::build(&clients, building));
            let parts = PolicyParts {
                gateway: &gateway,
                lifetime: Duration::from_secs(300),
                issuers,
                salt: Salt::Key(&self.salt),
                clients: &clients,
            };
            settings.build(building, &parts)
        })
    }

    /// Returns the unchecked response of the engine.
    pub fn answer(&self, permitted: &PermittedExchange) -> TokenResponse {
        self.engine.mint(permitted).unwrap()
    }

    /// Returns the token that the engine issues for a permitted exchange.
    pub fn mint(&self, permitted: PermittedExchange) -> String {
        let answer = self.answer(&permitted);
        let issued = IssuedToken::accept(permitted, answer, self.engine.own_profile(), NOW)
            .expect("what the engine mints is what was permitted");
        String::from_utf8(issued.token().expose().to_vec()).unwrap()
    }
}

fn key() -> (SigningKey, SigningKeys) {
    let made = SigningKey::generate(Algorithm::EdDSA).unwrap();
    let again = SigningKey::from_pem(made.pem.expose(), Default::default()).unwrap();
    (made.key, SigningKeys::new([again]).unwrap())
}

fn gateway() -> GatewayIdentity {
    GatewayIdentity {
        issuer: GATEWAY.into(),
        actor: ACTOR.into(),
    }
}
