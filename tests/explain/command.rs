//! The command as a user or a script runs it.

use crate::explain::support::{Ask, Lab, process::program};
use serde_json::{Value, json};
use std::{
    io::Write,
    path::Path,
    process::{Output, Stdio},
};

/// Runs `explain` with the lab's file for `path`, with `token` on standard input.
async fn explain(lab: &Lab, path: &str, token: &str, more: &[&str]) -> Output {
    let mut command = program();
    let (url, now) = (
        format!("https://api.example.com{path}"),
        lab.now().to_string(),
    );
    command
        .args(["explain", "--config"])
        .arg(lab.file("gateway.yaml"));
    command.args(["--url", &url, "--at", &now]).args(more);
    command
        .env("TERM", "xterm-256color")
        .env("RUST_LOG", "trace");
    if !token.is_empty() {
        command.args(["--token-file", "-"]);
    }
    let token = format!("{token}\n");
    let run = move || {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // a command that needs no token does not read standard input
        let _ = child.stdin.take().unwrap().write_all(token.as_bytes());
        child.wait_with_output().unwrap()
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

fn text(output: &Output) -> String {
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[tokio::test]
async fn a_request_that_would_be_forwarded_is_explained_with_its_claims_and_status_zero() {
    let lab = Lab::start().await;
    let output = explain(&lab, "/orders/7", &lab.token(), &["--json"]).await;
    let told: Value = serde_json::from_str(&text(&output)).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told:#}");
    assert_eq!(told["verdict"], "forwarded");
    assert_eq!(told["claims"]["scope"], "orders.read orders.write");
    assert_eq!(
        told["scopes"],
        json!([
            {"scope": "orders.read", "fate": "kept", "by": "subject"},
            {"scope": "orders.write", "fate": "kept", "by": "subject"},
            {"scope": "profile", "fate": "dropped", "by": "route"},
        ])
    );
    assert!(lab.origin.requests().is_empty(), "nothing is sent");
}

#[tokio::test]
async fn a_refusal_names_the_check_that_failed_and_what_it_compared_with_status_one() {
    let lab = Lab::start().await;
    let token = lab.token_with(json!({"aud": "settings"}));
    let output = explain(&lab, "/orders/7", &token, &["--json"]).await;
    let told: Value = serde_json::from_str(&text(&output)).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told:#}");
    let steps = told["steps"].as_array().unwrap();
    assert_eq!(
        steps.last().unwrap(),
        &json!({"step": "audience", "passed": false, "found": "settings", "wanted": "portal"})
    );
    let refused = steps.iter().filter(|step| step["passed"] == false);
    assert_eq!(refused.count(), 1);
    assert_eq!(told["answer"]["reason"], "audience");
    assert_eq!(told["answer"]["status"], 401);
    assert!(told.get("claims").is_none());
}

#[tokio::test]
async fn the_page_is_plain_text_of_eighty_columns_without_any_token() {
    let lab = Lab::start().await;
    let long = json!({"aud": ["x".repeat(400), "\u{1b}[2J".to_owned()], "scope": "orders.read"});
    for (path, token) in [
        ("/orders/7".to_owned(), lab.token()),
        (format!("/orders/{}", "y".repeat(300)), lab.token()),
        ("/orders/7".to_owned(), lab.token_with(long)),
        (
            "/orders/7".to_owned(),
            lab.token_with(json!({"scope": "profile"})),
        ),
        ("/orders/7".to_owned(), String::new()),
        (format!("/orders/{}", lab.token()), lab.token()),
        ("/status".to_owned(), lab.token()),
        ("/nowhere".to_owned(), lab.token()),
    ] {
        let (path, token) = match path.len() > 500 {
            true => (format!("/orders/{token}"), token),
            false => (path, token),
        };
        for more in [&[][..], &["--json"][..]] {
            let text = text(&explain(&lab, &path, &token, more).await);
            if more.is_empty() {
                text.lines().for_each(assert_plain);
            }
            let parts = token.split('.').filter(|part| part.len() > 16);
            for part in parts {
                assert!(!text.contains(part), "{text}");
            }
        }
    }
}

fn assert_plain(line: &str) {
    assert!(line.chars().count() <= 80, "{line}");
    assert!(!line.ends_with(' '), "no trailing spaces: {line:?}");
    assert!(!line.contains('\x1b'), "no escape codes: {line:?}");
}

#[tokio::test]
async fn nothing_is_left_behind() {
    let lab = Lab::start().await;
    let written = std::fs::read_to_string(lab.file("gateway.yaml")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.yaml");
    std::fs::write(&file, written).unwrap();
    let mut command = program();
    command
        .args(["explain", "--url", "http://a/orders", "--config"])
        .arg(&file);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let left = std::fs::read_dir(folder.path()).unwrap();
    assert_eq!(left.count(), 1, "no key, no log");
}

#[tokio::test]
async fn keys_that_cannot_be_had_are_told_with_their_cause() {
    let lab = Lab::start().await;
    lab.idp
        .turn(crate::explain::support::provider::Health::Failing);
    let output = explain(&lab, "/orders/7", &lab.token(), &["--json"]).await;
    let told: Value = serde_json::from_str(&text(&output)).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(told["answer"]["status"], 503);
    assert_eq!(told["answer"]["reason"], "keys_unavailable");
    let cause = told["answer"]["cause"].as_str().unwrap();
    assert!(cause.contains("500"), "{cause}");
}

#[test]
fn a_configuration_with_a_mistake_and_wrong_usage_have_status_two() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.yaml");
    std::fs::write(&file, "listeners: []\n").unwrap();
    let status = |arguments: &[&str]| {
        let output = program()
            .arg("explain")
            .args(arguments)
            .arg("--config")
            .arg(&file)
            .output();
        let output = output.unwrap();
        assert!(output.stdout.is_empty());
        assert!(!output.stderr.is_empty());
        output.status.code()
    };
    assert_eq!(status(&["--url", "http://a/"]), Some(2));
    assert_eq!(status(&["--url", "a/b"]), Some(2));
    assert_eq!(status(&[]), Some(2));
    assert_eq!(
        status(&["--url", "http://a/", "--header", "no colon"]),
        Some(2)
    );
    assert!(Path::new(&file).exists());
}

#[tokio::test]
async fn a_preflight_is_answered_and_told_with_the_fields_of_its_answer() {
    let routes = crate::explain::support::lab::ORDERS.replace(
        "    exchange:",
        "    cors: { origins: [https://app.example.com], methods: [GET] }\n    exchange:",
    );
    let lab = Lab::routes(&routes).await;
    let more = [
        "--json",
        "--method",
        "OPTIONS",
        "--header",
        "Origin: https://app.example.com",
        "--header",
        "Access-Control-Request-Method: GET",
    ];
    let output = explain(&lab, "/orders/7", "", &more).await;
    let told: Value = serde_json::from_str(&text(&output)).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(told["verdict"], "answered");
    let allowed = &told["answer"]["fields"]["access-control-allow-origin"];
    assert_eq!(allowed, "https://app.example.com");
    let ask = Ask::new("OPTIONS", "/orders/7")
        .field("Origin", "https://app.example.com")
        .field("Access-Control-Request-Method", "GET");
    assert_eq!(lab.ask(ask).await.status(), 204);
}
