//! Laws of how many days users are active on, and their fit by maximum likelihood.

use super::numeric::top;
use crate::math::{ln_difference, ln_gamma_ratio, ln_normal_tail};

/// Bounds of the shape of the negative binomial distribution: below, nearly all users are silent; above, it is Poisson.
const SHAPES: (f64, f64) = (1e-3, 1e4);

/// The longest table of probabilities.
const MOST_COUNTS: usize = 20_000;

/// How many users have each count: `users[k]` of them have the count `k`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    users: Vec<f64>,
}

impl Histogram {
    /// The histogram of counts.
    pub fn of(counts: impl IntoIterator<Item = usize>) -> Self {
        let mut users = Vec::new();
        for count in counts {
            if users.len() <= count {
                users.resize(count + 1, 0.0);
            }
            users[count] += 1.0;
        }
        Self { users }
    }

    /// How many users there are.
    pub fn total(&self) -> f64 {
        self.users.iter().sum()
    }

    /// The mean count; 0 without users.
    pub fn mean(&self) -> f64 {
        self.sum(|k| k) / self.total().max(1.0)
    }

    /// The variance of the counts; 0 without users.
    pub fn variance(&self) -> f64 {
        let mean = self.mean();
        self.sum(|k| (k - mean) * (k - mean)) / self.total().max(1.0)
    }

    /// Each count with how many users have it, those of nobody left out.
    pub fn present(&self) -> impl Iterator<Item = (usize, f64)> + '_ {
        let all = self.users.iter().copied().enumerate();
        all.filter(|(_, users)| *users > 0.0)
    }

    fn sum(&self, of: impl Fn(f64) -> f64) -> f64 {
        self.present().map(|(k, users)| users * of(k as f64)).sum()
    }

    fn largest(&self) -> f64 {
        self.users.len().saturating_sub(1) as f64
    }
}

/// A law of counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CountLaw {
    /// Every user has the same rate.
    Poisson {
        /// The mean count.
        mean: f64,
    },
    /// Rates differ between users as a gamma distribution.
    NegativeBinomial {
        /// The shape of the rates.
        shape: f64,
        /// The mean count.
        mean: f64,
    },
    /// A share of the users is never active, the others have the same rate.
    ZeroInflatedPoisson {
        /// The share that is never active.
        silent: f64,
        /// The mean count of the others.
        mean: f64,
    },
    /// A normal distribution in cells of one, cut off below 0. Its middle lies at 0 or above.
    Normal {
        /// The middle of the bell.
        mean: f64,
        /// Its standard deviation before it is cut.
        deviation: f64,
    },
}

impl CountLaw {
    /// Its name in files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Poisson { .. } => "poisson",
            Self::NegativeBinomial { .. } => "negative_binomial",
            Self::ZeroInflatedPoisson { .. } => "zero_inflated_poisson",
            Self::Normal { .. } => "normal",
        }
    }

    /// Its parameters with their names.
    pub fn parameters(&self) -> Vec<(&'static str, f64)> {
        match *self {
            Self::Poisson { mean } => vec![("mean", mean)],
            Self::NegativeBinomial { shape, mean } => vec![("r", shape), ("mean", mean)],
            Self::ZeroInflatedPoisson { silent, mean } => vec![("silent", silent), ("mean", mean)],
            Self::Normal { mean, deviation } => vec![("mean", mean), ("deviation", deviation)],
        }
    }

    /// `ln P(X = count)`.
    pub fn ln_probability(&self, count: usize) -> f64 {
        let k = count as f64;
        match *self {
            Self::Poisson { mean } => ln_poisson(k, mean),
            Self::NegativeBinomial { shape, mean } => {
                ln_gamma_ratio(shape, k) - libm::lgamma(k + 1.0) - shape * libm::log1p(mean / shape)
                    + if count == 0 {
                        0.0
                    } else {
                        k * libm::log(mean / (shape + mean))
                    }
            }
            Self::ZeroInflatedPoisson { silent, mean } if count == 0 => {
                libm::log(silent + (1.0 - silent) * libm::exp(-mean))
            }
            Self::ZeroInflatedPoisson { silent, mean } => {
                libm::log1p(-silent) + ln_poisson(k, mean)
            }
            Self::Normal { mean, deviation } => {
                let z = |x: f64| (x - mean) / deviation;
                let (low, high) = (z(k - 0.5), z(k + 0.5));
                // The tail is taken on the side where it is small.
                let (near, far) = if low > 0.0 {
                    (low, high)
                } else {
                    (-high, -low)
                };
                ln_difference(ln_normal_tail(near), ln_normal_tail(far)) - ln_normal_tail(z(-0.5))
            }
        }
    }

    /// `P(X <= k)` for k = 0, 1, ... until hardly anything is left, and of `least` counts at least.
    pub fn cumulative(&self, least: usize) -> Vec<f64> {
        let (mut sum, mut all) = (0.0, Vec::new());
        while all.len() < least || (sum < 1.0 - 1e-12 && all.len() < MOST_COUNTS) {
            sum += libm::exp(self.ln_probability(all.len()));
            all.push(f64::min(sum, 1.0));
        }
        all
    }
}

