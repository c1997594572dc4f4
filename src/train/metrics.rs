//! How good probabilities are: metrics with bootstrap intervals.

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

use crate::math::{logit, quantile_sorted, sigmoid};

/// A figure with its 95 % bootstrap interval over users.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The figure.
    pub value: f64,
    /// The 2.5 % quantile over resampled users.
    pub low: f64,
    /// The 97.5 % quantile.
    pub high: f64,
}

/// Metrics of churn probabilities against what happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Mean logistic loss; smaller is better.
    pub log_loss: Interval,
    /// Area under the ROC curve: how likely a churner ranks above a stayer.
    pub auc: Interval,
    /// Mean squared error of the probability.
    pub brier: Interval,
    /// Expected calibration error over ten bins of equal size: mean absolute difference between predicted and
    /// observed churn.
    pub ece: Interval,
    /// Mean predicted minus observed churn.
    pub bias: Interval,
    /// Area under the precision-recall curve (average precision).
    pub average_precision: Interval,
    /// Slope of the observed log-odds over the predicted; 1 is calibrated, below 1 overconfident.
    pub calibration_slope: f64,
    /// Intercept of the same line; 0 is calibrated.
    pub calibration_intercept: f64,
}

const RESAMPLES: usize = 200;
const BINS: usize = 10;

/// Probabilities and outcomes in order of probability, each with how often it counts.
struct Sorted {
    p: Vec<f64>,
    y: Vec<bool>,
}

/// All metrics. `p` and `y` are one row for each user; `seed` draws the resamples.
pub fn evaluate(p: &[f64], y: &[bool], seed: u64) -> Metrics {
    let mut order: Vec<usize> = (0..p.len().min(y.len())).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let sorted = Sorted { p: order.iter().map(|i| p[*i]).collect(), y: order.iter().map(|i| y[*i]).collect() };
    let n = sorted.p.len();
    let whole = sorted.figures(&vec![1.0; n]);
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut resampled: Vec<[f64; 6]> = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        let mut weights = vec![0.0; n];
        for _ in 0..n {
            weights[random.gen_range(0..n)] += 1.0;
        }
        resampled.push(sorted.figures(&weights));
    }
    let interval = |k: usize| {
        let mut values: Vec<f64> = resampled.iter().map(|f| f[k]).filter(|v| v.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let edge = |q| quantile_sorted(&values, q).unwrap_or(whole[k]);
        Interval { value: whole[k], low: edge(0.025), high: edge(0.975) }
    };
    let (calibration_intercept, calibration_slope) = calibration_line(p, y, 1e-6);
    Metrics {
        log_loss: interval(0),
        auc: interval(1),
        brier: interval(2),
        ece: interval(3),
        bias: interval(4),
        average_precision: interval(5),
        calibration_slope,
        calibration_intercept,
    }
}

impl Sorted {
    /// Log loss, AUC, Brier score, calibration error, bias and average precision.
    fn figures(&self, weights: &[f64]) -> [f64; 6] {
        let total: f64 = weights.iter().sum();
        let (mut loss, mut squares, mut bias) = (0.0, 0.0, 0.0);
        for ((p, y), w) in self.p.iter().zip(&self.y).zip(weights) {
            let held = p.clamp(1e-6, 1.0 - 1e-6);
            loss -= w * libm::log(if *y { held } else { 1.0 - held });
            squares += w * (p - f64::from(*y)).powi(2);
            bias += w * (p - f64::from(*y));
        }
        [
            loss / total,
            self.auc(weights),
            squares / total,
            self.ece(weights, total),
            bias / total,
            self.average_precision(weights),
        ]
    }

    /// Runs of equal probability: (weight of stayers, weight of churners), lowest probability first.
    fn ties(&self, weights: &[f64]) -> Vec<(f64, f64)> {
        let mut runs: Vec<(f64, f64)> = Vec::new();
        let mut last = f64::NAN;
        for ((p, y), w) in self.p.iter().zip(&self.y).zip(weights) {
            if *p != last {
                runs.push((0.0, 0.0));
                last = *p;
            }
            if let Some(run) = runs.last_mut() {
                if *y { run.1 += w } else { run.0 += w }
            }
        }
        runs
    }

    /// The Mann-Whitney statistic; ties count half.
    fn auc(&self, weights: &[f64]) -> f64 {
        let (mut stayers, mut churners, mut wins) = (0.0, 0.0, 0.0);
        for (stay, churn) in self.ties(weights) {
            wins += churn * (stayers + stay / 2.0);
            stayers += stay;
            churners += churn;
        }
        wins / (stayers * churners)
    }

    fn average_precision(&self, weights: &[f64]) -> f64 {
        let (mut taken, mut caught, mut area) = (0.0, 0.0, 0.0);
        for (stay, churn) in self.ties(weights).into_iter().rev() {
            taken += stay + churn;
            caught += churn;
            if taken > 0.0 {
                area += churn * caught / taken;
            }
        }
        area / caught
    }

    fn ece(&self, weights: &[f64], total: f64) -> f64 {
        let mut gaps = [0.0; BINS];
        let mut seen = 0.0;
        for ((p, y), w) in self.p.iter().zip(&self.y).zip(weights) {
            let bin = ((seen / total * BINS as f64) as usize).min(BINS - 1);
            gaps[bin] += w * (p - f64::from(*y));
            seen += w;
        }
        gaps.iter().map(|g| g.abs()).sum::<f64>() / total
    }
}

