//! What a user is expected to spend, and what would be lost with the user.
//!
//! Two models of the spend in a window are blended: a regression on the standardised features, and orders by Pareto/NBD at
//! an amount by gamma-gamma. The window that was learnt may be shorter than the horizon; what lies beyond it, the months
//! of the residual value and what a silent user would still be worth have the shape of Pareto/NBD, scaled to join.

pub mod estimate;
pub(crate) mod hysteresis;
pub(crate) mod orders;
pub(crate) mod residual;
pub(crate) mod scorer;
mod validate;

use serde::{Deserialize, Serialize};

use super::{Expansion, GammaGamma, ParetoNbd};

pub use estimate::{Rfm, ValueEstimate, ValueStatus, factor, factor_words};

/// The value part of a bundle; all that an estimate needs beside the preprocessing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueModel {
    /// The currency of all amounts, for readers; `None` where it was not configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// The share of an amount that is earned, above 0 and at most 1. It scales residual value and value at risk, not spend.
    pub margin: f64,
    /// Days of the expected spend, from the as-of day plus the lead on.
    pub horizon_days: u16,
    /// Days of the label windows that the regression was fitted on; at most `horizon_days`.
    pub learnt_days: u16,
    /// The discount of a year, at least 0: 0.1 makes 1.10 in a year's time worth 1 now.
    pub annual_discount: f64,
    /// Years that the residual value looks ahead; 0 for the horizon only, `None` without an end.
    pub residual_years: Option<f64>,
    /// The count of orders; an order is a day whose net amount of the value kinds is above 0.
    pub orders: ParetoNbd,
    /// The amount of an order.
    pub spend: SpendModel,
    /// The regression on features; `None` where the orders alone are used.
    pub regression: Option<SpendRegression>,
    /// The weight of the regression in the geometric mean with orders times amount, 0 to 1.
    pub regression_share: f64,
    /// What the blend is multiplied by for its level to be that of the predicted window.
    pub level: f64,
    /// The intervals of the expected spend.
    pub intervals: SpendIntervals,
    /// The tiers, highest first. The last one begins at 0.
    pub tiers: Vec<ValueTier>,
    /// The cut points of recency, frequency and monetary value.
    pub rfm: RfmCuts,
}

/// The model of the amount of an order.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SpendModel {
    /// Gamma-gamma: a user's own mean, shrunk towards that of all users.
    GammaGamma(GammaGamma),
    /// One mean for everybody, where too few users ordered again or gamma-gamma does not hold.
    Mean(f64),
}

/// A regression of the spend in the learnt window, with a log link: its linear predictor is the logarithm of the spend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpendRegression {
    /// The intercept, in logarithms of the currency.
    pub intercept: f64,
    /// Hinges and interactions.
    pub expansion: Expansion,
    /// A weight for each column of the preprocessing, each hinge and each interaction.
    pub weights: Vec<f64>,
}

/// Intervals by the size of the expected spend: within a band, the actual spend of past users divided by what was
/// expected of them lay between `low` and `high` for the share `covers` of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpendIntervals {
    /// The share of users whose spend lies inside, such as 0.8.
    pub covers: f64,
    /// The bands, by increasing expected spend; the first begins at 0.
    pub bands: Vec<SpendIntervalBand>,
}

/// One band of [`SpendIntervals`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpendIntervalBand {
    /// The smallest expected spend of the band.
    pub from: f64,
    /// Lower end over the expected spend, at least 0.
    pub low: f64,
    /// Upper end over the expected spend, at least `low`.
    pub high: f64,
}

/// A tier of value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueTier {
    /// The name.
    pub name: String,
    /// The least residual value of the tier, in the currency.
    pub from: f64,
}

/// The cut points of the scores 1 to 5: a value up to the first one has the lowest score. Fewer distinct values give fewer
/// cut points, and equal values always have equal scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RfmCuts {
    /// Days since the last order, increasing; few days have a high score.
    pub recency_days: Vec<f64>,
    /// Days with an order, increasing.
    pub orders: Vec<f64>,
    /// Total amount of all orders, increasing.
    pub amount: Vec<f64>,
}
