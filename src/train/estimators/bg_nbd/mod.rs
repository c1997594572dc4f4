//! The maximum likelihood fit of [`BgNbd`].
//!
//! Source: Fader, Hardie and Lee, Marketing Science 24(2), 2005, 275-284, equation (7). The parameters are fitted as
//! their logarithms by Newton's method with exact second derivatives, damped where the surface bends the wrong way
//! and held inside a box: the likelihood of steady customers is flat towards infinity.

pub(crate) mod likelihood;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::math::evenly;
use crate::model::{BgNbd, Purchases};
use crate::train::estimators::climb::{Bounds, climb};
use likelihood::Likelihood;

/// The most customers that a fit looks at; of more, this many at even distances are taken.
pub const MOST_CUSTOMERS: usize = 20_000;

/// What makes a fit impossible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BgNbdError {
    /// No customer at all.
    #[error("there is no customer to fit BG/NBD on")]
    Nobody,
    /// Nobody came back, which says nothing about drop-out.
    #[error(
        "none of {customers} customers was active on a second day: BG/NBD has nothing to learn from"
    )]
    NoRepeat {
        /// How many customers were looked at.
        customers: usize,
    },
}

/// A fitted BG/NBD.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BgNbdFit {
    /// The parameters, time in days.
    pub params: BgNbd,
    /// The logarithm of the likelihood of all customers that were looked at, time in days.
    pub log_likelihood: f64,
    /// Whether the top was reached: no parameter that is free to move would raise the likelihood.
    pub converged: bool,
    /// Newton steps taken from the start that won.
    pub iterations: usize,
    /// How many customers were looked at.
    pub customers: usize,
}

/// From 6e-6 to 160,000 each.
const WIDEST: Bounds<4> = Bounds {
    low: [-12.0; 4],
    high: [12.0; 4],
};

/// Shapes from which the climb starts: `r`, `a` and `b`. The first is a population that is mixed in rates and in
/// loyalty, the second one of customers who are much alike and seldom drop out.
const STARTS: [[f64; 3]; 2] = [[0.5, 1.0, 3.0], [4.0, 0.5, 10.0]];

/// Fits the model to customers' counts: at most [`MOST_CUSTOMERS`] of them, taken evenly by position. Equal input
/// gives equal output, bit for bit, and the order of fewer customers does not matter.
///
/// # Errors
///
/// When there is no customer, or none was active on a second day.
pub fn fit(customers: &[Purchases]) -> Result<BgNbdFit, BgNbdError> {
    let taken: Vec<Purchases> = evenly(customers.len(), MOST_CUSTOMERS)
        .filter_map(|k| customers.get(k))
        .copied()
        .collect();
    if taken.is_empty() {
        return Err(BgNbdError::Nobody);
    }
    let likelihood = Likelihood::new(&taken);
    let rate = likelihood
        .counts
        .repeat_rate()
        .ok_or(BgNbdError::NoRepeat {
            customers: taken.len(),
        })?;
    let climbs = STARTS.map(|[r, a, b]| {
        let start = [r, r / rate, a, b].map(libm::log);
        climb(&likelihood, start, &WIDEST)
    });
    let [first, second] = climbs;
    let best = if second.point.value > first.point.value {
        second
    } else {
        first
    };
    let [r, alpha, a, b] = best.at.map(libm::exp);
    Ok(BgNbdFit {
        params: BgNbd { r, alpha, a, b },
        log_likelihood: best.point.value,
        converged: best.converged,
        iterations: best.steps,
        customers: taken.len(),
    })
}
