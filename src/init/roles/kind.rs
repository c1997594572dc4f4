//! Which column holds the kind of an event.

use super::Candidate;
use super::expression::Operand;
use crate::events::config::{Format, Mapping};
use crate::init::columns::profile::Profile;
use crate::init::kinds::Meaning;
use crate::init::sample::Nature;
use crate::init::vocabulary::Table;

/// The most kinds that a column of kinds has in a sample.
const MOST_KINDS: usize = 80;
/// The share of the rows from which a column with gaps can hold kinds.
const LEAST_FILLED: f64 = 0.3;
/// The share of the rows from which its gaps are damage, and not rows of another kind.
const FULL: f64 = 0.98;
/// Points for values that all are kinds of events.
const KNOWN_VALUES: f64 = 25.0;

/// The columns that could hold the kind.
pub(super) fn candidates(
    profiles: &[Profile],
    format: Format,
    is_unnamed: bool,
    taken: &[usize],
) -> Vec<Candidate> {
    profiles
        .iter()
        .filter(|profile| !taken.contains(&profile.position) && may_be(profile))
        .filter_map(|profile| candidate(profile, format, is_unnamed))
        .collect()
}

fn may_be(profile: &Profile) -> bool {
    let is_number = profile
        .numbers
        .as_ref()
        .is_some_and(|numbers| numbers.whole < 1.0);
    !profile.is_doubled
        && (1..=MOST_KINDS).contains(&profile.distinct)
        && profile.filled >= LEAST_FILLED
        && profile.length <= 48.0
        && matches!(profile.nature, Nature::Text | Nature::Number | Nature::Bool)
        && profile.times.is_none()
        && !is_number
        // In a small sample everything is few.
        && (profile.rows_a_value() >= 2.0 || profile.distinct <= 5)
}

fn candidate(profile: &Profile, format: Format, is_unnamed: bool) -> Option<Candidate> {
    let rows: usize = profile.few.iter().map(|(_, rows)| rows).sum();
    let known: usize = profile
        .few
        .iter()
        .filter(|(value, _)| Meaning::of(value) != Meaning::Other)
        .map(|(_, rows)| rows)
        .sum();
    let known = known as f64 / rows.max(1) as f64;
    let name = if is_unnamed {
        Table::Kind.points(&[])
    } else {
        Table::Kind.points(&profile.words)
    };
    let score = name.best + name.worst + (KNOWN_VALUES * known) as i32;
    let mut reasons = Vec::new();
    if name.best > 0 {
        reasons.push(format!("the name says `{}`", name.word));
    }
    let shown: Vec<&str> = profile
        .few
        .iter()
        .take(4)
        .map(|(value, _)| value.as_str())
        .collect();
    let more = if profile.distinct > shown.len() {
        ", ..."
    } else {
        ""
    };
    reasons.push(format!("values are {}{more}", shown.join(", ")));
    let mapping = match profile.filled >= FULL {
        true => profile.mapping.clone(),
        // Rows without a kind would be rejected.
        false => {
            let operand = Operand::new(profile, format)?;
            reasons.push(format!(
                "{:.0} % of the rows have none",
                100.0 * (1.0 - profile.filled)
            ));
            let Operand { path, missing, .. } = operand;
            Mapping::Expression(format!("{missing} ? \"other\" : {path}"))
        }
    };
    Some(Candidate {
        mapping,
        label: format!("`{}`", profile.name),
        score,
        reason: reasons.join(", "),
        position: profile.position,
    })
}
