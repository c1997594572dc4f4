//! The line through the log-odds that the backtest implies: what its folds have in common is corrected, as far as it is
//! more than chance.

use std::collections::BTreeMap;

use super::backtest::Fold;
use super::forecast::{Forecaster, LEAST_FOLDS};
use crate::card::{ForecastMethod, Interval, ShiftForecast};
use crate::math::{mean, sigmoid};
use crate::model::Calibration;
use crate::train::metrics::calibration_line;

/// Folds' worth of belief that the slope is 1.
const SLOPE_PRIOR_FOLDS: f64 = 2.0;

/// The calibration that a backtest implies for any day.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BacktestCalibration {
    /// How far the churn rate will be off.
    pub(crate) forecaster: Forecaster,
    /// The slope of the line.
    pub(crate) slope: f64,
    /// The log-odds about which the slope turns the line, so that it leaves the churn rate as it was.
    pub(crate) centre: f64,
}

impl BacktestCalibration {
    /// The calibration of a fit whose churn rate shifts by so much.
    fn line_at(&self, shift: f64) -> Calibration {
        Calibration {
            intercept: shift + (1.0 - self.slope) * self.centre,
            slope: self.slope,
        }
    }

    /// The line for a day with these forecasts of the shift.
    pub(crate) fn line(&self, forecasts: &BTreeMap<ForecastMethod, f64>) -> Calibration {
        self.line_at(self.forecaster.shift(forecasts))
    }
}

/// Estimates the calibration from the folds of the selected candidate, newest first: a shift that can be forecast or keeps
/// coming back, and log-odds that are too far apart.
pub(crate) fn calibrate(folds: &[Fold], window_days: i32) -> BacktestCalibration {
    let effective = effective_folds(folds, window_days);
    let forecaster = Forecaster::new(folds, effective);
    let (mut predicted, mut churned) = (Vec::new(), Vec::new());
    let (mut weighted_log_odds, mut hessian_weight) = (0.0, 0.0);
    for fold in folds {
        for (x, y) in fold.log_odds.iter().zip(&fold.churned) {
            let p = sigmoid(x + fold.shift);
            weighted_log_odds += p * (1.0 - p) * x;
            hessian_weight += p * (1.0 - p);
            predicted.push(p);
            churned.push(*y);
        }
    }
    let mut slope = 1.0;
    if effective >= LEAST_FOLDS {
        let (_, observed_slope) = calibration_line(&predicted, &churned, 1e-6);
        // Fits on fewer rows are underconfident under the same penalty, so only overconfidence says something of the final fit.
        slope +=
            (observed_slope.clamp(0.5, 1.0) - 1.0) * effective / (effective + SLOPE_PRIOR_FOLDS);
    }
    BacktestCalibration {
        forecaster,
        slope,
        centre: weighted_log_odds / hessian_weight.max(1e-12),
    }
}

/// How many independent folds some folds, newest first, are worth: neighbours share much of their label windows.
pub(crate) fn effective_folds(folds: &[Fold], window_days: i32) -> f64 {
    let (Some(newest), Some(oldest)) = (folds.first(), folds.last()) else {
        return 0.0;
    };
    let span_days = newest.date.since(oldest.date);
    (1.0 + f64::from(span_days) / f64::from(window_days)).min(folds.len() as f64)
}

/// What the card says of a forecaster: how far predicted and observed churn rates lay apart at the folds, with it and without.
pub(crate) fn forecast_card(
    forecaster: &Forecaster,
    folds: &[Fold],
    window_days: i32,
) -> ShiftForecast {
    let bias = |fold: &Fold, shift: f64| {
        let predicted = fold.log_odds.iter().map(|x| sigmoid(x + shift));
        let observed = fold.churned.iter().filter(|y| **y).count() as f64;
        ((predicted.sum::<f64>() - observed) / fold.churned.len().max(1) as f64).abs()
    };
    let with = folds
        .iter()
        .map(|fold| bias(fold, forecaster.shift(&fold.forecasts)));
    let with: Vec<f64> = with.collect();
    let without: Vec<f64> = folds.iter().map(|fold| bias(fold, 0.0)).collect();
    let differences: Vec<f64> = with.iter().zip(&without).map(|(a, b)| a - b).collect();
    let some = |values: &[f64]| (!values.is_empty()).then(|| mean(values));
    ShiftForecast {
        method: forecaster.method.map(|(method, _)| method),
        share: forecaster.method.map_or(0.0, |(_, share)| share),
        lasting: forecaster.lasting,
        bias: some(&with),
        bias_without: some(&without),
        bias_difference: interval_over_dates(&differences, effective_folds(folds, window_days)),
    }
}

