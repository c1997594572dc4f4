//! Whether the largest values follow a power law.
//!
//! Source: Clauset, Shalizi and Newman 2009, SIAM Review 51.

use super::numeric::top;
use crate::math::{hurwitz_zeta, ln_difference, ln_normal_tail};

/// Bounds of the exponent.
const EXPONENTS: (f64, f64) = (1.000_1, 50.0);

/// What values can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// Whole numbers from 1 on.
    Discrete,
    /// All numbers above 0.
    Continuous,
}

/// A power law of the values from `from` on: their probability falls as `x^-exponent`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PowerLaw {
    /// The least value of the tail.
    pub from: f64,
    /// The exponent.
    pub exponent: f64,
    /// How many values the tail has.
    pub observations: u64,
    /// The distance of Kolmogorov and Smirnov between tail and law.
    pub distance: f64,
}

/// Two laws of the same values compared (Vuong 1989, Econometrica 57).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vuong {
    /// Above 0 the power law is nearer to the data, in standard errors.
    pub z: f64,
    /// The probability of a `z` that far from 0, on either side, if both were equally near.
    pub p: f64,
}

/// Values above 0 in order, each with how often it is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    support: Support,
    /// Distinct values, and how many values are at least as large.
    distinct: Vec<(f64, f64)>,
    /// `ln` of each, times how often it is there, summed from the end.
    logs: Vec<f64>,
    /// The same of the values themselves.
    sums: Vec<f64>,
}

impl Values {
    /// The values of a sample; those that are not above 0 are left out.
    pub fn new(values: &[f64], support: Support) -> Self {
        let mut sorted: Vec<f64> = values
            .iter()
            .copied()
            .filter(|v| *v > 0.0 && v.is_finite())
            .collect();
        sorted.sort_by(f64::total_cmp);
        let mut distinct: Vec<(f64, f64)> = Vec::new();
        for value in sorted.chunk_by(|a, b| a == b) {
            distinct.push((value[0], value.len() as f64));
        }
        let mut from_end = (0.0, 0.0, 0.0);
        let (mut logs, mut sums) = (vec![0.0; distinct.len()], vec![0.0; distinct.len()]);
        for (k, (value, count)) in distinct.iter_mut().enumerate().rev() {
            from_end.0 += *count;
            from_end.1 += *count * libm::log(*value);
            from_end.2 += *count * *value;
            (*count, logs[k], sums[k]) = from_end;
        }
        Self {
            support,
            distinct,
            logs,
            sums,
        }
    }

    /// How many values lie at the k-th distinct one.
    fn count(&self, k: usize) -> f64 {
        let next = self
            .distinct
            .get(k + 1)
            .map_or(0.0, |(_, at_least)| *at_least);
        self.distinct[k].1 - next
    }

    /// The power law of the tail that is nearest to one, among tails of `least` values or more and two distinct ones;
    /// `None` where there is no such tail.
    pub fn power_law(&self, least: u64) -> Option<PowerLaw> {
        let tails = self.distinct.len().saturating_sub(1);
        let long_enough = |k: &usize| self.distinct[*k].1 >= least as f64;
        let laws = (0..tails).filter(long_enough).map(|k| self.from(k));
        laws.min_by(|a, b| a.distance.total_cmp(&b.distance))
    }

    /// The power law of the tail from the k-th distinct value on.
    fn from(&self, k: usize) -> PowerLaw {
        let (from, observations) = self.distinct[k];
        let exponent = match self.support {
            Support::Continuous => {
                1.0 + observations / (self.logs[k] - observations * libm::log(from))
            }
            Support::Discrete => {
                let ln_sum = self.logs[k];
                discrete_exponent(|a| -a * ln_sum - observations * libm::log(hurwitz_zeta(a, from)))
            }
        };
        let law = PowerLaw {
            from,
            exponent,
            observations: observations as u64,
            distance: 0.0,
        };
        PowerLaw {
            distance: self.distance(k, &law),
            ..law
        }
    }

