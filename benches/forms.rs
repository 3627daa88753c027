//! Measures the cost of the token forms: issuing one of each with every kind of key, introspection, sealing and opening.
#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{Criterion, criterion_group, criterion_main};
use http::HeaderValue;
use obo_gateway::{
    clock::{Clock, SharedClock, SystemClock, SystemRandomness},
    egress::Egress,
    exchange::{Embedded, IssuedToken, TokenIssuer},
    jose::{Algorithm, SealingKey, SealingKeys, SigningKey, SigningKeys},
    own_token::{OwnTokenReader, TokenSeal},
    policy::{
        ClientParts, ClientPolicy, ClientSettings, Clients, DirectRequest, GatewayIdentity,
        RequestedScope,
    },
    settings::{BaseDir, Building, Effects, Findings},
    source::{self, PresentedToken},
    store::Revocations,
    sts::Introspection,
    telemetry::Metrics,
    token::{Audience, ScopeSet, TokenFormat, TokenTypeUri},
    verify::{IssuerSettings, TrustedIssuer, Verifier},
};
use serde_json::json;
use std::{collections::BTreeSet, hint::black_box, path::Path, sync::Arc, time::Duration};
use tokio::runtime::Runtime;

const ALGORITHMS: [Algorithm; 5] = [
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
    Algorithm::RS256,
    Algorithm::PS256,
];
const FORMATS: [TokenFormat; 3] = [TokenFormat::Jwt, TokenFormat::Opaque, TokenFormat::IdToken];
const GATEWAY: &str = "https://gateway.example.com";
const PROVIDER: &str = "https://idp.example.com";

/// A token service whose provider signs with ES256 and which itself signs with another algorithm.
struct Service {
    verifier: Verifier,
    client: Arc<ClientPolicy>,
    issuer: TokenIssuer,
    seal: TokenSeal,
    introspection: Introspection,
    presented: PresentedToken,
}

impl Service {
    fn new(alg: Algorithm, runtime: &Runtime) -> Self {
        let clock: SharedClock = Arc::new(SystemClock);
        let gateway = GatewayIdentity {
            issuer: GATEWAY.into(),
            actor: "obo-gateway".into(),
        };
        let theirs = keys(Algorithm::ES256);
        let ours = Arc::new(keys(alg));
        let sealing = SealingKeys::new([SealingKey::generate().unwrap().key]).unwrap();
        let seal = TokenSeal::new(Arc::new(sealing), GATEWAY);
        let reader = Arc::new(OwnTokenReader::new(GATEWAY, &ours, Some(seal.clone())));
        let randomness = Arc::new(SystemRandomness);
        let engine = Embedded::new(&gateway, Arc::clone(&ours), Arc::clone(&clock), randomness);
        let trusted = [issuer(&theirs, &clock, runtime)];
        let revocations = Revocations::of_one_process();
        Self {
            presented: presented(&theirs),
            client: client(&gateway, &clock, runtime),
            verifier: Verifier::new(trusted, GATEWAY, revocations.clone(), Arc::clone(&clock)),
            issuer: TokenIssuer::new(Arc::new(engine.sealing(Some(seal.clone())))),
            seal,
            introspection: Introspection::new(reader, ours, revocations, clock),
        }
    }

    /// The whole exchange from the presented token to the issued one, as the token endpoint does it.
    async fn exchange(&self, format: TokenFormat) -> IssuedToken {
        let declared = TokenTypeUri::AccessToken;
        let verified = self
            .verifier
            .subject(&self.presented, declared, self.client.terms());
        let request = DirectRequest {
            subject: verified.await.unwrap(),
            actor: None,
            audience: vec![Audience::parse("aggregates").unwrap()],
            resource: Vec::new(),
            scope: Some(RequestedScope::Named(ScopeSet::parse("openid").unwrap())),
            format,
        };
        let now = SystemClock.now();
        let permitted = self.client.permit(request, now).unwrap();
        self.issuer.issue(permitted).unwrap()
    }
}

fn keys(alg: Algorithm) -> SigningKeys {
    SigningKeys::new([SigningKey::generate(alg).unwrap().key]).unwrap()
}