fn ln_poisson(k: f64, mean: f64) -> f64 {
    if k == 0.0 {
        return -mean;
    }
    k * libm::log(mean) - mean - libm::lgamma(k + 1.0)
}

/// A law with how well it describes the counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FittedCounts {
    /// The law.
    pub law: CountLaw,
    /// The logarithm of the likelihood.
    pub log_likelihood: f64,
}

impl FittedCounts {
    /// Akaike's information criterion: lower is better.
    pub fn aic(&self) -> f64 {
        2.0 * self.law.parameters().len() as f64 - 2.0 * self.log_likelihood
    }
}

/// The four laws by AIC, the best first; none unless users have at least two different counts.
pub fn fit_counts(counts: &Histogram) -> Vec<FittedCounts> {
    if counts.present().nth(1).is_none() {
        return Vec::new();
    }
    let mean = counts.mean();
    let poisson = CountLaw::Poisson { mean };
    let laws = [
        poisson,
        negative_binomial(counts),
        zero_inflated(counts),
        normal(counts),
    ];
    let mut fitted = laws.map(|law| FittedCounts {
        law,
        log_likelihood: log_likelihood(&law, counts),
    });
    fitted.sort_by(|a, b| a.aic().total_cmp(&b.aic()));
    fitted.to_vec()
}

/// The law of the same family that fits other counts best; the law itself where they are all alike.
pub(super) fn refit(law: &CountLaw, counts: &Histogram) -> CountLaw {
    if counts.present().nth(1).is_none() {
        return *law;
    }
    match law {
        CountLaw::Poisson { .. } => CountLaw::Poisson {
            mean: counts.mean(),
        },
        CountLaw::NegativeBinomial { .. } => negative_binomial(counts),
        CountLaw::ZeroInflatedPoisson { .. } => zero_inflated(counts),
        CountLaw::Normal { .. } => normal(counts),
    }
}

fn log_likelihood(law: &CountLaw, counts: &Histogram) -> f64 {
    let terms = counts
        .present()
        .map(|(k, users)| users * law.ln_probability(k));
    terms.sum()
}

fn negative_binomial(counts: &Histogram) -> CountLaw {
    let (mean, variance) = (counts.mean(), counts.variance());
    let law = |[ln_shape]: [f64; 1]| CountLaw::NegativeBinomial {
        shape: libm::exp(ln_shape),
        mean,
    };
    // By moments; without more spread than Poisson the shape has no top.
    let start = mean * mean / (variance - mean).max(1e-3 * mean);
    let bounds = ([libm::log(SHAPES.0)], [libm::log(SHAPES.1)]);
    let at = |logs| log_likelihood(&law(logs), counts);
    law(top(at, counts.total(), [libm::log(start)], bounds).at)
}