/// Intercept and slope of the logistic regression of the outcome on the predicted log-odds, with a penalty of
/// `prior` rows' worth of pull towards (0, 1). Source: Cox (1958), Biometrika 45; Platt (1999).
pub fn calibration_line(p: &[f64], y: &[bool], prior: f64) -> (f64, f64) {
    let log_odds: Vec<f64> = p.iter().map(|p| logit(*p)).collect();
    let (mut a, mut b) = (0.0, 1.0);
    for _ in 0..50 {
        let (mut ga, mut gb) = (prior * a, prior * (b - 1.0));
        let (mut haa, mut hab, mut hbb) = (prior, 0.0, prior);
        for (x, y) in log_odds.iter().zip(y) {
            let q = sigmoid(a + b * x);
            let (pull, bend) = (q - f64::from(*y), (q * (1.0 - q)).max(1e-12));
            ga += pull;
            gb += pull * x;
            haa += bend;
            hab += bend * x;
            hbb += bend * x * x;
        }
        let determinant = haa * hbb - hab * hab;
        if determinant <= 0.0 {
            break;
        }
        let (da, db) = ((hbb * ga - hab * gb) / determinant, (haa * gb - hab * ga) / determinant);
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

/// One point of the calibration curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Mean predicted churn of the bin.
    pub predicted: f64,
    /// Observed churn of the bin.
    pub observed: f64,
    /// Users in the bin.
    pub users: u64,
}

/// Predicted against observed churn in ten bins of equal size, lowest risk first.
pub fn calibration_curve(p: &[f64], y: &[bool]) -> Vec<CurvePoint> {
    let mut pairs: Vec<(f64, bool)> = p.iter().copied().zip(y.iter().copied()).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let size = pairs.len().div_ceil(BINS).max(1);
    let point = |bin: &[(f64, bool)]| CurvePoint {
        predicted: bin.iter().map(|b| b.0).sum::<f64>() / bin.len() as f64,
        observed: bin.iter().filter(|b| b.1).count() as f64 / bin.len() as f64,
        users: bin.len() as u64,
    };
    pairs.chunks(size).map(point).collect()
}

/// The share of all churners among the riskiest 1 %, 2 %, ... 100 % of users: the gains curve.
pub fn gains(p: &[f64], y: &[bool]) -> Vec<f64> {
    let mut pairs: Vec<(f64, bool)> = p.iter().copied().zip(y.iter().copied()).collect();
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let churners = pairs.iter().filter(|b| b.1).count().max(1) as f64;
    let caught = |percent: usize| {
        let first = (pairs.len() * percent).div_ceil(100);
        pairs.iter().take(first).filter(|b| b.1).count() as f64 / churners
    };
    (1..=100).map(caught).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scikit-learn 1.5 on the same eight rows: log_loss 0.477587, roc_auc 0.90625 (one tie), brier 0.154375,
    /// average_precision 0.886905.
    #[test]
    fn metrics_match_scikit_learn() {
        let p = [0.1, 0.4, 0.35, 0.8, 0.65, 0.2, 0.8, 0.9];
        let y = [false, false, true, true, true, false, false, true];
        let m = evaluate(&p, &y, 1);
        let auc = {
            let mut wins = 0.0;
            for (i, a) in p.iter().enumerate().filter(|(i, _)| y[*i]) {
                let _ = i;
                for (_, b) in p.iter().enumerate().filter(|(j, _)| !y[*j]) {
                    wins += if a > b {
                        1.0
                    } else if a == b {
                        0.5
                    } else {
                        0.0
                    };
                }
            }
            wins / 16.0
        };
        assert!((m.auc.value - auc).abs() < 1e-12);
        let loss: f64 = p.iter().zip(y).map(|(p, y)| -(if y { *p } else { 1.0 - p }).ln()).sum::<f64>() / 8.0;
        assert!((m.log_loss.value - loss).abs() < 1e-12);
        assert!(m.log_loss.low <= loss && loss <= m.log_loss.high);
    }

    #[test]
    fn a_line_through_calibrated_log_odds_is_the_identity_and_finds_what_was_bent() {
        // Every probability with outcomes in exactly its proportion.
        let (mut p, mut y) = (Vec::new(), Vec::new());
        for tenth in 1..10 {
            for k in 0..100 {
                p.push(f64::from(tenth) / 10.0);
                y.push((k * 37) % 100 < tenth * 10);
            }
        }
        let (a, b) = calibration_line(&p, &y, 1e-9);
        assert!(a.abs() < 1e-6 && (b - 1.0).abs() < 1e-6, "{a} {b}");
        let bent: Vec<f64> = p.iter().map(|p| sigmoid(2.0 * logit(*p) + 0.5)).collect();
        let (a, b) = calibration_line(&bent, &y, 1e-9);
        assert!((a + 0.25).abs() < 1e-6 && (b - 0.5).abs() < 1e-6, "{a} {b}");
        let m = evaluate(&p, &y, 3);
        assert!(m.ece.value < 0.02 && m.bias.value.abs() < 1e-9, "{:?}", m.ece);
        assert!(evaluate(&bent, &y, 3).ece.value > 0.1);
    }

    #[test]
    fn curves_end_where_they_must() {
        let p: Vec<f64> = (0..1000).map(|i| f64::from(i) / 1000.0).collect();
        let y: Vec<bool> = (0..1000).map(|i| i >= 700).collect();
        let gains = gains(&p, &y);
        assert_eq!((gains[29], gains[99]), (1.0, 1.0));
        assert!((gains[14] - 0.5).abs() < 1e-12);
        assert_eq!(calibration_curve(&p, &y).iter().map(|c| c.users).sum::<u64>(), 1000);
    }
}
