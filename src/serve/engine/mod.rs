//! Computes scores: small requests on the thread that read them, all others on a pool.

mod places;
pub(crate) mod pool;
pub(crate) mod ranking;
pub(crate) mod scorer;
mod shadow;
mod turns;

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::serve::context::CallContext;
use crate::serve::convert::request::RequestContext;
use crate::serve::errors::CallError;
use crate::serve::registry::{ModelRegistry, ServedModel};
use crate::serve::telemetry::metrics::Metrics;
use crate::serve::wire;
use crate::serve::wire::subject::Subject as SubjectForm;
use pool::{Compute, catch_panic};
use ranking::Rankings;
use scorer::BatchResults;
use shadow::ShadowRequest;

/// Subjects that are scored on the thread that read them: less work than a hand-off to another thread.
const INLINE_SUBJECTS: usize = 4;
/// So many entries of a history take as long as a subject.
const ENTRIES_PER_SUBJECT: usize = 64;

/// How much work a job is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// Users, or rows.
    pub(crate) units: usize,
    /// So many units are computed at once, on the calling thread.
    pub(crate) inline_units: usize,
}

/// The threads that compute, with everything that a computation is counted in.
pub(crate) struct Engine {
    /// The pool.
    pub(crate) pool: Arc<Compute>,
    /// The orders of the known users.
    pub(crate) rankings: Rankings,
    /// Whose turn it is to have figures of all users counted.
    pub(crate) insights: Semaphore,
    registry: Arc<ModelRegistry>,
    metrics: Arc<Metrics>,
}

impl Engine {
    /// An engine on this pool.
    pub(crate) fn new(pool: Compute, registry: Arc<ModelRegistry>, metrics: Arc<Metrics>) -> Self {
        let pool = Arc::new(pool);
        Self {
            rankings: Rankings::new(&pool),
            insights: Semaphore::new(1),
            pool,
            registry,
            metrics,
        }
    }

    /// Runs a job where its cost says. A crash of the job is an error of its call alone.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        call: &CallContext,
        cost: Cost,
        job: impl FnOnce() -> Result<T, CallError> + Send + 'static,
    ) -> Result<T, CallError> {
        if cost.units <= cost.inline_units {
            catch_panic(job)
        } else {
            self.pool.run(call, cost.units, job).await
        }
    }

    /// Scores the subject of a request for one user, here and now.
    pub(crate) fn score_user(
        &self,
        context: &Arc<RequestContext>,
        subject: wire::Subject,
    ) -> Result<wire::Score, CallError> {
        // Before the subject is taken apart; copied only for a shadow.
        let shadow = self.shadow_request(context, std::slice::from_ref(&subject));
        let score = scorer::score_user(context, subject)?;
        self.count(&context.model, [&score]);
        if let Some(shadow) = shadow {
            self.compare(shadow, || vec![Some(score.clone())]);
        }
        Ok(score)
    }

    /// Scores the subjects of a batch, here and now. One that is not legal fails alone.
    pub(crate) fn score_batch(
        &self,
        context: &Arc<RequestContext>,
        subjects: Vec<wire::Subject>,
    ) -> BatchResults {
        let shadow = self.shadow_request(context, &subjects);
        let results = scorer::score_batch(context, subjects);
        self.count(&context.model, results.iter().flatten());
        if let Some(shadow) = shadow {
            self.compare(shadow, || scores(&results));
        }
        results
    }

    /// Counts the probabilities at the model's shortest horizon, of requests that wanted it.
    fn count<'s>(&self, model: &ServedModel, scores: impl IntoIterator<Item = &'s wire::Score>) {
        let shortest = model.spec().schema.horizon_days.first().copied();
        let first = scores
            .into_iter()
            .filter_map(|score| score.horizons.first())
            .filter(|first| Some(first.horizon_days) == shortest.map(u32::from));
        self.metrics
            .probability
            .observe_all(first.map(|first| first.churn_probability));
    }

    /// The same request to the shadow; `None` unless the stable model has one.
    fn shadow_request(
        &self,
        context: &Arc<RequestContext>,
        subjects: &[wire::Subject],
    ) -> Option<ShadowRequest> {
        let shadow = self.registry.shadow_of(&context.model)?;
        Some(ShadowRequest {
            shadow,
            context: Arc::clone(context),
            subjects: subjects.to_vec(),
        })
    }

    /// Has the shadow score what has been scored, when the pool is idle, and compares; otherwise counts the users skipped.
    fn compare(&self, request: ShadowRequest, returned: impl FnOnce() -> Vec<Option<wire::Score>>) {
        // Callers come first: a busy server must not become slower by a model that nobody waits for.
        if !self.pool.is_idle() {
            request.skip(&self.registry);
            return;
        }
        let (registry, returned) = (Arc::clone(&self.registry), returned());
        self.pool
            .run_when_idle(move || request.compare(&registry, &returned));
    }
}

/// The scores of a batch, in order; `None` for a subject that failed.
fn scores(results: &BatchResults) -> Vec<Option<wire::Score>> {
    results
        .iter()
        .map(|result| result.as_ref().ok().cloned())
        .collect()
}

/// How much work subjects are.
pub(crate) fn cost(subjects: &[wire::Subject]) -> Cost {
    let units = |subject: &wire::Subject| match &subject.subject {
        Some(SubjectForm::History(history)) => {
            1 + (history.events.len() + history.days.len()) / ENTRIES_PER_SUBJECT
        }
        Some(
            SubjectForm::UserId(_) | SubjectForm::Features(_) | SubjectForm::PackedFeatures(_),
        )
        | None => 1,
    };
    Cost {
        units: subjects.iter().map(units).sum(),
        inline_units: INLINE_SUBJECTS,
    }
}
