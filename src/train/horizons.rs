//! One horizon of one question: users described and labelled, the model selected and fitted, and judged one label window earlier.
//!
//! [`label`], then [`fit_horizon`]: the same for whether users leave and for whether potential users convert.

use super::TrainError;
use super::checks::few_rows::check_rows;
use super::data::context::TrainContext;
use super::data::dataset::{Dataset, DroppedPairs, dropped_of};
use super::data::snapshots::Schedule;
use super::estimators::effects::effects;
use super::estimators::training_rows::{Sample, TrainingRows};
use super::estimators::transform::{fit_bg_nbd, fit_preprocessing};
use super::evaluation::baselines::baselines;
use super::evaluation::by_date::{DatePredictions, by_date};
use super::evaluation::holdout::{Holdout, Split, USER_PARTS};
use super::evaluation::next_window::next_window;
use super::evaluation::slices::slicings;
use super::evaluation::{Predictions, Protocol, evaluation};
use super::selection::backtest::Fold;
use super::selection::calibration::forecast_card;
use super::selection::candidate;
use super::selection::fitting::{Asked, Fits, churn_model, select_and_fit};
use crate::card::{Evaluation, HorizonCard, Untested};
use crate::math::sigmoid;
use crate::model::{ChurnModel, Preprocessing, Segments};

/// How the rows of all horizons of a question are described.
#[derive(Clone, Copy)]
pub(crate) struct Described<'a> {
    pub(crate) preprocessing: &'a Preprocessing,
    /// Without items where users have no segments.
    pub(crate) segments: &'a Segments,
}

/// One horizon's labelled rows.
pub(crate) struct Labelled {
    pub(crate) schedule: Schedule,
    pub(crate) data: Dataset,
    pub(crate) dropped: DroppedPairs,
}

/// Describes and labels users at the dates of a horizon.
pub(crate) fn label(ctx: &TrainContext<'_>, horizon_days: u16) -> Result<Labelled, TrainError> {
    let schedule = Schedule::of_config(&ctx.observed, ctx.as_of, ctx.config, horizon_days)?;
    let (data, dropped) = Dataset::build(ctx, &schedule)?;
    let all = dropped_of(&dropped, &schedule.dates());
    check_rows(ctx, &data, &all, horizon_days)?;
    Ok(Labelled {
        schedule,
        data,
        dropped,
    })
}

/// One horizon's model and its part of the card.
pub(crate) fn fit_horizon(
    ctx: &TrainContext<'_>,
    labelled: Labelled,
    described: Described<'_>,
) -> Result<(ChurnModel, HorizonCard), TrainError> {
    let Labelled {
        schedule,
        data,
        dropped,
    } = labelled;
    let evaluated = evaluate(ctx, &schedule, &data, described)?;
    let steps = ctx.steps("rows of the bundle", schedule.horizon_days, 1);
    let rows = prepare(ctx, &schedule, &data, described.preprocessing);
    steps.advance(1);
    let known = rows.whole(rows.known_at(ctx.as_of).collect());
    let asked = Asked {
        date: ctx.as_of,
        backtest: &schedule.regular,
    };
    let sets = std::slice::from_ref(&known);
    let Fits {
        selection,
        mut fits,
        line,
        shift,
    } = select_and_fit(ctx, &schedule, &rows, asked, sets)?;
    let model = churn_model(&schedule, &rows, &selection, fits.remove(0), line);
    let effects = effects(&ctx.catalogue, described.preprocessing, &model, &rows);
    let (judged, untested) = match evaluated {
        Ok(judged) => (Some(judged), None),
        Err(untested) => (None, Some(untested)),
    };
    let (evaluation, test_predictions) = judged.unzip();
    let mut predictions: Vec<DatePredictions> = test_predictions.into_iter().collect();
    predictions.extend(selection.folds.iter().map(fold_predictions));
    let backtest = selection.backtest_cards();
    // Other anniversaries are dates of the backtest alone.
    let snapshots = schedule.learnt_at(ctx.as_of, selection.candidate.anniversaries);
    let (rows_fitted, churn_rate) = data.rows_of(&snapshots);
    let card = HorizonCard {
        horizon_days: schedule.horizon_days,
        rows: rows_fitted,
        churn_rate,
        dropped: dropped_of(&dropped, &snapshots),
        snapshots,
        solver: ctx.config.model.solver.name().to_owned(),
        hyperparameters: selection.candidate,
        candidate: candidate::name(&selection.candidate),
        trials: selection.trials,
        selection: selection.rule,
        backtest,
        calibration: line,
        shrunk_shift: shift,
        forecast: forecast_card(
            &selection.calibration.forecaster,
            &selection.folds,
            schedule.window_days,
        ),
        against_baselines: selection.guard.comparisons,
        shrunk_to_base_rate: selection.guard.shrinkage,
        evaluation,
        untested,
        by_date: by_date(&data, &predictions),
        next_window: next_window(ctx, described.preprocessing, &model)?,
        effects,
    };
    Ok((model, card))
}

