//! One connection: its handshake, its calls, and its end.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::http::Request;
use bytes::Bytes;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Ping, PingPong, RecvStream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;

use super::exchange::{Exchange, Incoming};
use super::http;
use super::http::HttpService;
use super::tls::Tls;
use super::tracker::{ConnectionGuard, CountingStream, Traffic};
use crate::serve::form::Form;
use crate::serve::gateway::peer::Peer;
use crate::serve::gateway::{Begun, Gateway};
use crate::serve::limits::{self, Limits, seconds, size};
use crate::serve::methods::MethodKind;
use crate::serve::quota::{Resource, Share};
use crate::serve::state::Phase;

/// Connections of the same time grow old at so many different times.
const SPREAD: u64 = 64;
/// What a connection takes of the server's memory beside its calls: its buffers and its state in HTTP/2 and TLS.
const CONNECTION_BYTES: usize = 16 << 10;
/// How much HTTP/2 may need for small frames of each call that have not been read, beside their bytes.
const SMALL_FRAME_BYTES: usize = 1 << 10;
/// How long a large window is kept that no call needs.
const WINDOW_KEPT: Duration = Duration::from_secs(1);

/// What is spoken on a port.
pub(crate) enum Protocol {
    /// gRPC over HTTP/2.
    Grpc,
    /// JSON and gRPC-Web over HTTP/1.1.
    Http(Arc<HttpService>),
}

/// What all connections of a port need.
pub(crate) struct Connections {
    /// What they speak.
    pub(crate) protocol: Protocol,
    /// `None`: connections are not encrypted.
    pub(crate) tls: Option<Arc<Tls>>,
    /// Where calls go.
    pub(crate) gateway: Gateway,
    /// What connections may cost.
    pub(crate) limits: Limits,
}

impl Connections {
    /// The memory of one more connection; `None` when there is none left.
    pub(crate) fn memory(&self, peer: &Peer) -> Option<Share> {
        let quotas = &self.gateway.state().quotas;
        let buffers = match self.protocol {
            Protocol::Grpc => 0,
            Protocol::Http(_) => http::connection::buffer_bytes(&self.limits),
        };
        let bytes = CONNECTION_BYTES + buffers;
        quotas.take(&peer.owner, Resource::Memory, bytes)
    }

    /// Serves a connection until its peer leaves, it is too slow to send its handshake, or the server stops.
    pub(crate) async fn serve(
        self: Arc<Self>,
        stream: TcpStream,
        peer: Arc<Peer>,
        memory: Share,
        guard: ConnectionGuard,
        phase: watch::Receiver<Phase>,
    ) {
        // A connection without this option is slower and otherwise as good.
        let _ = stream.set_nodelay(true);
        let due = Instant::now() + seconds(self.limits.handshake_seconds);
        match &self.tls {
            None => {
                let stream = CountingStream::new(stream, guard);
                self.serve_requests(stream, peer, due, phase).await;
            }
            Some(tls) => {
                let mut stopping = phase.clone();
                let accepted = tokio::select! {
                    accepted = tokio::time::timeout_at(due, tls.acceptor(&self.protocol).accept(stream)) => accepted,
                    _ = stopping.wait_for(|phase| *phase == Phase::Draining) => return,
                };
                if let Ok(Ok(stream)) = accepted {
                    let stream = CountingStream::new(stream, guard);
                    self.serve_requests(stream, peer, due, phase).await;
                }
            }
        }
        drop(memory);
    }

