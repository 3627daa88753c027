//! Every name that operators see has a line in the documentation, and every line is about an existing name.

use super::files::{path, text};
use obo_gateway::clock::UnixTime;
use obo_gateway::edge::{ConnectionEvent, ConnectionMetrics};
use obo_gateway::telemetry::{
    AccessField, CacheResult, CertificateUse, DecisionStep, ExchangeOutcome, LeakPlace, Metrics,
    Outcome, Reason, StatusClass,
};
use std::{collections::BTreeSet, path::Path, time::Duration};

#[test]
fn every_metric_is_described_and_every_metric_that_is_described_exists() {
    let described: BTreeSet<String> = first_cells(&text("docs/metrics.md"))
        .into_iter()
        .filter(|name| name.starts_with("obo_") || name.starts_with("process_"))
        .collect();
    agree("docs/metrics.md", &described, &registered());
}

#[test]
fn every_label_value_is_described() {
    let page = text("docs/metrics.md");
    let values = names(Outcome::ALL, Outcome::as_str)
        .chain(names(CacheResult::ALL, CacheResult::as_str))
        .chain(names(ExchangeOutcome::ALL, ExchangeOutcome::as_str))
        .chain(names(StatusClass::ALL, StatusClass::as_str))
        .chain(names(LeakPlace::ALL, LeakPlace::as_str))
        .chain(names(ConnectionEvent::ALL, ConnectionEvent::as_str));
    for value in values {
        assert!(page.contains(&format!("`{value}`")), "{value}");
    }
}

#[test]
fn every_step_of_a_decision_is_named() {
    let page = text("docs/explain.md");
    for value in names(DecisionStep::ALL, DecisionStep::as_str) {
        assert!(page.contains(&format!("`{value}`")), "{value}");
    }
}

#[test]
fn every_reason_of_a_refusal_is_described_and_every_reason_that_is_described_exists() {
    let rows = first_cells(&text("docs/refusals.md"));
    let described: BTreeSet<String> = rows.iter().cloned().collect();
    let twice: Vec<_> = described
        .iter()
        .filter(|reason| rows.iter().filter(|row| row == reason).count() > 1)
        .collect();
    assert!(
        twice.is_empty(),
        "docs/refusals.md describes {twice:?} more than once"
    );
    let existing: BTreeSet<String> = names(Reason::ALL, Reason::as_str)
        .map(str::to_owned)
        .collect();
    agree("docs/refusals.md", &described, &existing);
}

#[test]
fn every_field_of_the_access_log_is_described_and_nothing_else_is() {
    let page = text("docs/logs.md");
    let section = section(&page, "## The access log");
    let described: BTreeSet<String> = first_cells(section).into_iter().collect();
    let mut existing: BTreeSet<String> = [
        "ts",
        "route",
        "status",
        "outcome",
        "reason",
        "request_id",
        "upstream_error",
    ]
    .map(str::to_owned)
    .into();
    for field in AccessField::ALL {
        let name = serde_json::to_value(field).unwrap();
        existing.insert(name.as_str().unwrap().to_owned());
    }
    agree("docs/logs.md", &described, &existing);
    let added = section.lines().filter(|line| line.contains("| if added |"));
    assert_eq!(added.count(), 2);
}

#[test]
fn every_event_of_the_audit_log_is_described_with_its_members() {
    let page = text("docs/logs.md");
    let section = section(&page, "## The audit log");
    let source = text("src/telemetry/audit.rs");
    let described = first_cells(section)
        .into_iter()
        .filter(|cell| cell != "event");
    for event in described {
        assert!(source.contains(&format!("\"{event}\"")), "{event}");
    }
    let line = source.split("struct Line<'a> {").nth(1).unwrap();
    let line = line.split("\n}").next().unwrap();
    let members = line.lines().filter_map(|line| {
        let (name, _) = line.trim().split_once(": ")?;
        name.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            .then_some(name)
    });
    let members: Vec<&str> = members.collect();
    assert!(members.len() > 15, "{members:?}");
    for member in members {
        assert!(section.contains(&format!("`{member}`")), "{member}");
    }
}

#[test]
fn every_line_of_the_log_that_is_described_is_written() {
    let page = text("docs/logs.md");
    let described = first_cells(section(&page, "## The gateway's own log"));
    let described: Vec<_> = described.iter().filter(|cell| *cell != "message").collect();
    assert!(described.len() > 5);
    let mut sources = String::new();
    sources_in(&path("src"), &mut sources);
    for message in described {
        assert!(sources.contains(&format!("\"{message}\"")), "{message}");
    }
}

/// The text between a heading and the next of its kind.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let after = page.split(&format!("{heading}\n")).nth(1).unwrap();
    after.split("\n## ").next().unwrap()
}

fn sources_in(folder: &Path, sources: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources_in(&path, sources);
        } else {
            sources.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

fn agree(page: &str, described: &BTreeSet<String>, existing: &BTreeSet<String>) {
    let missing: Vec<_> = existing.difference(described).collect();
    let invented: Vec<_> = described.difference(existing).collect();
    assert!(missing.is_empty(), "{page} needs a row for {missing:?}");
    assert!(
        invented.is_empty(),
        "{page} describes {invented:?}, which do not exist"
    );
}

fn names<T: Copy + 'static>(
    all: &'static [T],
    name: fn(T) -> &'static str,
) -> impl Iterator<Item = &'static str> {
    all.iter().copied().map(name)
}

/// Returns the text in backticks at the start of each row of the page's tables.
fn first_cells(page: &str) -> Vec<String> {
    page.lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// Returns the metric families of a gateway after every event has occurred once.
fn registered() -> BTreeSet<String> {
    let metrics = Metrics::new();
    let _connections = ConnectionMetrics::register(&metrics);
    let route = metrics.route("orders", "embedded");
    route.request(Outcome::Forwarded, Duration::ZERO);
    route.denied(Reason::Expired);
    metrics.issuer("corp").refreshed();
    metrics.on_scrape(|gauges| {
        gauges.key_ages([("corp", Duration::ZERO)]);
        let end = UnixTime::from_secs(0);
        gauges.certificates([(CertificateUse::Listener, "127.0.0.1:8443", end)]);
    });
    metrics
        .render()
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}
