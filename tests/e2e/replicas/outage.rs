//! The server of the store is killed, and comes back with its data.

use super::{
    WITHIN,
    pair::{self, Pair, member},
};
use crate::e2e::{
    revocation::revoke_at,
    support::{Answer, process::Process},
};
use serde_json::json;
use tokio::time::Instant;

/// Asserts 503 with `Retry-After`.
#[track_caller]
fn assert_unavailable(answer: &Answer) {
    assert_eq!(
        (answer.status(), answer.error()),
        (503, "temporarily_unavailable".to_owned())
    );
    assert!(answer.field("retry-after").is_some());
}

#[tokio::test]
async fn without_the_server_tokens_are_exchanged_and_neither_refreshed_nor_revoked() {
    let Some(mut pair) = Pair::start().await else {
        return;
    };
    let ended = pair.revoked().await;
    let issued = pair.one.exchange(&pair.user()).await;
    let token = member(&issued, "access_token");
    pair.two.warm(&token).await;
    pair.server.stop();

    for replica in [&pair.one, &pair.two] {
        // with or without a cache entry
        assert_eq!(replica.present(&token).await.status(), 200);
        assert_eq!(replica.present(&pair.user()).await.status(), 200);
        assert_eq!(replica.introspect(&token).await["active"], true);
        let without = replica.exchange(&pair.user()).await;
        assert!(without.get("refresh_token").is_none(), "{without}");
        assert_eq!(without["scope"], "orders.read");
        assert_eq!(replica.present(&ended).await.status(), 401);
        let refresh = member(&issued, "refresh_token");
        let began = Instant::now();
        assert_unavailable(&replica.revoke(&token).await);
        assert!(began.elapsed() <= WITHIN, "{:?}", began.elapsed());
        let began = Instant::now();
        assert_unavailable(&replica.refresh(&refresh).await);
        assert!(began.elapsed() <= WITHIN, "{:?}", began.elapsed());
        let asked = json!({"client": {"id": "portal"}, "forever": true});
        assert_unavailable(&revoke_at(replica.process.admin, &asked).await);
        // a revocation without a successful response does not apply
        assert_eq!(replica.present(&token).await.status(), 200);
    }
    assert!(
        !pair.starts().await,
        "a gateway started that knows no revocations"
    );
}

#[tokio::test]
async fn with_the_server_back_revocations_go_on_and_earlier_ones_hold() {
    let Some(mut pair) = Pair::start().await else {
        return;
    };
    let ended = pair.revoked().await;
    let issued = pair.one.exchange(&pair.user()).await;
    let token = member(&issued, "access_token");
    pair.two.warm(&token).await;
    pair.server.stop();
    assert_unavailable(&pair.one.revoke(&token).await);
    assert_unavailable(&pair.two.refresh(&member(&issued, "refresh_token")).await);

    pair.server.run();
    let began = Instant::now();
    let took = pair.one.until_revoked(&token).await;
    println!("{took:?} after the server is back, revocations are taken");
    assert!(began.elapsed() <= 5 * WITHIN, "{took:?}");
    let took = pair.two.until_refused(&token).await;
    println!("refused at the other {took:?} after that");
    assert!(took <= 2 * WITHIN, "{took:?}");
    // the failed attempt has not used the token
    let refreshed = pair.two.refresh(&member(&issued, "refresh_token")).await;
    assert_eq!(refreshed.status(), 200, "{}", refreshed.json());

    let late = Process::start(&pair.file("gateway-1.yaml"));
    for process in [&pair.one.process, &pair.two.process, &late] {
        process.until_ready().await;
        assert_eq!(pair::present(process, &ended).await.status(), 401);
    }
}

#[test]
fn a_server_that_cannot_be_reached_at_the_start_is_no_mistake_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.yaml");
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}/0", gone.local_addr().unwrap());
    drop(gone);
    std::fs::write(folder.path().join("redis.url"), url).unwrap();
    let yaml = r#"
listeners: [ { address: "127.0.0.1:0" } ]
admin: { address: "127.0.0.1:0" }
issuer:
  url: https://gateway.example.com
  signing_keys: [ { file: signing.pem, generate: ES256 } ]
  opaque_keys: [ { file: opaque.key, generate: true } ]
trusted_issuers: [ { name: corp, issuer: "http://127.0.0.1:1", audiences: [a], algorithms: [ES256], keys: { discovery: true } } ]
store: { redis: { url: { file: redis.url } } }
routes: [ { name: all, match: { prefix: / }, upstream: { targets: [ { url: "http://127.0.0.1:1" } ] }, public: true } ]
"#;
    std::fs::write(&file, yaml).unwrap();
    let run = |file: &std::path::Path| {
        let mut program = crate::e2e::support::process::program();
        program.arg("--config").arg(file).output().unwrap()
    };
    let ended = run(&file);
    let text = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{text}");
    assert!(text.contains("try again"), "{text}");
    // if there is also a configuration error, that error is reported
    std::fs::write(&file, yaml.replace("prefix: /", "prefix: nowhere")).unwrap();
    assert_eq!(run(&file).status.code(), Some(2));
}
