use super::request::{RequestContext, day};
use crate::history::{Amount, Attributes, Day, DayClock, DayRecord, History, HistoryError};
use crate::serve::errors::{CallError, FieldPath};
use crate::serve::registry::ServedModel;
use crate::serve::registry::vocabulary::{UnknownKinds, Unseen};
use crate::serve::wire;

/// An inline history up to a day.
#[derive(Debug)]
pub(crate) struct InlineHistory {
    /// The records before the day.
    pub(crate) history: History,
    /// The as-of day.
    pub(crate) as_of: Day,
    /// How many events lie on the day or later.
    pub(crate) events_after_as_of: u64,
    /// The events of kinds that the model's log did not have.
    pub(crate) unknown: UnknownKinds,
}

/// Checks an inline history.
pub(super) fn inline(
    context: &RequestContext,
    clock: &mut DayClock,
    history: wire::History,
    attributes: Attributes,
    path: FieldPath,
) -> Result<InlineHistory, CallError> {
    let Some(as_of) = context.params.as_of.filter(|_| context.params.as_of_given) else {
        let problem = format!(
            "is required for {path}.history: only the caller can say up to which day it is complete"
        );
        return Err(CallError::field("as_of", problem));
    };
    let wire::History { events, days } = history;
    let entries = events.len() + days.len();
    // Before the records get memory.
    if entries > context.max_history_entries {
        return Err(CallError::TooMany {
            field: format!("{path}.history"),
            found: entries,
            most: context.max_history_entries,
        });
    }
    let mut records = RecordReader::new(&context.model, as_of, entries);
    for (i, event) in events.into_iter().enumerate() {
        records
            .event(clock, event)
            .map_err(|error| error.at(&format!("{path}.history.events[{i}]")))?;
    }
    for (i, activity) in days.into_iter().enumerate() {
        records
            .activity(activity)
            .map_err(|error| error.at(&format!("{path}.history.days[{i}]")))?;
    }
    let RecordReader {
        records,
        events_after_as_of,
        unknown,
        ..
    } = records;
    let history = History::new(records).map_err(|error| {
        let problem = unusable(&context.model, error);
        CallError::field(format!("{path}.history"), problem)
    })?;
    Ok(InlineHistory {
        history: history.with_attributes(attributes),
        as_of,
        events_after_as_of,
        unknown,
    })
}

/// Why records that are legal one by one are no history together.
fn unusable(model: &ServedModel, error: HistoryError) -> String {
    match error {
        HistoryError::Overflow { day, kind } => {
            let kind = model
                .kinds()
                .get(usize::from(kind))
                .map_or("other", String::as_str);
            format!("the events of kind {kind} on {day} add up to more than can be held")
        }
        other => other.to_string(),
    }
}

/// What is wrong with a field of an entry, before the entry's path is written out.
struct FieldError {
    field: &'static str,
    problem: String,
}

impl FieldError {
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

/// Collects the records of a history's entries.
struct RecordReader<'m> {
    model: &'m ServedModel,
    as_of: Day,
    records: Vec<DayRecord>,
    events_after_as_of: u64,
    unknown: UnknownKinds,
}

impl<'m> RecordReader<'m> {
    fn new(model: &'m ServedModel, as_of: Day, entries: usize) -> Self {
        Self {
            model,
            as_of,
            records: Vec::with_capacity(entries),
            events_after_as_of: 0,
            unknown: UnknownKinds::default(),
        }
    }

    fn event(&mut self, clock: &mut DayClock, event: wire::Event) -> Result<(), FieldError> {
        let wire::Event { kind, time, amount } = event;
        let prost_types::Timestamp { seconds, nanos } =
            time.ok_or_else(|| FieldError::new("time", "is required"))?;
        if !(0..1_000_000_000).contains(&nanos) {
            return Err(FieldError::new(
                "time",
                format!("has {nanos} nanoseconds: they must be from 0 to 999,999,999"),
            ));
        }
        let day = clock.day(seconds).ok_or_else(|| {
            FieldError::new(
                "time",
                format!("{seconds} seconds lie outside the calendar"),
            )
        })?;
        self.add(day, &kind, 1, amount)
    }

    fn activity(&mut self, activity: wire::DayActivity) -> Result<(), FieldError> {
        let wire::DayActivity {
            day: text,
            kind,
            count,
            amount,
        } = activity;
        let day = day(&text).map_err(|problem| FieldError::new("day", problem))?;
        if count == 0 {
            return Err(FieldError::new(
                "count",
                "must be at least 1; leave a day without events out",
            ));
        }
        self.add(day, &kind, count, amount)
    }

    fn add(&mut self, day: Day, kind: &str, count: u32, amount: f64) -> Result<(), FieldError> {
        let record = self.record(day, kind, count, amount)?;
        if day < self.as_of {
            self.records.push(record);
        } else {
            self.events_after_as_of += u64::from(count);
        }
        Ok(())
    }

    fn record(
        &mut self,
        day: Day,
        kind: &str,
        count: u32,
        amount: f64,
    ) -> Result<DayRecord, FieldError> {
        // As in a log, whitespace around a kind is ignored.
        let name = kind.trim();
        if name.is_empty() {
            return Err(FieldError::new("kind", "must not be empty"));
        }
        let amount =
            Amount::new(amount).map_err(|error| FieldError::new("amount", error.to_string()))?;
        if let Some(kind) = self.model.kind(name) {
            return Ok(DayRecord {
                amount,
                day,
                count,
                kind,
            });
        }
        match self.model.vocabulary().check(name) {
            Ok(()) => {}
            Err(Unseen::Kind) => self.unknown.add(name, count),
            Err(Unseen::Spelling(meant)) => {
                let name: String = name.chars().take(40).collect();
                return Err(FieldError::new(
                    "kind",
                    format!("`{name}` is not a kind of the model's log; write `{meant}`"),
                ));
            }
        }
        // Of a kind without features only the days matter. Without their counts and amounts, several such kinds, which
        // share one number, cannot overflow together.
        Ok(DayRecord {
            amount: Amount::default(),
            day,
            count: 1,
            kind: self.model.other_kind(),
        })
    }
}
