//! How a ranking is computed: a block of users is a job of the pool, which takes its turn among those of callers, and at most
//! all threads but one have such a job. So callers wait for some milliseconds more while a ranking is made, and it is made
//! however busy they are.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Progress;
use super::order::{Ranking, ScoredUsers};
use crate::history::{BLOCK_USERS, Day};
use crate::model::Subject;
use crate::serve::context::CallContext;
use crate::serve::engine::pool::Compute;
use crate::serve::errors::CallError;
use crate::serve::quota::Share;
use crate::serve::registry::ServedModel;
use crate::serve::registry::users::KnownUsers;

/// What is to be computed.
#[derive(Clone)]
pub(super) struct Job {
    pub(super) pool: Arc<Compute>,
    pub(super) model: Arc<ServedModel>,
    pub(super) users: Arc<KnownUsers>,
    pub(super) as_of: Day,
}

/// A block of users that is being scored; given up when it is dropped.
struct BlockTask(JoinHandle<Result<ScoredUsers, CallError>>);

impl Drop for BlockTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Job {
    /// Scores all users, block by block, and sorts them. `memory` is what the users take until then.
    pub(super) async fn run(
        self,
        memory: Share,
        progress: &watch::Sender<Progress>,
    ) -> Result<Ranking, CallError> {
        let own = memory.another(0).ok_or(CallError::Crashed("ranking"))?;
        let call = CallContext::of_server(own);
        let blocks = self.users.histories().block_count();
        let at_once = self.pool.threads().saturating_sub(1).max(1);
        let (mut tasks, mut begun) = (VecDeque::<BlockTask>::new(), 0);
        let mut scored = ScoredUsers::new(self.model.spec().schema.horizon_days.len());
        for done in 0..blocks {
            while begun < blocks && tasks.len() < at_once {
                tasks.push_back(BlockTask(tokio::spawn(
                    self.clone().score_on_pool(call.clone(), begun),
                )));
                begun += 1;
            }
            let Some(mut task) = tasks.pop_front() else {
                return Err(CallError::Crashed("ranking"));
            };
            let block = (&mut task.0).await;
            scored.extend(block.map_err(|_| CallError::Crashed("ranking"))??);
            progress.send_replace(Progress::Computing((done + 1) as f64 / blocks as f64));
        }
        // Sorting takes longer than a job of the pool may: the system shares the processors with it.
        let (version, as_of) = (self.model.version().to_owned(), self.as_of);
        let sorting = move || Ranking::new(scored, &version, as_of, memory);
        tokio::task::spawn_blocking(sorting)
            .await
            .map_err(|_| CallError::Crashed("ranking"))
    }

    async fn score_on_pool(
        self,
        call: CallContext,
        block: usize,
    ) -> Result<ScoredUsers, CallError> {
        let pool = Arc::clone(&self.pool);
        let job = move || self.score(block);
        pool.run_with_backpressure(&call, BLOCK_USERS, job).await
    }

    /// The users of a block, scored as ScoreUser scores them.
    fn score(&self, block: usize) -> Result<ScoredUsers, CallError> {
        let (bundle, histories) = (self.model.bundle(), self.users.histories());
        let mut predictor = bundle.predictor(histories.kinds());
        let mut scored = ScoredUsers::new(bundle.spec().schema.horizon_days.len());
        let mut position = u32::try_from(block * BLOCK_USERS).unwrap_or(u32::MAX);
        histories.span_of(block..block + 1).for_each(|_, history| {
            let prediction = predictor.predict(Subject::History(history), self.as_of, 0)?;
            scored.push(position, &prediction);
            position += 1;
            Ok::<_, CallError>(())
        })?;
        Ok(scored)
    }
}
