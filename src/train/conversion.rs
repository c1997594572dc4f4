//! The question about potential users, fitted as that about churn: dates and windows, features, selection, evaluation and
//! calibration are the same code, asked another [`Question`].

mod withheld;

use super::TrainError;
use super::checks::leakage::probe_catalogue;
use super::checks::target_leakage::in_conversion_rows;
use super::data::context::{FitInput, TrainContext};
use super::data::coverage_notes::coverage_notes;
use super::data::schema::described_kinds;
use super::estimators::transform::{fit_bg_nbd, fit_preprocessing};
use super::horizons::{Described, fit_horizon, label};
use super::settings::{ChurnConfig, ConversionConfig, TrainConfig};
use crate::card::{ConversionCard, HorizonCard};
use crate::features::nearest;
use crate::history::Day;
use crate::lifecycle::Question;
use crate::model::{BundleSpec, ChurnModel, ConversionModel, Preprocessing, Segments, Training};

/// Fits the models of conversion, and describes them. `of_churn` is the bundle that they become a part of.
///
/// # Errors
/// [`TrainError`] names the setting or the kind at fault.
pub(crate) fn fit_conversion(
    input: &FitInput<'_>,
    config: &ConversionConfig,
    first_day: Day,
    of_churn: &BundleSpec,
) -> Result<(ConversionModel, ConversionCard), TrainError> {
    let signs = signs(input, config)?;
    let inner = configuration(input.config, config, &signs);
    let coverage = input.coverage.of_conversion();
    let input = FitInput {
        config: &inner,
        coverage: &coverage,
        previous: None,
        ..*input
    };
    let question = Question::Conversion {
        signs: signs.clone(),
        events: config.event.clone(),
        within_days: config.within_days,
        repeat: config.repeat,
    };
    let ctx = TrainContext::asking(&input, first_day, question).map_err(of_conversion)?;
    let mut notes = notes(&ctx, &input, config, &signs);
    let (preprocessing, models, mut horizons) = fit_horizons(&ctx, &mut notes)?;
    let training = Training {
        snapshots: horizons[0].snapshots.clone(),
        rows: horizons.iter().map(|horizon| horizon.rows).sum(),
        ..of_churn.training.clone()
    };
    let leakage_probe = probe_catalogue(
        ctx.histories,
        &ctx.catalogue,
        &training.snapshots,
        training.seed,
    )?;
    let min_users = u64::from(input.config.privacy.min_users);
    let cells = horizons.iter_mut();
    let withheld: u64 = cells.map(|h| withheld::withhold_cells(h, min_users)).sum();
    let users = Some(potential_users(&ctx)?).filter(|users| *users >= min_users);
    let card = ConversionCard {
        event: config.event.clone(),
        notes,
        signs,
        within_days: config.within_days,
        repeat: config.repeat,
        withheld: withheld + u64::from(users.is_none()),
        users,
        min_users,
        horizons,
        leakage_probe,
    };
    let model = ConversionModel {
        event: config.event.clone(),
        repeat: config.repeat,
        model: Box::new(BundleSpec {
            feature_hash: ctx.catalogue.hash(),
            schema: ctx.catalogue.schema().clone(),
            active_within_days: config.within_days,
            churn_event: None,
            preprocessing,
            models,
            segments: no_segments(),
            value: None,
            conversion: None,
            training,
            ..of_churn.clone()
        }),
    };
    Ok((model, card))
}

