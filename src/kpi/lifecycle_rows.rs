//! Stage mix, transitions and dwell.

use std::collections::BTreeMap;

use super::cell::{Share, Weekly};
use super::period::Period;
use super::rows::{Frame, Row};
use crate::lifecycle::states;

/// Days of a week.
const WEEK: f64 = 7.0;

impl Frame<'_> {
    /// The rows of where users stood week by week.
    pub(super) fn weekly_rows(&self, period: &Period, weekly: &Weekly, rows: &mut Vec<Row>) {
        let all = weekly.at_start.values().sum();
        for state in states() {
            let some = weekly.at_start.get(state).copied().unwrap_or_default();
            if some == 0 {
                continue;
            }
            let slice = format!("stage={state}");
            let row = self.share("stage_mix", period, &slice, Share { some, all });
            // Each of them is a count of its own.
            rows.extend(row.map(|row| Row { users: some, ..row }));
        }
        rows.extend(self.review_row(period, weekly));
        let mut weeks_from: BTreeMap<&str, u64> = BTreeMap::new();
        for ((from, _), (weeks, _)) in &weekly.moves {
            *weeks_from.entry(from).or_default() += weeks;
        }
        for ((from, to), (weeks, users)) in &weekly.moves {
            let all = weeks_from.get(from).copied().unwrap_or_default();
            let mut row = self.row(
                "transition",
                period,
                &format!("from={from} to={to}"),
                *users,
            );
            row.value = Some(*weeks as f64 / all as f64);
            row.numerator = Some(*weeks as f64);
            row.denominator = Some(all as f64);
            row.family = format!("transition {} {from}", period.name);
            rows.push(row);
        }
        for (state, (durations, users)) in &weekly.stays {
            let median = durations.median().map(|weeks| f64::from(weeks) * WEEK);
            let slice = format!("stage={state}");
            rows.push(self.median("dwell_days", period, &slice, (median, durations, *users)));
        }
    }
    /// Mature users, and who of them are due for review. The row is withheld unless every state and both parts of the mature
    /// users have enough users: otherwise it would give away what the stage mix withholds.
    fn review_row(&self, period: &Period, weekly: &Weekly) -> Option<Row> {
        let row = self.share("mature_review_due", period, "all", weekly.review)?;
        let Share { some, all } = weekly.review;
        let parts = weekly.at_start.values().copied().chain([some, all - some]);
        let users = parts.filter(|users| *users > 0).min()?;
        Some(Row { users, ..row })
    }
}
