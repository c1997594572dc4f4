//! What other events would change.
//!
//! Nothing on the as-of day or later is seen, so an event of *today*, which is the as-of day, counts from the next day on. Where
//! one is supposed, the user is judged at the start of the next day, with it and without it: what changes is due to the event,
//! and not to the day that passes.

pub(crate) mod grammar;

use serde::{Serialize, Serializer};

use super::answer::{Answer, Assessor, Contribution, HorizonAnswer, Status};
use super::value::{self, ValueChange};
use super::{ExplainError, Question, sentences};
use crate::history::{Amount, Day, DayRecord, History, HistoryView};
use grammar::When;

/// Kinds that an error lists.
const KINDS_SHOWN: usize = 12;

/// Why events cannot be supposed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WhatIfError {
    /// Words that are no event.
    #[error(
        "`{text}` is no event: {problem}. Write [COUNT] KIND WHEN [AMOUNT], where WHEN is today, yesterday, 3 days ago or \
         2025-06-20, and the amount that of each event: `purchase today`, `2 purchase 3 days ago 49.90`"
    )]
    Words {
        /// What was given.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A kind that neither the log nor the model has.
    #[error(
        "`{text}`: neither the log nor the model has the kind `{kind}`{}; there are {}",
        nearest.as_ref().map(|kind| format!(", the nearest is `{kind}`")).unwrap_or_default(),
        kind_list(kinds)
    )]
    UnknownKind {
        /// What was given.
        text: String,
        /// The kind.
        kind: String,
        /// The most similar known kind.
        nearest: Option<String>,
        /// The known kinds.
        kinds: Vec<String>,
    },
    /// A day that has not begun, or that the log does not cover.
    #[error(
        "`{text}`: {day} does not lie between {first}, the first day that the log covers, and {today}, the as-of day, which is \
         today's"
    )]
    Day {
        /// What was given.
        text: String,
        /// The day that it names.
        day: Day,
        /// The first day that the log covers.
        first: Day,
        /// The as-of day.
        today: Day,
    },
}

fn kind_list(kinds: &[String]) -> String {
    let quoted: Vec<String> = kinds
        .iter()
        .take(KINDS_SHOWN)
        .map(|kind| format!("`{kind}`"))
        .collect();
    let more = if kinds.len() > KINDS_SHOWN {
        ", ..."
    } else {
        ""
    };
    format!("{}{more}", quoted.join(", "))
}

/// Some equal events that are supposed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SupposedEvent {
    /// As they were given.
    pub text: String,
    /// How many.
    pub count: u32,
    /// Their kind.
    pub kind: String,
    /// Their day.
    pub day: Day,
    /// The amount of each.
    #[serde(serialize_with = "as_number")]
    pub amount: Amount,
    /// Where the amount comes from.
    pub amount_from: SupposedAmount,
    /// Whether the model has features of this kind; other kinds count only as events of any kind.
    pub is_weighed: bool,
}

fn as_number<S: Serializer>(amount: &Amount, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(amount.value())
}

/// Where the amount of a supposed event comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SupposedAmount {
    /// It was given.
    Given,
    /// The mean of the user's own events of the kind.
    UserMean,
    /// The user has no event of the kind with an amount.
    None,
}

/// The answer with supposed events beside that without them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WhatIf {
    /// The day at whose start both are judged: the as-of day, or the next one where an event of the as-of day is supposed.
    pub as_of: Day,
    /// What is supposed.
    pub events: Vec<SupposedEvent>,
    /// The change in sentences.
    pub sentences: Vec<String>,
    /// The answer without the events.
    pub before: Answer,
    /// The answer with them.
    pub after: Answer,
    /// What changes, for each horizon; none where one of the answers is no score.
    pub changes: Vec<HorizonChange>,
    /// What changes of the user's value; `None` where one of the answers has none.
    pub value: Option<ValueChange>,
}

