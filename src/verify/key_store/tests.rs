use super::*;
use crate::{
    clock::{Clock, ManualClock},
    egress::testing::Provider,
    jose::SigningKey,
    settings::OutboundUrl,
    telemetry::Metrics,
    verify::{
        refresh::REFETCH_EVERY,
        testing::{NOW, clock, jwks, key},
    },
};
use serde_json::json;
use std::future::Future;
use tokio::runtime::Handle;

const ES256: Algorithm = Algorithm::ES256;
const PATH: &str = "/keys";
const TIMES: KeyTimes = KeyTimes {
    max_age: Duration::from_secs(300),
    max_stale: Duration::from_secs(3600),
};

struct Bench {
    provider: Provider,
    clock: Arc<ManualClock>,
    store: Arc<KeyStore>,
}

async fn bench() -> Bench {
    let provider = Provider::start().await;
    let source = KeySource::Uri(OutboundUrl::parse(&provider.url(PATH)).unwrap());
    with_source(provider, source)
}

fn with_source(provider: Provider, source: KeySource) -> Bench {
    let clock = clock();
    let store = KeyStore::new(
        "corp".into(),
        source,
        TIMES,
        Egress::new(Handle::current()),
        Arc::clone(&clock) as Arc<dyn Clock>,
        Metrics::new().issuer("corp"),
    );
    Bench {
        provider,
        clock,
        store,
    }
}

impl Bench {
    /// Publishes keys and fetches them.
    async fn publish(&self, keys: &[&SigningKey]) {
        self.provider.ok(PATH, jwks(keys));
        self.store.refresh().await.unwrap();
    }

    async fn find(&self, key: &SigningKey) -> Result<LeasedKey, VerifyError> {
        self.store.key(Some(key.kid()), key.alg()).await
    }

    fn is_current(&self, lease: &KeyLease) -> bool {
        lease.is_current(self.clock.now())
    }
}

/// Waits until a condition is true. The deadline applies only to a test that would fail anyway.
async fn eventually(holds: impl Fn() -> bool) {
    let polling = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    within(polling).await;
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("nothing happened in 20 s")
}

#[tokio::test]
async fn a_removed_key_is_refused_and_its_lease_ends() {
    let bench = bench().await;
    let (stays, goes) = (key(ES256), key(ES256));
    bench.publish(&[&stays, &goes]).await;
    let kept = bench.find(&stays).await.unwrap().into_lease();
    let lost = bench.find(&goes).await.unwrap().into_lease();
    bench.publish(&[&stays]).await;
    assert!(bench.is_current(&kept));
    assert!(!bench.is_current(&lost));
    assert!(matches!(
        bench.find(&goes).await,
        Err(VerifyError::UnknownKey { .. })
    ));
    // A key that returns is a new key: the old lease stays invalid.
    bench.publish(&[&stays, &goes]).await;
    assert!(!bench.is_current(&lost));
    assert!(bench.find(&goes).await.is_ok());
}

#[tokio::test]
async fn new_numbers_under_an_old_kid_are_a_new_key() {
    let bench = bench().await;
    let (old, new) = (key(ES256), key(ES256));
    bench.publish(&[&old]).await;
    let lease = bench.find(&old).await.unwrap().into_lease();
    let mut jwk = new.public_jwk();
    jwk["kid"] = json!(old.kid());
    bench.provider.ok(PATH, json!({"keys": [jwk]}).to_string());
    bench.store.refresh().await.unwrap();
    assert!(!bench.is_current(&lease));
    let found = bench.find(&old).await.unwrap();
    let token = old.sign("at+jwt", &serde_json::Map::new()).unwrap();
    let token = crate::token::RawToken::from(token);
    let jws = UnverifiedJws::parse(&token).unwrap();
    assert_eq!(
        found.verify(jws, &[ES256]).unwrap_err(),
        JoseError::Signature
    );
}

#[tokio::test]
async fn the_last_good_keys_serve_through_an_outage_and_not_longer() {
    let bench = bench().await;
    let known = key(ES256);
    bench.publish(&[&known]).await;
    let lease = bench.find(&known).await.unwrap().into_lease();
    bench.provider.status(PATH, 503);
    bench
        .clock
        .advance(TIMES.max_stale - Duration::from_secs(1));
    assert!(bench.store.refresh().await.is_err());
    assert!(bench.find(&known).await.is_ok());
    assert!(bench.store.is_ready() && bench.is_current(&lease));
    bench.clock.advance(Duration::from_secs(1));
    assert!(!bench.store.is_ready() && !bench.is_current(&lease));
    assert!(matches!(
        bench.find(&known).await,
        Err(VerifyError::KeysUnavailable { .. })
    ));
    // The provider works again: the next token finds the key, after the pause between two fetches.
    bench.provider.ok(PATH, jwks(&[&known]));
    bench.clock.advance(REFETCH_EVERY);
    assert!(bench.find(&known).await.is_ok());
}

