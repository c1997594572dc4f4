//! The whole fit, top to bottom: histories in, bundle content and card out.
//!
//! A horizon's rows are labelled by `label`; `fit_horizon` selects a candidate by backtesting and fits it, twice: on what was
//! known one label window ago, to be judged, and on all rows for the bundle.

use super::TrainError;
use super::checks::leakage::probe_catalogue;
use super::checks::mapping_doubts::{Returning, no_amounts};
use super::checks::target_leakage;
use super::conversion::fit_conversion;
use super::data::context::TrainContext;
use super::data::coverage_notes::coverage_notes;
use super::data::schema::absent_kinds;
use super::data::value_rows::{ValueRows, value_schedule};
use super::estimators::orders::with_orders;
use super::estimators::segments::previous::segment_users;
use super::estimators::transform::{fit_bg_nbd, fit_preprocessing};
use super::horizons::{Described, Labelled, fit_horizon, label};
use super::laws::laws_of;
use super::population::{Population, describe};
use super::value::fit_value;
use crate::card::{Card, HorizonCard, LabelDefinition, LeakageProbe, SCHEMA_VERSION};
use crate::history::Day;
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
        fitted.push(fit_horizon(&ctx, labelled, shared.described())?);
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
    let conversion = ctx.config.conversion.as_ref();
    let conversion = conversion.map(|config| fit_conversion(input, config, first_day, &spec));
    (spec.conversion, card.conversion) = conversion.transpose()?.unzip();
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
    notes.extend(coverage_notes(
        input.coverage,
        &ctx.observed,
        input.as_of,
        "The feed of the kinds that tell churn",
    ));
    notes.extend(no_amounts(input.data_quality));
    notes.extend(Returning::of(ctx)?.note());
    Ok(notes)
}

/// What all horizons have in common, made from the rows of the shortest.
struct Shared {
    preprocessing: Preprocessing,
    segments: Segments,
    population: Population,
}

impl Shared {
    fn described(&self) -> Described<'_> {
        Described {
            preprocessing: &self.preprocessing,
            segments: &self.segments,
        }
    }
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
        conversion: None,
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
        conversion: None,
        laws: None,
    }
}
