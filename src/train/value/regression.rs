//! The regression of spend on features: a quasi-Poisson model with a log link, so that the total it expects is the total
//! that was spent.
//!
//! Source: McCullagh and Nelder, Generalized Linear Models (1989), 9.

use linfa::ParamGuard;

use crate::card::{Hyperparameters, Winsorised};
use crate::history::Day;
use crate::math::quantile_sorted;
use crate::train::TrainError;
use crate::train::estimators::newton::{Fitted, Newton, Rows, fit_poisson};
use crate::train::estimators::terms::widened;
use crate::train::estimators::training_rows::{Sample, TrainingRows};

/// The share of rows whose spend is cut to that of the largest of the others.
const WINSORISED_SHARE: f64 = 0.001;

/// Rows with their spend.
#[derive(Clone, Copy, Debug)]
pub(super) struct SpendRows<'a> {
    pub(super) rows: &'a TrainingRows<'a>,
    /// Net spend in the label window of each row, at least 0.
    pub(super) spend: &'a [f64],
}

/// A fitted regression: its linear predictor is the logarithm of the spend in the learnt window.
#[derive(Clone, Debug)]
pub(super) struct FittedSpend {
    pub(super) fitted: Fitted,
    pub(super) winsorised: Winsorised,
    pub(super) rows: u64,
}

impl SpendRows<'_> {
    /// Fits a candidate on some rows, for predictions at the day `asked`.
    pub(super) fn fit(
        &self,
        candidate: &Hyperparameters,
        sample: &Sample,
        asked: Day,
        tolerance: f64,
    ) -> Result<FittedSpend, TrainError> {
        let (positions, weights) = self.rows.weights(candidate, sample, asked);
        let terms = self.rows.terms(candidate);
        let values = self.rows.values(&positions, &terms.positions);
        let (targets, winsorised) = self.winsorise(&positions, &weights);
        let rows = Rows {
            values: &values,
            width: terms.positions.len(),
            targets: &targets,
            weights: &weights,
            penalty_factors: &terms.penalty_factors,
        };
        let params = Newton::default()
            .l2(candidate.l2)
            .tolerance(tolerance)
            .check()?;
        let mut fitted = fit_poisson(&params, &rows, None)?;
        fitted.intercept += libm::log(winsorised.factor);
        Ok(FittedSpend {
            fitted: widened(fitted, &terms.positions, self.rows.matrix.width),
            winsorised,
            rows: positions.len() as u64,
        })
    }

    /// The spend of some rows, the largest cut to the quantile beyond which [`WINSORISED_SHARE`] of them lie.
    fn winsorise(&self, positions: &[usize], weights: &[f64]) -> (Vec<f64>, Winsorised) {
        let spend: Vec<f64> = positions.iter().map(|row| self.spend[*row]).collect();
        let mut sorted = spend.clone();
        sorted.sort_by(f64::total_cmp);
        let at = quantile_sorted(&sorted, 1.0 - WINSORISED_SHARE).unwrap_or_default();
        // Of users who hardly ever spend, nothing would be left.
        let at = if at > 0.0 { at } else { f64::MAX };
        let cut: Vec<f64> = spend.iter().map(|y| y.min(at)).collect();
        let total =
            |values: &[f64]| -> f64 { values.iter().zip(weights).map(|(y, w)| y * w).sum() };
        let above = positions.iter().zip(&spend).filter(|(_, y)| **y > at);
        let mut users: Vec<u32> = above.map(|(row, _)| self.rows.data.users[*row]).collect();
        let rows = users.len() as u64;
        users.sort_unstable();
        users.dedup();
        let (whole, left) = (total(&spend), total(&cut));
        let winsorised = Winsorised {
            rows,
            users: users.len() as u64,
            at: if rows > 0 { at } else { 0.0 },
            factor: if left > 0.0 { whole / left } else { 1.0 },
        };
        (cut, winsorised)
    }

    /// The logarithm of the spend that a fit expects of a row.
    pub(super) fn log_spend(&self, fitted: &Fitted, row: usize) -> f64 {
        self.rows.log_odds(fitted, row)
    }
}
