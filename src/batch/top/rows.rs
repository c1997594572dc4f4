//! The rows of a list of users.

use std::collections::BTreeMap;

use super::{Order, REASONS};
use crate::batch::list::{List, Values};
use crate::history::Day;
use crate::model::{Reason, SegmentKey, SegmentMatch, ValueEstimate, ValueModel};

/// The first users in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Top {
    /// The model's version.
    pub model: String,
    /// No event at or after this day was seen.
    pub as_of: Day,
    /// What they are ordered by.
    pub order: Order,
    /// The horizon in days.
    pub horizon_days: u16,
    /// What values are counted in; `None` where the model has no value part.
    pub value: Option<ValueTerms>,
    /// How many users have a score.
    pub scored: u64,
    /// How many of them are of the segments, stages, bands and tiers that were chosen.
    pub matching: u64,
    /// How many users have no score, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
    /// The first of those that were chosen.
    pub users: Vec<TopUser>,
}

/// The segment of a listed user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserSegment {
    /// Its number, from the lowest churn rate on.
    pub id: u32,
    /// Its lasting name.
    pub key: SegmentKey,
    /// Its name.
    pub name: String,
}

impl From<SegmentMatch<'_>> for UserSegment {
    fn from(segment: SegmentMatch<'_>) -> Self {
        Self {
            id: segment.id as u32,
            key: segment.key,
            name: segment.name.to_owned(),
        }
    }
}

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub struct TopUser {
    /// The user.
    pub user_id: String,
    /// Probability of churn within the horizon.
    pub churn_probability: f64,
    /// `low`, `medium` or `high`.
    pub risk_band: &'static str,
    /// The lifecycle stage.
    pub stage: &'static str,
    /// The nearest segment; `None` where the model has none.
    pub segment: Option<UserSegment>,
    /// What the user would spend within the horizon at the rate of the past; `None` where the log has no amounts, or the model has
    /// a value part.
    pub expected_spend: Option<f64>,
    /// What the user is worth; `None` where the model has no value part.
    pub value: Option<UserValue>,
    /// The feature groups with the largest effects.
    pub reasons: Vec<ReasonRow>,
}

/// What values are counted in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueTerms {
    /// The currency; `None` where it was not configured.
    pub currency: Option<String>,
    /// Days of the expected spend.
    pub horizon_days: u16,
}

impl From<&ValueModel> for ValueTerms {
    fn from(model: &ValueModel) -> Self {
        Self {
            currency: model.currency.clone(),
            horizon_days: model.horizon_days,
        }
    }
}

/// What a user is worth; `None` for what is unknown.
#[derive(Clone, Debug, PartialEq)]
pub struct UserValue {
    /// Expected spend within the horizon of the value.
    pub expected_spend: Option<f64>,
    /// Residual value.
    pub residual: Option<f64>,
    /// Value at risk.
    pub at_risk: Option<f64>,
    /// The name of the tier.
    pub tier: Option<String>,
}

impl From<&ValueEstimate<'_>> for UserValue {
    fn from(estimate: &ValueEstimate<'_>) -> Self {
        let known = |figure: f64| (!figure.is_nan()).then_some(figure);
        Self {
            expected_spend: known(estimate.expected_spend),
            residual: known(estimate.residual_value),
            at_risk: known(estimate.value_at_risk),
            tier: estimate.tier.map(|_| estimate.tier_name.to_owned()),
        }
    }
}

impl TopUser {
    /// Churn probability times expected spend.
    pub fn spend_at_risk(&self) -> Option<f64> {
        Some(self.churn_probability * self.expected_spend?)
    }
}

/// A reason as columns.
#[derive(Clone, Debug, PartialEq)]
pub struct ReasonRow {
    /// In words.
    pub description: String,
    /// The feature group.
    pub theme: &'static str,
    /// The feature that explains it.
    pub feature: String,
    /// The feature's value; `None` where it is unknown.
    pub value: Option<f64>,
    /// What the group adds to the log-odds.
    pub contribution: f64,
}

