use linfa::dataset::{AsSingleTargets, Records};
use linfa::traits::{Fit, PredictInplace};
use linfa::{DatasetBase, ParamGuard};
use ndarray::{Array1, ArrayBase, Data, Ix2};

use super::curvature::{curvature, log_odds};
use super::{LogisticError, NewtonLogistic, NewtonLogisticValid, Rows};
use crate::math::{cholesky_factor, dot, sigmoid, solve_factored};

/// A fitted logistic regression.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// The log-odds where all features are 0.
    pub intercept: f64,
    /// One weight for each feature.
    pub weights: Vec<f64>,
    /// The value of the minimised function.
    pub objective: f64,
    /// Newton steps taken.
    pub steps: usize,
    /// The lower triangle of the last curvature that was looked at, intercept last, without the penalty and for a
    /// weight of 1: where the next fit of much the same rows can start from. May be empty.
    pub curvature: Vec<f64>,
}

impl Fitted {
    /// The log-odds of `true` for one row.
    pub fn log_odds(&self, row: &[f64]) -> f64 {
        self.intercept + dot(&self.weights, row)
    }
}

/// The fewest rows that the curvature is taken from.
const LEAST_CURVATURE_ROWS: usize = 2_048;
/// The same for each feature.
const CURVATURE_ROWS_PER_FEATURE: usize = 12;
/// A step that leaves more than this share of the gradient asks for a fresh look at the curvature.
const SLOW: f64 = 0.5;

/// One row in so many is fitted first when there are at least [`MANY_ROWS`]: a look at the slope then costs little, and
/// from where that ends a few looks at all rows are enough.
const FIRST_SHARE: usize = 16;
/// What is worth it.
const MANY_ROWS: usize = 100_000;
/// The mean gradient that is good enough for the first rows.
const FIRST_TOLERANCE: f64 = 1e-6;

/// Newton's method with a line search: the objective is strictly convex, so there is one optimum and every accepted
/// step comes closer to it. Starts from `start`, its weights and its curvature; or from the optimum of a share of the
/// rows when they are many; or from zero.
///
/// The gradient is always that of all rows, and convergence is judged by it. The curvature only says where to step, so
/// it comes from evenly taken rows, is kept as long as the steps it gives are good, and is taken again where the last
/// step led, from more rows, when they are not.
///
/// Source: iteratively reweighted least squares, McCullagh and Nelder, Generalized Linear Models (1989), 2.5;
/// subsampled curvature, Roosta-Khorasani and Mahoney, Mathematical Programming 174 (2019).
pub fn fit_rows(
    params: &NewtonLogisticValid,
    rows: &Rows<'_>,
    start: Option<&Fitted>,
) -> Result<Fitted, LogisticError> {
    rows.check()?;
    let few = LEAST_CURVATURE_ROWS.max(CURVATURE_ROWS_PER_FEATURE * rows.width);
    if start.is_none() && rows.labels.len() >= MANY_ROWS {
        let first = fit_share(params, rows, few);
        return descend(
            params,
            rows,
            first.as_ref(),
            few.max(rows.labels.len() / FIRST_SHARE),
        );
    }
    descend(params, rows, start, few)
}

/// The optimum of evenly taken rows, without its curvature, which is not that of enough rows; `None` when they have none.
fn fit_share(params: &NewtonLogisticValid, rows: &Rows<'_>, sample: usize) -> Option<Fitted> {
    let (values, labels, weights) = rows.every(FIRST_SHARE);
    let share = Rows {
        values: &values,
        width: rows.width,
        labels: &labels,
        weights: &weights,
        penalty_factors: rows.penalty_factors,
    };
    share.check().ok()?;
    let tolerance = params.tolerance().max(FIRST_TOLERANCE);
    let params = NewtonLogistic::default()
        .l2(params.l2() / FIRST_SHARE as f64)
        .tolerance(tolerance)
        .check()
        .ok()?;
    descend(&params, &share, None, sample)
        .ok()
        .map(|fitted| Fitted {
            curvature: Vec::new(),
            ..fitted
        })
}

