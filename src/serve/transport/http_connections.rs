//! The connections of the metrics port. Probes decide whether a server lives, so no silence and no crowd of one peer's
//! connections may keep them out: a connection is always taken, and where there is no room another one goes.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::AbortHandle;

use crate::serve::quota::network;

/// A connection that is open.
#[derive(Debug)]
struct OpenConnection {
    peer: IpAddr,
    /// When bytes came or went last; at first, when it was taken.
    last_active: Instant,
    /// `None` until its task has started.
    task: Option<AbortHandle>,
}

/// All connections that are open, at most so many.
#[derive(Debug)]
pub(crate) struct HttpConnections {
    most: usize,
    rows: Mutex<Rows>,
}

#[derive(Debug, Default)]
struct Rows {
    open: HashMap<u64, OpenConnection>,
    next: u64,
}

impl Rows {
    /// The connection that goes when another one comes: of the address that has the most of them, the one idle for longest.
    fn victim(&self) -> Option<u64> {
        let mut crowd: HashMap<IpAddr, usize> = HashMap::new();
        for row in self.open.values() {
            *crowd.entry(row.peer).or_default() += 1;
        }
        let most = crowd.values().copied().max()?;
        let crowded = self.open.iter().filter(|(_, row)| crowd[&row.peer] == most);
        // Numbers grow with time: of two that were active in the same moment the older one goes.
        let idle = crowded.min_by_key(|(number, row)| (row.last_active, **number));
        idle.map(|(number, _)| *number)
    }
}

impl HttpConnections {
    /// None yet, and never more than `most`.
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            rows: Mutex::default(),
        })
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes room for a connection of this peer, and counts it until the guard is dropped.
    pub(crate) fn admit(self: &Arc<Self>, peer: IpAddr) -> HttpConnection {
        let mut rows = self.rows();
        while rows.open.len() >= self.most
            && let Some(victim) = rows.victim()
            && let Some(row) = rows.open.remove(&victim)
        {
            // A connection whose task has not started has sent nothing yet, and finds itself evicted when it does.
            if let Some(task) = row.task {
                task.abort();
            }
        }
        let number = rows.next;
        rows.next += 1;
        let row = OpenConnection {
            peer: network(peer),
            last_active: Instant::now(),
            task: None,
        };
        rows.open.insert(number, row);
        HttpConnection {
            all: Arc::clone(self),
            number,
        }
    }

    /// Sets the task that serves a connection, to be ended when the connection has to go.
    pub(crate) fn serve_by(&self, number: u64, task: AbortHandle) {
        match self.rows().open.get_mut(&number) {
            Some(row) => row.task = Some(task),
            None => task.abort(),
        }
    }
}

/// One open connection, until it is dropped.
#[derive(Debug)]
pub(crate) struct HttpConnection {
    all: Arc<HttpConnections>,
    number: u64,
}

impl HttpConnection {
    /// Its number.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    fn is_active(&self) {
        if let Some(row) = self.all.rows().open.get_mut(&self.number) {
            row.last_active = Instant::now();
        }
    }
}

impl Drop for HttpConnection {
    fn drop(&mut self) {
        self.all.rows().open.remove(&self.number);
    }
}

/// A stream whose bytes keep its connection from being idle.
pub(crate) struct ActiveStream<S> {
    inner: S,
    connection: HttpConnection,
}

impl<S> ActiveStream<S> {
    /// The stream of this connection.
    pub(crate) fn new(inner: S, connection: HttpConnection) -> Self {
        Self { inner, connection }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ActiveStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.connection.is_active();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ActiveStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        if matches!(written, Poll::Ready(Ok(written)) if written > 0) {
            self.connection.is_active();
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(all: &HttpConnections) -> Vec<u64> {
        let mut open: Vec<u64> = all.rows().open.keys().copied().collect();
        open.sort_unstable();
        open
    }

    #[test]
    fn the_connection_idle_for_longest_goes_first() {
        let all = HttpConnections::new(3);
        let peer: IpAddr = "10.0.0.1".parse().unwrap();
        let held: Vec<HttpConnection> = (0..3).map(|_| all.admit(peer)).collect();
        held[0].is_active();
        let fourth = all.admit(peer);
        assert_eq!(numbers(&all), [0, 2, 3]);
        held[2].is_active();
        held[0].is_active();
        let fifth = all.admit(peer);
        // What came last is the one that has been idle for longest, once the others have moved.
        assert_eq!(numbers(&all), [0, 2, 4]);
        drop((held, fourth));
        assert_eq!(numbers(&all), [4]);
        drop(fifth);
        assert!(numbers(&all).is_empty());
    }

    #[test]
    fn one_address_does_not_push_out_another() {
        let all = HttpConnections::new(4);
        let (crowd, probe) = ("2001:db8::", "::ffff:10.0.0.9");
        let probe = all.admit(probe.parse().unwrap());
        let held: Vec<HttpConnection> = (1..40)
            .map(|host| all.admit(format!("{crowd}{host}").parse().unwrap()))
            .collect();
        // Idle for longer than all others, and still there: the crowd's own connections make room for the crowd.
        assert_eq!(numbers(&all), [0, 37, 38, 39]);
        drop((probe, held));
    }

    #[tokio::test]
    async fn a_connection_that_goes_ends_its_task() {
        let all = HttpConnections::new(1);
        let peer: IpAddr = "::1".parse().unwrap();
        let first = all.admit(peer);
        let serving = tokio::spawn(std::future::pending::<()>());
        all.serve_by(first.number(), serving.abort_handle());
        let second = all.admit(peer);
        assert!(serving.await.unwrap_err().is_cancelled());
        let third = all.admit(peer);
        // Evicted before its task was known: the task ends at once.
        let late = tokio::spawn(std::future::pending::<()>());
        all.serve_by(second.number(), late.abort_handle());
        assert!(late.await.unwrap_err().is_cancelled());
        drop((first, second, third));
    }
}
