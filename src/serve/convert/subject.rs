use std::fmt;

use super::request::Question;
use super::vocabulary::{UnknownKinds, Unseen};
use crate::features::{Contradiction, FeatureError};
use crate::history::{Amount, Day, DayClock, DayRecord, History, HistoryError};
use crate::serve::errors::CallError;
use crate::serve::limits::size;
use crate::serve::wire;

/// Where in the request a subject stands; written as its field path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// `subject`.
    Single,
    /// `subjects[i]`.
    Batch(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Single => f.write_str("subject"),
            Self::Batch(i) => write!(f, "subjects[{i}]"),
        }
    }
}

/// A subject, checked and ready for the model.
#[derive(Debug)]
pub(crate) enum Checked {
    /// A user of the roll-up.
    User(History, Day),
    /// An inline history.
    Inline(Inline),
    /// Features by name, in catalogue order.
    Named(Vec<f64>),
    /// Features that came in catalogue order.
    Packed(Vec<f64>),
}

/// An inline history up to a day.
#[derive(Debug)]
pub(crate) struct Inline {
    /// What happened before the day.
    pub(crate) history: History,
    /// The day.
    pub(crate) as_of: Day,
    /// How many events lie on the day or after it.
    pub(crate) later: u64,
    /// What was of kinds that the model has not seen.
    pub(crate) unknown: UnknownKinds,
}

/// Checks a subject and turns it into what the model reads.
pub(crate) fn check(
    question: &Question<'_>,
    clock: &mut DayClock,
    subject: wire::Subject,
    place: Place,
) -> Result<Checked, CallError> {
    use wire::subject::Subject;
    let wire::Subject { subject } = subject;
    match subject {
        Some(Subject::UserId(id)) => user(question, id, place),
        Some(Subject::History(history)) => {
            inline(question, clock, history, place).map(Checked::Inline)
        }
        Some(Subject::Features(features)) => named(question, features, place).map(Checked::Named),
        Some(Subject::PackedFeatures(features)) => {
            packed(question, features, place).map(Checked::Packed)
        }
        None => Err(CallError::field(
            place.to_string(),
            "set one of user_id, history, features and packed_features",
        )),
    }
}

fn user(question: &Question<'_>, id: String, place: Place) -> Result<Checked, CallError> {
    let users = question
        .asked
        .users
        .as_ref()
        .ok_or(CallError::NoKnownUsers { place })?;
    let trimmed = id.trim();
    if trimmed.is_empty() {
        return Err(CallError::field(
            format!("{place}.user_id"),
            "must not be empty",
        ));
    }
    // As the reader of logs does; a roll-up of another's making may have ids with blanks all the same.
    let find = |id: &str| {
        users
            .histories()
            .get(id)
            .map_err(|source| CallError::Users { source })
    };
    let found = match find(&id)? {
        None if trimmed.len() < id.len() => find(trimmed)?,
        found => found,
    };
    // A roll-up without events has no day, and no users either.
    Ok(match (found, question.as_of) {
        (Some(history), Some(as_of)) => Checked::User(history, as_of),
        _ => return Err(CallError::unknown_user(place, id)),
    })
}

