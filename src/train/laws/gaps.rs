//! Laws of the time between two active days, and their fit by maximum likelihood: what has not ended yet is censored.

use super::numeric::top;
use crate::math::{ln_difference, ln_gamma_tail, ln_normal_tail};
use crate::train::estimators::climb::Point;

/// What is known of a stretch of silence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Known {
    /// It took exactly so long.
    Exactly(f64),
    /// It took between so long and so long: a whole number of days stands for a day's width.
    Between(f64, f64),
    /// It took longer than that.
    Beyond(f64),
}

/// What is known, and how much it weighs. A stretch that was watched only from its day `a` on, because it was longer than
/// that, has a term `Beyond(a)` with its weight below 0.
pub type Term = (Known, f64);

/// A law of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GapLaw {
    /// A return is equally likely at any time.
    Exponential {
        /// The mean.
        mean: f64,
    },
    /// The hazard of a return changes as a power of the time: it falls for shapes below 1.
    Weibull {
        /// The shape.
        shape: f64,
        /// The scale.
        scale: f64,
    },
    /// The sum of `shape` exponential times: regular for shapes above 1, clumpy below.
    Gamma {
        /// The shape.
        shape: f64,
        /// The scale.
        scale: f64,
    },
    /// The logarithm of the time is normal.
    LogNormal {
        /// Its mean.
        mean: f64,
        /// Its standard deviation.
        deviation: f64,
    },
}

impl GapLaw {
    /// Its name in files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Exponential { .. } => "exponential",
            Self::Weibull { .. } => "weibull",
            Self::Gamma { .. } => "gamma",
            Self::LogNormal { .. } => "log_normal",
        }
    }

    /// Its parameters with their names.
    pub fn parameters(&self) -> Vec<(&'static str, f64)> {
        match *self {
            Self::Exponential { mean } => vec![("mean", mean)],
            Self::Weibull { shape, scale } | Self::Gamma { shape, scale } => {
                vec![("shape", shape), ("scale", scale)]
            }
            Self::LogNormal { mean, deviation } => vec![("mean", mean), ("deviation", deviation)],
        }
    }

    /// The logarithm of the probability that it takes longer than `t`.
    pub fn ln_survival(&self, t: f64) -> f64 {
        if t <= 0.0 {
            return 0.0;
        }
        match *self {
            Self::Exponential { mean } => -t / mean,
            Self::Weibull { shape, scale } => -libm::exp(shape * libm::log(t / scale)),
            Self::Gamma { shape, scale } => ln_gamma_tail(shape, t / scale),
            Self::LogNormal { mean, deviation } => {
                ln_normal_tail((libm::log(t) - mean) / deviation)
            }
        }
    }

    /// The logarithm of the density at `t` above 0.
    fn ln_density(&self, t: f64) -> f64 {
        match *self {
            Self::Exponential { mean } => -libm::log(mean) - t / mean,
            Self::Weibull { shape, scale } => {
                let z = libm::log(t / scale);
                libm::log(shape / t) + shape * z - libm::exp(shape * z)
            }
            Self::Gamma { shape, scale } => {
                let x = t / scale;
                shape * libm::log(x) - x - libm::lgamma(shape) - libm::log(t)
            }
            Self::LogNormal { mean, deviation } => {
                let z = (libm::log(t) - mean) / deviation;
                -0.5 * z * z - libm::log(deviation * t) - 0.5 * libm::log(std::f64::consts::TAU)
            }
        }
    }

    /// The log-likelihood of what is known of one stretch.
    pub(super) fn ln_likelihood(&self, known: Known) -> f64 {
        match known {
            Known::Exactly(t) => self.ln_density(t),
            Known::Beyond(t) => self.ln_survival(t),
            Known::Between(low, high) => {
                // Below the smallest number it says no more than that it is impossible.
                ln_difference(self.ln_survival(low), self.ln_survival(high)).max(LEAST)
            }
        }
    }

    /// The law of the same family at coordinates of the whole plane.
    pub(super) fn at(&self, x: [f64; 2]) -> Self {
        match self {
            Self::Exponential { .. } => Self::Exponential {
                mean: libm::exp(x[0]),
            },
            Self::Weibull { .. } => Self::Weibull {
                shape: libm::exp(x[0]),
                scale: libm::exp(x[1]),
            },
            Self::Gamma { .. } => Self::Gamma {
                shape: libm::exp(x[0]),
                scale: libm::exp(x[1]),
            },
            Self::LogNormal { .. } => Self::LogNormal {
                mean: x[0],
                deviation: libm::exp(x[1]),
            },
        }
    }

    /// Its coordinates; the exponential law has but the first.
    pub(super) fn coordinates(&self) -> [f64; 2] {
        match *self {
            Self::Exponential { mean } => [libm::log(mean), 0.0],
            Self::Weibull { shape, scale } | Self::Gamma { shape, scale } => {
                [libm::log(shape), libm::log(scale)]
            }
            Self::LogNormal { mean, deviation } => [mean, libm::log(deviation)],
        }
    }

    /// The bounds of its coordinates.
    pub(super) fn bounds(&self) -> ([f64; 2], [f64; 2]) {
        let [least, most] = [1e-2, 1e2].map(libm::log);
        let far = libm::log(1e8);
        match self {
            Self::Exponential { .. } => ([-far, 0.0], [far, 0.0]),
            Self::Weibull { .. } | Self::Gamma { .. } => ([least, -far], [most, far]),
            Self::LogNormal { .. } => ([-far, least], [far, most]),
        }
    }
}