    fn distance(&self, k: usize, law: &PowerLaw) -> f64 {
        let all = self.distinct[k].1;
        let ln_norm = libm::log(hurwitz_zeta(law.exponent, law.from));
        let tail_from = |x: f64| match self.support {
            Support::Continuous => libm::exp((1.0 - law.exponent) * libm::log(x / law.from)),
            Support::Discrete => libm::exp(libm::log(hurwitz_zeta(law.exponent, x)) - ln_norm),
        };
        let gaps = self.distinct[k..]
            .iter()
            .map(|(x, at_least)| (at_least / all - tail_from(*x)).abs());
        gaps.fold(0.0, f64::max)
    }

    /// The tail of a power law: each distinct value and how often it is there.
    fn tail(&self, law: &PowerLaw) -> Vec<(f64, f64)> {
        let all = self.distinct.iter().enumerate();
        let tail = all.filter(|(_, (x, _))| *x >= law.from);
        tail.map(|(k, (x, _))| (*x, self.count(k))).collect()
    }

    fn ln_power(&self, law: &PowerLaw, x: f64) -> f64 {
        match self.support {
            Support::Continuous => {
                libm::log((law.exponent - 1.0) / law.from) - law.exponent * libm::log(x / law.from)
            }
            Support::Discrete => {
                -law.exponent * libm::log(x) - libm::log(hurwitz_zeta(law.exponent, law.from))
            }
        }
    }

    /// The power law against the log-normal law of the same tail.
    pub fn against_log_normal(&self, law: &PowerLaw) -> Vuong {
        let tail = self.tail(law);
        let density = |[mean, ln_deviation]: [f64; 2]| LogNormal {
            support: self.support,
            mean,
            deviation: libm::exp(ln_deviation),
            from: law.from,
        };
        let log_likelihood = |at: [f64; 2]| {
            let density = density(at);
            let norm = density.ln_norm();
            tail.iter()
                .map(|(x, n)| n * (density.ln_unnormed(*x) - norm))
                .sum::<f64>()
        };
        let n = law.observations as f64;
        let mean = tail.iter().map(|(x, n)| n * libm::log(*x)).sum::<f64>() / n;
        let bounds = ([-100.0, libm::log(0.05)], [50.0, libm::log(30.0)]);
        let found = density(top(log_likelihood, n, [mean, 0.0], bounds).at);
        let norm = found.ln_norm();
        self.vuong(law, &tail, |x| found.ln_unnormed(x) - norm)
    }

    /// The power law against the exponential law of the same tail.
    pub fn against_exponential(&self, law: &PowerLaw) -> Vuong {
        let tail = self.tail(law);
        let first = self
            .distinct
            .iter()
            .position(|(x, _)| *x >= law.from)
            .unwrap_or(0);
        let beyond = self.sums[first] / law.observations as f64 - law.from;
        let ln_density = |x: f64| match self.support {
            Support::Continuous => -libm::log(beyond) - (x - law.from) / beyond,
            Support::Discrete => {
                let rate = libm::log1p(1.0 / beyond);
                libm::log(-libm::expm1(-rate)) - rate * (x - law.from)
            }
        };
        self.vuong(law, &tail, ln_density)
    }

    fn vuong(&self, law: &PowerLaw, tail: &[(f64, f64)], other: impl Fn(f64) -> f64) -> Vuong {
        let n = law.observations as f64;
        let ratios: Vec<(f64, f64)> = tail
            .iter()
            .map(|(x, count)| (self.ln_power(law, *x) - other(*x), *count))
            .collect();
        let sum: f64 = ratios.iter().map(|(r, count)| r * count).sum();
        let mean = sum / n;
        let spread: f64 = ratios
            .iter()
            .map(|(r, count)| count * (r - mean) * (r - mean))
            .sum();
        let error = libm::sqrt(spread);
        // Laws that are the same everywhere are equally near.
        let z = if error > 1e-9 * n { sum / error } else { 0.0 };
        Vuong {
            z,
            p: libm::erfc(z.abs() / std::f64::consts::SQRT_2),
        }
    }
}

