//! What makes one doubt how a log was mapped, though a model can be fitted on it.

use crate::history::{Day, Histories, HistoryError};
use crate::train::data::labels::Labeller;

/// Users by on how many days they were active.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Returning {
    /// Users with activity.
    pub(crate) active: u64,
    /// Users with activity on more than one day.
    pub(crate) returned: u64,
}

/// A smaller share of users that come back calls for a note.
const RARE: f64 = 0.05;

impl Returning {
    /// Counts the users of a log that is complete before `until`.
    pub(crate) fn of(
        histories: &Histories,
        labeller: &Labeller,
        until: Day,
    ) -> Result<Self, HistoryError> {
        let mut all = Self::default();
        let parts = histories.map_blocks(|block| {
            let mut part = Self::default();
            for (_, _, history) in block.iter() {
                let mut days = labeller.active_days(history, until);
                if let Some(first) = days.next() {
                    part.active += 1;
                    part.returned += u64::from(days.any(|day| day > first));
                }
            }
            part
        })?;
        for part in parts {
            all.active += part.active;
            all.returned += part.returned;
        }
        Ok(all)
    }

    /// A note on users that hardly ever come back.
    pub(crate) fn note(self) -> Option<String> {
        let share = self.returned as f64 / self.active.max(1) as f64;
        (self.active > 0 && share < RARE).then(|| {
            format!(
                "Only {} of {} users were active on more than one day ({}): does `events.user` name users, or orders or \
                 sessions?",
                self.returned,
                self.active,
                crate::report::rejected::in_words(share)
            )
        })
    }
}

/// A note where amounts are mapped and none was found.
pub(crate) fn no_amounts(quality: &serde_json::Value) -> Option<String> {
    let number = |name: &str| quality.get(name).and_then(serde_json::Value::as_u64);
    let (events, empty) = (number("events")?, number("empty_amounts")?);
    (events > 0 && empty >= events).then(|| {
        format!(
            "None of the {events} events has an amount, so the model has no features of amounts: does `events.amount` name \
             the right column?"
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_log_whose_amounts_are_all_empty_is_told_and_one_without_amounts_is_not() {
        let note = |events, empty| no_amounts(&json!({ "events": events, "empty_amounts": empty }));
        assert!(
            note(9, 9).is_some_and(
                |n| n.contains("None of the 9 events") && n.contains("`events.amount`")
            )
        );
        assert_eq!(
            (note(9, 8), note(9, 0), note(0, 0), no_amounts(&json!(null))),
            (None, None, None, None)
        );
    }
}