fn presented(keys: &SigningKeys) -> PresentedToken {
    let now = SystemClock.now().as_secs();
    let claims = json!({
        "iss": PROVIDER, "sub": "1f0e6d9a-7b1c-4d0e-9c55-3f2c5a1b0001", "aud": "portal",
        "iat": now, "exp": now + 3_600, "jti": "3f2c5a1b0001", "client_id": "portal",
        "sid": "7b1c4d0e", "scope": "openid profile email read", "name": "Alice", "locale": "en",
    });
    let token = keys.signing().sign("at+jwt", claims.as_object().unwrap());
    source::form_token(&token.unwrap(), 16 << 10).unwrap()
}

fn issuer(keys: &SigningKeys, clock: &SharedClock, runtime: &Runtime) -> Arc<TrustedIssuer> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("jwks.json"), keys.jwks()).unwrap();
    let settings: IssuerSettings = serde_json::from_value(json!({
        "name": "corp", "issuer": PROVIDER, "audiences": ["portal"], "algorithms": ["ES256"],
        "keys": { "jwks_file": "jwks.json", "max_age": "24h", "max_stale": "24h" },
    }))
    .unwrap();
    let egress = Egress::new(runtime.handle().clone());
    let metrics = Metrics::new().issuer("corp");
    build(&folder.path().join("gateway.yaml"), |building| {
        settings.build(building, clock, &egress, metrics)
    })
}

fn client(gateway: &GatewayIdentity, clock: &SharedClock, runtime: &Runtime) -> Arc<ClientPolicy> {
    let settings: ClientSettings = serde_json::from_value(json!({
        "id": "portal",
        "audiences": ["aggregates"],
        "scope": { "allow": ["openid", "profile", "read"] },
        "token_formats": ["opaque", "jwt", "id_token"],
        "introspects": ["aggregates"],
    }))
    .unwrap();
    let egress = Egress::new(runtime.handle().clone());
    let clients = build(Path::new("gateway.yaml"), |building| {
        let parts = ClientParts {
            gateway,
            lifetime: Duration::from_secs(300),
            issuers: &BTreeSet::new(),
            listed_issuers: 1,
            directory: None,
            directory_written: false,
            opaque: true,
            stored: false,
            audiences: &BTreeSet::new(),
            clock,
            egress: &egress,
        };
        Some(Clients::build(&[(0, settings)], building, &parts))
    });
    Arc::clone(clients.of("portal").unwrap())
}

fn build<T>(file: &Path, build: impl FnOnce(&mut Building<'_>) -> Option<T>) -> T {
    let mut findings = Findings::default();
    build(&mut Building {
        base: &BaseDir::of_file(file),
        effects: Effects::None,
        findings: &mut findings,
    })
    .unwrap()
}

fn exchanges(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    for alg in ALGORITHMS {
        let service = Service::new(alg, &runtime);
        let mut group = c.benchmark_group(format!("exchange with {alg}"));
        for format in FORMATS {
            group.bench_function(format.as_str(), |b| {
                b.iter(|| runtime.block_on(service.exchange(format)));
            });
        }
    }
}

fn introspection(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let service = Service::new(Algorithm::ES256, &runtime);
    let signed = HeaderValue::from_static("application/token-introspection+jwt");
    let mut group = c.benchmark_group("introspection");
    for format in [TokenFormat::Jwt, TokenFormat::Opaque] {
        let issued = runtime.block_on(service.exchange(format));
        let token = String::from_utf8(issued.token().expose().to_vec()).unwrap();
        for (name, accept) in [("plain", None), ("signed", Some(&signed))] {
            let asked = || {
                service
                    .introspection
                    .introspect(&service.client, &token, accept)
            };
            group.bench_function(format!("{}, {name} answer", format.as_str()), |b| {
                b.iter(|| black_box(asked()));
            });
        }
    }
    let none = || {
        service
            .introspection
            .introspect(&service.client, "oboat_AAAA", None)
    };
    group.bench_function("no token", |b| b.iter(|| black_box(none())));
}

fn sealing(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let service = Service::new(Algorithm::EdDSA, &runtime);
    let issued = runtime.block_on(service.exchange(TokenFormat::Opaque));
    let (claims, lineage) = service.seal.open(issued.token()).unwrap();
    let mut group = c.benchmark_group("opaque token");
    group.bench_function("seal", |b| {
        b.iter(|| service.seal.seal(claims.as_object(), &lineage).unwrap());
    });
    group.bench_function("open", |b| {
        b.iter(|| service.seal.open(issued.token()).unwrap());
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = exchanges, introspection, sealing
}
criterion_main!(benches);
