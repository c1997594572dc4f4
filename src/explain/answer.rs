//! The answer for a history as of one day.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Question;
use super::conversion::ConversionAnswer;
use super::sentences::{stage_reason, why_not_scored};
use super::value::ValueAnswer;
use crate::features::Extractor;
use crate::history::{Day, HistoryView};
use crate::lifecycle::{Behaviour, Eligibility, NotEligible, Rule, Stage};
use crate::model::{
    Bundle, FeatureContribution, HorizonContributions, HorizonScore, ModelError, Prediction,
    Predictor, Reason, Score, SegmentKey, Subject,
};

/// Whether a user has a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// There is a score.
    Scored,
    /// Nothing happened before the as-of day.
    NotYetSeen,
    /// Something happened before the as-of day, but never an activity.
    NoActivity,
    /// The last activity is longer ago than users count as active.
    Inactive,
    /// The churn event happened and no activity since.
    AlreadyChurned,
    /// The user converted, and is no potential user any more.
    AlreadyConverted,
}

impl From<NotEligible> for Status {
    fn from(reason: NotEligible) -> Self {
        match reason {
            NotEligible::NotYetSeen => Self::NotYetSeen,
            NotEligible::NoActivity => Self::NoActivity,
            NotEligible::Inactive => Self::Inactive,
            NotEligible::AlreadyChurned => Self::AlreadyChurned,
            NotEligible::AlreadyConverted => Self::AlreadyConverted,
        }
    }
}

/// The answer as of one day.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// No event at or after this day was seen.
    pub as_of: Day,
    /// Whether there is a score.
    pub status: Status,
    /// The reason why there is none, with the dates, in a sentence.
    pub why_not_scored: Option<String>,
    /// The lifecycle stage; `None` without activity.
    pub stage: Option<StageAnswer>,
    /// The nearest segment; `None` without a score, and where the model has no segments.
    pub segment: Option<SegmentAnswer>,
    /// One for each horizon, shortest first; none without a score.
    pub horizons: Vec<HorizonAnswer>,
    /// What the user is worth; `None` without a score, and where the model has no value part.
    pub value: Option<ValueAnswer>,
    /// Whether the user converts, with a score of churn or without; `None` where the model has no part for potential users.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversion: Option<ConversionAnswer>,
}

/// The lifecycle stage with its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StageAnswer {
    /// The stage.
    pub name: Stage,
    /// The rule that decided it.
    pub rule: Rule,
    /// The figures that the rule looks at, in words.
    pub reason: String,
}

/// The nearest segment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SegmentAnswer {
    /// Its number, from the lowest churn rate on.
    pub id: usize,
    /// Its lasting name.
    pub key: SegmentKey,
    /// Its name.
    pub name: String,
    /// The churn rate of its users over the model's first horizon, on the latest labelled date of the fit.
    pub churn_rate: f64,
}

/// The answer for one horizon.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HorizonAnswer {
    /// The horizon in days.
    pub horizon_days: u16,
    /// The first day that counts: the as-of day plus the lead.
    pub from: Day,
    /// The last day that counts.
    pub last: Day,
    /// Probability of churn.
    pub churn_probability: f64,
    /// `low`, `medium` or `high`.
    pub risk_band: &'static str,
    /// The churn rate of the rows that the model was fitted on; `None` where the card does not have it.
    pub base_rate: Option<f64>,
    /// Log-odds of the probability: `base_log_odds` plus all contributions.
    pub log_odds: f64,
    /// Log-odds of the average user.
    pub base_log_odds: f64,
    /// The horizon whose model answers: a shorter one where this horizon's own model contradicts that.
    pub answered_by_horizon_days: u16,
    /// What each feature group adds, by decreasing size; each is explained by its most influential feature.
    pub reasons: Vec<Contribution>,
    /// What each feature adds, by decreasing size; those of a group add up to that of the group.
    pub contributions: Vec<Contribution>,
}

/// What a feature, or a feature group, adds to the log-odds, or to the logarithm of a spend.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contribution {
    /// The feature group.
    pub group: &'static str,
    /// The feature; that which explains the group best, where the group's contribution is meant.
    pub feature: String,
    /// The feature's raw value; `None` when it is unknown.
    pub value: Option<f64>,
    /// The unit of the value.
    pub unit: &'static str,
    /// What is added; positive raises churn, or the spend.
    pub contribution: f64,
    /// The value in plain words.
    pub description: String,
}

/// Judges histories of one user as of any day.
pub(crate) struct Assessor<'a> {
    bundle: &'a Bundle,
    base_rates: &'a BTreeMap<u16, f64>,
    horizon_days: Option<u16>,
    kinds: &'a [String],
    eligibility: Eligibility,
    extractor: Extractor<'a>,
    predictor: Predictor<'a>,
}

impl<'a> Assessor<'a> {
    /// For histories whose records refer to `kinds`.
    pub(crate) fn new(question: &Question<'a>, kinds: &'a [String]) -> Self {
        let bundle = question.bundle;
        Self {
            bundle,
            base_rates: question.base_rates,
            horizon_days: question.horizon_days,
            kinds,
            eligibility: bundle.eligibility(kinds),
            extractor: bundle.extractor(kinds),
            predictor: bundle.predictor(kinds),
        }
    }

