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
    let fitted = fit(LloydKMeans::new(11).tolerance(0.0), &values, 4).unwrap();
    assert!(fitted.steps < MAX_STEPS, "{}", fitted.steps);
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
    let points = Points {
        values: &values,
        width: 1,
    };
    let fitted = descend(points, vec![0.1, 900.0, -900.0], 0.0);
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
