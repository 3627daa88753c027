//! `check`, and the messages of the program when it cannot start.

use crate::e2e::support::{
    Setup, lab,
    process::{check, program},
};
use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Output,
};
use tempfile::TempDir;

const FIVE_MISTAKES: &str = r#"listeners:
  - address: 127.0.0.1:0
  - address: localhost
issuer:
  url: http://127.0.0.1:8080
  signing_keys: [ { file: signing.pem, generate: ES256 } ]
trusted_issuers:
  - { name: corp, issuer: "https://idp.example.com", audiences: [portal], algorithms: [HS256], keys: { discovery: true } }
  - { name: partner, issuer: "https://partner.example.com", algorithms: [ES256], keys: { discovery: true } }
routes:
  - name: orders
    match: { prefix: /orders }
    upstream: { targets: [ { url: http://127.0.0.1:9201 } ] }
    exchange: { accepts: [ { issuer: corp } ], audience: "", scope: { allow: [orders.read] } }
  - name: people
    match: { prefix: /people }
    upstream: { targets: [ { url: http://127.0.0.1:9202 } ] }
    exchange: { accepts: [ { issuer: corp } ], audiense: people-api, audience: people-api, scope: { allow: [] } }
"#;

fn folder(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.yaml");
    fs::write(&file, text).unwrap();
    (folder, file)
}

fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8(both).unwrap()
}

#[track_caller]
fn assert_no_panic(text: &str) {
    assert!(!text.contains("panicked"), "{text}");
}

#[test]
fn five_mistakes_in_five_items_are_five_findings_of_one_run() {
    let (_folder, file) = folder(FIVE_MISTAKES);
    let run = program().arg("--config").arg(&file).output().unwrap();
    for output in [check(&file), run] {
        let text = text(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert_no_panic(&text);
        for place in [
            "gateway.yaml:3:5 listeners[1].address",
            "trusted_issuers[0].algorithms[0]",
            "trusted_issuers[1].audiences",
            "routes[0].exchange.audience",
            "routes[1].exchange.audiense",
        ] {
            assert!(text.contains(place), "{place} is missing from\n{text}");
        }
        assert_eq!(text.matches("gateway.yaml:").count(), 5, "{text}");
    }
}

#[test]
fn check_creates_nothing() {
    let setup = Setup::default();
    let (folder, file) = folder(&lab::yaml(
        &setup,
        "http://127.0.0.1:1",
        "http://127.0.0.1:2",
    ));
    let output = check(&file);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let found: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(found, ["gateway.yaml"]);
}

#[test]
fn a_port_in_use_is_an_error_that_names_it() {
    for key in ["listeners", "admin"] {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let setup = Setup::default();
        let yaml = lab::yaml(&setup, "http://127.0.0.1:1", "http://127.0.0.1:2");
        let line = yaml.lines().find(|line| line.starts_with(key)).unwrap();
        let (_folder, file) = folder(&yaml.replace(line, &line.replace("127.0.0.1:0", &address)));
        let output = program().arg("--config").arg(&file).output().unwrap();
        let text = text(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(&address) && text.contains("in use"), "{text}");
        assert_no_panic(&text);
    }
}

#[test]
fn a_file_that_is_absent_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nowhere.yaml");
    let run = program().arg("--config").arg(&file).output().unwrap();
    for output in [check(&file), run] {
        let text = text(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains("nowhere.yaml"), "{text}");
        assert_no_panic(&text);
    }
}

#[test]
fn every_configuration_of_the_repository_passes_check() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join("examples"), &mut files);
    files.extend(Some(root.join("gateway.yaml")).filter(|file| file.exists()));
    for file in files {
        let output = check(&file);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}: {}",
            file.display(),
            text(&output)
        );
    }
}

/// Every `gateway.yaml` at or below `folder`.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.file_name().is_some_and(|name| name == "gateway.yaml") {
            files.push(path);
        }
    }
}
