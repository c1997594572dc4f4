//! How much of what the server has in limited number one caller may hold: places for calls, streams and watches, places in
//! the queue, connections, and bytes of memory.
//!
//! A caller may hold four times as much of a resource as is free of it. So one caller alone gets four fifths, two get four
//! ninths each, and a caller that comes later always finds some room, without a share being set aside for callers that may
//! never come. These are the dynamic thresholds of Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory
//! packet switches", IEEE/ACM Transactions on Networking 6 (2), 1998.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::limits::{Limits, size};

/// How many times what is free of a resource one caller may hold of it.
const SHARE: usize = 4;
/// Owners are looked through for those that are gone when there are so many more than at the last time.
const SWEEP: usize = 256;

/// What there is a limited number of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    /// Calls in progress whose methods may need a key.
    Calls,
    /// Of them, streams.
    Streams,
    /// Health watches.
    HealthWatches,
    /// Computations that wait for a thread, those included whose messages are still to come.
    Queue,
    /// Bytes of requests, answers and connections.
    Memory,
}

const RESOURCES: usize = 5;

impl Resource {
    /// The setting that limits it.
    pub(crate) fn limit(self) -> &'static str {
        match self {
            Self::Calls => "max_concurrent_calls",
            Self::Streams => "max_streams",
            Self::HealthWatches => "max_health_watches",
            Self::Queue => "queue_length",
            Self::Memory => "memory_bytes",
        }
    }
}

/// Who holds something: an API key, or the address of a peer that has shown none.
#[derive(Debug, Default)]
pub(crate) struct Owner {
    held: [AtomicUsize; RESOURCES],
    /// How many connections the peers of an address have.
    pub(crate) connections: AtomicUsize,
}

impl Owner {
    fn of(&self, resource: Resource) -> &AtomicUsize {
        &self.held[resource as usize]
    }

    /// How much of a resource this owner holds.
    #[cfg(test)]
    pub(crate) fn held(&self, resource: Resource) -> usize {
        self.of(resource).load(Ordering::Relaxed)
    }
}

/// All resources, with what is taken of each.
#[derive(Debug)]
pub(crate) struct Quotas {
    most: [AtomicUsize; RESOURCES],
    taken: [AtomicUsize; RESOURCES],
}

impl Quotas {
    /// As much of each resource as the limits say.
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            most: [
                size(limits.max_concurrent_calls),
                size(limits.max_streams),
                size(limits.max_health_watches),
                size(limits.queue_length),
                limits.memory(),
            ]
            .map(AtomicUsize::new),
            taken: Default::default(),
        })
    }

    /// How much of a resource there is.
    pub(crate) fn most(&self, resource: Resource) -> usize {
        self.most[resource as usize].load(Ordering::Relaxed)
    }

    /// Changes how much of a resource there is. What is taken stays taken.
    pub(crate) fn set_most(&self, resource: Resource, most: usize) {
        self.most[resource as usize].store(most, Ordering::Relaxed);
    }

    /// How much of it is taken.
    pub(crate) fn taken(&self, resource: Resource) -> usize {
        self.taken[resource as usize].load(Ordering::Relaxed)
    }

    /// Takes so much of a resource for an owner; `None` when that is more than its share.
    pub(crate) fn take(
        self: &Arc<Self>,
        owner: &Arc<Owner>,
        resource: Resource,
        amount: usize,
    ) -> Option<Share> {
        self.add(owner, resource, amount).then(|| Share {
            quotas: Arc::clone(self),
            owner: Arc::clone(owner),
            resource,
            amount: AtomicUsize::new(amount),
        })
    }

    fn add(&self, owner: &Owner, resource: Resource, amount: usize) -> bool {
        let taken = &self.taken[resource as usize];
        let before = taken.fetch_add(amount, Ordering::Relaxed);
        let own = owner.of(resource).fetch_add(amount, Ordering::Relaxed) + amount;
        let free = self.most(resource).saturating_sub(before);
        let fits = amount <= free && own <= SHARE.saturating_mul(free);
        if !fits {
            self.give_back(owner, resource, amount);
        }
        fits
    }

    fn give_back(&self, owner: &Owner, resource: Resource, amount: usize) {
        self.taken[resource as usize].fetch_sub(amount, Ordering::Relaxed);
        owner.of(resource).fetch_sub(amount, Ordering::Relaxed);
    }
}

/// What an owner holds of a resource, given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    quotas: Arc<Quotas>,
    owner: Arc<Owner>,
    resource: Resource,
    amount: AtomicUsize,
}

impl Share {
    /// Takes more; returns whether that was possible.
    pub(crate) fn grow(&self, amount: usize) -> bool {
        let fits = self.quotas.add(&self.owner, self.resource, amount);
        if fits {
            self.amount.fetch_add(amount, Ordering::Relaxed);
        }
        fits
    }

    /// Takes a share of its own for the same owner; `None` when that is more than there is.
    pub(crate) fn another(&self, amount: usize) -> Option<Self> {
        self.quotas.take(&self.owner, self.resource, amount)
    }

    /// Gives back what is beyond `amount`.
    pub(crate) fn shrink_to(&self, amount: usize) {
        let before = self.amount.fetch_min(amount, Ordering::Relaxed);
        self.quotas
            .give_back(&self.owner, self.resource, before.saturating_sub(amount));
    }

