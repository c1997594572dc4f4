//! Intervals of money per user, by drawing users anew.

use crate::math::resampling::poisson_weights;
use crate::math::splitmix::splitmix64;

/// How often users are drawn anew.
pub(crate) const DRAWS: usize = 200;

/// The seed of all draws.
const SEED: u64 = 20_240_229;

/// How often a user is drawn in each draw. Depends on the user's id and nothing else.
pub(crate) fn weights(user: &str, into: &mut Vec<f64>) {
    into.clear();
    // FNV-1a.
    let hash = user.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let key = splitmix64(hash ^ SEED);
    into.extend((0..(DRAWS / 4) as u64).flat_map(|four| poisson_weights(key, four)));
}

/// A sum and what it is divided by, in each draw.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Draws {
    sums: Vec<(f64, f64)>,
}

impl Default for Draws {
    fn default() -> Self {
        Self {
            sums: vec![(0.0, 0.0); DRAWS],
        }
    }
}

impl Draws {
    /// Adds a user's amount and share of the denominator.
    pub(crate) fn add_user(&mut self, weights: &[f64], amount: f64, count: f64) {
        for ((amounts, counts), weight) in self.sums.iter_mut().zip(weights) {
            *amounts += weight * amount;
            *counts += weight * count;
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (own, other) in self.sums.iter_mut().zip(&other.sums) {
            own.0 += other.0;
            own.1 += other.1;
        }
    }

    /// The 95 % interval of amount over count; `None` where hardly any draw has a count.
    pub(crate) fn interval(&self) -> Option<(f64, f64)> {
        let mut ratios: Vec<f64> = self
            .sums
            .iter()
            .filter(|(_, count)| *count > 0.0)
            .map(|(amount, count)| amount / count)
            .collect();
        if ratios.len() < DRAWS / 2 {
            return None;
        }
        ratios.sort_by(f64::total_cmp);
        let last = ratios.len() - 1;
        let cut = ratios.len() / 40;
        Some((*ratios.get(cut)?, *ratios.get(last - cut)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_poisson_with_a_mean_of_one_and_those_of_their_user() {
        let (mut sum, mut squares, mut none) = (0.0, 0.0, 0.0);
        let mut drawn = Vec::new();
        for user in 0..500 {
            weights(&format!("u{user}"), &mut drawn);
            assert_eq!(drawn.len(), DRAWS);
            sum += drawn.iter().sum::<f64>();
            squares += drawn.iter().map(|w| w * w).sum::<f64>();
            none += drawn.iter().filter(|w| **w == 0.0).count() as f64;
        }
        let n = 500.0 * DRAWS as f64;
        let mean = sum / n;
        assert!((mean - 1.0).abs() < 0.01, "{mean}");
        assert!((squares / n - mean * mean - 1.0).abs() < 0.02);
        assert!((none / n - 0.367_879).abs() < 0.005);
        let mut again = Vec::new();
        weights("u499", &mut again);
        assert_eq!(drawn, again);
        weights("u498", &mut again);
        assert_ne!(drawn, again);
    }

    /// The mean of users who spend 0 or 2 has the standard error that theory says; of equal spenders it has none.
    #[test]
    fn intervals_have_the_width_of_the_standard_error() {
        let (mut mixed, mut equal) = (Draws::default(), Draws::default());
        let mut drawn = Vec::new();
        for user in 0..1_000 {
            weights(&format!("u{user}"), &mut drawn);
            mixed.add_user(&drawn, f64::from(user % 2) * 2.0, 1.0);
            equal.add_user(&drawn, 2.0, 1.0);
        }
        let (low, high) = mixed.interval().unwrap();
        // 2 * 1.96 / sqrt(1000) = 0.124.
        assert!(
            low < 1.0 && high > 1.0 && (0.09..0.16).contains(&(high - low)),
            "{low} {high}"
        );
        assert_eq!(equal.interval(), Some((2.0, 2.0)));
        assert_eq!(Draws::default().interval(), None);
    }
}
