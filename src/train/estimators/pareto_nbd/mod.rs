//! The maximum likelihood fit of [`ParetoNbd`].
//!
//! The parameters are fitted as their logarithms by Newton's method with exact second derivatives, which come from the same
//! nodes as the integral of the likelihood; see `climb`. Sources as in `model::pareto_nbd`.

pub(crate) mod likelihood;
#[cfg(test)]
mod tests;

use crate::math::evenly;
use crate::model::{ParetoNbd, Purchases};
use crate::train::estimators::bg_nbd::MOST_CUSTOMERS;
use crate::train::estimators::climb::{Bounds, Top, climb};
use crate::train::estimators::counts::by_counts;
use likelihood::{Likelihood, WithoutDropout};

/// What makes a fit impossible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParetoNbdError {
    /// No customer at all.
    #[error("there is no customer with an order to fit Pareto/NBD on")]
    Nobody,
    /// Nobody ordered again, which says nothing about rates.
    #[error(
        "none of {customers} customers ordered on a second day: Pareto/NBD has nothing to learn from"
    )]
    NoRepeat {
        /// How many customers were looked at.
        customers: usize,
    },
}

/// A fitted Pareto/NBD.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ParetoNbdFit {
    /// The parameters, time in days.
    pub params: ParetoNbd,
    /// The logarithm of the likelihood of all customers that were looked at, time in days.
    pub log_likelihood: f64,
    /// The standard errors of r, alpha, s and beta, from the curvature at the top; `None` where it does not bend downwards in
    /// every direction, as at a bound.
    pub standard_errors: Option<[f64; 4]>,
    /// Whether the top was reached: no parameter that is free to move would raise the likelihood.
    pub converged: bool,
    /// Newton steps taken with all of them from the start that won.
    pub iterations: usize,
    /// How many customers were looked at.
    pub customers: usize,
    /// How many of all customers that were given had more than one order.
    pub repeaters: usize,
    /// The same logarithm of the negative binomial distribution, in which nobody drops out.
    pub log_likelihood_without_dropout: f64,
    /// Whether that is worse by more than chance: only then anybody is found to drop out.
    pub dropout_found: bool,
    /// Whether r, alpha, s and beta lie at a bound, a millionth or a million: the data ask for what is beyond it.
    pub at_bound: [bool; 4],
}

/// From a millionth to a million each.
const LEGAL: f64 = 13.815_510_557_964_274;
const LEGAL_RANGE: Bounds<4> = Bounds {
    low: [-LEGAL; 4],
    high: [LEGAL; 4],
};

/// Where the climb starts: `r`, `s`, and `beta` as a multiple of the mean age. The first is a population that is mixed in
/// rates and in loyalty, the second one of customers who are much alike and seldom drop out.
const STARTS: [[f64; 3]; 2] = [[0.5, 0.5, 0.5], [4.0, 2.0, 10.0]];

/// So many customers show where the top is; more only have to be climbed for the last steps.
const SCOUTED: usize = 2_000;

/// The 95 % quantile of the chi-squared distribution with the two degrees of freedom that the drop-out adds.
const BEYOND_CHANCE: f64 = 5.991;

/// Fits the model to customers' counts of order days: at most [`MOST_CUSTOMERS`] of them, taken evenly by position. Equal
/// input gives equal output, bit for bit, whatever the number of processors; the order of fewer customers does not matter.
///
/// # Errors
///
/// When there is no customer, or none ordered on a second day.
pub fn fit(customers: &[Purchases]) -> Result<ParetoNbdFit, ParetoNbdError> {
    let taken: Vec<Purchases> = evenly(customers.len(), MOST_CUSTOMERS)
        .filter_map(|k| customers.get(k))
        .copied()
        .collect();
    if taken.is_empty() {
        return Err(ParetoNbdError::Nobody);
    }
    let likelihood = Likelihood::new(&taken);
    let counts = &likelihood.counts;
    let rate = counts.repeat_rate().ok_or(ParetoNbdError::NoRepeat {
        customers: taken.len(),
    })?;
    let starts = starts(rate, counts.mean_age());
    let best = match scouted(&taken, starts) {
        Some(near) => climb(&likelihood, near, &LEGAL_RANGE),
        None => highest(&likelihood, starts),
    };
    let without = climb(
        &WithoutDropout(counts),
        [0.0, -libm::log(rate)],
        &Bounds {
            low: [-LEGAL; 2],
            high: [LEGAL; 2],
        },
    );
    Ok(fitted(&best, without.point.value, taken.len(), customers))
}

/// Where the climb starts, for customers with so many orders a day and of this mean age.
fn starts(rate: f64, age: f64) -> [[f64; 4]; 2] {
    STARTS.map(|[r, s, ages]| [r, r / rate, s, ages * age].map(libm::log))
}

/// The top of an even choice of customers: so near to that of all that one climb from there is enough. `None` where there
/// are not many more, and where it lies at a bound, from which a climb may not find back.
fn scouted(customers: &[Purchases], starts: [[f64; 4]; 2]) -> Option<[f64; 4]> {
    if customers.len() < 2 * SCOUTED {
        return None;
    }
    let mut sorted = customers.to_vec();
    sorted.sort_unstable_by_key(by_counts);
    let some: Vec<Purchases> = evenly(sorted.len(), SCOUTED)
        .filter_map(|k| sorted.get(k))
        .copied()
        .collect();
    let top = highest(&Likelihood::new(&some), starts);
    let inside = !LEGAL_RANGE.reached(top.at).contains(&true);
    (top.converged && inside).then_some(top.at)
}

/// The higher of the tops that are reached from the two starts.
fn highest(likelihood: &Likelihood, starts: [[f64; 4]; 2]) -> Top<4> {
    let [first, second] = starts.map(|start| climb(likelihood, start, &LEGAL_RANGE));
    if second.point.value > first.point.value {
        second
    } else {
        first
    }
}

fn fitted(best: &Top<4>, without: f64, looked_at: usize, customers: &[Purchases]) -> ParetoNbdFit {
    // The exponential of the bound's logarithm may be a last digit beyond the bound.
    let legal = best.at.map(|log| libm::exp(log).clamp(1e-6, 1e6));
    let [r, alpha, s, beta] = legal;
    let at_bound = LEGAL_RANGE.reached(best.at);
    let errors = best.point.standard_errors();
    ParetoNbdFit {
        params: ParetoNbd { r, alpha, s, beta },
        log_likelihood: best.point.value,
        standard_errors: errors
            .filter(|_| !at_bound.contains(&true))
            .map(|errors| std::array::from_fn(|k| errors[k] * legal[k])),
        converged: best.converged,
        iterations: best.steps,
        customers: looked_at,
        repeaters: customers.iter().filter(|c| c.frequency() > 0).count(),
        log_likelihood_without_dropout: without,
        dropout_found: 2.0 * (best.point.value - without) > BEYOND_CHANCE,
        at_bound,
    }
}
