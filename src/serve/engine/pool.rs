//! The pool that computes what takes longer than reading a call does, behind a bounded queue.
//!
//! Computing on the threads that serve connections would stop them from reading; computing elsewhere without a bound
//! would let work pile up until every answer is too late. So a call waits in a queue of limited length, for a limited
//! time, and when its turn comes it is looked at once more: a call whose client has hung up, whose deadline has passed or
//! that has waited too long costs nothing more. When the queue is known to take too long, calls are refused before their
//! messages are even read, because reading large messages only to refuse them would leave no time for anything else.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::places::Places;
use super::turns::{Patience, TurnQueue};
use crate::serve::context::CallContext;
use crate::serve::errors::{CallError, ServeError};
use crate::serve::limits::{Limits, size};
use crate::serve::quota::{Owner, Quotas, Resource, Share};
use crate::serve::telemetry::metrics::{Metrics, Shed};

/// A job of so many units may wait twice as long as a small one, one of twice as many three times as long, and so on:
/// who asks for much at once is in less of a hurry.
const PATIENCE_UNITS: usize = 256;

/// The pool.
pub(crate) struct Compute {
    pool: rayon::ThreadPool,
    queue: Arc<Queue>,
    quotas: Arc<Quotas>,
    metrics: Arc<Metrics>,
    places: Arc<Places>,
    queue_length: usize,
    queue_wait: Duration,
}

type Task = Box<dyn FnOnce() + Send>;

/// What waits for a thread.
#[derive(Default)]
struct Queue {
    jobs: Mutex<TurnQueue<Task>>,
    /// How many jobs wait, those included that nobody waits for.
    waiting: AtomicUsize,
}

impl Queue {
    fn jobs(&self) -> MutexGuard<'_, TurnQueue<Task>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, owner: &Arc<Owner>, patience: Patience, units: usize, task: Task) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.jobs().push(owner, patience, units, task);
    }

    fn pop(&self) -> Option<Task> {
        let task = self.jobs().pop()?;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Some(task)
    }
}

impl Compute {
    /// Starts the threads.
    pub(crate) fn start(
        limits: &Limits,
        quotas: &Arc<Quotas>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, ServeError> {
        let threads = limits.threads();
        let queue_wait = Duration::from_millis(u64::from(limits.max_queue_wait_ms));
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("compute-{i}"));
        Ok(Self {
            pool: pool.build()?,
            queue: Arc::default(),
            quotas: Arc::clone(quotas),
            metrics,
            places: Arc::new(Places::new(quotas, threads, queue_wait)),
            queue_length: size(limits.queue_length),
            queue_wait,
        })
    }

    /// A place in the queue for a call whose message is still to come, or the refusal of a call that would wait for too
    /// long, before anything is done for it.
    pub(crate) fn reserve(&self, owner: &Arc<Owner>) -> Result<Share, CallError> {
        self.quotas
            .take(owner, Resource::Queue, 1)
            .ok_or_else(|| self.full())
    }

    /// What is taken of what there is a limited number of.
    pub(super) fn quotas(&self) -> &Arc<Quotas> {
        &self.quotas
    }

    /// How many threads compute.
    pub(super) fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Whether large requests are being refused.
    pub(crate) fn is_overloaded(&self) -> bool {
        let places = self.quotas.most(Resource::Queue);
        self.quotas.taken(Resource::Queue) >= places - places / 4
    }

    /// What a call fails with for which there is no room.
    pub(crate) fn overload(&self) -> CallError {
        CallError::Overloaded {
            retry_after: self.queue_wait,
        }
    }

    fn full(&self) -> CallError {
        self.metrics.shed(Shed::QueueFull);
        self.overload()
    }

