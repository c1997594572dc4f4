//! The pool that computes what takes longer than reading a call does, behind a bounded queue.
//!
//! Computing on the threads that serve connections would stop them from reading; computing elsewhere without a bound
//! would let work pile up until every answer is too late. So a call waits in a queue of limited length, for a limited
//! time, and when its turn comes it is looked at once more: whoever has hung up, is past the deadline or has waited
//! too long costs nothing more. A queue that is known to take too long is told of before a call's message is even read,
//! because reading large messages only to refuse them would leave no time for anything else.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, oneshot};

use crate::serve::errors::{CallError, ServeError};
use crate::serve::gateway::deadline;
use crate::serve::limits::{Limits, size};
use crate::serve::telemetry::metrics::{Metrics, Shed};
use crate::serve::telemetry::traces;

/// So many jobs for each thread may always wait, however long each of them takes.
const ALWAYS_WAITING: usize = 8;
/// A job of so many units may wait twice as long as a small one, one of twice as many three times as long, and so on:
/// who asks for much at once is in less of a hurry.
const PATIENCE_UNITS: usize = 256;

/// The pool.
pub(crate) struct Compute {
    pool: rayon::ThreadPool,
    waiting: Arc<AtomicUsize>,
    /// Places for work that may wait: see [`Compute::run_patiently`].
    patient: Semaphore,
    metrics: Arc<Metrics>,
    /// How long a job takes, in nanoseconds: each one counts an eighth.
    job_ns: Arc<AtomicU64>,
    threads: usize,
    queue_length: usize,
    queue_wait: Duration,
}

impl Compute {
    /// Starts the threads.
    pub(crate) fn start(limits: &Limits, metrics: Arc<Metrics>) -> Result<Self, ServeError> {
        let threads = limits.threads();
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("compute-{i}"));
        Ok(Self {
            pool: pool.build()?,
            waiting: Arc::default(),
            patient: Semaphore::new(threads),
            metrics,
            job_ns: Arc::default(),
            threads,
            queue_length: size(limits.queue_length),
            queue_wait: Duration::from_millis(u64::from(limits.queue_wait_ms)),
        })
    }

    /// Refuses a call that would wait for too long, before anything is done for it.
    pub(crate) fn not_overloaded(&self) -> Result<(), CallError> {
        let waiting = self.waiting.load(Ordering::Relaxed);
        let wait = Duration::from_nanos(self.job_ns.load(Ordering::Relaxed))
            * (waiting / self.threads) as u32;
        if waiting < self.queue_length
            && (waiting < ALWAYS_WAITING * self.threads || wait <= self.queue_wait)
        {
            return Ok(());
        }
        Err(self.full())
    }

    fn full(&self) -> CallError {
        self.metrics.shed(Shed::QueueFull);
        CallError::Overloaded {
            retry_after: self.queue_wait,
        }
    }

    /// Runs a job of so many units when its turn comes. Fails at once when the queue is full, and at its turn when that
    /// comes too late.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        units: usize,
        job: impl FnOnce() -> Result<T, CallError> + Send + 'static,
    ) -> Result<T, CallError> {
        if self.waiting.load(Ordering::Relaxed) >= self.queue_length {
            return Err(self.full());
        }
        let patience = 1 + units / PATIENCE_UNITS;
        self.submit(
            job,
            Some(self.queue_wait * u32::try_from(patience).unwrap_or(u32::MAX)),
        )
        .await
    }

    /// Runs a job of a stream, whose client is held back instead of refused when the server is busy. At most one for
    /// each thread is under way.
    pub(crate) async fn run_patiently<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T, CallError> + Send + 'static,
    ) -> Result<T, CallError> {
        let _place = self
            .patient
            .acquire()
            .await
            .map_err(|_| CallError::Draining)?;
        self.submit(job, None).await
    }

    /// Whether nothing waits for a thread.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) == 0
    }

    /// Runs a job that nobody waits for; to be asked only when [`Self::is_idle`].
    pub(crate) fn run_in_spare_time(&self, job: impl FnOnce() + Send + 'static) {
        let place = Place::take(&self.waiting);
        self.pool.spawn_fifo(move || {
            drop(place);
            // A crash is counted by what is missing; it must not end the process.
            let _ = catch_unwind(AssertUnwindSafe(job));
        });
    }

    async fn submit<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T, CallError> + Send + 'static,
        longest_wait: Option<Duration>,
    ) -> Result<T, CallError> {
        let (answer, answered) = oneshot::channel();
        let (place, metrics, job_ns) = (
            Place::take(&self.waiting),
            Arc::clone(&self.metrics),
            Arc::clone(&self.job_ns),
        );
        let (entered, deadline, span) = (Instant::now(), deadline::deadline(), traces::current());
        self.pool.spawn_fifo(move || {
            drop(place);
            let now = Instant::now();
            let waited = now.duration_since(entered);
            metrics.queue_wait.observe(waited.as_secs_f64());
            span.child("queue", entered, now);
            let outcome = if deadline.is_some_and(|deadline| deadline <= now) {
                metrics.shed(Shed::Deadline);
                Err(CallError::DeadlinePassed(
                    "the deadline passed while the call waited for a thread",
                ))
            } else if answer.is_closed() {
                metrics.shed(Shed::HungUp);
                return;
            } else if let Some(longest) = longest_wait.filter(|longest| waited > *longest) {
                metrics.shed(Shed::QueueWait);
                Err(CallError::Overloaded {
                    retry_after: longest,
                })
            } else {
                let outcome = guarded(job);
                span.child("compute", now, Instant::now());
                let took = u64::try_from(now.elapsed().as_nanos()).unwrap_or(u64::MAX);
                let before = job_ns.load(Ordering::Relaxed);
                job_ns.store(before - before / 8 + took / 8, Ordering::Relaxed);
                outcome
            };
            // The caller may have hung up meanwhile.
            let _ = answer.send(outcome);
        });
        answered.await.unwrap_or(Err(CallError::Crashed("scoring")))
    }
}