    /// Who holds it.
    pub(crate) fn owner(&self) -> &Arc<Owner> {
        &self.owner
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

/// The owners that there are, by what they are known by.
#[derive(Debug)]
struct Table<K> {
    owners: HashMap<K, Arc<Owner>>,
    sweep_at: usize,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self {
            owners: HashMap::new(),
            sweep_at: SWEEP,
        }
    }
}

impl<K: Hash + Eq + Clone> Table<K> {
    fn get(&mut self, key: &K) -> Arc<Owner> {
        if let Some(owner) = self.owners.get(key) {
            return Arc::clone(owner);
        }
        if self.owners.len() >= self.sweep_at {
            // Nobody else has those: they hold nothing and have no connection.
            self.owners.retain(|_, owner| Arc::strong_count(owner) > 1);
            self.sweep_at = self.owners.len() + SWEEP;
        }
        Arc::clone(self.owners.entry(key.clone()).or_default())
    }
}

/// What counts as one peer: an address of IPv4, also when it is written as one of IPv6, and a network of 64 bits of IPv6, all
/// of which a single machine may have.
pub(crate) fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// All owners.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    keys: Mutex<Table<Arc<str>>>,
    addresses: Mutex<Table<IpAddr>>,
}

impl Owners {
    /// The owner that a key's name stands for.
    pub(crate) fn of_key(&self, name: &Arc<str>) -> Arc<Owner> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.get(name)
    }

    /// The owner that an address, or its network, stands for.
    pub(crate) fn of_address(&self, address: IpAddr) -> Arc<Owner> {
        let mut addresses = self
            .addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        addresses.get(&network(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quotas(calls: u32) -> Arc<Quotas> {
        Quotas::new(&Limits {
            max_concurrent_calls: calls,
            ..Limits::default()
        })
    }

    /// Takes one after another until the owner's share is used up.
    fn take_all(quotas: &Arc<Quotas>, owner: &Arc<Owner>) -> Vec<Share> {
        std::iter::from_fn(|| quotas.take(owner, Resource::Calls, 1)).collect()
    }

    #[test]
    fn one_caller_gets_four_fifths_and_the_next_still_finds_room() {
        let quotas = quotas(1_000);
        let owners: Vec<Arc<Owner>> = (0..3).map(|_| Arc::default()).collect();
        let first = take_all(&quotas, &owners[0]);
        assert_eq!(first.len(), 800);
        let second = take_all(&quotas, &owners[1]);
        assert!((155..=165).contains(&second.len()), "{}", second.len());
        let third = take_all(&quotas, &owners[2]);
        assert!((25..=40).contains(&third.len()), "{}", third.len());
        // What the first one gives back is not taken by the one that has most, but by those with little.
        drop(first);
        assert_eq!(owners[0].held(Resource::Calls), 0);
        assert_eq!(
            quotas.taken(Resource::Calls),
            second.len() + third.len(),
            "everything is given back"
        );
        assert!(quotas.take(&owners[2], Resource::Calls, 1).is_some());
    }

    #[test]
    fn small_quotas_can_be_used_up_by_one() {
        for most in [1, 2] {
            let quotas = quotas(most);
            assert_eq!(take_all(&quotas, &Arc::default()).len(), size(most));
        }
    }

    #[test]
    fn a_share_grows_within_the_quota_and_shrinks() {
        let (quotas, owner) = (quotas(100), Arc::<Owner>::default());
        let share = quotas.take(&owner, Resource::Calls, 10).unwrap();
        assert!(share.grow(60));
        assert!(!share.grow(31), "there are 30 left");
        assert_eq!(quotas.taken(Resource::Calls), 70);
        share.shrink_to(5);
        share.shrink_to(50);
        assert_eq!(quotas.taken(Resource::Calls), 5);
        drop(share);
        assert_eq!(
            (quotas.taken(Resource::Calls), owner.held(Resource::Calls)),
            (0, 0)
        );
    }

    #[test]
    fn a_machine_with_many_addresses_of_one_network_is_one_owner() {
        let owners = Owners::default();
        let of = |text: &str| owners.of_address(text.parse().unwrap());
        assert!(Arc::ptr_eq(&of("2001:db8::1"), &of("2001:db8::ffff:1")));
        assert!(Arc::ptr_eq(&of("10.0.0.9"), &of("::ffff:10.0.0.9")));
        assert!(!Arc::ptr_eq(&of("2001:db8::1"), &of("2001:db8:0:1::1")));
        assert!(!Arc::ptr_eq(&of("10.0.0.9"), &of("10.0.0.8")));
    }

    #[test]
    fn owners_that_are_gone_are_forgotten() {
        let owners = Owners::default();
        let address = |n: u32| IpAddr::from(std::net::Ipv4Addr::from(n));
        let kept = owners.of_address(address(0));
        for n in 1..10_000 {
            owners.of_address(address(n));
        }
        assert!(Arc::ptr_eq(&kept, &owners.of_address(address(0))));
        let known = owners.addresses.lock().unwrap().owners.len();
        assert!(known <= SWEEP + 1, "{known}");
    }
}
