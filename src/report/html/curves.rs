//! ROC and precision-recall curves and lift, with the baselines beside the model.

use maud::{Markup, html};

use super::axis::{Axis, digits, ends, round_step};
use super::bars;
use super::names;
use super::plot::Plot;
use crate::card::{BaselineCard, Evaluation};
use crate::report::number::{counted_share, decimals, percent, times};

/// A baseline's line: its class in the style sheet and its name, with the names of those that run on the same line.
pub(crate) struct Line<'a> {
    pub(crate) class: &'static str,
    pub(crate) name: String,
    pub(crate) baseline: &'a BaselineCard,
}

/// The baselines that draw a line of their own: one that ranks nobody is the diagonal, and equal orders share a line.
pub(crate) fn lines(e: &Evaluation) -> Vec<Line<'_>> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for baseline in e.baselines.iter().filter(|r| r.roc.len() > 2) {
        let name = names::baseline(baseline);
        match lines.iter_mut().find(|l| l.baseline.roc == baseline.roc) {
            Some(same) => same
                .name
                .push_str(&format!(", also {}", name.to_lowercase())),
            None => lines.push(Line {
                class: class(&baseline.name),
                name,
                baseline,
            }),
        }
    }
    lines
}

fn class(baseline: &str) -> &'static str {
    match baseline {
        "recency_only" => "r-recency",
        "best_single" => "r-single",
        "bg_nbd" => "r-bgnbd",
        "random_forest" => "r-forest",
        _ => "r-other",
    }
}

