//! The line through the log-odds that the backtest implies: what its folds have in common is corrected, as far as it is
//! more than chance.

use super::backtest::Fold;
use crate::math::{mean, sigmoid};
use crate::model::Calibration;
use crate::train::metrics::calibration_line;

/// Variance in log-odds of the churn rate's shift from date to date where nothing is known: that of the three public
/// logs (some 130 dates) that the method was chosen on. It counts as one fold beside those observed.
const SHIFT_PRIOR_VARIANCE: f64 = 0.03;
/// A mean shift counts only as far as its square exceeds its variance this many times: two standard errors. On the same
/// logs neither the latest shift nor the last weeks' activity had any correlation with the next shift.
const SHIFT_PRIOR_WEIGHT: f64 = 4.0;
/// The share of a lasting shift that is taken to last on.
const SHIFT_PERSISTENCE: f64 = 0.5;
/// Folds' worth of belief that the slope is 1.
const SLOPE_PRIOR_FOLDS: f64 = 2.0;

/// The calibration that a backtest implies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct BacktestCalibration {
    /// The line through the log-odds.
    pub(crate) line: Calibration,
    /// The part of its intercept that carries a lasting shift of the churn rate forward.
    pub(crate) shrunk_shift: f64,
}

/// Estimates the calibration from the folds of the selected candidate, newest first: a shift that keeps coming back, and
/// log-odds that are too far apart.
pub(crate) fn calibrate(folds: &[Fold], window_days: i32) -> BacktestCalibration {
    let (Some(newest), Some(oldest)) = (folds.first(), folds.last()) else {
        return BacktestCalibration {
            line: Calibration::IDENTITY,
            shrunk_shift: 0.0,
        };
    };
    let shifts: Vec<f64> = folds.iter().map(|fold| fold.shift).collect();
    let span_days = newest.date.since(oldest.date);
    let effective = effective_folds(span_days, folds.len(), window_days);
    let shrunk_shift = shrunk_shift(&shifts, effective);
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
    let (_, observed_slope) = calibration_line(&predicted, &churned, 1e-6);
    // Fits on fewer rows are underconfident under the same penalty, so only overconfidence says something of the final fit.
    let slope =
        1.0 + (observed_slope.clamp(0.5, 1.0) - 1.0) * effective / (effective + SLOPE_PRIOR_FOLDS);
    // Turned about the middle of the log-odds, so that the slope leaves the churn rate as it was.
    let line = Calibration {
        intercept: shrunk_shift + (1.0 - slope) * weighted_log_odds / hessian_weight.max(1e-12),
        slope,
    };
    BacktestCalibration { line, shrunk_shift }
}

/// How many independent folds some folds, `span_days` from the first to the last, are worth: neighbours share much of
/// their label windows.
fn effective_folds(span_days: i32, folds: usize, window_days: i32) -> f64 {
    (1.0 + f64::from(span_days) / f64::from(window_days)).min(folds as f64)
}

/// The part of the folds' mean shift that is taken to last on, shrunk by its variance.
fn shrunk_shift(shifts: &[f64], effective_folds: f64) -> f64 {
    let middle = mean(shifts);
    let squares: f64 = shifts.iter().map(|s| (s - middle) * (s - middle)).sum();
    let observed = squares / (shifts.len() as f64 - 1.0).max(1.0);
    let variance = (observed * (effective_folds - 1.0) + SHIFT_PRIOR_VARIANCE) / effective_folds;
    let doubt = SHIFT_PRIOR_WEIGHT * variance / effective_folds / (middle * middle).max(1e-12);
    SHIFT_PERSISTENCE * middle * (1.0 - doubt).max(0.0)
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
            }
        };
        shifts.iter().enumerate().map(made).collect()
    }

    #[test]
    fn a_shift_that_keeps_coming_back_is_put_right_and_one_that_comes_and_goes_is_not() {
        let BacktestCalibration {
            line: lasting,
            shrunk_shift,
        } = calibrate(&folds(&[0.5, 0.45, 0.55, 0.5, 0.48, 0.52], 1.0), 60);
        assert!((0.15..0.25).contains(&shrunk_shift), "{shrunk_shift}");
        assert!((lasting.intercept - 0.25).abs() < 0.06, "{lasting:?}");
        let mixed = calibrate(&folds(&[0.5, -0.4, 0.1, -0.5, 0.45, -0.1], 1.0), 60).line;
        assert!(mixed.intercept.abs() < 0.05, "{mixed:?}");
        // Not even a large one, if it was seen once.
        let once = calibrate(&folds(&[0.35], 1.0), 60).line;
        assert!(once.intercept.abs() < 0.05, "{once:?}");
        assert_eq!(
            calibrate(&[], 60),
            BacktestCalibration {
                line: Calibration::IDENTITY,
                shrunk_shift: 0.0
            }
        );
    }

    #[test]
    fn overconfident_log_odds_are_drawn_together_without_moving_the_churn_rate() {
        let overconfident = folds(&[0.0; 6], 1.5);
        let line = calibrate(&overconfident, 30).line;
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
        let underconfident = calibrate(&folds(&[0.0; 6], 0.7), 30).line;
        assert_eq!(underconfident.slope, 1.0);
    }
}
