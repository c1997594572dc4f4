use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::answer::number;
use super::errors::CallError;
use super::state::{KnownUsers, ModelSlot, Served};
use super::wire;
use super::wire::model_service_server::ModelService;
use crate::features::FeatureSchema;
use crate::lifecycle::Thresholds;
use crate::model::{Bands, BundleSpec, Segment};

/// The model service.
#[derive(Debug)]
pub(super) struct Models {
    slot: Arc<ModelSlot>,
}

impl Models {
    /// Tells about whatever model is in the slot.
    pub(super) fn new(slot: Arc<ModelSlot>) -> Self {
        Self { slot }
    }
}

#[tonic::async_trait]
impl ModelService for Models {
    async fn get_model(
        &self,
        request: Request<wire::GetModelRequest>,
    ) -> Result<Response<wire::GetModelResponse>, Status> {
        let wire::GetModelRequest { view } = request.into_inner();
        let view = wire::ModelView::try_from(view)
            .map_err(|_| CallError::field("view", format!("{view} is not a ModelView of this version")))?;
        let served = self.slot.current()?;
        let known_users = served.users().map(wire::KnownUsers::from);
        let mut model = basic(&served);
        match view {
            wire::ModelView::Basic => {}
            wire::ModelView::Unspecified | wire::ModelView::Full => complete(&mut model, &served),
        }
        Ok(Response::new(wire::GetModelResponse { model: Some(model), known_users }))
    }
}

fn basic(served: &Served) -> wire::Model {
    let spec = served.bundle().spec();
    let BundleSpec { schema, feature_hash, timezone, active_within_days, lead_days, churn_event, .. } = spec;
    let FeatureSchema { activity, other_kinds, horizon_days, amounts: _ } = schema;
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
        sentence: feature.sentence.clone(),
        theme: wire::Theme::from(feature.theme).into(),
        required: served.requires(position),
    };
    model.features = features.map(feature).collect();
    let segments = served.bundle().spec().segments.items.iter().enumerate();
    model.segments = segments.map(wire::Segment::from).collect();
    served.card().clone_into(&mut model.card_json);
}

impl From<(usize, &Segment)> for wire::Segment {
    fn from((id, segment): (usize, &Segment)) -> Self {
        let Segment { name, centroid: _, users, churn_rate } = segment;
        Self { id: number(id), name: name.clone(), users: *users, churn_rate: *churn_rate }
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

impl From<&KnownUsers> for wire::KnownUsers {
    fn from(known: &KnownUsers) -> Self {
        let as_of = known.as_of().map(|day| day.to_string()).unwrap_or_default();
        Self { users: known.histories().len() as u64, as_of }
    }
}
