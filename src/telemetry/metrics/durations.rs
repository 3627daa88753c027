//! A histogram of durations that costs little per observation.
//!
//! The prometheus crate's own histogram needs five atomic operations and follows four pointers per observation. This
//! one needs two atomic operations, and its bounds and counts are in one place.

use prometheus::{
    HistogramOpts, Result,
    core::{Desc, Describer, Metric, MetricVecBuilder},
    proto,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// The maximum number of buckets with an upper bound.
const MOST_BOUNDS: usize = 15;

/// A histogram of durations. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Durations(Arc<Cells>);

#[derive(Debug)]
struct Cells {
    /// The upper bounds in nanoseconds, in ascending order. Unused ones are the maximum, which no duration exceeds.
    bounds: [u64; MOST_BOUNDS],
    /// The number of durations per bucket. The bucket after the last used bound has no bound.
    counts: [AtomicU64; MOST_BOUNDS + 1],
    /// The sum of all durations in nanoseconds. It wraps around after 584 years.
    sum: AtomicU64,
    labels: Vec<proto::LabelPair>,
    /// The upper bounds in seconds, as exported.
    exported: Vec<f64>,
}

impl Durations {
    /// Adds one duration.
    pub(super) fn observe(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let bucket = self.0.bounds.iter().filter(|bound| nanos > **bound).count();
        if let Some(count) = self.0.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.0.sum.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl Metric for Durations {
    /// The exported count is the sum of the buckets, so that the two always agree. `sum` can lag behind by the
    /// observations that are in progress.
    fn metric(&self) -> proto::Metric {
        let (mut buckets, mut total) = (Vec::with_capacity(MOST_BOUNDS), 0);
        let mut counts = self.0.counts.iter().map(|it| it.load(Ordering::Relaxed));
        for bound in &self.0.exported {
            total += counts.next().unwrap_or_default();
            let mut bucket = proto::Bucket::default();
            bucket.set_upper_bound(*bound);
            bucket.set_cumulative_count(total);
            buckets.push(bucket);
        }
        let mut histogram = proto::Histogram::default();
        histogram.set_bucket(buckets);
        histogram.set_sample_count(total + counts.sum::<u64>());
        let sum = Duration::from_nanos(self.0.sum.load(Ordering::Relaxed));
        histogram.set_sample_sum(sum.as_secs_f64());
        let mut metric = proto::Metric::from_label(self.0.labels.clone());
        metric.set_histogram(histogram);
        metric
    }
}

/// Makes the histograms of a family.
#[derive(Debug, Clone)]
pub(super) struct DurationsBuilder;

impl MetricVecBuilder for DurationsBuilder {
    type M = Durations;
    type P = HistogramOpts;

    /// Bounds after the fifteenth are not used.
    fn build<V: AsRef<str>>(&self, opts: &HistogramOpts, values: &[V]) -> Result<Durations> {
        let exported: Vec<f64> = opts.buckets.iter().copied().take(MOST_BOUNDS).collect();
        let mut bounds = [u64::MAX; MOST_BOUNDS];
        for (nanos, seconds) in bounds.iter_mut().zip(&exported) {
            let bound = Duration::try_from_secs_f64(*seconds).unwrap_or(Duration::MAX);
            *nanos = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
        }
        Ok(Durations(Arc::new(Cells {
            bounds,
            counts: Default::default(),
            sum: AtomicU64::new(0),
            labels: labels(&opts.describe()?, values),
            exported,
        })))
    }
}

/// Returns the labels in the order of their names.
fn labels<V: AsRef<str>>(desc: &Desc, values: &[V]) -> Vec<proto::LabelPair> {
    let named = desc.variable_labels.iter().zip(values);
    let mut labels: Vec<_> = named
        .map(|(name, value)| {
            let mut label = proto::LabelPair::default();
            label.set_name(name.clone());
            label.set_value(value.as_ref().to_owned());
            label
        })
        .collect();
    labels.sort();
    labels
}

#[cfg(test)]
mod tests {
    use super::{
        super::{EXCHANGE_BUCKETS, REQUEST_BUCKETS},
        *,
    };
    use prometheus::{
        Histogram, HistogramVec, Registry, TextEncoder,
        core::{Collector, MetricVec},
        proto::MetricType,
    };
    use proptest::prelude::*;

    const BUCKETS: [f64; 4] = [0.000_5, 0.001, 0.25, 30.0];

    fn options() -> HistogramOpts {
        HistogramOpts::new("took", "Time.").buckets(BUCKETS.to_vec())
    }

    fn text(family: impl Collector + 'static) -> String {
        let registry = Registry::new();
        registry.register(Box::new(family)).unwrap();
        TextEncoder::new()
            .encode_to_string(&registry.gather())
            .unwrap()
    }

    proptest! {
        #[test]
        fn the_export_is_that_of_the_crate_s_own_histogram(
            // eighths have exact sums
            eighths in proptest::collection::vec(0_u32..400, 0..40),
        ) {
            let named = options().variable_labels(vec!["route".to_owned()]);
            let ours = MetricVec::create(MetricType::HISTOGRAM, DurationsBuilder, named).unwrap();
            let theirs = HistogramVec::new(options(), &["route"]).unwrap();
            let (our, their) = (
                ours.get_metric_with_label_values(&["a\"b"]).unwrap(),
                theirs.get_metric_with_label_values(&["a\"b"]).unwrap(),
            );
            for eighth in eighths {
                let duration = Duration::from_secs(1) * eighth / 8;
                our.observe(duration);
                their.observe(duration.as_secs_f64());
            }
            prop_assert_eq!(text(ours), text(theirs));
        }
    }

    fn counts(metric: &proto::Metric) -> (Vec<u64>, u64) {
        let histogram = metric.get_histogram();
        let buckets = histogram.get_bucket().iter();
        let counts = buckets.map(proto::Bucket::cumulative_count).collect();
        (counts, histogram.get_sample_count())
    }

    #[test]
    fn a_bound_belongs_to_its_bucket_and_the_longest_duration_to_the_last() {
        let ours = DurationsBuilder.build::<&str>(&options(), &[]).unwrap();
        let theirs = Histogram::with_opts(options()).unwrap();
        for bound in BUCKETS.map(Duration::from_secs_f64) {
            for duration in [bound, bound + Duration::from_nanos(1)] {
                ours.observe(duration);
                theirs.observe(duration.as_secs_f64());
            }
        }
        assert_eq!(counts(&ours.metric()), (vec![1, 3, 5, 7], 8));
        assert_eq!(counts(&ours.metric()), counts(&theirs.metric()));
        ours.observe(Duration::MAX);
        assert_eq!(counts(&ours.metric()), (vec![1, 3, 5, 7], 9));
    }

    #[test]
    fn no_family_has_more_bounds_than_fit() {
        for buckets in [REQUEST_BUCKETS, EXCHANGE_BUCKETS] {
            assert!(buckets.len() <= MOST_BOUNDS);
        }
    }
}