/// [`fit_rows`] from `start` or from zero, with a first look at the curvature of `sample` rows.
fn descend(
    params: &NewtonLogisticValid,
    rows: &Rows<'_>,
    start: Option<&Fitted>,
    mut sample: usize,
) -> Result<Fitted, LogisticError> {
    let total: f64 = rows.weights.iter().sum();
    // The intercept comes last.
    let mut beta = vec![0.0; rows.width + 1];
    let mut seen = Vec::new();
    // The gradient that the step before left, and whether the curvature is that of all rows, here.
    let (mut last, mut exact) = (0.0, false);
    if let Some(start) = start.filter(|s| s.weights.len() == rows.width) {
        beta.clone_from(&start.weights);
        beta.push(start.intercept);
        seen.clone_from(&start.curvature);
        last = if seen.is_empty() { 0.0 } else { f64::INFINITY };
    }
    let mut factor = penalised(params, rows, &seen, total).unwrap_or_default();
    last = if factor.is_empty() { 0.0 } else { last };
    let mut here = slope(params, rows, &beta);
    let mut steepest = f64::INFINITY;
    for steps in 0..params.max_steps() {
        steepest = here.steepest() / total;
        let stuck = LogisticError::NotConverged {
            steps,
            gradient: steepest,
        };
        if steepest <= params.tolerance() {
            return Ok(finish(beta, here.objective, steps, seen));
        }
        if steepest > SLOW * last {
            seen = curvature(rows, &beta, sample);
            factor = penalised(params, rows, &seen, total).ok_or(stuck)?;
            exact = sample >= rows.labels.len();
            sample = sample.saturating_mul(4);
        }
        let mut direction = here.gradient.clone();
        solve_factored(&factor, &mut direction);
        match line_search(params, rows, &beta, &direction, &here) {
            Some(next) => (beta, here, last, exact) = (next.0, next.1, steepest, false),
            // An old or sampled curvature may mislead; that of all rows, here, does not.
            None if !exact => (last, sample) = (0.0, usize::MAX),
            // No step makes progress: the optimum is reached as far as the arithmetic can tell.
            None if steepest <= params.tolerance().sqrt() => {
                return Ok(finish(beta, here.objective, steps, seen));
            }
            None => {
                return Err(LogisticError::NotConverged {
                    steps,
                    gradient: steepest,
                });
            }
        }
    }
    Err(LogisticError::NotConverged {
        steps: params.max_steps(),
        gradient: steepest,
    })
}

fn finish(mut beta: Vec<f64>, objective: f64, steps: usize, curvature: Vec<f64>) -> Fitted {
    let intercept = beta.pop().unwrap_or_default();
    Fitted {
        intercept,
        weights: beta,
        objective,
        steps,
        curvature,
    }
}

/// The Cholesky factor of a curvature for a weight of `total` with the penalty; `None` when there is none.
fn penalised(
    params: &NewtonLogisticValid,
    rows: &Rows<'_>,
    curvature: &[f64],
    total: f64,
) -> Option<Vec<f64>> {
    let size = rows.width + 1;
    let mut matrix: Vec<f64> = curvature.iter().map(|x| x * total).collect();
    // A curvature that was not looked at yet is empty.
    let diagonal = matrix.iter_mut().step_by(size + 1);
    for (entry, penalty) in diagonal.zip(rows.penalties(params.l2())) {
        *entry += penalty;
    }
    cholesky_factor(&mut matrix, size).map(|()| matrix)
}

/// The objective and its gradient at one point.
struct Slope {
    objective: f64,
    gradient: Vec<f64>,
}

impl Slope {
    fn steepest(&self) -> f64 {
        self.gradient.iter().fold(0.0, |m, g| m.max(g.abs()))
    }

    /// Lower than `other`; or level with it as far as the arithmetic can tell, and much flatter.
    fn improves_on(&self, other: &Self) -> bool {
        let level = self.objective <= other.objective + 1e-13 * other.objective.abs();
        self.objective < other.objective || (level && self.steepest() < 0.5 * other.steepest())
    }
}

