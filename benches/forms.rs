//! Measures the cost of the token forms: issuing one of each with every kind of key, introspection, sealing and opening.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

#[path = "fixture.rs"]
mod fixture;

use criterion::{Criterion, criterion_group, criterion_main};
use fixture::{ALGORITHMS, GATEWAY, build, gateway, issuer, keys};
use http::HeaderValue;
use obo_gateway::{
    clock::{Clock, SharedClock, SystemClock, SystemRandomness},
    egress::Egress,
    exchange::{Embedded, IssuedToken, TokenIssuer},
    jose::{Algorithm, SealingKey, SealingKeys, SigningKeys},
    own_token::{OwnTokenReader, TokenSeal},
    policy::{
        ClientParts, ClientPolicy, ClientSettings, Clients, DirectRequest, GatewayIdentity,
        RequestedScope,
    },
    source::{self, PresentedToken},
    store::Revocations,
    sts::Introspection,
    token::{Audience, ScopeSet, TokenFormat, TokenTypeUri},
    verify::Verifier,
};
use serde_json::json;
use std::{collections::BTreeSet, hint::black_box, path::Path, sync::Arc, time::Duration};
use tokio::runtime::Runtime;

const FORMATS: [TokenFormat; 3] = [TokenFormat::Jwt, TokenFormat::Opaque, TokenFormat::IdToken];

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
        let gateway = gateway();
        let theirs = keys(Algorithm::ES256);
        let ours = Arc::new(keys(alg));
        let sealing = SealingKeys::new([SealingKey::generate().unwrap().key]).unwrap();
        let seal = TokenSeal::new(Arc::new(sealing), GATEWAY);
        let reader = Arc::new(OwnTokenReader::new(GATEWAY, &ours, Some(seal.clone())));
        let randomness = Arc::new(SystemRandomness);
        let engine = Embedded::new(&gateway, Arc::clone(&ours), Arc::clone(&clock), randomness);
        let trusted = [issuer(Algorithm::ES256, &theirs, &clock, runtime)];
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

fn presented(keys: &SigningKeys) -> PresentedToken {
    let claims = fixture::claims(&json!({
        "client_id": "portal", "sid": "7b1c4d0e", "scope": "openid profile email read", "name": "Alice", "locale": "en",
    }));
    let token = keys.signing().sign("at+jwt", &claims);
    source::form_token(&token.unwrap(), 16 << 10).unwrap()
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
            group.bench_function(format!("{}, {name} response", format.as_str()), |b| {
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
    config = fixture::criterion();
    targets = exchanges, introspection, sealing
}
criterion_main!(benches);
