//! Figures of a later day beside those of the card.

use crate::card::{Evaluation, Interval, Metrics, Promise, Standing};
use crate::math::wilson_interval;

/// Where a metric is best.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Best {
    Low,
    High,
    /// As close to this as can be.
    At(f64),
}

/// A metric of the card.
struct Metric {
    name: &'static str,
    value: fn(&Metrics) -> Interval,
    best: Best,
}

const METRICS: [Metric; 8] = [
    Metric {
        name: "log_loss",
        value: |m| m.log_loss,
        best: Best::Low,
    },
    Metric {
        name: "auc",
        value: |m| m.auc,
        best: Best::High,
    },
    Metric {
        name: "brier",
        value: |m| m.brier,
        best: Best::Low,
    },
    Metric {
        name: "ece",
        value: |m| m.ece,
        best: Best::Low,
    },
    Metric {
        name: "bias",
        value: |m| m.bias,
        best: Best::At(0.0),
    },
    Metric {
        name: "average_precision",
        value: |m| m.average_precision,
        best: Best::High,
    },
    Metric {
        name: "calibration_slope",
        value: |m| m.calibration_slope,
        best: Best::At(1.0),
    },
    Metric {
        name: "calibration_intercept",
        value: |m| m.calibration_intercept,
        best: Best::At(0.0),
    },
];

/// The baselines that a gain is promised over.
const GAINS: [&str; 3] = ["base_rate", "recency_only", "bg_nbd"];

/// The figures of an evaluation, each beside that of the card.
pub(crate) fn promises(found: &Evaluation, promised: Option<&Evaluation>) -> Vec<Promise> {
    let mut all: Vec<Promise> = METRICS
        .iter()
        .map(|Metric { name, value, best }| {
            promise(
                name,
                value(&found.model),
                promised.map(|e| value(&e.model)),
                *best,
            )
        })
        .collect();
    if let Some(lift) = top_decile_lift(found) {
        let of_card = promised.and_then(top_decile_lift);
        all.push(promise("top_decile_lift", lift, of_card, Best::High));
    }
    for baseline in GAINS {
        if let Some(gain) = found.gain_over(baseline) {
            let of_card = promised.and_then(|e| e.gain_over(baseline));
            all.push(promise(
                &format!("gain_over_{baseline}"),
                gain,
                of_card,
                Best::High,
            ));
        }
    }
    all
}

/// The standing of one of the figures.
pub(crate) fn standing_of(promises: &[Promise], metric: &str) -> Option<Standing> {
    promises.iter().find(|p| p.metric == metric)?.standing
}

/// How many times the churn rate of all users that of the riskiest tenth is; its interval is that of the tenth's rate.
fn top_decile_lift(e: &Evaluation) -> Option<Interval> {
    let reached = *e.gains.get(9)?;
    let churners = e.churners() as f64;
    let contacted = e.users.div_ceil(10);
    if churners == 0.0 || contacted == 0 {
        return None;
    }
    let rate = (reached * churners / contacted as f64).clamp(0.0, 1.0);
    let (low, high) = wilson_interval(rate, contacted);
    let lift = |rate: f64| rate / e.churn_rate;
    Some(Interval {
        value: lift(rate),
        low: lift(low.min(rate)),
        high: lift(high.max(rate)),
    })
}

fn promise(metric: &str, found: Interval, promised: Option<Interval>, best: Best) -> Promise {
    Promise {
        metric: metric.to_owned(),
        found,
        promised,
        difference: promised.map(|promised| difference(found, promised)),
        standing: promised.and_then(|promised| standing(found, promised, best)),
    }
}

/// The difference of two figures of other users, with an interval made from theirs (MOVER: Zou and Donner 2008, Statistics
/// in Medicine 27).
fn difference(a: Interval, b: Interval) -> Interval {
    let value = a.value - b.value;
    let off = |one: f64, other: f64| (one * one + other * other).sqrt();
    Interval {
        value,
        low: value - off(a.value - a.low, b.high - b.value),
        high: value + off(a.high - a.value, b.value - b.low),
    }
}

/// Whether the interval of the difference contains 0, and else on which side it lies; `None` where a figure is not known.
fn standing(found: Interval, promised: Interval, best: Best) -> Option<Standing> {
    let d = match best {
        Best::Low => difference(found, promised),
        Best::High => difference(promised, found),
        Best::At(ideal) => difference(distance(found, ideal), distance(promised, ideal)),
    };
    match d {
        Interval { low, high, .. } if !(low.is_finite() && high.is_finite()) => None,
        Interval { low, .. } if low > 0.0 => Some(Standing::Worse),
        Interval { high, .. } if high < 0.0 => Some(Standing::Better),
        _ => Some(Standing::Within),
    }
}

/// How far a figure lies from its ideal, on whichever side.
fn distance(i: Interval, ideal: f64) -> Interval {
    let [value, low, high] = [i.value, i.low, i.high].map(|v| (v - ideal).abs());
    let contains_ideal = (i.low..=i.high).contains(&ideal);
    Interval {
        value,
        low: if contains_ideal { 0.0 } else { low.min(high) },
        high: low.max(high),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(value: f64, below: f64, above: f64) -> Interval {
        Interval {
            value,
            low: value - below,
            high: value + above,
        }
    }

    /// By hand: the square roots of 0.03² + 0.04² and of 0.05² + 0.12².
    #[test]
    fn the_interval_of_a_difference_adds_squares() {
        let d = difference(around(0.5, 0.03, 0.05), around(0.4, 0.12, 0.04));
        assert!((d.value - 0.1).abs() < 1e-15);
        assert!((d.low - (0.1 - 0.05)).abs() < 1e-12, "{d:?}");
        assert!((d.high - (0.1 + 0.13)).abs() < 1e-12, "{d:?}");
    }

    #[test]
    fn a_figure_stands_by_the_side_that_is_better_for_it() {
        let standing = |found: f64, promised: f64, best| {
            promise(
                "made",
                around(found, 0.01, 0.01),
                Some(around(promised, 0.01, 0.01)),
                best,
            )
            .standing
        };
        let (better, within, worse) = (
            Some(Standing::Better),
            Some(Standing::Within),
            Some(Standing::Worse),
        );
        assert_eq!(standing(0.5, 0.51, Best::Low), within);
        assert_eq!(standing(0.5, 0.6, Best::Low), better);
        assert_eq!(standing(0.6, 0.5, Best::Low), worse);
        assert_eq!(standing(0.6, 0.5, Best::High), better);
        assert_eq!(standing(0.5, 0.6, Best::High), worse);
        // Below 0 and above 0 are as far off; a smaller distance is better whatever its sign.
        assert_eq!(standing(-0.1, 0.1, Best::At(0.0)), within);
        assert_eq!(standing(-0.1, 0.02, Best::At(0.0)), worse);
        assert_eq!(standing(-0.02, 0.1, Best::At(0.0)), better);
        assert_eq!(standing(1.2, 0.95, Best::At(1.0)), worse);
        assert_eq!(standing(f64::NAN, 0.5, Best::Low), None);
        let unpromised = promise("made", around(0.5, 0.1, 0.1), None, Best::Low);
        assert_eq!((unpromised.standing, unpromised.difference), (None, None));
    }
}
