//! One connection: its handshake, its calls, and its end.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;
use tower::ServiceExt;
use tower::util::Oneshot;

use super::tls::Tls;
use super::tracker::{ConnectionGuard, CountingStream};
use crate::serve::gateway::Gateway;
use crate::serve::gateway::record::RecordedBody;
use crate::serve::limits;
use crate::serve::limits::{Limits, seconds};
use crate::serve::methods;
use crate::serve::state::Phase;

/// Connections of the same time grow old at so many different times.
const SPREAD: u64 = 64;

/// What all connections need.
pub(crate) struct Connections {
    /// `None`: connections are not encrypted.
    pub(crate) tls: Option<Arc<Tls>>,
    /// Where calls go.
    pub(crate) gateway: Gateway,
    /// What connections may cost.
    pub(crate) limits: Limits,
}

impl Connections {
    /// Serves a connection until its peer leaves, it is too slow to send its handshake, or the server stops.
    pub(crate) async fn serve(
        self: Arc<Self>,
        stream: TcpStream,
        guard: ConnectionGuard,
        phase: watch::Receiver<Phase>,
    ) {
        // A connection without this option is slower and otherwise as good.
        let _ = stream.set_nodelay(true);
        let due = Instant::now() + seconds(self.limits.handshake_seconds);
        let Some(tls) = &self.tls else {
            let stream = CountingStream::new(stream, guard);
            return self.serve_calls(stream, due, phase).await;
        };
        let mut stopping = phase.clone();
        let accepted = tokio::select! {
            accepted = tokio::time::timeout_at(due, tls.acceptor().accept(stream)) => accepted,
            _ = stopping.wait_for(|phase| *phase == Phase::Draining) => return,
        };
        if let Ok(Ok(stream)) = accepted {
            let stream = CountingStream::new(stream, guard);
            self.serve_calls(stream, due, phase).await;
        }
    }

    /// Speaks HTTP/2 on a stream whose handshake is due at `due`.
    async fn serve_calls<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        &self,
        stream: CountingStream<S>,
        due: Instant,
        mut phase: watch::Receiver<Phase>,
    ) {
        let received = Arc::clone(stream.guard().received());
        let age = age(&self.limits, stream.guard().number());
        let tasks = CallTasks::new(&self.limits);
        let calls = Calls {
            gateway: self.gateway.clone(),
            tasks: tasks.clone(),
        };
        let http = http(&self.limits, tasks);
        let mut connection = pin!(http.serve_connection(TokioIo::new(stream), calls));
        let mut old = pin!(async {
            match age {
                Some(age) => tokio::time::sleep(age).await,
                None => std::future::pending().await,
            }
        });
        let (mut is_ready, mut is_ending) = (false, false);
        loop {
            tokio::select! {
                // A peer's fault or its end: nothing is left to say to it.
                _ = connection.as_mut() => return,
                () = tokio::time::sleep_until(due), if !is_ready => {
                    if !received.is_ready() {
                        return;
                    }
                    is_ready = true;
                }
                () = old.as_mut(), if !is_ending => {
                    connection.as_mut().graceful_shutdown();
                    is_ending = true;
                }
                _ = phase.wait_for(|phase| *phase == Phase::Draining), if !is_ending => {
                    if !received.is_ready() {
                        return;
                    }
                    connection.as_mut().graceful_shutdown();
                    is_ending = true;
                }
            }
        }
    }
}

/// The age at which the connection of this number is old, give or take a tenth; `None` when none ever is.
fn age(limits: &Limits, number: u64) -> Option<Duration> {
    let age = Some(seconds(limits.connection_age_seconds)).filter(|age| !age.is_zero())?;
    let spread = 0.9 + 0.2 * (number % SPREAD) as f64 / SPREAD as f64;
    Some(age.mul_f64(spread))
}

/// How HTTP/2 is spoken.
fn http(limits: &Limits, tasks: CallTasks) -> http2::Builder<CallTasks> {
    let mut http = http2::Builder::new(tasks);
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

/// The calls of one connection as hyper makes them.
struct Calls {
    gateway: Gateway,
    tasks: CallTasks,
}

impl hyper::service::Service<Request<Incoming>> for Calls {
    type Response = Response<RecordedBody>;
    type Error = Infallible;
    type Future = Oneshot<Gateway, Request<Incoming>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.tasks.announce(&request);
        self.gateway.clone().oneshot(request)
    }
}

/// Runs the calls of one connection as tasks, each for a limited time, its response taken or not: a client that stops
/// reading must not hold its place for ever. Only the task's end helps against that, because hyper asks a response's body
/// for more only when the client has room for it.
///
/// hyper gives a task its call as a future of an opaque type, right after the connection's service has made it. So the
/// service says what sort of call comes next; both belong to the connection, which does one after the other.
#[derive(Clone)]
struct CallTasks {
    unary: Duration,
    streaming: Duration,
    next_is_streaming: Arc<AtomicBool>,
}

impl CallTasks {
    /// Twice as long as a call may take to be answered is left for its response to be taken.
    fn new(limits: &Limits) -> Self {
        Self {
            unary: 2 * limits.longest(false),
            streaming: 2 * limits.longest(true),
            next_is_streaming: Arc::default(),
        }
    }

    fn announce<B>(&self, request: &Request<B>) {
        let rpc = methods::find(request.uri().path()).map(|position| &methods::RPCS[position]);
        let is_streaming = rpc.is_some_and(|rpc| rpc.kind.is_streaming());
        self.next_is_streaming
            .store(is_streaming, Ordering::Relaxed);
    }

    fn longest(&self) -> Duration {
        match self.next_is_streaming.load(Ordering::Relaxed) {
            true => self.streaming,
            false => self.unary,
        }
    }
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for CallTasks {
    fn execute(&self, call: F) {
        tokio::spawn(tokio::time::timeout(self.longest(), call));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_of_a_connection_is_spread_by_a_tenth() {
        let limits = Limits {
            connection_age_seconds: 100,
            ..Limits::default()
        };
        let ages: Vec<Duration> = (0..SPREAD)
            .map(|number| age(&limits, number).unwrap())
            .collect();
        assert!(
            ages.iter()
                .all(|age| (90.0..110.0).contains(&age.as_secs_f64()))
        );
        assert!(ages.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(age(&Limits::default(), 1), None);
    }

    #[test]
    fn each_call_has_the_time_of_its_sort() {
        let limits = Limits {
            call_timeout_seconds: 3,
            stream_timeout_seconds: 50,
            ..Limits::default()
        };
        let tasks = CallTasks::new(&limits);
        for (path, seconds) in [
            ("/churn.v1.ScoringService/ScoreUser", 6),
            ("/grpc.health.v1.Health/Watch", 100),
            ("/churn.v1.ScoringService/StreamScoreUsers", 100),
            ("/churn.v1.ScoringService/Nothing", 6),
        ] {
            tasks.announce(&Request::get(path).body(()).unwrap());
            assert_eq!(tasks.longest(), Duration::from_secs(seconds), "{path}");
        }
    }
}
