//! Everything that decides a fit, beside the histories.

use serde::{Deserialize, Serialize};

use super::TrainError;
use super::data::labels::ChurnConfig;
use super::estimators::segments::SegmentConfig;
use crate::features::HORIZON_LIMIT;
use crate::lifecycle::Thresholds;
use crate::model::Bands;

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
    /// The most dates at which users are described.
    pub snapshots: usize,
    /// Kinds of events, beside activity, that get features of their own at most.
    pub kinds: usize,
    /// Seed of everything drawn at random.
    pub seed: u64,
    /// Features, kinds and columns (`events.kind`, `events.amount`) that are meant although they look like identifiers,
    /// times or the answer itself; see [`super::checks::target_leakage`].
    pub allow_leakage: Vec<String>,
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
            snapshots: 12,
            kinds: 12,
            seed: 7,
            allow_leakage: Vec::new(),
        }
    }
}

impl ModelConfig {
    fn problem(&self) -> Option<String> {
        if self.l2.is_some_and(|l2| !(l2.is_finite() && l2 > 0.0)) {
            return Some("model.l2 must be positive".into());
        }
        if let Some(half_life) = self
            .half_life_windows
            .filter(|h| !(h.is_finite() && *h >= 0.0))
        {
            return Some(format!(
                "model.half_life_windows is {half_life}: it must be 0 or more"
            ));
        }
        if self.solver == Solver::Linfa && self.half_life_windows.is_some_and(|h| h > 0.0) {
            return Some(
                "model.half_life_windows must be 0 with model.solver = \"linfa\": it weighs all rows alike".into(),
            );
        }
        if self.most_rows < 1_000 {
            return Some(format!(
                "model.most_rows is {}: it must be at least 1000",
                self.most_rows
            ));
        }
        if self.spacing_days == Some(0) {
            return Some("model.spacing_days must be at least 1".into());
        }
        (!(1..=100).contains(&self.snapshots))
            .then(|| "model.snapshots must lie between 1 and 100".into())
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
    /// IANA name of the time zone in which the histories count days.
    pub timezone: String,
    /// SHA-256 of the configuration file, for the card.
    pub hash: String,
}

impl TrainConfig {
    /// Checks every setting against its range; the error names the one at fault.
    pub fn check(&self) -> Result<(), TrainError> {
        let churn = &self.churn;
        let within = |days: u32| (1..=36_600).contains(&days);
        let own = if churn.activity.is_empty() {
            Some("churn.activity names no kind of event".to_owned())
        } else if churn.horizon_days.is_empty()
            || !churn
                .horizon_days
                .iter()
                .all(|h| (1..=HORIZON_LIMIT).contains(h))
        {
            let given = &churn.horizon_days;
            Some(format!(
                "churn.horizon_days is {given:?}: it must hold numbers of days from 1 to {HORIZON_LIMIT}"
            ))
        } else if !within(churn.active_within_days) {
            Some(format!(
                "churn.active_within_days is {}: it must lie between 1 and 36600",
                churn.active_within_days
            ))
        } else if churn.lead_days > 3_660 {
            Some(format!(
                "churn.lead_days is {}: it must be at most 3660",
                churn.lead_days
            ))
        } else if churn
            .churn_event
            .as_ref()
            .is_some_and(|e| churn.activity.contains(e))
        {
            Some("churn.churn_event is also in churn.activity: an event can't be both".to_owned())
        } else {
            None
        };
        let problem = own
            .or_else(|| self.model.problem())
            .or_else(|| self.segments.problem())
            .or_else(|| {
                self.bands
                    .problem()
                    .map(|problem| format!("risk_bands: {problem}"))
            })
            .or_else(|| self.lifecycle.problem());
        problem.map_or(Ok(()), |p| Err(TrainError::Setting(p)))
    }
}
