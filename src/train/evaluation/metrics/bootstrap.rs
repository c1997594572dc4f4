use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use rayon::prelude::*;

use super::Interval;
use crate::math::quantile_sorted;

/// How often the users are drawn again.
const RESAMPLES: u64 = 200;

/// Some figures of all users, and of each resample of them.
#[derive(Clone, Debug)]
pub struct Draws {
    whole: Vec<f64>,
    resampled: Vec<Vec<f64>>,
}

/// The figures that `figures` gives for all `users`, and for users drawn with replacement (Efron 1979, Annals of
/// Statistics 7): it is told how often each of them counts, and must give as many figures each time. All figures of
/// one resample come from the same users, so differences between them are paired.
pub fn bootstrap(users: usize, seed: u64, figures: impl Fn(&[u16]) -> Vec<f64> + Sync) -> Draws {
    let whole = figures(&vec![1; users]);
    if users == 0 {
        return Draws {
            whole,
            resampled: Vec::new(),
        };
    }
    let resample = |k: u64| {
        // Every resample has a seed of its own, so the threads can share them out as they like.
        let mut random =
            Xoshiro256PlusPlus::seed_from_u64(seed ^ (k + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut counts = vec![0_u16; users];
        for _ in 0..users {
            if let Some(count) = counts.get_mut(random.gen_range(0..users)) {
                *count = count.saturating_add(1);
            }
        }
        figures(&counts)
    };
    let resampled = (0..RESAMPLES).into_par_iter().map(resample).collect();
    Draws { whole, resampled }
}

impl Draws {
    /// One figure with its interval; resamples that leave it open are passed over.
    pub fn interval(&self, figure: usize) -> Interval {
        self.spread(|figures| figures.get(figure).copied().unwrap_or(f64::NAN))
    }

    /// How much larger one figure is than another on the same users.
    pub fn difference(&self, figure: usize, other: usize) -> Interval {
        self.spread(|figures| match (figures.get(figure), figures.get(other)) {
            (Some(a), Some(b)) => a - b,
            _ => f64::NAN,
        })
    }

    /// The figure of all users, and around it as far as 95 % of the resamples lie from their median: percentiles less
    /// the bias of the median. Resamples of an absolute value, such as the calibration error, lie above the figure of
    /// all users as that lies above the truth, so that their plain percentiles may leave out the figure itself.
    fn spread(&self, of: impl Fn(&[f64]) -> f64) -> Interval {
        let value = of(&self.whole);
        let mut values: Vec<f64> = self
            .resampled
            .iter()
            .map(|figures| of(figures))
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
impl Draws {
    /// A quantile of a figure's resamples themselves.
    pub(crate) fn quantile(&self, figure: usize, q: f64) -> f64 {
        let mut values: Vec<f64> = self
            .resampled
            .iter()
            .map(|figures| figures[figure])
            .collect();
        values.sort_by(f64::total_cmp);
        quantile_sorted(&values, q).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share of ones, and twice that share less a constant.
    fn shares(users: usize) -> Draws {
        bootstrap(users, 7, |counts| {
            let ones: f64 = counts.iter().step_by(2).map(|c| f64::from(*c)).sum();
            let share = ones / users as f64;
            vec![share, share - 0.1, f64::NAN]
        })
    }

    #[test]
    fn the_interval_of_a_share_is_that_of_the_binomial() {
        let share = shares(1_000).interval(0);
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
        let difference = draws.difference(0, 1);
        assert!(
            (difference.high - difference.low).abs() < 1e-12,
            "what is paired cancels: {difference:?}"
        );
        assert!(draws.interval(0).high - draws.interval(0).low > 0.01);
        assert!(draws.interval(2).value.is_nan() && draws.interval(9).value.is_nan());
    }

    #[test]
    fn one_seed_gives_one_answer() {
        assert_eq!(shares(100).interval(0), shares(100).interval(0));
        let drawn: std::collections::BTreeSet<u64> = shares(100)
            .resampled
            .iter()
            .map(|f| f[0].to_bits())
            .collect();
        assert!(drawn.len() > 10, "resamples differ");
    }
}
