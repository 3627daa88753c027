//! Additional tests of the store on a server.

use crate::store::{
    NOW, clock, contract, later, lineage, revoked,
    server::{Server, free_port, wait_for},
    token,
};
use obo_gateway::{
    clock::{Clock, SystemClock, SystemRandomness},
    jose::{SealingKey, SealingKeys},
    settings::{BaseDir, Building, Effects, Findings},
    store::{
        Lift, RecordKey, Revocation, RevokedBy, STALE_AFTER, Store, StoreError, StoreParts, Stores,
    },
};
use std::{
    fs,
    path::Path,
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// The runtime for all I/O of the stores.
static IO: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    // the first line of `main` does this for the program
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
});

fn keys() -> Arc<SealingKeys> {
    Arc::new(SealingKeys::new([SealingKey::generate().unwrap().key]).unwrap())
}

/// Builds the store from `settings`; `URL` in them is replaced with a file that contains `url`.
fn build(
    url: &str,
    settings: &str,
    keys: Option<&Arc<SealingKeys>>,
    clock: Arc<dyn Clock>,
) -> Result<Stores, String> {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("url"), url).unwrap();
    let settings: obo_gateway::store::StoreSettings =
        serde_yaml::from_str(&settings.replace("URL", "{ file: url }")).unwrap();
    let mut findings = Findings::default();
    let base = BaseDir::of_file(&folder.path().join("gateway.yaml"));
    let mut building = Building {
        base: &base,
        effects: Effects::Allowed,
        findings: &mut findings,
    };
    let parts = StoreParts {
        clock,
        randomness: Arc::new(SystemRandomness),
        io: IO.handle().clone(),
        keys: keys.cloned(),
    };
    let store = settings.build(&mut building, parts);
    let found: Vec<_> = findings.into_vec().into_iter().map(|f| f.what).collect();
    store.ok_or_else(|| found.join("; "))
}

fn connect(server: &Server, keys: &Arc<SealingKeys>, clock: Arc<dyn Clock>) -> Stores {
    let url = format!("redis://127.0.0.1:{}/0", server.port);
    build(&url, "redis: { url: URL }", Some(keys), clock).unwrap()
}

#[tokio::test]
async fn it_keeps_the_contract_of_all_stores() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let clock = clock();
    let store = connect(&server, &keys(), Arc::clone(&clock) as _);
    contract::holds(&store, &clock).await;
}

