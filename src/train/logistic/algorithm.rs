use linfa::DatasetBase;
use linfa::dataset::{AsSingleTargets, Records};
use linfa::traits::{Fit, PredictInplace};
use ndarray::{Array1, ArrayBase, Data, Ix2};

use super::{LogisticError, NewtonLogisticValid};
use crate::math::{cholesky_solve, dot, log_loss_of_logit, sigmoid};

/// Rows are worked on in this many parts, however many processors there are.
const PARTS: usize = 64;
/// A part with fewer rows is not worth a hand-over.
const LEAST_PART_ROWS: usize = 1_024;

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
}

impl Fitted {
    /// The log-odds of `true` for one row.
    pub fn log_odds(&self, row: &[f64]) -> f64 {
        self.intercept + dot(&self.weights, row)
    }
}

/// Rows to fit: `labels.len()` rows of `width` values each, one after another.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// The values, row after row.
    pub values: &'a [f64],
    /// How many features a row has.
    pub width: usize,
    /// The label of each row.
    pub labels: &'a [bool],
    /// The weight of each row.
    pub weights: &'a [f64],
}

impl Rows<'_> {
    fn check(&self) -> Result<(), LogisticError> {
        let (n, width) = (self.labels.len(), self.width);
        if width == 0 || self.values.len() != n * width || self.weights.len() != n {
            let (values, weights) = (self.values.len(), self.weights.len());
            return Err(LogisticError::Shape { values, labels: n, weights, width });
        }
        let wrong = |(row, w): (&[f64], &f64)| !(w.is_finite() && *w >= 0.0) || row.iter().any(|x| !x.is_finite());
        if let Some(row) = self.values.chunks_exact(width).zip(self.weights).position(wrong) {
            return Err(LogisticError::NotFinite { row });
        }
        if self.labels.iter().all(|y| *y) || !self.labels.iter().any(|y| *y) {
            return Err(LogisticError::OneClass { rows: n });
        }
        Ok(())
    }

    /// What `work` gives for each of a fixed number of parts, in order. Parts run on all processors; sums over
    /// their results do not depend on how many there are.
    fn by_part<T: Send>(&self, work: impl Fn(Rows<'_>) -> T + Sync) -> Vec<T> {
        let size = self.labels.len().div_ceil(PARTS).max(LEAST_PART_ROWS);
        let values = self.values.chunks(size * self.width);
        let parts = values.zip(self.labels.chunks(size)).zip(self.weights.chunks(size));
        let parts: Vec<Rows<'_>> =
            parts.map(|((values, labels), weights)| Rows { values, width: self.width, labels, weights }).collect();
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let share = parts.len().div_ceil(threads).max(1);
        if parts.len() <= 1 {
            return parts.into_iter().map(work).collect();
        }
        std::thread::scope(|scope| {
            let work = &work;
            let spawn = |share: &[Rows<'_>]| share.iter().map(|part| work(*part)).collect::<Vec<T>>();
            let running: Vec<_> = parts.chunks(share).map(|share| scope.spawn(move || spawn(share))).collect();
            let join = |done: std::thread::ScopedJoinHandle<'_, Vec<T>>| match done.join() {
                Ok(results) => results,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            running.into_iter().flat_map(join).collect()
        })
    }

    fn iter(&self) -> impl Iterator<Item = (&[f64], bool, f64)> {
        let rows = self.values.chunks_exact(self.width);
        rows.zip(self.labels).zip(self.weights).map(|((row, label), weight)| (row, *label, *weight))
    }
}

/// Newton's method, the step halved until the objective falls: the objective is strictly convex, so there is one
/// optimum and every accepted step comes closer to it. Starts from `start`, or from zero.
///
/// Source: iteratively reweighted least squares, McCullagh and Nelder, Generalized Linear Models (1989), 2.5.
pub fn fit_rows(
    params: &NewtonLogisticValid,
    rows: &Rows<'_>,
    start: Option<&Fitted>,
) -> Result<Fitted, LogisticError> {
    rows.check()?;
    let total: f64 = rows.weights.iter().sum();
    // The intercept comes last.
    let mut beta = vec![0.0; rows.width + 1];
    if let Some(start) = start.filter(|s| s.weights.len() == rows.width) {
        beta.clone_from(&start.weights);
        beta.push(start.intercept);
    }
    let mut objective = objective_at(params, rows, &beta);
    let mut largest = f64::INFINITY;
    for steps in 0..params.max_steps() {
        let (mut hessian, gradient) = curvature(params, rows, &beta);
        largest = gradient.iter().fold(0.0_f64, |m, g| m.max(g.abs())) / total;
        if largest <= params.tolerance() {
            return Ok(finish(beta, objective, steps));
        }
        let mut direction = gradient.clone();
        cholesky_solve(&mut hessian, &mut direction).ok_or(LogisticError::NotConverged { steps, gradient: largest })?;
        match line_search(params, rows, &beta, &direction, objective) {
            Some((next, value)) => (beta, objective) = (next, value),
            // No step makes progress: the optimum is reached as far as the arithmetic can tell.
            None if largest <= params.tolerance().sqrt() => return Ok(finish(beta, objective, steps)),
            None => return Err(LogisticError::NotConverged { steps, gradient: largest }),
        }
    }
    Err(LogisticError::NotConverged { steps: params.max_steps(), gradient: largest })
}

fn finish(mut beta: Vec<f64>, objective: f64, steps: usize) -> Fitted {
    let intercept = beta.pop().unwrap_or_default();
    Fitted { intercept, weights: beta, objective, steps }
}

/// The first of the steps 1, 1/2, 1/4, ... along `-direction` that lowers the objective.
fn line_search(
    params: &NewtonLogisticValid,
    rows: &Rows<'_>,
    beta: &[f64],
    direction: &[f64],
    objective: f64,
) -> Option<(Vec<f64>, f64)> {
    let mut step = 1.0;
    for _ in 0..40 {
        let next: Vec<f64> = beta.iter().zip(direction).map(|(b, d)| b - step * d).collect();
        let value = objective_at(params, rows, &next);
        if value < objective {
            return Some((next, value));
        }
        step /= 2.0;
    }
    None
}

fn log_odds(beta: &[f64], row: &[f64]) -> f64 {
    beta.last().copied().unwrap_or_default() + dot(beta, row)
}

fn objective_at(params: &NewtonLogisticValid, rows: &Rows<'_>, beta: &[f64]) -> f64 {
    let losses = rows.by_part(|part| {
        part.iter().map(|(row, label, weight)| weight * log_loss_of_logit(log_odds(beta, row), label)).sum::<f64>()
    });
    let weights = beta.split_last().map_or(&[][..], |(_, weights)| weights);
    losses.into_iter().sum::<f64>() + params.l2() / 2.0 * dot(weights, weights)
}

/// The Hessian's lower triangle (row-major) and the gradient at `beta`.
fn curvature(params: &NewtonLogisticValid, rows: &Rows<'_>, beta: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let width = rows.width;
    let size = width + 1;
    let mut parts = rows.by_part(|part| part_curvature(part, beta)).into_iter();
    let (mut hessian, mut gradient) = parts.next().unwrap_or_else(|| (vec![0.0; size * size], vec![0.0; size]));
    for (h, g) in parts {
        hessian.iter_mut().zip(h).for_each(|(sum, x)| *sum += x);
        gradient.iter_mut().zip(g).for_each(|(sum, x)| *sum += x);
    }
    for i in 0..width {
        hessian[i * size + i] += params.l2();
        gradient[i] += params.l2() * beta[i];
    }
    (hessian, gradient)
}

fn part_curvature(part: Rows<'_>, beta: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let width = part.width;
    let size = width + 1;
    let mut hessian = vec![0.0; size * size];
    let mut gradient = vec![0.0; size];
    for (row, label, weight) in part.iter() {
        let p = sigmoid(log_odds(beta, row));
        let pull = weight * (p - f64::from(label));
        let bend = weight * p * (1.0 - p);
        for (i, x) in row.iter().enumerate() {
            gradient[i] += pull * x;
            let scaled = bend * x;
            for (slot, other) in hessian[i * size..=i * size + i].iter_mut().zip(row) {
                *slot += scaled * other;
            }
        }
        gradient[width] += pull;
        let last = &mut hessian[width * size..];
        for (slot, x) in last.iter_mut().zip(row) {
            *slot += bend * x;
        }
        last[width] += bend;
    }
    (hessian, gradient)
}

impl<D: Data<Elem = f64>, T: AsSingleTargets<Elem = bool>> Fit<ArrayBase<D, Ix2>, T, LogisticError>
    for NewtonLogisticValid
{
    type Object = Fitted;

    fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<Self::Object, LogisticError> {
        let values: Vec<f64> = dataset.records().iter().copied().collect();
        let labels: Vec<bool> = dataset.targets().as_single_targets().iter().copied().collect();
        let weights = match dataset.weights() {
            Some(weights) => weights.iter().map(|w| f64::from(*w)).collect(),
            None => vec![1.0; labels.len()],
        };
        let width = dataset.records().nfeatures();
        fit_rows(self, &Rows { values: &values, width, labels: &labels, weights: &weights }, None)
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
mod tests {
    use linfa::ParamGuard;
    use linfa::traits::Predict;
    use ndarray::Array2;

    use super::*;
    use crate::train::logistic::{NewtonLogistic, fit_reference};

    /// `n` rows of made-up features of very different scales; about `share` of the labels are true.
    fn data(n: usize, width: usize, share: f64, scale: f64) -> (Vec<f64>, Vec<bool>) {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut uniform = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let mut values = Vec::new();
        let mut labels = Vec::new();
        for _ in 0..n {
            let row: Vec<f64> = (0..width).map(|j| (uniform() - 0.5) * scale.powi((j % 3) as i32)).collect();
            let signal: f64 =
                row.iter().enumerate().map(|(j, x)| x / scale.powi((j % 3) as i32) * (j as f64 - 1.0)).sum();
            labels.push(uniform() < sigmoid(signal + crate::math::logit(share)));
            values.extend(row);
        }
        (values, labels)
    }

    fn fit(values: &[f64], width: usize, labels: &[bool], l2: f64) -> Result<Fitted, LogisticError> {
        let weights = vec![1.0; labels.len()];
        let params = NewtonLogistic::default().l2(l2).check()?;
        fit_rows(&params, &Rows { values, width, labels, weights: &weights }, None)
    }

    /// Both orientations: `true` is what the probability is of, whether it is rare or common.
    #[test]
    fn the_optimum_is_that_of_linfa_logistic_with_churners_rare_and_common() {
        for share in [0.15, 0.85] {
            let (values, labels) = data(3_000, 5, share, 1.0);
            let weights = vec![1.0; labels.len()];
            let rows = Rows { values: &values, width: 5, labels: &labels, weights: &weights };
            let ours = fit(&values, 5, &labels, 2.0).unwrap();
            let theirs = fit_reference(2.0, &rows).unwrap();
            let mean = |f: &Fitted| f.objective / labels.len() as f64;
            assert!((mean(&ours) - mean(&theirs)).abs() < 1e-6, "{share}: {} {}", mean(&ours), mean(&theirs));
            for (a, b) in ours.weights.iter().zip(&theirs.weights) {
                assert!((a - b).abs() < 1e-3, "{share}: weights {a} and {b}");
            }
            let expected: f64 = values.chunks(5).map(|row| sigmoid(ours.log_odds(row))).sum();
            let churned = labels.iter().filter(|y| **y).count() as f64;
            assert!((expected - churned).abs() < 1e-3, "an unpenalised intercept makes the sums equal");
        }
    }

    #[test]
    fn badly_scaled_columns_reach_the_optimum_of_scaled_ones() {
        let (values, labels) = data(2_000, 6, 0.4, 1.0);
        let stretched: Vec<f64> =
            values.iter().enumerate().map(|(i, x)| x * 1_000.0_f64.powi((i % 3) as i32)).collect();
        // Without a penalty to speak of the optimum does not depend on the scale.
        let (a, b) = (fit(&values, 6, &labels, 1e-9).unwrap(), fit(&stretched, 6, &labels, 1e-9).unwrap());
        assert!((a.objective - b.objective).abs() < 1e-6 * a.objective);
        assert!(b.steps <= 12, "{} steps", b.steps);
    }

    #[test]
    fn a_weight_of_two_is_the_row_twice() {
        let (values, labels) = data(300, 3, 0.5, 1.0);
        let params = NewtonLogistic::default().check().unwrap();
        let doubled =
            fit_rows(&params, &Rows { values: &values, width: 3, labels: &labels, weights: &vec![2.0; 300] }, None)
                .unwrap();
        let (twice, both) = ([values.clone(), values].concat(), [labels.clone(), labels].concat());
        let repeated = fit(&twice, 3, &both, 1.0).unwrap();
        assert!((doubled.objective - repeated.objective).abs() < 1e-8);
    }

    #[test]
    fn separable_data_has_an_optimum_because_of_the_penalty() {
        let values: Vec<f64> = (-20..20).map(f64::from).collect();
        let labels: Vec<bool> = (-20..20).map(|x| x > 0).collect();
        let fitted = fit(&values, 1, &labels, 1e-6).unwrap();
        assert!(fitted.objective < 1e-3 && fitted.weights[0] > 0.0);
    }

    #[test]
    fn what_cannot_be_fitted_is_refused_by_name() {
        let message = |r: Result<Fitted, LogisticError>| r.unwrap_err().to_string();
        assert!(message(fit(&[1.0, 2.0], 1, &[true, true], 1.0)).contains("same label"));
        assert!(message(fit(&[1.0, f64::NAN], 1, &[true, false], 1.0)).contains("row 1"));
        assert!(message(fit(&[1.0, 2.0, 3.0], 2, &[true, false], 1.0)).contains("rows of 2"));
        assert!(message(fit(&[1.0, 2.0], 1, &[true, false], 0.0)).contains("l2"));
        // Stopping early is an error, not an answer.
        let (values, labels) = data(500, 4, 0.3, 1.0);
        let hurried = NewtonLogistic::default().max_steps(1).check().unwrap();
        let rows = Rows { values: &values, width: 4, labels: &labels, weights: &vec![1.0; 500] };
        assert!(message(fit_rows(&hurried, &rows, None)).contains("no convergence after 1"));
    }

    #[test]
    fn it_is_a_citizen_of_linfa() {
        let (values, labels) = data(400, 3, 0.3, 1.0);
        let direct = fit(&values, 3, &labels, 1.0).unwrap();
        let records = Array2::from_shape_vec((400, 3), values).unwrap();
        let dataset = linfa::Dataset::new(records, Array1::from(labels));
        let fitted = NewtonLogistic::default().fit(&dataset).unwrap();
        assert_eq!(fitted, direct);
        let p = fitted.predict(dataset.records());
        assert_eq!(p.len(), 400);
        assert!(p.iter().all(|p| (0.0..=1.0).contains(p)));
    }
}
