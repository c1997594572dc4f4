//! Predicted against observed churn.

use super::super::card::Evaluation;
use super::super::metrics::CurvePoint;
use super::plot::{Axis, Plot, round_step};
use super::text::{counted, escape, percent, points};

/// The calibration curve with 95 % intervals for what was observed.
pub(super) fn figure(horizon_days: u16, e: &Evaluation) -> String {
    let curve = &e.calibration_curve;
    let most = curve.iter().flat_map(|c| [c.predicted, c.observed]).fold(0.0, f64::max);
    let step = round_step(most / 4.0);
    let top = ((most / step - 1e-9).ceil() * step).clamp(0.01, 1.0);
    let (id, title) = (format!("calibration-{horizon_days}"), format!("Calibration within {horizon_days} days"));
    let axis = |label| Axis::new(0.0, top, label, percent);
    let mut plot = Plot::new(&id, &title, axis("predicted churn"), axis("observed churn"));
    plot.line(&[(0.0, 0.0), (top, top)], "reference");
    plot.text((top, top), (-14, 4), "end", "as predicted");
    let largest = curve.iter().map(|c| c.users).max().unwrap_or(1).max(1) as f64;
    plot.line(&curve.iter().map(|c| (c.predicted, c.observed)).collect::<Vec<_>>(), "model thin");
    for c in curve {
        let (low, high) = wilson(c.observed, c.users);
        plot.segment((c.predicted, low), (c.predicted, high), "whisker");
    }
    for c in curve {
        // The area of a dot is in proportion to its users.
        let radius = 2.5 + 4.0 * (c.users as f64 / largest).sqrt();
        plot.dot((c.predicted, c.observed), radius, "dot", &words(c));
    }
    let description = curve.iter().map(words).collect::<Vec<_>>().join("; ");
    super::figure("tall", "Can the probabilities be believed?", &plot.finish(&description), &escape(&caption(curve)))
}

fn words(c: &CurvePoint) -> String {
    format!("predicted {}, observed {}, {}", percent(c.predicted), percent(c.observed), counted(c.users, "user"))
}

fn caption(curve: &[CurvePoint]) -> String {
    let gap = |c: &&CurvePoint| (c.predicted - c.observed).abs();
    let Some(worst) = curve.iter().max_by(|a, b| gap(a).total_cmp(&gap(b))) else {
        return "No users were judged.".to_owned();
    };
    let outside = |c: &&CurvePoint| {
        let (low, high) = wilson(c.observed, c.users);
        c.predicted < low || c.predicted > high
    };
    format!(
        "Dots on the diagonal can be taken at face value; vertical lines are 95{}% intervals, and {} of {} miss the \
         diagonal. The largest gap is {} points: {} predicted, {} observed.",
        super::text::THIN,
        curve.iter().filter(outside).count(),
        curve.len(),
        points(gap(&worst)),
        percent(worst.predicted),
        percent(worst.observed),
    )
}

/// The 95 % interval of a share of `n`. Source: Wilson (1927), JASA 22.
fn wilson(share: f64, n: u64) -> (f64, f64) {
    if n == 0 {
        return (0.0, 1.0);
    }
    let (n, z) = (n as f64, 1.959_964);
    let scale = 1.0 + z * z / n;
    let middle = (share + z * z / (2.0 * n)) / scale;
    let half = z / scale * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).max(0.0).sqrt();
    (middle - half, middle + half)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `statsmodels` 0.14, `proportion_confint(30, 100, method="wilson")`: 0.218946, 0.395849.
    #[test]
    fn intervals_of_shares_match_statsmodels() {
        let (low, high) = wilson(0.3, 100);
        assert!((low - 0.218_946).abs() < 1e-5 && (high - 0.395_849).abs() < 1e-5, "{low} {high}");
        assert_eq!(wilson(0.3, 0), (0.0, 1.0));
    }

    #[test]
    fn the_caption_names_the_largest_gap() {
        let point = |predicted, observed| CurvePoint { predicted, observed, users: 1_000 };
        let said = caption(&[point(0.1, 0.11), point(0.5, 0.42)]).replace(super::super::text::THIN, " ");
        assert!(said.contains("1 of 2 miss") && said.contains("8.0 points: 50 % predicted, 42 % observed"), "{said}");
        assert_eq!(caption(&[]), "No users were judged.");
    }
}
