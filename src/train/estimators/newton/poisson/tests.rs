use linfa::ParamGuard;
use proptest::prelude::*;

use super::*;
use crate::train::estimators::newton::Newton;
use crate::train::estimators::newton::algorithm::{
    FIRST_SHARE, LEAST_CURVATURE_ROWS, MANY_ROWS, descend,
};

/// Amounts with many zeros, three columns and weights, by formulas that a script in another language repeats.
fn data() -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let column =
        |i: usize, by: usize, modulo: usize| (i * by % modulo) as f64 / modulo as f64 - 0.5;
    let rows = 0..40;
    let values = rows
        .clone()
        .flat_map(|i| [column(i, 7, 11), column(i, 5, 13), column(i, 3, 4)])
        .collect();
    let amount = |i: usize| match i * 11 % 7 {
        0..3 => 0.0,
        _ => (i * i * 13 % 17) as f64 * 1.75 + (i % 3) as f64 * 0.5,
    };
    let weights = rows.clone().map(|i| 1.0 + (i % 3) as f64 * 0.5);
    let weights = weights.collect();
    (values, rows.map(amount).collect(), weights)
}

fn params(l2: f64) -> NewtonValid {
    Newton::default().l2(l2).check().unwrap()
}

fn fit(
    values: &[f64],
    width: usize,
    targets: &[f64],
    weights: &[f64],
    l2: f64,
) -> Result<Fitted, NewtonError> {
    let rows = Rows {
        values,
        width,
        targets,
        weights,
        penalty_factors: &[],
    };
    fit_poisson(&params(l2), &rows, None)
}

fn near(fitted: &Fitted, intercept: f64, weights: &[f64], tolerance: f64) {
    assert!(
        (fitted.intercept - intercept).abs() < tolerance,
        "intercept {} and {intercept}",
        fitted.intercept
    );
    for (a, b) in fitted.weights.iter().zip(weights) {
        assert!((a - b).abs() < tolerance, "weights {a} and {b}");
    }
}

/// scikit-learn 1.9.1: `PoissonRegressor(alpha=0.7 * m / w.sum(), tol=1e-12, solver="newton-cholesky")` on the same
/// numbers, `m` being the weighted mean of the targets: its loss is over the sum of weights and for targets as they are.
#[test]
fn the_optimum_with_a_penalty_is_that_of_scikit_learn() {
    let (values, targets, weights) = data();
    let fitted = fit(&values, 3, &targets, &weights, 0.7).unwrap();
    let expected = [
        0.267_649_013_053_970_93,
        -0.512_504_148_455_730_3,
        -0.402_287_906_471_774_4,
    ];
    near(&fitted, 1.888_290_388_578_535, &expected, 1e-8);
}

/// statsmodels 0.15.0: `GLM(y, add_constant(x), family=families.Poisson(), freq_weights=w).fit(tol=1e-14)`.
#[test]
fn the_optimum_without_a_penalty_to_speak_of_is_that_of_statsmodels() {
    let (values, targets, weights) = data();
    let fitted = fit(&values, 3, &targets, &weights, 1e-10).unwrap();
    let expected = [
        0.333_047_010_068_622_6,
        -0.601_212_693_273_852,
        -0.473_575_522_594_482_9,
    ];
    near(&fitted, 1.872_081_931_001_271_3, &expected, 1e-8);
}

/// The intercept is not penalised, so the expected amounts add up to the real ones; and each weight's penalty is what its
/// column leaves unexplained.
#[test]
fn the_gradient_is_zero_at_the_optimum() {
    let (values, targets, weights) = data();
    let factors = [1.0, 2.0, 0.5];
    let rows = Rows {
        values: &values,
        width: 3,
        targets: &targets,
        weights: &weights,
        penalty_factors: &factors,
    };
    let fitted = fit_poisson(&params(3.0), &rows, None).unwrap();
    let mean = weighted_mean(&rows).unwrap();
    let mut gradient = [0.0; 4];
    for ((row, y), w) in values.chunks_exact(3).zip(&targets).zip(&weights) {
        let wrong_by = w * (fitted.predictor(row).exp() - y) / mean;
        for (sum, x) in gradient.iter_mut().zip(row.iter().chain(&[1.0])) {
            *sum += wrong_by * x;
        }
    }
    for ((sum, weight), factor) in gradient.iter_mut().zip(&fitted.weights).zip(factors) {
        *sum += 3.0 * factor * weight;
    }
    assert!(gradient.iter().all(|g| g.abs() < 1e-7), "{gradient:?}");
}

#[test]
fn a_weight_of_two_is_the_row_twice() {
    let (values, targets, _) = data();
    let doubled = fit(&values, 3, &targets, &[2.0; 40], 1.0).unwrap();
    let twice = fit(
        &[values.clone(), values].concat(),
        3,
        &[targets.clone(), targets].concat(),
        &[1.0; 80],
        1.0,
    )
    .unwrap();
    near(&doubled, twice.intercept, &twice.weights, 1e-9);
    assert!((doubled.objective - twice.objective).abs() < 1e-8);
}

#[test]
fn amounts_in_another_currency_move_the_intercept_only() {
    let (values, targets, weights) = data();
    let pounds = fit(&values, 3, &targets, &weights, 2.0).unwrap();
    for rate in [1e-9, 1.17, 1e12] {
        let others: Vec<f64> = targets.iter().map(|y| y * rate).collect();
        let other = fit(&values, 3, &others, &weights, 2.0).unwrap();
        near(
            &other,
            pounds.intercept + f64::ln(rate),
            &pounds.weights,
            1e-9,
        );
    }
}

