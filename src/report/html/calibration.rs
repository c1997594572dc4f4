//! Predicted against observed churn.

use super::plot::{Axis, Plot};
use super::text::{counted, counted_share, decimals, escape, points, probability};
use crate::card::Evaluation;
use crate::train::evaluation::metrics::{CurvePoint, Interval};

/// The calibration curve with 95 % intervals for what was observed.
pub(crate) fn figure(horizon_days: u16, e: &Evaluation) -> String {
    let curve = &e.calibration_curve;
    let (id, title) = (
        format!("calibration-{horizon_days}"),
        format!("Calibration within {horizon_days} days"),
    );
    let axis = |label| Axis::shares(curve.iter().flat_map(|c| [c.predicted, c.observed]), label);
    let (foot, top) = (axis("").low, axis("").high);
    let mut plot = Plot::new(&id, &title, axis("predicted churn"), axis("observed churn"));
    plot.line(&[(foot, foot), (top, top)], "reference");
    // Where most users churn, the dots crowd the other end.
    let crowded = foot > 0.0;
    let (at, away, anchor) = if crowded {
        (foot, (40, -8), "start")
    } else {
        (top, (-14, 4), "end")
    };
    plot.text((at, at), away, anchor, "as predicted");
    let largest = curve.iter().map(|c| c.users).max().unwrap_or(1).max(1) as f64;
    plot.line(
        &curve
            .iter()
            .map(|c| (c.predicted, c.observed))
            .collect::<Vec<_>>(),
        "model thin",
    );
    for c in curve {
        plot.segment((c.predicted, c.low), (c.predicted, c.high), "whisker");
    }
    for c in curve {
        // The area of a dot is in proportion to its users.
        let radius = 2.5 + 4.0 * (c.users as f64 / largest).sqrt();
        plot.dot((c.predicted, c.observed), radius, "dot", &words(c));
    }
    let description = curve.iter().map(words).collect::<Vec<_>>().join("; ");
    super::figure(
        "tall",
        "Can the probabilities be believed?",
        &plot.finish(&description),
        &escape(&caption(e)),
    )
}

fn words(c: &CurvePoint) -> String {
    let (predicted, observed) = (probability(c.predicted), counted_share(c.observed));
    format!(
        "predicted {predicted}, observed {observed}, {}",
        counted(c.users, "user")
    )
}

fn caption(e: &Evaluation) -> String {
    let curve = &e.calibration_curve;
    let gap = |c: &&CurvePoint| (c.predicted - c.observed).abs();
    let Some(worst) = curve.iter().max_by(|a, b| gap(a).total_cmp(&gap(b))) else {
        return "No users were judged.".to_owned();
    };
    let outside = |c: &&CurvePoint| c.predicted < c.low || c.predicted > c.high;
    format!(
        "Dots on the diagonal can be taken at face value; vertical lines are 95{}% intervals, and {} of {} miss the \
         diagonal. The largest gap is {} points: {} predicted, {} observed. {}",
        super::text::THIN,
        curve.iter().filter(outside).count(),
        curve.len(),
        points(gap(&worst)),
        probability(worst.predicted),
        counted_share(worst.observed),
        line(e),
    )
}

/// What the calibration line says.
fn line(e: &Evaluation) -> String {
    let (slope, intercept) = (e.model.calibration_slope, e.model.calibration_intercept);
    let said = if slope.high < 1.0 {
        "the model is too sure of itself"
    } else if slope.low > 1.0 {
        "the model is not sure enough of itself"
    } else {
        "neither too sure nor too unsure, as far as anyone can tell"
    };
    let span = |i: Interval| {
        format!(
            "{} ({} to {})",
            decimals(i.value, 2),
            decimals(i.low, 2),
            decimals(i.high, 2)
        )
    };
    format!(
        "The line through the log-odds has slope {}, ideally 1: {said}; its intercept is {}, ideally 0.",
        span(slope),
        span(intercept)
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::card;
    use super::*;
    use crate::train::evaluation::metrics::share_interval;

    #[test]
    fn the_caption_names_the_largest_gap_and_reads_the_line() {
        let mut e = card().horizons[0].evaluation.clone().unwrap();
        let point = |predicted, observed| {
            let (low, high) = share_interval(observed, 1_000);
            CurvePoint {
                predicted,
                observed,
                low,
                high,
                users: 1_000,
            }
        };
        e.calibration_curve = vec![point(0.1, 0.11), point(0.5, 0.42)];
        let said = |e: &Evaluation| caption(e).replace(super::super::text::THIN, " ");
        let all = said(&e);
        assert!(
            all.contains("1 of 2 miss")
                && all.contains("8.0 points: 50 % predicted, 42 % observed"),
            "{all}"
        );
        assert!(
            all.contains("slope 0.96 (0.90 to 1.03), ideally 1: neither"),
            "{all}"
        );
        e.model.calibration_slope.high = 0.97;
        assert!(said(&e).contains("ideally 1: the model is too sure of itself"));
        e.calibration_curve.clear();
        assert_eq!(caption(&e), "No users were judged.");
    }
}
