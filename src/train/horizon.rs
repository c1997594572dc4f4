//! One horizon's model: judged out of time first, then fitted again on every date.

use std::collections::BTreeMap;

use linfa::ParamGuard;

use super::TrainError;
use super::card::{Evaluation, HorizonCard};
use super::challenger::{Sample, challenge};
use super::dataset::Dataset;
use super::fit::{ModelConfig, Solver};
use super::logistic::{Fitted, NewtonLogistic, Rows, fit_reference, fit_rows};
use super::metrics::{calibration_curve, calibration_line, evaluate, gains};
use super::schedule::Schedule;
use crate::features::{Catalogue, Quantity};
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
}

/// One horizon's model and its part of the card.
#[derive(Clone, Debug)]
pub(super) struct FittedHorizon {
    pub(super) model: ChurnModel,
    pub(super) card: HorizonCard,
}

/// The penalties that are tried, weakest first.
const L2_GRID: [f64; 7] = [1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0];
/// The penalty where there is no later date to choose one on.
const L2_DEFAULT: f64 = 10.0;
/// Rows' worth of pull of a calibration towards leaving the log-odds as they are.
const CALIBRATION_PRIOR: f64 = 50.0;

pub(super) fn fit_horizon(input: &HorizonInput<'_>) -> Result<FittedHorizon, TrainError> {
    let (l2, l2_curve) = choose_l2(input)?;
    let evaluation = judge(input, l2)?;
    let last = input.fit(input.data, l2)?;
    let mut effects: Vec<(String, f64)> =
        input.catalogue.features().iter().map(|f| f.name.clone()).zip(last.weights.iter().copied()).collect();
    effects.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    Ok(FittedHorizon {
        card: HorizonCard {
            horizon_days: input.horizon_days,
            snapshots: input.schedule.fit.clone(),
            rows: input.data.len() as u64,
            churn_rate: input.data.churn_rate(),
            dropped: BTreeMap::new(),
            solver: input.config.solver.name().to_owned(),
            l2,
            l2_curve,
            evaluation,
            effects,
        },
        model: ChurnModel {
            horizon_days: input.horizon_days,
            intercept: last.intercept,
            weights: last.weights,
            calibration: Calibration::IDENTITY,
        },
    })
}

impl HorizonInput<'_> {
    fn fit(&self, data: &Dataset, l2: f64) -> Result<Fitted, TrainError> {
        self.fit_values(&data.standardised(self.columns), self.columns.len(), &data.labels, l2)
    }

    fn fit_values(&self, values: &[f64], width: usize, labels: &[bool], l2: f64) -> Result<Fitted, TrainError> {
        let weights = vec![1.0; labels.len()];
        let rows = Rows { values, width, labels, weights: &weights };
        let fitted = match self.config.solver {
            Solver::Newton => NewtonLogistic::default().l2(l2).check().and_then(|params| fit_rows(&params, &rows)),
            Solver::Linfa => fit_reference(l2, &rows),
        };
        fitted.map_err(|source| TrainError::Logistic { horizon_days: self.horizon_days, source })
    }

    fn log_odds(&self, fitted: &Fitted, data: &Dataset) -> Vec<f64> {
        data.standardised(self.columns).chunks_exact(self.columns.len()).map(|row| fitted.log_odds(row)).collect()
    }
}

/// Rows of both classes, enough to fit or judge on.
fn usable(data: &Dataset) -> bool {
    let rate = data.churn_rate();
    data.len() >= 50 && rate > 0.0 && rate < 1.0
}

/// The penalty with the smallest log loss on the date after training, and the curve.
fn choose_l2(input: &HorizonInput<'_>) -> Result<(f64, Vec<(f64, f64)>), TrainError> {
    if let Some(l2) = input.config.l2 {
        return Ok((l2, Vec::new()));
    }
    let Some(later) = input.schedule.calibration.or(input.schedule.test) else {
        return Ok((L2_DEFAULT, Vec::new()));
    };
    let (train, later) = (input.data.at(&input.schedule.train), input.data.at(&[later]));
    if !usable(&train) || later.is_empty() {
        return Ok((L2_DEFAULT, Vec::new()));
    }
    let mut curve = Vec::with_capacity(L2_GRID.len());
    for l2 in L2_GRID {
        let fitted = input.fit(&train, l2)?;
        let log_odds = input.log_odds(&fitted, &later);
        let losses = log_odds.iter().zip(&later.labels).map(|(x, y)| log_loss_of_logit(*x, *y));
        curve.push((l2, losses.sum::<f64>() / later.len() as f64));
    }
    let best = curve.iter().min_by(|a, b| a.1.total_cmp(&b.1)).map_or(L2_DEFAULT, |(l2, _)| *l2);
    Ok((best, curve))
}

/// Trains on the earlier dates, calibrates on the date between and judges on the latest.
fn judge(input: &HorizonInput<'_>, l2: f64) -> Result<Option<Evaluation>, TrainError> {
    let Some(test_date) = input.schedule.test else { return Ok(None) };
    let train = input.data.at(&input.schedule.train);
    let test = input.data.at(&[test_date]);
    if !usable(&train) || !usable(&test) {
        return Ok(None);
    }
    let seed = input.config.seed;
    let fitted = input.fit(&train, l2)?;
    let calibration = match input.schedule.calibration {
        Some(date) => calibrate(input, &fitted, &input.data.at(&[date])),
        None => Calibration::IDENTITY,
    };
    let log_odds = input.log_odds(&fitted, &test);
    let p: Vec<f64> = log_odds.iter().map(|x| sigmoid(calibration.intercept + calibration.slope * x)).collect();
    let mut baselines = BTreeMap::new();
    let base = vec![train.churn_rate(); test.len()];
    baselines.insert("base_rate".to_owned(), evaluate(&base, &test.labels, seed));
    if let Some(position) = input.catalogue.position(Quantity::Recency) {
        let only = |data: &Dataset| -> Vec<f64> {
            let z = data.standardised(input.columns);
            z.iter().skip(position).step_by(data.width).copied().collect()
        };
        let single = input.fit_values(&only(&train), 1, &train.labels, 1.0)?;
        let p: Vec<f64> = only(&test).iter().map(|x| sigmoid(single.log_odds(&[*x]))).collect();
        baselines.insert("recency_only".to_owned(), evaluate(&p, &test.labels, seed));
    }
    let challenger = if input.challenger {
        let z = train.standardised(input.columns);
        let sample = Sample { z: &z, width: train.width, churned: &train.labels };
        let p = challenge(sample, &test.standardised(input.columns), seed)?;
        Some(evaluate(&p, &test.labels, seed))
    } else {
        None
    };
    Ok(Some(Evaluation {
        train: input.schedule.train.clone(),
        calibration: input.schedule.calibration,
        test: test_date,
        users: test.len() as u64,
        churn_rate: test.churn_rate(),
        model: evaluate(&p, &test.labels, seed),
        baselines,
        challenger,
        calibration_curve: calibration_curve(&p, &test.labels),
        gains: gains(&p, &test.labels),
    }))
}

fn calibrate(input: &HorizonInput<'_>, fitted: &Fitted, later: &Dataset) -> Calibration {
    if !usable(later) {
        return Calibration::IDENTITY;
    }
    let p: Vec<f64> = input.log_odds(fitted, later).iter().map(|x| sigmoid(*x)).collect();
    let (intercept, slope) = calibration_line(&p, &later.labels, CALIBRATION_PRIOR);
    if slope > 0.0 && intercept.is_finite() && slope.is_finite() {
        Calibration { intercept, slope }
    } else {
        Calibration::IDENTITY
    }
}
