//! The same users under the segments of the bundle before and under the new ones.

use super::segments::segment_of;
use crate::card::{CHANGED_SHARE_LIMIT, NamedSegment, SegmentMigration, withhold};
use crate::history::Day;
use crate::model::{BundleSpec, Preprocessing, Segments};
use crate::train::data::context::TrainContext;
use crate::train::data::dataset::Dataset;

/// Up to this population stability index a population counts as the same. Source: Siddiqi, Credit Risk Scorecards (2006):
/// below 0.1 no significant change.
const STABLE: f64 = 0.1;

/// The normal quantile of 0.99.
const NORMAL_99: f64 = 2.326_347_874_040_841;

/// What became of the segments of the bundle before; `None` without such a bundle. `earlier` are those with their scales, or what
/// they are made of otherwise; `newest` are the users of `date`.
pub(crate) fn migration(
    ctx: &TrainContext<'_>,
    preprocessing: &Preprocessing,
    segments: &Segments,
    earlier: Option<&Result<Segments, Vec<String>>>,
    (newest, date): (&Dataset, Day),
) -> Option<SegmentMigration> {
    let before = ctx.previous?;
    let mut card = unchanged(before, segments, date, newest.len() as u64);
    match earlier? {
        Err(differences) => {
            card.differences.clone_from(differences);
            card.needs_resegment = !card.previous.is_empty();
        }
        Ok(earlier) => {
            let of = |segments| segment_of(ctx, preprocessing, segments, newest);
            let pairs: Vec<_> = of(earlier).into_iter().zip(of(segments)).collect();
            let min_users = ctx.config.privacy.min_users.into();
            compare(&mut card, (&before.segments, segments), &pairs, min_users);
        }
    }
    Some(card)
}

/// The card before anything of it is compared.
fn unchanged(before: &BundleSpec, segments: &Segments, date: Day, users: u64) -> SegmentMigration {
    let named = |segments: &Segments| -> Vec<NamedSegment> {
        let items = segments.items.iter();
        let named = items.map(|s| NamedSegment {
            key: s.key,
            name: s.name.clone(),
        });
        named.collect()
    };
    let (previous, now) = (named(&before.segments), named(segments));
    let lacks = |all: &[NamedSegment], one: &NamedSegment| all.iter().all(|s| s.key != one.key);
    let only_in = |ours: &[NamedSegment], theirs: &[NamedSegment]| {
        let only = ours.iter().filter(|one| lacks(theirs, one));
        only.map(|s| s.key).collect()
    };
    SegmentMigration {
        previous_as_of: before.training.as_of,
        date,
        users,
        differences: Vec::new(),
        new: only_in(&now, &previous),
        retired: only_in(&previous, &now),
        previous,
        now,
        users_moved: Vec::new(),
        changed_share: None,
        adjusted_rand: None,
        population_stability: None,
        population_tolerance: None,
        needs_resegment: false,
    }
}

/// Fills in what both divisions of the users have in common: for each user the segment before and now. Cells of fewer than
/// `min_users` are withheld.
fn compare(
    card: &mut SegmentMigration,
    (before, now): (&Segments, &Segments),
    pairs: &[(Option<usize>, Option<usize>)],
    min_users: u64,
) {
    if before.items.is_empty() || pairs.is_empty() {
        return;
    }
    let mut moved = vec![vec![0_u64; now.items.len()]; before.items.len()];
    let mut changed = 0;
    let mut counts = vec![0_u64; before.items.len()];
    for (then, new) in pairs {
        let key = |segments: &Segments, id: Option<usize>| Some(segments.items.get(id?)?.key);
        changed += u64::from(key(before, *then) != key(now, *new));
        if let Some(then) = then {
            counts[*then] += 1;
            if let Some(new) = new {
                moved[*then][*new] += 1;
            }
        }
    }
    let at_fit: Vec<u64> = before.items.iter().map(|s| s.users).collect();
    let stability = stability(&at_fit, &counts);
    let tolerance = tolerance(&at_fit, &counts);
    let share = changed as f64 / pairs.len() as f64;
    card.needs_resegment = share > CHANGED_SHARE_LIMIT && stability <= tolerance;
    card.users_moved = withhold(&moved, now.items.len(), min_users);
    if card.users >= min_users {
        // Rounded, so that no single cell can be worked out from them.
        let rounded = |value: f64| Some((value * 100.0).round() / 100.0);
        card.changed_share = rounded(share);
        card.adjusted_rand = rounded(adjusted_rand(&moved));
        card.population_stability = rounded(stability);
        card.population_tolerance = rounded(tolerance);
    }
}