impl From<&Reason<'_>> for ReasonRow {
    fn from(reason: &Reason<'_>) -> Self {
        Self {
            description: reason.description.clone(),
            theme: reason.group.name(),
            feature: reason.feature.to_owned(),
            value: reason.value,
            contribution: reason.contribution,
        }
    }
}

impl Top {
    /// What [`Order::Loss`] orders by, as a name in files and answers.
    pub fn loss_name(&self) -> &'static str {
        match self.value {
            Some(_) => "value_at_risk",
            None => "spend_at_risk",
        }
    }

    /// The columns of money: of the value part, or else of the spend at the rate of the past.
    fn money(&self) -> Vec<(&'static str, Values)> {
        let users = &self.users;
        let number =
            |of: &dyn Fn(&TopUser) -> Option<f64>| Values::Number(users.iter().map(of).collect());
        let Some(terms) = &self.value else {
            return vec![
                ("expected_spend", number(&|user| user.expected_spend)),
                ("spend_at_risk", number(&TopUser::spend_at_risk)),
            ];
        };
        let tier = |user: &TopUser| user.value.as_ref()?.tier.clone();
        vec![
            (
                "value_expected_spend",
                number(&|user| user.value.as_ref()?.expected_spend),
            ),
            (
                "value_residual",
                number(&|user| user.value.as_ref()?.residual),
            ),
            (
                "value_at_risk",
                number(&|user| user.value.as_ref()?.at_risk),
            ),
            ("value_tier", Values::Text(users.iter().map(tier).collect())),
            (
                "currency",
                Values::Text(vec![terms.currency.clone(); users.len()]),
            ),
        ]
    }

    /// The users as columns, in order.
    pub fn list(&self) -> List {
        let users = &self.users;
        let text =
            |of: &dyn Fn(&TopUser) -> Option<String>| Values::Text(users.iter().map(of).collect());
        let number =
            |of: &dyn Fn(&TopUser) -> Option<f64>| Values::Number(users.iter().map(of).collect());
        let ranks = 1..=users.len() as u32;
        let horizon = Some(u32::from(self.horizon_days));
        let segment = |user: &TopUser| user.segment.as_ref().map(|s| s.id);
        let mut columns = vec![
            ("rank", Values::Whole(ranks.map(Some).collect())),
            ("user_id", text(&|user| Some(user.user_id.clone()))),
            ("as_of", Values::Day(vec![self.as_of; users.len()])),
            ("horizon_days", Values::Whole(vec![horizon; users.len()])),
            (
                "churn_probability",
                number(&|user| Some(user.churn_probability)),
            ),
            ("risk_band", text(&|user| Some(user.risk_band.to_owned()))),
            ("stage", text(&|user| Some(user.stage.to_owned()))),
            (
                "segment",
                Values::Whole(users.iter().map(segment).collect()),
            ),
            (
                "segment_name",
                text(&|user| user.segment.as_ref().map(|s| s.name.clone())),
            ),
            (
                "segment_key",
                text(&|user| user.segment.as_ref().map(|s| s.key.to_string())),
            ),
        ];
        columns.extend(self.money());
        let mut names: Vec<String> = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        for k in 0..REASONS {
            let reason = |user: &TopUser| user.reasons.get(k).cloned();
            let words = |user: &TopUser| {
                reason(user).map(|r| format!("{} ({:+.2})", r.description, r.contribution))
            };
            columns.extend([
                ("", text(&words)),
                ("_theme", text(&|user| Some(reason(user)?.theme.to_owned()))),
                ("_feature", text(&|user| Some(reason(user)?.feature))),
                ("_value", number(&|user| reason(user)?.value)),
                (
                    "_contribution",
                    number(&|user| Some(reason(user)?.contribution)),
                ),
            ]);
            let added = columns[names.len()..].iter();
            names.extend(added.map(|(end, _)| format!("reason_{}{end}", k + 1)));
        }
        let values = columns.into_iter().map(|(_, values)| values);
        List::new(names.into_iter().zip(values).collect())
    }
}
