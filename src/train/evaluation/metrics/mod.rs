//! How good probabilities are: metrics with bootstrap intervals over users, paired differences, curves.
//!
//! Reading order: [`Metrics`], `ranking` (all figures in one pass over sorted predictions), `bootstrap` (their
//! intervals), `line` (the calibration line), `curves` (what is drawn).

pub(crate) mod bootstrap;
pub(crate) mod curves;
pub(crate) mod line;
pub(crate) mod ranking;

pub use bootstrap::{Draws, bootstrap};
pub use curves::{CurvePoint, calibration_curve, gains, precision_recall, roc, share_interval};
pub use line::calibration_line;
pub use ranking::{FIGURES, Ranking, area_under_roc};

use serde::{Deserialize, Serialize};

/// A figure with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The figure.
    pub value: f64,
    /// The lower end, over resampled users; never above the figure.
    pub low: f64,
    /// The upper end; never below the figure.
    pub high: f64,
}

impl Interval {
    /// The same without what lies outside of what the figure can be.
    fn within(self, least: f64, most: f64) -> Self {
        Self {
            low: self.low.max(least),
            high: self.high.min(most),
            ..self
        }
    }
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
    pub calibration_slope: Interval,
    /// Intercept of the same line; 0 is calibrated.
    pub calibration_intercept: Interval,
}

impl Metrics {
    /// The figures that [`Ranking::figures`] gave, of which the first stands at position `first` of the draws.
    pub fn from_draws(draws: &Draws, first: usize) -> Self {
        let [
            log_loss,
            auc,
            brier,
            ece,
            bias,
            average_precision,
            calibration_slope,
            calibration_intercept,
        ] = std::array::from_fn::<Interval, FIGURES, _>(|k| draws.interval(first + k));
        Self {
            log_loss: log_loss.within(0.0, f64::INFINITY),
            auc: auc.within(0.0, 1.0),
            brier: brier.within(0.0, 1.0),
            ece: ece.within(0.0, 1.0),
            bias: bias.within(-1.0, 1.0),
            average_precision: average_precision.within(0.0, 1.0),
            calibration_slope,
            calibration_intercept,
        }
    }

    /// Every figure with its interval.
    #[cfg(test)]
    pub(crate) fn all(&self) -> [Interval; FIGURES] {
        let Self {
            log_loss,
            auc,
            brier,
            ece,
            bias,
            average_precision,
            calibration_slope,
            calibration_intercept,
        } = *self;
        [
            log_loss,
            auc,
            brier,
            ece,
            bias,
            average_precision,
            calibration_slope,
            calibration_intercept,
        ]
    }
}

