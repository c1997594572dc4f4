//! The whole fit, top to bottom: histories in, bundle content and card out.
//!
//! A horizon's rows are labelled by `label`; `prepare` makes the design matrix of some of them, and
//! `select_and_fit` selects a candidate by backtesting and fits it. Both are run twice: by `evaluate` on what was known one label window ago, and
//! on all rows for the bundle.

use super::TrainError;
use super::checks::few_rows::check_rows;
use super::checks::leakage::probe_catalogue;
use super::checks::mapping_doubts::{Returning, no_amounts};
use super::checks::target_leakage;
use super::data::context::TrainContext;
use super::data::coverage_notes::coverage_notes;
use super::data::dataset::{Dataset, DroppedPairs, dropped_of};
use super::data::schema::absent_kinds;
use super::data::snapshots::{Schedule, Spacing};
use super::data::value_rows::{ValueRows, value_schedule};
use super::estimators::effects::effects;
use super::estimators::orders::with_orders;
use super::estimators::segments::previous::segment_users;
use super::estimators::training_rows::{Sample, TrainingRows};
use super::estimators::transform::{fit_bg_nbd, fit_preprocessing};
use super::evaluation::baselines::baselines;
use super::evaluation::by_date::{DatePredictions, by_date};
use super::evaluation::holdout::{Holdout, Split, USER_PARTS};
use super::evaluation::next_window::next_window;
use super::evaluation::slices::slicings;
use super::evaluation::{Predictions, Protocol, evaluation};
use super::laws::laws_of;
use super::population::{Population, describe};
use super::selection::backtest::Fold;
use super::selection::calibration::forecast_card;
use super::selection::candidate;
use super::selection::fitting::{Asked, Fits, churn_model, select_and_fit};
use super::value::fit_value;
use crate::card::{
    Card, Evaluation, HorizonCard, LabelDefinition, LeakageProbe, SCHEMA_VERSION, Untested,
};
use crate::history::Day;
use crate::math::sigmoid;
use crate::model::{
    Bundle, BundleSpec, ChurnModel, FORMAT_VERSION, Preprocessing, Segments, Training, ValueTier,
    version,
};
use crate::phases::Unit;

pub use super::data::context::FitInput;

/// What a fit gives.
#[derive(Clone, Debug)]
pub struct Fit {
    /// The content of `bundle.json`.
    pub spec: BundleSpec,
    /// The content of `card.json`.
    pub card: Card,
}

