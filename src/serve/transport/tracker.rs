//! Which connections there are, and which of them goes when there is no room for another.
//!
//! A peer that connects and asks nothing costs a descriptor and some memory. When connections, descriptors or memory run
//! out, connections whose peers have said nothing go first, then those without a call, and then those whose calls have no
//! key: of the address that has most of them, the one that has been silent for longest. A connection with a call that had
//! a valid key stays.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::AbortHandle;

use crate::serve::gateway::peer::Peer;

/// The client's half of an HTTP/2 handshake, its connection preface, in bytes: with less, nothing has been said.
const PREFACE_BYTES: u64 = 24;
/// Of so many connections one goes at a time, so that looking for it is cheap however fast others come.
const EVICTED_PART: usize = 64;

/// All connections.
pub(crate) struct ConnectionTracker {
    open: AtomicUsize,
    /// How many there have been.
    taken: AtomicU64,
    tracked: Mutex<BTreeMap<u64, Tracked>>,
    started: Instant,
}

impl Default for ConnectionTracker {
    fn default() -> Self {
        Self {
            open: AtomicUsize::new(0),
            taken: AtomicU64::new(0),
            tracked: Mutex::default(),
            started: Instant::now(),
        }
    }
}

/// One connection.
struct Tracked {
    traffic: Arc<Traffic>,
    peer: Arc<Peer>,
    task: AbortHandle,
}

/// How little is lost with a connection, in increasing order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    Silent,
    Idle,
    Unauthenticated,
}

impl Tracked {
    /// `None` for a connection that stays.
    fn worth(&self) -> Option<Worth> {
        if !self.traffic.is_ready() {
            Some(Worth::Silent)
        } else if self.peer.calls() == 0 {
            Some(Worth::Idle)
        } else {
            (!self.peer.is_authenticated()).then_some(Worth::Unauthenticated)
        }
    }
}

impl ConnectionTracker {
    /// How many connections are open.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    fn tracked(&self) -> MutexGuard<'_, BTreeMap<u64, Tracked>> {
        self.tracked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the task of a connection for as long as it is open.
    pub(crate) fn track(
        &self,
        number: u64,
        traffic: &Arc<Traffic>,
        peer: &Arc<Peer>,
        task: AbortHandle,
    ) {
        // A connection that closes says so before it takes the lock to remove itself, so it is either removed after this,
        // or found closed here.
        let mut tracked = self.tracked();
        if !traffic.is_closed() {
            tracked.insert(
                number,
                Tracked {
                    traffic: Arc::clone(traffic),
                    peer: Arc::clone(peer),
                    task,
                },
            );
        }
    }

    /// Ends the connections with which least is lost; returns whether there were any.
    pub(crate) fn evict(&self) -> bool {
        let mut tracked = self.tracked();
        let mut candidates: Vec<_> = tracked
            .iter()
            .filter_map(|(number, connection)| {
                let connections = connection.peer.owner.connections.load(Ordering::Relaxed);
                let last = connection.traffic.last_read.load(Ordering::Relaxed);
                Some((connection.worth()?, Reverse(connections), last, *number))
            })
            .collect();
        candidates.sort_unstable();
        let most = (tracked.len() / EVICTED_PART).max(1);
        for (_, _, _, number) in candidates.iter().take(most) {
            if let Some(connection) = tracked.remove(number) {
                connection.task.abort();
            }
        }
        !candidates.is_empty()
    }
}

/// What goes over a connection and when.
#[derive(Debug)]
pub(crate) struct Traffic {
    /// The tracker's start, from which times are counted, in milliseconds.
    started: Instant,
    received: AtomicU64,
    last_read: AtomicU64,
    /// Since when the peer takes nothing of what is to be written; 0 while it does.
    blocked_since: AtomicU64,
    is_closed: AtomicBool,
}

impl Traffic {
    fn new(started: Instant) -> Self {
        let traffic = Self {
            started,
            received: AtomicU64::new(0),
            last_read: AtomicU64::new(0),
            blocked_since: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
        };
        traffic.read(0);
        traffic
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether the peer has sent its preface.
    pub(crate) fn is_ready(&self) -> bool {
        self.received() >= PREFACE_BYTES
    }

    /// How many bytes have been received.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// How long the peer has taken nothing of what is to be written.
    pub(crate) fn blocked_for(&self) -> Duration {
        match self.blocked_since.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since => Duration::from_millis(self.now().saturating_sub(since)),
        }
    }

    fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    fn read(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
        self.last_read.store(self.now(), Ordering::Relaxed);
    }

    /// Something was to be written, and was or was not taken.
    fn wrote(&self, is_blocked: bool) {
        // Of many that were not taken the first one's time stays.
        let since = match is_blocked {
            true if self.blocked_since.load(Ordering::Relaxed) > 0 => return,
            true => self.now().max(1),
            false => 0,
        };
        self.blocked_since.store(since, Ordering::Relaxed);
    }
}

/// One open connection, until it is dropped.
pub(crate) struct ConnectionGuard {
    tracker: Arc<ConnectionTracker>,
    number: u64,
    traffic: Arc<Traffic>,
}

impl ConnectionGuard {
    /// Counts a connection; numbers increase with time.
    pub(crate) fn new(tracker: &Arc<ConnectionTracker>) -> Self {
        tracker.open.fetch_add(1, Ordering::Relaxed);
        let number = tracker.taken.fetch_add(1, Ordering::Relaxed) + 1;
        Self {
            tracker: Arc::clone(tracker),
            number,
            traffic: Arc::new(Traffic::new(tracker.started)),
        }
    }

    /// The connection's number.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// What goes over it.
    pub(crate) fn traffic(&self) -> &Arc<Traffic> {
        &self.traffic
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.tracker.open.fetch_sub(1, Ordering::Relaxed);
        self.traffic.is_closed.store(true, Ordering::Relaxed);
        self.tracker.tracked().remove(&self.number);
    }
}

