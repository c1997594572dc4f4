//! Connections: taking them, greeting them, and letting go of them.
//!
//! A peer that connects and says nothing costs a descriptor. It has [`Limits::handshake_seconds`] to greet, and when
//! connections or descriptors run out the one that has been silent for longest goes first, so that silence never keeps
//! others out.

use std::collections::BTreeMap;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::server::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use super::tls::Tls;
use crate::serve::gateway::{Front, last_call_lasts};
use crate::serve::limits;
use crate::serve::limits::{Limits, seconds, size};
use crate::serve::server::Stopped;
use crate::serve::state::Phase;
use crate::serve::telemetry::metrics::{Metrics, Shed};

/// How long to wait when the system has no more descriptors: trying again at once would only burn the processor.
const NO_DESCRIPTORS_PAUSE: Duration = Duration::from_millis(20);
/// Descriptors that are not for connections: files, the metrics port, reading models.
const DESCRIPTORS_KEPT: usize = 64;
/// Connections of the same time grow old at so many different times.
const SPREAD: u64 = 64;
/// The client's half of an HTTP/2 greeting: with less, nothing has been said.
const GREETING_BYTES: usize = 24;

/// Takes connections and serves them.
pub(crate) struct Listener {
    /// The port.
    pub(crate) tcp: TcpListener,
    /// `None`: connections are not encrypted.
    pub(crate) tls: Option<Arc<Tls>>,
    /// Where calls go.
    pub(crate) front: Front,
    /// What connections may cost.
    pub(crate) limits: Limits,
    /// What is counted.
    pub(crate) metrics: Arc<Metrics>,
    /// Tells when to stop.
    pub(crate) phase: watch::Receiver<Phase>,
}

impl Listener {
    /// Serves until the phase is draining and all calls are finished, or the limit for that has passed.
    pub(crate) async fn serve(self) -> Stopped {
        let Self {
            tcp,
            tls,
            front,
            limits,
            metrics,
            mut phase,
        } = self;
        let drain = seconds(limits.drain_seconds);
        let shared = Arc::new(Shared {
            tls,
            front,
            http: http(&limits),
            handshake: seconds(limits.handshake_seconds),
            age: age(&limits),
        });
        let most = connections(&limits);
        let (crowd, mut tasks, mut number) = (Arc::new(Crowd::default()), JoinSet::new(), 0_u64);
        loop {
            let accepted = tokio::select! {
                _ = phase.wait_for(|phase| *phase == Phase::Draining) => break,
                Some(_) = tasks.join_next() => continue,
                accepted = tcp.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    if crowd.open.load(Ordering::Relaxed) >= most
                        && !crowd.dismiss_the_most_silent()
                    {
                        metrics.shed(Shed::Connections);
                        continue;
                    }
                    number += 1;
                    let guest = Guest::enter(&crowd, number);
                    let heard = Arc::clone(&guest.heard);
                    let task =
                        tasks.spawn(Arc::clone(&shared).connection(stream, guest, phase.clone()));
                    crowd.silent_until_heard(number, &heard, task);
                }
                Err(error) if one_connections(&error) => {}
                Err(error) => {
                    metrics.shed(Shed::Connections);
                    tracing::warn!(%error, "no connection can be taken");
                    crowd.dismiss_the_most_silent();
                    tokio::time::sleep(NO_DESCRIPTORS_PAUSE).await;
                }
            }
        }
        // Closed at once, so that clients turn to another server instead of waiting for this one.
        drop(tcp);
        let finished = async { while tasks.join_next().await.is_some() {} };
        match tokio::time::timeout(drain, finished).await {
            Ok(()) => Stopped::Drained,
            Err(_) => Stopped::CutOff,
        }
    }
}

/// Runs calls as tasks. One that does not last ends in any case, its answer taken or not: a client that stops reading must
/// not hold its place for ever.
#[derive(Clone)]
struct CallTasks {
    longest: Duration,
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for CallTasks {
    fn execute(&self, call: F) {
        // A connection makes a call's future and hands it over at once, on one thread.
        if last_call_lasts() {
            tokio::spawn(call);
        } else {
            tokio::spawn(tokio::time::timeout(self.longest, call));
        }
    }
}

/// How HTTP/2 is spoken.
fn http(limits: &Limits) -> http2::Builder<CallTasks> {
    let mut http = http2::Builder::new(CallTasks {
        longest: 2 * limits.call_time(),
    });
    http.timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_per_connection)
        .initial_stream_window_size(limits::STREAM_WINDOW_BYTES)
        .initial_connection_window_size(limits::CONNECTION_WINDOW_BYTES)
        .adaptive_window(false)
        .max_frame_size(limits::FRAME_BYTES)
        .max_header_list_size(limits.header_bytes)
        .max_pending_accept_reset_streams(limits::PENDING_RESETS)
        .keep_alive_interval(seconds(limits.keepalive_seconds))
        .keep_alive_timeout(seconds(limits.keepalive_timeout_seconds))
        .auto_date_header(false);
    http
}

/// How many connections there may be: no more than the open files of the process allow.
fn connections(limits: &Limits) -> usize {
    let text = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let soft = text.lines().find_map(|line| {
        line.strip_prefix("Max open files")?
            .split_whitespace()
            .next()?
            .parse()
            .ok()
    });
    let descriptors = soft.unwrap_or(usize::MAX);
    size(limits.connections).min(
        descriptors
            .saturating_sub(DESCRIPTORS_KEPT)
            .max(descriptors / 2),
    )
}