/// Fits everything. The same input gives the same output, bit for bit.
///
/// # Errors
/// [`TrainError`] names the setting, the column or the kind at fault.
pub fn fit(input: &FitInput<'_>) -> Result<Fit, TrainError> {
    input.config.validate()?;
    let (first_day, last_day) = event_days(input)?;
    let allow_leakage = &input.config.model.allow_leakage;
    let mut notes = target_leakage::in_columns(input.histories, allow_leakage)?;
    let ctx = TrainContext::new(input, first_day)?;
    notes.extend(log_notes(input, &ctx)?);
    let value = input.config.value.as_ref();
    let spend_dates = value.map(|v| value_schedule(&ctx, v)).transpose()?;
    let mut shared = None;
    let mut fitted = Vec::new();
    for &horizon_days in &ctx.catalogue.schema().horizon_days {
        let labelled = label(&ctx, horizon_days)?;
        notes.extend(target_leakage::in_rows(
            &labelled.data,
            &ctx.catalogue,
            horizon_days,
            allow_leakage,
        )?);
        // The shortest horizon has the most recent labels, so its rows describe the users for all horizons.
        let shared = match &mut shared {
            Some(shared) => &*shared,
            none => none.insert(share(&ctx, &labelled)?),
        };
        fitted.push(fit_horizon(&ctx, labelled, shared)?);
    }
    #[expect(clippy::expect_used, reason = "a catalogue has one horizon at least")]
    let shared = shared.expect("no horizon was fitted");
    let (models, horizons): (Vec<ChurnModel>, Vec<HorizonCard>) = fitted.into_iter().unzip();
    let training = Training {
        as_of: ctx.as_of,
        first_day,
        last_day,
        snapshots: horizons[0].snapshots.clone(),
        rows: horizons.iter().map(|horizon| horizon.rows).sum(),
        users: ctx.histories.len() as u64,
        data_hash: ctx.histories.digest()?,
        kinds: ctx.histories.kinds().to_vec(),
        seed: ctx.config.model.seed,
        ebb_version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let probe = probe_catalogue(
        ctx.histories,
        &ctx.bundle_catalogue,
        &training.snapshots,
        training.seed,
    )?;
    let rows = spend_dates.map(|dates| ValueRows::build(&ctx, dates));
    let rows = rows.transpose()?;
    notes.extend(rows.as_ref().and_then(ValueRows::note));
    let (preprocessing, models) = with_orders(&ctx, rows.as_ref(), shared.preprocessing, models);
    let mut spec = bundle(&ctx, preprocessing, shared.segments, models, training);
    let value = match (&ctx.config.value, &rows) {
        (Some(config), Some(rows)) => {
            Some(fit_value(&ctx, config, rows, &spec, previous_tiers(input))?)
        }
        _ => None,
    };
    let mut card = card(input, &spec, horizons, shared.population, probe, notes);
    (spec.value, card.value) = value.map(|v| (v.model, v.card)).unzip();
    card.laws = laws_of(&ctx, tiered(&spec)?.as_ref())?;
    card.model_version = version(&spec)?;
    Ok(Fit { spec, card })
}

/// A bundle of the fit, where it has tiers of value.
fn tiered(spec: &BundleSpec) -> Result<Option<Bundle>, TrainError> {
    let with_value = spec.value.is_some().then(|| spec.clone());
    let bundle = with_value.map(|spec| Bundle::new(spec, String::new()));
    Ok(bundle.transpose()?)
}

/// The tiers of the bundle before, where it has some.
fn previous_tiers<'a>(input: &FitInput<'a>) -> Option<&'a [ValueTier]> {
    let value = input.previous?.value.as_ref()?;
    Some(&value.tiers)
}

/// The days of the first and of the last event before the as-of day.
fn event_days(input: &FitInput<'_>) -> Result<(Day, Day), TrainError> {
    let as_of = input.as_of;
    let span = input.histories.span();
    span.filter(|(first, _)| *first < as_of)
        .ok_or(TrainError::NoEvents { as_of })
}

/// What is odd about the log, though a model can be fitted on it.
fn log_notes(input: &FitInput<'_>, ctx: &TrainContext<'_>) -> Result<Vec<String>, TrainError> {
    let mut notes = absent_kinds(input.histories.kinds(), input.config);
    notes.extend(coverage_notes(input.coverage, &ctx.observed, input.as_of));
    notes.extend(no_amounts(input.data_quality));
    notes.extend(Returning::of(ctx)?.note());
    Ok(notes)
}

/// One horizon's labelled rows.
struct Labelled {
    schedule: Schedule,
    data: Dataset,
    dropped: DroppedPairs,
}

/// Describes and labels users at the dates of a horizon.
fn label(ctx: &TrainContext<'_>, horizon_days: u16) -> Result<Labelled, TrainError> {
    let spacing = Spacing {
        days: ctx.config.model.spacing_days,
        past: None,
        most: ctx.config.model.snapshots,
        anniversaries: ctx.config.model.most_anniversaries(),
        active_within_days: ctx.config.churn.active_within_days,
    };
    let lead_days = ctx.config.churn.lead_days;
    let all = Schedule::new(&ctx.observed, ctx.as_of, lead_days, horizon_days, spacing)?;
    let schedule = match ctx.config.model.dates_from {
        Some(day) => all.since(day)?,
        None => all,
    };
    let (data, dropped) = Dataset::build(ctx, &schedule)?;
    let all = dropped_of(&dropped, &schedule.dates());
    check_rows(ctx, &data, &all, horizon_days)?;
    Ok(Labelled {
        schedule,
        data,
        dropped,
    })
}

