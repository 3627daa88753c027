//! `obo-gateway demo --once` as a user or a script runs it, without a terminal.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and so do its helpers"
)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Command, Output, Stdio},
};

fn command(temporary: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_obo-gateway"));
    command
        .arg("demo")
        .current_dir(temporary)
        .env("TMPDIR", temporary)
        .env("TERM", "xterm-256color");
    command
}

fn demo() -> Output {
    let temporary = tempfile::tempdir().unwrap();
    let output = command(temporary.path()).arg("--once").output().unwrap();
    assert_empty(temporary.path());
    output
}

fn assert_empty(folder: &Path) {
    let left: Vec<_> = std::fs::read_dir(folder).unwrap().collect();
    assert!(left.is_empty(), "nothing is left behind: {left:?}");
}

fn assert_plain(line: &str) {
    assert!(line.chars().count() <= 80, "{line}");
    assert!(!line.ends_with(' '), "no trailing spaces: {line:?}");
    assert!(!line.contains('\x1b'), "no escape codes: {line:?}");
}

#[test]
fn shown_once_it_is_plain_text_of_eighty_columns_and_ends_well() {
    let output = demo();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}{errors}");
    assert!(errors.is_empty(), "no log clutters it: {errors}");
    text.lines().for_each(assert_plain);
    // only the files contain whole tokens: a JWT has two dots between long parts
    let whole = |word: &str| word.starts_with("eyJ") && word.matches('.').count() == 2;
    assert!(!text.split_whitespace().any(whole), "{text}");
}

#[test]
fn on_a_narrow_terminal_nothing_is_wider_than_it() {
    for columns in ["30", "40", "60", "79"] {
        let temporary = tempfile::tempdir().unwrap();
        let mut command = command(temporary.path());
        let output = command.arg("--once").env("COLUMNS", columns).output();
        let output = output.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}");
        let room: usize = columns.parse().unwrap();
        // values that fit into the column are not shortened
        let wide = |line: &&str| line.chars().count() > room.max(40);
        assert_eq!(text.lines().find(wide), None, "{columns}: {text}");
        text.lines().for_each(assert_plain);
        for fact in ["▸ orders-api", "▸ + obo-gateway", "▸ 2 min", "▸ hit"] {
            assert!(
                text.contains(fact),
                "{columns}: {fact:?} is missing in {text}"
            );
        }
    }
}

#[test]
fn a_terminal_of_any_other_width_shows_what_eighty_columns_show() {
    for columns in ["80", "200", "0x50", "", "-1"] {
        let temporary = tempfile::tempdir().unwrap();
        let mut command = command(temporary.path());
        let output = command.arg("--once").env("COLUMNS", columns).output();
        let text = String::from_utf8(output.unwrap().stdout).unwrap();
        assert!(
            text.contains("THE PORTAL SENT          THE API RECEIVED"),
            "{text}"
        );
    }
}

#[test]
fn a_configuration_that_would_not_be_read_is_refused() {
    for (arguments, instead) in [
        (
            ["demo", "--config", "gateway.yaml"],
            "obo-gateway --config FILE",
        ),
        (
            ["--config", "gateway.yaml", "demo"],
            "obo-gateway --config FILE",
        ),
        (
            ["schema", "--config", "gateway.yaml"],
            "check --config FILE",
        ),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_obo-gateway"))
            .args(arguments)
            .output()
            .unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(output.stdout.is_empty());
        assert!(
            errors.contains("takes no --config") && errors.contains(instead),
            "{errors}"
        );
    }
}

#[test]
fn it_shows_what_was_presented_what_arrived_the_cache_and_the_refusals() {
    let output = demo();
    let text = String::from_utf8(output.stdout).unwrap();
    let words: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for fact in [
        "THE PORTAL SENT THE API RECEIVED",
        "aud portal orders-api",
        "payments.admin - payments.admin (dropped)",
        "orders.read orders.read",
        "email alice@example.com - alice@example.com (dropped)",
        "act – + obo-gateway",
        "tenant – + acme",
        "exp 60 min 2 min",
        "aud orders-api reports-api",
        "sub alice corp:alice",
        "in the cache miss hit",
        "obo_cache_total{result=\"hit\",route=\"orders\"} 9",
        "Bob, who may not read orders 403 scope_not_held",
        "Alice's token for another app 401 audience",
        "Alice's token, a right added 401 signature",
        "the orders API, with its token 401 self_issued",
        "{\"error\":\"invalid_token\"",
        "checks succeeded",
    ] {
        assert!(words.contains(fact), "{fact:?} is missing in {text}");
    }
    assert!(!text.contains('✘'), "{text}");
}

#[test]
fn it_runs_until_it_is_told_to_end_and_takes_its_folder_with_it() {
    let temporary = tempfile::tempdir().unwrap();
    let mut child = command(temporary.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut invited = Vec::new();
    for line in lines.by_ref() {
        let line = line.unwrap();
        assert_plain(&line);
        if line.contains("curl -H") {
            invited.push(line);
        } else if line.contains("Running until Ctrl-C") {
            break;
        }
    }
    assert_eq!(invited.len(), 3);
    assert_eq!(child.try_wait().unwrap(), None, "it still runs");

    // the printed command works
    let folder = std::fs::read_dir(temporary.path())
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let token = std::fs::read_to_string(folder.join("alice.token")).unwrap();
    let url = invited[0].rsplit(' ').next().unwrap();
    let (host, path) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .unwrap();
    let answer = get(host, path, &token);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("\"aud\": \"orders-api\""), "{answer}");

    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    // read to the end: a reader that stops early is a different test
    lines.for_each(|line| assert_plain(&line.unwrap()));
    assert!(child.wait().unwrap().success());
    assert_empty(temporary.path());
}

#[test]
fn a_reader_that_goes_away_ends_it_without_a_word() {
    let temporary = tempfile::tempdir().unwrap();
    let mut child = command(temporary.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(!output.status.success(), "not everything was shown");
    assert!(output.stderr.is_empty());
    assert_empty(temporary.path());
}

fn get(host: &str, path: &str, token: &str) -> String {
    let mut stream = TcpStream::connect(host).unwrap();
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
