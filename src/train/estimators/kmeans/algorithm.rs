use std::borrow::Cow;

use linfa::DatasetBase;
use linfa::traits::{Fit, PredictInplace};
use ndarray::{Array1, ArrayBase, Data, Ix2};
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use rayon::prelude::*;

use super::hyperparams::MAX_STEPS;
use super::initial::draw_centres;
use super::points::{add, nearest, squared};
use super::{KMeansError, LloydKMeansValid, Points};

/// Centres that were fitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// The centres, one after another.
    pub centres: Vec<f64>,
    /// How many values a centre has.
    pub width: usize,
    /// The sum of the points' squared distances to their nearest centres.
    pub inertia: f64,
    /// The steps from the start that was taken to its end.
    pub steps: usize,
}

impl Fitted {
    /// The nearest centre of each point, the first of equals.
    pub fn labels(&self, points: Points<'_>) -> Vec<usize> {
        points
            .iter()
            .map(|point| nearest(&self.centres, point).0)
            .collect()
    }
}

/// How much less the centres of the end that is taken still move.
const FINER: f64 = 100.0;

/// Starts as often as wanted and takes the end with the lowest inertia, the first of equals; only that one is followed
/// until the centres move 100 times less.
///
/// Source: Lloyd, Least squares quantization in PCM, IEEE Transactions on Information Theory 28 (1982).
pub fn fit_points(params: &LloydKMeansValid, points: Points<'_>) -> Result<Fitted, KMeansError> {
    points.check(params.k)?;
    let least_move = least_move(params, points)?;
    let mut random = Xoshiro256PlusPlus::seed_from_u64(params.seed);
    let mut start = || {
        let centres = draw_centres(points, params.k, &mut random);
        descend(points, centres, least_move)
    };
    let mut best = start();
    for _ in 1..params.restarts {
        let other = start();
        best = if other.inertia < best.inertia {
            other
        } else {
            best
        };
    }
    let finer = descend(points, best.centres.clone(), least_move / FINER);
    let steps = best.steps + finer.steps;
    Ok(Fitted {
        steps,
        ..if finer.inertia < best.inertia {
            finer
        } else {
            best
        }
    })
}

/// The end of one start at these centres, one after another: `params.k` of the points' width. Restarts and seed are without
/// effect.
///
/// # Errors
/// [`KMeansError`] names what of the points or the centres is at fault.
pub fn fit_from(
    params: &LloydKMeansValid,
    points: Points<'_>,
    centres: &[f64],
) -> Result<Fitted, KMeansError> {
    points.check(params.k)?;
    check_centres(params, points, centres)?;
    let least_move = least_move(params, points)?;
    Ok(descend(points, centres.to_vec(), least_move / FINER))
}

/// Whether there are `params.k` finite centres.
pub(super) fn check_centres(
    params: &LloydKMeansValid,
    points: Points<'_>,
    centres: &[f64],
) -> Result<(), KMeansError> {
    let width = points.width;
    let given = Points {
        values: centres,
        width,
    };
    given.check(params.k)
}

/// The squared distances, added up, that centres may still move at the end.
fn least_move(params: &LloydKMeansValid, points: Points<'_>) -> Result<f64, KMeansError> {
    let variance = points.mean_variance();
    // Twice the columns' spread, all of them at once and over all points: no sum below is larger.
    if !(4.0 * variance * points.width as f64 * points.len() as f64).is_finite() {
        return Err(KMeansError::TooFarApart);
    }
    Ok(params.tolerance * variance)
}

/// Lloyd's steps from some centres, until no point changes hands or the centres moved little.
fn descend(points: Points<'_>, mut centres: Vec<f64>, least_move: f64) -> Fitted {
    let width = points.width;
    let k = centres.len() / width;
    let mut parts: Vec<Part<'_>> = points.parts().map(|points| Part::new(points, k)).collect();
    let mut steps = 0;
    while assign(&mut parts, &centres) > 0 && steps < MAX_STEPS {
        steps += 1;
        let moved = means(&mut parts, &centres);
        let pairs = moved.chunks_exact(width).zip(centres.chunks_exact(width));
        let total: f64 = pairs.map(|(a, b)| squared(a, b)).sum();
        centres = moved;
        if total <= least_move {
            assign(&mut parts, &centres);
            break;
        }
    }
    // Summed in the order of the parts, whichever processor was free for which.
    let inertia: Vec<f64> = parts.par_iter().map(|p| p.inertia(&centres)).collect();
    Fitted {
        centres,
        width,
        inertia: inertia.iter().sum(),
        steps,
    }
}

/// The label of a point that belongs to no centre yet.
const UNASSIGNED: usize = usize::MAX;

/// Some points and the centres that they belong to.
struct Part<'a> {
    points: Points<'a>,
    /// The centre of each point.
    labels: Vec<usize>,
    /// The sum of each centre's points, kept up to date point by point.
    sums: Vec<f64>,
    /// How many they are.
    counts: Vec<u64>,
}

impl<'a> Part<'a> {
    fn new(points: Points<'a>, k: usize) -> Self {
        Self {
            points,
            labels: vec![UNASSIGNED; points.len()],
            sums: vec![0.0; k * points.width],
            counts: vec![0; k],
        }
    }

