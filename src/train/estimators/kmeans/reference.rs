use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_clustering::{KMeans, KMeansInit};
use ndarray::{Array2, ArrayView2};
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::algorithm::check_centres;
use super::hyperparams::MAX_STEPS;
use super::points::nearest;
use super::{Fitted, KMeansError, LloydKMeansValid, Points};

/// The same problem by `linfa-clustering`: the reference that [`super::fit_points`] is tested against, and the solver
/// of `segments.solver = "linfa"`.
///
/// linfa-clustering stops by the distance that the centres move, not by its square over the variance: it is given what
/// comes to the same for columns with a variance of 1. Inertia is counted here, because what it reports is the mean.
pub fn fit_reference(params: &LloydKMeansValid, points: Points<'_>) -> Result<Fitted, KMeansError> {
    run(params, points, params.restarts, KMeansInit::KMeansPlusPlus)
}

/// The same from one start at these centres: see [`super::fit_from`].
///
/// # Errors
/// [`KMeansError`] names what of the points or the centres is at fault.
pub fn fit_reference_from(
    params: &LloydKMeansValid,
    points: Points<'_>,
    centres: &[f64],
) -> Result<Fitted, KMeansError> {
    check_centres(params, points, centres)?;
    let shape = |_| KMeansError::Shape {
        values: centres.len(),
        width: points.width,
    };
    let start = ArrayView2::from_shape((params.k, points.width), centres).map_err(shape)?;
    run(params, points, 1, KMeansInit::Precomputed(start.to_owned()))
}

fn run(
    params: &LloydKMeansValid,
    points: Points<'_>,
    restarts: usize,
    init: KMeansInit<f64>,
) -> Result<Fitted, KMeansError> {
    points.check(params.k)?;
    let shape = |_| KMeansError::Shape {
        values: points.values.len(),
        width: points.width,
    };
    let records: Array2<f64> = ArrayView2::from_shape((points.len(), points.width), points.values)
        .map_err(shape)?
        .to_owned();
    let random = Xoshiro256PlusPlus::seed_from_u64(params.seed);
    let model = KMeans::params_with_rng(params.k, random)
        .n_runs(restarts)
        .tolerance(params.tolerance.sqrt().max(f64::MIN_POSITIVE))
        .max_n_iterations(MAX_STEPS as u64)
        .init_method(init)
        .fit(&DatasetBase::from(records))?;
    let centres: Vec<f64> = model.centroids().iter().copied().collect();
    let inertia = points.iter().map(|point| nearest(&centres, point).1).sum();
    Ok(Fitted {
        centres,
        width: points.width,
        inertia,
        steps: 0,
    })
}
