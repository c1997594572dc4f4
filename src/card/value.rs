//! What the value of users was estimated from, and how good the estimates were.

use serde::{Deserialize, Serialize};

use super::{Day, Interval};

/// The value part of a card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValueCard {
    /// The kinds whose amounts are summed; those that are paid back are negative.
    pub kinds: Vec<String>,
    /// The currency; `None` where it was not configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// The share of an amount that is earned.
    pub margin: f64,
    /// Days of the expected spend.
    pub horizon_days: u16,
    /// Days of the label windows that were learnt from.
    pub learnt_days: u16,
    /// The discount of a year.
    pub annual_discount: f64,
    /// Years that the residual value looks ahead; `None` without an end.
    pub residual_years: Option<f64>,
    /// How orders were counted.
    pub orders: OrdersCard,
    /// How the amount of an order was found.
    pub spend: SpendCard,
    /// The regression on features; `None` where orders alone are used.
    pub regression: Option<RegressionCard>,
    /// The weight of the regression in the blend.
    pub regression_share: f64,
    /// How that weight was chosen, in a sentence.
    pub share_rule: String,
    /// What the blend is multiplied by.
    pub level: f64,
    /// How good it was out of time; `None` where the log is too short.
    pub evaluation: Option<ValueEvaluation>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untested: Option<String>,
    /// The tiers, highest first, of the users at the as-of day.
    pub tiers: Vec<TierCard>,
    /// Users, value and value at risk by tier, then by risk band of the longest churn horizon.
    pub at_risk: Vec<AtRiskCard>,
    /// Residual value by lifecycle stage.
    pub stages: Vec<StageValueCard>,
    /// Money per user and period, newest last; for everybody and by stage, tier and segment.
    pub periods: Vec<PeriodCard>,
    /// What the reader should know, one sentence each.
    pub notes: Vec<String>,
}

/// Pareto/NBD as fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrdersCard {
    /// Users with an order.
    pub customers: u64,
    /// Users with orders on more than one day.
    pub repeaters: u64,
    /// Shape of the rates of orders.
    pub r: f64,
    /// Their inverse scale, in days.
    pub alpha: f64,
    /// Shape of the rates of dropping out.
    pub s: f64,
    /// Their inverse scale, in days.
    pub beta: f64,
    /// The logarithm of the likelihood, time in days.
    pub log_likelihood: f64,
    /// Whether anybody is found to drop out; where not, it is the negative binomial distribution.
    pub dropout_found: bool,
}

/// The amount of an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpendCard {
    /// Whether gamma-gamma is used.
    pub gamma_gamma: bool,
    /// Its parameters p, q and v, where it could be fitted.
    pub parameters: Option<[f64; 3]>,
    /// The mean amount of an order of all users.
    pub mean: f64,
    /// Users with more than one order.
    pub repeaters: u64,
    /// Correlation of their number of orders and their mean amount; the model assumes none.
    pub correlation: Option<f64>,
    /// Why gamma-gamma is not used, or was fitted with a prior.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The regression of spend on features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegressionCard {
    /// Rows (user, date) that it was fitted on.
    pub rows: u64,
    /// The dates, oldest first.
    pub snapshots: Vec<Day>,
    /// The L2 penalty.
    pub l2: f64,
    /// Rows count half for each so many label windows of age; `None` for all alike.
    pub half_life: Option<f64>,
    /// Rows whose net spend was below 0 and counts as 0.
    pub floored: u64,
    /// Rows whose spend was cut, at what amount, and what the total was then multiplied by.
    pub winsorised: Winsorised,
    /// The candidates that were compared: name and mean deviance at past dates.
    pub trials: Vec<ValueTrial>,
}

/// A candidate of the regression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValueTrial {
    /// What it was.
    pub name: String,
    /// The mean Poisson deviance over the mean spend at past dates; lower is better.
    pub deviance: f64,
}

/// The largest amounts, cut so that single users do not decide the fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Winsorised {
    /// How many rows.
    pub rows: u64,
    /// Distinct users among them.
    pub users: u64,
    /// At what amount.
    pub at: f64,
    /// The factor that restores the total.
    pub factor: f64,
}

