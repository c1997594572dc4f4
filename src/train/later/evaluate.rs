//! One bundle on a later day.

use super::day::{JudgedDay, judged_day};
use super::promise::{promises, standing_of};
use super::rows::{config_of, context, probabilities, schedule};
use super::{Candidate, DayRequest, LaterError, LaterLog};
use crate::card::{
    BaselineSource, Evaluation, JudgedModel, LATER_SCHEMA_VERSION, LabelDefinition,
    LaterEvaluation, LaterHorizon, Untested,
};
use crate::history::Day;
use crate::model::{Bundle, RiskBand};
use crate::train::TrainError;
use crate::train::data::context::TrainContext;
use crate::train::data::dataset::Dataset;
use crate::train::data::snapshots::{Observed, Schedule, label_window};
use crate::train::estimators::training_rows::TrainingRows;
use crate::train::estimators::transform::{fit_bg_nbd, fit_preprocessing};
use crate::train::evaluation::baselines::{Baseline, baselines, bg_nbd};
use crate::train::evaluation::holdout::{Holdout, Split, not_to_judge_on};
use crate::train::evaluation::slices::{Slicing, slicings};
use crate::train::evaluation::{Predictions, Protocol, evaluation};
use crate::train::settings::TrainConfig;

/// Judges a bundle at a day: its predictions for the users of the day against what they did after it, and against
/// baselines that know no more than the log before the day.
///
/// # Errors
/// [`LaterError`] says why the bundle cannot be judged on this log at this day.
pub fn evaluate(
    log: &LaterLog<'_>,
    candidate: Candidate<'_>,
    request: DayRequest,
) -> Result<LaterEvaluation, LaterError> {
    let bundle = candidate.bundle;
    let observed = observed(log)?;
    let day = judged_day(&[bundle], &observed, request)?;
    let config = config_of(bundle, log.config);
    let horizons = bundle.spec().schema.horizon_days.iter();
    let judge = |horizon: &u16| judge(log, candidate, &config, &observed, day.as_of, *horizon);
    Ok(LaterEvaluation {
        schema_version: LATER_SCHEMA_VERSION,
        ebb_version: env!("CARGO_PKG_VERSION").to_owned(),
        model: judged_model(bundle),
        as_of: day.as_of,
        out_of_time: day.out_of_time,
        label_definition: LabelDefinition::from(&config.churn),
        horizons: horizons.map(judge).collect::<Result<_, LaterError>>()?,
        notes: notes(bundle, day),
    })
}

/// The name and the age of a bundle.
pub(crate) fn judged_model(bundle: &Bundle) -> JudgedModel {
    JudgedModel {
        version: bundle.version().to_owned(),
        fitted_as_of: bundle.spec().training.as_of,
    }
}

/// The days that the log covers from its first event on.
pub(crate) fn observed(log: &LaterLog<'_>) -> Result<Observed, LaterError> {
    let until = log.coverage.labels_until;
    let span = log.histories.span().filter(|(first, _)| *first < until);
    let (first, _) = span.ok_or(TrainError::NoEvents { as_of: until })?;
    Ok(Observed::new(first, log.coverage, until))
}

fn notes(bundle: &Bundle, day: JudgedDay) -> Vec<String> {
    let seen = format!(
        "Not out of time: the model was fitted as of {} and has seen events on or after {}, so its figures flatter it.",
        bundle.spec().training.as_of,
        day.as_of
    );
    (!day.out_of_time).then_some(seen).into_iter().collect()
}

