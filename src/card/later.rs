//! A bundle judged on a later day than it was fitted on, and two bundles on the same users.

use serde::{Deserialize, Serialize};

use super::LabelDefinition;
use super::evaluation::{Evaluation, Interval, Metrics};
use super::verdict::Untested;
use crate::history::Day;

/// The version of the keys of [`LaterEvaluation`] and [`Comparison`].
pub const LATER_SCHEMA_VERSION: u32 = 1;

/// A bundle judged on users of a day, by what they did after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaterEvaluation {
    /// Version of these keys: [`LATER_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Version of the program that judged.
    pub ebb_version: String,
    /// The bundle.
    pub model: JudgedModel,
    /// Users are described as known at the start of this day.
    pub as_of: Day,
    /// Whether the fit saw no event on `as_of` or later. Where it did, the figures flatter the model.
    pub out_of_time: bool,
    /// What counts as churn, and of which users: as at the fit.
    pub label_definition: LabelDefinition,
    /// One entry for each horizon of the bundle.
    pub horizons: Vec<LaterHorizon>,
    /// Things the reader should know, one sentence each.
    pub notes: Vec<String>,
}

/// The name and the age of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgedModel {
    /// The bundle's version.
    pub version: String,
    /// The fit saw no event on or after this day.
    pub fitted_as_of: Day,
}

/// One horizon's model on a later day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaterHorizon {
    /// The horizon in days.
    pub horizon_days: u16,
    /// The first day of the label window.
    pub from: Day,
    /// The day after its last one.
    pub until: Day,
    /// One in so many users was judged: 1 unless there are more than `model.most_rows`.
    pub user_step: u64,
    /// The figures, as the card has them for its test date; `None` when the model could not be judged.
    pub evaluation: Option<Evaluation>,
    /// Why it could not be judged; `None` where it was.
    pub untested: Option<Untested>,
    /// Where the baselines come from; `None` when the model could not be judged.
    pub baselines_from: Option<BaselineSource>,
    /// The churn rate on the card's test date; `None` where the card has none. Log loss, average precision and lift move with
    /// the churn rate.
    pub promised_churn_rate: Option<f64>,
    /// The figures beside those of the card; empty when the model could not be judged.
    pub promises: Vec<Promise>,
    /// How the log loss compares with the card's; `None` where one of them is missing.
    pub standing: Option<Standing>,
}

/// What baselines were fitted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BaselineSource {
    /// What the log held before the day that users are judged at, by the procedure of the card's evaluation.
    Log,
    /// The bundle: the log has too little before the day to fit anything.
    Bundle,
}

/// One figure beside that of the card's evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Promise {
    /// The metric's name, such as `log_loss` or `gain_over_recency_only`.
    pub metric: String,
    /// The figure on the later day.
    pub found: Interval,
    /// The card's; `None` where the card has none.
    pub promised: Option<Interval>,
    /// The first less the second, with an interval for independent users; `None` without a promise.
    pub difference: Option<Interval>,
    /// What that means; `None` without a promise, or where a figure is not known.
    pub standing: Option<Standing>,
}

/// How a figure compares with what was promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The interval of the difference lies on the better side.
    Better,
    /// The interval of the difference contains 0.
    Within,
    /// The interval of the difference lies on the worse side.
    Worse,
}

impl Standing {
    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Within => "within",
            Self::Worse => "worse",
        }
    }
}

/// Two bundles on the same users of one day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Version of these keys: [`LATER_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Version of the program that compared.
    pub ebb_version: String,
    /// The first bundle.
    pub a: JudgedModel,
    /// The second one.
    pub b: JudgedModel,
    /// Users are described as known at the start of this day.
    pub as_of: Day,
    /// Whether neither fit saw an event on `as_of` or later. Where one did, the comparison favours it.
    pub out_of_time: bool,
    /// One entry for each horizon that both bundles have.
    pub horizons: Vec<ComparedHorizon>,
    /// Horizons that only one of them has.
    pub left_out_horizons: Vec<u16>,
    /// Things the reader should know, one sentence each.
    pub notes: Vec<String>,
}

/// One horizon of two bundles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparedHorizon {
    /// The horizon in days.
    pub horizon_days: u16,
    /// The first day of the label window.
    pub from: Day,
    /// The day after its last one.
    pub until: Day,
    /// One in so many users was looked at: 1 unless there are more than `model.most_rows`.
    pub user_step: u64,
    /// Users that only the first bundle scores; they are left out.
    pub only_a: u64,
    /// Users that only the second bundle scores; they are left out.
    pub only_b: u64,
    /// The figures; `None` where there are none.
    pub paired: Option<Paired>,
    /// Why there are none; `None` where there are.
    pub untested: Option<Untested>,
}

/// The figures of two predictions of the same users, and their differences on the same resampled users.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Paired {
    /// Users that both score.
    pub users: u64,
    /// The share of them that churned.
    pub churn_rate: f64,
    /// The first.
    pub a: Metrics,
    /// The second.
    pub b: Metrics,
    /// Log loss of the second less that of the first; below 0 the second is better.
    pub log_loss_difference: Interval,
    /// AUC of the second less that of the first; above 0 the second is better.
    pub auc_difference: Interval,
    /// Brier score of the second less that of the first; below 0 the second is better.
    pub brier_difference: Interval,
    /// Calibration error of the second less that of the first; below 0 the second is better.
    pub ece_difference: Interval,
    /// Which of them is better by its log loss.
    pub preference: Preference,
}

/// Which of two predictions is shown to be better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preference {
    /// Both give every user the same probability.
    Same,
    /// The whole interval favours the first.
    A,
    /// The whole interval favours the second.
    B,
    /// The interval holds 0, or too few users stayed or left to trust one.
    NotShown,
}