/// The mean of those who are active solves `mean / (1 - e^-mean) = m`, `m` the mean of the counts above 0.
fn zero_inflated(counts: &Histogram) -> CountLaw {
    let total = counts.total();
    let active: f64 = counts
        .present()
        .filter(|(k, _)| *k > 0)
        .map(|(_, users)| users)
        .sum();
    let above_zero = counts.mean() * total / active;
    let mut mean = above_zero;
    for _ in 0..200 {
        let next = above_zero * -libm::expm1(-mean);
        if (next - mean).abs() < 1e-12 * above_zero {
            break;
        }
        mean = next;
    }
    let silent = 1.0 - active / total / -libm::expm1(-mean);
    if silent > 0.0 && mean > 1e-6 {
        CountLaw::ZeroInflatedPoisson { silent, mean }
    } else {
        CountLaw::ZeroInflatedPoisson {
            silent: 0.0,
            mean: counts.mean(),
        }
    }
}

fn normal(counts: &Histogram) -> CountLaw {
    let (mean, variance) = (counts.mean(), counts.variance());
    let law = |[mean, ln_deviation]: [f64; 2]| CountLaw::Normal {
        mean,
        deviation: libm::exp(ln_deviation),
    };
    let largest = counts.largest();
    let bounds = (
        [0.0, libm::log(0.1)],
        [largest + 1.0, libm::log(10.0 * (largest + 1.0))],
    );
    let start = [mean, 0.5 * libm::log(variance.max(0.02))];
    let at = |x| log_likelihood(&law(x), counts);
    law(top(at, counts.total(), start, bounds).at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(counts: &Histogram) -> CountLaw {
        fit_counts(counts)[0].law
    }

    /// A histogram with a law's own probabilities: the fit has to give the law back.
    fn ideal(law: &CountLaw, users: f64) -> Histogram {
        let cumulative = law.cumulative(1);
        let before = std::iter::once(0.0).chain(cumulative.iter().copied());
        let users = cumulative.iter().zip(before).map(|(p, q)| users * (p - q));
        Histogram {
            users: users.collect(),
        }
    }

    #[test]
    fn each_law_is_found_again() {
        for law in [
            CountLaw::Poisson { mean: 2.5 },
            CountLaw::NegativeBinomial {
                shape: 0.4,
                mean: 3.0,
            },
            CountLaw::ZeroInflatedPoisson {
                silent: 0.6,
                mean: 4.0,
            },
            CountLaw::Normal {
                mean: 14.0,
                deviation: 3.0,
            },
            CountLaw::Normal {
                mean: 1.5,
                deviation: 1.4,
            },
        ] {
            let cumulative = law.cumulative(1);
            assert!(
                (cumulative[cumulative.len() - 1] - 1.0).abs() < 1e-9,
                "{law:?}"
            );
            let found = best(&ideal(&law, 10_000.0));
            assert_eq!(found.name(), law.name());
            for ((name, got), (_, is)) in found.parameters().iter().zip(law.parameters()) {
                assert!((got / is - 1.0).abs() < 1e-3, "{law:?}: {name} is {got}");
            }
        }
    }

    /// Greenwood and Yule's (1920) accidents of 647 women: Fisher's fit of 1941 has r = 0.8651, the mean is 0.4652.
    #[test]
    fn accidents_are_negative_binomial() {
        let women = [447, 132, 42, 21, 3, 2];
        let counts = women.iter().enumerate();
        let counts = Histogram::of(counts.flat_map(|(k, n)| std::iter::repeat_n(k, *n)));
        let CountLaw::NegativeBinomial { shape, mean } = best(&counts) else {
            panic!("{:?}", fit_counts(&counts));
        };
        assert!((mean - 301.0 / 647.0).abs() < 1e-12);
        assert!((shape - 0.865).abs() < 0.01, "{shape}");
    }

    #[test]
    fn counts_that_are_all_alike_have_no_law() {
        assert_eq!(fit_counts(&Histogram::default()), []);
        assert_eq!(fit_counts(&Histogram::of([3, 3, 3])), []);
        // Two neighbours are less spread than Poisson: no fit runs away.
        for counts in [
            vec![0, 1],
            vec![1, 2, 1, 2],
            vec![0, 0, 0, 60],
            vec![30; 29].into_iter().chain([29]).collect(),
        ] {
            for fitted in fit_counts(&Histogram::of(counts.clone())) {
                assert!(fitted.aic().is_finite(), "{counts:?}: {fitted:?}");
                let parameters = fitted.law.parameters();
                assert!(parameters.iter().all(|(_, v)| v.is_finite()), "{fitted:?}");
            }
        }
    }
}