#[test]
fn a_start_near_the_optimum_and_one_out_of_range_lead_to_it() {
    let (values, targets, weights) = data();
    let rows = Rows {
        values: &values,
        width: 3,
        targets: &targets,
        weights: &weights,
        penalty_factors: &[],
    };
    let fresh = fit_poisson(&params(1.0), &rows, None).unwrap();
    let near_by = fit_poisson(&params(1.3), &rows, Some(&fresh)).unwrap();
    let expected = fit_poisson(&params(1.3), &rows, None).unwrap();
    near(&near_by, expected.intercept, &expected.weights, 1e-8);
    assert!(near_by.steps <= expected.steps);
    let too_large = Fitted {
        intercept: 5_000.0,
        ..fresh
    };
    let found = fit_poisson(&params(1.3), &rows, Some(&too_large)).unwrap();
    near(&found, expected.intercept, &expected.weights, 1e-8);
}

/// The first full step overshoots by hundreds on the log scale: its objective is infinite and a shorter one is taken.
#[test]
fn one_amount_that_is_far_above_all_others_is_fitted() {
    let mut targets = vec![1e-6; 1_000];
    targets[7] = 1e9;
    let values: Vec<f64> = (0..1_000).map(|i| f64::from(i == 7)).collect();
    let fitted = fit(&values, 1, &targets, &[1.0; 1_000], 1e-9).unwrap();
    let expected = fitted.predictor(&[1.0]).exp();
    assert!((expected / 1e9 - 1.0).abs() < 1e-3, "{expected}");
}

#[test]
fn many_rows_end_where_a_start_from_zero_ends() {
    let values: Vec<f64> = (0..3 * MANY_ROWS)
        .map(|i| (i * 7_919 % 1_009) as f64 / 504.5 - 1.0)
        .collect();
    let mut targets: Vec<f64> = values
        .chunks_exact(3)
        .map(|row| {
            if row[0] < 0.2 {
                0.0
            } else {
                (row[1] * 2.0).exp()
            }
        })
        .collect();
    let weights: Vec<f64> = (0..MANY_ROWS).map(|i| 0.5 + (i % 3) as f64 / 2.0).collect();
    // Also when nobody among the rows that are fitted first has an amount.
    for without in [false, true] {
        let first = targets.iter_mut().step_by(FIRST_SHARE);
        first.for_each(|y| *y = if without { 0.0 } else { *y });
        let rows = Rows {
            values: &values,
            width: 3,
            targets: &targets,
            weights: &weights,
            penalty_factors: &[],
        };
        let many = fit_poisson(&params(1.0), &rows, None).unwrap();
        let mean = weighted_mean(&rows).unwrap();
        let scaled: Vec<f64> = targets.iter().map(|y| y / mean).collect();
        let rows = Rows {
            targets: &scaled,
            ..rows
        };
        let few = descend::<Poisson>(&params(1.0), &rows, None, LEAST_CURVATURE_ROWS).unwrap();
        near(&many, few.intercept + mean.ln(), &few.weights, 1e-6);
    }
}

#[test]
fn what_cannot_be_fitted_is_refused_by_name() {
    let message = |values: &[f64], targets: &[f64], weights: &[f64]| {
        let fitted = fit(values, 1, targets, weights, 1.0);
        fitted.unwrap_err().to_string()
    };
    let (values, ones) = ([1.0, 2.0], [1.0, 1.0]);
    assert!(message(&values, &[1.0, -0.5], &ones).contains("row 1 has the target -0.5"));
    assert!(message(&values, &[f64::NAN, 1.0], &ones).contains("row 0 has the target NaN"));
    assert!(message(&values, &[0.0, 0.0], &ones).contains("all 2 rows have the mean 0"));
    assert!(message(&values, &[0.0, 3.0], &[1.0, 0.0]).contains("mean 0"));
    assert!(message(&values, &[1.0, 3.0], &[0.0, 0.0]).contains("mean NaN"));
    assert!(message(&values, &[1e308, 1e308], &[9.0, 9.0]).contains("mean inf"));
    assert!(message(&[1.0, f64::NAN], &ones, &ones).contains("row 1 has a value"));
    assert!(message(&values, &[1.0], &ones).contains("rows of 1"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever the amounts: an optimum with finite weights, whose expected amounts add up to the real ones.
    #[test]
    fn every_legal_table_has_an_optimum_without_nan(
        table in prop::collection::vec(
            (prop::array::uniform3(-40.0..40.0f64), prop_oneof![Just(0.0), 1e-3..1e6f64], 1e-3..10.0f64),
            2..60,
        ),
        l2 in prop_oneof![Just(1e-3), Just(1.0), Just(100.0)],
    ) {
        let values: Vec<f64> = table.iter().flat_map(|(row, ..)| *row).collect();
        let targets: Vec<f64> = table.iter().map(|(_, y, _)| *y).collect();
        let weights: Vec<f64> = table.iter().map(|(.., w)| *w).collect();
        prop_assume!(targets.iter().any(|y| *y > 0.0));
        let fitted = fit(&values, 3, &targets, &weights, l2).unwrap();
        prop_assert!(fitted.intercept.is_finite() && fitted.objective.is_finite());
        prop_assert!(fitted.weights.iter().all(|w| w.is_finite()));
        let rows = values.chunks_exact(3).zip(&weights);
        let expected: f64 = rows.map(|(row, w)| w * fitted.predictor(row).exp()).sum();
        let real: f64 = targets.iter().zip(&weights).map(|(y, w)| y * w).sum();
        prop_assert!((expected / real - 1.0).abs() < 1e-6, "{expected} {real}");
    }
}