fn inline(
    question: &Question<'_>,
    clock: &mut DayClock,
    history: wire::History,
    place: Place,
) -> Result<Inline, CallError> {
    let Some(as_of) = question.as_of.filter(|_| question.as_of_given) else {
        let problem = format!(
            "is required for {place}.history: only you know up to which day it is complete"
        );
        return Err(CallError::field("as_of", problem));
    };
    let wire::History { events, days } = history;
    let entries = events.len() + days.len();
    let most = size(question.asked.limits.history_entries);
    if entries > most {
        return Err(CallError::TooMany {
            field: format!("{place}.history"),
            found: entries,
            most,
        });
    }
    let mut records = Vec::with_capacity(entries);
    let mut later = 0;
    let mut unknown = UnknownKinds::default();
    let mut keep = |record: DayRecord, count: u32| {
        if record.day < as_of {
            records.push(record)
        } else {
            later += u64::from(count)
        }
    };
    for (i, event) in events.into_iter().enumerate() {
        let record = of_event(question, clock, event, &mut unknown);
        keep(
            record.map_err(|flaw| flaw.at(&format!("{place}.history.events[{i}]")))?,
            1,
        );
    }
    for (i, activity) in days.into_iter().enumerate() {
        let count = activity.count;
        let record = of_day(question, activity, &mut unknown);
        keep(
            record.map_err(|flaw| flaw.at(&format!("{place}.history.days[{i}]")))?,
            count,
        );
    }
    let history = History::new(records).map_err(|error| {
        let problem = match error {
            HistoryError::Overflow { day, kind } => {
                let kind = question
                    .served()
                    .kinds()
                    .get(usize::from(kind))
                    .map_or("other", String::as_str);
                format!("the events of kind {kind} on {day} add up to more than can be held")
            }
            other => other.to_string(),
        };
        CallError::field(format!("{place}.history"), problem)
    })?;
    Ok(Inline {
        history,
        as_of,
        later,
        unknown,
    })
}

/// What is wrong with a field of an entry, before it is known where the entry stands.
struct Flaw {
    field: &'static str,
    problem: String,
}

impl Flaw {
    fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self {
            field,
            problem: problem.into(),
        }
    }

    fn at(self, entry: &str) -> CallError {
        CallError::field(format!("{entry}.{}", self.field), self.problem)
    }
}

fn of_event(
    question: &Question<'_>,
    clock: &mut DayClock,
    event: wire::Event,
    unknown: &mut UnknownKinds,
) -> Result<DayRecord, Flaw> {
    let wire::Event { kind, time, amount } = event;
    let prost_types::Timestamp { seconds, nanos } =
        time.ok_or_else(|| Flaw::new("time", "is required"))?;
    if !(0..1_000_000_000).contains(&nanos) {
        return Err(Flaw::new(
            "time",
            format!("has {nanos} nanoseconds: they must be from 0 to 999,999,999"),
        ));
    }
    let day = clock.day(seconds);
    let day = day.ok_or_else(|| {
        Flaw::new(
            "time",
            format!("{seconds} seconds lie outside the calendar"),
        )
    })?;
    record(question, unknown, day, &kind, 1, amount)
}

fn of_day(
    question: &Question<'_>,
    activity: wire::DayActivity,
    unknown: &mut UnknownKinds,
) -> Result<DayRecord, Flaw> {
    let wire::DayActivity {
        day: text,
        kind,
        count,
        amount,
    } = activity;
    let day = day(&text).map_err(|problem| Flaw::new("day", problem))?;
    if count == 0 {
        return Err(Flaw::new(
            "count",
            "must be at least 1; leave a day without events out",
        ));
    }
    record(question, unknown, day, &kind, count, amount)
}

fn record(
    question: &Question<'_>,
    unknown: &mut UnknownKinds,
    day: Day,
    name: &str,
    count: u32,
    amount: f64,
) -> Result<DayRecord, Flaw> {
    // Blanks around a kind count as little as they do in a log.
    let name = name.trim();
    if name.is_empty() {
        return Err(Flaw::new("kind", "must not be empty"));
    }
    let amount = Amount::new(amount).map_err(|error| Flaw::new("amount", error.to_string()))?;
    let kind = question.served().kind(name);
    if usize::from(kind) < question.served().kinds().len() {
        return Ok(DayRecord {
            amount,
            day,
            count,
            kind,
        });
    }
    match question.served().vocabulary().check(name) {
        Ok(()) => {}
        Err(Unseen::Kind) => unknown.add(name, count),
        Err(Unseen::Spelling(meant)) => {
            let name: String = name.chars().take(40).collect();
            return Err(Flaw::new(
                "kind",
                format!("`{name}` is not a kind of the model's log; write `{meant}`"),
            ));
        }
    }
    // Of a kind without features only the days matter; without its numbers, different kinds cannot overflow together.
    Ok(DayRecord {
        amount: Amount::default(),
        day,
        count: 1,
        kind,
    })
}

