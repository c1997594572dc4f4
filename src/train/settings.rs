//! Everything that decides a fit, beside the histories.

mod conversion;
mod privacy;
pub(crate) mod releases;
mod value;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::configuration::{SettingError, one_or_many};
use crate::features::HORIZON_LIMIT;
use crate::history::Day;
use crate::lifecycle::{Question, Thresholds};
use crate::model::{Bands, BundleSpec};

pub use conversion::ConversionConfig;
pub use privacy::PrivacyConfig;
pub use releases::Release;
pub use value::{TierConfig, ValueConfig, ValueMethod};

/// Which solver fits the logistic model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Solver {
    /// Newton's method.
    #[default]
    Newton,
    /// `linfa-logistic`, the reference.
    Linfa,
}

impl Solver {
    /// The solver's name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Newton => "newton",
            Self::Linfa => "linfa",
        }
    }
}

/// How many years back anniversaries are looked at at most.
pub(crate) const MOST_ANNIVERSARIES: u8 = 3;

/// How models are fitted: the `[model]` table of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelConfig {
    /// The solver of the logistic fit.
    pub solver: Solver,
    /// The strength of the L2 penalty; without it dates in the past choose it.
    pub l2: Option<f64>,
    /// Whether hinges and interactions of features are weighed too; without it dates in the past choose it.
    pub nonlinear_terms: Option<bool>,
    /// How many label windows (lead + horizon) ago a row counts half, 0 for all rows alike; without it dates in the past
    /// choose it.
    pub half_life_windows: Option<f64>,
    /// Days between the dates at which users are described; without it half of lead + horizon.
    pub spacing_days: Option<u16>,
    /// Rows (user, date) that a model is fitted on at most; beyond, every second, third, ... user is taken.
    pub most_rows: usize,
    /// No churn model is fitted on a date before this day; without it the log decides.
    #[serde(
        deserialize_with = "releases::optional_day",
        skip_serializing_if = "Option::is_none"
    )]
    pub dates_from: Option<Day>,
    /// The most dates at even distances at which users are described.
    pub snapshots: usize,
    /// How many years back the anniversaries of the predicted day are dates too, and the same season has features of its
    /// own, 0 to 3; without it as many as the log covers, unless dates in the past speak against it.
    pub anniversaries: Option<u8>,
    /// Kinds of events, beside activity, that get features of their own at most.
    pub kinds: usize,
    /// Seed of everything drawn at random.
    pub seed: u64,
    /// Features, kinds and columns (`events.kind`, `events.amount`) that are meant although they look like identifiers,
    /// times or the answer itself; see [`super::checks::target_leakage`].
    #[serde(deserialize_with = "one_or_many::list")]
    pub allow_leakage: Vec<String>,
    /// Kinds whose amounts are answers, such as the scores of a survey: the last one is weighed, with kinks.
    #[serde(deserialize_with = "one_or_many::list")]
    pub signals: Vec<String>,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            solver: Solver::Newton,
            l2: None,
            nonlinear_terms: None,
            half_life_windows: None,
            spacing_days: None,
            most_rows: 200_000,
            dates_from: None,
            snapshots: 26,
            anniversaries: None,
            kinds: 12,
            seed: 7,
            allow_leakage: Vec::new(),
            signals: Vec::new(),
        }
    }
}

impl ModelConfig {
    /// How many years back a fit looks for the season.
    pub(crate) fn most_anniversaries(&self) -> u8 {
        match self.solver {
            Solver::Newton => self.anniversaries.unwrap_or(MOST_ANNIVERSARIES),
            // It weighs all rows alike, so the same season cannot weigh more.
            Solver::Linfa => 0,
        }
    }

