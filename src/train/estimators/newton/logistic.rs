use linfa::DatasetBase;
use linfa::dataset::{AsSingleTargets, Records};
use linfa::traits::{Fit, PredictInplace};
use ndarray::{Array1, ArrayBase, Data, Ix2};

use super::algorithm::fit_family;
use super::family::{Family, Loss};
use super::{Fitted, NewtonError, NewtonValid, Rows};
use crate::math::sigmoid;

/// The logistic loss of the log-odds of `true`.
pub(crate) struct Logistic;

impl Family for Logistic {
    type Target = bool;

    fn check(rows: &Rows<'_, bool>) -> Result<(), NewtonError> {
        let targets = rows.targets;
        if targets.iter().all(|y| *y) || !targets.iter().any(|y| *y) {
            return Err(NewtonError::OneClass {
                rows: targets.len(),
            });
        }
        Ok(())
    }

    fn loss(predictor: f64, target: bool) -> Loss {
        // Loss and probability share their exponential.
        let e = libm::exp(-predictor.abs());
        let p = if predictor >= 0.0 {
            1.0 / (1.0 + e)
        } else {
            e / (1.0 + e)
        };
        let wrong_by = if target { -predictor } else { predictor };
        Loss {
            value: wrong_by.max(0.0) + libm::log1p(e),
            slope: p - f64::from(target),
        }
    }

    fn curvature(predictor: f64, weight: f64) -> f64 {
        let p = sigmoid(predictor);
        weight * p * (1.0 - p)
    }
}

/// The logistic regression of the rows' labels, from `start` where there is one.
pub fn fit_logistic(
    params: &NewtonValid,
    rows: &Rows<'_, bool>,
    start: Option<&Fitted>,
) -> Result<Fitted, NewtonError> {
    fit_family::<Logistic>(params, rows, start)
}

impl<D: Data<Elem = f64>, T: AsSingleTargets<Elem = bool>> Fit<ArrayBase<D, Ix2>, T, NewtonError>
    for NewtonValid
{
    type Object = Fitted;

    fn fit(
        &self,
        dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
    ) -> Result<Self::Object, NewtonError> {
        let values: Vec<f64> = dataset.records().iter().copied().collect();
        let targets: Vec<bool> = dataset
            .targets()
            .as_single_targets()
            .iter()
            .copied()
            .collect();
        let weights = match dataset.weights() {
            Some(weights) => weights.iter().map(|w| f64::from(*w)).collect(),
            None => vec![1.0; targets.len()],
        };
        let width = dataset.records().nfeatures();
        fit_logistic(
            self,
            &Rows {
                values: &values,
                width,
                targets: &targets,
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
