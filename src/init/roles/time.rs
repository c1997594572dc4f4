//! Which column holds the time.

use super::Candidate;
use crate::init::columns::profile::Profile;
use crate::init::columns::time::Times;
use crate::init::vocabulary::Table;

/// Rows from which a single time says that it is not that of the events.
const MANY_ROWS: usize = 50;

/// The columns that could hold the time.
pub(super) fn candidates(profiles: &[Profile], is_unnamed: bool) -> Vec<Candidate> {
    profiles
        .iter()
        .filter(|profile| !profile.is_doubled)
        .filter_map(|profile| Some(candidate(profile, profile.times.as_ref()?, is_unnamed)))
        .collect()
}

fn candidate(profile: &Profile, times: &Times, is_unnamed: bool) -> Candidate {
    let mut reasons = Vec::new();
    let is_epoch = times.are_numbers && times.are_instants;
    let mut score = match (times.are_numbers, is_epoch) {
        (false, _) => 40,
        (true, false) => 30,
        (true, true) => 20,
    };
    if !is_unnamed {
        let (time, event) = (
            Table::Time.points(&profile.words),
            Table::EventTime.points(&profile.words),
        );
        score += time.best + time.worst;
        // The plainest name, at the top of an event, is that of the event's own time.
        if profile.words.len() == 1 && time.best >= 16 {
            score += 6;
        }
        score -= 2 * profile.name.matches('.').count() as i32;
        // Only beside a word for a time: `event` by itself is a kind.
        if time.best > 0 {
            score += event.best;
        }
        match (time.best, event.best) {
            (0, _) => {}
            (_, 0) => reasons.push(format!("the name says `{}`", time.word)),
            _ if time.word == event.word => reasons.push(format!("the name says `{}`", time.word)),
            _ => reasons.push(format!(
                "the name says `{}` and `{}`",
                event.word, time.word
            )),
        }
    }
    reasons.push(format!(
        "{} to {} in the sample",
        times.span.0, times.span.1
    ));
    score -= match profile.filled {
        ..0.5 => 24,
        ..0.9 => 12,
        ..0.99 => 3,
        _ => 0,
    };
    if profile.filled < 0.99 {
        reasons.push(format!(
            "{:.0} % of the rows have none",
            100.0 * (1.0 - profile.filled)
        ));
    }
    if times.share < 0.99 {
        score -= 3;
    }
    if times.has_clock {
        score += 2;
    }
    if profile.distinct == 1 && profile.rows > MANY_ROWS {
        score -= 20;
        reasons.push("all rows have the same".to_owned());
    }
    if times.span.1.date().year() < 1985 {
        score -= 20;
    }
    Candidate {
        mapping: profile.mapping.clone(),
        label: format!("`{}`", profile.name),
        score,
        reason: reasons.join(", "),
        position: profile.position,
    }
}
