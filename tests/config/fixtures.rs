//! Every file in `tests/fixtures/config` is a test.
//!
//! For every `invalid/*.yaml` there is a `*.expected` with the first line of each finding, without the file name. A line
//! that ends with `…` matches every line with the same start.

use super::gateway;
use obo_gateway::cli::{Paint, render};
use obo_gateway::config::{Document, Marks};
use obo_gateway::settings::Findings;
use std::path::{Path, PathBuf};

/// Reads a document.
type Read = fn(&Document, &mut Findings);
const READ: Read = gateway::read;

#[test]
fn every_valid_file_is_accepted() {
    for file in files("valid") {
        assert_eq!(report(&file, READ), "", "{}", file.display());
    }
}

#[test]
fn every_mistake_is_reported_where_it_stands() {
    let mut differing = String::new();
    for file in files("invalid") {
        let expected = std::fs::read_to_string(file.with_extension("expected")).unwrap();
        let report = report(&file, READ);
        let found = first_lines(&report, &file);
        if !as_expected(&found, &expected) {
            differing += &format!("found:\n{report}expected:\n{expected}\n");
        }
    }
    assert!(differing.is_empty(), "{differing}");
}

#[test]
fn every_finding_says_how_to_mend_it() {
    for file in files("invalid") {
        let report = report(&file, READ);
        let findings = first_lines(&report, &file).len();
        let mended = report
            .lines()
            .filter(|line| line.starts_with("    fix: "))
            .count();
        assert_eq!(mended, findings, "{report}");
    }
}

#[test]
fn five_mistakes_in_five_items_are_five_findings_of_one_run() {
    let file = folder("invalid").join("five_items.yaml");
    let report = report(&file, READ);
    assert_eq!(report.lines().last(), Some("5 errors"), "{report}");
}

fn as_expected(found: &[&str], expected: &str) -> bool {
    let matches = |(found, expected): (&&str, &str)| match expected.strip_suffix('…') {
        Some(start) => found.starts_with(start),
        None => *found == expected,
    };
    found.len() == expected.lines().count() && found.iter().zip(expected.lines()).all(matches)
}

fn report(file: &Path, read: Read) -> String {
    match Document::read(file) {
        Ok(document) => {
            let mut findings = Findings::default();
            read(&document, &mut findings);
            rendered(findings, document.marks())
        }
        Err(unreadable) => rendered(unreadable.findings, &unreadable.marks),
    }
}

fn rendered(findings: Findings, marks: &Marks) -> String {
    let mut out = Vec::new();
    render(&findings.into_vec(), marks, Paint::Plain, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn first_lines<'r>(report: &'r str, file: &Path) -> Vec<&'r str> {
    let start = format!("{}:", file.display());
    report
        .lines()
        .filter_map(|line| line.strip_prefix(&start))
        .collect()
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/config")
        .join(name)
}

fn files(name: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder(name))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}
