//! Files with random content cause findings, but never a panic, and are read quickly.

use super::gateway;
use obo_gateway::cli::{Paint, render};
use obo_gateway::config::Document;
use obo_gateway::settings::Findings;
use proptest::prelude::*;
use std::io::Write;

const GOOD: &str = include_str!("../fixtures/config/valid/complete.yaml");

/// Reads and renders `text`; returns the number of findings.
fn survive(text: &str) -> usize {
    let (findings, marks) = match Document::parse("gateway.yaml", text) {
        Ok(document) => {
            let mut findings = Findings::default();
            gateway::read(&document, &mut findings);
            (findings, document.marks().clone())
        }
        Err(unreadable) => (unreadable.findings, unreadable.marks),
    };
    let findings = findings.into_vec();
    render(&findings, &marks, Paint::Plain, &mut std::io::sink()).unwrap();
    findings.len()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn random_bytes_end_in_findings(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&bytes).unwrap();
        if let Err(unreadable) = Document::read(file.path()) {
            prop_assert!(unreadable.findings.has_errors());
        }
    }

    #[test]
    fn random_yaml_characters_end_in_findings(text in "[-a-c0-1:,?#&*!|>'\"%@`{}\\[\\]<~ \n\t\r\\\\\u{feff}é]{0,80}") {
        prop_assert!(survive(&text) > 0);
    }

    #[test]
    fn a_damaged_file_ends_in_findings(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..20, "[-a:,?#&*!|>'\"{}\\[\\]< \n\t\0]{0,3}"), 1..6),
    ) {
        let mut text = GOOD.to_owned();
        for (at, removed, inserted) in edits {
            let start = floor(&text, at.index(text.len()));
            let end = floor(&text, (start + removed).min(text.len()));
            text.replace_range(start..end.max(start), &inserted);
            if text.is_empty() { break; }
        }
        survive(&text);
    }
}

fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[test]
fn a_file_that_multiplies_itself_is_refused_before_it_does() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = format!("*a{}, ", level - 1).repeat(9);
        text += &format!("a{level}: &a{level} [{below}]\n");
    }
    assert_eq!(survive(&text), 1);
}

#[test]
fn deep_nesting_is_refused_in_every_style() {
    for text in [
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        "- ".repeat(100_000),
        "? ".repeat(10_000),
        format!("a: {}{}", "[".repeat(1_000), "]".repeat(1_000)),
        (0..2_000)
            .map(|i| format!("{}a:\n", " ".repeat(i)))
            .collect(),
    ] {
        assert_eq!(survive(&text), 1, "{}", &text[..20]);
    }
}

#[test]
fn large_files_take_time_in_proportion() {
    let many = |line: &str| line.repeat(20_000);
    let keys: String = (0..20_000).map(|i| format!("key{i}: 1\n")).collect();
    assert!(survive(&keys) > 20_000);
    for text in [
        many("- a\n"),
        many("a"),
        many("\""),
        many("|\n"),
        many("[a, "),
        format!("routes: [{}]", many("{a: b}, ")),
        format!("a: \"{}\"", many("\\x41")),
        format!("a: {}", many("'' ")),
        many("#\n \n"),
        many("%TAG ! tag:x,2000:\n"),
        many("---\n"),
        many("a:\n  "),
    ] {
        assert!(survive(&text) > 0, "{}", &text[..20]);
    }
}

#[test]
fn a_file_beyond_the_size_limit_is_refused() {
    let text = "# comment\n".repeat(500_000);
    assert_eq!(survive(&text), 1);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let unreadable = Document::read(file.path()).unwrap_err();
    let what = &unreadable.findings.into_vec()[0].what;
    assert_eq!(what, "the file is larger than 4 MiB");
}

#[test]
fn bytes_that_are_no_text_are_placed() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"a: 1\nb: \xc3\xa9\xff\n").unwrap();
    let unreadable = Document::read(file.path()).unwrap_err();
    let mark = unreadable.marks.find(&Default::default());
    assert_eq!((mark.line, mark.column), (2, 5));
}

#[test]
fn a_file_that_does_not_exist_is_a_finding() {
    let unreadable = Document::read("/nowhere/gateway.yaml".as_ref()).unwrap_err();
    let what = unreadable.findings.into_vec().remove(0).what;
    assert!(what.starts_with("the file cannot be read: "), "{what}");
}
