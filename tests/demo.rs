//! `obo-gateway demo --once` as a person or a script meets it, without a terminal.

use std::process::{Command, Output};

fn demo() -> Output {
    let temporary = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_obo-gateway"))
        .args(["demo", "--once"])
        .current_dir(temporary.path())
        .env("TMPDIR", temporary.path())
        .env("TERM", "xterm-256color")
        .output()
        .unwrap();
    let left: Vec<_> = std::fs::read_dir(temporary.path()).unwrap().collect();
    assert!(left.is_empty(), "nothing is left behind: {left:?}");
    output
}

#[test]
fn shown_once_it_is_plain_text_of_eighty_columns_and_ends_well() {
    let output = demo();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}{errors}");
    assert!(errors.is_empty(), "no log clutters it: {errors}");
    assert!(!text.contains('\x1b'), "no escape codes: {text}");
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
        assert!(!line.ends_with(' '), "no trailing spaces: {line:?}");
    }
    // whole tokens are for the files alone: a JWT has two dots between long parts
    let whole = |word: &str| word.starts_with("eyJ") && word.matches('.').count() == 2;
    assert!(!text.split_whitespace().any(whole), "{text}");
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
        "obo_cache_total{result=\"hit\",route=\"orders\"} 1",
        "Bob, who may not read orders 403 scope_not_held",
        "Alice's token of another app 401 audience",
        "Alice's token, a right added 401 signature",
        "the orders API, with its token 401 self_issued",
        "{\"error\":\"invalid_token\"",
        "promises were kept",
    ] {
        assert!(words.contains(fact), "{fact:?} is missing in {text}");
    }
    assert!(!text.contains('✘'), "{text}");
}
