//! Which stage, tier and segment users are in at a date.

use super::periods::Grouping;
use crate::history::{Day, HistoryView};
use crate::lifecycle::{NEW, state_outside, states};
use crate::model::{Bundle, ModelError, Prediction, Predictor, Subject};
use crate::train::data::context::TrainContext;

/// Stages, tiers and segments by a bundle, of users as they were known before a date.
#[derive(Clone)]
pub(crate) struct UserGroups<'a> {
    ctx: &'a TrainContext<'a>,
    bundle: &'a Bundle,
    predictor: Predictor<'a>,
}

impl<'a> UserGroups<'a> {
    /// The groups of a bundle.
    pub(crate) fn new(ctx: &'a TrainContext<'a>, bundle: &'a Bundle) -> Self {
        Self {
            ctx,
            bundle,
            predictor: bundle.predictor(ctx.histories.kinds()),
        }
    }

    /// What users are grouped by. Those without a tier or a segment, because they have no score, come last, without a name.
    pub(crate) fn groupings(&self) -> Vec<Grouping> {
        let spec = self.bundle.spec();
        let unnamed = || std::iter::once(String::new());
        let segments = spec.segments.items.iter().map(|item| item.name.clone());
        let tiers = spec.value.iter().flat_map(|value| &value.tiers);
        vec![
            Grouping {
                by: "stage",
                names: states().map(str::to_owned).collect(),
            },
            Grouping {
                by: "tier",
                names: tiers
                    .map(|tier| tier.name.clone())
                    .chain(unnamed())
                    .collect(),
            },
            Grouping {
                by: "segment",
                names: segments.chain(unnamed()).collect(),
            },
        ]
    }

    /// The group of a user in each of [`Self::groupings`], from what was before `date`.
    ///
    /// # Errors
    /// Those of a prediction.
    pub(crate) fn of(
        &mut self,
        history: HistoryView<'_>,
        date: Day,
    ) -> Result<Vec<usize>, ModelError> {
        let state = |name: &str| {
            states()
                .position(|state| state == name)
                .unwrap_or_else(|| unreachable!("every state is in the list of states"))
        };
        let spec = self.bundle.spec();
        let no_tier = spec.value.as_ref().map_or(0, |value| value.tiers.len());
        let no_segment = spec.segments.items.len();
        if let Err(reason) = self.ctx.labeller.eligible(history, date) {
            return Ok(vec![state(state_outside(reason)), no_tier, no_segment]);
        }
        let prediction = self.predictor.predict(Subject::History(history), date, 0)?;
        let Prediction::Scored(score) = prediction else {
            return Ok(vec![state(NEW), no_tier, no_segment]);
        };
        let tier = score.value.as_ref().and_then(|value| value.tier);
        let segment = score.segment.map(|segment| segment.id);
        Ok(vec![
            state(score.stage.name()),
            tier.unwrap_or(no_tier),
            segment.unwrap_or(no_segment),
        ])
    }
}