#[tokio::test]
async fn it_keeps_the_contract_over_tls_with_a_password_and_refuses_a_server_that_it_does_not_trust()
 {
    let folder = TempDir::new().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    fs::write(file("cert.pem"), made.cert.pem()).unwrap();
    fs::write(file("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    fs::write(file("other.pem"), other.cert.pem()).unwrap();
    let Some(server) = Server::start(&[
        "--port",
        "0",
        "--tls-cert-file",
        &file("cert.pem"),
        "--tls-key-file",
        &file("key.pem"),
        "--tls-ca-cert-file",
        &file("cert.pem"),
        "--tls-auth-clients",
        "no",
        "--requirepass",
        "secret",
    ]) else {
        return;
    };
    let url = format!("rediss://:secret@localhost:{}/0", server.port);
    let clock = clock();
    let tls = |ca: &str| format!("redis: {{ url: URL, tls: {{ ca: {} }} }}", file(ca));
    let store = build(
        &url,
        &tls("cert.pem"),
        Some(&keys()),
        Arc::clone(&clock) as _,
    )
    .unwrap();
    contract::holds(&store, &clock).await;
    let refused = |url: &str, ca| build(url, &tls(ca), Some(&keys()), clock.clone()).unwrap_err();
    assert!(refused(&url, "other.pem").contains("not available"));
    let wrong = refused(&url.replace("secret", "guessed"), "cert.pem");
    assert!(!wrong.contains("guessed"), "{wrong}");
    assert!(wrong.contains("not available"), "{wrong}");
}

#[tokio::test]
async fn it_keeps_the_contract_on_a_cluster() {
    let Some(server) = Server::start(&["--cluster-enabled", "yes"]) else {
        return;
    };
    assert_eq!(server.ask("CLUSTER ADDSLOTSRANGE 0 16383"), "+OK");
    wait_for("the cluster is ready", || {
        // an error until then
        server.ask("GET x") == "$-1"
    });
    let (clock, keys) = (clock(), keys());
    let url = format!("redis://127.0.0.1:{0},redis://127.0.0.1:{0}", server.port);
    let store = || {
        build(
            &url,
            "redis: { url: URL, cluster: true }",
            Some(&keys),
            clock.clone(),
        )
    };
    let (one, two) = (store().unwrap(), store().unwrap());
    contract::holds(&one, &clock).await;
    let took = reaches(&one, &two, "of the cluster").await;
    println!("a revocation reaches another replica on a cluster in {took:?}");
}

#[tokio::test]
async fn it_keeps_the_contract_behind_a_sentinel() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("sentinel.conf");
    let monitor = format!("sentinel monitor orders 127.0.0.1 {} 1\n", server.port);
    fs::write(&file, monitor).unwrap();
    let sentinel = Sentinel::start(&file);
    let (clock, keys) = (clock(), keys());
    let url = format!("redis://127.0.0.1:{}", sentinel.port);
    let settings = "redis: { url: URL, sentinel: { master: orders } }";
    let store = || build(&url, settings, Some(&keys), clock.clone()).unwrap();
    let (one, two) = (store(), store());
    contract::holds(&one, &clock).await;
    let took = reaches(&one, &two, "of the sentinel").await;
    println!("a revocation reaches another replica behind a sentinel in {took:?}");
}

struct Sentinel {
    port: u16,
    process: std::process::Child,
}

impl Sentinel {
    fn start(file: &Path) -> Self {
        let port = free_port();
        let process = std::process::Command::new("redis-server")
            .arg(file)
            .args(["--sentinel", "--port", &port.to_string()])
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        wait_for("the sentinel listens", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Self { port, process }
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn what_one_replica_revokes_holds_at_the_other_within_a_second() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let keys = keys();
    let replica = || connect(&server, &keys, Arc::new(SystemClock));
    let (one, two) = (replica(), replica());
    let mut took = Vec::new();
    for n in 0..40 {
        took.push(reaches(&one, &two, &format!("t{n}")).await);
    }
    took.sort();
    println!(
        "a revocation reaches another replica in {:?} (median), {:?} (slowest of {})",
        took[took.len() / 2],
        took[took.len() - 1],
        took.len()
    );
    // a store that is opened later knows them too
    let three = replica();
    assert!((0..40).all(|n| three.revocations().ends(&lineage(format!("t{n}")))));
}

#[tokio::test]
async fn what_is_lifted_at_one_is_lifted_at_all_and_at_those_that_come_later() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let keys = keys();
    let replica = || connect(&server, &keys, Arc::new(SystemClock));
    let (one, two) = (replica(), replica());
    for n in 0..20 {
        let id = format!("t{n}");
        let operators = revoked(&id).by_operator(Some("noted".into()));
        one.revoke(&[operators]).await.unwrap();
        let lift = Lift {
            key: token(&id),
            by: RevokedBy::Operator,
            at: NOW,
        };
        // a lift is only accepted if its store knows the revocation
        wait_for("the revocation is known", || {
            two.revocations().ends(&lineage(&id))
        });
        two.lift(&[lift]).await.unwrap();
        assert!(!two.revocations().ends(&lineage(&id)));
        wait_for("the lift is known", || {
            !one.revocations().ends(&lineage(&id))
        });
    }
    let three = replica();
    assert!((0..20).all(|n| !three.revocations().ends(&lineage(format!("t{n}")))));
    // and a revocation after a lift applies
    one.revoke(&[revoked("t1")]).await.unwrap();
    wait_for("it is revoked again", || {
        two.revocations().ends(&lineage("t1"))
    });
    assert!(replica().revocations().ends(&lineage("t1")));
}

/// Returns the time until a revocation by `one` applies at `two`.
async fn reaches(one: &Stores, two: &Stores, id: &str) -> Duration {
    let epoch = two.revocations().epoch();
    one.revoke(&[revoked(id)]).await.unwrap();
    let took = wait_for("the revocation reaches the other replica", || {
        two.revocations().ends(&lineage(id))
    });
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_ne!(two.revocations().epoch(), epoch);
    took
}

#[tokio::test]
async fn an_outage_is_answered_within_a_second_gets_stale_after_the_bound_and_ends_by_itself() {
    let Some(mut server) = Server::start(&[]) else {
        return;
    };
    let (clock, keys) = (clock(), keys());
    let store = connect(&server, &keys, Arc::clone(&clock) as _);
    let key = RecordKey::new("test", b"1");
    store
        .put_new(&key, b"a".to_vec(), later(600))
        .await
        .unwrap();
    store.revoke(&[revoked("before")]).await.unwrap();
    server.stop();

    let began = Instant::now();
    let answer = store.revoke(&[revoked("meanwhile")]).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))));
    assert!(matches!(
        store.get(&key).await,
        Err(StoreError::Unavailable(_))
    ));
    assert!(began.elapsed() < Duration::from_secs(2), "two operations");
    // known revocations apply, and unacknowledged ones do not
    assert!(store.revocations().ends(&lineage("before")));
    assert!(!store.revocations().ends(&lineage("meanwhile")));
    assert!(!store.revocations().is_stale(clock.instant()));
    clock.advance(STALE_AFTER + Duration::from_secs(1));
    assert!(store.revocations().is_stale(clock.instant()));

    server.run();
    let took = wait_for("the revocations are fresh again", || {
        // the pause after a failure is over
        clock.advance(Duration::from_millis(300));
        !store.revocations().is_stale(clock.instant())
    });
    println!("{took:?} after the server is back, everything is known again");
    let kept = store.get(&key).await.unwrap().unwrap();
    assert_eq!(kept.value, b"a", "the server had flushed it");
    store.revoke(&[revoked("after")]).await.unwrap();
    let other = connect(&server, &keys, Arc::clone(&clock) as _);
    assert!(other.revocations().ends(&lineage("before")));
    assert!(other.revocations().ends(&lineage("after")));
}