    /// Speaks what is spoken on the port.
    async fn serve_requests<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        &self,
        stream: CountingStream<S>,
        peer: Arc<Peer>,
        due: Instant,
        phase: watch::Receiver<Phase>,
    ) {
        match &self.protocol {
            Protocol::Grpc => self.serve_calls(stream, peer, due, phase).await,
            Protocol::Http(service) => {
                let age = age(&self.limits, stream.guard().number());
                http::connection::serve(service, stream, peer, &self.limits, age, phase).await;
            }
        }
    }

    /// Speaks HTTP/2 on a stream whose handshake is due at `due`.
    async fn serve_calls<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        &self,
        stream: CountingStream<S>,
        peer: Arc<Peer>,
        due: Instant,
        mut phase: watch::Receiver<Phase>,
    ) {
        let age = age(&self.limits, stream.guard().number());
        let traffic = Arc::clone(stream.guard().traffic());
        let handshake = tokio::select! {
            handshake = tokio::time::timeout_at(due, http2(&self.limits).handshake(stream)) => handshake,
            _ = phase.wait_for(|phase| *phase == Phase::Draining) => return,
        };
        let Ok(Ok(mut connection)) = handshake else {
            return;
        };
        let mut heartbeat = Heartbeat::new(connection.ping_pong(), &self.limits, traffic);
        let mut calls = Calls {
            connections: self,
            connection,
            peer,
            window: None,
        };
        let old = Instant::now() + age.unwrap_or(Duration::MAX / 4);
        let mut is_ending = false;
        loop {
            tokio::select! {
                event = poll_fn(|cx| calls.poll(cx)) => match event {
                    // A peer's fault or its end: nothing is left to say to it.
                    Event::Ended => return,
                    Event::Widened => {}
                },
                () = tokio::time::sleep(WINDOW_KEPT), if calls.window.is_some() => calls.narrow(),
                () = heartbeat.missed() => return,
                () = tokio::time::sleep_until(old), if age.is_some() && !is_ending => {
                    calls.connection.graceful_shutdown();
                    is_ending = true;
                }
                _ = phase.wait_for(|phase| *phase == Phase::Draining), if !is_ending => {
                    calls.connection.graceful_shutdown();
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
fn http2(limits: &Limits) -> Builder {
    let mut http = Builder::new();
    http.max_concurrent_streams(limits.streams_per_connection)
        .initial_window_size(limits::STREAM_WINDOW_BYTES)
        .initial_connection_window_size(limits::CONNECTION_WINDOW_BYTES)
        .max_frame_size(limits::FRAME_BYTES)
        .max_header_list_size(limits.header_bytes)
        .data_frame_budget(SMALL_FRAME_BYTES * size(limits.streams_per_connection))
        .max_send_buffer_size(limits::SEND_BUFFER_BYTES)
        .max_pending_accept_reset_streams(limits::PENDING_RESETS)
        // How many calls occupy the server is limited for each connection, reset or not. A limit on resets for all of a
        // connection's life would end one with an honest client that gives up many calls, with all that goes over it.
        .max_local_error_reset_streams(None);
    http
}

/// The calls of one connection.
struct Calls<'c, S: AsyncRead + AsyncWrite + Unpin> {
    connections: &'c Connections,
    connection: Connection<S, Bytes>,
    peer: Arc<Peer>,
    /// The memory of a large window.
    window: Option<Share>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Calls<'_, S> {
    /// Begins calls as they come.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        while let Some(Ok((request, respond))) = ready!(self.connection.poll_accept(cx)) {
            let was_wide = self.window.is_some();
            self.begin(request, respond);
            if self.window.is_some() && !was_wide {
                return Poll::Ready(Event::Widened);
            }
        }
        Poll::Ready(Event::Ended)
    }

    fn begin(&mut self, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        let gateway = &self.connections.gateway;
        let (head, stream) = request.into_parts();
        match gateway.begin(head, Incoming(stream), Form::Protobuf, &self.peer) {
            Begun::Admitted(call) => {
                self.fit_window(call.rpc().kind);
                let exchange = Exchange {
                    call,
                    respond,
                    guard: self.peer.begin(),
                };
                tokio::spawn(exchange.run());
            }
            // A client that has gone needs no answer. What is still to come of the request is not waited for: its stream is
            // reset, and what is on its way is passed over.
            Begun::Refused(response) => {
                let _ = respond.send_response(response, true);
            }
        }
    }

    /// Lets more bytes be under way when a large request is to come and there is memory for it, and fewer while the server
    /// is overloaded: large requests are refused then, and what is on its way of them is read in vain.
    fn fit_window(&mut self, kind: MethodKind) {
        let state = self.connections.gateway.state();
        if state.engine.pool.is_overloaded() {
            self.set_window(None);
        } else if self.window.is_none() && matches!(kind, MethodKind::Bulk | MethodKind::BidiStream)
        {
            let bytes = size(limits::LARGE_WINDOW_BYTES);
            let memory = state.quotas.take(&self.peer.owner, Resource::Memory, bytes);
            self.set_window(memory);
        }
    }

    /// Gives back the memory of a large window that no call needs.
    fn narrow(&mut self) {
        if self.peer.calls() == 0 {
            self.set_window(None);
        }
    }

    fn set_window(&mut self, memory: Option<Share>) {
        if memory.is_some() != self.window.is_some() {
            self.connection.set_target_window_size(match memory {
                Some(_) => limits::LARGE_WINDOW_BYTES,
                None => limits::CONNECTION_WINDOW_BYTES,
            });
        }
        self.window = memory;
    }
}

/// Why the calls of a connection are looked at.
enum Event {
    /// The connection has ended.
    Ended,
    /// Its window has become large.
    Widened,
}

/// Finds out whether the peer is still there and takes what it asked for.
struct Heartbeat {
    ping: Option<PingPong>,
    every: Duration,
    patience: Duration,
    traffic: Arc<Traffic>,
    /// When the next look is due.
    due: Instant,
    /// What had been received at the last look.
    received: u64,
    /// Whether a pong is waited for.
    is_waiting: bool,
}

impl Heartbeat {
    fn new(ping: Option<PingPong>, limits: &Limits, traffic: Arc<Traffic>) -> Self {
        let every = seconds(limits.keepalive_seconds);
        Self {
            ping,
            every,
            patience: seconds(limits.keepalive_timeout_seconds),
            traffic,
            due: Instant::now() + every,
            received: 0,
            is_waiting: false,
        }
    }

    /// Completes when the peer does not answer in time, or takes nothing of its answers.
    async fn missed(&mut self) {
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(self.due) => {
                    // A peer may answer pings that it has never read.
                    let is_stuck = self.traffic.blocked_for() >= self.every + self.patience;
                    if self.is_waiting || is_stuck {
                        return;
                    }
                    self.look();
                }
                () = pong(&mut self.ping), if self.is_waiting => {
                    self.is_waiting = false;
                    self.due = Instant::now() + self.every;
                }
            }
        }
    }

    /// Asks a peer that has been silent whether it is there.
    fn look(&mut self) {
        let received = self.traffic.received();
        let is_silent = received == std::mem::replace(&mut self.received, received);
        let asked = is_silent
            && self
                .ping
                .as_mut()
                .is_some_and(|ping| ping.send_ping(Ping::opaque()).is_ok());
        self.is_waiting = asked;
        self.due = Instant::now() + if asked { self.patience } else { self.every };
    }
}

/// The peer's answer to a ping; a connection that ends has none, and says so elsewhere.
async fn pong(ping: &mut Option<PingPong>) {
    let answer = match ping {
        Some(ping) => poll_fn(|cx| ping.poll_pong(cx)).await.is_ok(),
        None => false,
    };
    if !answer {
        std::future::pending().await
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
}
