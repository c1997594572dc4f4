//! Load: prepared requests sent at a steady rate (open loop) or by so many callers at once (closed loop).
//!
//! In an open loop a call's latency counts from when it should have been sent, so that a server that stalls cannot
//! hide the calls that it kept from being sent.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use prost::bytes::{Buf, BufMut, Bytes};
use tokio::sync::mpsc;
use tokio::time::timeout_at;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status};

/// How long the last calls are waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// Messages as bytes, encoded beforehand and decoded where their content matters.
#[derive(Clone, Copy, Debug, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// A prepared call over one of a few connections.
#[derive(Clone)]
pub struct Call {
    channels: Vec<Channel>,
    path: PathAndQuery,
    body: Bytes,
}

impl Call {
    /// `path` is the method's, such as `/churn.v1.ScoringService/ScoreUser`; `body` the encoded message.
    pub fn new(channels: &[Channel], path: &str, body: Bytes) -> Result<Self> {
        let path = path
            .parse()
            .with_context(|| format!("{path} is not a path"))?;
        Ok(Self {
            channels: channels.to_vec(),
            path,
            body,
        })
    }

    /// Makes the call over the connection that its number falls to.
    pub fn make(
        &self,
        number: usize,
    ) -> impl Future<Output = Result<Bytes, Status>> + Send + 'static + use<> {
        let channel = self
            .channels
            .get(number % self.channels.len().max(1))
            .cloned();
        let (path, body) = (self.path.clone(), self.body.clone());
        async move {
            let channel =
                channel.ok_or_else(|| Status::internal("there is no connection to call over"))?;
            let mut grpc = Grpc::new(channel).max_decoding_message_size(64 << 20);
            grpc.ready()
                .await
                .map_err(|error| Status::from_error(Box::new(error)))?;
            grpc.unary(Request::new(body), path, Raw)
                .await
                .map(Response::into_inner)
        }
    }
}

/// Connections to a server: HOST:PORT.
pub async fn connect(address: &str, connections: usize) -> Result<Vec<Channel>> {
    let mut channels = Vec::with_capacity(connections);
    for _ in 0..connections {
        channels.push(
            endpoint(address)?
                .connect()
                .await
                .with_context(|| format!("cannot connect to {address}"))?,
        );
    }
    Ok(channels)
}

/// How clients connect here.
pub fn endpoint(address: &str) -> Result<Endpoint> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
    Ok(endpoint
        .tcp_nodelay(true)
        .initial_stream_window_size(4 << 20)
        .initial_connection_window_size(64 << 20)
        .connect_timeout(Duration::from_secs(5)))
}

/// One call: when it should have been sent, was sent and was over, and what came of it.
pub struct Sample<T> {
    pub due: Instant,
    pub sent: Instant,
    pub done: Instant,
    pub outcome: T,
}

impl<T> Sample<T> {
    /// From when it should have been sent to its end.
    pub fn latency(&self) -> Duration {
        self.done.saturating_duration_since(self.due)
    }
}

/// All calls of a run.
pub struct Run<T> {
    pub samples: Vec<Sample<T>>,
    /// Calls that had no answer when patience ended.
    pub unanswered: usize,
    /// From the first call's due time to the end of the last one that was answered.
    pub elapsed: Duration,
}

impl<T> Run<T> {
    fn new(samples: Vec<Sample<T>>, offered: usize) -> Self {
        let first = samples.iter().map(|s| s.due).min();
        let last = samples.iter().map(|s| s.done).max();
        let elapsed = first.zip(last).map_or(Duration::ZERO, |(first, last)| {
            last.saturating_duration_since(first)
        });
        Self {
            unanswered: offered - samples.len(),
            elapsed,
            samples,
        }
    }

    /// The latencies of the calls whose outcome passes.
    pub fn latencies(&self, passes: impl Fn(&T) -> bool) -> Latencies {
        self.samples
            .iter()
            .filter(|s| passes(&s.outcome))
            .map(Sample::latency)
            .collect()
    }

    /// How late the calls were sent: large when the client itself cannot keep up.
    pub fn lateness(&self) -> Latencies {
        self.samples
            .iter()
            .map(|s| s.sent.saturating_duration_since(s.due))
            .collect()
    }
}

