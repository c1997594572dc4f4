//! ROC and precision-recall curves and lift, with the baselines beside the model.

use super::names;
use super::plot::{Axis, Plot};
use super::text::{counted_share, decimals, escape, percent, times};
use crate::card::{BaselineCard, Evaluation};

/// A baseline's line: its class in the style sheet and its name, with the names of those that run on the same line.
pub(crate) struct Line<'a> {
    pub(crate) class: &'static str,
    pub(crate) name: String,
    pub(crate) baseline: &'a BaselineCard,
}

/// The baselines that draw a line of their own: who ranks nobody is the diagonal, and equal orders share a line.
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

/// What the lines are.
pub(crate) fn legend(lines: &[Line<'_>]) -> String {
    let own = std::iter::once(("model", "Model".to_owned()));
    let keys = own.chain(lines.iter().map(|l| (l.class, l.name.clone())));
    let keys: String = keys
        .map(|(class, name)| {
            format!(
                "<span><span class=\"key line {class}\"></span>{}</span>",
                escape(&name)
            )
        })
        .collect();
    format!("<p class=\"legend\">{keys}</p>")
}

/// The three figures, side by side.
pub(crate) fn figures(horizon_days: u16, e: &Evaluation) -> String {
    format!(
        "<div class=\"triple\">{}{}{}</div>",
        roc(horizon_days, e),
        precision_recall(horizon_days, e),
        lift(horizon_days, e)
    )
}

fn share(label: &str) -> Axis {
    Axis::new(0.0, 1.0, label, percent)
}

fn roc(horizon_days: u16, e: &Evaluation) -> String {
    let lines = lines(e);
    let (id, title) = (
        format!("roc-{horizon_days}"),
        format!("ROC curve within {horizon_days} days"),
    );
    let mut plot = Plot::new(
        &id,
        &title,
        share("stayers bothered"),
        share("churners reached"),
    );
    plot.line(&[(0.0, 0.0), (1.0, 1.0)], "reference");
    lines
        .iter()
        .rev()
        .for_each(|l| plot.line(&l.baseline.roc, &format!("baseline {}", l.class)));
    plot.line(&e.roc, "model");
    let said = [0.05, 0.1, 0.2, 0.5].map(|x| {
        format!(
            "{} of stayers bothered, {} of churners reached",
            percent(x),
            percent(along(&e.roc, x))
        )
    });
    let caption = format!(
        "Bothering {} of the stayers reaches {} of the churners{}. The dashed diagonal is chance; the area below the curve \
         is the AUC, {}.",
        percent(0.1),
        counted_share(along(&e.roc, 0.1)),
        against(&lines, |r| along(&r.roc, 0.1)),
        decimals(e.model.auc.value, 3),
    );
    let content = legend(&lines) + &plot.finish(&said.join("; "));
    super::figure(
        "",
        "Can it tell churners from stayers?",
        &content,
        &escape(&caption),
    )
}

fn precision_recall(horizon_days: u16, e: &Evaluation) -> String {
    let lines = lines(e);
    let (id, title) = (
        format!("pr-{horizon_days}"),
        format!("Precision-recall curve within {horizon_days} days"),
    );
    let shown = lines
        .iter()
        .map(|l| &l.baseline.precision_recall)
        .chain([&e.precision_recall])
        .flatten()
        .map(|p| p.1);
    let y = Axis::shares(
        shown.chain([e.churn_rate]),
        "contacts who churn (precision)",
    );
    let mut plot = Plot::new(&id, &title, share("churners reached (recall)"), y);
    plot.line(&[(0.0, e.churn_rate), (1.0, e.churn_rate)], "reference");
    lines.iter().rev().for_each(|l| {
        plot.line(
            &l.baseline.precision_recall,
            &format!("baseline {}", l.class),
        )
    });
    plot.line(&e.precision_recall, "model");
    let said = [0.1, 0.25, 0.5, 0.75].map(|x| {
        format!(
            "{} of churners reached, {} of contacts churn",
            percent(x),
            percent(along(&e.precision_recall, x))
        )
    });
    let caption = format!(
        "Contacting the riskiest until half of the churners are reached, {} of the contacts are churners{}; at random it \
         would be {}, the dashed line.",
        counted_share(along(&e.precision_recall, 0.5)),
        against(&lines, |r| along(&r.precision_recall, 0.5)),
        counted_share(e.churn_rate),
    );
    let content = legend(&lines) + &plot.finish(&said.join("; "));
    super::figure(
        "",
        "How many contacts are wasted?",
        &content,
        &escape(&caption),
    )
}

fn lift(horizon_days: u16, e: &Evaluation) -> String {
    let lines = lines(e);
    let curve = |gains: &[f64]| -> Vec<(f64, f64)> {
        (1..=gains.len())
            .map(|p| (p as f64 / 100.0, e.reach(gains, p).lift))
            .collect()
    };
    let shown = lines
        .iter()
        .map(|l| l.baseline.gains.as_slice())
        .chain([e.gains.as_slice()])
        .flat_map(curve)
        .map(|p| p.1);
    let (id, title) = (
        format!("lift-{horizon_days}"),
        format!("Lift within {horizon_days} days"),
    );
    let y = lifts(shown);
    let mut plot = Plot::new(&id, &title, share("users contacted, riskiest first"), y);
    plot.line(&[(0.0, 1.0), (1.0, 1.0)], "reference");
    lines
        .iter()
        .rev()
        .for_each(|l| plot.line(&curve(&l.baseline.gains), &format!("baseline {}", l.class)));
    plot.line(&curve(&e.gains), "model");
    let of = |gains: &[f64], p: usize| {
        if gains.is_empty() {
            f64::NAN
        } else {
            e.reach(gains, p).lift
        }
    };
    let said = [5_usize, 10, 20, 50].map(|p| {
        format!(
            "the riskiest {}: {} times",
            percent(p as f64 / 100.0),
            decimals(of(&e.gains, p), 2)
        )
    });
    let recency = lines.iter().find(|l| l.baseline.name == "recency_only");
    let caption = format!(
        "The riskiest {} of users hold {} times as many churners as as many users taken at random{}; nobody could do \
         better than {} times, with churners only.",
        percent(0.1),
        times(of(&e.gains, 10)),
        recency
            .map(|l| format!(" (recency only: {})", times(of(&l.baseline.gains, 10))))
            .unwrap_or_default(),
        times(e.reach(&e.gains, 10).possible_lift),
    );
    super::figure(
        "",
        "How much better than chance?",
        &(legend(&lines) + &plot.finish(&said.join("; "))),
        &escape(&caption),
    )
}

/// An axis of lifts: from 0, or from just below the lowest where everything lies close to 1, as when nearly all churn.
fn lifts(values: impl Iterator<Item = f64>) -> Axis {
    let ends = values.filter(|v| v.is_finite());
    let (low, high) = ends.fold((1.0, 1.0), |(low, high): (f64, f64), v| {
        (low.min(v), high.max(v))
    });
    let length = if low > 0.75 && high < 1.25 {
        high - low
    } else {
        high
    };
    let step = super::plot::round_step(length.max(1e-3) / 4.0);
    let low = if length < high {
        (low / step + 1e-9).floor() * step
    } else {
        0.0
    };
    let high = (high / step - 1e-9).ceil() * step;
    let digits = super::plot::digits(step);
    Axis::new(low, high, "times as many churners", |v| {
        format!("{}×", decimals(v, digits))
    })
}

/// What recency alone gives, in brackets.
fn against(lines: &[Line<'_>], of: impl Fn(&BaselineCard) -> f64) -> String {
    let recency = lines.iter().find(|l| l.baseline.name == "recency_only");
    recency
        .map(|l| format!(" (recency only: {})", counted_share(of(l.baseline))))
        .unwrap_or_default()
}

/// The height of a line through points at `x`; not a number beside it.
fn along(points: &[(f64, f64)], x: f64) -> f64 {
    let after = points.partition_point(|p| p.0 < x);
    match (
        after.checked_sub(1).and_then(|i| points.get(i)),
        points.get(after),
    ) {
        (Some(a), Some(b)) if b.0 > a.0 => a.1 + (b.1 - a.1) * (x - a.0) / (b.0 - a.0),
        (_, Some(b)) => b.1,
        _ => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::card;
    use super::*;

    #[test]
    fn captions_read_the_curves() {
        let e = card().horizons[0].evaluation.clone().unwrap();
        assert_eq!(along(&[(0.0, 0.0), (0.5, 1.0), (1.0, 1.0)], 0.25), 0.5);
        assert!(along(&[], 0.5).is_nan());
        let html = figures(30, &e).replace(super::super::text::THIN, " ");
        let at = counted_share(along(&e.roc, 0.1)).replace(super::super::text::THIN, " ");
        assert!(
            html.contains(&format!("reaches {at} of the churners (recency only: ")),
            "{html}"
        );
        assert!(
            html.contains("hold 2.0 times as many churners")
                && html.contains("nobody could do better than 2.3"),
            "{html}"
        );
    }

    #[test]
    fn lifts_fit_their_axis_where_few_churn_and_where_nearly_all_do() {
        let read = |values: &[f64]| {
            let axis = lifts(values.iter().copied());
            assert!(
                values.iter().all(|v| axis.low <= *v && *v <= axis.high),
                "{axis:?}"
            );
            axis.ticks
                .iter()
                .map(|t| t.1.clone())
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(read(&[1.0, 2.3]), "0× 1× 2× 3×");
        assert_eq!(read(&[0.6, 1.0]), "0.00× 0.25× 0.50× 0.75× 1.00×");
        assert_eq!(read(&[1.0, 64.0]), "0× 20× 40× 60× 80×");
        assert_eq!(read(&[1.0, 1.0101]), "1.000× 1.005× 1.010× 1.015×");
        assert!(lifts([f64::NAN].into_iter()).ticks.len() > 1);
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