    /// Gives every point to its nearest centre; how many changed hands.
    fn assign(&mut self, centres: &[f64]) -> u64 {
        let mut changed = 0;
        for (row, point) in self.points.iter().enumerate() {
            let (label, _) = nearest(centres, point);
            if self.labels[row] != label {
                self.give(row, point, label);
                changed += 1;
            }
        }
        changed
    }

    fn give(&mut self, row: usize, point: &[f64], label: usize) {
        let width = self.points.width;
        let before = std::mem::replace(&mut self.labels[row], label);
        if before != UNASSIGNED {
            self.counts[before] -= 1;
            let sum = &mut self.sums[before * width..][..width];
            sum.iter_mut().zip(point).for_each(|(sum, x)| *sum -= x);
        }
        self.counts[label] += 1;
        add(&mut self.sums[label * width..][..width], point);
    }

    /// Each point with its label and the squared distance to its own centre.
    fn distances(&self, centres: &[f64]) -> impl Iterator<Item = (usize, &'a [f64], f64)> {
        let width = self.points.width;
        let points = self.points.iter();
        self.labels.iter().zip(points).map(move |(label, point)| {
            let own = &centres[label * width..][..width];
            (*label, point, squared(point, own))
        })
    }

    fn inertia(&self, centres: &[f64]) -> f64 {
        self.distances(centres).map(|(_, _, squared)| squared).sum()
    }
}

/// Gives every point to its nearest centre; how many changed hands.
fn assign(parts: &mut [Part<'_>], centres: &[f64]) -> u64 {
    parts.par_iter_mut().map(|part| part.assign(centres)).sum()
}

/// The mean of each centre's points. A centre without points moves to the point that is furthest from its own, or
/// stays when every point is on a centre.
fn means(parts: &mut [Part<'_>], centres: &[f64]) -> Vec<f64> {
    let width = parts[0].points.width;
    let mut placed = centres.to_vec();
    let (_, mut counts) = sums(parts);
    let empty = (0..counts.len()).filter(|label| counts[*label] == 0);
    for label in empty.collect::<Vec<_>>() {
        let Some(furthest) = furthest(parts, &placed, &counts) else {
            break;
        };
        let Furthest { part, row, point } = furthest;
        parts[part].give(row, point, label);
        placed[label * width..][..width].copy_from_slice(point);
        counts = sums(parts).1;
    }
    let (mut means, counts) = sums(parts);
    let each = means
        .chunks_exact_mut(width)
        .zip(centres.chunks_exact(width));
    for ((mean, centre), count) in each.zip(counts) {
        match count {
            0 => mean.copy_from_slice(centre),
            _ => mean.iter_mut().for_each(|x| *x /= count as f64),
        }
    }
    means
}

/// The sum and number of each centre's points, added up in the order of the parts.
fn sums(parts: &[Part<'_>]) -> (Vec<f64>, Vec<u64>) {
    let mut sums = vec![0.0; parts[0].sums.len()];
    let mut counts = vec![0; parts[0].counts.len()];
    for part in parts {
        add(&mut sums, &part.sums);
        let pairs = counts.iter_mut().zip(&part.counts);
        pairs.for_each(|(count, more)| *count += more);
    }
    (sums, counts)
}

/// The point furthest from its centre.
struct Furthest<'a> {
    part: usize,
    row: usize,
    point: &'a [f64],
}

/// The first of the furthest points that are not alone and not on their centre.
fn furthest<'a>(parts: &[Part<'a>], centres: &[f64], counts: &[u64]) -> Option<Furthest<'a>> {
    let mut best: Option<(f64, Furthest<'a>)> = None;
    for (part, points) in parts.iter().enumerate() {
        for (row, (label, point, squared)) in points.distances(centres).enumerate() {
            let least = best.as_ref().map_or(0.0, |(squared, _)| *squared);
            if counts[label] > 1 && squared > least {
                best = Some((squared, Furthest { part, row, point }));
            }
        }
    }
    best.map(|(_, furthest)| furthest)
}

impl<D: Data<Elem = f64>, T> Fit<ArrayBase<D, Ix2>, T, KMeansError> for LloydKMeansValid {
    type Object = Fitted;

    fn fit(
        &self,
        dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
    ) -> Result<Self::Object, KMeansError> {
        let records = dataset.records();
        let values = records.as_slice().map_or_else(
            || Cow::Owned(records.iter().copied().collect()),
            Cow::Borrowed,
        );
        fit_points(
            self,
            Points {
                values: &values,
                width: records.ncols(),
            },
        )
    }
}

/// Predicts the nearest centre.
impl<D: Data<Elem = f64>> PredictInplace<ArrayBase<D, Ix2>, Array1<usize>> for Fitted {
    fn predict_inplace<'a>(&'a self, x: &'a ArrayBase<D, Ix2>, y: &mut Array1<usize>) {
        for (slot, row) in y.iter_mut().zip(x.rows()) {
            *slot = nearest(&self.centres, &row.to_vec()).0;
        }
    }

    fn default_target(&self, x: &ArrayBase<D, Ix2>) -> Array1<usize> {
        Array1::zeros(x.nrows())
    }
}

#[cfg(test)]
mod tests;
