//! The model card as plain data: what was predicted, of how many, and how good it is. `card.json` in the bundle.
//!
//! `train` fills it; the report, the text summary and the quality gate read nothing else, so that a card is shown with
//! the figures and limits of the trainer that wrote it.

pub(crate) mod conversion;
pub(crate) mod evaluation;
pub(crate) mod horizon;
pub(crate) mod json;
pub(crate) mod later;
pub(crate) mod laws;
pub(crate) mod made_from;
pub(crate) mod migration;
pub(crate) mod population;
pub(crate) mod retention;
pub(crate) mod selection;
pub(crate) mod thresholds;
pub(crate) mod value;
pub(crate) mod verdict;
pub(crate) mod withheld;

pub use conversion::ConversionCard;
pub use evaluation::{
    BaselineCard, CurvePoint, Evaluation, Interval, Metrics, RANDOM_FOREST, SliceCard, SliceMetrics,
};
pub use horizon::{DateCard, DropCounts, EffectCard, HorizonCard, NextWindow};
pub use later::{
    BaselineSource, ComparedHorizon, Comparison, JudgedModel, LATER_SCHEMA_VERSION,
    LaterEvaluation, LaterHorizon, Paired, Preference, Promise, Standing,
};
pub use laws::{
    Claim, ClaimCard, CountsCard, Finding, GapsCard, LawCard, LawsCard, ParameterCard, StratumCard,
    StratumName, TailCard, TenureCard, TenureSeries, TurningPointCard, VuongCard,
};
pub use made_from::MadeFrom;
pub use migration::{CHANGED_SHARE_LIMIT, NamedSegment, SegmentMigration};
pub use population::{ProfileCard, SegmentCard, StageSizes, Transitions};
pub use retention::{Cohort, Period, Retention};
pub use selection::{
    BacktestComparison, BacktestFold, ForecastMethod, Hyperparameters, SelectionRule,
    ShiftForecast, TrialCard,
};
pub use thresholds::{PerHorizon, Thresholds};
pub use value::{
    AtRiskCard, DecileCard, IntervalCoverage, OrdersCard, PeriodCard, RegressionCard, SpendCard,
    StageValueCard, TierCard, ValueBaseline, ValueCard, ValueEvaluation, ValueMetrics, ValueTrial,
    Winsorised,
};
pub use verdict::{Strength, Untested, Verdict};
pub use withheld::withhold;

// Plain types of other modules that are part of the card's keys.
pub use crate::features::FeatureGroup;
pub use crate::history::{Coverage, Day};
pub use crate::lifecycle::Stage;
pub use crate::model::{Calibration, SegmentKey};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The version of the card's keys that this build writes.
pub const SCHEMA_VERSION: u32 = 2;

/// The card of a bundle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Version of the card's keys: [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Version of the trainer.
    pub ebb_version: String,
    /// The bundle's version.
    pub model_version: String,
    /// SHA-256 of the configuration file; empty without one.
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
    /// What counts as churn, and of whom.
    pub label_definition: LabelDefinition,
    /// One entry for each horizon.
    pub horizons: Vec<HorizonCard>,
    /// The segments, lowest churn rate first.
    pub segments: Vec<SegmentCard>,
    /// What became of the segments of the bundle before; `None` where the fit was given none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment_migration: Option<SegmentMigration>,
    /// Users eligible at `as_of`, by lifecycle stage.
    pub stages: BTreeMap<String, u64>,
    /// How many feature vectors were compared with those of an altered future, and did not change.
    pub leakage_probe: LeakageProbe,
    /// Users by lifecycle stage at every labelled date of the first horizon, and at the end of the log.
    pub stage_sizes: Vec<StageSizes>,
    /// Where users of each stage were one horizon later; `None` when the log is too short for two dates.
    pub transitions: Option<Transitions>,
    /// How many users came back, by when they were first active.
    pub retention: Retention,
    /// What users are worth; `None` where no value was configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<ValueCard>,
    /// Whether potential users convert; `None` where that was not configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversion: Option<ConversionCard>,
    /// How often users are active, and where that turns; `None` in cards of earlier trainers, and where the log is too short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub laws: Option<LawsCard>,
    /// Things the reader should know, one sentence each.
    pub notes: Vec<String>,
    /// What the log covers: from when to when it was observed, and which days inside were not; `None` where that was not
    /// established.
    pub coverage: Option<Coverage>,
    /// The data-quality report of the log, as printed by `ebb-train fit`.
    pub data_quality: serde_json::Value,
    /// What the bundle was made from, where the fit was to be left out if nothing has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_from: Option<MadeFrom>,
}

/// What counts as churn, and which users have a label at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelDefinition {
    /// The kinds of events that count as staying.
    pub activity: Vec<String>,
    /// The horizons in days, increasing.
    pub horizon_days: Vec<u16>,
    /// Users with activity in this many days before a date have a label at that date.
    pub active_within_days: u32,
    /// Days between a date and the start of its horizon.
    pub lead_days: u32,
    /// The kind of event that is churn; `None` where churn is silence.
    pub churn_event: Option<String>,
}

/// What the check for features that see the future compared. A card with a changed feature is never written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeakageProbe {
    /// Users.
    pub users: u64,
    /// Dates at which each of them was described.
    pub dates: u64,
    /// Pairs of feature vectors that were compared: the history as it is, and with another future.
    pub comparisons: u64,
}

impl Card {
    /// The entry of a horizon.
    pub fn horizon(&self, horizon_days: u16) -> Option<&HorizonCard> {
        self.horizons
            .iter()
            .find(|horizon| horizon.horizon_days == horizon_days)
    }

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
        Ok(json::join_numbers(&serde_json::to_string_pretty(self)?) + "\n")
    }
}