/// Makes `rate` calls a second for a time, whatever becomes of them, and waits for the last answers.
pub async fn open_loop<T, F, Fut>(rate: f64, time: Duration, call: F) -> Run<T>
where
    T: Send + 'static,
    F: Fn(usize) -> Fut,
    Fut: Future<Output = T> + Send + 'static,
{
    let count = (rate * time.as_secs_f64()) as usize;
    let (send_due, mut all_due) = mpsc::unbounded_channel();
    // The runtime's clock ticks in milliseconds; a thread that sleeps keeps to some 60 microseconds.
    std::thread::spawn(move || {
        let start = Instant::now();
        for number in 0..count {
            let due = start + Duration::from_secs_f64(number as f64 / rate);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if send_due.send((number, due)).is_err() {
                return;
            }
        }
    });
    let (send, answers) = mpsc::unbounded_channel();
    while let Some((number, due)) = all_due.recv().await {
        let (future, send) = (call(number), send.clone());
        tokio::spawn(async move {
            let sent = Instant::now();
            let outcome = future.await;
            // Nobody waits for it when patience has ended.
            let _ = send.send(Sample {
                due,
                sent,
                done: Instant::now(),
                outcome,
            });
        });
    }
    drop(send);
    Run::new(gather(answers, PATIENCE).await, count)
}

/// `callers` that each make their next call when the last one was answered, for a time.
pub async fn closed_loop<T, F, Fut>(callers: usize, time: Duration, call: F) -> Run<T>
where
    T: Send + 'static,
    F: Fn(usize) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = T> + Send + 'static,
{
    let end = Instant::now() + time;
    let (send, answers) = mpsc::unbounded_channel();
    for caller in 0..callers {
        let (call, send) = (call.clone(), send.clone());
        tokio::spawn(async move {
            while Instant::now() < end {
                let sent = Instant::now();
                let outcome = call(caller).await;
                if send
                    .send(Sample {
                        due: sent,
                        sent,
                        done: Instant::now(),
                        outcome,
                    })
                    .is_err()
                {
                    return;
                }
            }
        });
    }
    drop(send);
    let samples = gather(answers, time + PATIENCE).await;
    let count = samples.len();
    Run::new(samples, count)
}

async fn gather<T>(
    mut answers: mpsc::UnboundedReceiver<Sample<T>>,
    patience: Duration,
) -> Vec<Sample<T>> {
    let deadline = tokio::time::Instant::now() + patience;
    let mut samples = Vec::new();
    while let Ok(Some(sample)) = timeout_at(deadline, answers.recv()).await {
        samples.push(sample);
    }
    samples
}

/// Sorted latencies.
pub struct Latencies(Vec<Duration>);

impl FromIterator<Duration> for Latencies {
    fn from_iter<I: IntoIterator<Item = Duration>>(latencies: I) -> Self {
        let mut sorted: Vec<Duration> = latencies.into_iter().collect();
        sorted.sort_unstable();
        Self(sorted)
    }
}

impl Latencies {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The smallest one that a share `q` of all does not exceed; zero when there are none.
    pub fn at(&self, q: f64) -> Duration {
        let rank = (q * self.0.len() as f64).ceil() as usize;
        self.0
            .get(rank.saturating_sub(1))
            .copied()
            .unwrap_or_default()
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |q| self.at(q).as_secs_f64() * 1e3;
        write!(
            f,
            "p50 {:.2} ms, p99 {:.2} ms, largest {:.2} ms",
            ms(0.5),
            ms(0.99),
            ms(1.0)
        )
    }
}

/// Whether a call failed because the connection did: the status was made here, out of the transport's error.
pub fn connection_lost(status: &Status) -> bool {
    std::error::Error::source(status).is_some()
}

/// How often each thing occurs, as text.
pub fn tally<'a>(codes: impl Iterator<Item = &'a Status>) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for status in codes {
        let lost = if connection_lost(status) {
            "connection lost: "
        } else {
            ""
        };
        let text: String = status.message().chars().take(100).collect();
        let hint = if status.code() == Code::ResourceExhausted {
            String::new()
        } else {
            format!(" ({text})")
        };
        *counts
            .entry(format!("{lost}{:?}{hint}", status.code()))
            .or_default() += 1;
    }
    let texts: Vec<String> = counts
        .into_iter()
        .map(|(text, count)| format!("{count} {text}"))
        .collect();
    if texts.is_empty() {
        "none".to_owned()
    } else {
        texts.join(", ")
    }
}