/// The logarithm of less than any probability that arithmetic holds.
const LEAST: f64 = -750.0;

/// A law with how well it describes the gaps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FittedGaps {
    /// The law.
    pub law: GapLaw,
    /// The logarithm of the weighted likelihood.
    pub log_likelihood: f64,
    /// It with its derivatives by the law's coordinates.
    pub(super) top: Point<2>,
    /// Whether a coordinate of it lies at its bound, so that it has no interval.
    pub(super) at_bound: bool,
}

impl FittedGaps {
    /// Akaike's information criterion: lower is better.
    pub fn aic(&self) -> f64 {
        2.0 * self.law.parameters().len() as f64 - 2.0 * self.log_likelihood
    }
}

/// The four laws by AIC, the best first; none where no stretch of silence ended. `users` is what the weights are summed
/// over: the number of users, or of stretches where each stands for itself.
pub fn fit_gaps(terms: &[Term], users: f64) -> Vec<FittedGaps> {
    let ended = |known: Known| match known {
        Known::Exactly(t) => Some(t),
        Known::Between(low, high) => Some(0.5 * (low + high)),
        Known::Beyond(_) => None,
    };
    let (mut events, mut time, mut logs) = (0.0, 0.0, 0.0);
    for (known, weight) in terms {
        match (ended(*known), *known) {
            (Some(t), _) => {
                events += weight;
                time += weight * t;
                logs += weight * libm::log(t);
            }
            (None, Known::Beyond(t)) => time += weight * t,
            (None, _) => {}
        }
    }
    if events <= 0.0 || time <= 0.0 {
        return Vec::new();
    }
    let mean = time / events;
    let starts = [
        GapLaw::Exponential { mean },
        GapLaw::Weibull {
            shape: 1.0,
            scale: mean,
        },
        GapLaw::Gamma {
            shape: 1.0,
            scale: mean,
        },
        GapLaw::LogNormal {
            mean: logs / events,
            deviation: 1.0,
        },
    ];
    let mut fitted = starts.map(|start| fit(&start, terms, users));
    fitted.sort_by(|a, b| a.aic().total_cmp(&b.aic()));
    fitted.to_vec()
}

