//! What the server counts, for Prometheus.
//!
//! Names follow go-grpc-prometheus. Every method's counters are looked up once, at the start, so that a call costs a few
//! atomic additions; methods that do not exist share one row, so that no caller can make up labels.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;
use tonic::Code;

use crate::serve::gateway::methods::{Form, RPCS};

/// Upper bounds of the buckets of times, in seconds.
const SECONDS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    10.0,
];
/// Upper bounds of the buckets of probabilities.
const PROBABILITIES: &[f64] = &[0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0];

/// A histogram that many threads add to without waiting for each other.
#[derive(Debug)]
pub(crate) struct Histogram {
    bounds: &'static [f64],
    counts: Vec<AtomicU64>,
    /// The bits of the sum.
    sum: AtomicU64,
}

impl Histogram {
    fn new(bounds: &'static [f64]) -> Self {
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
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.add(value);
    }

    /// Adds many values, at the cost of little more than one.
    pub(crate) fn observe_all(&self, values: impl Iterator<Item = f64>) {
        let (mut counts, mut sum) = ([0_u64; 16], 0.0);
        for value in values {
            let bucket = self.bounds.partition_point(|bound| *bound < value);
            if let Some(count) = counts.get_mut(bucket) {
                *count += 1;
            }
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
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds
            .zip(&self.counts)
            .map(|(bound, count)| (bound, count.load(Ordering::Relaxed)))
            .collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        encoder.encode_histogram::<NoLabelSet>(
            f64::from_bits(self.sum.load(Ordering::Relaxed)),
            count,
            &buckets,
            None,
        )
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

/// A plain counter.
#[derive(Debug, Default)]
struct Counter(AtomicU64);

impl Counter {
    fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl EncodeMetric for Counter {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        encoder.encode_counter::<NoLabelSet, u64, u64>(&self.0.load(Ordering::Relaxed), None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}

/// Why work was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shed {
    /// `limits.queue_length`.
    QueueFull,
    /// `limits.queue_wait_ms`.
    QueueWait,
    /// The deadline passed in the queue.
    Deadline,
    /// The client hung up while its call was in the queue.
    HungUp,
    /// `limits.calls`, `limits.streams` or `limits.receiving_bytes`.
    Calls,
    /// `limits.connections`.
    Connections,
}

const SHEDS: [(Shed, &str); 6] = [
    (Shed::QueueFull, "queue_full"),
    (Shed::QueueWait, "queue_wait"),
    (Shed::Deadline, "deadline"),
    (Shed::HungUp, "hung_up"),
    (Shed::Calls, "calls"),
    (Shed::Connections, "connections"),
];

/// What became of an exchange of models or labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Swap {
    /// It was made.
    Done,
    /// It was refused; the old model serves on.
    Refused,
}

const SWAPS: [(Swap, &str); 2] = [(Swap::Done, "done"), (Swap::Refused, "refused")];

/// How many gRPC status codes there are.
const CODES: usize = 17;

/// A status as go-grpc-prometheus writes it.
fn code_name(code: Code) -> String {
    match code {
        Code::Ok => "OK".to_owned(),
        Code::Cancelled => "Canceled".to_owned(),
        other => format!("{other:?}"),
    }
}

/// The counters of one method.
#[derive(Debug)]
struct Method {
    service: &'static str,
    method: &'static str,
    form: Form,
    started: Counter,
    handled: [Counter; CODES],
    seconds: Histogram,
}

impl Method {
    fn new(service: &'static str, method: &'static str, form: Form) -> Self {
        let (started, handled) = (Counter::default(), Default::default());
        Self {
            service,
            method,
            form,
            started,
            handled,
            seconds: Histogram::new(SECONDS),
        }
    }

    fn labels(&self) -> [(&'static str, &'static str); 3] {
        [
            ("grpc_type", self.form.name()),
            ("grpc_service", self.service),
            ("grpc_method", self.method),
        ]
    }
}

/// Everything that is counted.
#[derive(Debug)]
pub(crate) struct Metrics {
    methods: Vec<Method>,
    sheds: [Counter; SHEDS.len()],
    swaps: [Counter; SWAPS.len()],
    /// The churn probabilities that were given, at the shortest horizon.
    pub(crate) probability: Histogram,
    /// How long computations waited for a thread.
    pub(crate) queue_wait: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        let methods = RPCS
            .iter()
            .map(|rpc| Method::new(rpc.service_name, rpc.method, rpc.form));
        Self {
            methods: methods
                .chain([Method::new("unknown", "unknown", Form::Unary)])
                .collect(),
            sheds: Default::default(),
            swaps: Default::default(),
            probability: Histogram::new(PROBABILITIES),
            queue_wait: Histogram::new(SECONDS),
        }
    }
}

impl Metrics {
    fn method(&self, rpc: Option<usize>) -> Option<&Method> {
        self.methods.get(rpc.unwrap_or(RPCS.len()))
    }

    /// A call of the method at this position of [`RPCS`] has begun; `None` for one that does not exist.
    pub(crate) fn started(&self, rpc: Option<usize>) {
        if let Some(method) = self.method(rpc) {
            method.started.add_one();
        }
    }

    /// It has ended.
    pub(crate) fn handled(&self, rpc: Option<usize>, code: Code, seconds: f64) {
        if let Some(method) = self.method(rpc) {
            if let Some(counter) = method.handled.get(code as usize) {
                counter.add_one();
            }
            method.seconds.observe(seconds);
        }
    }

    /// Work was refused.
    pub(crate) fn shed(&self, why: Shed) {
        if let Some(counter) = self.sheds.get(why as usize) {
            counter.add_one();
        }
    }

    /// A model or label was exchanged, or not.
    pub(crate) fn swapped(&self, result: Swap) {
        if let Some(counter) = self.swaps.get(result as usize) {
            counter.add_one();
        }
    }
}

/// The collector that a page is made with.
#[derive(Debug)]
pub(crate) struct Collected(pub(crate) Arc<Metrics>);

impl Collector for Collected {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Metrics {
            methods,
            sheds,
            swaps,
            probability,
            queue_wait,
        } = &*self.0;
        let counter = MetricType::Counter;
        let mut family =
            encoder.encode_descriptor("grpc_server_started", "Calls begun.", None, counter)?;
        for method in methods {
            method
                .started
                .encode(family.encode_family(&method.labels())?)?;
        }
        let mut family = encoder.encode_descriptor(
            "grpc_server_handled",
            "Calls ended, by status.",
            None,
            counter,
        )?;
        for method in methods {
            for (code, count) in method.handled.iter().enumerate() {
                // A row for each status that occurred, and for OK.
                if code == 0 || count.0.load(Ordering::Relaxed) > 0 {
                    let name = code_name(Code::from_i32(code as i32));
                    let [form, service, rpc] = method.labels();
                    count.encode(family.encode_family(&[
                        form,
                        service,
                        rpc,
                        ("grpc_code", name.as_str()),
                    ])?)?;
                }
            }
        }
        let help = "Seconds from a call's beginning to its end.";
        let seconds = Some(&Unit::Seconds);
        let mut family = encoder.encode_descriptor(
            "grpc_server_handling",
            help,
            seconds,
            MetricType::Histogram,
        )?;
        for method in methods {
            method
                .seconds
                .encode(family.encode_family(&method.labels())?)?;
        }
        let mut family =
            encoder.encode_descriptor("ebb_shed", "Work refused, by reason.", None, counter)?;
        for ((_, name), count) in SHEDS.iter().zip(sheds) {
            count.encode(family.encode_family(&[("reason", *name)])?)?;
        }
        let mut family = encoder.encode_descriptor(
            "ebb_model_swaps",
            "Models or labels exchanged.",
            None,
            counter,
        )?;
        for ((_, name), count) in SWAPS.iter().zip(swaps) {
            count.encode(family.encode_family(&[("result", *name)])?)?;
        }
        let help = "Churn probabilities given, at the shortest horizon.";
        let family = encoder.encode_descriptor(
            "ebb_score_probability",
            help,
            None,
            MetricType::Histogram,
        )?;
        probability.encode(family)?;
        let help = "Seconds that computations waited for a thread.";
        let family =
            encoder.encode_descriptor("ebb_queue_wait", help, seconds, MetricType::Histogram)?;
        queue_wait.encode(family)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_by_one_and_all_at_once_count_the_same() {
        let (single, many) = (Histogram::new(PROBABILITIES), Histogram::new(PROBABILITIES));
        let values = [0.0, 0.05, 0.051, 0.3, 0.99, 1.0];
        values.iter().for_each(|value| single.observe(*value));
        many.observe_all(values.into_iter());
        let counts = |h: &Histogram| {
            h.counts
                .iter()
                .map(|c| c.load(Ordering::Relaxed))
                .collect::<Vec<_>>()
        };
        assert_eq!(counts(&single), counts(&many));
        assert_eq!(counts(&single), [2, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0]);
    }

    #[test]
    fn reasons_and_results_stand_at_their_own_place() {
        assert!(
            SHEDS
                .iter()
                .enumerate()
                .all(|(i, (shed, _))| *shed as usize == i)
        );
        assert!(
            SWAPS
                .iter()
                .enumerate()
                .all(|(i, (swap, _))| *swap as usize == i)
        );
    }
}
