use super::score::number;
use crate::features::{Feature, FeatureSchema};
use crate::lifecycle::Thresholds;
use crate::model::{Bands, BundleSpec, Segment};
use crate::serve::errors::CallError;
use crate::serve::registry::users::KnownUsers;
use crate::serve::registry::{Label, ModelState, ModelStatus, ServedModel, ShadowStats};
use crate::serve::wire;

/// The view that a request names.
pub(crate) fn view(view: i32) -> Result<wire::ModelView, CallError> {
    wire::ModelView::try_from(view)
        .map_err(|_| CallError::field("view", format!("{view} is not a ModelView of this version")))
}

/// The label that a request names.
pub(crate) fn label(label: i32) -> Result<Label, CallError> {
    match wire::ModelLabel::try_from(label) {
        Ok(wire::ModelLabel::Stable) => Ok(Label::Stable),
        Ok(wire::ModelLabel::Canary) => Ok(Label::Canary),
        Ok(wire::ModelLabel::Shadow) => Ok(Label::Shadow),
        Ok(wire::ModelLabel::Unspecified) => Err(CallError::field("label", "is required")),
        Err(_) => Err(CallError::field(
            "label",
            format!("{label} is not a ModelLabel of this version"),
        )),
    }
}

/// A model in one of its views.
pub(crate) fn model(model: &ServedModel, view: wire::ModelView) -> wire::Model {
    match view {
        wire::ModelView::Basic => basic(model),
        wire::ModelView::Unspecified | wire::ModelView::Full => full(model),
    }
}

impl From<ModelStatus> for wire::ModelStatus {
    fn from(status: ModelStatus) -> Self {
        let ModelStatus {
            name,
            state,
            reason,
            version,
            labels,
        } = status;
        Self {
            name,
            state: wire::ModelState::from(state).into(),
            reason,
            version: version.unwrap_or_default(),
            labels: labels
                .into_iter()
                .map(|label| wire::ModelLabel::from(label).into())
                .collect(),
        }
    }
}

impl From<ModelState> for wire::ModelState {
    fn from(state: ModelState) -> Self {
        match state {
            ModelState::Loading => Self::Loading,
            ModelState::Active => Self::Active,
            ModelState::Unloading => Self::Unloading,
            ModelState::Failed => Self::Failed,
        }
    }
}

impl From<Label> for wire::ModelLabel {
    fn from(label: Label) -> Self {
        match label {
            Label::Stable => Self::Stable,
            Label::Canary => Self::Canary,
            Label::Shadow => Self::Shadow,
        }
    }
}

impl From<ShadowStats> for wire::ShadowReport {
    fn from(stats: ShadowStats) -> Self {
        let mean_difference = stats.mean_difference();
        let ShadowStats {
            name,
            compared,
            risk_band_mismatches,
            stage_mismatches,
            unscored,
            skipped,
            max_difference,
            ..
        } = stats;
        Self {
            name,
            compared,
            risk_band_mismatches,
            stage_mismatches,
            unscored,
            skipped,
            mean_difference,
            max_difference,
        }
    }
}

fn basic(model: &ServedModel) -> wire::Model {
    let spec = model.spec();
    let BundleSpec {
        schema,
        feature_hash,
        timezone,
        active_within_days,
        lead_days,
        churn_event,
        value,
        conversion,
        ..
    } = spec;
    let FeatureSchema {
        activity,
        other_kinds,
        horizon_days,
        amounts: _,
        seasonal_years: _,
        // Where features depend on it, the same as the bundle's own.
        lead_days: _,
        // The features that they make are listed.
        value_kinds: _,
        attributes: _,
    } = schema;
    wire::Model {
        version: model.version().to_owned(),
        feature_hash: feature_hash.clone(),
        as_of: spec.training.as_of.to_string(),
        timezone: timezone.clone(),
        horizon_days: horizon_days.iter().map(|h| u32::from(*h)).collect(),
        lead_days: *lead_days,
        active_within_days: *active_within_days,
        churn_event: churn_event.clone(),
        activity_kinds: activity.clone(),
        other_kinds: other_kinds.clone(),
        features: Vec::new(),
        segments: Vec::new(),
        risk_thresholds: Some(spec.bands.into()),
        stage_thresholds: Some((&spec.lifecycle).into()),
        card_json: String::new(),
        value_model: value.as_ref().map(wire::ValueModel::from),
        conversion: conversion.as_ref().map(wire::ConversionModel::from),
    }
}

fn full(model: &ServedModel) -> wire::Model {
    let features = model.catalogue().features().iter().enumerate();
    let feature = |(position, feature): (usize, &Feature)| wire::Feature {
        name: feature.name.clone(),
        unit: feature.unit.to_owned(),
        description: feature.description.clone(),
        group: wire::FeatureGroup::from(feature.group).into(),
        required: model.requires(position),
    };
    let segments = model.spec().segments.items.iter().enumerate();
    wire::Model {
        features: features.map(feature).collect(),
        segments: segments.map(wire::Segment::from).collect(),
        card_json: model.card().to_owned(),
        ..basic(model)
    }
}

impl From<(usize, &Segment)> for wire::Segment {
    fn from((id, segment): (usize, &Segment)) -> Self {
        let Segment {
            key,
            name,
            centroid: _,
            users,
            churn_rate,
        } = segment;
        Self {
            id: number(id),
            key: key.to_string(),
            name: name.clone(),
            users: *users,
            churn_rate: *churn_rate,
        }
    }
}

impl From<Bands> for wire::RiskThresholds {
    fn from(bands: Bands) -> Self {
        let Bands { medium, high } = bands;
        Self { medium, high }
    }
}

impl From<&Thresholds> for wire::StageThresholds {
    fn from(thresholds: &Thresholds) -> Self {
        let Thresholds {
            exploration_from_days,
            acquisition_days,
            exploration_days,
            growth_days,
            mature_review_days,
            overdue_factor,
            overdue_active_days,
            overdue_min_days,
            drop_share,
            drop_probability,
        } = *thresholds;
        Self {
            exploration_from_days,
            acquisition_days,
            exploration_days,
            growth_days,
            mature_review_days,
            overdue_factor,
            overdue_active_days,
            overdue_min_days,
            drop_share,
            drop_probability,
        }
    }
}

/// The users known by id, with the as-of day of requests to this model that give none.
pub(crate) fn known_users(users: &KnownUsers, model: &ServedModel) -> wire::KnownUsers {
    let as_of = users.as_of(model.version(), model.spec());
    wire::KnownUsers {
        users: users.histories().len() as u64,
        as_of: as_of.map_or_else(String::new, |day| day.to_string()),
    }
}
