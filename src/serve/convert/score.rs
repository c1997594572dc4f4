use super::request::RequestContext;
use super::value;
use crate::features::FeatureGroup;
use crate::lifecycle::{Rule, Stage};
use crate::model::{HorizonScore, Prediction, Reason, RiskBand, Score, SegmentMatch};
use crate::serve::errors::CallError;
use crate::serve::registry::vocabulary::{UnknownKind, UnknownKinds};
use crate::serve::wire;
use crate::serve::wire::score_result::Result as Outcome;

/// What is reported of a subject beside its prediction.
#[derive(Debug, Default)]
pub(crate) struct InputReport {
    /// How many events were not used because they lie on the as-of day or later.
    pub(crate) events_after_as_of: u64,
    /// The events of kinds that the model's log did not have.
    pub(crate) unknown: UnknownKinds,
    /// The attributes that the model weighs and the subject does not give.
    pub(crate) missing_attributes: Vec<String>,
}

/// What a model says of a subject.
#[derive(Debug)]
pub(crate) struct Answer<'m> {
    /// Whether it leaves.
    pub(crate) prediction: Prediction<'m>,
    /// Whether it converts, by horizons; `None` for who is no potential user.
    pub(crate) conversion: Option<Vec<HorizonScore<'m>>>,
}

/// The message for the answer on a subject.
pub(crate) fn score(
    context: &RequestContext,
    answer: Answer<'_>,
    input: InputReport,
) -> wire::Score {
    let Answer {
        prediction,
        conversion,
    } = answer;
    let unknown = input.unknown.reported(context.model.vocabulary());
    let mut message = wire::Score {
        events_after_as_of: input.events_after_as_of,
        unknown_kinds: unknown.into_iter().map(wire::UnknownKind::from).collect(),
        missing_attributes: input.missing_attributes,
        as_of: context.as_of_text(),
        model_version: context.model.version().to_owned(),
        conversion: conversion
            .into_iter()
            .flatten()
            .map(wire::ConversionScore::from)
            .collect(),
        ..wire::Score::default()
    };
    match prediction {
        Prediction::TooNew => message.set_status(wire::ScoreStatus::TooNew),
        Prediction::AlreadyChurned => message.set_status(wire::ScoreStatus::AlreadyChurned),
        Prediction::Inactive { recency_days } => {
            message.set_status(wire::ScoreStatus::Inactive);
            message.recency_days = Some(recency_days);
            set_stage(&mut message, Stage::Churning, Rule::Inactive);
        }
        Prediction::Scored(score) => {
            let Score {
                horizons,
                stage,
                rule,
                segment,
                value: estimate,
            } = score;
            message.set_status(wire::ScoreStatus::Scored);
            // All horizons are computed in any case: a longer one may not fall below a shorter one.
            let wanted = horizons
                .into_iter()
                .filter(|h| context.wants(h.horizon_days));
            message.horizons = wanted.map(horizon).collect();
            message.segment = segment.map(wire::SegmentMatch::from);
            message.value =
                estimate.map(|estimate| value::estimate(context.model.spec(), estimate));
            set_stage(&mut message, stage, rule);
        }
    }
    message
}

/// The message for the results of a batch, in order.
pub(crate) fn batch(
    context: &RequestContext,
    results: Vec<Result<wire::Score, CallError>>,
) -> wire::BatchScoreUsersResponse {
    let results = results.into_iter().map(|result| wire::ScoreResult {
        result: Some(match result {
            Ok(score) => Outcome::Score(score),
            Err(error) => Outcome::Error(error.into()),
        }),
    });
    wire::BatchScoreUsersResponse {
        results: results.collect(),
        model_version: context.model.version().to_owned(),
        as_of: context.as_of_text(),
    }
}

fn set_stage(message: &mut wire::Score, stage: Stage, rule: Rule) {
    message.set_stage(stage.into());
    message.set_stage_rule(rule.into());
    explanation(rule).clone_into(&mut message.stage_explanation);
}

