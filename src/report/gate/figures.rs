//! The figures of a horizon and their thresholds.

use super::finding::{Bound, Checked, Finding, mark};
use crate::card::{Evaluation, Interval, Metrics, PerHorizon, Thresholds};
use crate::report::wording::verdict::simple_baseline;

/// A figure of a model, and the threshold that it is held against.
struct Figure {
    metric: &'static str,
    name: &'static str,
    interval: fn(&Metrics) -> Interval,
    threshold: fn(&Thresholds) -> &Option<PerHorizon>,
    bound: Bound,
    /// What is held against the threshold.
    held: fn(f64) -> f64,
}

const FIGURES: [Figure; 4] = [
    Figure {
        metric: "auc",
        name: "AUC",
        interval: |m| m.auc,
        threshold: |t| &t.min_auc,
        bound: Bound::AtLeast,
        held: |value| value,
    },
    Figure {
        metric: "log_loss",
        name: "log loss",
        interval: |m| m.log_loss,
        threshold: |t| &t.max_log_loss,
        bound: Bound::AtMost,
        held: |value| value,
    },
    Figure {
        metric: "ece",
        name: "calibration error",
        interval: |m| m.ece,
        threshold: |t| &t.max_ece,
        bound: Bound::AtMost,
        held: |value| value,
    },
    Figure {
        metric: "bias",
        name: "bias",
        interval: |m| m.bias,
        threshold: |t| &t.max_bias,
        bound: Bound::AtMost,
        // Too low is as wrong as too high.
        held: f64::abs,
    },
];

/// A baseline and the gain over it that is asked for.
struct Gain {
    metric: &'static str,
    baseline: &'static str,
    threshold: fn(&Thresholds) -> &Option<PerHorizon>,
}

const GAINS: [Gain; 3] = [
    Gain {
        metric: "gain_over_base_rate",
        baseline: "base_rate",
        threshold: |t| &t.min_gain_over_base_rate,
    },
    Gain {
        metric: "gain_over_recency",
        baseline: "recency_only",
        threshold: |t| &t.min_gain_over_recency,
    },
    Gain {
        metric: "gain_over_bg_nbd",
        baseline: "bg_nbd",
        threshold: |t| &t.min_gain_over_bg_nbd,
    },
];

/// Every figure of a horizon that has a threshold.
pub(crate) fn figures(days: u16, e: &Evaluation, thresholds: &Thresholds) -> Vec<Finding> {
    let limit = |threshold: &Option<PerHorizon>| threshold.as_ref()?.at(days);
    let figures = FIGURES.iter().filter_map(|figure| {
        let limit = limit((figure.threshold)(thresholds))?;
        Some(figure.finding(days, (figure.interval)(&e.model), limit))
    });
    let gains = GAINS.iter().filter_map(|gain| {
        let limit = limit((gain.threshold)(thresholds))?;
        Some(gain.finding(days, e, limit))
    });
    figures.chain(gains).collect()
}

impl Figure {
    fn finding(&self, days: u16, interval: Interval, limit: f64) -> Finding {
        let held = (self.held)(interval.value);
        let checked = Checked::limited(self.metric, held, self.bound, limit)
            .of_horizon(days)
            .with_interval(interval);
        let (name, bound, mark) = (self.name, self.bound.words(), mark(checked.passed));
        let value = interval.value;
        let line = match self.metric {
            "bias" => {
                format!("horizon {days}: {name} {value:+.4}, {bound} {limit} either way: {mark}")
            }
            _ => format!("horizon {days}: {name} {value:.4}, {bound} {limit}: {mark}"),
        };
        Finding::checked(checked, line)
    }
}

impl Gain {
    fn finding(&self, days: u16, e: &Evaluation, limit: f64) -> Finding {
        let name = simple_baseline(self.baseline);
        let Some(gain) = e.gain_over(self.baseline) else {
            let checked = Checked::limited(self.metric, f64::NAN, Bound::AtLeast, limit);
            let line = format!(
                "horizon {days}: gain over {name} is not known, at least {limit}: FAILED. The card has no such baseline."
            );
            return Finding::checked(checked.of_horizon(days), line);
        };
        let checked = Checked::limited(self.metric, gain.value, Bound::AtLeast, limit)
            .of_horizon(days)
            .with_interval(gain);
        let line = format!(
            "horizon {days}: gain over {name} {:.4} [{:.4}, {:.4}], at least {limit}: {}",
            gain.value,
            gain.low,
            gain.high,
            mark(checked.passed)
        );
        Finding::checked(checked, line)
    }
}
