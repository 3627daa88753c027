//! Reloads of a running gateway after changes of its file: the program itself, with SIGHUP.

mod rig;

use crate::e2e::support::{Ask, Client, Reply, Signer, answer, until};
use rig::Rig;
use serde_json::{Value, json};
use std::fs;
use tokio::sync::mpsc;

const STATUS: &str = "  - name: status";

#[tokio::test]
async fn a_route_that_is_added_is_served_and_one_that_is_removed_is_not() {
    let mut rig = Rig::start().await;
    assert_eq!(rig.status("/orders/1").await, 200);
    let file = rig.yaml().replace("prefix: /orders", "prefix: /books");
    rig.reload(&file).await;
    assert_eq!(rig.status("/orders/1").await, 404);
    assert_eq!(rig.status("/books/1").await, 200);
}

#[tokio::test]
async fn a_tightened_policy_takes_effect_on_a_warm_entry_at_once() {
    let mut rig = Rig::start().await;
    let token = rig.token();
    for _ in 0..2 {
        assert_eq!(rig.present(&token).await.status(), 200);
    }
    let issued = rig.issued().await;
    assert_eq!(issued["scope"], "orders.read orders.write");
    let file = rig.yaml();
    rig.reload(&file.replace("allow: [orders.read, orders.write]", "allow: [orders.read]"))
        .await;
    assert_eq!(rig.present(&token).await.status(), 200);
    assert_eq!(rig.issued().await["scope"], "orders.read");
    rig.reload(&file.replace("require: [orders.read]", "require: [orders.admin]"))
        .await;
    assert_eq!(rig.present(&token).await.status(), 403);
}

#[tokio::test]
async fn what_is_remembered_stays_warm_where_nothing_about_it_changed() {
    let mut rig = Rig::start().await;
    let token = rig.token();
    assert_eq!(rig.present(&token).await.status(), 200);
    let asked = rig.idp.requests();
    let file = rig.yaml();
    rig.reload(&file.replace(STATUS, &format!("{}{STATUS}", rig.public("/more"))))
        .await;
    assert_eq!(rig.status("/more").await, 200);
    assert_eq!(rig.present(&token).await.status(), 200);
    rig.reload(&file.replace("response: 10s", "response: 9s"))
        .await;
    assert_eq!(rig.present(&token).await.status(), 200);
    rig.counts(
        "obo_cache_total",
        &["result=\"hit\"", "route=\"orders\""],
        2,
    )
    .await;
    rig.counts(
        "obo_cache_total",
        &["result=\"miss\"", "route=\"orders\""],
        1,
    )
    .await;
    assert_eq!(rig.idp.requests(), asked, "the issuer was asked again");
}

#[tokio::test]
async fn a_bad_file_changes_nothing_and_is_counted_and_explained() {
    let mut rig = Rig::start().await;
    let good = rig.yaml();
    let bad = [
        good.replace("allow: [", "alow: ["),
        "listeners: [".to_owned(),
        good.replace("signing.pem", "other.pem")
            .replace("url: http", "url: ftp"),
        // the port belongs to the provider
        good.replace(
            "listeners: [",
            &format!("listeners: [ {{ address: \"{}\" }},", rig.idp_address()),
        ),
        // required, but not available
        good.replace(
            "trusted_issuers: [",
            "trusted_issuers: [ { name: gone, issuer: \"http://127.0.0.1:1\", audiences: [portal], algorithms: [ES256], \
             keys: { discovery: true } },",
        )
        .replace(
            "audience: orders-api",
            "audience: orders-api\n      accepts: [ { issuer: corp } ]",
        ),
    ];
    for (count, file) in bad.iter().enumerate() {
        rig.write(file);
        rig.hang_up();
        rig.counts("obo_config_reload_total", &["refused"], count + 1)
            .await;
        assert_eq!(rig.status("/orders/1").await, 200, "{file}");
    }
    assert!(!rig.path("other.pem").exists());
    let metrics = rig.metrics().await;
    assert!(!metrics.contains("issuer=\"gone\""), "{metrics}");
    rig.reload(&good).await;
    let (status, output) = rig.end();
    assert_eq!(status, 0);
    for text in [
        "write `allow`",
        "the port is in use",
        "no keys of issuer gone",
    ] {
        assert!(output.contains(text), "{text}\n{output}");
    }
}

