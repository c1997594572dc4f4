//! One user's answer and what it is made of: probabilities with every feature's part in them, sentences, the weeks before, and
//! what other events would change.
//!
//! [`explain`] gives a [`UserExplanation`], which is plain data: its JSON is the answer for other programs, and `report` draws
//! it. `answer` is the answer as of one day, `value` what the user is worth by it, `conversion` whether a
//! potential one converts, `timeline` the answers of earlier days, `what_if` the answer with supposed
//! events, `sentences` the words, and `near` finds the ids that an unknown one may have meant.

pub(crate) mod answer;
pub(crate) mod conversion;
pub(crate) mod near;
pub(crate) mod sentences;
#[cfg(test)]
mod tests;
pub(crate) mod timeline;
pub(crate) mod value;
pub(crate) mod what_if;

use std::collections::BTreeMap;

use serde::Serialize;

pub use answer::{Answer, Contribution, HorizonAnswer, SegmentAnswer, StageAnswer, Status};
pub use conversion::{ConversionAnswer, ConversionHorizon};
pub use timeline::{Week, WeekRisk};
pub use value::{TierAnswer, ValueAnswer, ValueChange, ValueReason};
pub use what_if::{Change, HorizonChange, SupposedAmount, SupposedEvent, WhatIf, WhatIfError};

use crate::history::{Day, Histories, HistoryError, HistoryView};
use crate::model::{Bundle, ModelError};
use answer::Assessor;

/// What can go wrong with an explanation.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// A user that the log does not have.
    #[error(
        "the log has no user `{user}` before {as_of}; it has {users} users{}",
        near_words(near)
    )]
    UnknownUser {
        /// What was asked for.
        user: String,
        /// The as-of day.
        as_of: Day,
        /// How many users there are.
        users: usize,
        /// The most similar ids, the nearest first.
        near: Vec<String>,
    },
    /// A horizon that the model does not have.
    #[error(
        "the model has no horizon of {asked} days; it has {}",
        day_list(horizon_days)
    )]
    UnknownHorizon {
        /// What was asked for.
        asked: u16,
        /// The model's.
        horizon_days: Vec<u16>,
    },
    /// Supposed events that cannot be.
    #[error(transparent)]
    WhatIf(#[from] WhatIfError),
    /// Histories that could not be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// A user that could not be scored.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl ExplainError {
    /// Whether what was asked for is at fault, and not the log.
    pub fn is_question(&self) -> bool {
        matches!(self, Self::UnknownHorizon { .. } | Self::WhatIf(_))
    }
}

fn near_words(near: &[String]) -> String {
    match near {
        [] => String::new(),
        near => format!(", and among them `{}`", near.join("`, `")),
    }
}

/// `30 and 90 days`.
pub(crate) fn day_list(days: &[u16]) -> String {
    let days: Vec<String> = days.iter().map(u16::to_string).collect();
    format!("{} days", days.join(" and "))
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The model.
    pub bundle: &'a Bundle,
    /// The churn rate of the rows that the model was fitted on, by horizon.
    pub base_rates: &'a BTreeMap<u16, f64>,
    /// All users of the log.
    pub histories: &'a Histories,
    /// The first day that the log covers; no event is supposed before it.
    pub first_day: Day,
    /// The user's id.
    pub user: &'a str,
    /// The day at whose start the user is judged.
    pub as_of: Day,
    /// The only horizon to answer for; `None` for all of the model's.
    pub horizon_days: Option<u16>,
    /// Events in words, such as `2 purchase 3 days ago 49.90`; see `what_if`.
    pub suppose: &'a [String],
}

/// All that is explained of one user.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UserExplanation {
    /// The user.
    pub user_id: String,
    /// The model's version.
    pub model: String,
    /// The answer in sentences.
    pub sentences: Vec<String>,
    /// The answer.
    #[serde(flatten)]
    pub answer: Answer,
    /// What the user did before the as-of day.
    pub activity: ActivitySummary,
    /// The weeks before the as-of day, oldest first: each with the answer that the model gives at its end from what had
    /// happened by then.
    pub timeline: Vec<Week>,
    /// What supposed events would change; `None` where none was supposed.
    pub what_if: Option<WhatIf>,
}

/// What a user did before a day.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ActivitySummary {
    /// The day of the first event of any kind; `None` where there is none before the as-of day.
    pub first_event: Option<Day>,
    /// The day of the last one.
    pub last_event: Option<Day>,
    /// The first day with activity.
    pub first_active: Option<Day>,
    /// The last one.
    pub last_active: Option<Day>,
    /// Days with activity.
    pub active_days: u32,
}

/// Explains a user of a log.
///
/// # Errors
/// [`ExplainError`] names what was asked for and what there is instead.
pub fn explain(question: &Question<'_>) -> Result<UserExplanation, ExplainError> {
    let Question {
        bundle,
        histories,
        user,
        as_of,
        ..
    } = *question;
    check_horizon(question)?;
    let Some(history) = histories.get(user)? else {
        return Err(unknown_user(question)?);
    };
    let supposed = what_if::suppose(question, history.view())?;
    let kinds = what_if::kinds_with(histories.kinds(), &supposed);
    let mut assessor = Assessor::new(question, &kinds);
    let answer = assessor.answer(history.view(), as_of)?;
    let timeline = timeline::weeks(&mut assessor, history.view(), as_of)?;
    let what_if = match supposed.as_slice() {
        [] => None,
        supposed => Some(what_if::compare(&mut assessor, &history, as_of, supposed)?),
    };
    Ok(UserExplanation {
        sentences: sentences::of_answer(bundle, user, &answer),
        user_id: user.to_owned(),
        model: bundle.version().to_owned(),
        activity: activity(&assessor, history.view(), as_of),
        answer,
        timeline,
        what_if,
    })
}

fn check_horizon(question: &Question<'_>) -> Result<(), ExplainError> {
    let horizon_days = &question.bundle.spec().schema.horizon_days;
    match question.horizon_days {
        Some(asked) if !horizon_days.contains(&asked) => Err(ExplainError::UnknownHorizon {
            asked,
            horizon_days: horizon_days.clone(),
        }),
        _ => Ok(()),
    }
}

fn unknown_user(question: &Question<'_>) -> Result<ExplainError, HistoryError> {
    Ok(ExplainError::UnknownUser {
        user: question.user.to_owned(),
        as_of: question.as_of,
        users: question.histories.len(),
        near: near::similar_ids(question.histories, question.user)?,
    })
}

fn activity(assessor: &Assessor<'_>, history: HistoryView<'_>, as_of: Day) -> ActivitySummary {
    let seen = history.before(as_of).records();
    let mut active: Vec<Day> = seen
        .iter()
        .filter(|record| assessor.is_activity(record.kind))
        .map(|record| record.day)
        .collect();
    active.dedup();
    ActivitySummary {
        first_event: seen.first().map(|record| record.day),
        last_event: seen.last().map(|record| record.day),
        first_active: active.first().copied(),
        last_active: active.last().copied(),
        active_days: active.len() as u32,
    }
}
