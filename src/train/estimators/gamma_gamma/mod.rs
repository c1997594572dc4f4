//! The maximum likelihood fit of [`GammaGamma`], with its guards: where the model does not hold, one mean for everybody.

pub(crate) mod likelihood;
#[cfg(test)]
mod tests;

use crate::math::evenly;
use crate::model::gamma_gamma::LEAST_Q;
use crate::model::{GammaGamma, SpendModel};
use crate::train::estimators::bg_nbd::MOST_CUSTOMERS;
use crate::train::estimators::climb::{Bounds, Top, climb};
use likelihood::Likelihood;

/// The fewest users with a repeat order that gamma-gamma is fitted on.
pub const LEAST_REPEATERS: usize = 100;
/// The largest correlation, in size, between how often and how much at which gamma-gamma is used.
pub const MOST_CORRELATION: f64 = 0.3;

/// What a user's orders amounted to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OrderAmounts {
    orders: f64,
    total: f64,
    repeat_mean: f64,
}

impl OrderAmounts {
    /// A user with `orders` days of orders that add up to `total`, and a mean of `repeat_mean` on those after the first.
    ///
    /// `None` unless `orders` is a whole number of at least 1, `total` is positive and finite, and so is `repeat_mean` where
    /// there is a second order; without one it does not matter.
    pub fn new(orders: f64, total: f64, repeat_mean: f64) -> Option<Self> {
        let amount = |figure: f64| figure > 0.0 && figure.is_finite();
        let counted = orders >= 1.0 && orders.is_finite() && orders == orders.trunc();
        let legal = counted && amount(total) && (orders < 2.0 || amount(repeat_mean));
        legal.then_some(Self {
            orders,
            total,
            repeat_mean,
        })
    }

    /// Repeat orders and their mean, where there are any.
    fn repeats(&self) -> Option<(f64, f64)> {
        (self.orders >= 2.0).then_some((self.orders - 1.0, self.repeat_mean))
    }
}

/// Nobody has ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no user with an order to take an amount from")]
pub struct NoOrders;

/// The amount of an order as fitted.
#[derive(Clone, Debug, PartialEq)]
pub struct SpendFit {
    /// What is used.
    pub model: SpendModel,
    /// Gamma-gamma as fitted, used or not; `None` where it was not tried or has no mean.
    pub gamma_gamma: Option<GammaGamma>,
    /// The logarithm of its likelihood, of the users that were looked at.
    pub log_likelihood: Option<f64>,
    /// The standard errors of p, q and v; `None` where the likelihood does not bend downwards in every direction.
    pub standard_errors: Option<[f64; 3]>,
    /// The mean amount of an order of all users.
    pub mean: f64,
    /// Users with a repeat order, and of these how many were looked at.
    pub repeaters: usize,
    /// See `repeaters`.
    pub looked_at: usize,
    /// The correlation of the number and the mean amount of their repeat orders; `None` where one of the two is the same for
    /// everybody.
    pub correlation: Option<f64>,
    /// Why gamma-gamma is not used, or was fitted with a prior.
    pub reason: Option<String>,
}

/// From a millionth to a million, v in multiples of the mean amount.
const LEGAL: f64 = 13.815_510_557_964_274;
const LEGAL_RANGE: Bounds<3> = Bounds {
    low: [-LEGAL; 3],
    high: [LEGAL; 3],
};

/// Where the climb starts: `p` and `q`, with the `v` of the mean amount. In the first users differ much from order to order,
/// in the second they are steady.
const STARTS: [[f64; 2]; 2] = [[1.0, 3.0], [8.0, 4.0]];