fn horizon(score: HorizonScore<'_>) -> wire::HorizonScore {
    let HorizonScore {
        horizon_days,
        probability,
        band,
        log_odds,
        base_log_odds,
        reasons,
        other_contribution,
    } = score;
    wire::HorizonScore {
        horizon_days: u32::from(horizon_days),
        churn_probability: probability,
        risk_band: wire::RiskBand::from(band).into(),
        log_odds,
        base_log_odds,
        reasons: reasons.into_iter().map(wire::Reason::from).collect(),
        other_contribution,
    }
}

impl From<Reason<'_>> for wire::Reason {
    fn from(reason: Reason<'_>) -> Self {
        let Reason {
            group,
            contribution,
            feature,
            value,
            unit,
            description,
        } = reason;
        let group = wire::FeatureGroup::from(group).into();
        Self {
            group,
            contribution,
            feature: feature.to_owned(),
            value,
            unit: unit.to_owned(),
            explanation: description,
        }
    }
}

impl From<UnknownKind> for wire::UnknownKind {
    fn from(unknown: UnknownKind) -> Self {
        let UnknownKind {
            kind,
            events,
            nearest,
        } = unknown;
        Self {
            kind,
            events,
            nearest,
        }
    }
}

impl From<SegmentMatch<'_>> for wire::SegmentMatch {
    fn from(segment: SegmentMatch<'_>) -> Self {
        let SegmentMatch {
            id,
            key,
            name,
            distance,
        } = segment;
        Self {
            id: number(id),
            key: key.to_string(),
            name: name.to_owned(),
            distance,
        }
    }
}

impl From<RiskBand> for wire::RiskBand {
    fn from(band: RiskBand) -> Self {
        match band {
            RiskBand::Low => Self::Low,
            RiskBand::Medium => Self::Medium,
            RiskBand::High => Self::High,
        }
    }
}

impl From<FeatureGroup> for wire::FeatureGroup {
    fn from(group: FeatureGroup) -> Self {
        match group {
            FeatureGroup::Recency => Self::Recency,
            FeatureGroup::Frequency => Self::Frequency,
            FeatureGroup::Tenure => Self::Tenure,
            FeatureGroup::Rhythm => Self::Rhythm,
            FeatureGroup::Amount => Self::Amount,
            FeatureGroup::OtherEvents => Self::OtherEvents,
            FeatureGroup::Season => Self::Season,
            FeatureGroup::Attribute => Self::Attribute,
        }
    }
}

impl From<Stage> for wire::Stage {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Acquisition => Self::Acquisition,
            Stage::Exploration => Self::Exploration,
            Stage::Growth => Self::Growth,
            Stage::Mature => Self::Mature,
            Stage::Churning => Self::Churning,
        }
    }
}

impl From<Rule> for wire::StageRule {
    fn from(rule: Rule) -> Self {
        match rule {
            Rule::Inactive => Self::Inactive,
            Rule::Overdue => Self::Overdue,
            Rule::ActivityDrop => Self::ActivityDrop,
            Rule::NewUser => Self::NewUser,
            Rule::NotYetReturned => Self::NotYetReturned,
            Rule::Exploring => Self::Exploring,
            Rule::Growing => Self::Growing,
            Rule::Established => Self::Established,
        }
    }
}

/// A rule in plain words.
fn explanation(rule: Rule) -> &'static str {
    match rule {
        Rule::Inactive => "no activity for longer than users count as active",
        Rule::Overdue => "silent for several times the usual gap",
        Rule::ActivityDrop => {
            "activity fell well below the user's own earlier rate, and not by chance"
        }
        Rule::NewUser => "known for a short time only",
        Rule::NotYetReturned => "known for a few weeks and seen on one day only",
        Rule::Exploring => "known for some weeks",
        Rule::Growing => "known for some months",
        Rule::Established => "known for long",
    }
}

/// A position or length as the wire's number; bundles are far too small for it to be cut.
pub(crate) fn number(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}