    /// Runs a job of so many units when its turn comes. Fails at once when the queue is full, and at its turn when that
    /// comes too late.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        call: &CallContext,
        units: usize,
        job: impl FnOnce() -> Result<T, CallError> + Send + 'static,
    ) -> Result<T, CallError> {
        let place = match &call.queue_place {
            Some(place) => Arc::clone(place),
            None => {
                let place = self.quotas.take(call.owner(), Resource::Queue, 1);
                Arc::new(place.ok_or_else(|| self.full())?)
            }
        };
        if self.queue.waiting.load(Ordering::Relaxed) >= self.queue_length {
            return Err(self.full());
        }
        let patience = u32::try_from(1 + units / PATIENCE_UNITS).unwrap_or(u32::MAX);
        let longest = self.queue_wait.saturating_mul(patience);
        self.submit(call, units, job, Some((place, longest))).await
    }

    /// Runs a job of a stream, whose client is held back instead of refused when the server is busy.
    pub(crate) async fn run_with_backpressure<T: Send + 'static>(
        &self,
        call: &CallContext,
        units: usize,
        job: impl FnOnce() -> Result<T, CallError> + Send + 'static,
    ) -> Result<T, CallError> {
        self.submit(call, units, job, None).await
    }

    /// Whether nothing waits for a thread.
    pub(crate) fn is_idle(&self) -> bool {
        self.queue.waiting.load(Ordering::Relaxed) == 0
    }

    /// Runs a job that nobody waits for; to be asked only when [`Self::is_idle`].
    pub(crate) fn run_when_idle(&self, job: impl FnOnce() + Send + 'static) {
        let queue = Arc::clone(&self.queue);
        queue.waiting.fetch_add(1, Ordering::Relaxed);
        self.pool.spawn_fifo(move || {
            queue.waiting.fetch_sub(1, Ordering::Relaxed);
            // A crash is counted by what is missing; it must not end the process.
            let _ = catch_unwind(AssertUnwindSafe(job));
        });
    }

    async fn submit<T: Send + 'static>(
        &self,
        call: &CallContext,
        units: usize,
        job: impl FnOnce() -> Result<T, CallError> + Send + 'static,
        bound: Option<(Arc<Share>, Duration)>,
    ) -> Result<T, CallError> {
        let (answer, answered) = oneshot::channel();
        let (metrics, places) = (Arc::clone(&self.metrics), Arc::clone(&self.places));
        let (entered, deadline, span) = (Instant::now(), call.deadline, call.span.clone());
        let patience = match bound {
            Some(_) => Patience::Waiting,
            None => Patience::Stream,
        };
        let task = move || {
            let now = Instant::now();
            let waited = now.duration_since(entered);
            let longest_wait = bound.map(|(place, longest)| {
                places.adapt(now, waited);
                place.shrink_to(0);
                longest
            });
            metrics.queue_wait.observe(waited.as_secs_f64());
            span.child("queue", entered, now);
            let outcome = if deadline <= now {
                metrics.shed(Shed::Deadline);
                Err(CallError::DeadlinePassed(
                    "the deadline passed while the call waited for a thread",
                ))
            } else if answer.is_closed() {
                metrics.shed(Shed::ClientCancelled);
                return;
            } else if let Some(longest) = longest_wait.filter(|longest| waited > *longest) {
                metrics.shed(Shed::QueueWait);
                Err(CallError::Overloaded {
                    retry_after: longest,
                })
            } else {
                let outcome = catch_panic(job);
                span.child("compute", now, Instant::now());
                outcome
            };
            // The caller may have hung up meanwhile.
            let _ = answer.send(outcome);
        };
        self.queue
            .push(call.owner(), patience, units, Box::new(task));
        let queue = Arc::clone(&self.queue);
        // Which job it will be is decided when a thread is free.
        self.pool.spawn_fifo(move || {
            if let Some(task) = queue.pop() {
                task();
            }
        });
        answered.await.unwrap_or(Err(CallError::Crashed("scoring")))
    }
}

