use crate::history::{Day, DayClock, HistoryView};
use crate::model::{ModelError, Predictor, Subject};
use crate::serve::convert::attributes;
use crate::serve::convert::history::InlineHistory;
use crate::serve::convert::request::RequestContext;
use crate::serve::convert::score::{Answer, InputReport, score};
use crate::serve::convert::subject::{ParsedSubject, parse};
use crate::serve::errors::{CallError, FieldPath};
use crate::serve::wire;

/// The results of a batch, one for each subject, in order.
pub(crate) type BatchResults = Vec<Result<wire::Score, CallError>>;

/// Scores the subject of a request for one user.
pub(crate) fn score_user(
    context: &RequestContext,
    subject: wire::Subject,
) -> Result<wire::Score, CallError> {
    Scorer::new(context).score(subject, FieldPath::Subject)
}

/// Scores the subjects of a batch. One that is not legal fails alone.
pub(crate) fn score_batch(context: &RequestContext, subjects: Vec<wire::Subject>) -> BatchResults {
    let mut scorer = Scorer::new(context);
    let subjects = subjects.into_iter().enumerate();
    subjects
        .map(|(i, subject)| scorer.score(subject, FieldPath::Subjects(i)))
        .collect()
}

/// Scores subject after subject of one request, in the same buffers.
struct Scorer<'c> {
    context: &'c RequestContext,
    clock: DayClock,
    /// Of inline histories and vectors, whose records refer to the model's kinds.
    inline: Predictor<'c>,
    /// Of the roll-up's users, whose records refer to the roll-up's kinds; made for the first of them.
    known: Option<Predictor<'c>>,
}

impl<'c> Scorer<'c> {
    fn new(context: &'c RequestContext) -> Self {
        let model = &context.model;
        Self {
            context,
            clock: model.clock(),
            inline: model.bundle().predictor(model.kinds()),
            known: None,
        }
    }

    fn score(&mut self, subject: wire::Subject, path: FieldPath) -> Result<wire::Score, CallError> {
        let mut report = InputReport {
            missing_attributes: attributes::missing(&self.context.model, &subject),
            ..InputReport::default()
        };
        let subject = parse(self.context, &mut self.clock, subject, path)?;
        let answer = match subject {
            ParsedSubject::User(history, as_of) => {
                report.events_after_as_of = events_from(history.view(), as_of);
                self.known_user(history.view(), as_of)?
            }
            ParsedSubject::Inline(inline) => {
                let InlineHistory {
                    history,
                    as_of,
                    events_after_as_of,
                    unknown,
                } = inline;
                report.events_after_as_of = events_after_as_of;
                report.unknown = unknown;
                let reason_count = self.context.params.reason_count;
                of_history(&mut self.inline, history.view(), as_of, reason_count)?
            }
            ParsedSubject::Named(vector) => self
                .vector(&vector)
                .map_err(|error| named_feature_needed(error, path))?,
            ParsedSubject::Packed(vector) => self
                .vector(&vector)
                .map_err(|error| packed_feature_needed(error, self.context, path))?,
        };
        Ok(score(self.context, answer, report))
    }

    fn known_user(&mut self, view: HistoryView<'_>, as_of: Day) -> Result<Answer<'c>, ModelError> {
        let context = self.context;
        let predictor = self.known.get_or_insert_with(|| {
            let users = context.users.as_ref();
            let kinds = users.map_or(&[][..], |users| users.histories().kinds());
            context.model.bundle().predictor(kinds)
        });
        let answer = of_history(predictor, view, as_of, context.params.reason_count)?;
        let part = context.model.spec().conversion.as_ref();
        let users = context.users.as_ref();
        // Of a roll-up without these events nobody can tell who has converted.
        let is_told = part
            .zip(users)
            .is_some_and(|(part, users)| users.has_any(&part.event));
        Ok(Answer {
            conversion: answer.conversion.filter(|_| is_told),
            ..answer
        })
    }

    fn vector(&mut self, vector: &[f64]) -> Result<Answer<'c>, ModelError> {
        let RequestContext { params, model, .. } = self.context;
        // The day has no effect: a vector has been computed for one already.
        let as_of = params.as_of.unwrap_or(model.spec().training.as_of);
        let subject = Subject::Features(vector);
        Ok(Answer {
            prediction: self.inline.predict(subject, as_of, params.reason_count)?,
            // The vector has the features of churn.
            conversion: None,
        })
    }
}

fn of_history<'c>(
    predictor: &mut Predictor<'c>,
    history: HistoryView<'_>,
    as_of: Day,
    reason_count: usize,
) -> Result<Answer<'c>, ModelError> {
    Ok(Answer {
        prediction: predictor.predict(Subject::History(history), as_of, reason_count)?,
        conversion: predictor.conversion(history, as_of, reason_count)?,
    })
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

fn named_feature_needed(error: ModelError, path: FieldPath) -> CallError {
    match error {
        ModelError::Needed { name } => {
            CallError::field(format!("{path}.features.values[{name}]"), NEEDED)
        }
        other => other.into(),
    }
}

fn packed_feature_needed(
    error: ModelError,
    context: &RequestContext,
    path: FieldPath,
) -> CallError {
    let ModelError::Needed { name } = error else {
        return error.into();
    };
    match context.model.position(&name) {
        Ok(position) => CallError::field(
            format!("{path}.packed_features.values[{position}]"),
            format!("`{name}`: {NEEDED}"),
        ),
        // The model needs a feature that it does not have: its own fault.
        Err(_) => ModelError::Needed { name }.into(),
    }
}