/// What a fold of the backtest predicted for its date.
fn fold_predictions(fold: &Fold) -> DatePredictions {
    DatePredictions {
        date: fold.date,
        predicted: fold.predicted(),
        churned: fold.churned.clone(),
    }
}

/// The design matrix of some rows, with hinges and interactions made from them alone.
fn prepare<'d>(
    ctx: &TrainContext<'_>,
    schedule: &Schedule,
    data: &'d Dataset,
    preprocessing: &Preprocessing,
) -> TrainingRows<'d> {
    TrainingRows::new(ctx, schedule, data, preprocessing)
}

/// Carries the fit out as it would have been on the test date, and judges it on what then happened.
fn evaluate(
    ctx: &TrainContext<'_>,
    schedule: &Schedule,
    data: &Dataset,
    described: Described<'_>,
) -> Result<Result<(Evaluation, DatePredictions), Untested>, TrainError> {
    let split = match Split::new(ctx, schedule, data) {
        Ok(split) => split,
        Err(untested) => return Ok(Err(untested)),
    };
    let steps = ctx.steps("rows of the test", schedule.horizon_days, 4);
    let bg_nbd = fit_bg_nbd(ctx, split.test_date)?;
    steps.advance(1);
    let preprocessing = fit_preprocessing(&split.known, &ctx.catalogue, bg_nbd);
    steps.advance(1);
    let known = prepare(ctx, schedule, &split.known, &preprocessing);
    steps.advance(1);
    let holdout = Holdout::new(ctx, &preprocessing, &known, &split);
    steps.advance(1);
    let sets = holdout
        .folds
        .iter()
        .map(|fold| known.whole(fold.known.clone()));
    let sets: Vec<Sample> = sets.collect();
    let asked = Asked {
        date: split.test_date,
        backtest: &split.known_dates,
    };
    let Fits {
        selection,
        fits,
        line,
        ..
    } = select_and_fit(ctx, schedule, &known, asked, &sets)?;
    let probabilities: Vec<f64> = holdout
        .log_odds(&fits)
        .iter()
        .map(|x| sigmoid(line.intercept + line.slope * x))
        .collect();
    let predictions = Predictions {
        users: &split.test.users,
        churned: &split.test.labels,
        model: &probabilities,
        baselines: baselines(ctx, &preprocessing, &holdout, schedule.horizon_days)?,
        // Segments are those of the bundle, and so are the scales that they were made on.
        slicings: slicings(
            ctx,
            described.preprocessing,
            described.segments,
            &split.test,
        ),
    };
    let protocol = Protocol {
        train: schedule.learnt_at(split.test_date, selection.candidate.anniversaries),
        calibration: selection.folds.first().map(|fold| fold.date),
        test: split.test_date,
        user_parts: USER_PARTS,
    };
    let seed = ctx.config.model.seed;
    let evaluation = evaluation(&predictions, protocol, seed, ctx.phases);
    let made = DatePredictions {
        date: split.test_date,
        predicted: probabilities,
        churned: split.test.labels.clone(),
    };
    Ok(Ok((evaluation, made)))
}
