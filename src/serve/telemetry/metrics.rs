//! What the server counts, for Prometheus.
//!
//! Names follow go-grpc-prometheus. Every method's counters are looked up once, at the start, so that a call costs a few
//! atomic additions; methods that do not exist share one row, so that no caller can make up labels.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Instant, SystemTime};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use serde::Serialize;
use tonic::Code;

use super::histogram::{Histogram, HistogramCounts};
use super::log::lost_lines;
use crate::serve::methods::{MethodKind, RPCS};

/// Upper bounds of the buckets of times, in seconds.
pub(crate) const SECONDS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    10.0,
];
/// Upper bounds of the buckets of probabilities.
pub(crate) const PROBABILITIES: &[f64] =
    &[0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0];

/// Names for the counters of one family: an enum whose variants are the values of a label, so that each counter is found by
/// its variant.
macro_rules! label_values {
    ($(#[doc = $doc:literal])+ $name:ident { $($(#[doc = $meaning:literal])+ $variant:ident $value:literal)+ }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name {
            $($(#[doc = $meaning])+ $variant,)+
        }

        impl $name {
            const ALL: &[Self] = &[$(Self::$variant),+];

            fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $value,)+
                }
            }
        }
    };
}

label_values! {
    /// Why work was refused.
    Shed {
        /// `limits.queue_length`.
        QueueFull "queue_full"
        /// `limits.max_queue_wait_ms`.
        QueueWait "queue_wait"
        /// The deadline passed in the queue.
        Deadline "deadline"
        /// The client gave up while its call was in the queue.
        ClientCancelled "client_cancelled"
        /// `limits.max_concurrent_calls`, `limits.max_streams` or another limit on what is under way.
        Calls "calls"
        /// `limits.connections`.
        Connections "connections"
        /// `limits.memory_bytes`.
        Memory "memory"
    }
}

label_values! {
    /// What became of a change of models or labels.
    Reload {
        /// It was made.
        Success "success"
        /// It was refused; the models before it serve on.
        Refused "refused"
    }
}

label_values! {
    /// Why a line of the log was not written.
    LostLine {
        /// As many lines as may wait for the destination waited already.
        QueueFull "queue_full"
        /// The destination refused it.
        WriteFailed "write_failed"
        /// `log.max_lines_per_second`.
        RateLimit "rate_limit"
    }
}

/// Counts of lines that were not written; a clone counts the same lines.
#[derive(Clone, Debug, Default)]
pub(crate) struct LostLines(Arc<[Counter; LostLine::ALL.len()]>);

impl LostLines {
    /// A line was not written.
    pub(crate) fn count(&self, why: LostLine) {
        self.0[why as usize].inc();
    }

    /// How many were not written for this reason.
    #[cfg(test)]
    pub(crate) fn get(&self, why: LostLine) -> u64 {
        self.0[why as usize].get()
    }
}

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
    kind: MethodKind,
    started: Counter,
    handled: [Counter; CODES],
    seconds: Histogram,
}

impl Method {
    fn new(service: &'static str, method: &'static str, kind: MethodKind) -> Self {
        let (started, handled) = (Counter::default(), Default::default());
        Self {
            service,
            method,
            kind,
            started,
            handled,
            seconds: Histogram::new(SECONDS),
        }
    }

    fn labels(&self) -> [(&'static str, &'static str); 3] {
        [
            ("grpc_type", self.kind.name()),
            ("grpc_service", self.service),
            ("grpc_method", self.method),
        ]
    }

    fn counts(&self) -> MethodCounts {
        let codes = self.handled.iter().enumerate();
        let occurred = codes.filter(|(_, count)| count.get() > 0);
        MethodCounts {
            service: self.service,
            method: self.method,
            is_streaming: self.kind.is_streaming(),
            started: self.started.get(),
            handled: occurred
                .map(|(code, count)| (code_name(Code::from_i32(code as i32)), count.get()))
                .collect(),
            seconds: self.seconds.counts(),
        }
    }
}

/// The counters of one method at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct MethodCounts {
    /// The service's full name; `unknown` for calls of methods that do not exist.
    pub(crate) service: &'static str,
    /// The method's name.
    pub(crate) method: &'static str,
    /// Whether messages come one after another.
    pub(crate) is_streaming: bool,
    /// Calls begun.
    pub(crate) started: u64,
    /// Calls ended, by each status that occurred.
    pub(crate) handled: Vec<(String, u64)>,
    /// The seconds that calls took, in the buckets of [`SECONDS`].
    pub(crate) seconds: HistogramCounts,
}

/// When the process began, by both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Started {
    /// For the time that has passed, which no change of the clock alters.
    pub(crate) instant: Instant,
    /// For people and for other machines.
    pub(crate) clock: SystemTime,
}

/// Everything that is counted.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// When counting began, which is when the server started.
    pub(crate) started: Started,
    /// Connections for calls that are open.
    connections: AtomicUsize,
    methods: Vec<Method>,
    sheds: [Counter; Shed::ALL.len()],
    reloads: [Counter; Reload::ALL.len()],
    /// The churn probabilities that were given, at the shortest horizon.
    pub(crate) probability: Histogram,
    /// How long computations waited for a thread.
    pub(crate) queue_wait: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        let methods = RPCS
            .iter()
            .map(|rpc| Method::new(rpc.service_name, rpc.method, rpc.kind));
        Self {
            started: Started {
                instant: Instant::now(),
                clock: SystemTime::now(),
            },
            connections: AtomicUsize::new(0),
            methods: methods
                .chain([Method::new("unknown", "unknown", MethodKind::Unary)])
                .collect(),
            sheds: Default::default(),
            reloads: Default::default(),
            probability: Histogram::new(PROBABILITIES),
            queue_wait: Histogram::new(SECONDS),
        }
    }
}

