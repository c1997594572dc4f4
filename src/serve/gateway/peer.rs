//! The other end of a connection.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::serve::quota::{Owner, Owners};

/// The peer of one connection.
#[derive(Debug)]
pub(crate) struct Peer {
    /// On whose account its connection is, and its calls while they have no key.
    pub(crate) owner: Arc<Owner>,
    is_authenticated: AtomicBool,
    calls: AtomicUsize,
}

impl Peer {
    /// A peer that has made no call yet.
    pub(crate) fn new(owners: &Owners, address: IpAddr) -> Arc<Self> {
        let owner = owners.of_address(address);
        owner.connections.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self {
            owner,
            is_authenticated: AtomicBool::new(false),
            calls: AtomicUsize::new(0),
        })
    }

    /// Whether one of its calls had a valid key, or needed none because the server asks for none.
    pub(crate) fn is_authenticated(&self) -> bool {
        self.is_authenticated.load(Ordering::Relaxed)
    }

    /// One of its calls had a valid key.
    pub(crate) fn authenticate(&self) {
        self.is_authenticated.store(true, Ordering::Relaxed);
    }

    /// How many of its calls occupy the server, those included whose answer is on its way.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Counts a call until the guard is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> PeerCall {
        self.calls.fetch_add(1, Ordering::Relaxed);
        PeerCall(Arc::clone(self))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.owner.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A call of a peer's.
pub(crate) struct PeerCall(Arc<Peer>);

impl Drop for PeerCall {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::Relaxed);
    }
}
