use linfa::Dataset;
use linfa::traits::Fit;
use linfa_logistic::LogisticRegression;
use ndarray::{Array1, Array2, ArrayView2};

use super::{Fitted, NewtonError, Rows};
use crate::math::log_loss_of_logit;

/// The logistic optimum by `linfa-logistic` (L-BFGS): the reference that the Newton fit is tested against, and the
/// solver of `model.solver = "linfa"`. Needs weights of 1 and standardised columns.
///
/// linfa-logistic calls the larger class positive, and stops at its iteration limit without an error, so the
/// orientation is restored and the gradient checked here.
pub fn fit_reference(l2: f64, rows: &Rows<'_, bool>) -> Result<Fitted, NewtonError> {
    let n = rows.targets.len();
    let shape = || NewtonError::Shape {
        values: rows.values.len(),
        targets: n,
        weights: rows.weights.len(),
        width: rows.width,
    };
    let records: Array2<f64> = ArrayView2::from_shape((n, rows.width), rows.values)
        .map_err(|_| shape())?
        .to_owned();
    let dataset = Dataset::new(records, Array1::from(rows.targets.to_vec()));
    let model = LogisticRegression::default()
        .alpha(l2)
        .with_intercept(true)
        .max_iterations(2_000)
        .gradient_tolerance(1e-7 * n as f64)
        .fit(&dataset)?;
    let sign = if model.labels().pos.class { 1.0 } else { -1.0 };
    let mut fitted = Fitted {
        intercept: sign * model.intercept(),
        weights: model.params().iter().map(|w| sign * w).collect(),
        objective: 0.0,
        steps: 0,
        curvature: Vec::new(),
    };
    let mut loss = 0.0;
    let mut gradient: Vec<f64> = fitted.weights.iter().map(|w| l2 * w).collect();
    for (row, label) in rows.values.chunks_exact(rows.width).zip(rows.targets) {
        let log_odds = fitted.predictor(row);
        loss += log_loss_of_logit(log_odds, *label);
        let residual = crate::math::sigmoid(log_odds) - f64::from(*label);
        for (g, x) in gradient.iter_mut().zip(row) {
            *g += residual * x;
        }
    }
    fitted.objective = loss + l2 / 2.0 * crate::math::dot(&fitted.weights, &fitted.weights);
    let largest = gradient.iter().fold(0.0_f64, |m, g| m.max(g.abs())) / n as f64;
    if largest > 1e-4 {
        return Err(NewtonError::NotConverged {
            steps: 2_000,
            gradient: largest,
        });
    }
    Ok(fitted)
}
