//! The model card: what was asked, of how many, and how good the answers are. `card.json` in the bundle.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::labels::{ChurnConfig, DropCounts};
use super::metrics::{CurvePoint, Metrics};
use super::probe::LeakageProbe;
use crate::history::Day;
use crate::model::Calibration;

/// The card of a bundle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Version of the trainer.
    pub ebb_version: String,
    /// No event at or after this day was seen.
    pub as_of: Day,
    /// The first day with an event.
    pub first_day: Day,
    /// The last day with an event.
    pub last_day: Day,
    /// Users in the log before `as_of`.
    pub users: u64,
    /// Records (user, day, kind) in the log before `as_of`.
    pub records: u64,
    /// SHA-256 of all histories before `as_of`.
    pub data_hash: String,
    /// Seed of everything drawn at random.
    pub seed: u64,
    /// The churn question.
    pub question: ChurnConfig,
    /// One entry for each horizon.
    pub horizons: Vec<HorizonCard>,
    /// The segments, lowest churn rate first.
    pub segments: Vec<SegmentCard>,
    /// Users eligible at `as_of`, by lifecycle stage.
    pub stages: BTreeMap<String, u64>,
    /// How many feature vectors were held against another future, none of which moved.
    pub leakage_probe: LeakageProbe,
    /// Things the reader should know, one sentence each.
    pub notes: Vec<String>,
    /// The data-quality report of the log, as printed by `ebb-train fit`.
    pub data_quality: serde_json::Value,
}

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
    /// The strength of the L2 penalty on the summed loss.
    pub l2: f64,
    /// The strengths that were tried, each with its log loss on the latest labelled date, having learnt from
    /// dates whose label windows end before it and corrected for the shift in the base rate.
    pub l2_curve: Vec<(f64, f64)>,
    /// The line through the log-odds, fitted on the same date.
    pub calibration: Calibration,
    /// How the model did on the test date; `None` when the log is too short for one.
    pub evaluation: Option<Evaluation>,
    /// Each feature's effect on the log-odds for one standard deviation, largest first.
    pub effects: Vec<(String, f64)>,
}

/// The whole fitting procedure, carried out on what was known at the latest labelled date and judged on what then
/// happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The dates it was trained on: their label windows end by the test date.
    pub train: Vec<Day>,
    /// The one of them that chose the penalty and the calibration, if the log is long enough.
    pub calibration: Option<Day>,
    /// The date it was judged on.
    pub test: Day,
    /// Users judged.
    pub users: u64,
    /// The share of them that churned.
    pub churn_rate: f64,
    /// The model.
    pub model: Metrics,
    /// What it has to beat: `base_rate` (the churn rate of the training rows for everyone) and `recency_only` (a
    /// logistic model on recency alone).
    pub baselines: BTreeMap<String, Metrics>,
    /// The random forest, when it was asked for.
    pub challenger: Option<Metrics>,
    /// Predicted against observed churn in ten bins of equal size.
    pub calibration_curve: Vec<CurvePoint>,
    /// The share of churners among the riskiest 1 %, 2 %, ... 100 % of users.
    pub gains: Vec<f64>,
}

/// One segment of the card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SegmentCard {
    /// The segment's name.
    pub name: String,
    /// Users of the latest labelled date in it.
    pub users: u64,
    /// Their churn rate over the first horizon.
    pub churn_rate: f64,
}
