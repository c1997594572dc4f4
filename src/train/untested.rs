//! Why a model was not judged.

use serde::{Deserialize, Serialize};

use super::labels::ChurnConfig;
use crate::history::Day;

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
}

/// The setting that makes more users leave, or fewer: silence is rarer the longer one waits, an event likelier.
pub fn horizon_advice(silence: bool, more_churn: bool) -> &'static str {
    if silence == more_churn { "shorten churn.horizon_days" } else { "lengthen churn.horizon_days" }
}

impl Untested {
    /// The cause and what would help, in two sentences.
    pub fn sentence(&self, question: &ChurnConfig, horizon_days: u16) -> String {
        let model = format!("the {horizon_days}-day model");
        match *self {
            Self::TooFewDays { span_days, needed_days } => format!(
                "The log is too short to judge {model} on a later date than it learnt from: it spans {span_days} days, \
                 and {needed_days} would do."
            ),
            Self::DatesTooClose { dates, window_days } => format!(
                "The {dates} dates of the fit lie too close together to judge {model}: none is {window_days} days before \
                 the newest. Raise model.snapshots or model.spacing_days."
            ),
            Self::TooFewUsers { date, users, least } => format!(
                "Too few users to judge {model}: {} active in the {} days before {date}, the newest date with labels, and \
                 {least} are needed. A log of more users or a longer churn.active_within_days would do; more days of the \
                 same users would not.",
                if users == 1 { "1 user was".to_owned() } else { format!("{users} users were") },
                question.active_within_days
            ),
            Self::OneClass { date, users, churned } => one_class(question, horizon_days, date, users, churned),
            Self::TooFewEarlier { date, rows, least } => format!(
                "Too few users to judge {model}: only {rows} rows (user, date) before {date} could be learnt from, and \
                 {least} are needed. A log of more users or a longer churn.active_within_days would do."
            ),
            Self::TooFewOfAClass { date, rows, churned } => {
                let (few, word) = if churned * 2 < rows { (churned, "churned") } else { (rows - churned, "stayed") };
                format!(
                    "Too few users {word} to judge {model}: of {rows} rows (user, date) before {date} {few} did, and each \
                     third of the users is asked of what the others teach. A log of more users would do, or {}.",
                    horizon_advice(question.churn_event.is_none(), word == "churned")
                )
            }
        }
    }
}

fn one_class(question: &ChurnConfig, horizon_days: u16, date: Day, users: usize, churned: bool) -> String {
    let silence = question.churn_event.is_none();
    let advice = horizon_advice(silence, !churned);
    let all = if users == 1 { "The only user".to_owned() } else { format!("All {users} users") };
    let became = if churned { "churned" } else { "stayed" };
    let cause = match (&question.churn_event, churned) {
        (None, true) => format!(
            "If events of the kind {} stop before the log does, choose an earlier --as-of; otherwise {advice}.",
            question.activity.join(", ")
        ),
        (Some(event), false) => {
            format!("If events `{event}` stop before the log does, choose an earlier --as-of; otherwise {advice}.")
        }
        _ => format!("Choose an earlier --as-of, or {advice}."),
    };
    format!(
        "{all} of {date}, the newest date with labels, {became} within {horizon_days} days, so nothing can be told apart \
         there and the {horizon_days}-day model was not judged. {cause}"
    )
}
