//! Tiers that do not flicker: a tier changes at a weekly checkpoint, and only when the value has passed the bound by 30 %.

use super::ValueTier;
use super::scorer::tier_of;
use crate::history::Day;

/// Days between two checkpoints. They are the days whose number it divides, so that every scoring looks at the same ones.
const WEEK: i32 = 7;

/// How many checkpoints are looked at: a value that has stayed near a bound for longer has the tier of the oldest one.
const MOST_CHECKPOINTS: usize = 26;

/// By how much a value must have passed a bound.
const PASSED: f64 = 1.3;

/// The newest checkpoint at or before a day.
pub(crate) fn newest_checkpoint(as_of: Day) -> Day {
    as_of.plus(-as_of.number().rem_euclid(WEEK))
}

/// The tier at the newest checkpoint, from the residual value at checkpoints; `None` where that one has no value, so that the
/// user has the tier of the present value. `residual_at` is asked backwards, and no further than the answer needs.
pub(crate) fn tier_at<E>(
    tiers: &[ValueTier],
    as_of: Day,
    mut residual_at: impl FnMut(Day) -> Result<Option<f64>, E>,
) -> Result<Option<usize>, E> {
    let mut undecided: Vec<f64> = Vec::new();
    let mut day = newest_checkpoint(as_of);
    let mut tier = None;
    while undecided.len() < MOST_CHECKPOINTS {
        let Some(value) = residual_at(day)? else {
            break;
        };
        if let Some(decided) = decided(tiers, value) {
            tier = Some(decided);
            break;
        }
        undecided.push(value);
        day = day.plus(-WEEK);
    }
    // Oldest first; the first of them has nothing before it that could have held it.
    for value in undecided.into_iter().rev() {
        tier = Some(match tier {
            None => tier_of(tiers, value),
            Some(tier) => next(tiers, tier, value),
        });
    }
    Ok(tier)
}

/// The tier that a value has whatever came before; `None` near a bound.
fn decided(tiers: &[ValueTier], value: f64) -> Option<usize> {
    let (highest, lowest) = (
        tier_of(tiers, value * PASSED),
        tier_of(tiers, value / PASSED),
    );
    (highest == lowest).then_some(highest)
}

/// The tier after `tier` at a checkpoint with this value. Tiers are numbered from the highest.
fn next(tiers: &[ValueTier], tier: usize, value: f64) -> usize {
    let (highest, lowest) = (
        tier_of(tiers, value * PASSED),
        tier_of(tiers, value / PASSED),
    );
    // Above the tier only when it is passed by 30 % even so, below it only when it falls short by 30 % even so.
    tier.clamp(highest, lowest)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn tiers() -> Vec<ValueTier> {
        [("high", 1_000.0), ("medium", 100.0), ("low", 0.0)]
            .map(|(name, from)| ValueTier {
                name: name.to_owned(),
                from,
            })
            .to_vec()
    }

    /// The tier on a day after these values at weekly checkpoints, oldest first, and how many were asked for.
    fn after(values: &[f64]) -> (Option<usize>, usize) {
        let newest = Day::new(700).unwrap();
        let mut asked = 0;
        let residual = |day: Day| {
            asked += 1;
            let back = (newest.since(day) / WEEK) as usize;
            let value = values.len().checked_sub(1 + back).map(|k| values[k]);
            Ok::<_, Infallible>(value)
        };
        let tier = tier_at(&tiers(), newest.plus(3), residual).unwrap();
        (tier, asked)
    }

    #[test]
    fn a_tier_changes_only_well_beyond_its_bound() {
        assert_eq!(after(&[500.0]), (Some(1), 1));
        assert_eq!(after(&[500.0, 1_200.0]), (Some(1), 2), "not far enough up");
        assert_eq!(after(&[500.0, 1_301.0]), (Some(0), 1));
        assert_eq!(
            after(&[1_400.0, 850.0]),
            (Some(0), 2),
            "not far enough down"
        );
        assert_eq!(after(&[1_400.0, 850.0, 1_080.0]), (Some(0), 3));
        assert_eq!(after(&[1_400.0, 760.0, 1_080.0]), (Some(1), 2));
        assert_eq!(after(&[1_400.0, 920.0, 50.0, 105.0]), (Some(2), 2));
        // The first value near a bound has nothing before it.
        assert_eq!(after(&[1_001.0]), (Some(0), 2));
        assert_eq!(after(&[]), (None, 1));
    }

    #[test]
    fn the_lazy_answer_is_that_of_the_whole_fold() {
        let mut state = 1_u64;
        for _ in 0..500 {
            let values: Vec<f64> = (0..20)
                .map(|_| {
                    state = crate::math::splitmix::splitmix64(state);
                    libm::exp((state >> 40) as f64 / 2_f64.powi(24) * 6.0 + 2.5)
                })
                .collect();
            let tiers = tiers();
            let whole = values[1..]
                .iter()
                .fold(tier_of(&tiers, values[0]), |tier, v| next(&tiers, tier, *v));
            assert_eq!(after(&values).0, Some(whole));
        }
    }

    #[test]
    fn values_that_waver_do_not_change_the_tier_and_without_a_dead_band_they_would() {
        let wavering: Vec<f64> = (0..20).map(|k| 1_000.0 + 60.0 * f64::from(k % 2)).collect();
        let changes = |tier: &dyn Fn(&[f64]) -> usize| {
            let tiers: Vec<usize> = (1..=20).map(|n| tier(&wavering[..n])).collect();
            tiers.windows(2).filter(|two| two[0] != two[1]).count()
        };
        assert_eq!(changes(&|seen| after(seen).0.unwrap()), 0);
        let shaken: Vec<f64> = wavering.iter().map(|v| v - 30.0).collect();
        let plain = shaken
            .windows(2)
            .filter(|two| tier_of(&tiers(), two[0]) != tier_of(&tiers(), two[1]));
        assert_eq!(plain.count(), 19, "the negative control");
    }
}
