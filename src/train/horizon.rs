//! One horizon's model: the fitting procedure is first judged where it would have stood one label window ago, then
//! carried out on everything.

use std::collections::BTreeMap;

use linfa::ParamGuard;

use super::TrainError;
use super::card::{EffectCard, Evaluation, HorizonCard};
use super::challenger::{Sample, challenge};
use super::dataset::Dataset;
use super::evaluation::{Judged, JudgedOn, Predictions, by_date, evaluation};
use super::fit::{ModelConfig, Solver};
use super::logistic::{Fitted, NewtonLogistic, Rows, fit_reference, fit_rows};
use super::rivals::{Rival, best_feature};
use super::schedule::Schedule;
use super::slices::Slicer;
use crate::features::{Catalogue, Feature, Quantity};
use crate::history::Day;
use crate::math::{log_loss_of_logit, sigmoid};
use crate::model::{Calibration, ChurnModel, Column};

/// What one horizon's fit works on.
#[derive(Clone, Copy, Debug)]
pub(super) struct HorizonInput<'a> {
    pub(super) data: &'a Dataset,
    pub(super) schedule: &'a Schedule,
    pub(super) columns: &'a [Column],
    pub(super) catalogue: &'a Catalogue,
    pub(super) horizon_days: u16,
    pub(super) config: &'a ModelConfig,
    pub(super) challenger: bool,
    pub(super) slicer: &'a Slicer<'a>,
}

/// One horizon's model and its part of the card.
#[derive(Clone, Debug)]
pub(super) struct FittedHorizon {
    pub(super) model: ChurnModel,
    pub(super) card: HorizonCard,
}

/// What the fitting procedure gives on some dates.
struct Procedure {
    fitted: Fitted,
    calibration: Calibration,
    /// The date that chose the penalty and the calibration, if there was one.
    chosen_on: Option<Day>,
    l2: f64,
    curve: Vec<(f64, f64)>,
}

/// The penalties that are tried, strongest first.
const L2_GRID: [f64; 6] = [300.0, 100.0, 30.0, 10.0, 3.0, 1.0];
/// The penalty where there is no later date to choose one on.
const L2_DEFAULT: f64 = 10.0;
/// The share of the latest shift in the base rate that is taken to last. The weights have since learnt from the
/// latest date too, and a season turns as often as a trend goes on.
const SHIFT_SHARE: f64 = 0.5;

pub(super) fn fit_horizon(input: &HorizonInput<'_>) -> Result<FittedHorizon, TrainError> {
    let (evaluation, predictions) = judge(input)?.unzip();
    let Procedure { fitted, calibration, l2, curve, .. } = carry_out(input, &input.schedule.fit)?;
    let effect = |(f, weight): (&Feature, &f64)| EffectCard {
        feature: f.name.clone(),
        sentence: f.sentence.clone(),
        theme: f.theme,
        impact: calibration.slope * weight,
    };
    let mut effects: Vec<EffectCard> = input.catalogue.features().iter().zip(&fitted.weights).map(effect).collect();
    effects.sort_by(|a, b| b.impact.abs().total_cmp(&a.impact.abs()));
    Ok(FittedHorizon {
        card: HorizonCard {
            horizon_days: input.horizon_days,
            snapshots: input.schedule.fit.clone(),
            rows: input.data.len() as u64,
            churn_rate: input.data.churn_rate(),
            dropped: BTreeMap::new(),
            solver: input.config.solver.name().to_owned(),
            l2,
            l2_curve: curve,
            calibration,
            evaluation,
            by_date: by_date(input.data, predictions.as_slice()),
            effects,
        },
        model: ChurnModel {
            horizon_days: input.horizon_days,
            intercept: fitted.intercept,
            weights: fitted.weights,
            calibration,
        },
    })
}

impl HorizonInput<'_> {
    /// Standardised rows of some data, ready to fit.
    fn standardised(&self, data: &Dataset) -> Standardised {
        Standardised { z: data.standardised(self.columns), labels: data.labels.clone() }
    }

    fn fit(&self, data: &Standardised, l2: f64, start: Option<&Fitted>) -> Result<Fitted, TrainError> {
        self.fit_values(&data.z, self.columns.len(), &data.labels, l2, start)
    }

    fn fit_values(
        &self,
        values: &[f64],
        width: usize,
        labels: &[bool],
        l2: f64,
        start: Option<&Fitted>,
    ) -> Result<Fitted, TrainError> {
        let weights = vec![1.0; labels.len()];
        let rows = Rows { values, width, labels, weights: &weights };
        let fitted = match self.config.solver {
            Solver::Newton => NewtonLogistic::default().l2(l2).check().and_then(|p| fit_rows(&p, &rows, start)),
            Solver::Linfa => fit_reference(l2, &rows),
        };
        fitted.map_err(|source| TrainError::Logistic { horizon_days: self.horizon_days, source })
    }

    /// The churn probabilities of the rows `asked` by a model on one feature alone.
    fn single(&self, position: usize, train: &Dataset, asked: &Dataset) -> Result<Vec<f64>, TrainError> {
        let only = |data: &Dataset| -> Vec<f64> {
            let column = self.columns.get(position);
            data.column(position).map(|raw| column.map_or(0.0, |c| c.standardise(raw))).collect()
        };
        let fitted = self.fit_values(&only(train), 1, &train.labels, 1.0, None)?;
        Ok(only(asked).iter().map(|x| sigmoid(fitted.log_odds(&[*x]))).collect())
    }
}

