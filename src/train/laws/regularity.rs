//! Intervals of the shapes of gap laws, by how far the slopes of users differ.

use super::gaps::{FittedGaps, GapLaw, Known};
use super::silences::{GapWeights, UserGaps, edge};
use crate::card::Interval;

/// The step of a difference.
const STEP: f64 = 1e-4;

/// The slopes of the log-likelihood of gaps by a law's coordinates, by days.
pub(super) struct Slopes {
    /// Of gaps that ended after so many days.
    ended: Vec<[f64; 2]>,
    /// Of gaps of so many days or more.
    beyond: Vec<[f64; 2]>,
}

impl Slopes {
    /// The slopes of gaps of up to `longest` days.
    pub(super) fn new(law: &GapLaw, longest: usize) -> Self {
        let at = law.coordinates();
        let slope = |known: Known| {
            std::array::from_fn(|k| {
                let step = STEP * at[k].abs().max(1.0);
                let moved = |by: f64| {
                    let mut to = at;
                    to[k] += by;
                    law.at(to).ln_likelihood(known)
                };
                (moved(step) - moved(-step)) / (2.0 * step)
            })
        };
        let days = 0..=longest + 1;
        let ended = |d: usize| Known::Between(edge(d.max(1)), edge(d.max(1) + 1));
        Self {
            ended: days.clone().map(|d| slope(ended(d))).collect(),
            beyond: days.map(|d| slope(Known::Beyond(edge(d)))).collect(),
        }
    }

    /// The slope of all gaps.
    pub(super) fn sum(&self, weights: &GapWeights) -> [f64; 2] {
        let mut sum = [0.0; 2];
        let ended = weights.ended.iter().zip(&self.ended);
        let beyond = weights.beyond.iter().zip(&self.beyond);
        for (weight, slope) in ended.chain(beyond).filter(|(weight, _)| **weight != 0.0) {
            sum[0] += weight * slope[0];
            sum[1] += weight * slope[1];
        }
        sum
    }

    fn of_user(&self, user: &UserGaps) -> [f64; 2] {
        let mut sum = [0.0; 2];
        for gap in user.gaps() {
            let own = if gap.ended {
                self.ended[gap.days]
            } else {
                self.beyond[gap.days]
            };
            let entered = self.beyond[gap.from];
            sum[0] += gap.weight * (own[0] - entered[0]);
            sum[1] += gap.weight * (own[1] - entered[1]);
        }
        sum
    }
}

/// A symmetric matrix.
pub(super) type Square = [[f64; 2]; 2];

impl FittedGaps {
    /// The inverse of minus the second derivatives at the top; `None` at a bound, and where the top is flat.
    pub(super) fn inverse_curvature(&self) -> Option<Square> {
        let h = &self.top.hessian;
        let (a, b, c) = (-h[0][0], -h[1][0], -h[1][1]);
        if self.at_bound {
            return None;
        }
        if self.law.parameters().len() == 1 {
            return (a > 0.0).then(|| [[1.0 / a, 0.0], [0.0, 0.0]]);
        }
        let determinant = a * c - b * b;
        (a > 0.0 && determinant > 1e-12 * a * c).then(|| {
            let [diagonal, other, off] = [c, a, -b].map(|x| x / determinant);
            [[diagonal, off], [off, other]]
        })
    }

    /// The law a step of Newton's method further, by a slope at this law.
    pub(super) fn stepped(&self, slope: [f64; 2], inverse: Square) -> GapLaw {
        let (low, high) = self.law.bounds();
        let at = self.law.coordinates();
        let stepped = |k: usize| {
            let by = inverse[k][0] * slope[0] + inverse[k][1] * slope[1];
            (at[k] + by.clamp(-1.0, 1.0)).clamp(low[k], high[k])
        };
        self.law.at([stepped(0), stepped(1)])
    }

    /// The 95 % interval of the law's shape. Gaps of a user are alike, so users are what varies (Huber 1967, White 1982).
    pub fn shape(&self, users: &[UserGaps], window: usize) -> Option<Interval> {
        let inverse = self.inverse_curvature()?;
        let longest = users.iter().map(UserGaps::waited).max()? + window;
        let (slopes, scale) = (Slopes::new(&self.law, longest), GapWeights::scale(users));
        let variance: f64 = users
            .iter()
            .map(|user| {
                let slope = slopes.of_user(user);
                let moved = scale * (inverse[0][0] * slope[0] + inverse[0][1] * slope[1]);
                moved * moved
            })
            .sum();
        let ln_shape = self.law.coordinates()[0];
        let half = 1.96 * libm::sqrt(variance);
        let [value, low, high] = [0.0, -half, half].map(|by| libm::exp(ln_shape + by));
        high.is_finite().then_some(Interval { value, low, high })
    }
}

#[cfg(test)]
mod tests {
    use super::super::gaps::fit_gaps;
    use super::super::random::{gamma, generator};
    use super::*;

    /// Users with gamma gaps; each user's own number of gaps in 90 days.
    fn users(shape: f64, seed: u64, n: usize) -> Vec<UserGaps> {
        let mut random = generator(seed, 0);
        (0..n)
            .map(|_| {
                let (mut time, mut days) = (-300.0, Vec::new());
                while time < 90.0 {
                    days.push(f64::floor(time) as i64);
                    time += gamma(shape, &mut random) * 12.0 / shape;
                }
                days.dedup();
                let last = days.iter().filter(|d| **d < 0).max().unwrap();
                let active: Vec<usize> = days
                    .iter()
                    .filter(|d| **d >= 0)
                    .map(|d| *d as usize)
                    .collect();
                UserGaps::new((-last) as usize, &active, 90)
            })
            .collect()
    }

    fn interval(users: &[UserGaps], name: &str) -> Interval {
        let terms = GapWeights::of(users).terms(GapWeights::scale(users));
        let fitted = fit_gaps(&terms, users.len() as f64);
        let fitted = fitted.iter().find(|f| f.law.name() == name).unwrap();
        fitted.shape(users, 90).unwrap()
    }

    #[test]
    fn intervals_hold_the_shape_that_users_were_simulated_with() {
        let mut held = 0;
        for seed in 0..20 {
            let shape = interval(&users(2.0, seed, 150), "gamma");
            assert!(shape.low < shape.value && shape.value < shape.high);
            assert!(shape.high - shape.low < 1.5, "{shape:?}");
            held += u32::from(shape.low <= 2.0 && 2.0 <= shape.high);
        }
        assert!(held >= 16, "{held} of 20");
    }

    #[test]
    fn random_regular_and_clumpy_users_are_told_apart() {
        let random = interval(&users(1.0, 1, 400), "gamma");
        assert!(
            random.low < 1.0 + 0.1 && random.high > 1.0 - 0.1,
            "{random:?}"
        );
        assert!(interval(&users(3.0, 2, 400), "gamma").low > 1.5);
        assert!(interval(&users(3.0, 2, 400), "weibull").low > 1.2);
        let clumpy = interval(&users(0.5, 3, 400), "weibull");
        assert!(clumpy.high < 0.95, "{clumpy:?}");
    }
}
