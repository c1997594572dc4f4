//! The calibration line.

use crate::math::{logit, sigmoid};

/// Intercept and slope of the logistic regression of the outcome on the predicted log-odds, with a penalty of
/// `prior` rows' weight for (0, 1). Source: Cox (1958), Biometrika 45; Platt (1999).
pub(crate) fn calibration_line(p: &[f64], y: &[bool], prior: f64) -> (f64, f64) {
    let log_odds: Vec<f64> = p.iter().map(|p| logit(*p)).collect();
    let (mut a, mut b) = (0.0, 1.0);
    for _ in 0..50 {
        let (mut ga, mut gb) = (prior * a, prior * (b - 1.0));
        let (mut haa, mut hab, mut hbb) = (prior, 0.0, prior);
        for (x, y) in log_odds.iter().zip(y) {
            let q = sigmoid(a + b * x);
            let gradient = q - f64::from(*y);
            let hessian_weight = (q * (1.0 - q)).max(1e-12);
            ga += gradient;
            gb += gradient * x;
            haa += hessian_weight;
            hab += hessian_weight * x;
            hbb += hessian_weight * x * x;
        }
        let determinant = haa * hbb - hab * hab;
        if determinant <= 0.0 {
            break;
        }
        let (da, db) = (
            (hbb * ga - hab * gb) / determinant,
            (haa * gb - hab * ga) / determinant,
        );
        // Damped far from the optimum, plain Newton near it.
        let damp = (1.0_f64).min(2.0 / (da.abs() + db.abs()).max(1e-300));
        a -= damp * da;
        b -= damp * db;
        if da.abs() + db.abs() < 1e-12 {
            break;
        }
    }
    (a, b)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Every probability from 0.1 to 0.9 with outcomes in exactly its proportion.
    pub(crate) fn calibrated() -> (Vec<f64>, Vec<bool>) {
        let (mut p, mut y) = (Vec::new(), Vec::new());
        for tenth in 1..10 {
            for k in 0..100 {
                p.push(f64::from(tenth) / 10.0);
                y.push((k * 37) % 100 < tenth * 10);
            }
        }
        (p, y)
    }

    #[test]
    fn a_line_through_calibrated_log_odds_is_the_identity_and_finds_what_was_distorted() {
        let (p, y) = calibrated();
        let (a, b) = calibration_line(&p, &y, 1e-9);
        assert!(a.abs() < 1e-6 && (b - 1.0).abs() < 1e-6, "{a} {b}");
        let distorted: Vec<f64> = p.iter().map(|p| sigmoid(2.0 * logit(*p) + 0.5)).collect();
        let (a, b) = calibration_line(&distorted, &y, 1e-9);
        assert!((a + 0.25).abs() < 1e-6 && (b - 0.5).abs() < 1e-6, "{a} {b}");
    }
}
