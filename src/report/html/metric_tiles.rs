//! The metrics, each beside those of the baselines.

use maud::{Markup, html};

use super::axis::{ends, percentage};
use super::names;
use super::text::nowrap;
use crate::card::{Evaluation, Interval, Metrics};
use crate::report::number::{THIN, decimals, points, score, signed_points};

/// One metric: its field in the card, its format and its meaning.
struct MetricTile {
    name: &'static str,
    better: &'static str,
    meaning: &'static str,
    value: fn(&Metrics) -> Interval,
    format: fn(f64) -> String,
    unit: &'static str,
}

const TILES: [MetricTile; 6] = [
    MetricTile {
        name: "AUC",
        better: "larger is better",
        meaning: "How often a churner ranks above a retained user; 0.5 is chance.",
        value: |m| m.auc,
        format: three,
        unit: "",
    },
    MetricTile {
        name: "Average precision",
        better: "larger is better",
        meaning: "Area under the precision-recall curve; chance gives the churn rate.",
        value: |m| m.average_precision,
        format: three,
        unit: "",
    },
    MetricTile {
        name: "Log loss",
        better: "smaller is better",
        meaning: "Mean negative log-likelihood: punishes probabilities that are certain and wrong.",
        value: |m| m.log_loss,
        format: score,
        unit: "",
    },
    MetricTile {
        name: "Brier score",
        better: "smaller is better",
        meaning: "Mean squared error of the probability.",
        value: |m| m.brier,
        format: score,
        unit: "",
    },
    MetricTile {
        name: "Calibration error (ECE)",
        better: "smaller is better",
        meaning: "Mean difference of predicted and observed churn over ten groups of users.",
        value: |m| m.ece,
        format: points,
        unit: "percentage points",
    },
    MetricTile {
        name: "Bias",
        better: "closer to 0 is better",
        meaning: "Mean predicted minus observed churn.",
        value: |m| m.bias,
        format: signed_points,
        unit: "percentage points",
    },
];

fn three(number: f64) -> String {
    decimals(number, 3)
}

/// A model or a baseline in every tile.
struct Contender<'a> {
    name: String,
    metrics: &'a Metrics,
}

/// All tiles.
pub(crate) fn tiles(e: &Evaluation) -> Markup {
    let baselines = contenders(e);
    html! {
        div.tiles { @for tile in &TILES { (draw(tile, &e.model, &baselines)) } }
    }
}

/// All tiles, and the data that they were measured on.
pub(crate) fn section(e: &Evaluation) -> Markup {
    html! {
        (tiles(e))
        p.aside {
            "Measured on " (nowrap(e.test)) ", by models trained on what was known then, on other users. Lines are 95"
            (THIN) "% intervals over resampled users."
        }
    }
}

/// The baselines, the strongest kind first.
fn contenders(e: &Evaluation) -> Vec<Contender<'_>> {
    let baselines = e.baselines.iter().rev();
    let contender = baselines.map(|baseline| Contender {
        name: names::baseline(baseline),
        metrics: &baseline.metrics,
    });
    contender.collect()
}

fn draw(tile: &MetricTile, model: &Metrics, baselines: &[Contender<'_>]) -> Markup {
    let own = (tile.value)(model);
    let intervals = std::iter::once(own).chain(baselines.iter().map(|c| (tile.value)(c.metrics)));
    let range = ends(intervals.flat_map(|i| [i.low, i.value, i.high])).unwrap_or((0.0, 1.0));
    let row = |name: &str, interval: Interval| {
        html! {
            th scope="row" { (name) }
            td { (strip(interval, range)) }
            td { ((tile.format)(interval.value)) }
        }
    };
    html! {
        div.card.tile {
            h3 { (tile.name) }
            p.big {
                ((tile.format)(own.value))
                @if !tile.unit.is_empty() { " " small { (tile.unit) } }
            }
            p.range { ((tile.format)(own.low)) " to " ((tile.format)(own.high)) " · " (tile.better) }
            table {
                tr.own { (row("Model", own)) }
                @for c in baselines { tr { (row(&c.name, (tile.value)(c.metrics))) } }
            }
            p.meaning { (tile.meaning) }
        }
    }
}

/// An interval as a line with a dot. The ends keep a distance from the edges for the dot's own size.
fn strip(interval: Interval, (low, high): (f64, f64)) -> Markup {
    let at = |v: f64| {
        let share = (v - low) / (high - low);
        // What is no number, and all of a range without length, lies in the middle.
        percentage(if share.is_finite() {
            5.0 + 90.0 * share.clamp(0.0, 1.0)
        } else {
            50.0
        })
    };
    html! {
        svg.interval aria-hidden="true" {
            line x1=(at(interval.low)) x2=(at(interval.high)) y1="50%" y2="50%" {}
            circle cx=(at(interval.value)) cy="50%" r="4" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{card, lines, snapshot};
    use super::*;

    #[test]
    fn a_tile_shows_the_model_beside_its_baselines() {
        let card = card();
        snapshot(
            "metric_tiles",
            section(card.horizons[0].evaluation.as_ref().unwrap()),
        );
    }

    #[test]
    fn figures_that_do_not_exist_are_dashes_and_do_not_move_the_others() {
        let mut card = card();
        let e = card.horizons[0].evaluation.as_mut().unwrap();
        // The scale is that of the baselines either way.
        e.model.auc = e.baselines[1].metrics.auc;
        let before = strips_of_baselines(e);
        e.model.auc = Interval {
            value: f64::NAN,
            low: f64::NAN,
            high: f64::NAN,
        };
        let auc = lines(draw(&TILES[0], &e.model, &contenders(e)));
        assert!(
            auc.contains("<p class=\"big\">–") && !auc.contains("NaN"),
            "{auc}"
        );
        assert_eq!(strips_of_baselines(e), before);
    }

    /// The drawn intervals of the baselines in the first tile.
    fn strips_of_baselines(e: &Evaluation) -> Vec<String> {
        let tile = lines(draw(&TILES[0], &e.model, &contenders(e)));
        let drawn = tile.lines().filter(|l| l.starts_with("<circle"));
        drawn.skip(1).map(str::to_owned).collect()
    }
}