/// One horizon of the bundle.
fn judge(
    log: &LaterLog<'_>,
    candidate: Candidate<'_>,
    config: &TrainConfig,
    observed: &Observed,
    as_of: Day,
    horizon_days: u16,
) -> Result<LaterHorizon, LaterError> {
    let bundle = candidate.bundle;
    let window = label_window(as_of, config.churn.lead_days, horizon_days);
    let mut judged = LaterHorizon {
        horizon_days,
        from: window.from,
        until: window.until,
        user_step: 1,
        evaluation: None,
        untested: None,
        baselines_from: None,
        promised_churn_rate: None,
        promises: Vec::new(),
        standing: None,
    };
    if !observed.covers(window) {
        judged.untested = Some(Untested::LabelsNotObserved {
            date: as_of,
            until: window.until,
            observed_until: observed.until,
        });
        return Ok(judged);
    }
    let ctx = context(log, bundle, config, observed.first, as_of, horizon_days);
    let schedule = schedule(&ctx, horizon_days, config.model.snapshots)?;
    assert_eq!(
        schedule.regular.last(),
        Some(&as_of),
        "the newest date with labels is not the day that was asked for"
    );
    let (data, _) = Dataset::build(&ctx, &schedule)?;
    judged.user_step = data.user_step.max(1) as u64;
    let rows = DayRows {
        ctx: &ctx,
        bundle,
        schedule: &schedule,
        test: data.at(&[as_of]),
        as_of,
    };
    if let Some(untested) = not_to_judge_on(&rows.test, as_of) {
        judged.untested = Some(untested);
        return Ok(judged);
    }
    let (baselines, source) = match Split::new(&ctx, &schedule, &data) {
        Ok(split) => (fitted_baselines(&rows, &split)?, BaselineSource::Log),
        Err(_) => (stored_baselines(&rows, candidate), BaselineSource::Bundle),
    };
    let evaluation = rows.evaluation(candidate, baselines)?;
    let card = candidate.card.horizon(horizon_days);
    let promised = card.and_then(|h| h.evaluation.as_ref());
    judged.promised_churn_rate = promised.map(|e| e.churn_rate);
    judged.promises = promises(&evaluation, promised);
    judged.standing = standing_of(&judged.promises, "log_loss");
    judged.baselines_from = Some(source);
    judged.evaluation = Some(evaluation);
    Ok(judged)
}

/// The users of the day with their labels.
struct DayRows<'a> {
    ctx: &'a TrainContext<'a>,
    bundle: &'a Bundle,
    schedule: &'a Schedule,
    test: Dataset,
    as_of: Day,
}

impl DayRows<'_> {
    fn evaluation(
        &self,
        candidate: Candidate<'_>,
        baselines: Vec<Baseline>,
    ) -> Result<Evaluation, LaterError> {
        let spec = self.bundle.spec();
        let horizon_days = self.schedule.horizon_days;
        let model = probabilities(self.bundle, &self.test, horizon_days)?;
        let mut parts = slicings(self.ctx, &spec.preprocessing, &spec.segments, &self.test);
        parts.push(by_band(self.bundle, &model));
        let card = candidate.card.horizon(horizon_days);
        let predictions = Predictions {
            users: &self.test.users,
            churned: &self.test.labels,
            model: &model,
            baselines,
            slicings: parts,
        };
        let protocol = Protocol {
            train: card.map_or_else(Vec::new, |h| h.snapshots.clone()),
            calibration: None,
            test: self.as_of,
            // One bundle predicts all users.
            user_parts: 1,
        };
        Ok(evaluation(
            &predictions,
            protocol,
            spec.training.seed,
            self.ctx.phases,
        ))
    }
}

/// The users by the risk band of their probability.
fn by_band(bundle: &Bundle, probabilities: &[f64]) -> Slicing {
    const BANDS: [RiskBand; 3] = [RiskBand::Low, RiskBand::Medium, RiskBand::High];
    let band = |p: &f64| {
        let own = bundle.spec().bands.of(*p);
        BANDS.iter().position(|band| *band == own)
    };
    Slicing {
        dimension: "band".to_owned(),
        names: BANDS.map(|band| band.name().to_owned()).into(),
        of: probabilities.iter().map(band).collect(),
    }
}

/// The baselines of the card's evaluation, fitted on what was known at the day.
fn fitted_baselines(rows: &DayRows<'_>, split: &Split) -> Result<Vec<Baseline>, TrainError> {
    let ctx = rows.ctx;
    let bg_nbd = fit_bg_nbd(ctx, split.test_date)?;
    let preprocessing = fit_preprocessing(&split.known, &ctx.catalogue, bg_nbd);
    let known = TrainingRows::new(ctx, rows.schedule, &split.known, &preprocessing);
    let holdout = Holdout::new(ctx, &preprocessing, &known, split);
    baselines(ctx, &preprocessing, &holdout, rows.schedule.horizon_days)
}

/// The baselines that need no earlier rows: the churn rate of the bundle's own, and its BG/NBD.
fn stored_baselines(rows: &DayRows<'_>, candidate: Candidate<'_>) -> Vec<Baseline> {
    let horizon_days = rows.schedule.horizon_days;
    let Some(card) = candidate.card.horizon(horizon_days) else {
        return Vec::new();
    };
    let churn_rate = card.churn_rate;
    let mut all = vec![Baseline::new(
        "base_rate",
        vec![churn_rate; rows.test.len()],
    )];
    let preprocessing = &rows.bundle.spec().preprocessing;
    all.extend(bg_nbd(
        rows.ctx,
        preprocessing,
        &rows.test,
        horizon_days,
        churn_rate,
    ));
    all
}
