//! Whether users are others since a release.
//!
//! The time of year moves what users do, and a growing log their tenures. Therefore a feature is compared with the same day
//! of the year before, after the release and on its day, by the population stability index: what a release has changed is that
//! the distance to the year before is larger than it was.

use super::FeatureShift;
use crate::train::population::migration::{stability, tolerance};

/// Features that have to be others.
pub const LEAST_FEATURES: usize = 3;

/// Groups of about equal size that the values of a feature fall into.
const GROUPS: usize = 10;

/// The features of users at four days, a row for each user.
#[derive(Clone, Copy, Debug)]
pub struct FourDays<'a> {
    /// Now.
    pub now: &'a [Vec<f64>],
    /// A year ago.
    pub year_now: &'a [Vec<f64>],
    /// On the day of the release, before it.
    pub before: &'a [Vec<f64>],
    /// A year before that.
    pub year_before: &'a [Vec<f64>],
}

impl FeatureShift {
    /// Whether the feature is another since the release: beyond the tolerance, and farther than before by more than it.
    pub fn is_found(&self) -> bool {
        self.now > self.tolerance && self.now - self.before > self.tolerance
    }
}

/// How much each feature differs from the year before, the largest increase first.
pub fn shifts(names: &[&str], days: &FourDays<'_>) -> Vec<FeatureShift> {
    let shift = |(feature, name): (usize, &&str)| {
        let now = Counts::new(days.year_now, days.now, feature);
        let before = Counts::new(days.year_before, days.before, feature);
        FeatureShift {
            feature: (*name).to_owned(),
            now: stability(&now.then, &now.now),
            before: stability(&before.then, &before.now),
            tolerance: tolerance(&now.then, &now.now),
        }
    };
    let mut shifts: Vec<FeatureShift> = names.iter().enumerate().map(shift).collect();
    shifts.sort_by(|a, b| (b.now - b.before).total_cmp(&(a.now - a.before)));
    shifts
}

/// How many users fall into each group of a feature's values, then and now.
struct Counts {
    then: Vec<u64>,
    now: Vec<u64>,
}

impl Counts {
    fn new(then: &[Vec<f64>], now: &[Vec<f64>], feature: usize) -> Self {
        let value = |row: &Vec<f64>| row.get(feature).copied().unwrap_or(f64::NAN);
        let mut known: Vec<f64> = then.iter().map(value).filter(|v| !v.is_nan()).collect();
        known.sort_by(f64::total_cmp);
        let bound = |group: usize| known.get(group * known.len() / GROUPS).copied();
        let mut bounds: Vec<f64> = (1..GROUPS).filter_map(bound).collect();
        // Where many users have the same value, there are fewer groups.
        bounds.dedup();
        let count = |rows: &[Vec<f64>]| {
            // The last group is that of unknown values.
            let mut counts = vec![0; bounds.len() + 2];
            for value in rows.iter().map(value) {
                let group = match value.is_nan() {
                    true => bounds.len() + 1,
                    false => bounds.partition_point(|bound| *bound <= value),
                };
                counts[group] += 1;
            }
            counts
        };
        Self {
            then: count(then),
            now: count(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::splitmix::splitmix64;

    /// Rows of a count, a normal number and a number that is unknown for a part of the users.
    fn rows(seed: u64, users: u64, shift: f64) -> Vec<Vec<f64>> {
        let mut state = splitmix64(seed);
        let mut unit = move || {
            state = splitmix64(state);
            ((state >> 11) as f64 + 0.5) / 2_f64.powi(53)
        };
        let mut row = |_| {
            let normal: f64 = (0..12).map(|_| unit()).sum::<f64>() - 6.0 + shift;
            let count = (-(1.0 + shift.max(0.0)) * libm::log(unit())).floor();
            let unknown = unit() < 0.2 + 0.3 * shift;
            vec![count, normal, if unknown { f64::NAN } else { unit() }]
        };
        (0..users).map(&mut row).collect()
    }

    const NAMES: [&str; 3] = ["count", "normal", "partly"];

    fn found(days: &FourDays<'_>) -> usize {
        shifts(&NAMES, days).iter().filter(|s| s.is_found()).count()
    }

    #[test]
    fn what_changes_after_a_release_is_found_and_what_had_changed_before_is_not() {
        let same: Vec<_> = (0..4).map(|seed| rows(seed, 2_000, 0.0)).collect();
        let changed = [rows(5, 2_000, 0.8), rows(6, 2_000, 0.8)];
        let days = FourDays {
            now: &changed[0],
            year_now: &same[1],
            before: &same[2],
            year_before: &same[3],
        };
        assert_eq!(found(&days), 3);
        assert_eq!(
            found(&FourDays {
                now: &same[0],
                ..days
            }),
            0
        );
        // The negative controls: a growing business had changed by then, and so had the year before.
        assert_eq!(
            found(&FourDays {
                before: &changed[1],
                ..days
            }),
            0
        );
        assert_eq!(
            found(&FourDays {
                year_now: &changed[1],
                ..days
            }),
            0
        );
    }

    #[test]
    fn chance_alone_is_no_change_with_few_users_either() {
        for users in [100, 150, 400] {
            let wrong = (0..100_u64).filter(|run| {
                let same: Vec<_> = (0..4)
                    .map(|k| rows(1_000 + 4 * run + k, users, 0.0))
                    .collect();
                let [now, year_now, before, year_before] = &same[..] else {
                    unreachable!()
                };
                found(&FourDays {
                    now,
                    year_now,
                    before,
                    year_before,
                }) >= LEAST_FEATURES
            });
            assert_eq!(wrong.count(), 0, "{users}");
        }
    }

    #[test]
    fn a_constant_and_an_unknown_feature_do_not_differ() {
        let rows = vec![vec![1.0, f64::NAN, 2.0]; 200];
        let days = FourDays {
            now: &rows,
            year_now: &rows,
            before: &rows,
            year_before: &rows,
        };
        for shift in shifts(&NAMES, &days) {
            assert!(shift.now.abs() < 1e-12 && !shift.is_found(), "{shift:?}");
        }
    }
}