/// A stream whose traffic is counted.
pub(crate) struct CountingStream<S> {
    inner: S,
    guard: ConnectionGuard,
}

impl<S> CountingStream<S> {
    /// Counts what this stream receives and sends.
    pub(super) fn new(inner: S, guard: ConnectionGuard) -> Self {
        Self { inner, guard }
    }

    /// The connection that the stream belongs to.
    pub(crate) fn guard(&self) -> &ConnectionGuard {
        &self.guard
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for CountingStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buffer);
        let bytes = buffer.filled().len() - before;
        if bytes > 0 {
            self.guard.traffic.read(bytes);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for CountingStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.guard.traffic.wrote(written.is_pending());
        written
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
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, parts);
        self.guard.traffic.wrote(written.is_pending());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::task::JoinHandle;

    use super::*;
    use crate::serve::quota::Owners;

    /// A connection whose task never ends, with the peer's end of it.
    struct Connection {
        own: CountingStream<tokio::io::DuplexStream>,
        other: tokio::io::DuplexStream,
        peer: Arc<Peer>,
        task: JoinHandle<()>,
    }

    struct Connections {
        tracker: Arc<ConnectionTracker>,
        owners: Owners,
    }

    impl Connections {
        fn new() -> Self {
            Self {
                tracker: Arc::default(),
                owners: Owners::default(),
            }
        }

        fn connect(&mut self, address: u8) -> Connection {
            let (own, other) = tokio::io::duplex(64);
            let guard = ConnectionGuard::new(&self.tracker);
            let number = guard.number();
            let own = CountingStream::new(own, guard);
            let peer = Peer::new(&self.owners, IpAddr::from([10, 0, 0, address]));
            let task = tokio::spawn(std::future::pending());
            self.tracker
                .track(number, own.guard().traffic(), &peer, task.abort_handle());
            Connection {
                own,
                other,
                peer,
                task,
            }
        }
    }

    impl Connection {
        /// The peer sends its preface, in two parts.
        async fn greet(&mut self) {
            let mut buffer = [0; PREFACE_BYTES as usize];
            for part in [&[0; PREFACE_BYTES as usize - 1][..], &[0; 1][..]] {
                assert!(!self.own.guard().traffic().is_ready());
                self.other.write_all(part).await.unwrap();
                self.own
                    .read_exact(&mut buffer[..part.len()])
                    .await
                    .unwrap();
            }
            assert!(self.own.guard().traffic().is_ready());
        }

        async fn is_evicted(&mut self) -> bool {
            tokio::task::yield_now().await;
            self.task.is_finished()
        }
    }

    #[tokio::test]
    async fn who_says_nothing_goes_first_then_who_asks_nothing_of_the_address_with_most() {
        let mut connections = Connections::new();
        let mut silent = connections.connect(1);
        let mut alone = connections.connect(2);
        let mut many = [
            connections.connect(3),
            connections.connect(3),
            connections.connect(3),
        ];
        for connection in many.iter_mut().chain([&mut alone]) {
            connection.greet().await;
        }
        // One of the many has a call, without a key.
        let call = many[0].peer.begin();
        assert!(connections.tracker.evict() && silent.is_evicted().await);
        assert!(connections.tracker.evict() && many[1].is_evicted().await);
        assert!(connections.tracker.evict() && many[2].is_evicted().await);
        assert!(!alone.is_evicted().await && !many[0].is_evicted().await);
        assert!(connections.tracker.evict() && alone.is_evicted().await);
        assert!(connections.tracker.evict() && many[0].is_evicted().await);
        assert!(!connections.tracker.evict());
        drop((silent, alone, many, call));
        assert_eq!(connections.tracker.open(), 0);
    }

    #[tokio::test]
    async fn a_call_with_a_valid_key_keeps_its_connection() {
        let mut connections = Connections::new();
        let mut connection = connections.connect(1);
        connection.greet().await;
        connection.peer.authenticate();
        let call = connection.peer.begin();
        assert!(!connections.tracker.evict());
        drop(call);
        assert!(connections.tracker.evict() && connection.is_evicted().await);
    }

    #[tokio::test]
    async fn a_connection_that_was_closed_before_it_could_be_tracked_is_not_there() {
        let tracker = Arc::new(ConnectionTracker::default());
        let guard = ConnectionGuard::new(&tracker);
        let (number, traffic) = (guard.number(), Arc::clone(guard.traffic()));
        drop(guard);
        let task = tokio::spawn(std::future::pending::<()>());
        let peer = Peer::new(&Owners::default(), IpAddr::from([10, 0, 0, 1]));
        tracker.track(number, &traffic, &peer, task.abort_handle());
        assert!(!tracker.evict());
        task.abort();
    }

    #[tokio::test]
    async fn a_peer_that_takes_nothing_is_found_and_one_that_does_is_not() {
        let mut connections = Connections::new();
        let mut connection = connections.connect(1);
        let traffic = Arc::clone(connection.own.guard().traffic());
        let wait = Duration::from_millis(30);
        // There is room for 64 bytes.
        connection.own.write_all(&[0; 64]).await.unwrap();
        tokio::time::sleep(wait).await;
        assert_eq!(traffic.blocked_for(), Duration::ZERO);
        let blocked = tokio::time::timeout(wait, connection.own.write_all(&[0; 64])).await;
        assert!(blocked.is_err() && traffic.blocked_for() >= wait / 2);
        connection.other.read_exact(&mut [0; 64]).await.unwrap();
        connection.own.write_all(&[0; 8]).await.unwrap();
        assert_eq!(traffic.blocked_for(), Duration::ZERO);
    }
}
