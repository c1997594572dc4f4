//! How good a model was on a later date than it was fitted on.

use serde::{Deserialize, Serialize};

use super::verdict::Verdict;
use crate::history::Day;

/// The name of the baseline that counts for no verdict: as heavy as the model itself, and only fitted on demand.
pub const RANDOM_FOREST: &str = "random_forest";

/// The whole fitting procedure, carried out on what was known at the latest labelled date and judged on what then
/// happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The dates it was trained on: their label windows end by the test date.
    pub train: Vec<Day>,
    /// The newest of the dates at which ways to fit were compared, if the log is long enough.
    pub calibration: Option<Day>,
    /// The date it was judged on.
    pub test: Day,
    /// Parts that the users were divided into: each part was predicted by a fit on the users of the others.
    pub user_parts: u32,
    /// Users judged.
    pub users: u64,
    /// The share of them that churned.
    pub churn_rate: f64,
    /// The model.
    pub model: Metrics,
    /// How far it is shown to beat its strongest baseline; `None` without one.
    pub verdict: Option<Verdict>,
    /// Whether its log loss is lower than that of recency alone; `None` without that baseline.
    pub beats_recency_only: Option<bool>,
    /// What it has to beat, the simplest first.
    pub baselines: Vec<BaselineCard>,
    /// The model on parts of the users.
    pub slices: Vec<SliceCard>,
    /// Predicted against observed churn in ten bins of equal size.
    pub calibration_curve: Vec<CurvePoint>,
    /// The share of churners among the riskiest 1 %, 2 %, ... 100 % of users.
    pub gains: Vec<f64>,
    /// The ROC curve: the shares of retained users and of churners above a probability.
    pub roc: Vec<(f64, f64)>,
    /// The precision-recall curve: the share of churners above a probability, and their share of all above it.
    pub precision_recall: Vec<(f64, f64)>,
}

impl Evaluation {
    /// How many of the judged users churned.
    pub fn churners(&self) -> u64 {
        (self.churn_rate * self.users as f64).round() as u64
    }

    /// The baseline of a name.
    pub fn baseline(&self, name: &str) -> Option<&BaselineCard> {
        self.baselines.iter().find(|baseline| baseline.name == name)
    }

    /// By how much the model's log loss lies below that of a baseline, on the same resampled users; `None` without it.
    pub fn gain_over(&self, baseline: &str) -> Option<Interval> {
        let d = self.baseline(baseline)?.log_loss_difference;
        Some(Interval {
            value: -d.value,
            low: -d.high,
            high: -d.low,
        })
    }
}

/// A simpler way to predict churn, judged on the same users.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BaselineCard {
    /// `base_rate` (the churn rate of the last three label windows for everyone), `recency_only` and `best_single` (logistic
    /// models on one feature), `random_forest`, ...
    pub name: String,
    /// The feature that it goes by, if it is a single one.
    pub feature: Option<String>,
    /// How good it is.
    pub metrics: Metrics,
    /// Log loss of the model less that of the baseline on the same resampled users; below 0 the model is better.
    pub log_loss_difference: Interval,
    /// AUC of the model less that of the baseline; above 0 the model is better.
    pub auc_difference: Interval,
    /// See [`Evaluation::gains`]; to four decimals.
    pub gains: Vec<f64>,
    /// See [`Evaluation::roc`].
    pub roc: Vec<(f64, f64)>,
    /// See [`Evaluation::precision_recall`].
    pub precision_recall: Vec<(f64, f64)>,
}

/// The model on one part of the judged users.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SliceCard {
    /// What the users are divided by: `stage`, `segment` or `tenure`.
    pub dimension: String,
    /// The part.
    pub name: String,
    /// Users in it.
    pub users: u64,
    /// The share of them that churned.
    pub churn_rate: f64,
    /// The lower end of that share's 95 % interval.
    pub churn_low: f64,
    /// The upper end.
    pub churn_high: f64,
    /// The mean probability given to them.
    pub predicted: f64,
    /// How good the model is on them; `None` for fewer than 30 users.
    pub metrics: Option<SliceMetrics>,
}

/// How good the model is on a part of the users.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SliceMetrics {
    /// Mean logistic loss.
    pub log_loss: Interval,
    /// Area under the ROC curve; `None` where all churned or all stayed.
    pub auc: Option<Interval>,
    /// Mean predicted minus observed churn.
    pub bias: Interval,
}

/// A figure with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The figure.
    pub value: f64,
    /// The lower end, over resampled users; never above the figure.
    pub low: f64,
    /// The upper end; never below the figure.
    pub high: f64,
}

/// Metrics of churn probabilities against what happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Mean logistic loss; smaller is better.
    pub log_loss: Interval,
    /// Area under the ROC curve: how likely a churner ranks above a retained user.
    pub auc: Interval,
    /// Mean squared error of the probability.
    pub brier: Interval,
    /// Expected calibration error over ten bins of equal size: mean absolute difference between predicted and
    /// observed churn.
    pub ece: Interval,
    /// Mean predicted minus observed churn.
    pub bias: Interval,
    /// Area under the precision-recall curve (average precision).
    pub average_precision: Interval,
    /// Slope of the observed log-odds over the predicted; 1 is calibrated, below 1 overconfident.
    pub calibration_slope: Interval,
    /// Intercept of the same line; 0 is calibrated.
    pub calibration_intercept: Interval,
}

/// One point of the calibration curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Mean predicted churn of the bin.
    pub predicted: f64,
    /// Observed churn of the bin.
    pub observed: f64,
    /// The lower end of its 95 % interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// Users in the bin.
    pub users: u64,
}
