//! Answers on potential users as messages.

use crate::model::{ConversionModel, HorizonScore};
use crate::serve::wire;

impl From<&ConversionModel> for wire::ConversionModel {
    fn from(conversion: &ConversionModel) -> Self {
        let ConversionModel {
            event,
            repeat,
            model,
        } = conversion;
        let schema = &model.schema;
        Self {
            event_kinds: event.clone(),
            sign_kinds: schema.activity.clone(),
            horizon_days: schema.horizon_days.iter().map(|h| u32::from(*h)).collect(),
            within_days: model.active_within_days,
            repeat: *repeat,
        }
    }
}

impl From<HorizonScore<'_>> for wire::ConversionScore {
    fn from(score: HorizonScore<'_>) -> Self {
        let HorizonScore {
            horizon_days,
            probability,
            // Bands are those of churn.
            band: _,
            log_odds,
            base_log_odds,
            reasons,
            other_contribution,
        } = score;
        Self {
            horizon_days: u32::from(horizon_days),
            probability,
            reasons: reasons.into_iter().map(wire::Reason::from).collect(),
            log_odds,
            base_log_odds,
            other_contribution,
        }
    }
}
