//! A bundle's users at one day, with labels.

use super::LaterLog;
use crate::history::Day;
use crate::model::{Bundle, ModelError};
use crate::train::TrainError;
use crate::train::data::context::TrainContext;
use crate::train::data::dataset::Dataset;
use crate::train::data::snapshots::{Observed, Schedule, Spacing, label_window};
use crate::train::settings::{ChurnConfig, TrainConfig};

/// The configuration that a bundle was fitted under, as far as it decides who is described and labelled how.
pub(crate) fn config_of(bundle: &Bundle, config: &TrainConfig) -> TrainConfig {
    let spec = bundle.spec();
    TrainConfig {
        churn: ChurnConfig::from(spec),
        bands: spec.bands,
        lifecycle: spec.lifecycle.clone(),
        ..config.clone()
    }
}

/// What one horizon of a bundle is judged with at a day: nothing after the label window is observed.
pub(crate) fn context<'a>(
    log: &LaterLog<'a>,
    bundle: &Bundle,
    config: &'a TrainConfig,
    first: Day,
    as_of: Day,
    horizon_days: u16,
) -> TrainContext<'a> {
    let until = label_window(as_of, bundle.spec().lead_days, horizon_days).until;
    let observed = Observed::new(first, log.coverage, until);
    let catalogue = bundle.catalogue().clone();
    TrainContext::of_bundle(log.histories, config, catalogue, observed, log.phases)
}

/// The dates of a fit whose newest label window is that of the day.
pub(crate) fn schedule(
    ctx: &TrainContext<'_>,
    horizon_days: u16,
    most_dates: usize,
) -> Result<Schedule, TrainError> {
    let spacing = Spacing {
        days: ctx.config.model.spacing_days,
        past: None,
        most: most_dates,
        anniversaries: if most_dates > 1 {
            ctx.config.model.most_anniversaries()
        } else {
            0
        },
        active_within_days: ctx.config.churn.active_within_days,
    };
    let lead_days = ctx.config.churn.lead_days;
    Schedule::new(&ctx.observed, ctx.as_of, lead_days, horizon_days, spacing)
}

/// The probabilities of a horizon that a bundle gives to rows of its own features.
pub(crate) fn probabilities(
    bundle: &Bundle,
    rows: &Dataset,
    horizon_days: u16,
) -> Result<Vec<f64>, ModelError> {
    let horizons = &bundle.spec().schema.horizon_days;
    let position = horizons.iter().position(|h| *h == horizon_days);
    #[expect(clippy::expect_used, reason = "horizons are taken from the bundle")]
    let position = position.expect("a horizon that the bundle does not have was judged");
    let scores = bundle.predict_matrix(&rows.raw)?;
    let all = scores.probabilities.iter().skip(position);
    let probabilities: Vec<f64> = all.step_by(horizons.len()).copied().collect();
    assert!(
        probabilities.len() == rows.len() && probabilities.iter().all(|p| p.is_finite()),
        "an eligible user has no score: eligibility and scoring disagree"
    );
    Ok(probabilities)
}
