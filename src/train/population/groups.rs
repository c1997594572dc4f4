//! Money per user and period by stage, tier and segment: the groups that a bundle's own predictions give.

use super::periods::{Grouping, Money, periods};
use super::stages::{CHURNED, INACTIVE, NEW, states};
use crate::card::PeriodCard;
use crate::history::{Day, HistoryView};
use crate::lifecycle::Stage;
use crate::model::{Bundle, ModelError, Prediction, Predictor, Subject};
use crate::train::TrainError;
use crate::train::data::context::TrainContext;

/// The periods of a log for everybody, and by the groups of a bundle with a value model.
///
/// # Errors
/// [`TrainError`] where histories on disk cannot be read.
pub(crate) fn period_cards(
    ctx: &TrainContext<'_>,
    bundle: &Bundle,
) -> Result<Vec<PeriodCard>, TrainError> {
    let kinds = ctx.histories.kinds();
    let money = Money::new(kinds, &bundle.spec().schema.value_kinds, &ctx.labeller);
    let groups = || {
        let mut groups = UserGroups::new(bundle, kinds);
        move |history: HistoryView<'_>, date: Day| groups.of(history, date)
    };
    periods(
        ctx.histories,
        &money,
        (&ctx.observed, ctx.as_of),
        &groupings(bundle),
        groups,
    )
}

/// What users are grouped by. Those without a tier or a segment, because they were not eligible, come last, without a name.
fn groupings(bundle: &Bundle) -> Vec<Grouping> {
    let spec = bundle.spec();
    let tiers = spec.value.iter().flat_map(|value| &value.tiers);
    let named = |names: Vec<String>| names.into_iter().chain([String::new()]).collect();
    vec![
        Grouping {
            by: "stage",
            names: states().map(str::to_owned).collect(),
        },
        Grouping {
            by: "tier",
            names: named(tiers.map(|tier| tier.name.clone()).collect()),
        },
        Grouping {
            by: "segment",
            names: named(spec.segments.items.iter().map(|s| s.name.clone()).collect()),
        },
    ]
}

/// The groups of users, from what was known of them before a date.
#[derive(Clone)]
struct UserGroups<'m> {
    predictor: Predictor<'m>,
    tiers: usize,
    segments: usize,
}

impl<'m> UserGroups<'m> {
    fn new(bundle: &'m Bundle, kinds: &'m [String]) -> Self {
        let spec = bundle.spec();
        Self {
            predictor: bundle.predictor(kinds),
            tiers: spec.value.as_ref().map_or(0, |value| value.tiers.len()),
            segments: spec.segments.items.len(),
        }
    }

    /// The group of a user in each of [`groupings`].
    fn of(&mut self, history: HistoryView<'_>, date: Day) -> Result<Vec<usize>, ModelError> {
        let prediction = self.predictor.predict(Subject::History(history), date, 0)?;
        Ok(match prediction {
            Prediction::Scored(score) => {
                let tier = score.value.and_then(|value| value.tier);
                let segment = score.segment.map(|segment| segment.id);
                vec![
                    position(Stage::name(score.stage)),
                    tier.unwrap_or(self.tiers),
                    segment.unwrap_or(self.segments),
                ]
            }
            Prediction::TooNew => self.outside(NEW),
            Prediction::Inactive { .. } => self.outside(INACTIVE),
            Prediction::AlreadyChurned => self.outside(CHURNED),
        })
    }

    fn outside(&self, state: &str) -> Vec<usize> {
        vec![position(state), self.tiers, self.segments]
    }
}

/// The position of a state among all.
fn position(state: &str) -> usize {
    states()
        .position(|other| other == state)
        .unwrap_or_else(|| unreachable!("every state is in the list of states"))
}