#[tokio::test]
async fn a_server_that_hangs_is_answered_for_within_a_second() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let store = connect(&server, &keys(), Arc::new(SystemClock));
    server.ask("CLIENT PAUSE 60000 ALL");
    let began = Instant::now();
    let answer = store.revoke(&[revoked("t")]).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))));
    assert!(began.elapsed() < Duration::from_millis(1_500));
}

#[tokio::test]
async fn nothing_on_the_server_says_whom_or_what_it_is_about_and_nobody_else_can_put_it_there() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let keys = keys();
    let store = connect(&server, &keys, Arc::new(SystemClock));
    let until = SystemClock.now().plus(Duration::from_secs(600));
    let key = |id: &str| RecordKey::new("families", id.as_bytes());
    store
        .put_new(&key("alice-1"), b"alice-value".to_vec(), until)
        .await
        .unwrap();
    store
        .put_new(&key("alice-2"), b"other-value".to_vec(), until)
        .await
        .unwrap();
    store.revoke(&[revoked("alice")]).await.unwrap();
    let written = server.written();
    assert!(!written.is_empty());
    for secret in ["alice", "other-value", "gateway.example", "families"] {
        let found = written
            .windows(secret.len())
            .any(|part| part == secret.as_bytes());
        assert!(!found, "{secret}");
    }

    // a record under another key is not accepted
    let name = |id: &str| {
        let key = key(id);
        let digest = key.as_bytes().iter().map(|b| format!("{b:02x}"));
        format!("obo-gateway:1:record:{}", digest.collect::<String>())
    };
    let copied = format!("COPY {} {} REPLACE", name("alice-2"), name("alice-1"));
    assert_eq!(server.ask(&copied), ":1");
    assert_eq!(store.get(&key("alice-1")).await, Err(StoreError::Corrupt));

    // a gateway with other keys does not start, because it could not read the revocations
    let url = format!("redis://127.0.0.1:{}/0", server.port);
    let other = build(&url, "redis: { url: URL }", Some(&self::keys()), clock());
    assert!(other.unwrap_err().contains("not what was written"));
}

#[tokio::test]
async fn what_has_ended_is_removed_from_the_server() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let clock = clock();
    let store = connect(&server, &keys(), Arc::clone(&clock) as _);
    let short = Revocation::of_all(token("short"), NOW, later(10));
    store.revoke(&[short, revoked("long")]).await.unwrap();
    assert_eq!(server.ask("XLEN obo-gateway:1:revocations"), ":2");
    clock.advance(Duration::from_secs(40));
    wait_for("one of two is removed", || {
        server.ask("XLEN obo-gateway:1:revocations") == ":1"
    });
    assert!(store.revocations().ends(&lineage("long")));
    assert!(!store.revocations().ends(&lineage("short")));
}

#[test]
fn what_cannot_be_right_is_a_finding_that_shows_no_password() {
    let found = |url: &str, settings: &str| {
        let found = build(url, settings, Some(&keys()), clock()).unwrap_err();
        assert!(!found.contains("secret"), "{found}");
        found
    };
    let one = "redis: { url: URL }";
    assert!(found("not a url with secret", one).contains("starts with rediss://"));
    let plain = found("redis://:secret@redis.example.com:6379", one);
    assert!(plain.contains("not encrypted"), "{plain}");
    let blind = found("rediss://:secret@redis.example.com:6379/#insecure", one);
    assert!(
        blind.contains("disables certificate verification"),
        "{blind}"
    );
    let two = found("redis://127.0.0.1:1,redis://127.0.0.1:2", one);
    assert!(two.contains("several URLs"), "{two}");
    let absent = found(&format!("redis://:secret@127.0.0.1:{}", free_port()), one);
    assert!(absent.contains("not available"), "{absent}");
    let keyless = build("redis://127.0.0.1:1", one, None, clock()).unwrap_err();
    assert!(keyless.contains("issuer.opaque_keys"), "{keyless}");
}
