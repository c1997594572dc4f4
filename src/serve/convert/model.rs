//! From a model to the messages that tell of it.

use super::score::number;
use crate::features::FeatureSchema;
use crate::lifecycle::Thresholds;
use crate::model::{Bands, Bundle, BundleSpec, Segment};
use crate::serve::engine::users::KnownUsers;
use crate::serve::registry::served::Served;
use crate::serve::registry::{Comparison, Entry, Label, Shelf, State};
use crate::serve::wire;

/// A model in one of its views.
pub(crate) fn model(served: &Served, view: wire::ModelView) -> wire::Model {
    let mut model = basic(served);
    match view {
        wire::ModelView::Basic => {}
        wire::ModelView::Unspecified | wire::ModelView::Full => complete(&mut model, served),
    }
    model
}

/// Where a model stands; `None` for one that is not on the shelf.
pub(crate) fn status(shelf: &Shelf, name: &str) -> Option<wire::ModelStatus> {
    let Entry {
        state,
        reason,
        model,
    } = shelf.entries().get(name)?;
    let version = model
        .as_ref()
        .map(|model| model.served.bundle().version().to_owned())
        .unwrap_or_default();
    let mut status = wire::ModelStatus {
        name: name.to_owned(),
        reason: reason.clone(),
        version,
        ..Default::default()
    };
    status.set_state((*state).into());
    status.labels = shelf
        .labels()
        .of(name)
        .map(|label| wire::ModelLabel::from(label).into())
        .collect();
    Some(status)
}

impl From<State> for wire::ModelState {
    fn from(state: State) -> Self {
        match state {
            State::Loading => Self::Loading,
            State::Active => Self::Active,
            State::Unloading => Self::Unloading,
            State::Failed => Self::Failed,
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

impl From<Comparison> for wire::ShadowReport {
    fn from(comparison: Comparison) -> Self {
        let mean_difference = comparison.mean();
        let Comparison {
            name,
            compared,
            risk_band_mismatches,
            stage_mismatches,
            unscored,
            skipped,
            sum: _,
            largest,
        } = comparison;
        Self {
            name,
            compared,
            risk_band_mismatches,
            stage_mismatches,
            unscored,
            skipped,
            mean_difference,
            max_difference: largest,
        }
    }
}

fn basic(served: &Served) -> wire::Model {
    let spec = served.bundle().spec();
    let BundleSpec {
        schema,
        feature_hash,
        timezone,
        active_within_days,
        lead_days,
        churn_event,
        ..
    } = spec;
    let FeatureSchema {
        activity,
        other_kinds,
        horizon_days,
        amounts: _,
    } = schema;
    wire::Model {
        version: served.bundle().version().to_owned(),
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
    }
}

fn complete(model: &mut wire::Model, served: &Served) {
    let features = served.bundle().catalogue().features().iter().enumerate();
    let feature = |(position, feature): (usize, &crate::features::Feature)| wire::Feature {
        name: feature.name.clone(),
        unit: feature.unit.to_owned(),
        description: feature.description.clone(),
        group: wire::FeatureGroup::from(feature.group).into(),
        required: served.requires(position),
    };
    model.features = features.map(feature).collect();
    let segments = served.bundle().spec().segments.items.iter().enumerate();
    model.segments = segments.map(wire::Segment::from).collect();
    served.card().clone_into(&mut model.card_json);
}

impl From<(usize, &Segment)> for wire::Segment {
    fn from((id, segment): (usize, &Segment)) -> Self {
        let Segment {
            name,
            centroid: _,
            users,
            churn_rate,
        } = segment;
        Self {
            id: number(id),
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
            overdue_factor,
            overdue_active_days,
            overdue_min_days,
            drop_share,
            drop_probability,
        }
    }
}

/// The users known by id, as a model is asked about them.
pub(crate) fn known_users(known: &KnownUsers, bundle: &Bundle) -> wire::KnownUsers {
    let as_of = known
        .as_of(bundle.version(), bundle.spec())
        .map(|day| day.to_string())
        .unwrap_or_default();
    wire::KnownUsers {
        users: known.histories().len() as u64,
        as_of,
    }
}