/// All metrics of one row for each user; `seed` draws the resamples.
#[cfg(test)]
pub(crate) fn evaluate(p: &[f64], y: &[bool], seed: u64) -> Metrics {
    let users: Vec<u32> = (0..p.len() as u32).collect();
    let ranking = Ranking::new(p, y, &users);
    let draws = bootstrap(users.len(), seed, |counts| ranking.figures(counts).to_vec());
    Metrics::from_draws(&draws, 0)
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::*;
    use crate::math::{logit, sigmoid};

    /// scikit-learn 1.5 on the same eight rows: log_loss 0.477587, roc_auc 0.90625 (one tie), brier 0.154375,
    /// average_precision 0.886905.
    #[test]
    fn metrics_match_scikit_learn() {
        let p = [0.1, 0.4, 0.35, 0.8, 0.65, 0.2, 0.8, 0.9];
        let y = [false, false, true, true, true, false, false, true];
        let m = evaluate(&p, &y, 1);
        let loss: f64 = p
            .iter()
            .zip(y)
            .map(|(p, y)| -(if y { *p } else { 1.0 - p }).ln())
            .sum::<f64>()
            / 8.0;
        assert!((m.log_loss.value - loss).abs() < 1e-12);
        assert!(m.log_loss.low <= loss && loss <= m.log_loss.high);
        // Of the 16 pairs of a churner and a stayer 12 are in order and one is tied.
        assert!((m.auc.value - 12.5 / 16.0).abs() < 1e-12, "{}", m.auc.value);
        assert!((m.auc.value - area_under_roc(&p, &y)).abs() < 1e-12);
        let brier: f64 = p
            .iter()
            .zip(y)
            .map(|(p, y)| (p - f64::from(y)).powi(2))
            .sum::<f64>()
            / 8.0;
        assert!((m.brier.value - brier).abs() < 1e-12);
        // By hand, from the top: 1 of 1 at 0.9, 2 of 3 at 0.8, 3 of 4 at 0.65, 4 of 6 at 0.35.
        let precision = (1.0 + 2.0 / 3.0 + 3.0 / 4.0 + 4.0 / 6.0) / 4.0;
        assert!(
            (m.average_precision.value - precision).abs() < 1e-12,
            "{}",
            m.average_precision.value
        );
    }

    /// `n` users whose probabilities are right on average, drawn by `seed`.
    fn drawn(n: u32, seed: u64) -> (Vec<f64>, Vec<bool>) {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let p: Vec<f64> = (0..n).map(|_| random.gen_range(0.02..0.6)).collect();
        let y = p.iter().map(|p| random.gen_bool(*p)).collect();
        (p, y)
    }

    /// The calibration error of resamples is larger than that of all users: of right probabilities, a percentile
    /// interval leaves out the estimate in one of eight draws.
    #[test]
    fn every_interval_holds_its_figure_whatever_the_seed() {
        let holds = |i: &Interval| i.low <= i.value && i.value <= i.high;
        let mut lifted = 0;
        for seed in 0..60 {
            let (p, y) = drawn(200 + 10 * (seed as u32), seed);
            let m = evaluate(&p, &y, seed);
            assert!(m.all().iter().all(holds), "seed {seed}: {m:?}");
            assert!(
                m.ece.low >= 0.0 && m.auc.high <= 1.0 && m.log_loss.low >= 0.0,
                "seed {seed}: {m:?}"
            );
            let users: Vec<u32> = (0..p.len() as u32).collect();
            let ranking = Ranking::new(&p, &y, &users);
            let draws = bootstrap(p.len(), seed, |counts| ranking.figures(counts).to_vec());
            lifted += u32::from(draws.quantile(3, 0.025) > m.ece.value);
        }
        // The negative control: where resamples lie as they do here, their own percentiles would not hold it.
        assert!(lifted > 2, "{lifted}");
    }

    /// Probabilities that are 3 points too high for everyone: over many draws the interval of the calibration error
    /// holds the truth far more often than the resamples' percentiles, which are biased upward.
    #[test]
    fn the_interval_of_the_calibration_error_holds_the_truth() {
        let (mut held, mut by_percentile) = (0, 0);
        for seed in 0..100 {
            let (right, y) = drawn(1_000, 1_000 + seed);
            let p: Vec<f64> = right.iter().map(|p| p + 0.03).collect();
            let users: Vec<u32> = (0..1_000).collect();
            let ranking = Ranking::new(&p, &y, &users);
            let draws = bootstrap(p.len(), seed, |counts| ranking.figures(counts).to_vec());
            let ece = Metrics::from_draws(&draws, 0).ece;
            held += u32::from(ece.low <= 0.03 && 0.03 <= ece.high);
            by_percentile +=
                u32::from(draws.quantile(3, 0.025) <= 0.03 && 0.03 <= draws.quantile(3, 0.975));
        }
        assert!(
            held > 75 && held > by_percentile + 20,
            "{held} of 100, {by_percentile} by percentile"
        );
    }

    #[test]
    fn calibrated_probabilities_have_no_error_and_bent_ones_do() {
        let (p, y) = line::tests::calibrated();
        let m = evaluate(&p, &y, 3);
        assert!(
            m.ece.value < 0.02 && m.bias.value.abs() < 1e-9,
            "{:?}",
            m.ece
        );
        assert!(
            m.calibration_slope.low < 1.0 && m.calibration_slope.high > 1.0,
            "{:?}",
            m.calibration_slope
        );
        let bent: Vec<f64> = p.iter().map(|p| sigmoid(2.0 * logit(*p) + 0.5)).collect();
        let m = evaluate(&bent, &y, 3);
        assert!(m.ece.value > 0.1);
        assert!(
            m.calibration_slope.high < 1.0 && m.calibration_intercept.high < 0.0,
            "{m:?}"
        );
    }
}
