//! The scoring service: decides where a question is computed, and lets a shadow answer it as well.

use std::pin::Pin;
use std::sync::Arc;

use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::stream;
use crate::serve::convert::request::Asked;
use crate::serve::engine::pool::guarded;
use crate::serve::engine::scorer;
use crate::serve::errors::CallError;
use crate::serve::registry::{Label, Loaded};
use crate::serve::state::ServerState;
use crate::serve::wire;
use crate::serve::wire::score_result::Result as Outcome;
use crate::serve::wire::scoring_service_server::ScoringService;
use crate::serve::wire::subject::Subject as Form;

/// What is computed on the thread that read it, in units of one user: less than the way to another thread costs.
const INLINE_UNITS: usize = 4;
/// So many entries of a history cost as much as a user.
const ENTRIES_PER_UNIT: usize = 64;

/// The scoring service.
pub(crate) struct Scoring {
    state: Arc<ServerState>,
}

impl Scoring {
    /// Scores with the models of this state.
    pub(crate) fn new(state: Arc<ServerState>) -> Self {
        Self { state }
    }
}

#[tonic::async_trait]
impl ScoringService for Scoring {
    type StreamScoreUsersStream = Pin<
        Box<dyn tokio_stream::Stream<Item = Result<wire::StreamScoreUsersResponse, Status>> + Send>,
    >;

    async fn score_user(
        &self,
        request: Request<wire::ScoreUserRequest>,
    ) -> Result<Response<wire::ScoreUserResponse>, Status> {
        let request = request.into_inner();
        let model = self.state.model(&request.model)?;
        let shadow = Shadowed::of(&self.state, &model, || request.clone());
        let units = request.subject.as_ref().map_or(0, units);
        let score = if units <= INLINE_UNITS {
            guarded(|| scorer::single(self.state.asked(&model), request))?
        } else {
            let state = Arc::clone(&self.state);
            let model = Arc::clone(&model);
            self.state
                .compute
                .run(units, move || scorer::single(state.asked(&model), request))
                .await?
        };
        self.state
            .metrics
            .probability
            .observe_all(shortest(&model, [&score]));
        if let Some(shadow) = shadow {
            shadow.compare(
                &self.state,
                1,
                || vec![Some(score.clone())],
                |asked, request| vec![scorer::single(asked, request).ok()],
            );
        }
        Ok(Response::new(wire::ScoreUserResponse {
            score: Some(score),
        }))
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
            batch(&self.state, request, |job| {
                self.state.compute.run(units, job)
            })
            .await
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
            crate::serve::gateway::deadline::deadline(),
        ));
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

/// A computation of a batch.
pub(crate) type BatchJob =
    Box<dyn FnOnce() -> Result<wire::BatchScoreUsersResponse, CallError> + Send>;

/// Answers a batch; `run` decides where it is computed.
pub(crate) async fn batch<F: Future<Output = Result<wire::BatchScoreUsersResponse, CallError>>>(
    state: &Arc<ServerState>,
    request: wire::BatchScoreUsersRequest,
    run: impl FnOnce(BatchJob) -> F,
) -> Result<wire::BatchScoreUsersResponse, CallError> {
    let model = state.model(&request.model)?;
    let shadow = Shadowed::of(state, &model, || request.clone());
    let (own, asked) = (Arc::clone(state), Arc::clone(&model));
    let answer = run(Box::new(move || scorer::batch(own.asked(&asked), request))).await?;
    let scores = answer
        .results
        .iter()
        .filter_map(|result| match &result.result {
            Some(Outcome::Score(score)) => Some(score),
            _ => None,
        });
    state
        .metrics
        .probability
        .observe_all(shortest(&model, scores));
    if let Some(shadow) = shadow {
        shadow.compare(
            state,
            answer.results.len(),
            || scores_of(answer.clone()),
            |asked, request| {
                scorer::batch(asked, request)
                    .map(scores_of)
                    .unwrap_or_default()
            },
        );
    }
    Ok(answer)
}

/// The probabilities at the model's shortest horizon, of those who were asked for it.
fn shortest<'a>(
    model: &Loaded,
    scores: impl IntoIterator<Item = &'a wire::Score>,
) -> impl Iterator<Item = f64> {
    let horizon_days = model
        .served
        .bundle()
        .spec()
        .schema
        .horizon_days
        .first()
        .copied()
        .map(u32::from);
    let first = scores
        .into_iter()
        .filter_map(|score| score.horizons.first());
    first
        .filter(move |first| Some(first.horizon_days) == horizon_days)
        .map(|first| first.churn_probability)
}

/// How much work a subject is.
fn units(subject: &wire::Subject) -> usize {
    match &subject.subject {
        Some(Form::History(history)) => {
            1 + (history.events.len() + history.days.len()) / ENTRIES_PER_UNIT
        }
        Some(Form::UserId(_) | Form::Features(_) | Form::PackedFeatures(_)) | None => 1,
    }
}

/// A question to the stable model that its shadow is to answer too.
struct Shadowed<R> {
    stable: Arc<Loaded>,
    shadow: Arc<Loaded>,
    request: R,
}

impl<R: Send + 'static> Shadowed<R> {
    /// `None` unless `model` is the stable one and has a shadow.
    fn of(state: &ServerState, model: &Arc<Loaded>, request: impl FnOnce() -> R) -> Option<Self> {
        let shelf = state.models.shelf();
        let shadow = shelf
            .labelled_by(Label::Shadow)
            .filter(|shadow| !Arc::ptr_eq(shadow, model))?;
        let beside = shelf
            .labelled_by(Label::Stable)
            .is_some_and(|stable| Arc::ptr_eq(stable, model));
        beside.then(|| Self {
            stable: Arc::clone(model),
            shadow: Arc::clone(shadow),
            request: request(),
        })
    }

    /// Asks the shadow when there is nothing else to do, and compares its answers about `users` users with those given.
    fn compare(
        self,
        state: &Arc<ServerState>,
        users: usize,
        given: impl FnOnce() -> Vec<Option<wire::Score>>,
        ask: impl FnOnce(Asked<'_>, R) -> Vec<Option<wire::Score>> + Send + 'static,
    ) {
        let Self {
            stable,
            shadow,
            request,
        } = self;
        if !state.compute.is_idle() {
            state.models.compare(&stable, &shadow, |comparison| {
                comparison.skipped += users as u64
            });
            return;
        }
        let (own, given) = (Arc::clone(state), given());
        state.compute.run_in_spare_time(move || {
            let answers = ask(own.asked(&shadow), request);
            own.models.compare(&stable, &shadow, |comparison| {
                for (i, given) in given.iter().enumerate() {
                    if let Some(given) = given {
                        comparison.add(given, answers.get(i).and_then(Option::as_ref));
                    }
                }
            });
        });
    }
}

/// The scores of a batch, in order; `None` for a subject that has none.
fn scores_of(answer: wire::BatchScoreUsersResponse) -> Vec<Option<wire::Score>> {
    let score = |result: wire::ScoreResult| match result.result {
        Some(Outcome::Score(score)) => Some(score),
        _ => None,
    };
    answer.results.into_iter().map(score).collect()
}
