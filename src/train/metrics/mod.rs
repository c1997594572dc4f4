//! How good probabilities are: metrics with bootstrap intervals over users, paired differences, curves.
//!
//! Reading order: [`Metrics`], `ranking` (all figures in one pass over sorted predictions), `bootstrap` (their
//! intervals), `line` (the calibration line), `curves` (what is drawn); `value` for estimates of spend.

pub(crate) mod bootstrap;
pub(crate) mod curves;
pub(crate) mod line;
pub(crate) mod ranking;
pub(crate) mod value;

pub(crate) use bootstrap::{Draws, RESAMPLES, bootstrap};
pub(crate) use curves::{calibration_curve, gains, precision_recall, roc};
pub(crate) use line::calibration_line;
pub(crate) use ranking::{Figures, Ranking, area_under_roc};

use crate::card::{Interval, Metrics};

/// The metrics of one of the predictions that were drawn together, within what each of them can be.
pub(crate) fn metrics<T>(draws: &Draws<T>, of: impl Fn(&T) -> &Figures) -> Metrics {
    let unbounded = |figure: fn(&Figures) -> f64| draws.interval(|drawn| figure(of(drawn)));
    let share = |figure: fn(&Figures) -> f64| clipped(unbounded(figure), 0.0, 1.0);
    Metrics {
        log_loss: clipped(unbounded(|f| f.log_loss), 0.0, f64::INFINITY),
        auc: share(|f| f.auc),
        brier: share(|f| f.brier),
        ece: share(|f| f.ece),
        bias: clipped(unbounded(|f| f.bias), -1.0, 1.0),
        average_precision: share(|f| f.average_precision),
        calibration_slope: unbounded(|f| f.calibration_slope),
        calibration_intercept: unbounded(|f| f.calibration_intercept),
    }
}

/// An interval without what lies outside of what its figure can be.
fn clipped(interval: Interval, least: f64, most: f64) -> Interval {
    Interval {
        low: interval.low.max(least),
        high: interval.high.min(most),
        ..interval
    }
}

/// All metrics of one row for each user; `seed` draws the resamples.
#[cfg(test)]
pub(crate) fn evaluate(p: &[f64], y: &[bool], seed: u64) -> Metrics {
    metrics(&tests::draws(p, y, seed), |f| f)
}

#[cfg(test)]
pub(crate) mod tests {
    use rand::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::*;
    use crate::math::{logit, sigmoid};

    /// The figures of one row for each user, and of resamples of them.
    pub(crate) fn draws(p: &[f64], y: &[bool], seed: u64) -> Draws<Figures> {
        let users: Vec<u32> = (0..p.len() as u32).collect();
        let ranking = Ranking::new(p, y, &users);
        bootstrap(users.len(), seed, |counts| ranking.figures(counts))
    }

    /// Every figure with its interval.
    fn all(metrics: &Metrics) -> [Interval; 8] {
        let Metrics {
            log_loss,
            auc,
            brier,
            ece,
            bias,
            average_precision,
            calibration_slope,
            calibration_intercept,
        } = *metrics;
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
        // Of the 16 pairs of a churner and a retained user 12 are in order and one is tied.
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
            assert!(all(&m).iter().all(holds), "seed {seed}: {m:?}");
            assert!(
                m.ece.low >= 0.0 && m.auc.high <= 1.0 && m.log_loss.low >= 0.0,
                "seed {seed}: {m:?}"
            );
            let draws = draws(&p, &y, seed);
            lifted += u32::from(draws.quantile(|f| f.ece, 0.025) > m.ece.value);
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
            let draws = draws(&p, &y, seed);
            let ece = metrics(&draws, |f| f).ece;
            held += u32::from(ece.low <= 0.03 && 0.03 <= ece.high);
            by_percentile += u32::from(
                draws.quantile(|f| f.ece, 0.025) <= 0.03
                    && 0.03 <= draws.quantile(|f| f.ece, 0.975),
            );
        }
        assert!(
            held > 75 && held > by_percentile + 20,
            "{held} of 100, {by_percentile} by percentile"
        );
    }

    #[test]
    fn calibrated_probabilities_have_no_error_and_distorted_ones_do() {
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
        let distorted: Vec<f64> = p.iter().map(|p| sigmoid(2.0 * logit(*p) + 0.5)).collect();
        let m = evaluate(&distorted, &y, 3);
        assert!(m.ece.value > 0.1);
        assert!(
            m.calibration_slope.high < 1.0 && m.calibration_intercept.high < 0.0,
            "{m:?}"
        );
    }
}