fn age(limits: &Limits) -> Option<Duration> {
    Some(seconds(limits.connection_age_seconds)).filter(|age| !age.is_zero())
}

/// Whether a failure concerns the one connection that could not be taken.
fn one_connections(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, WouldBlock};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | Interrupted | WouldBlock
    )
}

/// What all connections need.
struct Shared {
    tls: Option<Arc<Tls>>,
    front: Front,
    http: http2::Builder<CallTasks>,
    handshake: Duration,
    /// When a connection is old; `None` when none ever is.
    age: Option<Duration>,
}

impl Shared {
    async fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        guest: Guest,
        phase: watch::Receiver<Phase>,
    ) {
        // A connection without this option is slower and otherwise as good.
        let _ = stream.set_nodelay(true);
        let greeted_by = tokio::time::Instant::now() + self.handshake;
        match &self.tls {
            None => {
                self.speak(
                    Heard {
                        inner: stream,
                        guest,
                    },
                    greeted_by,
                    phase,
                )
                .await
            }
            Some(tls) => {
                let mut stopping = phase.clone();
                let greeted = tokio::select! {
                    greeted = tokio::time::timeout_at(greeted_by, tls.acceptor().accept(stream)) => greeted,
                    _ = stopping.wait_for(|phase| *phase == Phase::Draining) => return,
                };
                if let Ok(Ok(stream)) = greeted {
                    self.speak(
                        Heard {
                            inner: stream,
                            guest,
                        },
                        greeted_by,
                        phase,
                    )
                    .await;
                }
            }
        }
    }

    async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        &self,
        stream: Heard<S>,
        greeted_by: tokio::time::Instant,
        mut phase: watch::Receiver<Phase>,
    ) {
        let heard = Arc::clone(&stream.guest.heard);
        let greeted = || heard.load(Ordering::Relaxed) >= GREETING_BYTES;
        let spread = 0.9 + 0.2 * (stream.guest.number % SPREAD) as f64 / SPREAD as f64;
        let mut connection = pin!(
            self.http
                .serve_connection(TokioIo::new(stream), self.front.clone())
        );
        let (mut in_time, mut asked_to_finish) = (false, false);
        let age = self.age.map(|age| age.mul_f64(spread));
        let old = async {
            match age {
                Some(age) => tokio::time::sleep(age).await,
                None => std::future::pending().await,
            }
        };
        let mut old = pin!(old);
        loop {
            tokio::select! {
                // A peer's fault or its end: nothing is left to say to it.
                _ = connection.as_mut() => return,
                () = tokio::time::sleep_until(greeted_by), if !in_time => {
                    if !greeted() {
                        return;
                    }
                    in_time = true;
                }
                () = old.as_mut(), if !asked_to_finish => {
                    connection.as_mut().graceful_shutdown();
                    asked_to_finish = true;
                }
                _ = phase.wait_for(|phase| *phase == Phase::Draining), if !asked_to_finish => {
                    if !greeted() {
                        return;
                    }
                    connection.as_mut().graceful_shutdown();
                    asked_to_finish = true;
                }
            }
        }
    }
}

/// All connections, and those that have not said anything yet, oldest first.
#[derive(Default)]
struct Crowd {
    open: AtomicUsize,
    silent: Mutex<BTreeMap<u64, AbortHandle>>,
}

impl Crowd {
    fn silent(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, AbortHandle>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn silent_until_heard(&self, number: u64, heard: &AtomicUsize, task: AbortHandle) {
        // Whoever is heard or gone says so before it takes the lock to remove itself.
        let mut silent = self.silent();
        if heard.load(Ordering::Relaxed) < GREETING_BYTES {
            silent.insert(number, task);
        }
    }

    /// Ends the connection that has been silent for longest; returns whether there was one.
    fn dismiss_the_most_silent(&self) -> bool {
        let oldest = self.silent().pop_first();
        oldest.map(|(_, task)| task.abort()).is_some()
    }
}

/// One connection in the crowd.
struct Guest {
    crowd: Arc<Crowd>,
    number: u64,
    heard: Arc<AtomicUsize>,
}

impl Guest {
    fn enter(crowd: &Arc<Crowd>, number: u64) -> Self {
        crowd.open.fetch_add(1, Ordering::Relaxed);
        Self {
            crowd: Arc::clone(crowd),
            number,
            heard: Arc::default(),
        }
    }

    fn hear(&self, bytes: usize) {
        let before = self.heard.fetch_add(bytes, Ordering::Relaxed);
        if before < GREETING_BYTES && before + bytes >= GREETING_BYTES {
            self.crowd.silent().remove(&self.number);
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.crowd.open.fetch_sub(1, Ordering::Relaxed);
        self.heard.fetch_max(GREETING_BYTES, Ordering::Relaxed);
        self.crowd.silent().remove(&self.number);
    }
}

/// A stream whose bytes are counted until it has greeted.
struct Heard<S> {
    inner: S,
    guest: Guest,
}

impl<S: AsyncRead + Unpin> AsyncRead for Heard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if self.guest.heard.load(Ordering::Relaxed) < GREETING_BYTES {
            self.guest.hear(buffer.filled().len() - before);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
