//! What a prediction says.

use crate::features::FeatureGroup;
use crate::history::HistoryView;
use crate::lifecycle::{Rule, Stage};
use crate::model::{RiskBand, SegmentKey, ValueEstimate};

/// The user to score.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// A user's history.
    History(HistoryView<'a>),
    /// A feature vector in catalogue order, NaN where unknown.
    Features(&'a [f64]),
}

/// What a model predicts for a user; names are the bundle's.
#[derive(Clone, Debug, PartialEq)]
pub enum Prediction<'m> {
    /// A full answer.
    Scored(Score<'m>),
    /// There is no activity before the as-of day to predict from.
    TooNew,
    /// No activity for longer than users count as active: the model was not made for them.
    Inactive {
        /// Days since the last activity.
        recency_days: f64,
    },
    /// The churn event already happened, however long ago, and no activity since.
    AlreadyChurned,
}

/// One user's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Score<'m> {
    /// One entry for each horizon, shortest first.
    pub horizons: Vec<HorizonScore<'m>>,
    /// The lifecycle stage.
    pub stage: Stage,
    /// The rule that decided the stage.
    pub rule: Rule,
    /// The nearest segment; `None` when the bundle has none.
    pub segment: Option<SegmentMatch<'m>>,
    /// What the user is worth; `None` when the bundle has no value model.
    pub value: Option<ValueEstimate<'m>>,
}

/// The churn probability of one horizon and what it is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct HorizonScore<'m> {
    /// The horizon in days.
    pub horizon_days: u16,
    /// Probability of churn within the horizon.
    pub probability: f64,
    /// The risk band of the probability.
    pub band: RiskBand,
    /// Log-odds of the probability: `base_log_odds` plus all contributions.
    pub log_odds: f64,
    /// Log-odds of the average user.
    pub base_log_odds: f64,
    /// What feature groups add to the log-odds, largest effect first; as many as were to be explained.
    pub reasons: Vec<Reason<'m>>,
    /// The sum of what the other groups add.
    pub other_contribution: f64,
}

/// What one feature group adds to a user's log-odds, explained by its most influential feature.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason<'m> {
    /// The group.
    pub group: FeatureGroup,
    /// The sum of the contributions of the group's features to the log-odds; positive raises churn.
    pub contribution: f64,
    /// The group's feature that explains it: its own contribution has the same sign, and its value is as a reader
    /// expects.
    pub feature: &'m str,
    /// That feature's raw value; `None` when it is unknown.
    pub value: Option<f64>,
    /// The unit of the value.
    pub unit: &'static str,
    /// The value in plain words, such as "last purchase 47 days ago; usually every 12".
    pub description: String,
}

/// What one feature adds to a user's log-odds.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureContribution<'m> {
    /// The group of the feature.
    pub group: FeatureGroup,
    /// The feature, or a number that is derived from several.
    pub feature: &'m str,
    /// Its raw value; `None` when it is unknown.
    pub value: Option<f64>,
    /// The unit of the value.
    pub unit: &'static str,
    /// What it adds to the log-odds, with its hinges and half of each of its interactions; positive raises churn.
    pub contribution: f64,
    /// The value in plain words.
    pub description: String,
}

/// What every feature adds to one horizon's answer. With the base they add up to the log-odds, but for rounding.
#[derive(Clone, Debug, PartialEq)]
pub struct HorizonContributions<'m> {
    /// The horizon in days.
    pub horizon_days: u16,
    /// The horizon whose model gives the answer: a shorter one where this horizon's own model contradicts that.
    pub answered_by_horizon_days: u16,
    /// Every feature and every derived number, by feature groups.
    pub features: Vec<FeatureContribution<'m>>,
}

/// The segment nearest to a user.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SegmentMatch<'m> {
    /// Position in the bundle's segments.
    pub id: usize,
    /// The segment's lasting name.
    pub key: SegmentKey,
    /// The segment's name.
    pub name: &'m str,
    /// Euclidean distance to its centroid, in standard deviations.
    pub distance: f64,
}
