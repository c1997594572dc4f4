//! Which stage, tier and segment users are in at a date.

use super::periods::Grouping;
use super::segments::positions;
use super::stages::{NEW, outside, stage_of, states};
use crate::features::Extractor;
use crate::history::{Day, HistoryView};
use crate::lifecycle::Stage;
use crate::model::{Preprocessing, Segments};
use crate::train::data::context::TrainContext;

/// The tier of a raw feature vector by its position; `None` where its value is unknown.
pub(crate) type TierOf<'a> = &'a (dyn Fn(&[f64]) -> Option<usize> + Sync);

/// Stages, tiers and segments, of users as they were known before a date.
#[derive(Clone)]
pub(crate) struct UserGroups<'a> {
    ctx: &'a TrainContext<'a>,
    preprocessing: &'a Preprocessing,
    segments: &'a Segments,
    segment_positions: Vec<usize>,
    tiers: &'a [String],
    tier_of: TierOf<'a>,
    extractor: Extractor<'a>,
    vector: Vec<f64>,
}

impl<'a> UserGroups<'a> {
    /// The groups of a model's segments and of `tiers`, highest first.
    pub(crate) fn new(
        ctx: &'a TrainContext<'a>,
        (preprocessing, segments): (&'a Preprocessing, &'a Segments),
        (tiers, tier_of): (&'a [String], TierOf<'a>),
    ) -> Self {
        Self {
            ctx,
            preprocessing,
            segments,
            segment_positions: positions(ctx, segments),
            tiers,
            tier_of,
            extractor: Extractor::new(&ctx.catalogue, ctx.histories.kinds()),
            vector: vec![f64::NAN; ctx.catalogue.len()],
        }
    }

    /// What users are grouped by. Those without a tier or a segment, because they were not eligible, come last, without a name.
    pub(crate) fn groupings(&self) -> Vec<Grouping> {
        let unnamed = || std::iter::once(String::new());
        let segments = self.segments.items.iter().map(|item| item.name.clone());
        let tiers = self.tiers.iter().cloned();
        vec![
            Grouping {
                by: "stage",
                names: states().map(str::to_owned).collect(),
            },
            Grouping {
                by: "tier",
                names: tiers.chain(unnamed()).collect(),
            },
            Grouping {
                by: "segment",
                names: segments.chain(unnamed()).collect(),
            },
        ]
    }

    /// The group of a user in each of [`Self::groupings`], from what was before `date`.
    pub(crate) fn of(&mut self, history: HistoryView<'_>, date: Day) -> Vec<usize> {
        let state = |name: &str| {
            states()
                .position(|state| state == name)
                .unwrap_or_else(|| unreachable!("every state is in the list of states"))
        };
        let (no_tier, no_segment) = (self.tiers.len(), self.segments.items.len());
        if let Err(reason) = self.ctx.labeller.eligible(history, date) {
            return vec![state(outside(reason)), no_tier, no_segment];
        }
        self.extractor.extract(history, date, &mut self.vector);
        let stage = stage_of(self.ctx, &self.vector).map_or(NEW, Stage::name);
        let columns = &self.preprocessing.columns;
        let standardised = self
            .segment_positions
            .iter()
            .map(|at| columns[*at].standardise(self.vector[*at]));
        let segment = self.segments.nearest(standardised).map(|(id, _)| id);
        vec![
            state(stage),
            (self.tier_of)(&self.vector).unwrap_or(no_tier),
            segment.unwrap_or(no_segment),
        ]
    }
}