/// Runs a job here and now; a crash of it is the call's failure and nothing else's.
pub(crate) fn guarded<T>(job: impl FnOnce() -> Result<T, CallError>) -> Result<T, CallError> {
    catch_unwind(AssertUnwindSafe(job)).unwrap_or(Err(CallError::Crashed("scoring")))
}

/// A place in the queue, given back when dropped.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(waiting: &Arc<AtomicUsize>) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(waiting))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn pool(queue_length: u32, queue_wait_ms: u32) -> Arc<Compute> {
        let limits = Limits {
            queue_length,
            queue_wait_ms,
            compute_threads: 1,
            ..Limits::default()
        };
        Arc::new(Compute::start(&limits, Arc::default()).unwrap())
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
            compute.run(1, job).await
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
                tokio::spawn(async move { compute.run(1, move || Ok(i)).await })
            })
            .collect();
        while compute.waiting.load(Ordering::Relaxed) < 2 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(
            compute.run(1, || Ok(())).await,
            Err(CallError::Overloaded { .. })
        ));
        assert!(!compute.is_idle());
        drop(held);
        for (i, call) in waiting.into_iter().enumerate() {
            assert_eq!(call.await.unwrap().unwrap(), i);
        }
        assert_eq!(compute.run(1, || Ok(7)).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn who_has_waited_too_long_is_not_computed_for() {
        let compute = pool(10, 1);
        let held = hold(&compute).await;
        let late = {
            let compute = Arc::clone(&compute);
            tokio::spawn(async move {
                compute
                    .run(1, || -> Result<(), _> { panic!("must not run") })
                    .await
            })
        };
        while compute.waiting.load(Ordering::Relaxed) < 1 {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
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
            .run(1, || -> Result<(), _> { panic!("for the test") })
            .await;
        assert!(matches!(crash, Err(CallError::Crashed(_))));
        assert_eq!(compute.run(1, || Ok(1)).await.unwrap(), 1);
    }
}