/// The first of the steps 1, 1/2, 1/4, ... along `-direction` that improves on `here`, and the slope there.
fn line_search(
    params: &NewtonLogisticValid,
    rows: &Rows<'_>,
    beta: &[f64],
    direction: &[f64],
    here: &Slope,
) -> Option<(Vec<f64>, Slope)> {
    let mut step = 1.0;
    for _ in 0..40 {
        let next: Vec<f64> = beta
            .iter()
            .zip(direction)
            .map(|(b, d)| b - step * d)
            .collect();
        let there = slope(params, rows, &next);
        if there.improves_on(here) {
            return Some((next, there));
        }
        step /= 2.0;
    }
    None
}

fn slope(params: &NewtonLogisticValid, rows: &Rows<'_>, beta: &[f64]) -> Slope {
    let width = rows.width;
    let mut slope = Slope {
        objective: 0.0,
        gradient: vec![0.0; width + 1],
    };
    for part in rows.by_part(|part| part_slope(part, beta)) {
        slope.objective += part.objective;
        slope
            .gradient
            .iter_mut()
            .zip(part.gradient)
            .for_each(|(sum, x)| *sum += x);
    }
    let penalised = rows.penalties(params.l2()).zip(&beta[..width]);
    let (penalty, gradient) = (penalised.clone(), slope.gradient.iter_mut());
    slope.objective += penalty.map(|(l2, b)| l2 / 2.0 * b * b).sum::<f64>();
    for (sum, (l2, b)) in gradient.zip(penalised) {
        *sum += l2 * b;
    }
    slope
}

fn part_slope(part: Rows<'_>, beta: &[f64]) -> Slope {
    let mut slope = Slope {
        objective: 0.0,
        gradient: vec![0.0; beta.len()],
    };
    for (row, label, weight) in part.iter() {
        let x = log_odds(beta, row);
        // Loss and probability share their exponential.
        let e = libm::exp(-x.abs());
        let p = if x >= 0.0 {
            1.0 / (1.0 + e)
        } else {
            e / (1.0 + e)
        };
        slope.objective += weight * ((if label { -x } else { x }).max(0.0) + libm::log1p(e));
        let gradient = weight * (p - f64::from(label));
        slope
            .gradient
            .iter_mut()
            .zip(row)
            .for_each(|(sum, x)| *sum += gradient * x);
        slope.gradient[part.width] += gradient;
    }
    slope
}

impl<D: Data<Elem = f64>, T: AsSingleTargets<Elem = bool>> Fit<ArrayBase<D, Ix2>, T, LogisticError>
    for NewtonLogisticValid
{
    type Object = Fitted;

    fn fit(
        &self,
        dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
    ) -> Result<Self::Object, LogisticError> {
        let values: Vec<f64> = dataset.records().iter().copied().collect();
        let labels: Vec<bool> = dataset
            .targets()
            .as_single_targets()
            .iter()
            .copied()
            .collect();
        let weights = match dataset.weights() {
            Some(weights) => weights.iter().map(|w| f64::from(*w)).collect(),
            None => vec![1.0; labels.len()],
        };
        let width = dataset.records().nfeatures();
        fit_rows(
            self,
            &Rows {
                values: &values,
                width,
                labels: &labels,
                weights: &weights,
                penalty_factors: &[],
            },
            None,
        )
    }
}

/// Predicts the probability of `true`.
impl<D: Data<Elem = f64>> PredictInplace<ArrayBase<D, Ix2>, Array1<f64>> for Fitted {
    fn predict_inplace<'a>(&'a self, x: &'a ArrayBase<D, Ix2>, y: &mut Array1<f64>) {
        for (slot, row) in y.iter_mut().zip(x.rows()) {
            let products: f64 = row.iter().zip(&self.weights).map(|(x, w)| x * w).sum();
            *slot = sigmoid(self.intercept + products);
        }
    }

    fn default_target(&self, x: &ArrayBase<D, Ix2>) -> Array1<f64> {
        Array1::zeros(x.nrows())
    }
}

#[cfg(test)]
mod tests;
