//! Measures the cost of token work: a cache hit, an exchange without the cache, and, for each algorithm, the verification
//! and the signature that such an exchange needs, compared with the bare signature of the library.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm
)]

#[path = "fixture.rs"]
mod fixture;

use std::{hint::black_box, path::Path, sync::Arc, time::Duration};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm, Ed25519KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding,
        RsaKeyPair,
    },
};
use criterion::{Criterion, criterion_group, criterion_main};
use fixture::{ALGORITHMS, build, gateway, issuer, keys};
use http::HeaderMap;
use obo_gateway::{
    cache::{
        AuthorizationContext, CacheKey, CacheSettings, ExchangeCache, ExchangeReason, PolicyContext,
    },
    clock::{Clock, SharedClock, SystemClock, SystemRandomness},
    exchange::{Embedded, IssuedToken, NamedExchanger},
    jose::{Algorithm, SigningKeys},
    policy::{
        ExchangePolicy, ExchangeRequest, ExchangeSettings, GatewayIdentity, PolicyParts, Salt,
    },
    source::{PresentedToken, Source},
    store::Revocations,
    token::TokenTypeUri,
    verify::Verifier,
};
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

/// The stages of one route, and a token that they accept.
struct Stages {
    verifier: Verifier,
    policy: ExchangePolicy,
    exchanger: NamedExchanger,
    signing: Arc<SigningKeys>,
    context: PolicyContext,
    headers: HeaderMap,
    presented: PresentedToken,
    clock: SharedClock,
}

impl Stages {
    /// A provider and an engine that both sign with `alg`.
    fn new(alg: Algorithm, runtime: &Runtime) -> Self {
        let clock: SharedClock = Arc::new(SystemClock);
        let gateway = gateway();
        let theirs = keys(alg);
        let token = theirs.signing().sign("at+jwt", &claims()).unwrap();
        let headers = presenting(&token);
        let issuer = issuer(alg, &theirs, &clock, runtime);
        let signing = Arc::new(keys(alg));
        let engine = Embedded::new(
            &gateway,
            Arc::clone(&signing),
            Arc::clone(&clock),
            Arc::new(SystemRandomness),
        );
        Self {
            verifier: Verifier::new(
                [issuer],
                &gateway.issuer,
                Revocations::of_one_process(),
                Arc::clone(&clock),
            ),
            policy: policy(&gateway),
            exchanger: NamedExchanger::embedded(Arc::new(engine)),
            signing,
            context: PolicyContext::new("orders", "", 1, TokenTypeUri::AccessToken),
            presented: present(&headers),
            headers,
            clock,
        }
    }

    async fn exchange(&self) -> IssuedToken {
        let subject = self.verifier.verify(&self.presented).await.unwrap();
        let request = ExchangeRequest::new(subject);
        let permitted = self.policy.permit(request, self.clock.now()).unwrap();
        let exchanged = self.exchanger.exchange(&permitted, &self.presented);
        let response = exchanged.await.unwrap();
        let accepted =
            self.exchanger
                .accept(permitted, response, &self.presented, self.clock.now());
        accepted.unwrap()
    }

    fn key(&self) -> CacheKey {
        let context = AuthorizationContext {
            policy: &self.context,
            presented: Source::Authorization
                .find(&self.headers, None, 16 << 10)
                .unwrap()
                .token,
            actor: None,
            confirmation: None,
        };
        context.key()
    }
}

fn claims() -> Map<String, Value> {
    fixture::claims(&json!({
        "client_id": "web",
        "scope": "openid profile email orders.read orders.write invoices.read",
    }))
}

fn policy(gateway: &GatewayIdentity) -> ExchangePolicy {
    let settings: ExchangeSettings = serde_json::from_value(json!({
        "audience": "orders-api",
        "scope": { "allow": ["orders.read", "orders.write"], "require": ["orders.read"] },
    }))
    .unwrap();
    build(Path::new("gateway.yaml"), |building| {
        let parts = PolicyParts {
            gateway,
            lifetime: Duration::from_secs(300),
            issuers: 1,
            salt: Salt::Absent,
            clients: &Arc::default(),
        };
        settings.build(building, &parts)
    })
}

fn presenting(token: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(
        http::header::AUTHORIZATION,
        format!("Bearer {token}").parse().unwrap(),
    );
    headers
}

fn present(headers: &HeaderMap) -> PresentedToken {
    let bearer = Source::Authorization
        .find(headers, None, 16 << 10)
        .unwrap()
        .token;
    bearer.present().unwrap()
}

/// The future of a lookup or an embedded exchange is always ready at once. A runtime would cost more than the lookup.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("it waits"),
    }
}

fn warm(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let stages = Arc::new(Stages::new(Algorithm::ES256, &runtime));
    let cache: ExchangeCache = ExchangeCache::new(
        &CacheSettings::default(),
        Revocations::of_one_process(),
        Arc::new(SystemClock),
    );
    let key = stages.key();
    let exchange = Arc::clone(&stages);
    let granted = cache.exchange_once(
        key,
        stages.presented.clone(),
        ExchangeReason::FirstUse,
        async move { Ok(exchange.exchange().await) },
    );
    runtime.block_on(granted).unwrap();

    let at = SystemClock.instant();
    let mut group = c.benchmark_group("warm");
    group.bench_function("key of a request", |b| b.iter(|| stages.key()));
    group.bench_function("lookup, key included", |b| {
        b.iter(|| {
            let hit = cache.hit(&stages.key(), at);
            black_box(hit.unwrap().unwrap().credential)
        });
    });
}

fn cold(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    for alg in ALGORITHMS {
        let stages = Stages::new(alg, &runtime);
        let claims = claims();
        let mut group = c.benchmark_group(alg.as_str());
        group.bench_function("cold exchange", |b| b.iter(|| now(stages.exchange())));
        group.bench_function("verification", |b| {
            b.iter(|| now(stages.verifier.verify(&stages.presented)).unwrap());
        });
        group.bench_function("signed token", |b| {
            b.iter(|| stages.signing.signing().sign("at+jwt", &claims).unwrap());
        });
        let bare = bare_signature(alg);
        group.bench_function("bare signature", |b| b.iter(|| bare(black_box(&[7; 600]))));
    }
}

type Signer = Box<dyn Fn(&[u8])>;

/// Measures the library alone: one signature over the bytes of a token.
fn bare_signature(alg: Algorithm) -> Signer {
    match alg {
        Algorithm::ES256 => ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING),
        Algorithm::ES384 => ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING),
        Algorithm::EdDSA => {
            let pair = Ed25519KeyPair::generate().unwrap();
            Box::new(move |bytes| {
                black_box(pair.sign(bytes));
            })
        }
        Algorithm::PS256 => rsa(&RSA_PSS_SHA256),
        Algorithm::RS256 => rsa(&RSA_PKCS1_SHA256),
        other => panic!("{other} is not minted"),
    }
}

fn ecdsa(alg: &'static EcdsaSigningAlgorithm) -> Signer {
    let pair = EcdsaKeyPair::generate(alg).unwrap();
    let random = SystemRandom::new();
    Box::new(move |bytes| {
        black_box(pair.sign(&random, bytes).unwrap());
    })
}

fn rsa(padding: &'static dyn RsaEncoding) -> Signer {
    let pair = RsaKeyPair::generate(KeySize::Rsa3072).unwrap();
    let random = SystemRandom::new();
    Box::new(move |bytes| {
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(padding, &random, bytes, &mut signature).unwrap();
        black_box(signature);
    })
}

criterion_group! {
    name = benches;
    config = fixture::criterion();
    targets = warm, cold
}
criterion_main!(benches);