/// Out of time: what had been expected on the test date beside what came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValueEvaluation {
    /// The test date.
    pub test: Day,
    /// Days of the window.
    pub window_days: u16,
    /// Users that were judged.
    pub users: u64,
    /// What they spent.
    pub actual: f64,
    /// The model.
    pub model: ValueMetrics,
    /// Simpler estimates of the same users, by name.
    pub baselines: Vec<ValueBaseline>,
    /// Tenths of users by expected spend, lowest first.
    pub deciles: Vec<DecileCard>,
    /// The Gini curve: share of users, highest expected spend first, and their share of the actual spend.
    pub gini_curve: Vec<(f64, f64)>,
    /// The same of the perfect order: highest actual spend first.
    #[serde(default)]
    pub perfect_curve: Vec<(f64, f64)>,
    /// The share that the intervals are to cover.
    pub interval: f64,
    /// The share of users whose spend lay inside of its interval; for everybody and by tier.
    pub coverage: Vec<IntervalCoverage>,
}

/// A simpler estimate of spend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValueBaseline {
    /// What it was.
    pub name: String,
    /// How good it was for the same users.
    pub metrics: ValueMetrics,
}

/// How many intervals held what they were to hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IntervalCoverage {
    /// The tier, or [`IntervalCoverage::EVERYBODY`].
    pub group: String,
    /// Users.
    pub users: u64,
    /// The share of them whose spend lay inside of its interval.
    pub share: f64,
}

impl IntervalCoverage {
    /// The group of all users.
    pub const EVERYBODY: &'static str = "all";
}

/// How good estimates of spend are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValueMetrics {
    /// The area of the Gini curve over that of the perfect order (normalised Gini), with its 95 % interval by a bootstrap of users.
    pub gini: Interval,
    /// Expected over actual total, minus 1, with its interval.
    pub bias: Interval,
    /// Mean Poisson deviance of spend over its mean.
    pub deviance: f64,
    /// Mean absolute error over the mean spend.
    pub mae: f64,
    /// Mean relative error of the tenths' means.
    pub decile_mape: f64,
    /// The share of the spend that the highest tenth had.
    pub top_tenth: f64,
}

/// A tenth of users.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecileCard {
    /// Users.
    pub users: u64,
    /// Their mean expected spend.
    pub expected: f64,
    /// Their mean actual spend.
    pub actual: f64,
}

/// A tier at the as-of day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TierCard {
    /// The name.
    pub name: String,
    /// The least residual value.
    pub from: f64,
    /// Users.
    pub users: u64,
    /// Their expected spend within the horizon.
    pub expected_spend: f64,
    /// Their residual value with its interval by a bootstrap of users.
    pub residual_value: Interval,
    /// Their value at risk.
    pub value_at_risk: f64,
}

/// Value at risk of a tier and a risk band.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AtRiskCard {
    /// The tier.
    pub tier: String,
    /// The risk band.
    pub band: String,
    /// Users.
    pub users: u64,
    /// Their residual value.
    pub residual_value: f64,
    /// Their value at risk.
    pub value_at_risk: f64,
}

/// The value of a lifecycle stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageValueCard {
    /// The stage.
    pub stage: String,
    /// Users.
    pub users: u64,
    /// Their residual value with its interval.
    pub residual_value: Interval,
    /// Their value at risk.
    pub value_at_risk: f64,
}

/// Money per user of a period.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeriodCard {
    /// The first day.
    pub from: Day,
    /// The day after the last one.
    pub until: Day,
    /// Whether the log covers all of it.
    pub complete: bool,
    /// What the users were grouped by: `all`, `stage`, `tier` or `segment`.
    pub by: String,
    /// The group; empty for everybody, and for those who were not eligible when the period began and have no tier or segment.
    pub group: String,
    /// The net amount.
    pub amount: f64,
    /// Users with activity in the period.
    pub active_users: u64,
    /// Users with an order in the period.
    pub payers: u64,
    /// Amount over active users; `None` without any.
    pub arpu: Option<f64>,
    /// Amount over payers; `None` without any.
    pub arppu: Option<f64>,
}

impl PeriodCard {
    /// What everybody is grouped by.
    pub const EVERYBODY: &'static str = "all";
}