/// The mean of one figure for each date with its interval of two standard errors; `None` for dates worth less than two
/// independent ones.
pub(crate) fn interval_over_dates(values: &[f64], effective: f64) -> Option<Interval> {
    if effective < LEAST_FOLDS {
        return None;
    }
    let middle = mean(values);
    let squares: f64 = values.iter().map(|v| (v - middle) * (v - middle)).sum();
    let error = (squares / (values.len() as f64 - 1.0) / effective).sqrt();
    Some(Interval {
        value: middle,
        low: middle - 2.0 * error,
        high: middle + 2.0 * error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Day;

    fn folds(shifts: &[f64], overconfidence: f64) -> Vec<Fold> {
        let made = |(k, shift): (usize, &f64)| {
            let truth: Vec<f64> = (0..2_000).map(|i| f64::from(i % 41) / 10.0 - 2.0).collect();
            let churned = truth
                .iter()
                .enumerate()
                .map(|(i, x)| ((i * 7_919 + k * 31) % 2_000) as f64 / 2_000.0 < sigmoid(x + shift));
            let date = "2024-06-01".parse::<Day>().unwrap().plus(-(k as i32) * 30);
            let log_odds = truth.iter().map(|x| overconfidence * x).collect();
            let churned: Vec<bool> = churned.collect();
            Fold {
                date,
                log_odds,
                churned,
                shift: *shift,
                fits: Vec::new(),
                forecasts: BTreeMap::new(),
            }
        };
        shifts.iter().enumerate().map(made).collect()
    }

    #[test]
    fn a_shift_that_keeps_coming_back_is_put_right_and_one_that_comes_and_goes_is_not() {
        let intercept = |shifts: &[f64]| {
            let line = calibrate(&folds(shifts, 1.0), 60).line(&BTreeMap::new());
            line.intercept
        };
        let lasting = [0.5, 0.45, 0.55, 0.5, 0.48, 0.52];
        let added = calibrate(&folds(&lasting, 1.0), 60).forecaster.lasting;
        assert!((0.15..0.25).contains(&added), "{added}");
        assert!((intercept(&lasting) - 0.25).abs() < 0.06);
        assert!(intercept(&[0.5, -0.4, 0.1, -0.5, 0.45, -0.1]).abs() < 0.05);
    }

    #[test]
    fn nothing_is_taken_from_a_single_date() {
        // However large the shift, and however overconfident the log-odds.
        for once in [folds(&[0.9], 1.0), folds(&[0.9, 0.9], 1.9), Vec::new()] {
            let line = calibrate(&once, 60).line(&BTreeMap::new());
            assert_eq!(line, Calibration::IDENTITY, "{} dates", once.len());
        }
        // The negative control: two dates a window apart are two.
        let twice = calibrate(&folds(&[0.9, 0.9], 1.9), 30).line(&BTreeMap::new());
        assert!(twice.intercept > 0.1 && twice.slope < 0.95, "{twice:?}");
    }

    #[test]
    fn overconfident_log_odds_are_drawn_together_without_moving_the_churn_rate() {
        let overconfident = folds(&[0.0; 6], 1.5);
        let line = calibrate(&overconfident, 30).line(&BTreeMap::new());
        assert!(line.slope < 0.85 && line.slope > 1.0 / 1.5, "{line:?}");
        let rate = |line: Calibration| {
            mean(
                &overconfident[0]
                    .log_odds
                    .iter()
                    .map(|x| sigmoid(line.intercept + line.slope * x))
                    .collect::<Vec<_>>(),
            )
        };
        assert!((rate(line) - rate(Calibration::IDENTITY)).abs() < 0.01);
        let underconfident = calibrate(&folds(&[0.0; 6], 0.7), 30);
        assert_eq!(underconfident.slope, 1.0);
    }

    #[test]
    fn the_card_compares_the_bias_with_and_without_the_forecast() {
        let lasting = folds(&[0.5, 0.45, 0.55, 0.5, 0.48, 0.52], 1.0);
        let card = forecast_card(&calibrate(&lasting, 30).forecaster, &lasting, 30);
        let (with, without) = (card.bias.unwrap(), card.bias_without.unwrap());
        assert!(without > 0.08 && with < 0.6 * without, "{card:?}");
        let difference = card.bias_difference.unwrap();
        assert!((difference.value - (with - without)).abs() < 1e-12 && difference.high < 0.0);
        let once = forecast_card(&Forecaster::default(), &lasting[..1], 30);
        assert_eq!((once.bias, once.bias_difference), (once.bias_without, None));
    }
}