    /// Checks every key of `[model]` against its range.
    ///
    /// # Errors
    /// [`SettingError`] names the first key at fault.
    pub fn validate(&self) -> Result<(), SettingError> {
        let illegal = |key, value: &dyn fmt::Display, requirement: &str| {
            Err(SettingError::illegal("model", key, value, requirement))
        };
        if let Some(l2) = self.l2.filter(|l2| !(l2.is_finite() && *l2 > 0.0)) {
            return illegal("l2", &l2, "be above 0");
        }
        if let Some(half_life) = self
            .half_life_windows
            .filter(|h| !(h.is_finite() && *h >= 0.0))
        {
            return illegal("half_life_windows", &half_life, "be 0 or more");
        }
        if self.solver == Solver::Linfa && self.half_life_windows.is_some_and(|h| h > 0.0) {
            return Err(SettingError::new(
                "model",
                "half_life_windows",
                "model.half_life_windows must be 0 with model.solver = \"linfa\": it weighs all rows alike",
            ));
        }
        if self.most_rows < 1_000 {
            return illegal("most_rows", &self.most_rows, "be at least 1000");
        }
        if self.spacing_days == Some(0) {
            return illegal("spacing_days", &0, "be at least 1");
        }
        if !(1..=100).contains(&self.snapshots) {
            return illegal("snapshots", &self.snapshots, "lie between 1 and 100");
        }
        if let Some(years) = self
            .anniversaries
            .filter(|years| *years > MOST_ANNIVERSARIES)
        {
            return illegal("anniversaries", &years, "lie between 0 and 3");
        }
        Ok(())
    }
}

/// The churn question: the `[churn]` table of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChurnConfig {
    /// The kinds of events that count as staying.
    #[serde(deserialize_with = "one_or_many::list")]
    pub activity: Vec<String>,
    /// The horizons in days; sorted and without repeats once checked.
    #[serde(deserialize_with = "one_or_many::list")]
    pub horizon_days: Vec<u16>,
    /// Users with activity in this many days before a date are asked about at that date.
    pub active_within_days: u32,
    /// Days between a date and the start of its horizon.
    #[serde(default)]
    pub lead_days: u32,
    /// The kind of event that is churn; without it churn is silence.
    #[serde(default)]
    pub churn_event: Option<String>,
}

impl From<&BundleSpec> for ChurnConfig {
    /// The question that a bundle answers.
    fn from(spec: &BundleSpec) -> Self {
        Self {
            activity: spec.schema.activity.clone(),
            horizon_days: spec.schema.horizon_days.clone(),
            active_within_days: spec.active_within_days,
            lead_days: spec.lead_days,
            churn_event: spec.churn_event.clone(),
        }
    }
}

impl From<&ChurnConfig> for Question {
    fn from(config: &ChurnConfig) -> Self {
        let ChurnConfig {
            activity,
            active_within_days,
            churn_event,
            horizon_days: _,
            lead_days: _,
        } = config;
        Self::Churn {
            activity: activity.clone(),
            churn_event: churn_event.clone(),
            active_within_days: *active_within_days,
        }
    }
}

impl ChurnConfig {
    /// Checks every key of `[churn]` against its range.
    ///
    /// # Errors
    /// [`SettingError`] names the first key at fault.
    pub fn validate(&self) -> Result<(), SettingError> {
        let Self {
            activity,
            horizon_days,
            active_within_days,
            lead_days,
            churn_event,
        } = self;
        if activity.is_empty() {
            let problem = "churn.activity names no kind of event";
            return Err(SettingError::new("churn", "activity", problem));
        }
        let legal = |horizon: &u16| (1..=HORIZON_LIMIT).contains(horizon);
        if horizon_days.is_empty() || !horizon_days.iter().all(legal) {
            return Err(SettingError::illegal(
                "churn",
                "horizon_days",
                format_args!("{horizon_days:?}"),
                format_args!("hold numbers of days from 1 to {HORIZON_LIMIT}"),
            ));
        }
        if !(1..=36_600).contains(active_within_days) {
            return Err(SettingError::illegal(
                "churn",
                "active_within_days",
                active_within_days,
                "lie between 1 and 36600",
            ));
        }
        if *lead_days > 3_660 {
            let requirement = "be at most 3660";
            return Err(SettingError::illegal(
                "churn",
                "lead_days",
                lead_days,
                requirement,
            ));
        }
        if churn_event.as_ref().is_some_and(|e| activity.contains(e)) {
            let problem =
                "churn.churn_event is also in churn.activity: an event can't be both".to_owned();
            return Err(SettingError::new("churn", "churn_event", problem));
        }
        Ok(())
    }
}

