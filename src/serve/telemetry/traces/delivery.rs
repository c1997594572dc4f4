//! Spans on their way to the collector.
//!
//! Calls put ended spans into a queue of limited length and never wait for it; one task sends them in batches. What finds
//! no room, and what the collector does not take in time, is counted and forgotten.

use std::fmt;
use std::mem::take;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_otlp::{RetryPolicy, SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter as _, SpanProcessor};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use tonic::transport::Endpoint;

use crate::serve::errors::ServeError;

/// The most spans that wait.
const QUEUE: usize = 2_048;
/// The most spans that are sent at once.
const BATCH: usize = 512;
/// How long a batch waits for more spans.
const GATHER: Duration = Duration::from_secs(1);
/// How long the collector may take for a batch, repetitions included.
const SEND: Duration = Duration::from_secs(5);
/// How long a stop waits for the rest to be sent.
const FINISH: Duration = Duration::from_secs(1);
/// The log tells of lost spans at most this often.
const TELL: Duration = Duration::from_secs(60);

/// What waits to be sent.
#[derive(Debug)]
enum Item {
    Span(Box<SpanData>),
    /// Tells once everything before it is sent or lost.
    Finish(oneshot::Sender<()>),
}

/// What became of the spans.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    sent: AtomicU64,
    lost: AtomicU64,
}

/// The way to the collector.
pub(crate) struct Delivery {
    items: mpsc::Sender<Item>,
    counts: Arc<Counts>,
}

impl Delivery {
    /// Starts the task. No connection is made before there is a span.
    pub(crate) fn start(endpoint: &str, resource: &Resource) -> Result<Self, ServeError> {
        let fault =
            |problem: String| ServeError::Setting(format!("traces.endpoint {endpoint}: {problem}"));
        let collector =
            Endpoint::from_shared(endpoint.to_owned()).map_err(|error| fault(error.to_string()))?;
        let exporter = SpanExporter::builder()
            .with_tonic()
            .with_channel(collector.connect_timeout(SEND).timeout(SEND).connect_lazy())
            .with_timeout(SEND)
            .with_retry_policy(RetryPolicy::recommended());
        let mut exporter = exporter.build().map_err(|error| fault(error.to_string()))?;
        exporter.set_resource(resource);
        let (items, waiting) = mpsc::channel(QUEUE);
        let counts = Arc::<Counts>::default();
        tokio::spawn(deliver(
            waiting,
            Sending {
                exporter,
                counts: Arc::clone(&counts),
                told: None,
                told_lost: 0,
            },
        ));
        Ok(Self { items, counts })
    }

    /// The end at which spans are put in.
    pub(crate) fn queue(&self) -> Queue {
        Queue {
            items: self.items.clone(),
            counts: Arc::clone(&self.counts),
        }
    }

    /// What became of the spans.
    pub(crate) fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// Waits until all spans so far are sent or lost, for a limited time.
    pub(crate) async fn finish(&self) {
        let (done, is_done) = oneshot::channel();
        let finished = async {
            // The task ends only after the queue's last sender is gone.
            let _ = self.items.send(Item::Finish(done)).await;
            let _ = is_done.await;
        };
        if timeout(FINISH, finished).await.is_err() {
            tracing::warn!(
                "the collector of traces did not answer in time; the last spans may be lost"
            );
        }
    }
}

/// Where spans go when they end.
#[derive(Debug)]
pub(crate) struct Queue {
    items: mpsc::Sender<Item>,
    counts: Arc<Counts>,
}

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.items.try_send(Item::Span(Box::new(span))).is_err() {
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Sends what waits until nobody can put anything in any more.
async fn deliver(mut waiting: mpsc::Receiver<Item>, mut sending: Sending) {
    let mut batch = Vec::new();
    while let Some(first) = waiting.recv().await {
        let due = Instant::now() + GATHER;
        let (mut next, mut finish) = (Some(first), None);
        while let Some(item) = next {
            match item {
                Item::Span(span) => batch.push(*span),
                Item::Finish(done) => finish = Some(done),
            }
            if finish.is_some() || batch.len() >= BATCH {
                break;
            }
            next = timeout_at(due, waiting.recv()).await.ok().flatten();
        }
        sending.send(take(&mut batch)).await;
        if let Some(done) = finish {
            // Whoever asked may have stopped waiting.
            let _ = done.send(());
        }
    }
}

/// The sender's own state.
struct Sending {
    exporter: SpanExporter,
    counts: Arc<Counts>,
    /// When the log last told of lost spans, and how many were lost by then.
    told: Option<Instant>,
    told_lost: u64,
}

impl Sending {
    async fn send(&mut self, batch: Vec<SpanData>) {
        if batch.is_empty() {
            return;
        }
        let spans = batch.len() as u64;
        let outcome = match timeout(SEND, self.exporter.export(batch)).await {
            Ok(outcome) => outcome.map_err(|error| error.to_string()),
            Err(_) => Err("no answer in time".into()),
        };
        let count = if outcome.is_ok() {
            &self.counts.sent
        } else {
            &self.counts.lost
        };
        count.fetch_add(spans, Ordering::Relaxed);
        self.tell(outcome.err());
    }

    /// Tells the log of lost spans, unless it was told a moment ago.
    fn tell(&mut self, error: Option<String>) {
        let all_lost = self.counts.lost.load(Ordering::Relaxed);
        let lost = all_lost - self.told_lost;
        if lost > 0 && self.told.is_none_or(|told| told.elapsed() >= TELL) {
            let error = error.as_deref().unwrap_or("too many at once");
            tracing::warn!(
                lost,
                error,
                "spans were lost on the way to the collector of traces"
            );
            (self.told, self.told_lost) = (Some(Instant::now()), all_lost);
        }
    }
}

/// The metrics of delivery.
pub(crate) struct Collected(pub(crate) Arc<Counts>);

impl fmt::Debug for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Collected")
    }
}

impl Collector for Collected {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Counts { sent, lost } = &*self.0;
        let help = "Spans of traced calls, by what became of them.";
        let mut family =
            encoder.encode_descriptor("ebb_trace_spans", help, None, MetricType::Counter)?;
        for (result, count) in [("sent", sent), ("lost", lost)] {
            let count = ConstCounter::new(count.load(Ordering::Relaxed));
            count.encode(family.encode_family(&[("result", result)])?)?;
        }
        Ok(())
    }
}
