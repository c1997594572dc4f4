//! The scoring service: decides where a question is computed, and lets a shadow answer it as well.

use std::pin::Pin;
use std::sync::Arc;

use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::compute::guarded;
use super::errors::CallError;
use super::models::{Label, Loaded};
use super::state::ServerState;
use super::wire::score_result::Result as Outcome;
use super::wire::scoring_service_server::ScoringService;
use super::wire::subject::Subject as Form;
use super::{scorer, stream, wire};

/// What is computed on the thread that read it, in units of one user: less than the way to another thread costs.
const INLINE_UNITS: usize = 4;
/// So many entries of a history cost as much as a user.
const ENTRIES_PER_UNIT: usize = 64;

/// The scoring service.
pub(super) struct Scoring {
    state: Arc<ServerState>,
}

impl Scoring {
    /// Scores with the models of this state.
    pub(super) fn new(state: Arc<ServerState>) -> Self {
        Self { state }
    }
}

#[tonic::async_trait]
impl ScoringService for Scoring {
    type StreamScoreUsersStream =
        Pin<Box<dyn tokio_stream::Stream<Item = Result<wire::StreamScoreUsersResponse, Status>> + Send>>;

    async fn score_user(
        &self,
        request: Request<wire::ScoreUserRequest>,
    ) -> Result<Response<wire::ScoreUserResponse>, Status> {
        let request = request.into_inner();
        let model = self.state.model(&request.model)?;
        let shadow = shadow_of(&self.state, &model).map(|shadow| (shadow, request.clone()));
        let units = request.subject.as_ref().map_or(0, units);
        let score = if units <= INLINE_UNITS {
            guarded(|| scorer::single(self.state.asked(&model), request))?
        } else {
            let state = Arc::clone(&self.state);
            self.state.compute.run(units, move || scorer::single(state.asked(&model), request)).await?
        };
        if let Some(first) = score.horizons.first() {
            self.state.metrics.probability.observe(first.churn_probability);
        }
        if let Some((shadow, request)) = shadow {
            compare_single(&self.state, shadow, request, score.clone());
        }
        Ok(Response::new(wire::ScoreUserResponse { score: Some(score) }))
    }

    async fn batch_score_users(
        &self,
        request: Request<wire::BatchScoreUsersRequest>,
    ) -> Result<Response<wire::BatchScoreUsersResponse>, Status> {
        let request = request.into_inner();
        let units = request.subjects.iter().map(units).sum();
        let answer = if units <= INLINE_UNITS {
            batch(&self.state, request, |job| std::future::ready(guarded(job))).await
        } else {
            batch(&self.state, request, |job| self.state.compute.run(units, job)).await
        };
        Ok(Response::new(answer?))
    }

    async fn stream_score_users(
        &self,
        request: Request<Streaming<wire::StreamScoreUsersRequest>>,
    ) -> Result<Response<Self::StreamScoreUsersStream>, Status> {
        self.state.not_draining()?;
        // One answer ready while the next is computed.
        let (answers, receiver) = tokio::sync::mpsc::channel(1);
        tokio::spawn(stream::answer_all(
            Arc::clone(&self.state),
            request.into_inner(),
            answers,
            super::call::deadline(),
        ));
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

/// A computation of a batch.
pub(super) type BatchJob = Box<dyn FnOnce() -> Result<wire::BatchScoreUsersResponse, CallError> + Send>;

/// Answers a batch; `run` decides where it is computed.
pub(super) async fn batch<F: Future<Output = Result<wire::BatchScoreUsersResponse, CallError>>>(
    state: &Arc<ServerState>,
    request: wire::BatchScoreUsersRequest,
    run: impl FnOnce(BatchJob) -> F,
) -> Result<wire::BatchScoreUsersResponse, CallError> {
    let model = state.model(&request.model)?;
    let shadow = shadow_of(state, &model).map(|shadow| (shadow, request.clone()));
    let own = Arc::clone(state);
    let answer = run(Box::new(move || scorer::batch(own.asked(&model), request))).await?;
    let scores = answer.results.iter().filter_map(|result| match &result.result {
        Some(Outcome::Score(score)) => score.horizons.first().map(|first| first.churn_probability),
        _ => None,
    });
    state.metrics.probability.observe_all(scores);
    if let Some((shadow, request)) = shadow {
        compare_batch(state, shadow, request, answer.clone());
    }
    Ok(answer)
}

/// How much work a subject is.
fn units(subject: &wire::Subject) -> usize {
    match &subject.subject {
        Some(Form::History(history)) => 1 + (history.events.len() + history.days.len()) / ENTRIES_PER_UNIT,
        Some(Form::UserId(_) | Form::Features(_) | Form::PackedFeatures(_)) | None => 1,
    }
}

/// The shadow that answers beside `model`; it only ever stands beside the stable one.
fn shadow_of(state: &ServerState, model: &Arc<Loaded>) -> Option<Arc<Loaded>> {
    let shelf = state.models.shelf();
    let shadow = shelf.labelled_by(Label::Shadow)?;
    let beside = shelf.labelled_by(Label::Stable).is_some_and(|stable| Arc::ptr_eq(stable, model));
    (beside && !Arc::ptr_eq(shadow, model)).then(|| Arc::clone(shadow))
}

fn compare_single(state: &Arc<ServerState>, shadow: Arc<Loaded>, request: wire::ScoreUserRequest, given: wire::Score) {
    let (own, model) = (Arc::clone(state), Arc::clone(&shadow));
    let job = move || {
        let answer = scorer::single(own.asked(&model), request).ok();
        own.models.compare(&model, |comparison| comparison.add(&given, answer.as_ref()));
    };
    if !state.compute.run_in_spare_time(job) {
        state.models.compare(&shadow, |comparison| comparison.skipped += 1);
    }
}

fn compare_batch(
    state: &Arc<ServerState>,
    shadow: Arc<Loaded>,
    request: wire::BatchScoreUsersRequest,
    given: wire::BatchScoreUsersResponse,
) {
    let (own, model, users) = (Arc::clone(state), Arc::clone(&shadow), given.results.len() as u64);
    let job = move || {
        let answer = scorer::batch(own.asked(&model), request).unwrap_or_default();
        own.models.compare(&model, |comparison| {
            for (i, result) in given.results.iter().enumerate() {
                if let Some(Outcome::Score(score)) = &result.result {
                    let shadow = answer.results.get(i).and_then(|result| match &result.result {
                        Some(Outcome::Score(score)) => Some(score),
                        _ => None,
                    });
                    comparison.add(score, shadow);
                }
            }
        });
    };
    if !state.compute.run_in_spare_time(job) {
        state.models.compare(&shadow, |comparison| comparison.skipped += users);
    }
}
