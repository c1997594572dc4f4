//! Which connections there are, and which of them have not sent their handshake yet.
//!
//! A peer that connects and sends nothing costs a descriptor. When connections or descriptors run out, the connection that
//! has been pending for longest goes first, so that silence never keeps others out.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::AbortHandle;

/// The client's half of an HTTP/2 handshake, its connection preface, in bytes: with less, nothing has been said.
const PREFACE_BYTES: usize = 24;

/// All connections, and those that are pending, oldest first.
#[derive(Default)]
pub(crate) struct ConnectionTracker {
    open: AtomicUsize,
    pending: Mutex<BTreeMap<u64, AbortHandle>>,
}

impl ConnectionTracker {
    /// How many connections are open.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    fn pending(&self) -> MutexGuard<'_, BTreeMap<u64, AbortHandle>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers the task of a connection for as long as its handshake is pending.
    pub(crate) fn track_pending(&self, number: u64, received: &ReceivedBytes, task: AbortHandle) {
        // A connection that becomes ready or closes sets its bytes before it takes the lock to remove itself, so it is either
        // removed after this, or found ready here.
        let mut pending = self.pending();
        if !received.is_ready() {
            pending.insert(number, task);
        }
    }

    /// Ends the connection that has been pending for longest; returns whether there was one.
    pub(crate) fn evict_oldest_pending(&self) -> bool {
        let oldest = self.pending().pop_first();
        oldest.map(|(_, task)| task.abort()).is_some()
    }
}

/// How many bytes of its handshake a connection has received.
#[derive(Debug, Default)]
pub(crate) struct ReceivedBytes(AtomicUsize);

impl ReceivedBytes {
    /// Whether the peer has sent its preface.
    pub(crate) fn is_ready(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= PREFACE_BYTES
    }
}

/// One open connection, until it is dropped.
pub(crate) struct ConnectionGuard {
    tracker: Arc<ConnectionTracker>,
    number: u64,
    received: Arc<ReceivedBytes>,
}

impl ConnectionGuard {
    /// Counts a connection; numbers increase with time.
    pub(crate) fn new(tracker: &Arc<ConnectionTracker>, number: u64) -> Self {
        tracker.open.fetch_add(1, Ordering::Relaxed);
        Self {
            tracker: Arc::clone(tracker),
            number,
            received: Arc::default(),
        }
    }

    /// The connection's number.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// What has been received of the handshake.
    pub(crate) fn received(&self) -> &Arc<ReceivedBytes> {
        &self.received
    }

    fn record_bytes(&self, bytes: usize) {
        let before = self.received.0.fetch_add(bytes, Ordering::Relaxed);
        if before < PREFACE_BYTES && before + bytes >= PREFACE_BYTES {
            self.tracker.pending().remove(&self.number);
        }
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.tracker.open.fetch_sub(1, Ordering::Relaxed);
        self.received.0.fetch_max(PREFACE_BYTES, Ordering::Relaxed);
        self.tracker.pending().remove(&self.number);
    }
}

/// A stream whose bytes are counted until its peer has sent its preface.
pub(crate) struct CountingStream<S> {
    inner: S,
    guard: ConnectionGuard,
}

impl<S> CountingStream<S> {
    /// Counts what this stream receives.
    pub(crate) fn new(inner: S, guard: ConnectionGuard) -> Self {
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
        if !self.guard.received.is_ready() {
            self.guard.record_bytes(buffer.filled().len() - before);
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// A connection of this number whose task never ends, with the peer's end of it.
    fn connect(
        tracker: &Arc<ConnectionTracker>,
        number: u64,
    ) -> (
        CountingStream<tokio::io::DuplexStream>,
        tokio::io::DuplexStream,
        tokio::task::JoinHandle<()>,
    ) {
        let (own, peer) = tokio::io::duplex(64);
        let stream = CountingStream::new(own, ConnectionGuard::new(tracker, number));
        let task = tokio::spawn(std::future::pending());
        tracker.track_pending(number, stream.guard().received(), task.abort_handle());
        (stream, peer, task)
    }

    #[tokio::test]
    async fn the_oldest_connection_without_a_handshake_goes_first() {
        let tracker = Arc::new(ConnectionTracker::default());
        let (first, _first_peer, first_task) = connect(&tracker, 1);
        let (mut second, mut second_peer, _) = connect(&tracker, 2);
        let (_third, _third_peer, third_task) = connect(&tracker, 3);
        assert_eq!(tracker.open(), 3);
        // The second one has sent its preface, in two parts, and is not pending any more.
        let mut buffer = [0; PREFACE_BYTES];
        for part in [&[0; PREFACE_BYTES - 1][..], &[0; 1][..]] {
            assert!(!second.guard().received().is_ready());
            second_peer.write_all(part).await.unwrap();
            second.read_exact(&mut buffer[..part.len()]).await.unwrap();
        }
        assert!(second.guard().received().is_ready());
        assert!(tracker.evict_oldest_pending());
        assert!(first_task.await.unwrap_err().is_cancelled());
        assert!(tracker.evict_oldest_pending());
        assert!(third_task.await.unwrap_err().is_cancelled());
        assert!(!tracker.evict_oldest_pending());
        drop((first, second));
        assert_eq!(tracker.open(), 1);
    }

    #[tokio::test]
    async fn a_connection_that_was_closed_before_it_could_be_tracked_is_not_pending() {
        let tracker = Arc::new(ConnectionTracker::default());
        let guard = ConnectionGuard::new(&tracker, 1);
        let received = Arc::clone(guard.received());
        drop(guard);
        let task = tokio::spawn(std::future::pending::<()>());
        tracker.track_pending(1, &received, task.abort_handle());
        assert!(!tracker.evict_oldest_pending());
        task.abort();
    }
}
