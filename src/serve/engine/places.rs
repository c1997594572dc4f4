use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::serve::quota::{Quotas, Resource};

/// So many calls for each thread always have a place, however long each of them takes.
const ALWAYS_WAITING: usize = 8;

/// How many calls may have a place in the queue: as many as are computed soon after their messages have come.
///
/// Messages take their time, of which the server knows nothing when it admits a call. So the number is found by trying: it
/// grows while those that come find a short queue and all places are taken, and shrinks when they wait for long (additive
/// increase, multiplicative decrease).
pub(super) struct Places {
    quotas: Arc<Quotas>,
    least: usize,
    most: usize,
    /// A wait that is too long.
    long: Duration,
    /// When the number last shrank, in nanoseconds since the start.
    shrunk_at: AtomicU64,
    started: Instant,
}

impl Places {
    /// Places for this number of threads; a computation is to wait for less than `queue_wait`.
    pub(super) fn new(quotas: &Arc<Quotas>, threads: usize, queue_wait: Duration) -> Self {
        let new = Self {
            quotas: Arc::clone(quotas),
            least: ALWAYS_WAITING * threads,
            most: quotas.most(Resource::Calls),
            long: queue_wait / 2,
            shrunk_at: AtomicU64::new(0),
            started: Instant::now(),
        };
        quotas.set_most(Resource::Queue, 2 * new.least);
        new
    }

    /// A job begins after it has waited for so long.
    pub(super) fn adapt(&self, now: Instant, waited: Duration) {
        let places = self.quotas.most(Resource::Queue);
        if waited < self.long / 2 {
            let is_full = self.quotas.taken(Resource::Queue) >= places - places / 4;
            if is_full && places < self.most {
                self.quotas.set_most(Resource::Queue, places + 1);
            }
        } else if waited > self.long {
            let now = nanoseconds(now.duration_since(self.started));
            let before = self.shrunk_at.load(Ordering::Relaxed);
            // Those that were admitted before it shrank say nothing of what it is now.
            if now >= before + nanoseconds(2 * self.long)
                && self
                    .shrunk_at
                    .compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed)
                    .is_ok()
            {
                let fewer = (places - places / 8).max(self.least);
                self.quotas.set_most(Resource::Queue, fewer);
            }
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::limits::Limits;
    use crate::serve::quota::{Owner, Share};

    #[test]
    fn places_grow_while_the_queue_is_short_and_shrink_when_it_is_long() {
        let quotas = Quotas::new(&Limits::default());
        let adaptive = Places::new(&quotas, 1, Duration::from_millis(25));
        let (start, owner) = (adaptive.started, Arc::<Owner>::default());
        let places = || quotas.most(Resource::Queue);
        let (soon, late) = (Duration::from_millis(1), Duration::from_millis(20));
        // Places that nobody takes need not be more.
        adaptive.adapt(start, soon);
        assert_eq!(places(), 16);
        let taken: Vec<Share> =
            std::iter::from_fn(|| quotas.take(&owner, Resource::Queue, 1)).collect();
        for _ in 0..8 {
            adaptive.adapt(start, soon);
        }
        assert!((17..=24).contains(&places()), "{}", places());
        // Many that have waited for long at once count as one.
        let (before, later) = (places(), start + Duration::from_secs(1));
        for _ in 0..10 {
            adaptive.adapt(later, late);
        }
        assert_eq!(places(), before - before / 8);
        for second in 2..100 {
            adaptive.adapt(start + Duration::from_secs(second), late);
        }
        assert_eq!(places(), ALWAYS_WAITING);
        drop(taken);
    }
}
