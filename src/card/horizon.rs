//! One horizon's model.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::evaluation::{CurvePoint, Evaluation};
use super::selection::{
    BacktestComparison, BacktestFold, Hyperparameters, SelectionRule, ShiftForecast, TrialCard,
};
use super::verdict::Untested;
use crate::features::FeatureGroup;
use crate::history::Day;
use crate::model::Calibration;

/// How many (user, date) pairs were dropped, by the reason's name.
pub type DropCounts = BTreeMap<String, u64>;

/// One horizon's model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HorizonCard {
    /// The horizon in days.
    pub horizon_days: u16,
    /// Dates of the final fit, oldest first.
    pub snapshots: Vec<Day>,
    /// Rows (user, date) of the final fit.
    pub rows: u64,
    /// Their churn rate.
    pub churn_rate: f64,
    /// Pairs of user and date that were dropped, by reason.
    pub dropped: DropCounts,
    /// `newton` or `linfa`.
    pub solver: String,
    /// How the model was fitted.
    pub hyperparameters: Hyperparameters,
    /// The same in words.
    pub candidate: String,
    /// The candidates that were compared by backtesting: each was fitted on label windows that had ended by a date, and
    /// predicted other users at it.
    pub trials: Vec<TrialCard>,
    /// How the candidates were compared.
    pub selection: SelectionRule,
    /// The folds of the selected candidate, newest first.
    pub backtest: Vec<BacktestFold>,
    /// The line that is applied to the log-odds, estimated from the backtest.
    pub calibration: Calibration,
    /// The part of the calibration's intercept that forecasts a shift of the churn rate, in log-odds.
    pub shrunk_shift: f64,
    /// Where that part comes from.
    #[serde(default)]
    pub forecast: ShiftForecast,
    /// The model beside simpler ways to predict, at the dates of the backtest.
    #[serde(default)]
    pub against_baselines: Vec<BacktestComparison>,
    /// How far the log-odds are drawn towards those of the base rate, because the model lost to it at the dates of the
    /// backtest: 0 not at all, 1 wholly.
    #[serde(default)]
    pub shrunk_to_base_rate: f64,
    /// How the model did on the test date; `None` when it could not be judged.
    pub evaluation: Option<Evaluation>,
    /// Why it could not be judged; `None` where it was.
    pub untested: Option<Untested>,
    /// Churn at every labelled date, oldest first, with the predictions made for it where there are some. Dates of earlier
    /// years are anniversaries.
    pub by_date: Vec<DateCard>,
    /// What the model predicts for the window that nobody has seen yet; `None` without users to predict.
    #[serde(default)]
    pub next_window: Option<NextWindow>,
    /// What each feature does to the log-odds, largest effect first.
    pub effects: Vec<EffectCard>,
}

/// What became of the users of one date.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DateCard {
    /// The date.
    pub date: Day,
    /// Users asked about.
    pub users: u64,
    /// The share of them that churned.
    pub churn_rate: f64,
    /// Mean probability that a model which had not seen them gave them; `None` where none was asked.
    pub predicted: Option<f64>,
    /// Its predictions in ten groups of equal size, lowest risk first.
    pub deciles: Vec<CurvePoint>,
}

/// The predictions of the final model at the as-of day.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NextWindow {
    /// The as-of day.
    pub date: Day,
    /// Users asked about, or evenly taken ones of many.
    pub users: u64,
    /// Their mean probability of churn.
    pub predicted: f64,
}

/// What one feature does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EffectCard {
    /// The feature's name.
    pub feature: String,
    /// What it is, in one sentence.
    pub description: String,
    /// What it is about.
    pub group: FeatureGroup,
    /// Change of the log-odds of churn for one standard deviation more of it.
    pub standardized_effect: f64,
}