/// What changes of the answer for one horizon.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HorizonChange {
    /// The horizon in days.
    pub horizon_days: u16,
    /// Log-odds with the events less those without.
    pub log_odds_change: f64,
    /// The feature groups whose contribution changes, by decreasing size of the change.
    pub reasons: Vec<Change>,
    /// The features whose contribution or value changes, by decreasing size of the change of the contribution.
    pub contributions: Vec<Change>,
}

/// A feature, or a feature group, before and after.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Contribution after less contribution before.
    pub change: f64,
    /// The feature's value with the supposed events, in words; of a group that of the feature that changes most in the same
    /// direction.
    pub description: String,
    /// Without the supposed events.
    pub before: Contribution,
    /// With them.
    pub after: Contribution,
}

/// The events that a question supposes of the user with this history.
pub(crate) fn suppose(
    question: &Question<'_>,
    history: HistoryView<'_>,
) -> Result<Vec<SupposedEvent>, WhatIfError> {
    let known = known_kinds(question);
    let events = question.suppose.iter();
    events
        .map(|text| resolve(question, history, &known, text))
        .collect()
}

/// Every kind of the log and of the model, in order of their names.
fn known_kinds(question: &Question<'_>) -> Vec<String> {
    let spec = question.bundle.spec();
    let model = spec.schema.activity.iter().chain(&spec.schema.other_kinds);
    let mut known: Vec<String> = model
        .chain(&spec.churn_event)
        .chain(&spec.schema.value_kinds)
        .chain(spec.schema.signal_kinds())
        .chain(question.histories.kinds())
        .cloned()
        .collect();
    known.sort_unstable();
    known.dedup();
    known
}

fn resolve(
    question: &Question<'_>,
    history: HistoryView<'_>,
    known: &[String],
    text: &str,
) -> Result<SupposedEvent, WhatIfError> {
    let words = grammar::parse(text)?;
    if !known.contains(&words.kind) {
        return Err(unknown_kind(text, words.kind, known));
    }
    let (first, today) = (question.first_day, question.as_of);
    let day = match words.when {
        When::DaysAgo(days) => today.plus(i32::try_from(days).map_or(i32::MIN, |days| -days)),
        When::On(day) => day,
    };
    if !(first..=today).contains(&day) {
        return Err(WhatIfError::Day {
            text: text.to_owned(),
            day,
            first,
            today,
        });
    }
    let (amount, amount_from) = match words.amount {
        Some(amount) => (amount, SupposedAmount::Given),
        None => mean_amount(question, history, &words.kind),
    };
    let spec = question.bundle.spec();
    let is_weighed = spec.schema.activity.contains(&words.kind)
        || spec.schema.other_kinds.contains(&words.kind)
        || spec.churn_event.as_ref() == Some(&words.kind);
    Ok(SupposedEvent {
        text: text.to_owned(),
        count: words.count,
        kind: words.kind,
        day,
        amount,
        amount_from,
        is_weighed,
    })
}

fn unknown_kind(text: &str, kind: String, known: &[String]) -> WhatIfError {
    let similarity = |other: &String| strsim::jaro_winkler(&kind, other);
    let nearest = known
        .iter()
        .max_by(|a, b| similarity(a).total_cmp(&similarity(b)))
        .filter(|nearest| similarity(nearest) > 0.7)
        .cloned();
    WhatIfError::UnknownKind {
        text: text.to_owned(),
        kind,
        nearest,
        kinds: known.to_vec(),
    }
}

/// The mean amount of the user's events of a kind before the as-of day.
fn mean_amount(
    question: &Question<'_>,
    history: HistoryView<'_>,
    kind: &str,
) -> (Amount, SupposedAmount) {
    let kinds = question.histories.kinds();
    let own = history.before(question.as_of).records().iter();
    let own = own.filter(|record| kinds[usize::from(record.kind)] == kind);
    let (events, micros) = own.fold((0_i64, 0_i128), |(events, micros), record| {
        let amount = i128::from(record.amount.micros());
        (events + i64::from(record.count), micros + amount)
    });
    // The mean of amounts that can be held can be held too.
    match i64::try_from(micros / i128::from(events.max(1))) {
        Ok(mean) if mean != 0 => (Amount::from_micros(mean), SupposedAmount::UserMean),
        _ => (Amount::default(), SupposedAmount::None),
    }
}