/// The population stability index: the sum of `(p - q) ln(p / q)` over the shares of both counts, half a user added to each so
/// that none is 0.
pub(crate) fn stability(then: &[u64], now: &[u64]) -> f64 {
    let shares = |counts: &[u64]| -> Vec<f64> {
        let all: f64 = counts.iter().map(|n| *n as f64 + 0.5).sum();
        counts.iter().map(|n| (*n as f64 + 0.5) / all).collect()
    };
    let pairs = shares(then).into_iter().zip(shares(now));
    pairs
        .map(|(p, q)| (p - q) * (libm::log(p) - libm::log(q)))
        .sum()
}

/// The index up to which a population counts as the same: [`STABLE`], or what an unchanged one exceeds in one of a hundred
/// samples of these sizes, where that is more.
///
/// Sources: the index over `1/n + 1/m` is about chi-squared with one degree of freedom less than there are groups (Yurdakul,
/// Statistical Properties of Population Stability Index, 2018); its quantile by Wilson and Hilferty (1931).
pub(crate) fn tolerance(then: &[u64], now: &[u64]) -> f64 {
    let users = |counts: &[u64]| counts.iter().sum::<u64>().max(1) as f64;
    let degrees = then.len().saturating_sub(1) as f64;
    if degrees == 0.0 {
        return STABLE;
    }
    let spread = 2.0 / (9.0 * degrees);
    let root = 1.0 - spread + NORMAL_99 * spread.sqrt();
    let quantile = degrees * root * root * root;
    STABLE.max(quantile * (1.0 / users(then) + 1.0 / users(now)))
}