/// The exponent at the top of a likelihood that has one top.
fn discrete_exponent(log_likelihood: impl Fn(f64) -> f64) -> f64 {
    let bounds = (
        [libm::log(EXPONENTS.0 - 1.0)],
        [libm::log(EXPONENTS.1 - 1.0)],
    );
    let at = |[ln_above_one]: [f64; 1]| log_likelihood(1.0 + libm::exp(ln_above_one));
    1.0 + libm::exp(top(at, 1.0, [0.0], bounds).at[0])
}

/// A log-normal law from some value on.
struct LogNormal {
    support: Support,
    mean: f64,
    deviation: f64,
    from: f64,
}

impl LogNormal {
    fn z(&self, x: f64) -> f64 {
        (libm::log(x) - self.mean) / self.deviation
    }

    /// The logarithm of the probability of the tail.
    fn ln_norm(&self) -> f64 {
        match self.support {
            Support::Continuous => ln_normal_tail(self.z(self.from)),
            Support::Discrete => ln_normal_tail(self.z(self.from - 0.5)),
        }
    }

    /// The logarithm of the density, or of the probability of a whole number, before the tail is cut off.
    fn ln_unnormed(&self, x: f64) -> f64 {
        match self.support {
            Support::Continuous => {
                let z = self.z(x);
                -0.5 * z * z
                    - libm::log(self.deviation * x)
                    - 0.5 * libm::log(std::f64::consts::TAU)
            }
            Support::Discrete => {
                let (low, high) = (self.z(x - 0.5), self.z(x + 0.5));
                let (near, far) = if low > 0.0 {
                    (low, high)
                } else {
                    (-high, -low)
                };
                ln_difference(ln_normal_tail(near), ln_normal_tail(far)).max(-750.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values at the quantiles of a law.
    fn quantiles(n: usize, quantile: impl Fn(f64) -> f64) -> Vec<f64> {
        (0..n)
            .map(|k| quantile((k as f64 + 0.5) / n as f64))
            .collect()
    }

    #[test]
    fn a_power_law_is_told_from_an_exponential_one() {
        let power = quantiles(2_000, |q| 3.0 * (1.0 - q).powf(-1.0 / 1.5));
        let values = Values::new(&power, Support::Continuous);
        let law = values.power_law(50).unwrap();
        assert!((law.exponent - 2.5).abs() < 0.05, "{law:?}");
        let exponential = values.against_exponential(&law);
        assert!(
            exponential.z > 3.0 && exponential.p < 0.01,
            "{exponential:?}"
        );
        // The negative control: exponential values.
        let other = quantiles(2_000, |q| 3.0 - 5.0 * (1.0 - q).ln());
        let values = Values::new(&other, Support::Continuous);
        let law = values.from(0);
        let against = values.against_exponential(&law);
        assert!(against.z < -3.0 && against.p < 0.01, "{against:?}");
    }

    #[test]
    fn whole_numbers_have_the_exponent_of_their_own_law() {
        // P(X = k) = k^-2.2 / zeta(2.2), to 20,000 values.
        let norm = hurwitz_zeta(2.2, 1.0);
        let mut all = Vec::new();
        for k in 1..400_u32 {
            let expected = 20_000.0 * f64::from(k).powf(-2.2) / norm;
            all.extend(std::iter::repeat_n(f64::from(k), expected.round() as usize));
        }
        let values = Values::new(&all, Support::Discrete);
        let law = values.from(0);
        assert!(
            (law.exponent - 2.2).abs() < 0.03 && law.distance < 0.005,
            "{law:?}"
        );
        assert!(values.against_exponential(&law).z > 5.0);
        let log_normal = values.against_log_normal(&law);
        assert!(
            log_normal.z.is_finite() && log_normal.p > 0.0,
            "{log_normal:?}"
        );
    }

    #[test]
    fn a_tail_needs_values() {
        assert_eq!(Values::new(&[], Support::Discrete).power_law(1), None);
        assert_eq!(Values::new(&[4.0; 9], Support::Discrete).power_law(1), None);
        let two = Values::new(&[1.0, 2.0, 2.0, 0.0, f64::NAN], Support::Discrete);
        assert_eq!(two.power_law(4), None);
        let law = two.power_law(3).unwrap();
        assert!(two.against_log_normal(&law).z.is_finite(), "{law:?}");
        assert!(two.against_exponential(&law).z.is_finite());
    }
}