/// The log's kinds, and behind them those of supposed events that the log does not have.
pub(crate) fn kinds_with(kinds: &[String], supposed: &[SupposedEvent]) -> Vec<String> {
    let mut kinds = kinds.to_vec();
    for event in supposed {
        if !kinds.contains(&event.kind) {
            kinds.push(event.kind.clone());
        }
    }
    kinds
}

/// The answers with and without supposed events.
pub(crate) fn compare(
    assessor: &mut Assessor<'_>,
    history: &History,
    today: Day,
    events: &[SupposedEvent],
) -> Result<WhatIf, ExplainError> {
    // Days at or after the as-of day are the future; the log may have some of them.
    let history = history.view().before(today).to_owned();
    let of_today = events.iter().any(|event| event.day == today);
    let as_of = today.plus(i32::from(of_today));
    let mut supposed = history.clone();
    supposed.merge(History::new(records(assessor.kinds(), events))?.view())?;
    let before = assessor.answer(history.view(), as_of)?;
    let after = assessor.answer(supposed.view(), as_of)?;
    let changes = before.horizons.iter().zip(&after.horizons);
    let changes = match (before.status, after.status) {
        (Status::Scored, Status::Scored) => changes.map(|(a, b)| change(a, b)).collect(),
        _ => Vec::new(),
    };
    let value = value::change(before.value.as_ref(), after.value.as_ref());
    let what_if = WhatIf {
        as_of,
        events: events.to_vec(),
        sentences: Vec::new(),
        before,
        after,
        changes,
        value,
    };
    Ok(WhatIf {
        sentences: sentences::of_what_if(assessor.bundle(), today, &what_if),
        ..what_if
    })
}

fn records(kinds: &[String], events: &[SupposedEvent]) -> Vec<DayRecord> {
    let record = |event: &SupposedEvent| {
        let kind = kinds.iter().position(|kind| *kind == event.kind);
        let kind = kind.unwrap_or_else(|| unreachable!("the kinds are those with the events"));
        let one = DayRecord {
            amount: event.amount,
            day: event.day,
            count: 1,
            kind: kind as u16,
        };
        // One by one, so that their sum is checked as that of a log's events is.
        std::iter::repeat_n(one, event.count as usize)
    };
    events.iter().flat_map(record).collect()
}

fn change(before: &HorizonAnswer, after: &HorizonAnswer) -> HorizonChange {
    let contributions = changed(&before.contributions, &after.contributions, |a, b| {
        a.feature == b.feature
    });
    let mut reasons = changed(&before.reasons, &after.reasons, |a, b| a.group == b.group);
    for reason in &mut reasons {
        let mut members = contributions.iter().filter(|feature| {
            feature.after.group == reason.after.group && feature.change * reason.change > 0.0
        });
        // The feature that explains the group as a whole need not be one that changes.
        if let Some(largest) = members.next() {
            reason.description = largest.description.clone();
        }
    }
    HorizonChange {
        horizon_days: after.horizon_days,
        log_odds_change: after.log_odds - before.log_odds,
        reasons,
        contributions,
    }
}

/// The contributions that change, or whose value does, by decreasing size of the change.
pub(crate) fn changed(
    before: &[Contribution],
    after: &[Contribution],
    is_same: impl Fn(&Contribution, &Contribution) -> bool,
) -> Vec<Change> {
    let mut changes: Vec<Change> = after
        .iter()
        .filter_map(|after| {
            let before = before.iter().find(|before| is_same(before, after))?;
            let change = after.contribution - before.contribution;
            (change != 0.0 || before.value != after.value).then(|| Change {
                change,
                description: after.description.clone(),
                before: before.clone(),
                after: after.clone(),
            })
        })
        .collect();
    changes.sort_by(|a, b| b.change.abs().total_cmp(&a.change.abs()));
    changes
}
