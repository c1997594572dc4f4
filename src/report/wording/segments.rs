//! What became of the segments of the bundle before.

use crate::card::{CHANGED_SHARE_LIMIT, NamedSegment, SegmentKey, SegmentMigration};
use crate::report::number::plain_percent;

/// Why a bundle is not written without being asked to: more users change segment than their behaviour explains. A clause
/// without its full stop.
pub fn resegmented(migration: &SegmentMigration) -> String {
    if !migration.differences.is_empty() {
        return format!(
            "the segments of --previous are made of other features ({}), so every user would get another key",
            migration.differences.join("; ")
        );
    }
    format!(
        "{} of the users get another segment key than under --previous, more than {}, while the population is the same: its stability \
         index is {}, at most {}",
        migration
            .changed_share
            .map_or("too many".to_owned(), plain_percent),
        plain_percent(CHANGED_SHARE_LIMIT),
        two(migration.population_stability),
        two(migration.population_tolerance),
    )
}

/// What became of the segments, a sentence each.
pub(crate) fn migration(migration: &SegmentMigration) -> Vec<String> {
    let before = format!("the bundle as of {}", migration.previous_as_of);
    if !migration.differences.is_empty() {
        return vec![format!(
            "The segments of {before} cannot be compared, and all keys are new: {}.",
            migration.differences.join("; ")
        )];
    }
    let mut sentences = Vec::new();
    if let (Some(share), Some(rand)) = (migration.changed_share, migration.adjusted_rand) {
        sentences.push(format!(
            "{} of the users have another key than under {before}; adjusted Rand index {rand:.2}.",
            plain_percent(share)
        ));
    }
    let stability = migration
        .population_stability
        .zip(migration.population_tolerance);
    if let Some((index, tolerance)) = stability {
        let verdict = match index <= tolerance {
            true => "the same population",
            false => "another population",
        };
        sentences.push(format!(
            "Divided by the segments before, the users are {verdict}: stability index {index:.2}, tolerance {tolerance:.2}."
        ));
    }
    let named = |keys: &[SegmentKey], all: &[NamedSegment]| -> String {
        let of_keys = all.iter().filter(|s| keys.contains(&s.key));
        let named: Vec<String> = of_keys.map(|s| format!("{} “{}”", s.key, s.name)).collect();
        named.join(", ")
    };
    if !migration.new.is_empty() {
        sentences.push(format!("New: {}.", named(&migration.new, &migration.now)));
    }
    if !migration.retired.is_empty() {
        let retired = named(&migration.retired, &migration.previous);
        sentences.push(format!("Retired: {retired}."));
    }
    for (before, now) in migration.renamed() {
        sentences.push(format!(
            "{} was “{}” and is “{}” now.",
            now.key, before.name, now.name
        ));
    }
    sentences
}

fn two(index: Option<f64>) -> String {
    index.map_or("unknown".to_owned(), |index| format!("{index:.2}"))
}

/// A cell of the table of users by segment before and now.
pub(crate) fn cell(users: Option<u64>) -> String {
    users.map_or("–".to_owned(), crate::report::number::thousands)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::html::fixture::migration as fixture;

    #[test]
    fn what_became_of_segments_is_said() {
        insta::assert_snapshot!(migration(&fixture()).join("\n"), @r"
        23.0 % of the users have another key than under the bundle as of 2011-06-01; adjusted Rand index 0.91.
        Divided by the segments before, the users are the same population: stability index 0.04, tolerance 0.10.
        New: s06 “low spend”.
        Retired: s05 “lapsed”.
        s02 was “new, recent” and is “new” now.
        ");
        insta::assert_snapshot!(resegmented(&fixture()), @"23.0 % of the users get another segment key than under --previous, more than 25.0 %, while the population is the same: its stability index is 0.04, at most 0.10");
    }

    #[test]
    fn other_features_are_named() {
        let mut other = fixture();
        other.differences = vec!["`amount_mean` was no feature of segments then".to_owned()];
        insta::assert_snapshot!(migration(&other).join("\n"), @"The segments of the bundle as of 2011-06-01 cannot be compared, and all keys are new: `amount_mean` was no feature of segments then.");
        insta::assert_snapshot!(resegmented(&other), @"the segments of --previous are made of other features (`amount_mean` was no feature of segments then), so every user would get another key");
    }
}
