//! Who the users are: their segments, where they stand in their lifecycle, and whether they come back.

pub(crate) mod groups;
pub(crate) mod migration;
pub(crate) mod periods;
pub(crate) mod retention;
pub(crate) mod segments;
pub(crate) mod stages;

use std::collections::BTreeMap;

use migration::migration;
use retention::retention;
use segments::segment_cards;
use stages::{sizes, sizes_of_dates, tally, transitions};

use super::data::context::TrainContext;
use super::data::dataset::Dataset;
use super::data::snapshots::Schedule;
use crate::card::{Retention, SegmentCard, SegmentMigration, StageSizes, Transitions};
use crate::history::HistoryError;
use crate::lifecycle::Stage;
use crate::model::{Preprocessing, Segments};

/// Who the users are.
#[derive(Clone, Debug)]
pub(crate) struct Population {
    pub(crate) segments: Vec<SegmentCard>,
    pub(crate) migration: Option<SegmentMigration>,
    pub(crate) stages: BTreeMap<String, u64>,
    pub(crate) stage_sizes: Vec<StageSizes>,
    pub(crate) transitions: Option<Transitions>,
    pub(crate) retention: Retention,
}

/// The users of the labelled rows of a schedule, `newest` those of its latest date, and of the whole log at the end of
/// what was observed and at the as-of day. `earlier` are the segments of the bundle before, see [`migration`].
pub(crate) fn describe(
    ctx: &TrainContext<'_>,
    schedule: &Schedule,
    (data, newest): (&Dataset, &Dataset),
    preprocessing: &Preprocessing,
    (segments, earlier): (&Segments, Option<&Result<Segments, Vec<String>>>),
) -> Result<Population, HistoryError> {
    let date = schedule.regular[schedule.regular.len() - 1];
    let end = ctx.observed.until;
    let before = end.plus(-i32::from(schedule.horizon_days));
    let standings = tally(ctx, before, end, &schedule.regular)?;
    let at_end = sizes(end, &standings.moves);
    let mut stages = if ctx.as_of == end {
        at_end.users.clone()
    } else {
        sizes(ctx.as_of, &tally(ctx, ctx.as_of, ctx.as_of, &[])?.moves).users
    };
    stages.retain(|name, _| Stage::ALL.iter().any(|stage| stage.name() == name));
    let mut stage_sizes = sizes_of_dates(ctx, data, &schedule.regular, &standings.left_out);
    stage_sizes.push(at_end);
    let long_enough = before > ctx.observed.first;
    Ok(Population {
        segments: segment_cards(ctx, preprocessing, segments, newest),
        migration: migration(ctx, preprocessing, segments, earlier, (newest, date)),
        stages,
        stage_sizes,
        transitions: long_enough.then(|| transitions(before, end, &standings.moves)),
        retention: retention(ctx.histories, &ctx.labeller, ctx.observed.first, end)?,
    })
}
