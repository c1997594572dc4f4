//! The port: takes connections until the server is to stop, and lets go of them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::connection::Connections;
use super::tracker::{ConnectionGuard, ConnectionTracker};
use crate::serve::limits::{Limits, seconds, size};
use crate::serve::state::{Phase, Stopped};
use crate::serve::telemetry::metrics::{Metrics, Shed};

/// How long to wait when the system has no more descriptors: trying again at once would only burn the processor.
const NO_DESCRIPTORS_PAUSE: Duration = Duration::from_millis(20);
/// Descriptors that are not for connections: files, the metrics port, reading models.
const DESCRIPTORS_KEPT: usize = 64;

/// Takes connections and serves them.
pub(crate) struct Listener {
    /// The port.
    pub(crate) tcp: TcpListener,
    /// What serves connections.
    pub(crate) connections: Connections,
    /// What is counted.
    pub(crate) metrics: Arc<Metrics>,
    /// The connections of all ports.
    pub(crate) tracker: Arc<ConnectionTracker>,
    /// Tells when to stop.
    pub(crate) phase: watch::Receiver<Phase>,
}

impl Listener {
    /// Serves until the phase is draining and all calls are finished, or the limit for that has passed.
    pub(crate) async fn serve(self) -> Stopped {
        let Self {
            tcp,
            connections,
            metrics,
            tracker,
            mut phase,
        } = self;
        let drain = seconds(connections.limits.drain_seconds);
        let most = max_connections(&connections.limits, descriptors());
        let connections = Arc::new(connections);
        let mut tasks = JoinSet::new();
        loop {
            metrics.set_connections(tracker.open());
            let accepted = tokio::select! {
                _ = phase.wait_for(|phase| *phase == Phase::Draining) => break,
                // Finished tasks are taken out at once, so that they do not pile up.
                Some(_) = tasks.join_next() => continue,
                accepted = tcp.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => {
                    let peer = connections.gateway.peer(address.ip());
                    let memory = connections.memory(&peer);
                    let is_full = tracker.open() >= most || memory.is_none();
                    // What an evicted connection has is free soon; until then there may be one more.
                    let has_room = !is_full || tracker.evict();
                    let Some(memory) = memory.filter(|_| has_room) else {
                        metrics.shed(Shed::Connections);
                        continue;
                    };
                    let guard = ConnectionGuard::new(&tracker);
                    let number = guard.number();
                    let traffic = Arc::clone(guard.traffic());
                    let serving = Arc::clone(&connections).serve(
                        stream,
                        Arc::clone(&peer),
                        memory,
                        guard,
                        phase.clone(),
                    );
                    tracker.track(number, &traffic, &peer, tasks.spawn(serving));
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    metrics.shed(Shed::Connections);
                    tracing::warn!(%error, "no connection can be taken");
                    tracker.evict();
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

/// How many files the process may have open, where the system says so.
fn descriptors() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/self/limits").ok()?;
    text.lines().find_map(|line| {
        line.strip_prefix("Max open files")?
            .split_whitespace()
            .next()?
            .parse()
            .ok()
    })
}

/// How many connections there may be: no more than the open files of the process allow.
fn max_connections(limits: &Limits, descriptors: Option<usize>) -> usize {
    let allowed = descriptors.map_or(usize::MAX, |descriptors| {
        descriptors
            .saturating_sub(DESCRIPTORS_KEPT)
            .max(descriptors / 2)
    });
    size(limits.connections).min(allowed)
}

/// Whether a failure concerns the one connection that could not be taken.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, WouldBlock};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | Interrupted | WouldBlock
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_files() {
        let limits = Limits {
            connections: 1_000,
            ..Limits::default()
        };
        assert_eq!(max_connections(&limits, None), 1_000);
        assert_eq!(max_connections(&limits, Some(1 << 20)), 1_000);
        assert_eq!(max_connections(&limits, Some(512)), 448);
        // Where there are very few, half of them are for connections.
        assert_eq!(max_connections(&limits, Some(100)), 50);
    }

    #[test]
    fn a_peer_that_left_early_is_no_trouble_of_the_servers() {
        let error = |kind| io::Error::from(kind);
        assert!(is_of_one_connection(&error(
            io::ErrorKind::ConnectionAborted
        )));
        // EMFILE, "too many open files".
        assert!(!is_of_one_connection(&io::Error::from_raw_os_error(24)));
    }
}
