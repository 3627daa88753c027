//! A store whose server is unavailable. Skipped if `redis-server` is not installed.

use super::text;
use crate::{
    e2e::support::{process::Process, until},
    store::server::Server,
};
use serde_json::Value;
use std::fs;

const CONFIGURATION: &str = r#"
listeners: [ { address: "127.0.0.1:0" } ]
admin: { address: "127.0.0.1:0" }
issuer:
  url: https://gateway.example.com
  signing_keys: [ { file: signing.pem, generate: ES256 } ]
  opaque_keys: [ { file: opaque.key, generate: true } ]
trusted_issuers:
  - { name: corp, issuer: "http://127.0.0.1:1", audiences: [a], algorithms: [ES256], keys: { discovery: true }, required: false }
store: { redis: { url: { file: redis.url } } }
routes: [ { name: all, match: { prefix: / }, upstream: { targets: [ { url: "http://127.0.0.1:1" } ] }, public: true } ]
"#;

#[tokio::test]
async fn a_server_that_is_away_is_told_in_ever_fewer_lines_and_not_in_one_per_attempt() {
    let Some(mut server) = Server::start(&[]) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let url = format!("redis://127.0.0.1:{}/0", server.port);
    fs::write(folder.path().join("redis.url"), url).unwrap();
    let file = folder.path().join("gateway.yaml");
    fs::write(&file, CONFIGURATION).unwrap();
    let process = Process::start(&file);
    server.stop();
    let lines = || -> Vec<Value> {
        let output = process.output();
        let lines = output
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        let about = |line: &Value| text(line, "target").starts_with("obo_gateway::store");
        lines.filter(about).collect()
    };
    let failures = || {
        let lines = lines();
        let counts = lines.iter().filter_map(|line| line["failures"].as_u64());
        counts.collect::<Vec<_>>()
    };
    until("eight attempts have failed", || failures().contains(&8)).await;
    assert_eq!(failures(), [1, 2, 4, 8]);
    for line in &lines() {
        assert_eq!(text(line, "level"), "WARN", "{line}");
        assert_eq!(
            text(line, "message"),
            "revocations of other gateways cannot be read"
        );
        assert!(!text(line, "error").is_empty(), "{line}");
    }
}
