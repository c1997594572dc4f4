//! Intervals of figures by resampling users.

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use rayon::prelude::*;

use crate::card::Interval;
use crate::math::quantile_sorted;

/// How often the users are drawn again.
pub(crate) const RESAMPLES: u64 = 200;

/// Figures of all users, and of each resample of them.
#[derive(Clone, Debug)]
pub(crate) struct Draws<T> {
    whole: T,
    resampled: Vec<T>,
}

/// The figures that `figures` gives for all `users`, and for users drawn with replacement (Efron 1979, Annals of
/// Statistics 7), from how often each of them counts. All figures of one resample come from the same users, so
/// differences between them are paired.
pub(crate) fn bootstrap<T: Send>(
    users: usize,
    seed: u64,
    figures: impl Fn(&[u16]) -> T + Sync,
) -> Draws<T> {
    let whole = figures(&vec![1; users]);
    // Without users there is nobody to draw.
    let resamples = if users == 0 { 0 } else { RESAMPLES };
    let resample = |k: u64| figures(&drawn_counts(users, seed, k));
    let resampled = (0..resamples).into_par_iter().map(resample).collect();
    Draws { whole, resampled }
}

/// How often each user counts in one resample.
fn drawn_counts(users: usize, seed: u64, resample: u64) -> Vec<u16> {
    // Every resample has a seed of its own, so the threads can share them out as they like.
    let mut random = Xoshiro256PlusPlus::seed_from_u64(
        seed ^ (resample + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15),
    );
    let mut counts = vec![0_u16; users];
    for _ in 0..users {
        let count = &mut counts[random.gen_range(0..users)];
        *count = count.saturating_add(1);
    }
    counts
}

impl<T> Draws<T> {
    /// The figure of all users, and around it as far as 95 % of the resamples lie from their median: percentiles less
    /// the bias of the median. Resamples of an absolute value, such as the calibration error, lie above the figure of
    /// all users as that lies above the truth, so that their plain percentiles may leave out the figure itself.
    pub(crate) fn interval(&self, of: impl Fn(&T) -> f64) -> Interval {
        let value = of(&self.whole);
        // Resamples that leave the figure open are passed over.
        let mut values: Vec<f64> = self
            .resampled
            .iter()
            .map(&of)
            .filter(|v| v.is_finite())
            .collect();
        values.sort_by(f64::total_cmp);
        let quantile = |q| quantile_sorted(&values, q).unwrap_or(value);
        let middle = quantile(0.5);
        let (below, above) = (
            (middle - quantile(0.025)).max(0.0),
            (quantile(0.975) - middle).max(0.0),
        );
        Interval {
            value,
            low: value - below,
            high: value + above,
        }
    }
}

#[cfg(test)]
impl<T> Draws<T> {
    /// A quantile of a figure's resamples themselves.
    pub(crate) fn quantile(&self, of: impl Fn(&T) -> f64, q: f64) -> f64 {
        let mut values: Vec<f64> = self.resampled.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        quantile_sorted(&values, q).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share of ones, and twice that share less a constant.
    fn shares(users: usize) -> Draws<[f64; 3]> {
        bootstrap(users, 7, |counts| {
            let ones: f64 = counts.iter().step_by(2).map(|c| f64::from(*c)).sum();
            let share = ones / users as f64;
            [share, share - 0.1, f64::NAN]
        })
    }

    #[test]
    fn the_interval_of_a_share_is_that_of_the_binomial() {
        let share = shares(1_000).interval(|f| f[0]);
        // Half the users, 1.96 standard errors of sqrt(0.25 / 1000) to each side; 200 resamples are coarse.
        let half = 1.96 * (0.25_f64 / 1_000.0).sqrt();
        assert_eq!(share.value, 0.5);
        assert!(
            (share.high - 0.5 - half).abs() < 0.3 * half
                && (0.5 - share.low - half).abs() < 0.3 * half,
            "{share:?}"
        );
    }

    #[test]
    fn differences_are_taken_on_the_same_users() {
        let draws = shares(1_000);
        let difference = draws.interval(|f| f[0] - f[1]);
        assert!(
            (difference.high - difference.low).abs() < 1e-12,
            "what is paired cancels: {difference:?}"
        );
        assert!(draws.interval(|f| f[0]).high - draws.interval(|f| f[0]).low > 0.01);
        assert!(draws.interval(|f| f[2]).value.is_nan());
    }

    #[test]
    fn one_seed_gives_one_answer() {
        assert_eq!(
            shares(100).interval(|f| f[0]),
            shares(100).interval(|f| f[0])
        );
        let drawn: std::collections::BTreeSet<u64> = shares(100)
            .resampled
            .iter()
            .map(|f| f[0].to_bits())
            .collect();
        assert!(drawn.len() > 10, "resamples differ");
    }
}