/// Runs a job here and now; a crash of it is the call's failure and nothing else's.
pub(crate) fn catch_panic<T>(job: impl FnOnce() -> Result<T, CallError>) -> Result<T, CallError> {
    catch_unwind(AssertUnwindSafe(job)).unwrap_or(Err(CallError::Crashed("scoring")))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// A call that has a minute.
    fn call() -> CallContext {
        CallContext::within(Duration::from_secs(60))
    }

    fn pool(queue_length: u32, queue_wait_ms: u32) -> Arc<Compute> {
        let limits = Limits {
            queue_length,
            max_queue_wait_ms: queue_wait_ms,
            compute_threads: 1,
            ..Limits::default()
        };
        let quotas = Quotas::new(&limits);
        Arc::new(Compute::start(&limits, &quotas, Arc::default()).unwrap())
    }

    /// A call of an owner.
    fn call_of(owner: &Arc<Owner>, compute: &Compute) -> CallContext {
        CallContext::of_owner(Duration::from_secs(60), &compute.quotas, owner)
    }

    /// Keeps the pool's only thread busy until the sender is dropped.
    async fn hold(compute: &Arc<Compute>) -> mpsc::Sender<()> {
        let ((let_go, held), (begun, has_begun)) = (mpsc::channel::<()>(), oneshot::channel());
        let compute = Arc::clone(compute);
        tokio::spawn(async move {
            let job = move || {
                begun.send(()).unwrap();
                let _ = held.recv();
                Ok(())
            };
            compute.run_with_backpressure(&call(), 1, job).await
        });
        has_begun.await.unwrap();
        let_go
    }

    #[tokio::test]
    async fn the_queue_has_an_end() {
        let compute = pool(2, 60_000);
        let held = hold(&compute).await;
        let waiting: Vec<_> = (0..2)
            .map(|i| {
                let compute = Arc::clone(&compute);
                tokio::spawn(async move { compute.run(&call(), 1, move || Ok(i)).await })
            })
            .collect();
        while compute.queue.waiting.load(Ordering::Relaxed) < 2 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(
            compute.run(&call(), 1, || Ok(())).await,
            Err(CallError::Overloaded { .. })
        ));
        assert!(!compute.is_idle());
        drop(held);
        for (i, call) in waiting.into_iter().enumerate() {
            assert_eq!(call.await.unwrap().unwrap(), i);
        }
        assert_eq!(compute.run(&call(), 1, || Ok(7)).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn who_has_waited_too_long_is_not_computed_for() {
        let limits = Limits {
            compute_threads: 1,
            ..Limits::default()
        };
        // However short the wait is, it is too long.
        let compute = Arc::new(Compute {
            queue_wait: Duration::ZERO,
            ..Compute::start(&limits, &Quotas::new(&limits), Arc::default()).unwrap()
        });
        let held = hold(&compute).await;
        let late = {
            let compute = Arc::clone(&compute);
            tokio::spawn(async move {
                compute
                    .run(&call(), 1, || -> Result<(), _> { panic!("must not run") })
                    .await
            })
        };
        while compute.queue.waiting.load(Ordering::Relaxed) < 1 {
            tokio::task::yield_now().await;
        }
        drop(held);
        assert!(matches!(
            late.await.unwrap(),
            Err(CallError::Overloaded { .. })
        ));
    }

    #[tokio::test]
    async fn a_crash_fails_its_own_call_only() {
        let compute = pool(10, 1_000);
        let crash = compute
            .run(&call(), 1, || -> Result<(), _> { panic!("for the test") })
            .await;
        assert!(matches!(crash, Err(CallError::Crashed(_))));
        assert_eq!(compute.run(&call(), 1, || Ok(1)).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_polite_caller_gets_a_place_and_a_turn_beside_a_greedy_one() {
        let compute = pool(100, 60_000);
        let (greedy, polite) = (Arc::<Owner>::default(), Arc::<Owner>::default());
        let held = hold(&compute).await;
        let order = Arc::<Mutex<Vec<&str>>>::default();
        let ask = |owner: &Arc<Owner>, name: &'static str| {
            let (compute, order) = (Arc::clone(&compute), Arc::clone(&order));
            let call = call_of(owner, &compute);
            tokio::spawn(async move {
                let job = move || {
                    order.lock().unwrap().push(name);
                    Ok(())
                };
                compute.run(&call, 200, job).await
            })
        };
        let greedy: Vec<_> = (0..200).map(|_| ask(&greedy, "greedy")).collect();
        while compute.queue.waiting.load(Ordering::Relaxed) < 13 {
            tokio::task::yield_now().await;
        }
        let polite = ask(&polite, "polite");
        while compute.queue.waiting.load(Ordering::Relaxed) < 14 {
            tokio::task::yield_now().await;
        }
        drop(held);
        polite.await.unwrap().unwrap();
        let mut refused = 0;
        for call in greedy {
            refused += usize::from(call.await.unwrap().is_err());
        }
        assert_eq!(refused, 187, "one caller gets four fifths of 16 places");
        let order = order.lock().unwrap();
        let turn = order.iter().position(|name| *name == "polite").unwrap();
        assert!(turn <= 3, "its turn came after {turn} others");
    }
}
