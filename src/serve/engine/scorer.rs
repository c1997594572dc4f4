//! From checked requests to answers, without waiting for anything.

use crate::history::{Day, DayClock, HistoryView};
use crate::model::{ModelError, Prediction, Predictor, Subject};
use crate::serve::convert::request::{Asked, Question};
use crate::serve::convert::score;
use crate::serve::convert::subject::{Checked, Inline, Place, check};
use crate::serve::convert::vocabulary::UnknownKinds;
use crate::serve::errors::CallError;
use crate::serve::wire;
use crate::serve::wire::score_result::Result as Outcome;

/// The answer about one user.
pub(crate) fn single(
    asked: Asked<'_>,
    request: wire::ScoreUserRequest,
) -> Result<wire::Score, CallError> {
    let (question, subject) = Question::single(asked, request)?;
    Scorer::new(&question).score(subject, Place::Single)
}

/// The answers about many users.
pub(crate) fn batch(
    asked: Asked<'_>,
    request: wire::BatchScoreUsersRequest,
) -> Result<wire::BatchScoreUsersResponse, CallError> {
    let (question, subjects) = Question::batch(asked, request)?;
    let mut scorer = Scorer::new(&question);
    let mut results = Vec::with_capacity(subjects.len());
    for (i, subject) in subjects.into_iter().enumerate() {
        let outcome = match scorer.score(subject, Place::Batch(i)) {
            Ok(score) => Outcome::Score(score),
            Err(error) => Outcome::Error(error.into()),
        };
        results.push(wire::ScoreResult {
            result: Some(outcome),
        });
    }
    Ok(wire::BatchScoreUsersResponse {
        results,
        model_version: question.served().bundle().version().to_owned(),
        as_of: question.as_of_text(),
    })
}

/// Answers one question for subject after subject, keeping its buffers.
struct Scorer<'q, 's> {
    question: &'q Question<'s>,
    clock: DayClock,
    inline: Predictor<'s>,
    known: Option<Predictor<'q>>,
}

impl<'q, 's> Scorer<'q, 's> {
    fn new(question: &'q Question<'s>) -> Self {
        let served = question.served();
        Self {
            question,
            clock: served.clock(),
            inline: served.bundle().predictor(served.kinds()),
            known: None,
        }
    }

    fn score(&mut self, subject: wire::Subject, place: Place) -> Result<wire::Score, CallError> {
        let question = self.question;
        let mut unknown = UnknownKinds::default();
        let (prediction, later) = match check(question, &mut self.clock, subject, place)? {
            Checked::User(history, as_of) => {
                let later = events_from(history.view(), as_of);
                (self.known(history.view(), as_of)?, later)
            }
            Checked::Inline(Inline {
                history,
                as_of,
                later,
                unknown: found,
            }) => {
                unknown = found;
                (
                    self.inline.predict(
                        Subject::History(history.view()),
                        as_of,
                        question.reason_count,
                    )?,
                    later,
                )
            }
            Checked::Named(vector) => {
                let assessed = self.vector(&vector);
                (assessed.map_err(|e| named_feature_needed(e, place))?, 0)
            }
            Checked::Packed(vector) => {
                let assessed = self.vector(&vector);
                (
                    assessed.map_err(|e| packed_feature_needed(e, question, place))?,
                    0,
                )
            }
        };
        Ok(score::score(question, prediction, later, unknown))
    }

    fn known(&mut self, view: HistoryView<'_>, as_of: Day) -> Result<Prediction<'q>, ModelError> {
        let question = self.question;
        let predictor = self.known.get_or_insert_with(|| {
            let kinds = question
                .asked
                .users
                .as_ref()
                .map(|users| users.histories().kinds())
                .unwrap_or_default();
            question.served().bundle().predictor(kinds)
        });
        predictor.predict(Subject::History(view), as_of, question.reason_count)
    }

    fn vector(&mut self, vector: &[f64]) -> Result<Prediction<'s>, ModelError> {
        // The day plays no part: a vector has been computed for one already.
        let as_of = self
            .question
            .as_of
            .unwrap_or(self.question.served().bundle().spec().training.as_of);
        self.inline
            .predict(Subject::Features(vector), as_of, self.question.reason_count)
    }
}

fn events_from(view: HistoryView<'_>, as_of: Day) -> u64 {
    let seen = view.before(as_of).records().len();
    view.records()
        .iter()
        .skip(seen)
        .map(|record| u64::from(record.count))
        .sum()
}

const NEEDED: &str = "every subject must have this feature, and it was not given";

fn named_feature_needed(error: ModelError, place: Place) -> CallError {
    match error {
        ModelError::Needed { name } => {
            CallError::field(format!("{place}.features.values[{name}]"), NEEDED)
        }
        other => other.into(),
    }
}

fn packed_feature_needed(error: ModelError, question: &Question<'_>, place: Place) -> CallError {
    match error {
        ModelError::Needed { name } => {
            let position = question.served().position(&name).unwrap_or_default();
            let problem = format!("`{name}`: {NEEDED}");
            CallError::field(
                format!("{place}.packed_features.values[{position}]"),
                problem,
            )
        }
        other => other.into(),
    }
}
