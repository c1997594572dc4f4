//! The known users in the order of their risk: computed once for each model and roll-up, in small pieces beside everything
//! else, and kept in some bytes for each user.
//!
//! [`compute`] makes a [`order::Ranking`]; this file has those that there are, and lets callers wait for the one that they
//! need.

mod compute;
pub(crate) mod order;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;

use self::order::Ranking;
use super::pool::Compute;
use crate::history::Day;
use crate::serve::errors::CallError;
use crate::serve::quota::{Owner, Resource};
use crate::serve::registry::ServedModel;
use crate::serve::registry::users::KnownUsers;

/// Rankings that are kept: one for each model that is asked.
const MOST: usize = 4;
/// How long a caller waits for a ranking before it is asked to come again.
const WAIT: Duration = Duration::from_secs(2);
/// What is left of a caller's time for everything else.
const RESERVE: Duration = Duration::from_millis(100);
/// The least and the most time that a caller is asked to wait.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

/// How far a ranking is.
#[derive(Clone)]
enum Progress {
    /// So much of the users have been scored, as a share.
    Computing(f64),
    /// It is there.
    Done(Arc<Ranking>),
    /// It cannot be computed; the log says why.
    Failed,
}

/// A ranking that is there or being computed.
struct Slot {
    version: String,
    as_of: Day,
    /// Not owned: users that are no longer in use must not be kept for their order.
    users: Weak<KnownUsers>,
    begun: Instant,
    progress: watch::Receiver<Progress>,
    task: AbortHandle,
}

impl Slot {
    fn is_of(&self, model: &ServedModel, users: &Arc<KnownUsers>, as_of: Day) -> bool {
        self.version == model.version() && self.as_of == as_of && self.ranks(users)
    }

    fn ranks(&self, users: &Arc<KnownUsers>) -> bool {
        std::ptr::eq(self.users.as_ptr(), Arc::as_ptr(users))
    }