/// A date as `YYYY-MM-DD`, or what is wrong with it.
pub(crate) fn day(text: &str) -> Result<Day, String> {
    match text {
        "" => Err("is required, as YYYY-MM-DD".to_owned()),
        _ => text.parse::<Day>().map_err(|error| error.to_string()),
    }
}

fn named(
    question: &Question<'_>,
    features: wire::NamedFeatures,
    place: Place,
) -> Result<Vec<f64>, CallError> {
    let wire::NamedFeatures { values } = features;
    let mut vector = vec![f64::NAN; question.served().bundle().catalogue().len()];
    for (name, value) in values {
        let problem = match question.served().position(&name) {
            Ok(position) if value.is_finite() && question.served().allows(position, value) => {
                if let Some(slot) = vector.get_mut(position) {
                    *slot = value;
                }
                continue;
            }
            Ok(position) => {
                not_allowed(question, position, value) + "; leave an unknown feature out"
            }
            Err(FeatureError::Unknown {
                nearest: Some(nearest),
                ..
            }) => {
                format!("there is no such feature; the nearest is `{nearest}`")
            }
            Err(_) => "there is no such feature; GetModel lists them".to_owned(),
        };
        return Err(CallError::field(
            format!("{place}.features.values[{name}]"),
            problem,
        ));
    }
    match question.served().constraints().check(&vector) {
        Ok(()) => Ok(vector),
        Err(Contradiction { position, problem }) => {
            let name = question.served().name(position);
            Err(CallError::field(
                format!("{place}.features.values[{name}]"),
                problem,
            ))
        }
    }
}

fn packed(
    question: &Question<'_>,
    features: wire::PackedFeatures,
    place: Place,
) -> Result<Vec<f64>, CallError> {
    let wire::PackedFeatures { values } = features;
    if !question.packed_allowed {
        let problem = format!("is required for {place}.packed_features; GetModel gives it");
        return Err(CallError::field("feature_hash", problem));
    }
    let expected = question.served().bundle().catalogue().len();
    if values.len() != expected {
        let problem = format!(
            "has {} values, the model has {expected} features",
            values.len()
        );
        return Err(CallError::field(
            format!("{place}.packed_features.values"),
            problem,
        ));
    }
    let allowed = |(position, value): (usize, &f64)| {
        value.is_nan() || (value.is_finite() && question.served().allows(position, *value))
    };
    let field = |position| format!("{place}.packed_features.values[{position}]");
    if let Some((position, value)) = values.iter().enumerate().find(|pair| !allowed(*pair)) {
        let problem = not_allowed(question, position, *value) + "; send NaN when it is unknown";
        return Err(CallError::field(field(position), problem));
    }
    match question.served().constraints().check(&values) {
        Ok(()) => Ok(values),
        Err(Contradiction { position, problem }) => Err(CallError::field(field(position), problem)),
    }
}

fn not_allowed(question: &Question<'_>, position: usize, value: f64) -> String {
    let name = question.served().name(position);
    let sign = if value.is_finite() {
        "not be negative"
    } else {
        "be finite"
    };
    format!("`{name}` is {value}: it must {sign}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_a_date_of_the_years_of_a_log() {
        assert_eq!(
            day("2024-06-01").map(|day| day.to_string()),
            Ok("2024-06-01".to_owned())
        );
        for (text, problem) in [
            ("", "is required, as YYYY-MM-DD"),
            (
                "2024-06-01T23:59:59",
                "`2024-06-01T23:59:59` is not a date; write it as YYYY-MM-DD",
            ),
            (
                "9999-12-31",
                "9999-12-31 lies outside the years 1900 to 2199",
            ),
        ] {
            assert_eq!(day(text), Err(problem.to_owned()));
        }
    }
}
