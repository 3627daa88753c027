//! The texts of findings, and what they must not contain.

use obo_gateway::cli::{Paint, render};
use obo_gateway::config::Document;
use obo_gateway::settings::{Findings, HumanDuration, SecretSettings};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Actor {
    Gateway {},
    None {},
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Rule {
    Intersection,
    UserOnly,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Item {
    name: String,
    lifetime: Option<HumanDuration>,
    hosts: Option<Vec<String>>,
    secret: Option<SecretSettings>,
    actor: Option<Actor>,
    rule: Option<Rule>,
    weight: Option<u8>,
    public: Option<bool>,
}

/// Returns the report about `text`, a file with one item.
fn report(text: &str, paint: Paint) -> String {
    let document = Document::parse("gateway.yaml", text).unwrap();
    let mut findings = Findings::default();
    document.sections(&mut findings, |top| {
        top.required::<Item>("item");
    });
    let mut out = Vec::new();
    render(&findings.into_vec(), document.marks(), paint, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn said(text: &str, expected: &str) {
    assert_eq!(report(text, Paint::Plain), format!("{expected}\n1 error\n"));
}

#[test]
fn an_unknown_key_is_refused_with_the_one_that_was_meant() {
    said(
        "item: { name: a, lifetme: 5s }\n",
        "gateway.yaml:1:18 item.lifetme: unknown key\n    \
         fix: write `lifetime` if that is meant, or remove it",
    );
    said(
        "item: { name: a }\nitems: 1\n",
        "gateway.yaml:2:1 items: unknown key\n    fix: remove it: `item` is written already",
    );
    said(
        "item: { name: a }\nzzz: 1\n",
        "gateway.yaml:2:1 zzz: unknown key\n    fix: remove it; known keys: item",
    );
}

#[test]
fn a_missing_key_is_named() {
    said(
        "item: {}\n",
        "gateway.yaml:1:1 item.name: required, and missing\n    fix: write `name: …` here",
    );
    said(
        "{}\n",
        "gateway.yaml:1:1 item: required, and missing\n    fix: write `item: …` here",
    );
    said(
        "item:\n",
        "gateway.yaml:1:1 item: required, and missing\n    fix: write `item: …` here",
    );
}

#[test]
fn a_wrong_kind_of_value_is_shown_beside_the_right_one() {
    for (item, expected) in [
        (
            "name: 5",
            "1:9 item.name: expected a text, found 5|put it in quotes: \"5\"",
        ),
        (
            "name: [a]",
            "1:9 item.name: expected a text, found a list|write it without brackets: \"a\"",
        ),
        (
            "name: a, hosts: b",
            "1:18 item.hosts: expected a list, found \"b\"|write it as a list: [\"b\"]",
        ),
        (
            "name: a, hosts: [b, 5]",
            "1:29 item.hosts[1]: expected a text, found 5|put it in quotes: \"5\"",
        ),
        (
            "name: a, weight: 300",
            "1:18 item.weight: expected a whole number in range, found 300|write a whole number in range",
        ),
        (
            "name: a, public: yes",
            "1:18 item.public: expected true or false, found \"yes\"|write true or false",
        ),
        (
            "name: a, rule: all",
            "1:18 item.rule: expected one of intersection, user_only, found \"all\"|write one of intersection, user_only",
        ),
        (
            "name: a, actor: { type: x }",
            "1:27 item.actor.type: expected one of gateway, none, found \"x\"|write one of gateway, none",
        ),
        (
            "name: a, actor: {}",
            "1:18 item.actor.type: required, and missing|write `type: …` here",
        ),
        (
            "name: a, actor: { type: none, x: 1 }",
            "1:39 item.actor.x: unknown key|remove it",
        ),
        (
            "name: a, lifetime: 5",
            "1:18 item.lifetime: expected a duration such as 500ms, 30s, 5m, 1h or 7d, found 5|write a duration such as 500ms, 30s, 5m, 1h or 7d",
        ),
        (
            "name: a, lifetime: 5x",
            "1:18 item.lifetime: expected a duration such as 500ms, 30s, 5m, 1h or 7d, found \"5x\"|write a duration such as 500ms, 30s, 5m, 1h or 7d",
        ),
    ] {
        let (what, fix) = expected.split_once('|').unwrap();
        said(
            &format!("item: {{ {item} }}\n"),
            &format!("gateway.yaml:{what}\n    fix: {fix}"),
        );
    }
}

#[test]
fn a_secret_that_is_written_inline_is_not_repeated() {
    let report = report("item: { name: a, secret: hunter2 }\n", Paint::Plain);
    assert!(
        report.contains("item.secret: expected a mapping, found a text"),
        "{report}"
    );
    assert!(!report.contains("hunter2"), "{report}");
}

#[test]
fn control_characters_of_the_file_do_not_reach_the_terminal() {
    let report = report("item: { name: a }\n\"\\e[2J\\u202e\": 1\n", Paint::Plain);
    assert!(!report.contains('\u{1b}'), "{report:?}");
    assert!(!report.contains('\u{202e}'), "{report:?}");
}

#[test]
fn colour_is_used_only_when_asked_for() {
    assert!(!report("item: {}\n", Paint::Plain).contains('\u{1b}'));
    assert!(report("item: {}\n", Paint::Colour).contains("\u{1b}[1;31mitem.name"));
}

#[test]
fn why_stands_between_what_and_how_and_warnings_are_counted_apart() {
    let document = Document::parse("gateway.yaml", "a: 1\nb: 2\n").unwrap();
    let mut findings = Findings::default();
    findings.within("b", |f| {
        f.warn("is public", "anybody can call it", "remove it")
    });
    findings.within("a", |f| f.error("is wrong", "write 2"));
    findings.within("a", |f| f.error_because("is odd", "odd is bad", "write 2"));
    let mut out = Vec::new();
    render(
        &findings.into_vec(),
        document.marks(),
        Paint::Plain,
        &mut out,
    )
    .unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "gateway.yaml:1:1 a: is wrong\n    fix: write 2\n\
         gateway.yaml:1:1 a: is odd\n    why: odd is bad\n    fix: write 2\n\
         gateway.yaml:2:1 b: warning: is public\n    why: anybody can call it\n    fix: remove it\n\
         2 errors, 1 warning\n"
    );
}

#[test]
fn an_item_that_is_read_key_by_key_has_all_its_mistakes_reported() {
    let document = Document::parse(
        "gateway.yaml",
        "routes:\n  - { a: x, b: y, c: 1 }\n  - 5\n  - { a: 1, b: 2 }\n",
    )
    .unwrap();
    let mut findings = Findings::default();
    let read = document.sections(&mut findings, |top| {
        top.each("routes", |index, route| {
            (index, route.take::<u8>("a"), route.take::<u8>("b"))
        })
    });
    assert_eq!(read, [(0, None, None), (2, Some(1), Some(2))]);
    let paths: Vec<_> = findings
        .into_vec()
        .iter()
        .map(|finding| finding.path.to_string())
        .collect();
    assert_eq!(
        paths,
        ["routes[0].a", "routes[0].b", "routes[0].c", "routes[1]"]
    );
}

/// Returns the report about `GOOD` with `old` replaced.
fn told(old: &str, new: &str) -> String {
    const GOOD: &str = include_str!("../fixtures/config/valid/complete.yaml");
    assert!(GOOD.contains(old), "{old}");
    let document = Document::parse("gateway.yaml", &GOOD.replacen(old, new, 1)).unwrap();
    let mut findings = Findings::default();
    super::gateway::read(&document, &mut findings);
    let mut out = Vec::new();
    let findings = findings.into_vec();
    render(&findings, document.marks(), Paint::Plain, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn what_is_suggested_would_be_taken() {
    for (old, new, fix) in [
        (
            "allow: [orders.read, orders.write]",
            "allow: orders.read orders.write",
            r#"write it as a list: ["orders.read", "orders.write"]"#,
        ),
        (
            "allow: [orders.read, orders.write]",
            r#"allow: ["orders.read orders.write"]"#,
            r#"write one name an item: ["orders.read", "orders.write"]"#,
        ),
        (
            "allow: [orders.read, orders.write]",
            r#"allow: ["a, b:", "*", "%c"]"#,
            r#"write one name an item: ["a,", "b:", "%c"]"#,
        ),
        (
            "audience: orders-api } ]",
            "audience: [orders-api] } ]",
            "write it without brackets",
        ),
        (
            "generate: ES256",
            "generate: ES257",
            "write one of ES256, ES384, EdDSA, RS256, PS256",
        ),
        (
            "generate: ES256",
            "generate: RS384",
            "write one of ES256, ES384, EdDSA, RS256, PS256",
        ),
        (
            "pairwise_salt: { file: pairwise.salt }",
            "pairwise_salt: hunter2",
            "write { env: NAME } or { file: PATH }",
        ),
        ("name: corp\n", "name: 5\n", r#"put it in quotes: "5""#),
        (
            "algorithms: [PS256]",
            "algorithms: PS256",
            r#"write it as a list: ["PS256"]"#,
        ),
        (
            "audiences: [portal]\n",
            "audiences: portal\n",
            r#"write it as a list: ["portal"]"#,
        ),
        (
            "subjects: users",
            "subjects: [users]",
            r#"write it without brackets: "users""#,
        ),
        (
            "lifetime: 5m\n  pairwise",
            "lifetime: [5m]\n  pairwise",
            r#"write it without brackets: "5m""#,
        ),
    ] {
        let report = told(old, new);
        assert!(report.contains(fix), "{new}:\n{report}");
        assert!(!report.contains("hunter2"), "{report}");
    }
    // no list is suggested for a text that is not an algorithm
    let report = told("algorithms: [PS256]", "algorithms: HS256");
    assert!(!report.contains("HS256\"]"), "{report}");
}

#[test]
fn a_star_that_stands_for_nothing_is_a_finding() {
    for (old, new, place) in [
        (
            "audience: orders-api\n",
            "audience: '*'\n",
            "exchange.audience",
        ),
        (
            "methods: [GET, POST] }\n    resource",
            "methods: ['*'] }\n    resource",
            "match.methods[0]",
        ),
        (
            "audiences: [portal]\n",
            "audiences: ['*']\n",
            "trusted_issuers[0].audiences[0]",
        ),
        ("clients: [portal]", "clients: ['*']", "exchange.clients[0]"),
        ("cookies: [theme]", "cookies: ['*']", "request.cookies[0]"),
        (
            "pass_headers: [Set-Cookie]",
            "pass_headers: ['*']",
            "response.pass_headers[0]",
        ),
        (
            "methods: [GET], scope",
            "methods: ['*'], scope",
            "operations[0].methods[0]",
        ),
        (
            "introspects: [orders-api]",
            "introspects: ['*']",
            "clients[0].introspects[0]",
        ),
        (
            "subjects_of: [web]",
            "subjects_of: ['*']",
            "clients[0].subjects_of[0]",
        ),
    ] {
        let report = told(old, new);
        assert!(report.contains(place), "{new}:\n{report}");
        assert!(report.contains(" error"), "{new}:\n{report}");
    }
    assert_eq!(
        told("origins: [https://app.example.com]", "origins: ['*']"),
        ""
    );
    assert_eq!(told("token_use: access", "token_use: '*'"), "");
}

#[test]
fn a_prefix_of_an_operation_that_repeats_the_routes_own_is_warned_about() {
    for (prefix, fix) in [
        ("/orders/bulk", "fix: write /bulk if /orders/bulk is meant"),
        ("/orders", "fix: remove prefix for the whole route"),
    ] {
        let report = told("prefix: /bulk", &format!("prefix: {prefix}"));
        assert!(report.contains("warning: "), "{report}");
        assert!(report.contains(fix), "{report}");
    }
    for prefix in ["/orders2", "/bulk/orders"] {
        assert_eq!(told("prefix: /bulk", &format!("prefix: {prefix}")), "");
    }
}