fn fit(start: &GapLaw, terms: &[Term], users: f64) -> FittedGaps {
    let (low, high) = start.bounds();
    let log_likelihood = |x: [f64; 2]| {
        let law = start.at(x);
        let terms = terms
            .iter()
            .map(|(known, weight)| weight * law.ln_likelihood(*known));
        terms.sum::<f64>()
    };
    let top = top(log_likelihood, users, start.coordinates(), (low, high));
    let free = start.parameters().len();
    let held = |k: usize| top.at[k] <= low[k] + 1e-6 || top.at[k] >= high[k] - 1e-6;
    FittedGaps {
        law: start.at(top.at),
        log_likelihood: top.point.value,
        top: top.point,
        at_bound: (0..free).any(held),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<'a>(fitted: &'a [FittedGaps], name: &str) -> &'a FittedGaps {
        fitted.iter().find(|f| f.law.name() == name).unwrap()
    }

    fn near(got: f64, expected: f64) -> bool {
        (got - expected).abs() < 1e-4
    }

    fn assert_weibull(terms: &[Term], expected: [f64; 4]) {
        let fitted = fit_gaps(terms, terms.len() as f64);
        let weibull = of(&fitted, "weibull");
        let parameters = weibull.law.parameters();
        assert!(near(parameters[0].1, expected[0]), "{weibull:?}");
        assert!(near(parameters[1].1, expected[1]), "{weibull:?}");
        assert!(near(weibull.log_likelihood, expected[2]), "{weibull:?}");
        let exponential = of(&fitted, "exponential");
        assert!(
            near(exponential.log_likelihood, expected[3]),
            "{exponential:?}"
        );
    }

    /// Weeks to relapse of leukaemia patients (Freireich et al. 1963, Blood 21), by treatment.
    #[test]
    fn relapses_have_their_known_weibull_laws() {
        let placebo = [
            1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23,
        ];
        let terms = placebo.map(|t| (Known::Exactly(f64::from(t)), 1.0));
        assert_weibull(
            &terms,
            [1.370_499_9, 9.482_141_3, -64.920_107_6, -66.349_169_2],
        );
        let treated = [
            (6, 1),
            (6, 1),
            (6, 1),
            (6, 0),
            (7, 1),
            (9, 0),
            (10, 1),
            (10, 0),
            (11, 0),
            (13, 1),
            (16, 1),
            (17, 0),
            (19, 0),
            (20, 0),
            (22, 1),
            (23, 1),
            (25, 0),
            (32, 0),
            (32, 0),
            (34, 0),
            (35, 0),
        ];
        let terms = treated.map(|(t, relapsed)| {
            let t = f64::from(t);
            let known = if relapsed == 1 {
                Known::Exactly(t)
            } else {
                Known::Beyond(t)
            };
            (known, 1.0)
        });
        assert_weibull(
            &terms,
            [1.353_734_5, 33.765_151_0, -41.658_678_5, -42.174_880_3],
        );
        // The negative control: with the open stretches left out, the law is another.
        let closed: Vec<Term> = terms
            .into_iter()
            .filter(|(k, _)| matches!(k, Known::Exactly(_)))
            .collect();
        let fitted = fit_gaps(&closed, closed.len() as f64);
        assert!(of(&fitted, "weibull").law.parameters()[1].1 < 20.0);
    }

    /// Gamma of shape 2 and log-normal have closed forms of their likelihood's top where nothing is censored.
    #[test]
    fn uncensored_log_normal_and_exponential_laws_have_their_closed_forms() {
        let times = [2.0, 3.0, 5.0, 9.0, 14.0, 30.0_f64];
        let terms = times.map(|t| (Known::Exactly(t), 1.0));
        let fitted = fit_gaps(&terms, 6.0);
        let logs: Vec<f64> = times.iter().map(|t| t.ln()).collect();
        let mean = logs.iter().sum::<f64>() / 6.0;
        let deviation = (logs.iter().map(|l| (l - mean) * (l - mean)).sum::<f64>() / 6.0).sqrt();
        let got = of(&fitted, "log_normal").law.parameters();
        assert!(near(got[0].1, mean) && near(got[1].1, deviation), "{got:?}");
        let got = of(&fitted, "exponential").law.parameters();
        assert!(near(got[0].1, 63.0 / 6.0), "{got:?}");
        // At the top of a gamma law, shape x scale is the mean, and digamma(shape) - ln shape = mean log - log mean.
        let got = of(&fitted, "gamma").law.parameters();
        assert!((got[0].1 * got[1].1 - 10.5).abs() < 1e-3, "{got:?}");
        let slope = crate::math::digamma(got[0].1) - got[0].1.ln();
        assert!(near(slope, mean - 10.5_f64.ln()), "{got:?}");
    }

    #[test]
    fn a_stretch_that_was_watched_late_is_not_taken_for_a_typical_one() {
        // Exponential times of mean 10 that are watched from day 20 on: without its entry a stretch looks 20 days longer.
        let quantile = |k: f64| 20.0 - 10.0 * (1.0 - (k + 0.5) / 200.0_f64).ln();
        let late: Vec<f64> = (0..200).map(|k| quantile(f64::from(k))).collect();
        let exact = late.iter().map(|t| (Known::Exactly(*t), 1.0));
        let entries = late.iter().map(|_| (Known::Beyond(20.0), -1.0));
        let mean =
            |terms: &[Term]| of(&fit_gaps(terms, 200.0), "exponential").law.parameters()[0].1;
        let watched: Vec<Term> = exact.clone().chain(entries).collect();
        assert!((mean(&watched) - 10.0).abs() < 0.1, "{}", mean(&watched));
        assert!(mean(&exact.collect::<Vec<_>>()) > 29.0);
    }

    #[test]
    fn days_that_are_all_alike_have_finite_laws() {
        let daily = [(Known::Between(0.0, 1.5), 30.0), (Known::Beyond(2.5), 0.5)];
        for fitted in fit_gaps(&daily, 30.0) {
            assert!(fitted.aic().is_finite(), "{fitted:?}");
        }
        assert!(fit_gaps(&[(Known::Beyond(9.0), 4.0)], 4.0).is_empty());
        assert!(fit_gaps(&[], 0.0).is_empty());
    }
}
