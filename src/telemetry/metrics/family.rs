//! Handles around the prometheus crate that cannot fail: if a series cannot be created, it counts nothing.
//!
//! The names and labels are constants of this crate (a test renders all of them), so failures do not happen in
//! practice. A metric must never refuse a request or cause a panic.

use super::durations::{Durations, DurationsBuilder};
use crate::telemetry::labels::Label;
use prometheus::{
    HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    core::MetricVec, proto::MetricType,
};
use std::{marker::PhantomData, time::Duration};

/// One counter. Clones share it.
#[derive(Debug, Clone)]
pub struct Counter(Option<IntCounter>);

impl Counter {
    /// Returns a counter that is not exported.
    pub(super) fn unseen() -> Self {
        Self(None)
    }

    /// Adds one.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds `count`.
    pub fn add(&self, count: u64) {
        if let Some(counter) = &self.0 {
            counter.inc_by(count);
        }
    }

    /// The count so far.
    pub fn value(&self) -> u64 {
        self.0.as_ref().map_or(0, IntCounter::get)
    }
}

/// One counter for each value of a closed set, by index.
pub(crate) struct ByLabel<L> {
    counters: Box<[Counter]>,
    label: PhantomData<L>,
}

impl<L: Label> ByLabel<L> {
    pub(super) fn resolve(counter: impl Fn(&'static str) -> Counter) -> Self {
        Self {
            counters: L::ALL.iter().map(|label| counter(label.as_str())).collect(),
            label: PhantomData,
        }
    }

    /// Calls `forget` with each value.
    pub(super) fn each(forget: impl Fn(&'static str)) {
        L::ALL.iter().for_each(|label| forget(label.as_str()));
    }

    /// Adds one to the counter of `label`.
    pub(crate) fn inc(&self, label: L) {
        if let Some(counter) = self.counters.get(label.index()) {
            counter.inc();
        }
    }
}

pub(super) struct CounterFamily(Option<IntCounterVec>);

impl CounterFamily {
    pub(super) fn register(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Self {
        let family = IntCounterVec::new(Opts::new(name, help), labels).ok();
        Self(family.filter(|family| registry.register(Box::new(family.clone())).is_ok()))
    }

    /// Removes the series with these labels. Existing handles of it are no longer exported.
    pub(super) fn forget(&self, values: &[&str]) {
        if let Some(family) = &self.0 {
            // an error means that there is no such series
            let _ = family.remove_label_values(values);
        }
    }

    pub(super) fn with(&self, values: &[&str]) -> Counter {
        let family = self.0.as_ref();
        Counter(family.and_then(|family| family.get_metric_with_label_values(values).ok()))
    }
}

/// One histogram of durations.
pub(super) struct Timing(Option<Durations>);

impl Timing {
    pub(super) fn observe(&self, duration: Duration) {
        if let Some(histogram) = &self.0 {
            histogram.observe(duration);
        }
    }
}

pub(super) struct HistogramFamily(Option<MetricVec<DurationsBuilder>>);

impl HistogramFamily {
    pub(super) fn register(
        registry: &Registry,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> Self {
        let labels = labels.iter().map(|&label| label.to_owned()).collect();
        let options = HistogramOpts::new(name, help)
            .buckets(buckets.to_vec())
            .variable_labels(labels);
        let family = MetricVec::create(MetricType::HISTOGRAM, DurationsBuilder, options).ok();
        Self(family.filter(|family| registry.register(Box::new(family.clone())).is_ok()))
    }

    /// Removes the series with these labels.
    pub(super) fn forget(&self, values: &[&str]) {
        if let Some(family) = &self.0 {
            let _ = family.remove_label_values(values);
        }
    }

    pub(super) fn with(&self, values: &[&str]) -> Timing {
        let family = self.0.as_ref();
        Timing(family.and_then(|family| family.get_metric_with_label_values(values).ok()))
    }
}

/// Gauges with labels, all of which are set at each scrape.
pub(super) struct GaugeFamily(Option<IntGaugeVec>);

impl GaugeFamily {
    pub(super) fn register(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Self {
        let family = IntGaugeVec::new(Opts::new(name, help), labels).ok();
        Self(family.filter(|family| registry.register(Box::new(family.clone())).is_ok()))
    }

    /// Removes all series.
    pub(super) fn clear(&self) {
        if let Some(family) = &self.0 {
            family.reset();
        }
    }

    pub(super) fn set(&self, values: &[&str], value: i64) {
        let family = self.0.as_ref();
        if let Some(gauge) = family.and_then(|it| it.get_metric_with_label_values(values).ok()) {
            gauge.set(value);
        }
    }
}

/// One gauge.
pub(crate) struct Gauge(Option<IntGauge>);

impl Gauge {
    pub(super) fn register(
        registry: &Registry,
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
    ) -> Self {
        let options = labels
            .iter()
            .fold(Opts::new(name, help), |options, (label, value)| {
                options.const_label(*label, *value)
            });
        let gauge = IntGauge::with_opts(options).ok();
        Self(gauge.filter(|gauge| registry.register(Box::new(gauge.clone())).is_ok()))
    }

    /// Replaces the value.
    pub(crate) fn set(&self, value: i64) {
        if let Some(gauge) = &self.0 {
            gauge.set(value);
        }
    }

    /// Adds `by`, which may be negative.
    pub(crate) fn add(&self, by: i64) {
        if let Some(gauge) = &self.0 {
            gauge.add(by);
        }
    }
}
