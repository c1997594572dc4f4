//! The selected candidate, fitted and calibrated for a day.

use super::backtest::{known_shifts, mean_shifts};
use super::forecast::{KnownShifts, forecasts};
use super::search::{Selection, select};
use crate::history::Day;
use crate::model::{Calibration, ChurnModel, Expansion};
use crate::phases::Unit;
use crate::train::TrainError;
use crate::train::data::context::TrainContext;
use crate::train::data::snapshots::Schedule;
use crate::train::estimators::newton::Fitted;
use crate::train::estimators::training_rows::{Sample, TrainingRows};

/// The mean gradient at which a model counts as fitted.
const TOLERANCE: f64 = 1e-7;

/// The day that is predicted, and the dates at which a backtest may be carried out for it.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) date: Day,
    pub(crate) backtest: &'a [Day],
}

/// The selected candidate, fitted.
pub(crate) struct Fits {
    pub(crate) selection: Selection,
    /// One fit for each set of rows.
    pub(crate) fits: Vec<Fitted>,
    /// The line through their log-odds.
    pub(crate) line: Calibration,
    /// The part of its intercept that forecasts a shift of the churn rate.
    pub(crate) shift: f64,
}

/// Selects a candidate by a backtest, and fits it on each of some sets of rows.
pub(crate) fn select_and_fit(
    ctx: &TrainContext<'_>,
    schedule: &Schedule,
    rows: &TrainingRows<'_>,
    asked: Asked<'_>,
    sets: &[Sample],
) -> Result<Fits, TrainError> {
    let failed = |source| TrainError::Logistic {
        horizon_days: schedule.horizon_days,
        source,
    };
    let config = &ctx.config.model;
    let begin = |what: &str, fits: usize| {
        let name = format!(
            "{what} as of {}, {} days",
            asked.date, schedule.horizon_days
        );
        ctx.phases.begin(name, fits as u64, Unit::Fits)
    };
    let backtest = |fits| begin("backtest", fits);
    let selection = select(rows, asked.backtest, asked.date, config, &backtest).map_err(failed)?;
    let fitting = begin("fit", sets.len());
    let mut fits: Vec<Fitted> = Vec::with_capacity(sets.len());
    for set in sets {
        let warm_start = fits.last().or(selection.warm_start.as_ref());
        let fitted = rows.fit(&selection.candidate, set, asked.date, warm_start, TOLERANCE);
        fits.push(fitted.map_err(failed)?);
        fitting.advance(1);
    }
    let shifts = sets.iter().zip(&fits);
    let shifts: Vec<KnownShifts> = shifts
        .map(|(set, fitted)| known_shifts(rows, set, fitted))
        .collect();
    let forecasts = forecasts(&mean_shifts(&shifts), asked.date, schedule.window_days);
    let known: Vec<usize> = rows.known_at(asked.date).collect();
    let base_rate = rows
        .data
        .recent_churn_log_odds(&known, schedule.window_days);
    let line = selection.calibration.line(&forecasts);
    Ok(Fits {
        line: selection.guard.drawn(line, base_rate),
        shift: selection.calibration.forecaster.shift(&forecasts),
        selection,
        fits,
    })
}

/// A fit as the bundle has it.
pub(crate) fn churn_model(
    schedule: &Schedule,
    rows: &TrainingRows<'_>,
    selection: &Selection,
    fitted: Fitted,
    line: Calibration,
) -> ChurnModel {
    let expansion = if selection.candidate.nonlinear_terms {
        rows.expansion.clone()
    } else {
        Expansion::default()
    };
    let mut weights = fitted.weights;
    // Without hinges and interactions there are columns only.
    weights.truncate(rows.matrix.columns + expansion.len());
    ChurnModel {
        horizon_days: schedule.horizon_days,
        intercept: fitted.intercept,
        expansion,
        weights,
        calibration: line,
    }
}