/// The adjusted Rand index of two divisions, from how many users are in both of each pair of groups. 1 where neither divides
/// anybody.
///
/// Source: Hubert and Arabie, Comparing partitions, Journal of Classification 2 (1985).
fn adjusted_rand(table: &[Vec<u64>]) -> f64 {
    let pairs = |n: u64| n as f64 * (n as f64 - 1.0) / 2.0;
    let of_rows = table.iter().map(|row| row.iter().sum::<u64>());
    let columns = table.first().map_or(0, Vec::len);
    let of_columns = (0..columns).map(|column| table.iter().map(|row| row[column]).sum::<u64>());
    let all = pairs(table.iter().flatten().sum());
    let together: f64 = table.iter().flatten().map(|n| pairs(*n)).sum();
    let (rows, columns): (f64, f64) = (of_rows.map(pairs).sum(), of_columns.map(pairs).sum());
    let expected = if all > 0.0 { rows * columns / all } else { 0.0 };
    let most = (rows + columns) / 2.0;
    if most == expected {
        return 1.0;
    }
    (together - expected) / (most - expected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Segment, SegmentKey};

    #[test]
    fn the_adjusted_rand_index_is_that_of_scikit_learn() {
        // sklearn.metrics.adjusted_rand_score: ([0, 0, 1, 2], [0, 0, 1, 1]) = 0.5714; ([0, 0, 1, 1], [0, 1, 0, 1]) = -0.5;
        // equal divisions, also under other labels, 1; ([0, 0, 0, 0], [0, 1, 2, 3]) = 0.
        let close = |table: &[Vec<u64>], expected: f64| {
            assert!((adjusted_rand(table) - expected).abs() < 1e-12, "{table:?}");
        };
        close(&[vec![2, 0], vec![0, 1], vec![0, 1]], 4.0 / 7.0);
        close(&[vec![1, 1], vec![1, 1]], -0.5);
        close(&[vec![0, 7], vec![5, 0]], 1.0);
        close(&[vec![1, 1, 1, 1]], 0.0);
        close(&[vec![9]], 1.0);
    }

    #[test]
    fn the_stability_index_is_the_sum_and_its_tolerance_the_quantile() {
        // Shares of 0.2 and 0.8 against 0.4 and 0.6, but for the half users.
        let index = stability(&[200_000, 800_000], &[400_000, 600_000]);
        assert!((index - (0.2 * 2.0_f64.ln() + 0.2 * (4.0_f64 / 3.0).ln())).abs() < 1e-5);
        assert_eq!(stability(&[7, 9, 0], &[7, 9, 0]), 0.0);
        // scipy.stats.chi2.ppf(0.99, 3) = 11.344867; Wilson and Hilferty come within a percent.
        let small = tolerance(&[50, 30, 10, 10], &[25, 25, 25, 25]);
        assert!((small / (11.344_867 * 0.02) - 1.0).abs() < 0.01, "{small}");
        assert_eq!(tolerance(&[9_000, 9_000], &[9_000, 9_000]), STABLE);
        assert_eq!(tolerance(&[9], &[9]), STABLE);
    }

    fn segments(keys: &[u32], users: &[u64]) -> Segments {
        let items = keys.iter().zip(users).map(|(key, users)| Segment {
            key: SegmentKey::new(*key).unwrap(),
            name: format!("{key}"),
            centroid: Vec::new(),
            users: *users,
            churn_rate: 0.5,
        });
        Segments {
            items: items.collect(),
            last_key: 9,
            ..Segments::default()
        }
    }

    /// Users of two segments, so many of them in each pair of segments before and now.
    fn compared(before: &Segments, now: &Segments, table: [[usize; 2]; 2]) -> SegmentMigration {
        let mut pairs = Vec::new();
        for (then, row) in table.iter().enumerate() {
            for (new, users) in row.iter().enumerate() {
                pairs.extend(vec![(Some(then), Some(new)); *users]);
            }
        }
        let mut spec = crate::model::tests::spec();
        spec.segments = before.clone();
        let day = spec.training.as_of;
        let mut card = unchanged(&spec, now, day, pairs.len() as u64);
        compare(&mut card, (before, now), &pairs, 10);
        card
    }

    #[test]
    fn many_new_keys_in_the_same_population_are_too_many() {
        let before = segments(&[1, 2], &[500, 500]);
        // Half of the users get the new key 3.
        let now = segments(&[1, 3], &[500, 500]);
        let card = compared(&before, &now, [[490, 12], [8, 490]]);
        assert!(card.needs_resegment);
        let keys = |keys: &[SegmentKey]| keys.iter().map(|k| k.number()).collect::<Vec<_>>();
        assert_eq!((keys(&card.new), keys(&card.retired)), (vec![3], vec![2]));
        assert_eq!(card.changed_share, Some(0.51));
        assert_eq!((card.users, card.population_stability), (1_000, Some(0.0)));
        assert_eq!(
            card.users_moved,
            // 8 are too few, and 490 less the 498 of the column would give them away.
            [vec![None, Some(12)], vec![None, Some(490)]]
        );
        // A quarter is allowed; so is any move of users who are others than before.
        let same = segments(&[1, 2], &[850, 150]);
        let few = compared(&same, &now, [[750, 100], [0, 150]]);
        assert!(!few.needs_resegment && few.changed_share == Some(0.25));
        assert!(compared(&same, &now, [[749, 101], [0, 150]]).needs_resegment);
        let others = segments(&[1, 2], &[900, 100]);
        let shifted = compared(&others, &now, [[490, 12], [8, 490]]);
        assert!(!shifted.needs_resegment && shifted.population_stability > Some(0.1));
    }

    #[test]
    fn users_who_lose_their_segments_change_key_and_few_users_are_not_counted_in_public() {
        let before = segments(&[1, 2], &[40, 40]);
        let spec = crate::model::BundleSpec {
            segments: before.clone(),
            ..crate::model::tests::spec()
        };
        let none = Segments::default();
        let mut card = unchanged(&spec, &none, spec.training.as_of, 9);
        let pairs: Vec<_> = (0..9).map(|user| (Some(user % 2), None)).collect();
        compare(&mut card, (&before, &none), &pairs, 10);
        assert!(card.needs_resegment && card.changed_share.is_none());
        assert!(card.adjusted_rand.is_none() && card.population_stability.is_none());
        assert_eq!(card.users_moved, [vec![], vec![]]);
        // A bundle without segments has nothing to keep.
        let mut card = unchanged(&spec, &before, spec.training.as_of, 9);
        compare(&mut card, (&none, &before), &[(None, Some(0)); 9], 10);
        assert!(!card.needs_resegment && card.users_moved.is_empty());
    }
}