/// Fits the amount of an order: gamma-gamma on users with a repeat order, at most [`MOST_CUSTOMERS`] of them, taken evenly by
/// position; or the mean amount of an order where fewer than [`LEAST_REPEATERS`] have one, where how much goes with how often
/// (see [`MOST_CORRELATION`]), or where no mean comes out of it. A `q` of at most 1.05 is fitted again with a gamma
/// distribution of shape 3 and rate 1 as its prior.
///
/// # Errors
///
/// [`NoOrders`] when no user is given.
pub fn fit(users: &[OrderAmounts]) -> Result<SpendFit, NoOrders> {
    if users.is_empty() {
        return Err(NoOrders);
    }
    let (orders, total) = users.iter().fold((0.0, 0.0), |(orders, total), user| {
        (orders + user.orders, total + user.total)
    });
    let repeats: Vec<(f64, f64)> = users.iter().filter_map(OrderAmounts::repeats).collect();
    let taken: Vec<(f64, f64)> = evenly(repeats.len(), MOST_CUSTOMERS)
        .filter_map(|k| repeats.get(k))
        .copied()
        .collect();
    let mean = total / orders;
    let mut fit = SpendFit {
        model: SpendModel::Mean(mean),
        gamma_gamma: None,
        log_likelihood: None,
        standard_errors: None,
        mean,
        repeaters: repeats.len(),
        looked_at: taken.len(),
        correlation: correlation(&repeats),
        reason: None,
    };
    if repeats.len() < LEAST_REPEATERS {
        fit.reason = Some(format!(
            "{} users ordered again, and gamma-gamma needs {LEAST_REPEATERS}: the mean amount of an order is used",
            repeats.len()
        ));
        return Ok(fit);
    }
    fit.add_gamma_gamma(&taken);
    Ok(fit)
}

impl SpendFit {
    /// Fits gamma-gamma and uses it where it holds.
    fn add_gamma_gamma(&mut self, spend: &[(f64, f64)]) {
        let unit = spend.iter().map(|(_, mean)| mean).sum::<f64>() / spend.len() as f64;
        let scaled: Vec<(f64, f64)> = spend.iter().map(|(x, mean)| (*x, mean / unit)).collect();
        let mut top = highest(&scaled, false);
        let alone = libm::exp(top.at[1]);
        if alone <= LEAST_Q {
            top = highest(&scaled, true);
            self.reason = Some(format!(
                "q came out at {alone:.3}, which leaves no mean or an absurd one: it was fitted with a weak prior"
            ));
        }
        // The exponential of the bound's logarithm may be a last digit beyond the bound.
        let legal = top.at.map(|log| libm::exp(log).clamp(1e-6, 1e6));
        let [p, q, v] = legal;
        let model = GammaGamma { p, q, v: v * unit };
        if model.validate().is_err() {
            self.reason = Some(format!(
                "q is {q:.3} even with a prior, which leaves no mean: the mean amount of an order is used"
            ));
            return;
        }
        self.gamma_gamma = Some(model);
        self.log_likelihood = Some(top.point.value - spend.len() as f64 * libm::log(unit));
        self.standard_errors = top.point.standard_errors().map(|errors| {
            let [of_p, of_q, of_v] = errors;
            [of_p * p, of_q * q, of_v * v * unit]
        });
        if !top.converged {
            self.reason = Some(
                "the fit of gamma-gamma did not converge: the mean amount of an order is used"
                    .into(),
            );
            return;
        }
        match self.correlation {
            Some(correlation) if correlation.abs() > MOST_CORRELATION => {
                self.reason = Some(format!(
                    "how much users spend goes with how often (correlation {correlation:.2}, at most {MOST_CORRELATION} \
                     is taken): gamma-gamma assumes that it does not, so the mean amount of an order is used"
                ));
            }
            _ => self.model = SpendModel::GammaGamma(model),
        }
    }
}

/// The highest of the tops that are reached from [`STARTS`], of amounts whose mean is 1.
fn highest(spend: &[(f64, f64)], prior: bool) -> Top<3> {
    let likelihood = Likelihood::new(spend, prior);
    let [first, second] = STARTS.map(|[p, q]| {
        let start = [p, q, (q - 1.0) / p].map(libm::log);
        climb(&likelihood, start, &LEGAL_RANGE)
    });
    if second.point.value > first.point.value {
        second
    } else {
        first
    }
}

/// Pearson's correlation of the pairs; `None` where one of the two does not vary.
fn correlation(pairs: &[(f64, f64)]) -> Option<f64> {
    let n = pairs.len() as f64;
    let (a, b) = pairs
        .iter()
        .fold((0.0, 0.0), |(a, b), (x, z)| (a + x / n, b + z / n));
    let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
    for (x, z) in pairs {
        let (da, db) = (x - a, z - b);
        aa += da * da;
        bb += db * db;
        ab += da * db;
    }
    // Rounding leaves a trace of a mean that every pair has.
    let varies = |squares: f64, mean: f64| squares > 1e-20 * n * mean * mean;
    (varies(aa, a) && varies(bb, b)).then(|| ab / libm::sqrt(aa * bb))
}