/// The model of every horizon and its part of the card. The rows of the shortest, whose labels are the most recent, describe
/// potential users for all.
fn fit_horizons(
    ctx: &TrainContext<'_>,
    notes: &mut Vec<String>,
) -> Result<(Preprocessing, Vec<ChurnModel>, Vec<HorizonCard>), TrainError> {
    let mut shared: Option<Preprocessing> = None;
    let mut fitted = Vec::new();
    for &horizon_days in &ctx.catalogue.schema().horizon_days {
        let labelled = label(ctx, horizon_days).map_err(of_conversion)?;
        let data = &labelled.data;
        notes.extend(in_conversion_rows(data, &ctx.catalogue, horizon_days));
        let preprocessing = match &mut shared {
            Some(shared) => &*shared,
            none => none.insert(fit_preprocessing(
                &labelled.data,
                &ctx.catalogue,
                fit_bg_nbd(ctx, ctx.observed.until)?,
            )),
        };
        let described = Described {
            preprocessing,
            segments: &no_segments(),
        };
        fitted.push(fit_horizon(ctx, labelled, described)?);
    }
    #[expect(clippy::expect_used, reason = "a catalogue has one horizon at least")]
    let preprocessing = shared.expect("no horizon was fitted");
    let (models, horizons) = fitted.into_iter().unzip();
    Ok((preprocessing, models, horizons))
}

/// Segments are those of customers.
fn no_segments() -> Segments {
    Segments::default()
}

/// The kinds of events that make a potential user known: all that would have features of their own in the churn models, but
/// for the events themselves, which happen to converted users alone unless conversion may come again.
fn signs(input: &FitInput<'_>, config: &ConversionConfig) -> Result<Vec<String>, TrainError> {
    let kinds = input.histories.kinds();
    if let Some(absent) = config.event.iter().find(|kind| !kinds.contains(kind)) {
        let nearest = nearest(absent, kinds.iter().map(String::as_str)).map(str::to_owned);
        return Err(TrainError::NoConversionEvent {
            events: config.event.clone(),
            nearest,
            kinds: kinds.to_vec(),
        });
    }
    let mut signs = described_kinds(input.histories, input.config);
    signs.retain(|kind| config.repeat || !config.event.contains(kind));
    match signs.is_empty() {
        false => Ok(signs),
        true => Err(TrainError::NoPotentialUsers {
            events: config.event.clone(),
        }),
    }
}

/// The configuration of a fit that asks about conversion: all kinds of signs are activity.
fn configuration(
    of_churn: &TrainConfig,
    config: &ConversionConfig,
    signs: &[String],
) -> TrainConfig {
    TrainConfig {
        churn: ChurnConfig {
            activity: signs.to_vec(),
            horizon_days: config.horizons(),
            active_within_days: config.within_days,
            lead_days: of_churn.churn.lead_days,
            churn_event: None,
        },
        value: None,
        conversion: None,
        ..of_churn.clone()
    }
}

/// Names the settings of the question that was asked.
fn of_conversion(mut error: TrainError) -> TrainError {
    if let TrainError::HorizonNotObserved { of_conversion, .. } = &mut error {
        *of_conversion = true;
    }
    error
}

/// How many users are potential ones at the as-of day.
fn potential_users(ctx: &TrainContext<'_>) -> Result<u64, TrainError> {
    let counted = ctx.histories.map_blocks(|block| {
        let eligible = |history| ctx.labeller.eligible(history, ctx.as_of).is_ok();
        block
            .iter()
            .filter(|(_, _, history)| eligible(*history))
            .count() as u64
    })?;
    Ok(counted.iter().sum())
}

fn notes(
    ctx: &TrainContext<'_>,
    input: &FitInput<'_>,
    config: &ConversionConfig,
    signs: &[String],
) -> Vec<String> {
    let kinds = input.histories.kinds().iter();
    let others: Vec<String> = kinds
        .filter(|kind| !signs.contains(kind) && !config.event.contains(kind))
        .map(|kind| format!("`{kind}`"))
        .collect();
    let note = || {
        format!(
            "{} of the log are too rare for features of their own, or beyond model.kinds: whoever has no other event is not asked \
             about. They are {}.",
            match others.len() {
                1 => "1 kind of event".to_owned(),
                n => format!("{n} kinds of events"),
            },
            others.join(", ")
        )
    };
    let feed = "The feed of the kinds that are conversion";
    let mut notes = coverage_notes(input.coverage, &ctx.observed, input.as_of, feed);
    notes.extend((!others.is_empty()).then(note));
    notes
}
