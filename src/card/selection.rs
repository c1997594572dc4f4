//! How a way to fit was selected: the candidates and the backtest that compared them.

use serde::{Deserialize, Serialize};

use crate::history::Day;

/// One way to fit a model on labelled rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hyperparameters {
    /// The strength of the L2 penalty on the summed loss.
    pub l2: f64,
    /// Whether hinges and interactions are weighed, or only the columns.
    pub nonlinear_terms: bool,
    /// How many label windows ago a row counts half; `None` when all rows count the same.
    pub half_life: Option<f64>,
    /// Every so many dates one is used, counted back from the newest.
    pub spacing: usize,
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
    /// Its mean log loss over the folds.
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
}
