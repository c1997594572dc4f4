//! Intervals of spend: how far the spend of past users lay from what was expected of them, by the size of the expectation.
//!
//! After the Mondrian conformal predictors of Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World (2005), 4.5. Those
//! have a guarantee on rows that no model has seen; these rows are the newest that are known, and the models have seen them.

use crate::math::quantile_sorted;
use crate::model::{SpendIntervalBand, SpendIntervals};

/// Bands of equally many users.
const BANDS: usize = 10;

/// The fewest users of a band.
const LEAST_USERS: usize = 30;

/// The intervals that cover the share `covers` of rows with these expected and actual spends.
pub(super) fn intervals(covers: f64, expected: &[f64], actual: &[f64]) -> SpendIntervals {
    let mut pairs: Vec<(f64, f64)> = expected
        .iter()
        .copied()
        .zip(actual.iter().copied())
        .collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let count = (pairs.len() / LEAST_USERS).clamp(1, BANDS);
    let mut bands: Vec<SpendIntervalBand> = Vec::with_capacity(count);
    let mut smallest = f64::NEG_INFINITY;
    for k in 0..count {
        let part = &pairs[k * pairs.len() / count..(k + 1) * pairs.len() / count];
        // Equal expectations have one interval.
        let Some((own, _)) = part.first().filter(|(own, _)| *own > smallest) else {
            continue;
        };
        smallest = *own;
        let from = if bands.is_empty() { 0.0 } else { *own };
        let (low, high) = ends(covers, part);
        bands.push(SpendIntervalBand { from, low, high });
    }
    SpendIntervals { covers, bands }
}

/// The ends of the ratios of actual over expected spend. Equal tails, unless more users than the lower tail has spent nothing:
/// then the interval begins at 0 and ends where the share to cover is reached, or it would cover more than that.
fn ends(covers: f64, part: &[(f64, f64)]) -> (f64, f64) {
    let mut ratios: Vec<f64> = part.iter().map(|(e, a)| a / e).collect();
    ratios.sort_by(f64::total_cmp);
    let tail = 0.5 * (1.0 - covers);
    let quantile = |q| quantile_sorted(&ratios, q).unwrap_or_default();
    let low = quantile(tail);
    if low > 0.0 {
        (low, quantile(1.0 - tail))
    } else {
        (0.0, quantile(covers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_cover_what_they_are_to_cover_and_begin_at_nothing_where_many_spend_nothing() {
        let expected: Vec<f64> = (0..10_000).map(|k| 1.0 + f64::from(k)).collect();
        // Below 5,000 half of the users spend nothing.
        let actual = |k: u32| {
            let draw = f64::from(k.wrapping_mul(2_654_435_761) >> 8) / f64::from(1_u32 << 24);
            let nothing = k < 5_000 && k.is_multiple_of(2);
            if nothing {
                0.0
            } else {
                expected[k as usize] * 2.0 * draw
            }
        };
        let actual: Vec<f64> = (0..10_000).map(actual).collect();
        let intervals = intervals(0.8, &expected, &actual);
        assert_eq!(intervals.bands.len(), 10);
        assert!(intervals.bands[..5].iter().all(|band| band.low == 0.0));
        assert!(intervals.bands[5..].iter().all(|band| band.low > 0.1));
        let inside = |range: std::ops::Range<usize>| {
            let users = range.len() as f64;
            let of = |k: usize| {
                let (low, high) = intervals.of(expected[k]);
                low <= actual[k] && actual[k] <= high
            };
            range.filter(|k| of(*k)).count() as f64 / users
        };
        for range in [0..5_000, 5_000..10_000] {
            assert!(
                (inside(range.clone()) - 0.8).abs() < 0.01,
                "{range:?}: {}",
                inside(range.clone())
            );
        }
    }

    #[test]
    fn few_or_equal_expectations_have_one_band() {
        let one = intervals(0.8, &[2.0; 400], &[1.0; 400]);
        assert_eq!((one.bands.len(), one.of(2.0)), (1, (1.0, 1.0)));
        assert_eq!(intervals(0.8, &[1.0, 2.0], &[0.0, 1.0]).bands.len(), 1);
    }
}
