use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_clustering::{KMeans, KMeansInit};
use ndarray::{Array2, ArrayView2};
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::distances::{blocks, nearest};
use super::{Fitted, KMeansError, LloydKMeansValid, Points};

/// The same problem by `linfa-clustering`: the reference that [`super::fit_points`] is tested against, and the solver
/// of `segments.solver = "linfa"`.
///
/// linfa-clustering stops by the distance that the centres move, not by its square over the variance: it is given what
/// comes to the same for columns with a variance of 1. Inertia is counted here, because what it reports is the mean.
pub fn fit_reference(params: &LloydKMeansValid, points: Points<'_>) -> Result<Fitted, KMeansError> {
    points.check(params.k())?;
    let shape = |_| KMeansError::Shape {
        values: points.values.len(),
        width: points.width,
    };
    let records: Array2<f64> = ArrayView2::from_shape((points.len(), points.width), points.values)
        .map_err(shape)?
        .to_owned();
    let model =
        KMeans::params_with_rng(params.k(), Xoshiro256PlusPlus::seed_from_u64(params.seed()))
            .n_runs(params.restarts())
            .tolerance(params.tolerance().sqrt().max(f64::MIN_POSITIVE))
            .max_n_iterations(params.max_steps() as u64)
            .init_method(KMeansInit::KMeansPlusPlus)
            .fit(&DatasetBase::from(records))?;
    let centres: Vec<f64> = model.centroids().iter().copied().collect();
    let blocks = blocks(&centres, points.width);
    let inertia = points
        .iter()
        .map(|point| nearest(&blocks, point).squared)
        .sum();
    Ok(Fitted {
        centres,
        width: points.width,
        inertia,
        steps: 0,
    })
}