/// Rows standardised once, however often they are fitted or asked about.
struct Standardised {
    z: Vec<f64>,
    labels: Vec<bool>,
}

impl Standardised {
    fn log_odds(&self, fitted: &Fitted) -> Vec<f64> {
        self.z.chunks_exact(fitted.weights.len().max(1)).map(|row| fitted.log_odds(row)).collect()
    }
}

/// Rows of both classes, enough to fit or judge on.
fn usable(data: &Dataset) -> bool {
    let rate = data.churn_rate();
    data.len() >= 50 && rate > 0.0 && rate < 1.0
}

/// The whole fitting procedure on the labels of `dates`: the latest of them, with an embargo before it, chooses
/// the penalty and the calibration; the weights then come from all.
fn carry_out(input: &HorizonInput<'_>, dates: &[Day]) -> Result<Procedure, TrainError> {
    let all = input.standardised(&input.data.at(dates));
    let latest = dates.last().copied();
    let chooser = latest.map(|day| (day, input.data.at(&input.schedule.before(day)), input.data.at(&[day])));
    let Some((day, earlier, later)) = chooser.filter(|(_, earlier, later)| usable(earlier) && usable(later)) else {
        let l2 = input.config.l2.unwrap_or(L2_DEFAULT);
        let fitted = input.fit(&all, l2, None)?;
        let calibration = Calibration::IDENTITY;
        return Ok(Procedure { fitted, calibration, chosen_on: None, l2, curve: Vec::new() });
    };
    let (earlier, later) = (input.standardised(&earlier), input.standardised(&later));
    let tried = input.config.l2.map_or(L2_GRID.to_vec(), |l2| vec![l2]);
    let mut curve = Vec::with_capacity(tried.len());
    let (mut least, mut l2, mut shift) = (f64::INFINITY, L2_DEFAULT, 0.0);
    let mut start: Option<Fitted> = None;
    let mut best: Option<Fitted> = None;
    for strength in tried {
        let fitted = input.fit(&earlier, strength, start.as_ref())?;
        let log_odds = later.log_odds(&fitted);
        let moved = base_rate_shift(&log_odds, &later.labels);
        let losses = log_odds.iter().zip(&later.labels).map(|(x, y)| log_loss_of_logit(x + moved, *y));
        let loss = losses.sum::<f64>() / later.labels.len() as f64;
        curve.push((strength, loss));
        if loss < least {
            (least, l2, shift) = (loss, strength, moved);
            best = Some(fitted.clone());
        }
        start = Some(fitted);
    }
    // How far the churn rate of the later date lay from what the earlier ones predicted.
    let calibration = Calibration { intercept: SHIFT_SHARE * shift, slope: 1.0 };
    let fitted = input.fit(&all, l2, best.as_ref())?;
    Ok(Procedure { fitted, calibration, chosen_on: Some(day), l2, curve })
}

/// What must be added to all log-odds for the mean probability to equal the churn rate.
fn base_rate_shift(log_odds: &[f64], churned: &[bool]) -> f64 {
    let observed = churned.iter().filter(|y| **y).count() as f64;
    let mut shift = 0.0;
    for _ in 0..50 {
        let p = log_odds.iter().map(|x| sigmoid(x + shift));
        let (sum, bend) = p.fold((0.0, 1e-9), |(sum, bend), p| (sum + p, bend + p * (1.0 - p)));
        let step = ((observed - sum) / bend).clamp(-1.0, 1.0);
        shift += step;
        if step.abs() < 1e-12 {
            break;
        }
    }
    shift
}

/// The procedure as it would have been carried out at the test date, judged on what then happened.
fn judge(input: &HorizonInput<'_>) -> Result<Option<(Evaluation, Predictions)>, TrainError> {
    let Some(test_date) = input.schedule.test else { return Ok(None) };
    let known = input.schedule.before(test_date);
    let (train, test) = (input.data.at(&known), input.data.at(&[test_date]));
    if !usable(&train) || !usable(&test) {
        return Ok(None);
    }
    let seed = input.config.seed;
    // Even the scales come from what was known.
    let columns = train.columns(input.catalogue);
    let input = &HorizonInput { columns: &columns, ..*input };
    let Procedure { fitted, calibration, chosen_on, .. } = carry_out(input, &known)?;
    let asked = input.standardised(&test);
    let log_odds = asked.log_odds(&fitted);
    let p: Vec<f64> = log_odds.iter().map(|x| sigmoid(calibration.intercept + calibration.slope * x)).collect();
    let mut rivals = vec![Rival::new("base_rate", vec![train.churn_rate(); test.len()])];
    let best = best_feature(&train, &columns);
    for (name, position) in [("recency_only", input.catalogue.position(Quantity::Recency)), ("best_single", best)] {
        if let Some(feature) = position.and_then(|p| input.catalogue.features().get(p)) {
            let predicted = input.single(position.unwrap_or_default(), &train, &test)?;
            rivals.push(Rival::new(name, predicted).on(&feature.name));
        }
    }
    if input.challenger {
        let z = train.standardised(input.columns);
        let sample = Sample { z: &z, width: train.width, churned: &train.labels };
        rivals.push(Rival::new("random_forest", challenge(sample, &asked.z, seed)?));
    }
    let slicings = input.slicer.slicings(&test);
    let judged = Judged { users: &test.users, churned: &test.labels, model: &p, rivals, slicings };
    let on = JudgedOn { train: known, calibration: chosen_on, test: test_date };
    let evaluation = evaluation(&judged, on, seed);
    Ok(Some((evaluation, Predictions { date: test_date, predicted: p, churned: test.labels })))
}
