//! Why a model was not judged.

use serde::{Deserialize, Serialize};

use crate::history::Day;
use crate::train::data::labels::ChurnConfig;

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
    if silence == more_churn {
        "shorten churn.horizon_days"
    } else {
        "lengthen churn.horizon_days"
    }
}

impl Untested {
    /// The cause and what would help, in two sentences.
    pub fn description(&self, question: &ChurnConfig, horizon_days: u16) -> String {
        let model = format!("the {horizon_days}-day model");
        match *self {
            Self::TooFewDays {
                span_days,
                needed_days,
            } => format!(
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
                if users == 1 {
                    "1 user was".to_owned()
                } else {
                    format!("{users} users were")
                },
                question.active_within_days
            ),
            Self::OneClass {
                date,
                users,
                churned,
            } => one_class(question, horizon_days, date, users, churned),
            Self::TooFewEarlier { date, rows, least } => format!(
                "Too few users to judge {model}: only {rows} rows (user, date) before {date} could be learnt from, and \
                 {least} are needed. A log of more users or a longer churn.active_within_days would do."
            ),
            Self::TooFewOfAClass {
                date,
                rows,
                churned,
            } => {
                let (few, word) = if churned * 2 < rows {
                    (churned, "churned")
                } else {
                    (rows - churned, "stayed")
                };
                format!(
                    "Too few users {word} to judge {model}: of {rows} rows (user, date) before {date} {few} did, and each \
                     third of the users is asked of what the others teach. A log of more users would do, or {}.",
                    horizon_advice(question.churn_event.is_none(), word == "churned")
                )
            }
        }
    }
}

fn one_class(
    question: &ChurnConfig,
    horizon_days: u16,
    date: Day,
    users: usize,
    churned: bool,
) -> String {
    let silence = question.churn_event.is_none();
    let advice = horizon_advice(silence, !churned);
    let all = if users == 1 {
        "The only user".to_owned()
    } else {
        format!("All {users} users")
    };
    let became = if churned { "churned" } else { "stayed" };
    let cause = match (&question.churn_event, churned) {
        (None, true) => format!(
            "If events of the kind {} stop before the log does, choose an earlier --as-of; otherwise {advice}.",
            question.activity.join(", ")
        ),
        (Some(event), false) => {
            format!(
                "If events `{event}` stop before the log does, choose an earlier --as-of; otherwise {advice}."
            )
        }
        _ => format!("Choose an earlier --as-of, or {advice}."),
    };
    format!(
        "{all} of {date}, the newest date with labels, {became} within {horizon_days} days, so nothing can be told apart \
         there and the {horizon_days}-day model was not judged. {cause}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(churn_event: Option<&str>) -> ChurnConfig {
        ChurnConfig {
            activity: vec!["purchase".into()],
            horizon_days: vec![30],
            active_within_days: 90,
            lead_days: 0,
            churn_event: churn_event.map(str::to_owned),
        }
    }

    /// Every cause but the log's length must not be called that, and each names what would help.
    #[test]
    fn each_cause_names_itself_and_what_would_help() {
        let date: Day = "2024-06-01".parse().unwrap();
        let causes = [
            (
                Untested::TooFewDays {
                    span_days: 50,
                    needed_days: 61,
                },
                "spans 50 days, and 61 would do",
            ),
            (
                Untested::DatesTooClose {
                    dates: 3,
                    window_days: 30,
                },
                "Raise model.snapshots or model.spacing_days",
            ),
            (
                Untested::TooFewUsers {
                    date,
                    users: 1,
                    least: 50,
                },
                "1 user was active in the 90 days before 2024-06-01",
            ),
            (
                Untested::TooFewEarlier {
                    date,
                    rows: 30,
                    least: 50,
                },
                "only 30 rows (user, date) before 2024-06-01",
            ),
            (
                Untested::TooFewOfAClass {
                    date,
                    rows: 300,
                    churned: 2,
                },
                "Too few users churned",
            ),
            (
                Untested::TooFewOfAClass {
                    date,
                    rows: 300,
                    churned: 299,
                },
                "Too few users stayed",
            ),
            (
                Untested::OneClass {
                    date,
                    users: 300,
                    churned: true,
                },
                "All 300 users of 2024-06-01",
            ),
        ];
        for (k, (cause, words)) in causes.iter().enumerate() {
            let said = cause.description(&question(None), 30);
            assert!(said.contains(words), "{said}");
            assert_eq!(said.contains("too short"), k == 0, "{said}");
            let json = serde_json::to_string(cause).unwrap();
            assert_eq!(&serde_json::from_str::<Untested>(&json).unwrap(), cause);
        }
    }

    /// The longer one waits, the fewer are silent and the more have cancelled.
    #[test]
    fn the_advice_on_the_horizon_depends_on_what_churn_is() {
        let date: Day = "2024-06-01".parse().unwrap();
        let said = |event, churned| {
            Untested::OneClass {
                date,
                users: 9,
                churned,
            }
            .description(&question(event), 30)
        };
        assert!(said(None, true).ends_with("otherwise lengthen churn.horizon_days."));
        assert!(said(None, true).contains(
            "If events of the kind purchase stop before the log does, choose an earlier"
        ));
        assert!(said(None, false).ends_with("or shorten churn.horizon_days."));
        assert!(said(Some("cancel"), true).ends_with("or shorten churn.horizon_days."));
        assert!(
            said(Some("cancel"), false).contains("If events `cancel` stop before the log does")
        );
        assert!(said(Some("cancel"), false).ends_with("otherwise lengthen churn.horizon_days."));
    }
}
