//! Potential users in sentences.

use crate::card::{ConversionCard, HorizonCard, Untested};
use crate::report::number::counted;

/// Who is asked about, and what conversion is: a sentence without its full stop.
pub(crate) fn question(part: &ConversionCard) -> String {
    let event = part.event.join("` or `");
    let without = match part.repeat {
        true => format!(
            "users without an event `{event}` in the last {} days",
            part.within_days
        ),
        false => format!("users without any event `{event}`"),
    };
    format!(
        "Conversion is an event `{event}` within the horizon; asked about are {without} who had another event ({}) in the last {} days",
        part.signs.join(", "),
        part.within_days
    )
}

/// How many potential users there are: `2,531`, or `fewer than 10`.
pub(crate) fn users(part: &ConversionCard) -> String {
    part.users.map_or_else(
        || format!("fewer than {}", part.min_users),
        crate::math::thousands,
    )
}

/// How many figures are withheld; `None` for none.
pub(crate) fn withheld(part: &ConversionCard) -> Option<String> {
    let figures = match part.withheld {
        0 => return None,
        1 => "1 figure or curve".to_owned(),
        n => format!("{n} figures and curves"),
    };
    Some(format!(
        "{figures} of fewer than {} people (privacy.min_users), or that would give such away, are left out of the card.",
        part.min_users
    ))
}

/// Why a model of conversion was not judged.
pub(crate) fn untested(horizon: &HorizonCard) -> String {
    let days = horizon.horizon_days;
    let why = match &horizon.untested {
        None => "the card gives no reason".to_owned(),
        Some(Untested::TooFewDays {
            span_days,
            needed_days,
        }) => format!(
            "the log spans {span_days} days, and {needed_days} are needed to train on one label window and judge on the next"
        ),
        Some(Untested::DatesTooClose { dates, window_days }) => format!(
            "all {dates} dates lie less than a label window of {window_days} days before the newest; a smaller model.spacing_days would do"
        ),
        Some(Untested::TooFewUsers { date, users, least }) => format!(
            "only {} asked about at {date}, and {least} are needed; a longer conversion.within_days would do",
            match users {
                1 => "1 potential user was".to_owned(),
                users => format!("{users} potential users were"),
            }
        ),
        Some(Untested::OneClass {
            date,
            users,
            churned,
        }) => format!(
            "of {} at {date} {} converted, so nothing can be told apart; a {} conversion.horizon_days would do",
            counted(*users as u64, "potential user"),
            if *churned { "all" } else { "none" },
            if *churned { "shorter" } else { "longer" },
        ),
        Some(Untested::TooFewEarlier { date, rows, least }) => format!(
            "only {rows} rows (user, date) before {date} can train it, and {least} are needed"
        ),
        Some(Untested::TooFewOfAClass {
            date,
            rows,
            churned,
        }) => format!(
            "of {rows} rows (user, date) before {date} {churned} converted, which is too few of one kind to learn from"
        ),
        Some(Untested::Withheld { date, least }) => format!(
            "fewer than privacy.min_users = {least} potential users of {date} were asked about, converted or did not, and figures \
             of so few are withheld"
        ),
        Some(Untested::LabelsNotObserved { date, .. }) => {
            format!("the label window of {date} was not observed in full")
        }
    };
    format!("The model of conversion within {days} days was not judged: {why}.")
}
