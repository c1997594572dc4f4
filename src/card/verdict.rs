//! How far a judged model is shown to be worth having, and why another was not judged.

use serde::{Deserialize, Serialize};

use super::evaluation::Interval;
use crate::history::Day;

/// The verdict on a judged model: one for the report, `inspect` and `check`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// How far it is shown to beat the baseline.
    pub strength: Strength,
    /// The baseline's name: of those that are baselines the one with the lowest log loss on the test date.
    pub baseline: String,
    /// Log loss of the model less that of the baseline on the same resampled users; below 0 the model is better.
    pub log_loss_difference: Interval,
    /// The share of the baseline's log loss that a strong model saves at least, even at the near end of the interval.
    pub strong_gain: f64,
    /// Churners, and retained users, that it takes at least to call a difference more than chance.
    pub min_class_users: u64,
}

/// How far a model is shown to beat the strongest baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strength {
    /// Even at the near end of the interval its log loss is lower by [`Verdict::strong_gain`] of the baseline's.
    Strong,
    /// The whole interval favours it.
    Modest,
    /// The interval holds a difference of 0 or worse, or too few users stayed or left to trust one.
    NotShown,
}

/// Why a model could not be judged on a later date than it learnt from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Untested {
    /// The log has too few days for a date whose label window ends before the newest labelled date.
    TooFewDays {
        /// Days from the first event to the end of what was observed.
        span_days: i32,
        /// Days that would do.
        needed_days: i32,
    },
    /// The log is long enough, but all dates lie less than a label window before the newest.
    DatesTooClose {
        /// How many dates there are.
        dates: usize,
        /// The label window in days.
        window_days: i32,
    },
    /// Too few users were asked about at the newest labelled date.
    TooFewUsers {
        /// The date.
        date: Day,
        /// How many users.
        users: usize,
        /// How many there must be.
        least: usize,
    },
    /// All users of the newest labelled date stayed, or all left.
    OneClass {
        /// The date.
        date: Day,
        /// How many users.
        users: usize,
        /// What became of all of them.
        churned: bool,
    },
    /// The dates before it have too few rows to learn from.
    TooFewEarlier {
        /// The newest labelled date.
        date: Day,
        /// Rows (user, date) of the dates before, of all users or of those that one part is predicted from.
        rows: usize,
        /// How many there must be.
        least: usize,
    },
    /// So few users stayed, or left, at the dates before it that those who are to be learnt from have none.
    TooFewOfAClass {
        /// The newest labelled date.
        date: Day,
        /// Rows (user, date) of the dates before.
        rows: usize,
        /// How many of them churned.
        churned: usize,
    },
    /// The newest labelled date has too few people of a kind to publish a figure about them; of potential users alone.
    Withheld {
        /// The date.
        date: Day,
        /// `privacy.min_users`.
        least: u64,
    },
    /// The label window was not observed in full.
    LabelsNotObserved {
        /// The date.
        date: Day,
        /// The day after the last one of the label window.
        until: Day,
        /// The day after the last one that the log covers.
        observed_until: Day,
    },
}
