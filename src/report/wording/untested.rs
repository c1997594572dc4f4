//! Why a model was not judged, in words.

use crate::card::{Day, HorizonCard, LabelDefinition, Untested};

/// Why a horizon's model was not judged and what would help, in a sentence or two.
pub(crate) fn untested(horizon: &HorizonCard, definition: &LabelDefinition) -> String {
    match &horizon.untested {
        Some(untested) => cause(untested, definition, horizon.horizon_days),
        None => format!(
            "The {}-day model was not judged on a later date.",
            horizon.horizon_days
        ),
    }
}

/// The cause and what would help, in two sentences.
pub(crate) fn cause(
    untested: &Untested,
    definition: &LabelDefinition,
    horizon_days: u16,
) -> String {
    let model = format!("the {horizon_days}-day model");
    match *untested {
        Untested::TooFewDays {
            span_days,
            needed_days,
        } => format!(
            "The log is too short to judge {model} on a date after its training: it spans {span_days} days, \
             and {needed_days} would do."
        ),
        Untested::DatesTooClose { dates, window_days } => format!(
            "The {dates} dates of the fit lie too close together to judge {model}: none is {window_days} days before \
             the newest. Raise model.snapshots or model.spacing_days."
        ),
        Untested::TooFewUsers { date, users, least } => format!(
            "Too few users to judge {model}: {} active in the {} days before {date}, the newest date with labels, and \
             {least} are needed. A log of more users or a longer churn.active_within_days would do; more days of the \
             same users would not.",
            if users == 1 {
                "1 user was".to_owned()
            } else {
                format!("{users} users were")
            },
            definition.active_within_days
        ),
        Untested::OneClass {
            date,
            users,
            churned,
        } => one_class(definition, horizon_days, date, users, churned),
        Untested::LabelsNotObserved {
            date,
            until,
            observed_until,
        } => format!(
            "The labels of {date} are not complete for {model}: its window lasts until {}, and the log was not \
             observed on all of these days; it covers the days before {observed_until}.",
            until.plus(-1)
        ),
        Untested::Withheld { date, least } => format!(
            "Figures on {model} are withheld: fewer than privacy.min_users = {least} users of {date} left, stayed or were asked \
             about."
        ),
        Untested::TooFewEarlier { date, rows, least } => format!(
            "Too few users to judge {model}: only {rows} rows (user, date) before {date} can train it, and \
             {least} are needed. A log of more users or a longer churn.active_within_days would do."
        ),
        Untested::TooFewOfAClass {
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
                 third of the users is predicted by a model trained on the others. A log of more users would do, or {}.",
                horizon_advice(definition.churn_event.is_none(), word == "churned")
            )
        }
    }
}

/// What is missing at a date to compare models there.
pub(crate) fn few(untested: &Untested) -> String {
    match *untested {
        Untested::LabelsNotObserved {
            date,
            until,
            observed_until,
        } => format!(
            "the labels of {date} are not complete: the window lasts until {}, and the log was not observed on all of \
             these days; it covers the days before {observed_until}.",
            until.plus(-1)
        ),
        Untested::TooFewUsers { date, users, least } => {
            format!("both models score {users} users at {date}, and {least} are needed.")
        }
        Untested::OneClass {
            date,
            users,
            churned,
        } => format!(
            "all {users} users of {date} {}, so nothing can be told apart.",
            if churned { "churned" } else { "stayed" }
        ),
        Untested::Withheld { date, least } => {
            format!("fewer than {least} users of {date} left, stayed or were asked about.")
        }
        Untested::TooFewDays { .. }
        | Untested::DatesTooClose { .. }
        | Untested::TooFewEarlier { .. }
        | Untested::TooFewOfAClass { .. } => "there are too few earlier rows.".to_owned(),
    }
}

/// The setting that makes more users leave, or fewer: silence is rarer the longer one waits, an event likelier.
fn horizon_advice(silence: bool, more_churn: bool) -> &'static str {
    if silence == more_churn {
        "shorten churn.horizon_days"
    } else {
        "lengthen churn.horizon_days"
    }
}

fn one_class(
    definition: &LabelDefinition,
    horizon_days: u16,
    date: Day,
    users: usize,
    churned: bool,
) -> String {
    let silence = definition.churn_event.is_none();
    let advice = horizon_advice(silence, !churned);
    let all = if users == 1 {
        "The only user".to_owned()
    } else {
        format!("All {users} users")
    };
    let became = if churned { "churned" } else { "stayed" };
    let cause = match (&definition.churn_event, churned) {
        (None, true) => format!(
            "If events of the kind {} stop before the log does, choose an earlier --as-of; otherwise {advice}.",
            definition.activity.join(", ")
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

    fn definition(churn_event: Option<&str>) -> LabelDefinition {
        LabelDefinition {
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
            let said = super::cause(cause, &definition(None), 30);
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
            let cause = Untested::OneClass {
                date,
                users: 9,
                churned,
            };
            super::cause(&cause, &definition(event), 30)
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
