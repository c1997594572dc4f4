use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::errors::CallError;
use super::question::Question;
use super::state::{ModelSlot, Served};
use super::subject::{Checked, Place, check};
use super::wire::score_result::Result as Outcome;
use super::wire::scoring_service_server::ScoringService;
use super::{answer, wire};
use crate::history::{Day, DayClock, HistoryView};
use crate::model::{Assessment, Assessor, ModelError, Subject};

/// A batch of more subjects than this leaves the threads that serve connections, so that it does not hold up the
/// calls beside it.
const INLINE_SUBJECTS: usize = 32;

/// The scoring service.
#[derive(Debug)]
pub(super) struct Scoring {
    slot: Arc<ModelSlot>,
}

impl Scoring {
    /// Scores with whatever model is in the slot.
    pub(super) fn new(slot: Arc<ModelSlot>) -> Self {
        Self { slot }
    }
}

#[tonic::async_trait]
impl ScoringService for Scoring {
    async fn score_user(
        &self,
        request: Request<wire::ScoreUserRequest>,
    ) -> Result<Response<wire::ScoreUserResponse>, Status> {
        let served = self.slot.current()?;
        let (question, subject) = Question::single(&served, request.into_inner())?;
        let score = Scorer::new(&question).score(subject, Place::Single)?;
        Ok(Response::new(wire::ScoreUserResponse { score: Some(score) }))
    }

    async fn batch_score_users(
        &self,
        request: Request<wire::BatchScoreUsersRequest>,
    ) -> Result<Response<wire::BatchScoreUsersResponse>, Status> {
        let served = self.slot.current()?;
        let request = request.into_inner();
        let answer = if request.subjects.len() <= INLINE_SUBJECTS {
            batch(&served, request)
        } else {
            let job = tokio::task::spawn_blocking(move || batch(&served, request));
            job.await.unwrap_or_else(|error| Err(error.into()))
        };
        Ok(Response::new(answer?))
    }
}

fn batch(served: &Served, request: wire::BatchScoreUsersRequest) -> Result<wire::BatchScoreUsersResponse, CallError> {
    let (question, subjects) = Question::batch(served, request)?;
    let mut scorer = Scorer::new(&question);
    let mut results = Vec::with_capacity(subjects.len());
    for (i, subject) in subjects.into_iter().enumerate() {
        let outcome = match scorer.score(subject, Place::Batch(i)) {
            Ok(score) => Outcome::Score(score),
            Err(error) => Outcome::Error(error.into()),
        };
        results.push(wire::ScoreResult { result: Some(outcome) });
    }
    Ok(wire::BatchScoreUsersResponse {
        results,
        model_version: served.bundle().version().to_owned(),
        as_of: question.as_of_text(),
    })
}

/// Answers one question for subject after subject, keeping its buffers.
struct Scorer<'q, 's> {
    question: &'q Question<'s>,
    clock: DayClock,
    inline: Assessor<'s>,
    known: Option<Assessor<'s>>,
}

impl<'q, 's> Scorer<'q, 's> {
    fn new(question: &'q Question<'s>) -> Self {
        let served = question.served;
        Self { question, clock: served.clock(), inline: served.bundle().assessor(served.kinds()), known: None }
    }

    fn score(&mut self, subject: wire::Subject, place: Place) -> Result<wire::Score, CallError> {
        let checked = check(self.question, &mut self.clock, subject, place)?;
        let (assessment, later) = match checked {
            Checked::UnknownUser => (None, 0),
            Checked::User(history, as_of) => {
                (Some(self.known(history.view(), as_of)?), events_from(history.view(), as_of))
            }
            Checked::Inline(history, as_of, later) => {
                (Some(self.inline.assess(Subject::History(history.view()), as_of, self.question.reason_count)?), later)
            }
            Checked::Named(vector) => {
                let assessed = self.vector(&vector);
                (Some(assessed.map_err(|e| named_feature_needed(e, place))?), 0)
            }
            Checked::Packed(vector) => {
                let assessed = self.vector(&vector);
                (Some(assessed.map_err(|e| packed_feature_needed(e, self.question, place))?), 0)
            }
        };
        Ok(answer::score(self.question, assessment, later))
    }

    fn known(&mut self, view: HistoryView<'_>, as_of: Day) -> Result<Assessment<'s>, ModelError> {
        let served = self.question.served;
        let kinds = served.users().map(|users| users.histories().kinds()).unwrap_or_default();
        let assessor = self.known.get_or_insert_with(|| served.bundle().assessor(kinds));
        assessor.assess(Subject::History(view), as_of, self.question.reason_count)
    }

    fn vector(&mut self, vector: &[f64]) -> Result<Assessment<'s>, ModelError> {
        let bundle = self.question.served.bundle();
        // The day plays no part: a vector has been computed for one already.
        let as_of = self.question.as_of.unwrap_or(bundle.spec().training.as_of);
        self.inline.assess(Subject::Features(vector), as_of, self.question.reason_count)
    }
}

fn events_from(view: HistoryView<'_>, as_of: Day) -> u64 {
    let seen = view.before(as_of).records().len();
    view.records().iter().skip(seen).map(|record| u64::from(record.count)).sum()
}

const NEEDED: &str = "every subject must have this feature, and it was not given";

fn named_feature_needed(error: ModelError, place: Place) -> CallError {
    match error {
        ModelError::Needed { name } => CallError::field(format!("{place}.features.values[{name}]"), NEEDED),
        other => other.into(),
    }
}

fn packed_feature_needed(error: ModelError, question: &Question<'_>, place: Place) -> CallError {
    match error {
        ModelError::Needed { name } => {
            let position = question.served.position(&name).unwrap_or_default();
            let problem = format!("`{name}`: {NEEDED}");
            CallError::field(format!("{place}.packed_features.values[{position}]"), problem)
        }
        other => other.into(),
    }
}
