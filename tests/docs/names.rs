//! Every name that an operator meets has its line in the documentation, and no line names what does not exist.

use super::files::text;
use obo_gateway::clock::UnixTime;
use obo_gateway::telemetry::{
    CacheResult, CertificateUse, ConnectionEvent, ExchangeOutcome, LeakPlace, Metrics, Outcome,
    Reason, StatusClass, Step,
};
use std::{collections::BTreeSet, time::Duration};

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
    for value in names(Step::ALL, Step::as_str) {
        assert!(page.contains(&format!("`{value}`")), "{value}");
    }
}

#[test]
fn every_reason_of_a_refusal_is_described_and_every_reason_that_is_described_exists() {
    let described: BTreeSet<String> = first_cells(&text("docs/refusals.md")).into_iter().collect();
    let existing: BTreeSet<String> = names(Reason::ALL, Reason::as_str)
        .map(str::to_owned)
        .collect();
    agree("docs/refusals.md", &described, &existing);
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

/// What stands in backticks at the start of each row of the page's tables.
fn first_cells(page: &str) -> Vec<String> {
    page.lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// The families of a gateway in which everything happened once.
fn registered() -> BTreeSet<String> {
    let metrics = Metrics::new();
    let route = metrics.route("orders");
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
