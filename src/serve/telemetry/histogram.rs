//! A histogram for many threads. That of prometheus-client takes a lock for each value.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use serde::Serialize;

/// The most buckets of a histogram, that of the values beyond all bounds included.
const BUCKETS_MOST: usize = 16;

/// What a histogram held at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct HistogramCounts {
    /// How many values were in each bucket; the last one is that beyond all bounds. Not cumulative.
    pub(crate) counts: Vec<u64>,
    /// The sum of all values.
    pub(crate) sum: f64,
}

/// A histogram that many threads add to without waiting for each other.
#[derive(Debug)]
pub(crate) struct Histogram {
    bounds: &'static [f64],
    counts: Vec<AtomicU64>,
    /// The bits of the sum.
    sum: AtomicU64,
}

impl Histogram {
    /// An empty one, with these upper bounds of its buckets.
    pub(crate) fn new(bounds: &'static [f64]) -> Self {
        assert!(
            bounds.len() < BUCKETS_MOST,
            "a histogram has at most {BUCKETS_MOST} buckets"
        );
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self {
            bounds,
            counts,
            sum: AtomicU64::new(0.0_f64.to_bits()),
        }
    }

    /// Adds one value.
    pub(crate) fn observe(&self, value: f64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.add(value);
    }

    /// Adds many values, at the cost of little more than one.
    pub(crate) fn observe_all(&self, values: impl Iterator<Item = f64>) {
        let (mut counts, mut sum) = ([0_u64; BUCKETS_MOST], 0.0);
        for value in values {
            let bucket = self.bounds.partition_point(|bound| *bound < value);
            counts[bucket] += 1;
            sum += value;
        }
        for (total, count) in self
            .counts
            .iter()
            .zip(counts)
            .filter(|(_, count)| *count > 0)
        {
            total.fetch_add(count, Ordering::Relaxed);
        }
        self.add(sum);
    }

    /// What it holds now.
    pub(crate) fn counts(&self) -> HistogramCounts {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        HistogramCounts {
            counts: self.counts.iter().map(load).collect(),
            sum: f64::from_bits(self.sum.load(Ordering::Relaxed)),
        }
    }

    fn add(&self, value: f64) {
        let more = |bits| Some((f64::from_bits(bits) + value).to_bits());
        // The closure always gives a value.
        let _ = self
            .sum
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let HistogramCounts { counts, sum } = self.counts();
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROBABILITIES: &[f64] = &[0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0];

    #[test]
    fn one_by_one_and_all_at_once_count_the_same() {
        let (single, many) = (Histogram::new(PROBABILITIES), Histogram::new(PROBABILITIES));
        let values = [0.0, 0.05, 0.051, 0.3, 0.99, 1.0];
        values.iter().for_each(|value| single.observe(*value));
        many.observe_all(values.into_iter());
        let counts = |h: &Histogram| h.counts().counts;
        assert_eq!(counts(&single), counts(&many));
        assert_eq!(counts(&single), [2, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0]);
    }
}
