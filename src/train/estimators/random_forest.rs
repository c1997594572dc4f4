//! A random forest as a baseline: is there anything in the features that a logistic model misses?

use smartcore::ensemble::random_forest_regressor::{
    RandomForestRegressor, RandomForestRegressorParameters,
};
use smartcore::linalg::basic::matrix::DenseMatrix;

use crate::math::evenly;
use crate::train::TrainError;

/// Rows that the forest is fitted on at most: it takes minutes beyond.
pub(crate) const MOST_ROWS: usize = 20_000;

/// Standardised rows and their outcomes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample<'a> {
    /// Values, row after row.
    pub(crate) z: &'a [f64],
    /// Features per row.
    pub(crate) width: usize,
    /// The outcome of each row.
    pub(crate) churned: &'a [bool],
}

/// Churn probabilities of the rows `predicted` by a forest fitted on at most [`MOST_ROWS`] evenly taken rows
/// of `sample`.
///
/// The trees are regression trees on the outcome as 0 or 1, whose mean is a probability (Malley et al. 2012,
/// Methods of Information in Medicine 51); smartcore's classifier only counts votes.
pub(crate) fn random_forest(
    sample: Sample<'_>,
    predicted: &[f64],
    seed: u64,
) -> Result<Vec<f64>, TrainError> {
    let width = sample.width;
    let rows = sample.churned.len();
    let picked: Vec<usize> = evenly(rows, MOST_ROWS).collect();
    let x: Vec<Vec<f64>> = picked
        .iter()
        .map(|i| sample.z[i * width..][..width].to_vec())
        .collect();
    let y: Vec<f64> = picked
        .iter()
        .map(|i| f64::from(sample.churned[*i]))
        .collect();
    let predicted: Vec<Vec<f64>> = predicted.chunks_exact(width).map(<[f64]>::to_vec).collect();
    let failed = |error: smartcore::error::Failed| TrainError::RandomForest {
        problem: error.to_string(),
    };
    let forest = RandomForestRegressor::fit(
        &DenseMatrix::from_2d_vec(&x).map_err(failed)?,
        &y,
        RandomForestRegressorParameters::default()
            .with_n_trees(40)
            .with_m((width as f64).sqrt().ceil() as usize)
            .with_max_depth(10)
            .with_min_samples_leaf(20)
            .with_seed(seed),
    )
    .map_err(failed)?;
    let p: Vec<f64> = forest
        .predict(&DenseMatrix::from_2d_vec(&predicted).map_err(failed)?)
        .map_err(failed)?;
    Ok(p.into_iter().map(|p| p.clamp(1e-3, 1.0 - 1e-3)).collect())
}
