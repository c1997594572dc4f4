use linfa::ParamGuard;
use linfa::traits::Predict;
use ndarray::Array2;

use super::*;
use crate::train::estimators::newton::algorithm::{
    FIRST_SHARE, LEAST_CURVATURE_ROWS, MANY_ROWS, descend,
};
use crate::train::estimators::newton::{Newton, fit_reference};

/// `n` rows of synthetic features of very different scales; about `share` of the labels are true.
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
        let row: Vec<f64> = (0..width)
            .map(|j| (uniform() - 0.5) * scale.powi((j % 3) as i32))
            .collect();
        let signal: f64 = row
            .iter()
            .enumerate()
            .map(|(j, x)| x / scale.powi((j % 3) as i32) * (j as f64 - 1.0))
            .sum();
        labels.push(uniform() < sigmoid(signal + crate::math::logit(share)));
        values.extend(row);
    }
    (values, labels)
}

fn fit(values: &[f64], width: usize, labels: &[bool], l2: f64) -> Result<Fitted, NewtonError> {
    let weights = vec![1.0; labels.len()];
    let params = Newton::default().l2(l2).check()?;
    fit_logistic(
        &params,
        &Rows {
            values,
            width,
            targets: labels,
            weights: &weights,
            penalty_factors: &[],
        },
        None,
    )
}

/// Both orientations: `true` is what the probability is of, whether it is rare or common.
#[test]
fn the_optimum_is_that_of_linfa_logistic_with_churners_rare_and_common() {
    for share in [0.15, 0.85] {
        let (values, labels) = data(3_000, 5, share, 1.0);
        let weights = vec![1.0; labels.len()];
        let rows = Rows {
            values: &values,
            width: 5,
            targets: &labels,
            weights: &weights,
            penalty_factors: &[],
        };
        let ours = fit(&values, 5, &labels, 2.0).unwrap();
        let theirs = fit_reference(2.0, &rows).unwrap();
        let mean = |f: &Fitted| f.objective / labels.len() as f64;
        assert!(
            (mean(&ours) - mean(&theirs)).abs() < 1e-6,
            "{share}: {} {}",
            mean(&ours),
            mean(&theirs)
        );
        for (a, b) in ours.weights.iter().zip(&theirs.weights) {
            assert!((a - b).abs() < 1e-3, "{share}: weights {a} and {b}");
        }
        let expected: f64 = values
            .chunks(5)
            .map(|row| sigmoid(ours.predictor(row)))
            .sum();
        let churned = labels.iter().filter(|y| **y).count() as f64;
        assert!(
            (expected - churned).abs() < 1e-3,
            "an unpenalised intercept makes the sums equal"
        );
    }
}

#[test]
fn badly_scaled_columns_reach_the_optimum_of_scaled_ones() {
    let (values, labels) = data(2_000, 6, 0.4, 1.0);
    let stretched: Vec<f64> = values
        .iter()
        .enumerate()
        .map(|(i, x)| x * 1_000.0_f64.powi((i % 3) as i32))
        .collect();
    // Without a penalty to speak of the optimum does not depend on the scale.
    let (a, b) = (
        fit(&values, 6, &labels, 1e-9).unwrap(),
        fit(&stretched, 6, &labels, 1e-9).unwrap(),
    );
    assert!((a.objective - b.objective).abs() < 1e-6 * a.objective);
    assert!(b.steps <= 30, "{} steps", b.steps);
}

#[test]
fn a_weight_of_two_is_the_row_twice() {
    let (values, labels) = data(300, 3, 0.5, 1.0);
    let params = Newton::default().check().unwrap();
    let doubled = fit_logistic(
        &params,
        &Rows {
            values: &values,
            width: 3,
            targets: &labels,
            weights: &vec![2.0; 300],
            penalty_factors: &[],
        },
        None,
    )
    .unwrap();
    let (twice, both) = (
        [values.clone(), values].concat(),
        [labels.clone(), labels].concat(),
    );
    let repeated = fit(&twice, 3, &both, 1.0).unwrap();
    assert!((doubled.objective - repeated.objective).abs() < 1e-8);
}

/// Also when the share that is fitted first has nothing to tell apart.
#[test]
fn many_rows_end_where_a_start_from_zero_ends() {
    let (values, mut labels) = data(MANY_ROWS, 3, 0.3, 30.0);
    for every in [1, FIRST_SHARE] {
        labels
            .iter_mut()
            .step_by(every)
            .for_each(|y| *y |= every > 1);
        let weights: Vec<f64> = (0..MANY_ROWS).map(|i| 0.5 + (i % 3) as f64 / 2.0).collect();
        let rows = Rows {
            values: &values,
            width: 3,
            targets: &labels,
            weights: &weights,
            penalty_factors: &[],
        };
        let params = Newton::default().check().unwrap();
        let few = descend::<Logistic>(&params, &rows, None, LEAST_CURVATURE_ROWS).unwrap();
        let many = fit_logistic(&params, &rows, None).unwrap();
        assert!((few.objective - many.objective).abs() < 1e-10 * few.objective);
        assert!(
            many.steps < few.steps || every > 1,
            "{} {}",
            many.steps,
            few.steps
        );
    }
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
    let message = |r: Result<Fitted, NewtonError>| r.unwrap_err().to_string();
    assert!(message(fit(&[1.0, 2.0], 1, &[true, true], 1.0)).contains("same label"));
    assert!(message(fit(&[1.0, f64::NAN], 1, &[true, false], 1.0)).contains("row 1"));
    assert!(message(fit(&[1.0, 2.0, 3.0], 2, &[true, false], 1.0)).contains("rows of 2"));
    assert!(message(fit(&[1.0, 2.0], 1, &[true, false], 0.0)).contains("l2"));
    // Stopping early is an error, not an answer.
    let (values, labels) = data(500, 4, 0.3, 1.0);
    let hurried = Newton::default().max_steps(1).check().unwrap();
    let rows = Rows {
        values: &values,
        width: 4,
        targets: &labels,
        weights: &vec![1.0; 500],
        penalty_factors: &[],
    };
    assert!(message(fit_logistic(&hurried, &rows, None)).contains("no convergence after 1"));
}

#[test]
fn it_is_a_citizen_of_linfa() {
    let (values, labels) = data(400, 3, 0.3, 1.0);
    let direct = fit(&values, 3, &labels, 1.0).unwrap();
    let records = Array2::from_shape_vec((400, 3), values).unwrap();
    let dataset = linfa::Dataset::new(records, Array1::from(labels));
    let fitted = Newton::default().fit(&dataset).unwrap();
    assert_eq!(fitted, direct);
    let p = fitted.predict(dataset.records());
    assert_eq!(p.len(), 400);
    assert!(p.iter().all(|p| (0.0..=1.0).contains(p)));
}
