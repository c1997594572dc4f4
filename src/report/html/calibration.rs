//! Predicted against observed churn.

use maud::{Markup, html};

use super::axis::Axis;
use super::plot::Plot;
use crate::card::{CurvePoint, Evaluation, Interval};
use crate::report::number::{THIN, counted, counted_share, decimals, points, probability};

const HEADING: &str = "Are the probabilities right?";

/// The calibration curve with 95 % intervals of the observed churn.
pub(crate) fn figure(horizon_days: u16, e: &Evaluation) -> Markup {
    let gap = |c: &&CurvePoint| (c.predicted - c.observed).abs();
    let curve = e.calibration_curve.iter();
    match curve.max_by(|a, b| gap(a).total_cmp(&gap(b))) {
        Some(worst) => {
            let chart = chart(horizon_days, &e.calibration_curve);
            super::figure("tall", HEADING, chart, caption(e, worst))
        }
        None => super::no_figure(HEADING, "The test has no users."),
    }
}

fn chart(horizon_days: u16, curve: &[CurvePoint]) -> Markup {
    let axis = |label| Axis::shares(curve.iter().flat_map(|c| [c.predicted, c.observed]), label);
    let (x, y) = (axis("predicted churn"), axis("observed churn"));
    let (foot, top) = (x.low, x.high);
    let mut plot = Plot::new(
        format!("calibration-{horizon_days}"),
        format!("Calibration within {horizon_days} days"),
        x,
        y,
    );
    plot.line(&[(foot, foot), (top, top)], "reference");
    // Where most users churn, the dots crowd the upper end of the diagonal.
    if foot > 0.0 {
        plot.text((foot, foot), (40, -8), "start", "as predicted");
    } else {
        plot.text((top, top), (-14, 4), "end", "as predicted");
    }
    let points: Vec<(f64, f64)> = curve.iter().map(|c| (c.predicted, c.observed)).collect();
    plot.line(&points, "model thin");
    for c in curve {
        plot.segment((c.predicted, c.low), (c.predicted, c.high), "whisker");
    }
    let largest = curve.iter().map(|c| c.users).max().unwrap_or(1).max(1) as f64;
    for c in curve {
        // The area of a dot is in proportion to its users.
        let radius = 2.5 + 4.0 * (c.users as f64 / largest).sqrt();
        plot.dot((c.predicted, c.observed), radius, "dot", &words(c));
    }
    let description: Vec<String> = curve.iter().map(words).collect();
    plot.finish(&description.join("; "))
}

fn words(c: &CurvePoint) -> String {
    format!(
        "predicted {}, observed {}, {}",
        probability(c.predicted),
        counted_share(c.observed),
        counted(c.users, "user")
    )
}

fn caption(e: &Evaluation, worst: &CurvePoint) -> Markup {
    let outside = |c: &&CurvePoint| c.predicted < c.low || c.predicted > c.high;
    let curve = &e.calibration_curve;
    html! {
        "On the diagonal, predicted churn is observed churn. " (curve.iter().filter(outside).count()) " of "
        (curve.len()) " groups miss it with their 95" (THIN) "% interval (vertical lines). Largest gap: "
        (points((worst.predicted - worst.observed).abs())) " percentage points (" (probability(worst.predicted))
        " predicted, " (counted_share(worst.observed)) " observed). Calibration slope "
        (span(e.model.calibration_slope)) ", ideal 1; intercept " (span(e.model.calibration_intercept)) ", ideal 0."
    }
}

fn span(i: Interval) -> String {
    let [value, low, high] = [i.value, i.low, i.high].map(|v| decimals(v, 2));
    format!("{value} ({low} to {high})")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{card, plain, snapshot};
    use super::*;

    #[test]
    fn every_group_is_a_dot_with_its_interval() {
        let mut e = card().horizons[0].evaluation.clone().unwrap();
        snapshot("calibration", figure(30, &e));
        e.calibration_curve.clear();
        assert!(plain(figure(30, &e)).contains("The test has no users."));
    }

    #[test]
    fn groups_that_miss_the_diagonal_are_counted() {
        let mut e = card().horizons[0].evaluation.clone().unwrap();
        let point = |predicted, observed: f64| CurvePoint {
            predicted,
            observed,
            low: observed - 0.03,
            high: observed + 0.03,
            users: 1_000,
        };
        e.calibration_curve = vec![point(0.1, 0.11), point(0.5, 0.42)];
        let text = plain(figure(30, &e));
        assert!(
            text.contains("1 of 2 groups miss it") && text.contains("8.0 percentage points (50 %"),
            "{text}"
        );
    }
}
