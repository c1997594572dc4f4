//! The model card: what was asked, of how many, and how good the answers are. `card.json` in the bundle.

pub mod untested;
pub mod verdict;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::features::FeatureGroup;
use crate::history::{Coverage, Day};
use crate::model::Calibration;
use crate::train::checks::leakage::LeakageProbe;
use crate::train::data::labels::{ChurnConfig, DropCounts};
use crate::train::evaluation::metrics::{CurvePoint, Interval, Metrics};
use crate::train::population::retention::Retention;
use crate::train::population::{SegmentCard, StageSizes, Transitions};
use crate::train::selection::backtest::BacktestFold;
use crate::train::selection::candidate::Hyperparameters;
use crate::train::selection::search::TrialCard;
use untested::Untested;
use verdict::Verdict;

/// The version of the card's keys that this build writes.
pub const SCHEMA_VERSION: u32 = 2;

/// The card of a bundle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Version of the card\'s keys: 2.
    pub schema_version: u32,
    /// Version of the trainer.
    pub ebb_version: String,
    /// The bundle's version; empty in cards of older trainers.
    #[serde(default)]
    pub model_version: String,
    /// SHA-256 of the configuration file; empty in cards of older trainers.
    #[serde(default)]
    pub config_hash: String,
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
    pub label_definition: ChurnConfig,
    /// One entry for each horizon.
    pub horizons: Vec<HorizonCard>,
    /// The segments, lowest churn rate first.
    pub segments: Vec<SegmentCard>,
    /// Users eligible at `as_of`, by lifecycle stage.
    pub stages: BTreeMap<String, u64>,
    /// How many feature vectors were held against another future, none of which moved.
    pub leakage_probe: LeakageProbe,
    /// Users by lifecycle stage at every labelled date of the first horizon, and at the end of the log.
    pub stage_sizes: Vec<StageSizes>,
    /// Where users of each stage were one horizon later; `None` when the log is too short for two dates.
    pub transitions: Option<Transitions>,
    /// How many users came back, by when they were first active.
    pub retention: Retention,
    /// Things the reader should know, one sentence each.
    pub notes: Vec<String>,
    /// What the log covers: from when to when it was observed, and which days inside were not. `None` in cards of before.
    #[serde(default)]
    pub coverage: Option<Coverage>,
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
    /// How the model was fitted.
    pub hyperparameters: Hyperparameters,
    /// The same in words.
    pub candidate: String,
    /// The ways to fit that were compared at dates in the past, each having learnt only from label windows that had
    /// ended by then and from other users than it was asked about.
    pub trials: Vec<TrialCard>,
    /// What the chosen way said at those dates and before, newest first.
    pub backtest: Vec<BacktestFold>,
    /// The line through the log-odds: what those dates had in common is put right by it.
    pub calibration: Calibration,
    /// How the model did on the test date; `None` when it could not be judged.
    pub evaluation: Option<Evaluation>,
    /// Why it could not be judged; `None` where it was, and in cards of older trainers.
    #[serde(default)]
    pub untested: Option<Untested>,
    /// Churn at every labelled date, oldest first, with the predictions made for it where there are some.
    pub by_date: Vec<DateCard>,
    /// What each feature does to the log-odds, largest effect first.
    pub effects: Vec<EffectCard>,
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
    /// Users judged.
    pub users: u64,
    /// The share of them that churned.
    pub churn_rate: f64,
    /// The model.
    pub model: Metrics,
    /// How far it is shown to beat its strongest baseline; `None` without one, and in cards of older trainers.
    #[serde(default)]
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
    /// The ROC curve: the shares of stayers and of churners above a probability.
    pub roc: Vec<(f64, f64)>,
    /// The precision-recall curve: the share of churners above a probability, and their share of all above it.
    pub precision_recall: Vec<(f64, f64)>,
}

impl HorizonCard {
    /// Why the model was not judged, in a sentence or two.
    pub fn untested_words(&self, question: &ChurnConfig) -> String {
        match &self.untested {
            Some(why) => why.description(question, self.horizon_days),
            None => format!(
                "The {}-day model was not judged on a later date.",
                self.horizon_days
            ),
        }
    }
}

impl Evaluation {
    /// How many of the judged users churned.
    pub fn churners(&self) -> u64 {
        (self.churn_rate * self.users as f64).round() as u64
    }

    /// The baseline of a name.
    pub fn baseline(&self, name: &str) -> Option<&BaselineCard> {
        self.baselines.iter().find(|r| r.name == name)
    }
}

/// Another way to tell who will churn, judged on the same users.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BaselineCard {
    /// `base_rate` (the churn rate of the training rows for everyone), `recency_only` and `best_single` (logistic
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
    /// What the users are parted by: `stage`, `segment` or `tenure`.
    pub dimension: String,
    /// The part.
    pub name: String,
    /// Users in it.
    pub users: u64,
    /// The share of them that churned.
    pub churn_rate: f64,
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

impl Card {
    /// The horizons whose model was judged and does not beat a model that knows recency only.
    pub fn weak_horizons(&self) -> Vec<&HorizonCard> {
        let weak = |h: &&HorizonCard| {
            h.evaluation
                .as_ref()
                .is_some_and(|e| e.beats_recency_only == Some(false))
        };
        self.horizons.iter().filter(weak).collect()
    }

    /// The content of `card.json`: indented, with lists of numbers on one line each.
    pub fn to_json(&self) -> serde_json::Result<String> {
        Ok(join_numbers(&serde_json::to_string_pretty(self)?) + "\n")
    }
}

/// Puts every innermost list without texts on one line.
fn join_numbers(json: &str) -> String {
    let mut joined = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(open) = rest.find(['[', '"']) {
        let (before, from) = rest.split_at(open);
        joined.push_str(before);
        let end = if from.starts_with('"') {
            end_of_text(from)
        } else {
            1
        };
        let list = from
            .get(1..)
            .and_then(|inner| inner.find(['[', '{', '"', ']']));
        let end = match list.filter(|_| end == 1).map(|at| at + 1) {
            Some(at) if from.get(at..).is_some_and(|f| f.starts_with(']')) => {
                let words: Vec<&str> = from
                    .get(1..at)
                    .unwrap_or_default()
                    .split_whitespace()
                    .collect();
                joined.push_str(&format!("[{}]", words.join(" ")));
                at + 1
            }
            _ => {
                joined.push_str(from.get(..end).unwrap_or(from));
                end
            }
        };
        rest = from.get(end..).unwrap_or_default();
    }
    joined + rest
}

/// The length of a JSON text with its quotes.
fn end_of_text(from: &str) -> usize {
    let mut escaped = false;
    let end = from.bytes().enumerate().skip(1).find(|(_, byte)| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    end.map_or(from.len(), |(at, _)| at + 1)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn lists_of_numbers_are_short_and_nothing_else_changes() {
        let value = json!({
            "pairs": [[0.0, 1.5], [2, -3e-7]], "names": ["a [b, \"c", "]\\"], "none": [], "deep": [{ "x": [1, 2, 3] }],
        });
        let joined = join_numbers(&serde_json::to_string_pretty(&value).unwrap());
        assert_eq!(serde_json::from_str::<Value>(&joined).unwrap(), value);
        assert!(
            joined.contains("\"x\": [1, 2, 3]") && joined.contains("    [0.0, 1.5],\n"),
            "{joined}"
        );
    }
}
