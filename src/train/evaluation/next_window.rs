//! What the final model predicts for the window after the as-of day.

use crate::card::NextWindow;
use crate::features::Extractor;
use crate::history::HistoryError;
use crate::math::{mean, sigmoid};
use crate::model::{ChurnModel, Preprocessing};
use crate::phases::Unit;
use crate::train::data::context::TrainContext;

/// Users that are predicted at most: enough for a mean to within a third of a percent.
const MOST_USERS: usize = 20_000;

/// The mean prediction of the users that can be asked about at the as-of day; `None` where there are none.
pub(crate) fn next_window(
    ctx: &TrainContext<'_>,
    preprocessing: &Preprocessing,
    model: &ChurnModel,
) -> Result<Option<NextWindow>, HistoryError> {
    let catalogue = &ctx.catalogue;
    let extractor = Extractor::new(catalogue, ctx.histories.kinds());
    let users = ctx.histories.len().min(MOST_USERS);
    let name = format!("next window, {} days", model.horizon_days);
    let phase = ctx.phases.begin(name, users as u64, Unit::Users);
    let predicted = ctx.histories.evenly(MOST_USERS, |history| {
        phase.advance(1);
        ctx.labeller.eligible(history, ctx.as_of).ok()?;
        let mut raw = vec![f64::NAN; catalogue.len()];
        extractor.clone().extract(history, ctx.as_of, &mut raw);
        let mut z = Vec::with_capacity(preprocessing.columns.len());
        preprocessing.standardise(catalogue, &raw, &mut z);
        model.expansion.extend(&mut z, 0);
        let line = model.calibration;
        Some(sigmoid(line.intercept + line.slope * model.log_odds(&z)))
    })?;
    let predicted: Vec<f64> = predicted.into_iter().flatten().collect();
    Ok((!predicted.is_empty()).then(|| NextWindow {
        date: ctx.as_of,
        users: predicted.len() as u64,
        predicted: mean(&predicted),
    }))
}
