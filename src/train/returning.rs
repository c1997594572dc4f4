//! How many users are ever active again: where hardly anybody is, the log's users are likely none.

use super::labels::Labeller;
use crate::history::{Day, Histories, HistoryError};

/// Users by on how many days they were active.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Returning {
    /// Users with activity.
    pub(super) active: u64,
    /// Users with activity on more than one day.
    pub(super) returned: u64,
}

/// A smaller share of users that come back calls for a note.
const RARE: f64 = 0.05;

impl Returning {
    /// Counts the users of a log that is complete before `until`.
    pub(super) fn of(histories: &Histories, labeller: &Labeller, until: Day) -> Result<Self, HistoryError> {
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
    pub(super) fn note(self) -> Option<String> {
        let share = self.returned as f64 / self.active.max(1) as f64;
        (self.active > 0 && share < RARE).then(|| {
            format!(
                "Only {} of {} users were active on more than one day ({}): does `events.user` name users, or orders or \
                 sessions?",
                self.returned,
                self.active,
                super::refused::in_words(share)
            )
        })
    }
}
