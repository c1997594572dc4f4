//! Which column holds the user.

use super::Candidate;
use crate::init::columns::profile::Profile;
use crate::init::sample::Nature;
use crate::init::vocabulary::Table;
use crate::math::thousands;

/// Rows from which it says something that values are few, or that each comes once.
const MANY_ROWS: usize = 200;

/// The columns that could hold the user.
pub(super) fn candidates(profiles: &[Profile], is_unnamed: bool, time: usize) -> Vec<Candidate> {
    profiles
        .iter()
        .filter(|profile| profile.position != time && may_be(profile))
        .map(|profile| candidate(profile, is_unnamed))
        .collect()
}

fn may_be(profile: &Profile) -> bool {
    let is_written_time = profile
        .times
        .as_ref()
        .is_some_and(|times| !times.are_numbers);
    // Two numbers with a point between are an id where the name says so, as those of Google Analytics.
    let is_named = profile.nature == Nature::Text
        && Table::User.points(&profile.words).best >= 20
        && Table::Id.points(&profile.words).best > 0;
    let is_fraction = profile
        .numbers
        .as_ref()
        .is_some_and(|numbers| numbers.whole < 0.999 && !is_named || numbers.negative > 0.0);
    !profile.is_doubled
        && profile.distinct > 1
        && matches!(profile.nature, Nature::Text | Nature::Number)
        && !is_written_time
        && !is_fraction
}

fn candidate(profile: &Profile, is_unnamed: bool) -> Candidate {
    let mut reasons = Vec::new();
    let mut score = if is_unnamed {
        // Of several columns of ids, the first one is that of the whole log.
        -(profile.position.min(20) as i32) / 2
    } else {
        by_name(profile, &mut reasons)
    };
    score += by_values(profile, is_unnamed, &mut reasons);
    Candidate {
        mapping: profile.mapping.clone(),
        label: format!("`{}`", profile.name),
        score,
        reason: reasons.join(", "),
        position: profile.position,
    }
}

fn by_name(profile: &Profile, reasons: &mut Vec<String>) -> i32 {
    let (user, id) = (
        Table::User.points(&profile.words),
        Table::Id.points(&profile.words),
    );
    let is_id_alone = profile
        .words
        .iter()
        .all(|word| Table::Id.points_of(word).is_some());
    let id_points = if user.best > 0 || is_id_alone {
        id.best
    } else {
        0
    };
    match (user.best, id.best) {
        (0, 0) => {}
        (0, _) => reasons.push(format!("the name says `{}`", id.word)),
        (_, 0) => reasons.push(format!("the name says `{}`", user.word)),
        _ => reasons.push(format!("the name says `{}` and `{}`", user.word, id.word)),
    }
    let time = Table::Time.points(&profile.words);
    // `user_first_seen_timestamp` is about a user and no user.
    let time_points = if time.best >= 16 { -40 } else { 0 };
    user.best + user.worst + id_points + time_points
}

fn by_values(profile: &Profile, is_unnamed: bool, reasons: &mut Vec<String>) -> i32 {
    let rows = profile.filled_rows();
    let mut score = 0;
    let many = rows >= MANY_ROWS;
    if many && profile.distinct < 20 {
        score -= 25;
    } else if many && is_unnamed && (profile.distinct as f64) < 0.01 * rows as f64 {
        score -= 10;
    }
    if profile.distinct == rows && many {
        score -= 14;
        reasons.push("no value comes twice in the sample".to_owned());
    } else if profile.rows_a_value() >= 1.05 {
        score += 6;
        reasons.push(format!(
            "{} values in {} rows of the sample",
            thousands(profile.distinct as u64),
            thousands(rows as u64)
        ));
    }
    if profile.filled < 0.98 {
        score -= match profile.filled {
            ..0.5 => 12,
            ..0.9 => 4,
            _ => 1,
        };
        reasons.push(format!(
            "{:.0} % of the rows have none",
            100.0 * (1.0 - profile.filled)
        ));
    }
    if profile.is_prose {
        score -= 12;
    }
    if profile.length > 64.0 {
        score -= 8;
    }
    if is_unnamed && profile.has_padding {
        score += 6;
        reasons.push("values are padded as ids are".to_owned());
    }
    score
}
