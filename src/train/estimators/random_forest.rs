//! A random forest as random_forest: is there anything in the features that a logistic model misses?

use smartcore::ensemble::random_forest_regressor::{
    RandomForestRegressor, RandomForestRegressorParameters,
};
use smartcore::linalg::basic::matrix::DenseMatrix;

use crate::math::evenly;
use crate::train::TrainError;

/// Rows that the forest is fitted on at most: it takes minutes beyond.
pub const CHALLENGER_ROWS: usize = 20_000;

/// Standardised rows and their outcomes.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// Values, row after row.
    pub z: &'a [f64],
    /// Features per row.
    pub width: usize,
    /// The outcome of each row.
    pub churned: &'a [bool],
}

/// Churn probabilities of the rows `asked` by a forest fitted on at most [`CHALLENGER_ROWS`] evenly taken rows
/// of `sample`.
///
/// The trees are regression trees on the outcome as 0 or 1, whose mean is a probability (Malley et al. 2012,
/// Methods of Information in Medicine 51); smartcore's classifier only counts votes.
pub fn challenge(sample: Sample<'_>, asked: &[f64], seed: u64) -> Result<Vec<f64>, TrainError> {
    let width = sample.width;
    let rows = sample.churned.len();
    let picked: Vec<usize> = evenly(rows, CHALLENGER_ROWS).collect();
    let x: Vec<Vec<f64>> = picked
        .iter()
        .map(|i| sample.z[i * width..][..width].to_vec())
        .collect();
    let y: Vec<f64> = picked
        .iter()
        .map(|i| f64::from(sample.churned[*i]))
        .collect();
    let asked: Vec<Vec<f64>> = asked.chunks_exact(width).map(<[f64]>::to_vec).collect();
    let failed = |error: smartcore::error::Failed| TrainError::Challenger {
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
        .predict(&DenseMatrix::from_2d_vec(&asked).map_err(failed)?)
        .map_err(failed)?;
    Ok(p.into_iter().map(|p| p.clamp(1e-3, 1.0 - 1e-3)).collect())
}
