//! One connection of HTTP/1.1: its requests one after another, and its end.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

use super::HttpService;
use crate::serve::gateway::peer::Peer;
use crate::serve::limits::{Limits, seconds, size};
use crate::serve::state::Phase;
use crate::serve::transport::tracker::CountingStream;

/// The smallest buffer that the library takes.
const BUFFER_BYTES_LEAST: usize = 8 << 10;
/// How often a connection is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What a connection takes of the server's memory beside its calls: a buffer in each direction.
pub(in crate::serve::transport) fn buffer_bytes(limits: &Limits) -> usize {
    2 * size(limits.header_bytes).max(BUFFER_BYTES_LEAST)
}

/// Until when the answer to the present request must have been taken.
pub(super) struct Due {
    start: Instant,
    /// In milliseconds since the start; 0 while there is no request.
    at: AtomicU64,
}

impl Due {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            at: AtomicU64::new(0),
        })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// A request begins, of which everything must have ended within this time.
    pub(super) fn begin(self: &Arc<Self>, longest: Duration) -> Running {
        let longest = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
        let at = self.now().saturating_add(longest).max(1);
        self.at.store(at, Ordering::Relaxed);
        Running(Arc::clone(self))
    }

    fn has_passed(&self) -> bool {
        match self.at.load(Ordering::Relaxed) {
            0 => false,
            at => self.now() > at,
        }
    }
}

/// A request that is being answered.
pub(super) struct Running(Arc<Due>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.at.store(0, Ordering::Relaxed);
    }
}

/// Serves a connection until its peer leaves, says nothing for too long or takes nothing of its answers, or the server stops.
pub(in crate::serve::transport) async fn serve<S>(
    service: &Arc<HttpService>,
    stream: CountingStream<S>,
    peer: Arc<Peer>,
    limits: &Limits,
    age: Option<Duration>,
    mut phase: watch::Receiver<Phase>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let traffic = Arc::clone(stream.guard().traffic());
    let due = Due::new();
    let answering = service_fn(|request| {
        let (service, peer, due) = (Arc::clone(service), Arc::clone(&peer), Arc::clone(&due));
        async move { Ok::<_, Infallible>(service.answer(request, &peer, &due).await) }
    });
    let served = http(limits).serve_connection(TokioIo::new(stream), answering);
    let mut served = pin!(served);
    let stuck = seconds(limits.keepalive_seconds) + seconds(limits.keepalive_timeout_seconds);
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let old = Instant::now() + age.unwrap_or(Duration::MAX / 4);
    let mut is_ending = false;
    loop {
        tokio::select! {
            // A peer's fault or its end: nothing is left to say to it.
            _ = served.as_mut() => return,
            _ = looks.tick() => {
                if traffic.blocked_for() >= stuck || due.has_passed() {
                    return;
                }
            }
            () = tokio::time::sleep_until(old), if age.is_some() && !is_ending => {
                served.as_mut().graceful_shutdown();
                is_ending = true;
            }
            _ = phase.wait_for(|phase| *phase == Phase::Draining), if !is_ending => {
                served.as_mut().graceful_shutdown();
                is_ending = true;
            }
        }
    }
}

/// How HTTP is spoken. A peer has as long for the head of its next request as for its handshake.
fn http(limits: &Limits) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(seconds(limits.handshake_seconds))
        .max_header_size(size(limits.header_bytes))
        .max_buf_size(size(limits.header_bytes).max(BUFFER_BYTES_LEAST));
    http
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_overdue_until_its_answer_is_taken() {
        let due = Due::new();
        assert!(!due.has_passed());
        let running = due.begin(Duration::from_secs(3_600));
        assert!(!due.has_passed());
        drop(running);
        let running = Due::begin(&due, Duration::ZERO);
        std::thread::sleep(Duration::from_millis(3));
        assert!(due.has_passed());
        drop(running);
        assert!(!due.has_passed());
    }
}