impl Metrics {
    /// The counters of a method; those of all that do not exist are the last row's.
    fn method(&self, rpc: Option<usize>) -> &Method {
        &self.methods[rpc.unwrap_or(RPCS.len())]
    }

    /// A call of the method at this position of [`RPCS`] has begun; `None` for one that does not exist.
    pub(crate) fn started(&self, rpc: Option<usize>) {
        self.method(rpc).started.inc();
    }

    /// It has ended.
    pub(crate) fn handled(&self, rpc: Option<usize>, code: Code, seconds: f64) {
        let method = self.method(rpc);
        method.handled[code as usize].inc();
        method.seconds.observe(seconds);
    }

    /// Work was refused.
    pub(crate) fn shed(&self, why: Shed) {
        self.sheds[why as usize].inc();
    }

    /// Models or labels were changed, or not.
    pub(crate) fn reloaded(&self, result: Reload) {
        self.reloads[result as usize].inc();
    }

    /// So many connections for calls are open.
    pub(crate) fn set_connections(&self, open: usize) {
        self.connections.store(open, Ordering::Relaxed);
    }

    /// The connections for calls that are open.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// The counters of every method.
    pub(crate) fn calls(&self) -> Vec<MethodCounts> {
        self.methods.iter().map(Method::counts).collect()
    }

    /// How often work was refused, by reason.
    pub(crate) fn sheds(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let count = |shed: &Shed| (shed.name(), self.sheds[*shed as usize].get());
        Shed::ALL.iter().map(count)
    }

    /// How often models or labels were changed, by result.
    pub(crate) fn reloads(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let count = |result: &Reload| (result.name(), self.reloads[*result as usize].get());
        Reload::ALL.iter().map(count)
    }
}

/// The collector that a page is made with.
#[derive(Debug)]
pub(crate) struct Collected(pub(crate) Arc<Metrics>);

impl Collector for Collected {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Metrics {
            started,
            connections,
            methods,
            sheds,
            reloads,
            probability,
            queue_wait,
        } = &*self.0;
        encode_methods(&mut encoder, methods)?;
        let shed = Shed::ALL
            .iter()
            .map(|shed| (shed.name(), &sheds[*shed as usize]));
        let help = "Work refused, by reason.";
        encode_counters(&mut encoder, "ebb_shed", help, "reason", shed)?;
        let reloads = Reload::ALL
            .iter()
            .map(|reload| (reload.name(), &reloads[*reload as usize]));
        let help = "Changes of models or labels.";
        encode_counters(&mut encoder, "ebb_model_reloads", help, "result", reloads)?;
        let lost = LostLine::ALL
            .iter()
            .map(|why| (why.name(), &lost_lines().0[*why as usize]));
        let help = "Lines of the log that were not written, by reason.";
        encode_counters(&mut encoder, "ebb_log_lines_lost", help, "reason", lost)?;
        let help = "Churn probabilities given, at the shortest horizon.";
        let histogram = MetricType::Histogram;
        let family = encoder.encode_descriptor("ebb_score_probability", help, None, histogram)?;
        probability.encode(family)?;
        let help = "Seconds that computations waited for a thread.";
        let seconds = Some(&Unit::Seconds);
        let family = encoder.encode_descriptor("ebb_queue_wait", help, seconds, histogram)?;
        queue_wait.encode(family)?;
        let help = "Connections for calls that are open.";
        let open = ConstGauge::new(connections.load(Ordering::Relaxed) as f64);
        let gauge = MetricType::Gauge;
        open.encode(encoder.encode_descriptor("ebb_connections", help, None, gauge)?)?;
        let since = started.clock.duration_since(SystemTime::UNIX_EPOCH);
        let since = ConstGauge::new(since.map_or(0.0, |passed| passed.as_secs_f64()));
        // The name that Prometheus' own libraries give it.
        let help = "When the server started.";
        since.encode(encoder.encode_descriptor("process_start_time", help, seconds, gauge)?)
    }
}

/// A family of counters with one label.
fn encode_counters<'c>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    label: &str,
    counters: impl Iterator<Item = (&'static str, &'c Counter)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (value, counter) in counters {
        counter.encode(family.encode_family(&[(label, value)])?)?;
    }
    Ok(())
}

fn encode_methods(encoder: &mut DescriptorEncoder<'_>, methods: &[Method]) -> fmt::Result {
    let counter = MetricType::Counter;
    let mut family =
        encoder.encode_descriptor("grpc_server_started", "Calls begun.", None, counter)?;
    for method in methods {
        method
            .started
            .encode(family.encode_family(&method.labels())?)?;
    }
    let help = "Calls ended, by status.";
    let mut family = encoder.encode_descriptor("grpc_server_handled", help, None, counter)?;
    for method in methods {
        for (code, count) in method.handled.iter().enumerate() {
            // A row for each status that occurred, and for OK.
            if code == 0 || count.get() > 0 {
                let name = code_name(Code::from_i32(code as i32));
                let [kind, service, rpc] = method.labels();
                let labels = [kind, service, rpc, ("grpc_code", name.as_str())];
                count.encode(family.encode_family(&labels)?)?;
            }
        }
    }
    let help = "Seconds from a call's beginning to its end.";
    let seconds = Some(&Unit::Seconds);
    let histogram = MetricType::Histogram;
    let mut family = encoder.encode_descriptor("grpc_server_handling", help, seconds, histogram)?;
    for method in methods {
        method
            .seconds
            .encode(family.encode_family(&method.labels())?)?;
    }
    Ok(())
}
