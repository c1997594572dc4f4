//! How a way to fit was selected: the candidates and the backtest that compared them.

use serde::{Deserialize, Serialize};

use super::evaluation::Interval;
use crate::history::Day;

/// One way to fit a model on labelled rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hyperparameters {
    /// The strength of the L2 penalty on the summed loss.
    pub l2: f64,
    /// Whether hinges and interactions are weighed, or only the columns.
    pub nonlinear_terms: bool,
    /// The penalty of hinges, as a multiple of `l2`.
    #[serde(default = "same")]
    pub hinge_penalty: f64,
    /// The penalty of interactions, as a multiple of `l2`.
    #[serde(default = "same")]
    pub interaction_penalty: f64,
    /// How many label windows ago a row counts half; `None` when all rows count the same.
    pub half_life: Option<f64>,
    /// Every so many dates one is used, counted back from the newest.
    pub spacing: usize,
    /// How many years back the anniversaries of the predicted day are dates too, each of which weighs as much as the newest.
    #[serde(default)]
    pub anniversaries: u8,
    /// Whether the features of the same season in earlier years are weighed, where there are some.
    #[serde(default)]
    pub seasonal_features: bool,
}

/// A penalty like that of the columns, which cards of before had for all terms.
fn same() -> f64 {
    1.0
}

/// How one candidate did in the backtest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialCard {
    /// The hyperparameters.
    pub hyperparameters: Hyperparameters,
    /// The candidate in words.
    pub name: String,
    /// What of it differs from the default, in words; empty for the default.
    pub difference: String,
    /// Folds that it was run at, the newest ones. One that is behind the default at the newest two is given up there.
    #[serde(default)]
    pub folds: usize,
    /// Its mean log loss over these folds.
    pub log_loss: f64,
    /// Its log loss minus that of the default candidate on the same users.
    pub log_loss_delta: f64,
    /// The standard error of that difference.
    pub standard_error: f64,
    /// Whether it is the default.
    pub default: bool,
    /// Whether it was selected.
    pub selected: bool,
}

/// When another candidate than the default is selected.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SelectionRule {
    /// Standard errors by which a candidate's log loss must be below the default's.
    pub margin_standard_errors: f64,
    /// Folds at which the candidates were compared, the newest of the backtest.
    pub compared_folds: usize,
}

/// One date of the rolling-origin backtest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BacktestFold {
    /// Labels were known up to this day, and the users active before it were predicted.
    pub cutoff: Day,
    /// Users predicted.
    pub users: u64,
    /// The share of them that churned.
    pub churn_rate: f64,
    /// Log loss before calibration.
    pub log_loss: f64,
    /// What had to be added to all log-odds for the mean probability to be the churn rate.
    pub shift: f64,
    /// What would have been added at that date.
    #[serde(default)]
    pub forecast: f64,
}

/// How the shift of a churn rate is forecast from dates that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForecastMethod {
    /// As at the newest known date.
    LastWindow,
    /// The line through the newest known date and the one a label window before it.
    Trend,
    /// As at the anniversaries of the day, in the mean.
    SameSeason,
}

impl ForecastMethod {
    /// All methods.
    pub const ALL: [Self; 3] = [Self::LastWindow, Self::Trend, Self::SameSeason];
}

/// The forecast of how far the churn rate of the predicted window lies from what the model would say, in log-odds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ShiftForecast {
    /// The method that is used; `None` where none was shown to help at two dates at least.
    pub method: Option<ForecastMethod>,
    /// The share of the method's forecast that counts, 0 to 1.
    pub share: f64,
    /// The part of the shift that kept coming back at the dates of the backtest, and is added whatever the forecast.
    pub lasting: f64,
    /// Mean distance of predicted to observed churn rate over the backtest's dates, with the forecast; `None` without dates.
    pub bias: Option<f64>,
    /// The same without it.
    pub bias_without: Option<f64>,
    /// The first less the second, over the dates; below 0 the forecast helped.
    pub bias_difference: Option<Interval>,
}

/// The model beside a simpler way to predict, at the dates of the backtest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BacktestComparison {
    /// `base_rate` (the churn rate of the last three label windows for everyone), `recency_only` or `bg_nbd`.
    pub baseline: String,
    /// Dates that both were judged on.
    pub dates: usize,
    /// Log loss of the model less that of the baseline, the mean over the dates; below 0 the model is better.
    pub log_loss_difference: Interval,
}