#[tokio::test]
async fn an_unusable_response_keeps_the_last_good_keys() {
    let bench = bench().await;
    let known = key(ES256);
    bench.publish(&[&known]).await;
    let huge = format!("{{\"keys\":[],\"x\":\"{}\"}}", "x".repeat(1 << 20));
    let redirect = format!(
        "HTTP/1.1 307 X\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n",
        bench.provider.url("/elsewhere")
    );
    bench.provider.ok("/elsewhere", jwks(&[&key(ES256)]));
    let ok = |body: &str| {
        format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    for response in [
        ok("<html>"),
        ok(""),
        ok("{\"keys\":[]}"),
        ok("{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"}]}"),
        ok(&huge),
        redirect,
        "HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "garbage".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n{\"keys\":".to_owned(),
    ] {
        bench.provider.raw(PATH, response.clone());
        assert!(bench.store.refresh().await.is_err(), "{:.60}", response);
        assert!(bench.find(&known).await.is_ok(), "{:.60}", response);
    }
    assert_eq!(bench.provider.hits("/elsewhere"), 0);
}

#[tokio::test]
async fn one_bad_key_leaves_the_others_in_use() {
    let bench = bench().await;
    let good = key(ES256);
    let set = json!({"keys": [{"kty": "RSA", "n": "AA", "e": "AQAB"}, good.public_jwk(), 7]});
    bench.provider.ok(PATH, set.to_string());
    bench.store.refresh().await.unwrap();
    assert!(bench.find(&good).await.is_ok());
}

#[tokio::test]
async fn a_flood_of_unknown_keys_costs_the_provider_one_request() {
    let bench = bench().await;
    bench.publish(&[&key(ES256)]).await;
    let asked = bench.provider.hits(PATH);
    let flood = async || {
        let ask = |n: usize| {
            let store = Arc::clone(&bench.store);
            tokio::spawn(async move { store.key(Some(&format!("k{n}")), ES256).await })
        };
        for asking in (0..1_000).map(ask).collect::<Vec<_>>() {
            let response = within(asking).await.unwrap();
            assert!(matches!(response, Err(VerifyError::UnknownKey { .. })));
        }
    };
    flood().await;
    assert_eq!(bench.provider.hits(PATH), asked + 1);
    bench.clock.advance(REFETCH_EVERY - Duration::from_secs(1));
    flood().await;
    assert_eq!(bench.provider.hits(PATH), asked + 1);
    bench.clock.advance(Duration::from_secs(1));
    flood().await;
    assert_eq!(bench.provider.hits(PATH), asked + 2);
}

#[tokio::test]
async fn a_new_key_is_found_by_everybody_who_waits_for_the_one_fetch() {
    let bench = bench().await;
    bench.publish(&[&key(ES256)]).await;
    let new = key(ES256);
    bench.provider.ok(PATH, jwks(&[&new]));
    let asked = bench.provider.hits(PATH);
    bench.provider.hold();
    let ask = |_| {
        let (store, kid) = (Arc::clone(&bench.store), new.kid().to_owned());
        tokio::spawn(async move { store.key(Some(&kid), ES256).await })
    };
    let asking: Vec<_> = (0..50).map(ask).collect();
    // The first waiting task is aborted. The others still get their result.
    asking[0].abort();
    eventually(|| bench.provider.hits(PATH) > asked).await;
    bench.provider.release();
    for asking in asking.into_iter().skip(1) {
        assert!(within(asking).await.unwrap().is_ok());
    }
    assert_eq!(bench.provider.hits(PATH), asked + 1);
}

#[tokio::test]
async fn a_new_key_during_an_outage_is_a_fault_and_not_a_verdict() {
    let bench = bench().await;
    bench.publish(&[&key(ES256)]).await;
    bench.provider.status(PATH, 500);
    let new = key(ES256);
    for _ in 0..3 {
        assert!(matches!(
            bench.find(&new).await,
            Err(VerifyError::KeysUnavailable { .. })
        ));
    }
}

#[tokio::test]
async fn a_known_key_for_another_algorithm_causes_no_request() {
    let bench = bench().await;
    let known = key(ES256);
    bench.publish(&[&known]).await;
    let asked = bench.provider.hits(PATH);
    let found = bench.store.key(Some(known.kid()), Algorithm::EdDSA).await;
    assert!(matches!(
        found,
        Err(VerifyError::UnknownKey {
            why: KeyLookup::AlgorithmNotAllowed,
            ..
        })
    ));
    assert_eq!(bench.provider.hits(PATH), asked);
}

#[tokio::test]
async fn keys_are_fetched_in_the_background_until_the_store_is_dropped() {
    let bench = bench().await;
    let known = key(ES256);
    bench.provider.ok(PATH, jwks(&[&known]));
    assert!(!bench.store.is_ready());
    bench.store.start();
    eventually(|| bench.store.is_ready()).await;
    let weak = Arc::downgrade(&bench.store);
    let Bench {
        store,
        provider: _provider,
        ..
    } = bench;
    drop(store);
    eventually(|| weak.strong_count() == 0).await;
}