/// What all horizons have in common, made from the rows of the shortest.
struct Shared {
    preprocessing: Preprocessing,
    segments: Segments,
    population: Population,
}

fn share(ctx: &TrainContext<'_>, labelled: &Labelled) -> Result<Shared, TrainError> {
    let Labelled { schedule, data, .. } = labelled;
    let steps = ctx.phases.begin("segments and stages", 4, Unit::Steps);
    let bg_nbd = fit_bg_nbd(ctx, ctx.observed.until)?;
    steps.advance(1);
    let preprocessing = fit_preprocessing(data, &ctx.catalogue, bg_nbd);
    steps.advance(1);
    let newest = data.at(&schedule.regular[schedule.regular.len() - 1..]);
    let segmented = segment_users(ctx, &preprocessing, &newest)?;
    steps.advance(1);
    let both = (&segmented.segments, segmented.earlier.as_ref());
    let population = describe(ctx, schedule, (data, &newest), &preprocessing, both)?;
    steps.advance(1);
    Ok(Shared {
        preprocessing,
        segments: segmented.segments,
        population,
    })
}

/// One horizon's model and its part of the card.
fn fit_horizon(
    ctx: &TrainContext<'_>,
    labelled: Labelled,
    shared: &Shared,
) -> Result<(ChurnModel, HorizonCard), TrainError> {
    let Labelled {
        schedule,
        data,
        dropped,
    } = labelled;
    let evaluated = evaluate(ctx, &schedule, &data, shared)?;
    let steps = ctx.steps("rows of the bundle", schedule.horizon_days, 1);
    let rows = prepare(ctx, &schedule, &data, &shared.preprocessing);
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
    let effects = effects(&ctx.catalogue, &shared.preprocessing, &model, &rows);
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
        next_window: next_window(ctx, &shared.preprocessing, &model)?,
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
    shared: &Shared,
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
        slicings: slicings(ctx, &shared.preprocessing, &shared.segments, &split.test),
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

fn bundle(
    ctx: &TrainContext<'_>,
    preprocessing: Preprocessing,
    segments: Segments,
    models: Vec<ChurnModel>,
    training: Training,
) -> BundleSpec {
    let config = ctx.config;
    BundleSpec {
        format_version: FORMAT_VERSION,
        feature_hash: ctx.bundle_catalogue.hash(),
        schema: ctx.bundle_catalogue.schema().clone(),
        timezone: config.timezone.clone(),
        active_within_days: config.churn.active_within_days,
        lead_days: config.churn.lead_days,
        churn_event: config.churn.churn_event.clone(),
        preprocessing,
        models,
        bands: config.bands,
        segments,
        lifecycle: config.lifecycle.clone(),
        value: None,
        training,
    }
}

fn card(
    input: &FitInput<'_>,
    spec: &BundleSpec,
    horizons: Vec<HorizonCard>,
    population: Population,
    leakage_probe: LeakageProbe,
    notes: Vec<String>,
) -> Card {
    let Population {
        segments,
        migration,
        stages,
        stage_sizes,
        transitions,
        retention,
    } = population;
    let training = &spec.training;
    Card {
        schema_version: SCHEMA_VERSION,
        ebb_version: training.ebb_version.clone(),
        model_version: String::new(),
        config_hash: input.config.hash.clone(),
        as_of: training.as_of,
        first_day: training.first_day,
        last_day: training.last_day,
        users: training.users,
        records: input.histories.record_count() as u64,
        data_hash: training.data_hash.clone(),
        seed: training.seed,
        label_definition: LabelDefinition {
            horizon_days: spec.schema.horizon_days.clone(),
            ..LabelDefinition::from(&input.config.churn)
        },
        horizons,
        segments,
        segment_migration: migration,
        stages,
        leakage_probe,
        stage_sizes,
        transitions,
        retention,
        notes,
        coverage: Some(input.coverage.clone()),
        data_quality: input.data_quality.clone(),
        made_from: None,
        value: None,
        laws: None,
    }
}