/// Which solver finds the segments' centres.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SegmentSolver {
    /// Lloyd's method.
    #[default]
    Lloyd,
    /// `linfa-clustering`, the reference.
    Linfa,
}

/// How segments are made: the `[segments]` table of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SegmentConfig {
    /// The solver of k-means.
    pub solver: SegmentSolver,
    /// The fewest segments to try.
    pub k_min: usize,
    /// The most segments to try; the number with the best silhouette is taken.
    pub k_max: usize,
    /// Users that the centres are fitted on at most; all users are assigned afterwards.
    pub sample_users: usize,
}

impl Default for SegmentConfig {
    fn default() -> Self {
        Self {
            solver: SegmentSolver::Lloyd,
            k_min: 3,
            k_max: 6,
            sample_users: 10_000,
        }
    }
}

impl SegmentConfig {
    /// Checks every key of `[segments]` against its range.
    ///
    /// # Errors
    /// [`SettingError`] names the first key at fault.
    pub fn validate(&self) -> Result<(), SettingError> {
        let Self {
            k_min,
            k_max,
            sample_users,
            ..
        } = *self;
        if k_min < 2 || k_max < k_min || k_max > 20 {
            let problem = format!(
                "segments: k_min = {k_min} and k_max = {k_max} must be 2 <= k_min <= k_max <= 20"
            );
            return Err(SettingError::new("segments", "k_min", problem));
        }
        if sample_users < 100 {
            return Err(SettingError::illegal(
                "segments",
                "sample_users",
                sample_users,
                "be at least 100",
            ));
        }
        Ok(())
    }
}

/// Everything that decides a fit, beside the histories.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainConfig {
    /// The churn question.
    pub churn: ChurnConfig,
    /// How models are fitted.
    pub model: ModelConfig,
    /// How segments are made.
    pub segments: SegmentConfig,
    /// The risk bands.
    pub bands: Bands,
    /// The lifecycle thresholds.
    pub lifecycle: Thresholds,
    /// How users' value is estimated; `None` for not at all.
    pub value: Option<ValueConfig>,
    /// What is asked of potential users; `None` for nothing.
    pub conversion: Option<ConversionConfig>,
    /// What may be published about groups of users.
    pub privacy: PrivacyConfig,
    /// The days on which the product changed.
    pub releases: Vec<Release>,
    /// IANA name of the time zone in which the histories count days.
    pub timezone: String,
    /// SHA-256 of the configuration file, for the card.
    pub hash: String,
}

impl TrainConfig {
    /// Checks every table of the configuration.
    ///
    /// # Errors
    /// [`SettingError`] names the first setting at fault.
    pub fn validate(&self) -> Result<(), SettingError> {
        let Self {
            churn,
            model,
            segments,
            bands,
            lifecycle,
            value,
            conversion,
            privacy,
            releases,
            timezone: _,
            hash: _,
        } = self;
        churn.validate()?;
        model.validate()?;
        segments.validate()?;
        privacy.validate()?;
        releases::validate(releases)?;
        // Bands and thresholds are parts of a bundle too, which has no sections.
        if let Err(problem) = bands.validate() {
            let problem = format!("risk_bands: {problem}");
            return Err(SettingError::new("risk_bands", "medium", problem));
        }
        if let Err(problem) = lifecycle.validate() {
            return Err(SettingError::new("lifecycle", "", problem.to_string()));
        }
        if let Some(conversion) = conversion {
            conversion.validate()?;
        }
        value.as_ref().map_or(Ok(()), ValueConfig::validate)
    }
}