/// The names of the lines.
pub(crate) fn legend(lines: &[Line<'_>]) -> Markup {
    let baselines: Vec<(String, &str)> = lines
        .iter()
        .map(|l| (format!("line {}", l.class), l.name.as_str()))
        .collect();
    let baselines = baselines
        .iter()
        .map(|(class, name)| (class.as_str(), *name));
    bars::legend(std::iter::once(("line model", "Model")).chain(baselines))
}

/// The three figures, side by side.
pub(crate) fn figures(horizon_days: u16, e: &Evaluation) -> Markup {
    html! {
        div.triple {
            (roc(horizon_days, e))
            (precision_recall(horizon_days, e))
            (lift(horizon_days, e))
        }
    }
}

fn share(label: &str) -> Axis {
    Axis::new(0.0, 1.0, label, percent)
}

fn roc(horizon_days: u16, e: &Evaluation) -> Markup {
    let lines = lines(e);
    let mut plot = Plot::new(
        format!("roc-{horizon_days}"),
        format!("ROC curve within {horizon_days} days"),
        share("false positive rate"),
        share("churners reached"),
    );
    plot.line(&[(0.0, 0.0), (1.0, 1.0)], "reference");
    for line in lines.iter().rev() {
        plot.line(&line.baseline.roc, &format!("baseline {}", line.class));
    }
    plot.line(&e.roc, "model");
    let description = [0.05, 0.1, 0.2, 0.5].map(|x| {
        format!(
            "{} false positives, {} of churners reached",
            percent(x),
            percent(along(&e.roc, x))
        )
    });
    let content = html! { (legend(&lines)) (plot.finish(&description.join("; "))) };
    let caption = html! {
        "At " (percent(0.1)) " false positives " (counted_share(along(&e.roc, 0.1))) " of the churners are reached"
        (recency(&lines, |b| counted_share(along(&b.roc, 0.1)))) ". Dashed: chance. Area under the curve (AUC): "
        (decimals(e.model.auc.value, 3)) "."
    };
    super::figure("", "Are churners ranked first?", content, caption)
}

fn precision_recall(horizon_days: u16, e: &Evaluation) -> Markup {
    let lines = lines(e);
    let baselines = lines.iter().map(|l| &l.baseline.precision_recall);
    let precisions = baselines.chain([&e.precision_recall]).flatten();
    let y = Axis::shares(
        precisions.map(|p| p.1).chain([e.churn_rate]),
        "contacts who churn (precision)",
    );
    let mut plot = Plot::new(
        format!("pr-{horizon_days}"),
        format!("Precision-recall curve within {horizon_days} days"),
        share("churners reached (recall)"),
        y,
    );
    plot.line(&[(0.0, e.churn_rate), (1.0, e.churn_rate)], "reference");
    for line in lines.iter().rev() {
        plot.line(
            &line.baseline.precision_recall,
            &format!("baseline {}", line.class),
        );
    }
    plot.line(&e.precision_recall, "model");
    let description = [0.1, 0.25, 0.5, 0.75].map(|x| {
        format!(
            "{} of churners reached, {} of contacts churn",
            percent(x),
            percent(along(&e.precision_recall, x))
        )
    });
    let content = html! { (legend(&lines)) (plot.finish(&description.join("; "))) };
    let caption = html! {
        "With half of the churners reached, precision is " (counted_share(along(&e.precision_recall, 0.5)))
        (recency(&lines, |b| counted_share(along(&b.precision_recall, 0.5)))) ". Dashed: the churn rate, "
        (counted_share(e.churn_rate)) "."
    };
    super::figure("", "How many contacts are churners?", content, caption)
}

fn lift(horizon_days: u16, e: &Evaluation) -> Markup {
    let lines = lines(e);
    let curve = |gains: &[f64]| -> Vec<(f64, f64)> {
        let points = 1..=gains.len();
        points
            .map(|p| (p as f64 / 100.0, e.reach(gains, p).lift))
            .collect()
    };
    let baselines = lines.iter().map(|l| l.baseline.gains.as_slice());
    let shown = baselines.chain([e.gains.as_slice()]).flat_map(curve);
    let y = lift_axis(shown.map(|p| p.1));
    let mut plot = Plot::new(
        format!("lift-{horizon_days}"),
        format!("Lift within {horizon_days} days"),
        share("users contacted, riskiest first"),
        y,
    );
    plot.line(&[(0.0, 1.0), (1.0, 1.0)], "reference");
    for line in lines.iter().rev() {
        plot.line(
            &curve(&line.baseline.gains),
            &format!("baseline {}", line.class),
        );
    }
    plot.line(&curve(&e.gains), "model");
    let at = |gains: &[f64], p: usize| match gains {
        [] => f64::NAN,
        gains => e.reach(gains, p).lift,
    };
    let description = [5_usize, 10, 20, 50].map(|p| {
        format!(
            "the riskiest {}: {} times",
            percent(p as f64 / 100.0),
            decimals(at(&e.gains, p), 2)
        )
    });
    let content = html! { (legend(&lines)) (plot.finish(&description.join("; "))) };
    let caption = html! {
        "The riskiest " (percent(0.1)) " of users: lift " (times(at(&e.gains, 10)))
        (recency(&lines, |b| times(at(&b.gains, 10)))) ", of a perfect order "
        (times(e.reach(&e.gains, 10).possible_lift)) ". Dashed: random contacts, lift 1."
    };
    super::figure("", "How much better than chance?", content, caption)
}

/// An axis of lifts: from 0, or from just below the lowest where everything lies close to 1, as when nearly all churn.
fn lift_axis(values: impl Iterator<Item = f64>) -> Axis {
    let (low, high) = ends(values.chain([1.0])).unwrap_or((1.0, 1.0));
    let narrow = low > 0.75 && high < 1.25;
    let length = if narrow { high - low } else { high };
    let step = round_step(length.max(1e-3) / 4.0);
    let low = if narrow {
        (low / step + 1e-9).floor() * step
    } else {
        0.0
    };
    let high = (high / step - 1e-9).ceil() * step;
    let digits = digits(step);
    Axis::new(low, high, "lift: churners over random", |v| {
        format!("{}×", decimals(v, digits))
    })
}

/// The same figure of recency alone, in brackets; empty without that baseline.
fn recency(lines: &[Line<'_>], value: impl Fn(&BaselineCard) -> String) -> String {
    let recency = lines.iter().find(|l| l.baseline.name == "recency_only");
    recency.map_or_else(String::new, |l| {
        format!(" (recency only: {})", value(l.baseline))
    })
}

/// The height of a line through points at `x`; not a number beside it.
fn along(points: &[(f64, f64)], x: f64) -> f64 {
    let after = points.partition_point(|p| p.0 < x);
    let before = after.checked_sub(1).and_then(|i| points.get(i));
    match (before, points.get(after)) {
        (Some(a), Some(b)) if b.0 > a.0 => a.1 + (b.1 - a.1) * (x - a.0) / (b.0 - a.0),
        (_, Some(b)) => b.1,
        _ => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{card, snapshot};
    use super::*;

    #[test]
    fn the_curves_are_drawn_and_read_in_their_captions() {
        let e = card().horizons[0].evaluation.clone().unwrap();
        snapshot("curves", figures(30, &e));
        assert_eq!(along(&[(0.0, 0.0), (0.5, 1.0), (1.0, 1.0)], 0.25), 0.5);
        assert!(along(&[], 0.5).is_nan());
    }

    #[test]
    fn lifts_fit_their_axis_where_few_churn_and_where_nearly_all_do() {
        let read = |values: &[f64]| {
            let axis = lift_axis(values.iter().copied());
            let inside = |v: &f64| (axis.low..=axis.high).contains(v);
            assert!(values.iter().all(inside), "{axis:?}");
            let labels: Vec<String> = axis.ticks.into_iter().map(|t| t.1).collect();
            labels.join(" ")
        };
        assert_eq!(read(&[1.0, 2.3]), "0× 1× 2× 3×");
        assert_eq!(read(&[0.6, 1.0]), "0.00× 0.25× 0.50× 0.75× 1.00×");
        assert_eq!(read(&[1.0, 64.0]), "0× 20× 40× 60× 80×");
        assert_eq!(read(&[1.0, 1.0101]), "1.000× 1.005× 1.010× 1.015×");
        assert!(lift_axis([f64::NAN].into_iter()).ticks.len() > 1);
    }

    #[test]
    fn equal_orders_share_a_line_and_the_base_rate_has_none() {
        let e = card().horizons[0].evaluation.clone().unwrap();
        let names: Vec<String> = lines(&e).into_iter().map(|l| l.name).collect();
        assert_eq!(
            names,
            [
                "Recency only, also best single feature",
                "BG/NBD",
                "Random forest"
            ]
        );
    }
}