    /// Whether it can still become a ranking, or is one.
    fn is_usable(&self) -> bool {
        match &*self.progress.borrow() {
            Progress::Done(_) => true,
            Progress::Failed => false,
            // A task that crashed leaves its progress as it was.
            Progress::Computing(_) => !self.task.is_finished(),
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// All rankings.
pub(crate) struct Rankings {
    pool: Arc<Compute>,
    /// On whose account they are: nobody's but the server's.
    owner: Arc<Owner>,
    /// One is computed at a time.
    turn: Arc<Semaphore>,
    slots: Mutex<VecDeque<Slot>>,
}

impl Rankings {
    /// None yet, to be computed on this pool.
    pub(super) fn new(pool: &Arc<Compute>) -> Self {
        Self {
            pool: Arc::clone(pool),
            owner: Arc::default(),
            turn: Arc::new(Semaphore::new(1)),
            slots: Mutex::default(),
        }
    }

    fn slots(&self) -> MutexGuard<'_, VecDeque<Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets the order of all users but these.
    pub(crate) fn keep_only(&self, users: &Arc<KnownUsers>) {
        self.slots().retain(|slot| slot.ranks(users));
    }

    /// The users in the order of their risk on a day by a model, if it is there before `deadline` and soon.
    pub(crate) async fn get(
        &self,
        model: &Arc<ServedModel>,
        users: &Arc<KnownUsers>,
        as_of: Day,
        deadline: Instant,
    ) -> Result<Arc<Ranking>, CallError> {
        let (mut progress, begun) = self.slot(model, users, as_of)?;
        let now = Instant::now();
        let latest = deadline.checked_sub(RESERVE).unwrap_or(now);
        let until = (now + WAIT).min(latest);
        let settled = progress.wait_for(|progress| !matches!(progress, Progress::Computing(_)));
        let settled = tokio::time::timeout_at(until.into(), settled).await;
        let settled = settled.map(|settled| settled.map(|progress| progress.clone()));
        let share = match settled {
            Ok(Ok(Progress::Done(ranking))) => return Ok(ranking),
            Ok(_) => return Err(CallError::Crashed("ranking")),
            Err(_) => match &*progress.borrow() {
                Progress::Computing(share) => *share,
                Progress::Done(_) | Progress::Failed => 1.0,
            },
        };
        Err(CallError::RankingPending {
            retry_after: remaining(begun.elapsed(), share),
        })
    }

    /// The progress of a ranking and when it was begun; begins it when there is none.
    fn slot(
        &self,
        model: &Arc<ServedModel>,
        users: &Arc<KnownUsers>,
        as_of: Day,
    ) -> Result<(watch::Receiver<Progress>, Instant), CallError> {
        let mut slots = self.slots();
        slots.retain(Slot::is_usable);
        let found = slots.iter().find(|slot| slot.is_of(model, users, as_of));
        if let Some(slot) = found {
            return Ok((slot.progress.clone(), slot.begun));
        }
        while slots.len() >= MOST {
            slots.pop_front();
        }
        let bytes = order::computing_bytes(users.histories().len(), model);
        let quotas = self.pool.quotas();
        let memory = quotas.take(&self.owner, Resource::Memory, bytes);
        let memory = memory.ok_or(CallError::TooManyCalls {
            limit: Resource::Memory.limit(),
        })?;
        let (sender, progress) = watch::channel(Progress::Computing(0.0));
        let job = compute::Job {
            pool: Arc::clone(&self.pool),
            model: Arc::clone(model),
            users: Arc::clone(users),
            as_of,
        };
        let turn = Arc::clone(&self.turn);
        let task = tokio::spawn(async move {
            // The semaphore is never closed.
            let _turn = turn.acquire_owned().await;
            let outcome = job.run(memory, &sender).await;
            sender.send_replace(match outcome {
                Ok(ranking) => Progress::Done(Arc::new(ranking)),
                Err(error) => {
                    tracing::error!(%error, "the users cannot be ranked");
                    Progress::Failed
                }
            });
        });
        let begun = Instant::now();
        slots.push_back(Slot {
            version: model.version().to_owned(),
            as_of,
            users: Arc::downgrade(users),
            begun,
            progress: progress.clone(),
            task: task.abort_handle(),
        });
        Ok((progress, begun))
    }
}

/// How long the rest takes when this share took so long.
fn remaining(elapsed: Duration, share: f64) -> Duration {
    let (least, most) = RETRY;
    let rest = elapsed.as_secs_f64() * (1.0 - share) / share.max(0.001);
    Duration::from_secs_f64(rest.min(most.as_secs_f64())).clamp(least, most)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::history::{Amount, DayRecord, HistoriesBuilder};
    use crate::serve::context::CallContext;
    use crate::serve::limits::Limits;
    use crate::serve::quota::Quotas;

    const AS_OF: &str = "2025-06-24";

    /// A pool of one thread beside so much memory.
    fn pool(memory_bytes: u32) -> Arc<Compute> {
        let limits = Limits {
            memory_bytes,
            compute_threads: 1,
            ..Limits::default()
        };
        let quotas = Quotas::new(&limits);
        Arc::new(Compute::start(&limits, &quotas, Arc::default()).unwrap())
    }

    /// The sample's model, and users of which each was seen once.
    fn model_and_users() -> (Arc<ServedModel>, Arc<KnownUsers>) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/shop");
        let mut builder = HistoriesBuilder::default();
        let kind = builder.kind("purchase").unwrap();
        let last: Day = AS_OF.parse().unwrap();
        for number in 0..600 {
            let record = DayRecord {
                amount: Amount::new(5.0).unwrap(),
                day: last.plus(-1 - number % 80),
                count: 1,
                kind,
            };
            builder.add(&format!("u{number}"), record).unwrap();
        }
        let users = KnownUsers::new(builder.finish().unwrap()).unwrap();
        (
            Arc::new(ServedModel::load(&folder).unwrap()),
            Arc::new(users),
        )
    }

    #[tokio::test]
    async fn a_caller_waits_no_longer_than_it_can_and_the_order_is_computed_once() {
        let pool = pool(8 << 20);
        let rankings = Rankings::new(&pool);
        let ((model, users), as_of) = (model_and_users(), AS_OF.parse().unwrap());
        let get = async |milliseconds| {
            let deadline = Instant::now() + Duration::from_millis(milliseconds);
            rankings.get(&model, &users, as_of, deadline).await
        };
        // The only thread does something else.
        let (let_go, held) = std::sync::mpsc::channel::<()>();
        let busy = Arc::clone(&pool);
        tokio::spawn(async move {
            let job = move || {
                let _ = held.recv();
                Ok(())
            };
            let call = CallContext::within(Duration::from_secs(60));
            busy.run_with_backpressure(&call, 1, job).await
        });
        let pending = get(300).await;
        assert!(matches!(pending, Err(CallError::RankingPending { .. })));
        drop(let_go);
        let ranking = get(20_000).await.unwrap();
        assert!(Arc::ptr_eq(&ranking, &get(20_000).await.unwrap()));
        assert_eq!(rankings.slots().len(), 1);
        // What is left on the account is what is kept: some bytes for each user.
        let kept = pool.quotas().taken(Resource::Memory);
        assert!((600..600 * 30).contains(&kept), "{kept}");
        // Other users are in use from now on.
        let (_, others) = model_and_users();
        rankings.keep_only(&others);
        assert_eq!(rankings.slots().len(), 0);
        drop(ranking);
        assert_eq!(pool.quotas().taken(Resource::Memory), 0);
    }

    #[tokio::test]
    async fn an_order_that_there_is_no_memory_for_is_refused() {
        let rankings = Rankings::new(&pool(1_000));
        let (model, users) = model_and_users();
        let deadline = Instant::now() + Duration::from_secs(20);
        let refused = rankings
            .get(&model, &users, AS_OF.parse().unwrap(), deadline)
            .await;
        assert!(matches!(
            refused,
            Err(CallError::TooManyCalls {
                limit: "memory_bytes"
            })
        ));
    }

    #[test]
    fn the_time_that_is_left_is_that_of_the_share_that_is_left() {
        let second = Duration::from_secs(1);
        assert_eq!(remaining(second, 0.25), 3 * second);
        assert_eq!(remaining(second, 1.0), RETRY.0);
        assert_eq!(remaining(second, 0.0), RETRY.1);
    }
}
