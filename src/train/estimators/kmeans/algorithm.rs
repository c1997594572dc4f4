use std::borrow::Cow;

use linfa::DatasetBase;
use linfa::traits::{Fit, PredictInplace};
use ndarray::{Array1, ArrayBase, Data, Ix2};
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use rayon::prelude::*;

use super::bounds::{Geometry, Part};
use super::distances::{blocks, nearest, squared};
use super::initial::draw_centres;
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
        let blocks = blocks(&self.centres, self.width);
        points
            .iter()
            .map(|point| nearest(&blocks, point).label as usize)
            .collect()
    }
}

/// How much less the centres of the end that is taken still move.
const FINER: f64 = 100.0;

/// Starts as often as asked and takes the end with the lowest inertia, the first of equals; only that one is followed
/// until the centres move 100 times less.
///
/// Source: Lloyd, Least squares quantization in PCM, IEEE Transactions on Information Theory 28 (1982).
pub fn fit_points(params: &LloydKMeansValid, points: Points<'_>) -> Result<Fitted, KMeansError> {
    points.check(params.k())?;
    let variance = points.mean_variance();
    // Twice the columns' spread, all of them at once and over all points: no sum below is larger.
    if !(4.0 * variance * points.width as f64 * points.len() as f64).is_finite() {
        return Err(KMeansError::TooFarApart);
    }
    let least_move = params.tolerance() * variance;
    let mut random = Xoshiro256PlusPlus::seed_from_u64(params.seed());
    let mut start = || {
        let centres = draw_centres(points, params.k(), &mut random);
        descend(params, points, centres, least_move)
    };
    let mut best = start();
    for _ in 1..params.restarts() {
        let other = start();
        best = if other.inertia < best.inertia {
            other
        } else {
            best
        };
    }
    let finer = descend(params, points, best.centres.clone(), least_move / FINER);
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

/// Lloyd's steps from some centres, until no point changes hands or the centres moved little.
fn descend(
    params: &LloydKMeansValid,
    points: Points<'_>,
    mut centres: Vec<f64>,
    least_move: f64,
) -> Fitted {
    let width = points.width;
    let mut parts: Vec<Part<'_>> = points
        .parts()
        .map(|points| Part::new(points, params.k()))
        .collect();
    let mut geometry = Geometry::new(&centres, None, width);
    let mut steps = 0;
    loop {
        let changed = assign(&mut parts, &geometry);
        if changed == 0 || steps == params.max_steps() {
            break;
        }
        steps += 1;
        let moved = means(&mut parts, &centres);
        let total: f64 = moved
            .chunks_exact(width)
            .zip(centres.chunks_exact(width))
            .map(|(a, b)| squared(a, b))
            .sum();
        geometry = Geometry::new(&moved, Some(&centres), width);
        centres = moved;
        if total <= least_move {
            assign(&mut parts, &geometry);
            break;
        }
    }
    // Summed in the order of the parts, whichever processor was free for which.
    let inertia = parts
        .par_iter()
        .map(|part| part.inertia(&centres))
        .collect::<Vec<_>>()
        .iter()
        .sum();
    Fitted {
        centres,
        width,
        inertia,
        steps,
    }
}

/// Gives every point to its nearest centre; how many changed hands.
fn assign(parts: &mut [Part<'_>], geometry: &Geometry) -> u64 {
    parts
        .par_iter_mut()
        .map(|part| part.assign(geometry))
        .collect::<Vec<_>>()
        .iter()
        .sum()
}

/// The mean of each centre's points. A centre without points moves to the point that is furthest from its own, or
/// stays when every point is on a centre.
fn means(parts: &mut [Part<'_>], centres: &[f64]) -> Vec<f64> {
    let (sums, counts) = sums(parts, centres.len());
    if counts.contains(&0) {
        return refilled(parts, centres, counts);
    }
    divided(sums, &counts, centres)
}

/// The sum and number of each centre's points, added up in the order of the parts.
fn sums(parts: &[Part<'_>], size: usize) -> (Vec<f64>, Vec<u64>) {
    let (mut sums, mut counts) = (
        vec![0.0; size],
        vec![0; parts.first().map_or(0, |p| p.counts.len())],
    );
    for part in parts {
        sums.iter_mut()
            .zip(&part.sums)
            .for_each(|(sum, x)| *sum += x);
        counts
            .iter_mut()
            .zip(&part.counts)
            .for_each(|(count, n)| *count += n);
    }
    (sums, counts)
}

fn divided(mut sums: Vec<f64>, counts: &[u64], centres: &[f64]) -> Vec<f64> {
    let width = sums.len() / counts.len().max(1);
    let each = sums
        .chunks_exact_mut(width)
        .zip(centres.chunks_exact(width))
        .zip(counts);
    for ((mean, centre), count) in each {
        match count {
            0 => mean.copy_from_slice(centre),
            _ => mean.iter_mut().for_each(|x| *x /= *count as f64),
        }
    }
    sums
}

/// [`means`] with the centres that have no points filled.
fn refilled(parts: &mut [Part<'_>], centres: &[f64], mut counts: Vec<u64>) -> Vec<f64> {
    let width = centres.len() / counts.len().max(1);
    let mut placed = centres.to_vec();
    let empty: Vec<usize> = counts
        .iter()
        .enumerate()
        .filter(|(_, n)| **n == 0)
        .map(|(label, _)| label)
        .collect();
    for label in empty {
        let of_part = |(place, part): (usize, &Part<'_>)| {
            part.furthest(&placed, &counts)
                .map(|(row, squared)| (place, row, squared))
        };
        let furthest = parts.iter().enumerate().filter_map(of_part);
        let furthest = furthest.reduce(|best, other| if other.2 > best.2 { other } else { best });
        let Some((place, row, _)) = furthest.filter(|(_, _, squared)| *squared > 0.0) else {
            break;
        };
        let part = &mut parts[place];
        part.reassign(row, label as u32);
        if let Some(point) = part.points.iter().nth(row) {
            placed[label * width..][..width].copy_from_slice(point);
        }
        counts = sums(parts, centres.len()).1;
    }
    let (sums, counts) = sums(parts, centres.len());
    divided(sums, &counts, centres)
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
        let blocks = blocks(&self.centres, self.width);
        for (slot, row) in y.iter_mut().zip(x.rows()) {
            *slot = nearest(&blocks, &row.to_vec()).label as usize;
        }
    }

    fn default_target(&self, x: &ArrayBase<D, Ix2>) -> Array1<usize> {
        Array1::zeros(x.nrows())
    }
}

#[cfg(test)]
mod tests {
    use linfa::ParamGuard;
    use linfa::traits::Predict;
    use ndarray::Array2;
    use rand::Rng;

    use super::*;
    use crate::train::estimators::kmeans::{LloydKMeans, fit_reference};

    /// Skewed columns of users in groups that overlap.
    fn users(n: usize, width: usize, groups: usize) -> Vec<f64> {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(5);
        let centres: Vec<f64> = (0..groups * width)
            .map(|_| random.gen_range(-2.0..2.0))
            .collect();
        let mut values = Vec::with_capacity(n * width);
        for i in 0..n {
            let spread: f64 = random.gen_range(-1.0..1.0);
            for j in 0..width {
                let x = centres[i % groups * width + j] + spread + random.gen_range(-1.0..1.0);
                values.push(if j % 3 == 0 { x.exp() } else { x });
            }
        }
        values
    }

    fn fit(params: LloydKMeans, values: &[f64], width: usize) -> Result<Fitted, KMeansError> {
        fit_points(&params.check()?, Points { values, width })
    }

    #[test]
    fn the_inertia_is_no_higher_than_that_of_linfa_clustering() {
        let values = users(6_000, 5, 6);
        let points = Points {
            values: &values,
            width: 5,
        };
        for (k, seed) in [(2, 1), (4, 2), (6, 3), (9, 4)] {
            let params = LloydKMeans::new(k)
                .restarts(5)
                .tolerance(1e-8)
                .seed(seed)
                .check()
                .unwrap();
            let (ours, theirs) = (
                fit_points(&params, points).unwrap(),
                fit_reference(&params, points).unwrap(),
            );
            assert!(
                ours.inertia <= theirs.inertia * 1.0001,
                "k = {k}: {} {}",
                ours.inertia,
                theirs.inertia
            );
        }
    }

    /// Every centre is the mean of the points that are nearest to it, and the inertia is that of all distances.
    #[test]
    fn the_end_is_a_fixed_point_of_plain_lloyd() {
        let values = users(20_000, 4, 5);
        let points = Points {
            values: &values,
            width: 4,
        };
        let fitted = fit(
            LloydKMeans::new(11).tolerance(0.0).max_steps(1_000),
            &values,
            4,
        )
        .unwrap();
        let (mut sums, mut counts, mut inertia) = (vec![0.0; 44], vec![0_u32; 11], 0.0);
        for (point, label) in points.iter().zip(fitted.labels(points)) {
            sums[label * 4..][..4]
                .iter_mut()
                .zip(point)
                .for_each(|(sum, x)| *sum += x);
            counts[label] += 1;
            inertia += squared(point, &fitted.centres[label * 4..][..4]);
        }
        for (i, (sum, centre)) in sums.iter().zip(&fitted.centres).enumerate() {
            assert!(
                (sum / f64::from(counts[i / 4]) - centre).abs() < 1e-9,
                "{i}"
            );
        }
        assert!((inertia - fitted.inertia).abs() < 1e-9 * inertia);
    }

    #[test]
    fn one_seed_gives_one_answer_and_more_starts_no_worse_one() {
        let values = users(30_000, 3, 7);
        let params = LloydKMeans::new(5).seed(3);
        let once = fit(params, &values, 3).unwrap();
        assert_eq!(once, fit(params, &values, 3).unwrap());
        assert!(fit(params.restarts(4), &values, 3).unwrap().inertia <= once.inertia);
    }

    #[test]
    fn as_many_clusters_as_points_leave_no_distance() {
        let values = users(12, 2, 3);
        let fitted = fit(LloydKMeans::new(12), &values, 2).unwrap();
        assert_eq!(fitted.inertia, 0.0);
        let mut labels = fitted.labels(Points {
            values: &values,
            width: 2,
        });
        labels.sort_unstable();
        assert_eq!(labels, (0..12).collect::<Vec<_>>());
    }

    #[test]
    fn identical_points_share_a_centre() {
        let fitted = fit(LloydKMeans::new(3).restarts(2), &[2.0; 40], 2).unwrap();
        assert_eq!((fitted.inertia, fitted.centres), (0.0, vec![2.0; 6]));
    }

    #[test]
    fn a_constant_column_changes_nothing() {
        let plain = users(500, 1, 4);
        let wide: Vec<f64> = plain.iter().flat_map(|x| [*x, 7.0]).collect();
        let (a, b) = (
            fit(LloydKMeans::new(4), &plain, 1).unwrap(),
            fit(LloydKMeans::new(4), &wide, 2).unwrap(),
        );
        assert!(
            (a.inertia - b.inertia).abs() < 1e-2 * a.inertia,
            "{} {}",
            a.inertia,
            b.inertia
        );
        assert!(
            b.centres
                .chunks(2)
                .all(|centre| (centre[1] - 7.0).abs() < 1e-12)
        );
    }

    /// Two centres start where nobody is: they move to the points furthest from the others.
    #[test]
    fn centres_without_points_are_moved_to_the_furthest_ones() {
        let values = [0.0, 0.1, 0.2, 10.0, 30.0];
        let params = LloydKMeans::new(3).check().unwrap();
        let fitted = descend(
            &params,
            Points {
                values: &values,
                width: 1,
            },
            vec![0.1, 900.0, -900.0],
            0.0,
        );
        let mut centres = fitted.centres;
        centres.sort_by(f64::total_cmp);
        assert!(
            centres
                .iter()
                .zip([0.1, 10.0, 30.0])
                .all(|(a, b)| (a - b).abs() < 1e-12),
            "{centres:?}"
        );
        assert!((fitted.inertia - 0.02).abs() < 1e-12);
    }

    #[test]
    fn what_cannot_be_clustered_is_refused_by_name() {
        let message =
            |params, values: &[f64], width| fit(params, values, width).unwrap_err().to_string();
        let two = LloydKMeans::new(2);
        assert!(message(two, &[1.0, 2.0, f64::NAN, 4.0], 2).contains("row 1"));
        assert!(message(two, &[1.0, 2.0, f64::INFINITY], 1).contains("row 2"));
        assert!(message(two, &[1.0, 2.0, 3.0], 2).contains("rows of 2"));
        assert!(message(two, &[1.0], 1).contains("k = 2"));
        assert!(message(two, &[1e200, -1e200], 1).contains("far apart"));
        assert!(message(LloydKMeans::new(0), &[1.0], 1).contains("k is 0"));
        assert!(message(two.restarts(0), &[1.0, 2.0], 1).contains("restarts"));
        assert!(message(two.max_steps(0), &[1.0, 2.0], 1).contains("max_steps"));
        assert!(message(two.tolerance(f64::NAN), &[1.0, 2.0], 1).contains("tolerance"));
    }

    #[test]
    fn it_is_a_citizen_of_linfa() {
        let values = users(400, 3, 3);
        let direct = fit(LloydKMeans::new(3), &values, 3).unwrap();
        let labels = direct.labels(Points {
            values: &values,
            width: 3,
        });
        let dataset = DatasetBase::from(Array2::from_shape_vec((400, 3), values).unwrap());
        let fitted = LloydKMeans::new(3).fit(&dataset).unwrap();
        assert_eq!(fitted, direct);
        assert_eq!(fitted.predict(dataset.records()).to_vec(), labels);
    }
}