#[tokio::test]
async fn metadata_leads_to_the_keys_only_where_it_is_the_issuers_own() {
    const OPENID: &str = "/t/.well-known/openid-configuration";
    const OAUTH: &str = "/.well-known/oauth-authorization-server/t";
    let provider = Provider::start().await;
    let issuer = provider.url("/t");
    let base = OutboundUrl::parse(&issuer).unwrap();
    let source = KeySource::discovery(&issuer, &base).unwrap();
    let bench = with_source(provider, source);
    let keys = bench.provider.url(PATH);
    bench.provider.ok(PATH, jwks(&[&key(ES256)]));
    let metadata = |issuer: &str, uri: &str| json!({"issuer": issuer, "jwks_uri": uri}).to_string();

    bench.provider.ok(OAUTH, metadata(&issuer, &keys));
    assert!(
        bench.store.refresh().await.is_ok(),
        "the second document, where there is no first"
    );
    for absent in [400, 401, 403, 404, 405, 410, 451] {
        bench.provider.status(OPENID, absent);
        assert!(bench.store.refresh().await.is_ok(), "{absent}");
    }
    for fault in [204, 301, 302, 500, 502, 503] {
        bench.provider.status(OPENID, fault);
        let refreshed = bench.store.refresh().await;
        assert!(refreshed.is_err(), "a fault is not an absence: {fault}");
    }

    for (issuer, uri) in [
        (format!("{issuer}/"), keys.clone()),
        ("https://idp.example.com".to_owned(), keys.clone()),
        (issuer.clone(), "http://idp.example.com/keys".to_owned()),
        (issuer.clone(), "https://169.254.169.254/keys".to_owned()),
        (issuer.clone(), "file:///etc/passwd".to_owned()),
    ] {
        bench.provider.ok(OPENID, metadata(&issuer, &uri));
        assert!(bench.store.refresh().await.is_err(), "{issuer} {uri}");
    }
    bench.provider.ok(OPENID, metadata(&issuer, &keys));
    assert!(bench.store.refresh().await.is_ok());
}

#[tokio::test]
async fn a_changed_key_file_is_read_again() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("jwks.json");
    let (old, new) = (key(ES256), key(ES256));
    std::fs::write(&path, jwks(&[&old])).unwrap();
    let bench = with_source(Provider::start().await, KeySource::File(path.clone()));
    bench.store.refresh().await.unwrap();
    assert!(bench.find(&old).await.is_ok());
    std::fs::write(&path, jwks(&[&new])).unwrap();
    assert!(
        bench.find(&new).await.is_ok(),
        "by the one fetch for an unknown key"
    );
    assert!(matches!(
        bench.find(&old).await,
        Err(VerifyError::UnknownKey { .. })
    ));
    std::fs::write(&path, "half a fi").unwrap();
    assert!(bench.store.refresh().await.is_err());
    assert!(bench.find(&new).await.is_ok());
}

/// A store over a key file, on a runtime with paused timers (files are read outside of them).
async fn file_bench(folder: &tempfile::TempDir) -> (Bench, std::path::PathBuf) {
    let path = folder.path().join("jwks.json");
    let source = KeySource::File(path.clone());
    (with_source(Provider::start().await, source), path)
}

#[tokio::test(start_paused = true)]
async fn a_removed_key_is_refused_within_max_age_though_nobody_asks() {
    let folder = tempfile::TempDir::new().unwrap();
    let (bench, path) = file_bench(&folder).await;
    let (old, new) = (key(ES256), key(ES256));
    std::fs::write(&path, jwks(&[&old])).unwrap();
    bench.store.refresh().await.unwrap();
    let lease = bench.find(&old).await.unwrap().into_lease();
    bench.store.start();
    tokio::task::yield_now().await;
    std::fs::write(&path, jwks(&[&new])).unwrap();
    tokio::time::advance(TIMES.max_age).await;
    eventually(|| !bench.is_current(&lease)).await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_fetch_is_tried_again_after_a_second() {
    let folder = tempfile::TempDir::new().unwrap();
    let (bench, path) = file_bench(&folder).await;
    bench.store.start();
    eventually(|| bench.store.last_refresh_failed.load(Ordering::Acquire)).await;
    std::fs::write(&path, jwks(&[&key(ES256)])).unwrap();
    tokio::time::advance(Duration::from_secs(1)).await;
    eventually(|| bench.store.is_ready()).await;
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_does_not_respond_holds_a_request_for_five_seconds_at_most() {
    let bench = bench().await;
    bench.store.replace(
        JwkSet::parse(jwks(&[&key(ES256)]).as_bytes()).unwrap().0,
        NOW,
    );
    bench.provider.hold();
    let before = tokio::time::Instant::now();
    let found = bench.find(&key(ES256)).await;
    assert!(matches!(found, Err(VerifyError::KeysUnavailable { .. })));
    assert_eq!(before.elapsed().as_secs(), 5);
}

#[test]
fn a_lease_without_keys_never_counts() {
    let lease = KeyLease {
        retired: Arc::default(),
        usable_until: Arc::new(AtomicI64::new(i64::MIN)),
    };
    assert!(!lease.is_current(NOW));
}