#[tokio::test]
async fn a_listener_comes_and_goes_while_the_others_serve() {
    let mut rig = Rig::start().await;
    let (first, second) = (rig.process.address, rig.free_address());
    let file = rig.yaml();
    let mut kept = Client::connect(first).await;
    let ask = Ask::get("/status");
    assert_eq!(kept.ask(&ask).await.unwrap().status(), 200);
    rig.reload(&file.replace(
        "listeners: [",
        &format!("listeners: [ {{ address: \"{second}\" }},"),
    ))
    .await;
    let mut leaving = Client::connect(second).await;
    assert_eq!(leaving.ask(&ask).await.unwrap().status(), 200);
    rig.reload(&file).await;
    assert!(leaving.ends().await, "an idle connection stays");
    let closed = async || tokio::net::TcpStream::connect(second).await.is_err();
    while !closed().await {
        tokio::task::yield_now().await;
    }
    assert_eq!(kept.ask(&ask).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_request_ends_with_what_it_began_with() {
    let mut rig = Rig::start().await;
    let (parts, coming) = mpsc::unbounded_channel();
    let coming = std::sync::Mutex::new(Some(coming));
    rig.origin.answers(move |request| {
        let stream = coming.lock().unwrap().take();
        match stream.filter(|_| request.target().starts_with("/orders")) {
            Some(parts) => Reply::Stream(parts),
            None => Reply::Send(answer("200 OK", &[], "hello")),
        }
    });
    let mut client = Client::connect(rig.process.address).await;
    let token = rig.token();
    let ask = Ask::get("/orders/1").bearer(&token);
    client.send(&ask.bytes()).await;
    until("the request is there", || !rig.origin.requests().is_empty()).await;
    let file = rig.yaml().replace("prefix: /orders", "prefix: /books");
    rig.reload(&file).await;
    parts.send(answer("200 OK", &[], "late")).unwrap();
    let late = client
        .answer(crate::e2e::support::wire::Kind::Response)
        .await;
    assert_eq!(late.unwrap().body, b"late");
    // the connection is kept, and the next request on it uses the new configuration
    assert_eq!(client.ask(&ask).await.unwrap().status(), 404);
}

#[tokio::test]
async fn a_new_first_key_signs_and_both_are_published() {
    let mut rig = Rig::start().await;
    assert_eq!(rig.status("/orders/1").await, 200);
    let before = rig.issued().await;
    let file = rig.yaml().replace(
        "signing_keys: [",
        "signing_keys: [ { file: next.pem, generate: EdDSA },",
    );
    rig.reload(&file).await;
    assert_eq!(rig.status("/orders/1").await, 200);
    let after = rig.issued_header().await;
    assert_eq!(after["alg"], "EdDSA");
    assert_eq!(rig.published().await, 2);
    assert_ne!(before["jti"], rig.issued().await["jti"]);
}

#[tokio::test]
async fn nothing_that_a_withdrawn_key_signed_is_used_again() {
    let mut rig = Rig::start().await;
    let token = rig.token();
    assert_eq!(rig.present(&token).await.status(), 200);
    let file = rig.yaml().replace("file: signing.pem", "file: next.pem");
    rig.reload(&file).await;
    assert_eq!(rig.present(&token).await.status(), 200);
    // verified with the currently published keys
    assert_eq!(rig.issued().await["sub"], "alice");
    assert_eq!(rig.published().await, 1);
}

#[tokio::test]
async fn nothing_that_a_key_signed_with_another_algorithm_is_used_again() {
    let mut rig = Rig::start().await;
    let rsa = |alg| {
        let key = format!("signing_keys: [ {{ file: rsa.pem, generate: {alg} }},");
        rig.yaml().replace("signing_keys: [", &key)
    };
    let (before, after) = (rsa("RS256"), rsa("PS256"));
    rig.reload(&before).await;
    let token = rig.token();
    assert_eq!(rig.present(&token).await.status(), 200);
    assert_eq!(rig.issued_header().await["alg"], "RS256");
    rig.reload(&after).await;
    assert_eq!(rig.present(&token).await.status(), 200);
    // verified with the currently published keys, which name their algorithm
    assert_eq!(rig.issued_header().await["alg"], "PS256");
    assert_eq!(rig.published().await, 2);
}

#[tokio::test]
async fn logs_that_were_moved_away_are_opened_anew() {
    let mut rig = Rig::start().await;
    assert_eq!(rig.status("/orders/1").await, 200);
    let lines = |name: &str| {
        let text = fs::read_to_string(rig.path(name)).unwrap_or_default();
        text.lines().count()
    };
    until("the line is written", || lines("access.jsonl") == 1).await;
    for name in ["access.jsonl", "audit.jsonl"] {
        fs::rename(rig.path(name), rig.path(&format!("{name}.1"))).unwrap();
    }
    let file = rig.yaml();
    rig.reload(&file).await;
    assert_eq!(rig.status("/orders/1").await, 200);
    let lines = |name: &str| {
        let text = fs::read_to_string(rig.path(name)).unwrap_or_default();
        text.lines().count()
    };
    until("the line is written", || lines("access.jsonl") == 1).await;
    assert_eq!(
        ["access.jsonl.1", "audit.jsonl.1", "audit.jsonl"].map(lines),
        [1, 1, 1]
    );
}

#[tokio::test]
async fn keys_of_a_changed_issuer_are_there_before_the_first_request() {
    let mut rig = Rig::start().await;
    let other = Signer::es256();
    rig.idp.publish(&[&other]);
    let file = rig
        .yaml()
        .replace("algorithms: [ES256]", "algorithms: [ES256, RS256]");
    rig.reload(&file).await;
    let mut claims = rig.idp.claims(rig.now(), json!({}));
    claims["sub"] = Value::from("bob");
    assert_eq!(rig.present(&other.sign(&claims)).await.status(), 200);
    // the cache entry from the withdrawn key was removed with its issuer's settings
    let old = rig.token();
    assert_eq!(rig.present(&old).await.status(), 401);
}

#[tokio::test]
async fn series_of_a_route_end_with_it() {
    let mut rig = Rig::start().await;
    assert_eq!(rig.status("/orders/1").await, 200);
    rig.counts("obo_requests_total", &["route=\"orders\""], 1)
        .await;
    let file = rig.yaml();
    for round in 0..5 {
        let renamed = file.replace("name: orders", &format!("name: orders-{round}"));
        rig.reload(&renamed).await;
        assert_eq!(rig.status("/orders/1").await, 200);
        let earlier = if round == 0 {
            "orders".to_owned()
        } else {
            format!("orders-{}", round - 1)
        };
        rig.counts("obo_requests_total", &[&format!("route=\"{earlier}\"")], 0)
            .await;
    }
    rig.reload(&file).await;
    assert_eq!(rig.status("/orders/1").await, 200);
    rig.counts("obo_requests_total", &["route=\"orders\""], 1)
        .await;
    rig.counts("obo_requests_total", &["route=\"orders-4\""], 0)
        .await;
    let metrics = rig.metrics().await;
    assert!(!metrics.contains("orders-"), "{metrics}");
}

#[tokio::test]
async fn what_needs_a_restart_is_named() {
    let mut rig = Rig::start().await;
    let file = rig.yaml().replace("threads: 1", "threads: 2");
    rig.reload(&file).await;
    let (_, output) = rig.end();
    assert!(output.contains("runtime.threads"), "{output}");
}

#[tokio::test]
async fn the_level_of_the_log_moves_with_the_file() {
    let mut rig = Rig::start().await;
    let file = rig.yaml().replace("level: trace", "level: error");
    rig.reload(&file).await;
    // the level is set after the counter
    rig.reload(&file).await;
    let (_, output) = rig.end();
    assert_eq!(
        output.matches("configuration reloaded").count(),
        1,
        "{output}"
    );
    assert!(!output.contains("draining"), "{output}");
}

#[tokio::test]
async fn signals_that_come_during_a_reload_end_in_the_file_that_was_written_last() {
    let rig = Rig::start().await;
    let file = rig.yaml();
    for round in 0..20 {
        rig.write(&file.replace("prefix: /orders", &format!("prefix: /r{round}")));
        rig.hang_up();
    }
    let served = async || rig.status("/r19").await == 200;
    while !served().await {
        tokio::task::yield_now().await;
    }
    assert_eq!(rig.status("/r18").await, 404);
    let applied = rig.metrics().await;
    let applied = crate::e2e::support::lab::sum(&applied, "obo_config_reload_total", &["applied"]);
    assert!((1.0..=20.0).contains(&applied), "{applied}");
}
