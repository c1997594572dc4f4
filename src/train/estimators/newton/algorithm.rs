use linfa::ParamGuard;

use super::curvature::{curvature, linear_predictor};
use super::family::Family;
use super::{Newton, NewtonError, NewtonValid, Rows};
use crate::math::{cholesky_factor, dot, solve_factored};

/// A fitted generalised linear model.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// The linear predictor where all features are 0.
    pub intercept: f64,
    /// One weight for each feature.
    pub weights: Vec<f64>,
    /// The value of the minimised function, in a Poisson fit for targets over their mean.
    pub objective: f64,
    /// Newton steps taken.
    pub steps: usize,
    /// The lower triangle of the last curvature that was looked at, intercept last, without the penalty and for a
    /// weight of 1: where the next fit of much the same rows can start from. May be empty.
    pub curvature: Vec<f64>,
}

impl Fitted {
    /// The linear predictor of one row: the log-odds of `true` in a logistic fit, the logarithm of the expected target in a
    /// Poisson fit.
    pub fn predictor(&self, row: &[f64]) -> f64 {
        self.intercept + dot(&self.weights, row)
    }
}

fn check<F: Family>(rows: &Rows<'_, F::Target>) -> Result<(), NewtonError> {
    rows.check()?;
    F::check(rows)
}

/// The fewest rows that the curvature is taken from.
pub(crate) const LEAST_CURVATURE_ROWS: usize = 2_048;
/// The same for each feature.
const CURVATURE_ROWS_PER_FEATURE: usize = 12;
/// A step that leaves more than this share of the gradient asks for a fresh look at the curvature.
const SLOW: f64 = 0.5;

/// One row in so many is fitted first when there are at least [`MANY_ROWS`]: a look at the slope then costs little, and
/// from where that ends a few looks at all rows are enough.
pub(crate) const FIRST_SHARE: usize = 16;
/// What is worth it.
pub(crate) const MANY_ROWS: usize = 100_000;
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
pub(crate) fn fit_family<F: Family>(
    params: &NewtonValid,
    rows: &Rows<'_, F::Target>,
    start: Option<&Fitted>,
) -> Result<Fitted, NewtonError> {
    check::<F>(rows)?;
    let few = LEAST_CURVATURE_ROWS.max(CURVATURE_ROWS_PER_FEATURE * rows.width);
    if start.is_none() && rows.targets.len() >= MANY_ROWS {
        let first = fit_share::<F>(params, rows, few);
        return descend::<F>(
            params,
            rows,
            first.as_ref(),
            few.max(rows.targets.len() / FIRST_SHARE),
        );
    }
    descend::<F>(params, rows, start, few)
}

/// The optimum of evenly taken rows, without its curvature, which is not that of enough rows; `None` when they have none.
fn fit_share<F: Family>(
    params: &NewtonValid,
    rows: &Rows<'_, F::Target>,
    sample: usize,
) -> Option<Fitted> {
    let (values, targets, weights) = rows.every(FIRST_SHARE);
    let share = Rows {
        values: &values,
        width: rows.width,
        targets: &targets,
        weights: &weights,
        penalty_factors: rows.penalty_factors,
    };
    check::<F>(&share).ok()?;
    let tolerance = params.tolerance().max(FIRST_TOLERANCE);
    let params = Newton::default()
        .l2(params.l2() / FIRST_SHARE as f64)
        .tolerance(tolerance)
        .check()
        .ok()?;
    descend::<F>(&params, &share, None, sample)
        .ok()
        .map(|fitted| Fitted {
            curvature: Vec::new(),
            ..fitted
        })
}

/// [`fit_logistic`] from `start` or from zero, with a first look at the curvature of `sample` rows.
pub(crate) fn descend<F: Family>(
    params: &NewtonValid,
    rows: &Rows<'_, F::Target>,
    start: Option<&Fitted>,
    mut sample: usize,
) -> Result<Fitted, NewtonError> {
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
    let mut here = slope::<F>(params, rows, &beta);
    if !here.objective.is_finite() {
        // What fitted other rows can be out of range on these.
        beta.fill(0.0);
        seen.clear();
        here = slope::<F>(params, rows, &beta);
    }
    let mut factor = penalised(params, rows, &seen, total).unwrap_or_default();
    last = if factor.is_empty() { 0.0 } else { last };
    let mut steepest = f64::INFINITY;
    for steps in 0..params.max_steps() {
        steepest = here.steepest() / total;
        let stuck = NewtonError::NotConverged {
            steps,
            gradient: steepest,
        };
        if steepest <= params.tolerance() {
            return Ok(finish(beta, here.objective, steps, seen));
        }
        if steepest > SLOW * last {
            seen = curvature::<F>(rows, &beta, sample);
            factor = penalised(params, rows, &seen, total).ok_or(stuck)?;
            exact = sample >= rows.targets.len();
            sample = sample.saturating_mul(4);
        }
        let mut direction = here.gradient.clone();
        solve_factored(&factor, &mut direction);
        match line_search::<F>(params, rows, &beta, &direction, &here) {
            Some(next) => (beta, here, last, exact) = (next.0, next.1, steepest, false),
            // An old or sampled curvature may mislead; that of all rows, here, does not.
            None if !exact => (last, sample) = (0.0, usize::MAX),
            // No step makes progress: the optimum is reached as far as the arithmetic can tell.
            None if steepest <= params.tolerance().sqrt() => {
                return Ok(finish(beta, here.objective, steps, seen));
            }
            None => {
                return Err(NewtonError::NotConverged {
                    steps,
                    gradient: steepest,
                });
            }
        }
    }
    Err(NewtonError::NotConverged {
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
fn penalised<Y: Copy + Send + Sync>(
    params: &NewtonValid,
    rows: &Rows<'_, Y>,
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
fn line_search<F: Family>(
    params: &NewtonValid,
    rows: &Rows<'_, F::Target>,
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
        let there = slope::<F>(params, rows, &next);
        if there.improves_on(here) {
            return Some((next, there));
        }
        step /= 2.0;
    }
    None
}

fn slope<F: Family>(params: &NewtonValid, rows: &Rows<'_, F::Target>, beta: &[f64]) -> Slope {
    let width = rows.width;
    let mut slope = Slope {
        objective: 0.0,
        gradient: vec![0.0; width + 1],
    };
    for part in rows.by_part(|part| part_slope::<F>(part, beta)) {
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

fn part_slope<F: Family>(part: Rows<'_, F::Target>, beta: &[f64]) -> Slope {
    let mut slope = Slope {
        objective: 0.0,
        gradient: vec![0.0; beta.len()],
    };
    for (row, target, weight) in part.iter() {
        let loss = F::loss(linear_predictor(beta, row), target);
        slope.objective += weight * loss.value;
        let gradient = weight * loss.slope;
        slope
            .gradient
            .iter_mut()
            .zip(row)
            .for_each(|(sum, x)| *sum += gradient * x);
        slope.gradient[part.width] += gradient;
    }
    slope
}
