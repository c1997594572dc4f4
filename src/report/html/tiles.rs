//! The figures of merit, each beside those of the baselines.

use super::names;
use super::text::{decimals, escape, nowrap, points, score, signed_points};
use crate::card::Evaluation;
use crate::train::evaluation::metrics::{Interval, Metrics};

/// One figure of merit: where it is found, how it is written and what it means.
struct Merit {
    name: &'static str,
    better: &'static str,
    meaning: &'static str,
    of: fn(&Metrics) -> Interval,
    write: fn(f64) -> String,
    unit: &'static str,
}

const MERITS: [Merit; 6] = [
    Merit {
        name: "AUC",
        better: "larger is better",
        meaning: "How often a churner ranks above a stayer; 0.5 is chance.",
        of: |m| m.auc,
        write: three,
        unit: "",
    },
    Merit {
        name: "Average precision",
        better: "larger is better",
        meaning: "Area under the precision-recall curve; chance gives the churn rate.",
        of: |m| m.average_precision,
        write: three,
        unit: "",
    },
    Merit {
        name: "Log loss",
        better: "smaller is better",
        meaning: "Rewards probabilities that are sure and right, punishes sure and wrong.",
        of: |m| m.log_loss,
        write: score,
        unit: "",
    },
    Merit {
        name: "Brier score",
        better: "smaller is better",
        meaning: "Mean squared error of the probability.",
        of: |m| m.brier,
        write: score,
        unit: "",
    },
    Merit {
        name: "Calibration error",
        better: "smaller is better",
        meaning: "How far probabilities are off on average, over ten groups of users.",
        of: |m| m.ece,
        write: points,
        unit: "points",
    },
    Merit {
        name: "Bias",
        better: "closer to 0 is better",
        meaning: "Mean predicted minus observed churn.",
        of: |m| m.bias,
        write: signed_points,
        unit: "points",
    },
];

fn three(number: f64) -> String {
    decimals(number, 3)
}

/// All tiles, and a description on what they were measured on.
pub(crate) fn section(e: &Evaluation) -> String {
    let rows = contenders(e);
    let tiles: String = MERITS.iter().map(|merit| tile(merit, &rows)).collect();
    format!(
        "<div class=\"tiles\">{tiles}</div><p class=\"aside\">{}</p>",
        aside(e)
    )
}

/// The model first, then what it has to beat.
fn contenders(e: &Evaluation) -> Vec<(String, &Metrics)> {
    let mut rows = vec![("Model".to_owned(), &e.model)];
    rows.extend(
        e.baselines
            .iter()
            .rev()
            .map(|r| (names::baseline(r), &r.metrics)),
    );
    rows
}

fn aside(e: &Evaluation) -> String {
    format!(
        "Measured on {}, by models that knew only what was known then and had learnt from other users. Lines are 95{}% intervals over resampled users.",
        nowrap(e.test),
        super::text::THIN,
    )
}

fn tile(merit: &Merit, rows: &[(String, &Metrics)]) -> String {
    let intervals: Vec<Interval> = rows.iter().map(|(_, m)| (merit.of)(m)).collect();
    let Some(model) = intervals.first() else {
        return String::new();
    };
    let (low, high) = range(&intervals);
    let mut lines = String::new();
    for (i, ((name, _), interval)) in rows.iter().zip(&intervals).enumerate() {
        lines.push_str(&format!(
            "<tr{}><th scope=\"row\">{}</th><td>{}</td><td>{}</td></tr>",
            if i == 0 { " class=\"own\"" } else { "" },
            escape(name),
            strip(interval, low, high),
            (merit.write)(interval.value),
        ));
    }
    let unit = if merit.unit.is_empty() {
        String::new()
    } else {
        format!(" <small>{}</small>", merit.unit)
    };
    format!(
        "<div class=\"card tile\"><h3>{}</h3><p class=\"big\">{}{unit}</p><p class=\"range\">{} to {} · {}</p>\
         <table>{lines}</table><p class=\"meaning\">{}</p></div>",
        merit.name,
        (merit.write)(model.value),
        (merit.write)(model.low),
        (merit.write)(model.high),
        merit.better,
        merit.meaning
    )
}

/// The ends of what all intervals cover.
fn range(intervals: &[Interval]) -> (f64, f64) {
    let ends = intervals
        .iter()
        .flat_map(|i| [i.low, i.value, i.high])
        .filter(|v| v.is_finite());
    ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
        (low.min(v), high.max(v))
    })
}

/// An interval as a line with a dot. The ends keep a distance from the edges for the dot's own size.
fn strip(interval: &Interval, low: f64, high: f64) -> String {
    let at = |v: f64| {
        let share = (v - low) / (high - low);
        super::plot::short(if share.is_finite() {
            5.0 + 90.0 * share.clamp(0.0, 1.0)
        } else {
            50.0
        })
    };
    format!(
        "<svg class=\"strip\" aria-hidden=\"true\"><line x1=\"{}%\" x2=\"{}%\" y1=\"50%\" y2=\"50%\"/>\
         <circle cx=\"{}%\" cy=\"50%\" r=\"4\"/></svg>",
        at(interval.low),
        at(interval.high),
        at(interval.value)
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::card;
    use super::*;

    #[test]
    fn a_tile_shows_the_model_its_interval_and_whom_it_beats() {
        let card = card();
        let e = card.horizons[0].evaluation.as_ref().unwrap();
        let auc = tile(&MERITS[0], &contenders(e));
        assert!(
            auc.contains(
                "<p class=\"big\">0.712</p><p class=\"range\">0.690 to 0.733 · larger is better</p>"
            ),
            "{auc}"
        );
        let order: Vec<usize> = ["Model", "Random forest", "Recency only", "Base rate"]
            .map(|n| auc.find(n).unwrap())
            .into();
        assert!(order.is_sorted(), "{auc}");
        let bias = tile(&MERITS[5], &contenders(e));
        assert!(
            bias.contains("<p class=\"big\">+0.3 <small>points</small></p>"),
            "{bias}"
        );
    }

    #[test]
    fn figures_that_do_not_exist_are_dashes_and_do_not_move_the_others() {
        let mut card = card();
        let e = card.horizons[0].evaluation.as_mut().unwrap();
        e.model.auc = Interval {
            value: f64::NAN,
            low: f64::NAN,
            high: f64::NAN,
        };
        let auc = tile(&MERITS[0], &contenders(e));
        assert!(
            auc.contains("<p class=\"big\">–</p>") && !auc.contains("NaN"),
            "{auc}"
        );
    }
}