    /// The names of the kinds that records refer to.
    pub(crate) fn kinds(&self) -> &'a [String] {
        self.kinds
    }

    pub(crate) fn bundle(&self) -> &'a Bundle {
        self.bundle
    }

    /// Whether events of the kind with this number count as staying.
    pub(crate) fn is_activity(&self, kind: u16) -> bool {
        self.eligibility.is_activity(kind)
    }

    /// Whether the horizon is asked for.
    pub(crate) fn wants(&self, horizon_days: u16) -> bool {
        self.horizon_days.is_none_or(|asked| asked == horizon_days)
    }

    /// The score as of a day without its reasons, or why there is none.
    pub(crate) fn score(
        &mut self,
        history: HistoryView<'_>,
        as_of: Day,
    ) -> Result<Result<Score<'a>, NotEligible>, ModelError> {
        if let Err(reason) = self.eligibility.at(history, as_of) {
            return Ok(Err(reason));
        }
        match self
            .predictor
            .predict(Subject::History(history), as_of, 0)?
        {
            Prediction::Scored(score) => Ok(Ok(score)),
            unscored => never(&unscored),
        }
    }

    /// The answer as of a day.
    pub(crate) fn answer(
        &mut self,
        history: HistoryView<'_>,
        as_of: Day,
    ) -> Result<Answer, ModelError> {
        let subject = (history, as_of);
        let conversion =
            ConversionAnswer::new(self.bundle, &mut self.predictor, self.kinds, subject)?;
        let answer = match self.eligibility.at(history, as_of) {
            Ok(()) => self.scored(history, as_of)?,
            Err(reason) => self.unscored(history, as_of, reason),
        };
        Ok(Answer {
            conversion,
            ..answer
        })
    }

    fn scored(&mut self, history: HistoryView<'_>, as_of: Day) -> Result<Answer, ModelError> {
        let (prediction, contributions) = self.predictor.explain(history, as_of)?;
        let Prediction::Scored(score) = prediction else {
            return never(&prediction);
        };
        let horizons = score.horizons.into_iter().zip(contributions);
        let horizons = horizons
            .filter(|(h, _)| self.wants(h.horizon_days))
            .map(|(score, parts)| self.horizon(as_of, score, parts))
            .collect();
        let segments = &self.bundle.spec().segments.items;
        Ok(Answer {
            as_of,
            status: Status::Scored,
            why_not_scored: None,
            stage: self.stage(history, as_of, score.stage, score.rule),
            segment: score.segment.map(|segment| SegmentAnswer {
                id: segment.id,
                key: segment.key,
                name: segment.name.to_owned(),
                churn_rate: segments[segment.id].churn_rate,
            }),
            horizons,
            value: score
                .value
                .and_then(|estimate| ValueAnswer::new(self.bundle, as_of, estimate)),
            conversion: None,
        })
    }

    fn unscored(&mut self, history: HistoryView<'_>, as_of: Day, reason: NotEligible) -> Answer {
        let stage = match reason {
            NotEligible::Inactive => self.stage(history, as_of, Stage::Churning, Rule::Inactive),
            _ => None,
        };
        Answer {
            as_of,
            status: reason.into(),
            why_not_scored: Some(why_not_scored(
                self.bundle,
                &self.eligibility,
                history,
                as_of,
                reason,
            )),
            stage,
            segment: None,
            horizons: Vec::new(),
            value: None,
            conversion: None,
        }
    }

    fn stage(
        &mut self,
        history: HistoryView<'_>,
        as_of: Day,
        stage: Stage,
        rule: Rule,
    ) -> Option<StageAnswer> {
        let mut vector = vec![f64::NAN; self.extractor.width()];
        self.extractor.extract(history, as_of, &mut vector);
        let behaviour = Behaviour::of(self.bundle.catalogue(), &vector).ok()?;
        Some(StageAnswer {
            name: stage,
            rule,
            reason: stage_reason(self.bundle, rule, &behaviour),
        })
    }

    fn horizon(
        &self,
        as_of: Day,
        score: HorizonScore<'_>,
        parts: HorizonContributions<'_>,
    ) -> HorizonAnswer {
        let HorizonScore {
            horizon_days,
            probability,
            band,
            log_odds,
            base_log_odds,
            reasons,
            other_contribution: _,
        } = score;
        let from = as_of.plus(self.bundle.spec().lead_days as i32);
        let mut contributions: Vec<Contribution> =
            parts.features.into_iter().map(Contribution::from).collect();
        contributions.sort_by(|a, b| b.contribution.abs().total_cmp(&a.contribution.abs()));
        HorizonAnswer {
            horizon_days,
            from,
            last: from.plus(i32::from(horizon_days) - 1),
            churn_probability: probability,
            risk_band: band.name(),
            base_rate: self.base_rates.get(&horizon_days).copied(),
            log_odds,
            base_log_odds,
            answered_by_horizon_days: parts.answered_by_horizon_days,
            reasons: reasons.into_iter().map(Contribution::from).collect(),
            contributions,
        }
    }
}

/// Scoring and eligibility are one rule: a history that is eligible has a score.
fn never<T>(prediction: &Prediction<'_>) -> T {
    unreachable!("an eligible user has no score: {prediction:?}")
}

impl From<Reason<'_>> for Contribution {
    fn from(reason: Reason<'_>) -> Self {
        let Reason {
            group,
            contribution,
            feature,
            value,
            unit,
            description,
        } = reason;
        Self {
            group: group.name(),
            feature: feature.to_owned(),
            value,
            unit,
            contribution,
            description,
        }
    }
}

impl From<FeatureContribution<'_>> for Contribution {
    fn from(feature: FeatureContribution<'_>) -> Self {
        let FeatureContribution {
            group,
            feature,
            value,
            unit,
            contribution,
            description,
        } = feature;
        Self {
            group: group.name(),
            feature: feature.to_owned(),
            value,
            unit,
            contribution,
            description,
        }
    }
}
