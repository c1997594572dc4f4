//! The model against its baselines, on the same users.

use maud::{Markup, html};

use super::axis::Axis;
use super::interval_plot::{IntervalPlot, IntervalRow};
use super::names;
use crate::card::{BaselineCard, EffectCard, Evaluation, Interval};
use crate::report::number::{THIN, counted, signed};
use crate::report::wording::baseline_name;

const HEADING: &str = "Is it better than the baselines?";

/// A difference between the model and a baseline, and the sign that favours the model.
struct Difference {
    label: &'static str,
    value: fn(&BaselineCard) -> Interval,
    better: f64,
}

const LOG_LOSS: Difference = Difference {
    label: "difference in log loss; left of the line the model is better",
    value: |baseline| baseline.log_loss_difference,
    better: -1.0,
};

const AUC: Difference = Difference {
    label: "difference in AUC; right of the line the model is better",
    value: |baseline| baseline.auc_difference,
    better: 1.0,
};

/// Differences in log loss and in AUC as a forest plot; effects describe the features that baselines go by.
pub(crate) fn figure(effects: &[EffectCard], e: &Evaluation) -> Markup {
    if e.baselines.is_empty() {
        return super::no_figure(HEADING, "There is no baseline.");
    }
    let content = html! {
        (plot(effects, e, &LOG_LOSS).draw())
        (plot(effects, e, &AUC).draw())
    };
    super::figure("baselines", HEADING, content, caption(e))
}

/// One difference to every baseline.
fn plot(effects: &[EffectCard], e: &Evaluation, difference: &Difference) -> IntervalPlot {
    let all: Vec<Interval> = e.baselines.iter().map(difference.value).collect();
    let ends = all.iter().flat_map(|d| [d.low, d.high, d.value]);
    let axis = Axis::around(ends.chain([0.0]), difference.label, signed);
    let digits = if all.iter().all(|d| d.value.abs() < 0.05) {
        4
    } else {
        3
    };
    let row = |baseline: &BaselineCard| {
        let interval = (difference.value)(baseline);
        IntervalRow {
            name: names::baseline(baseline),
            detail: names::baseline_feature(effects, baseline),
            interval,
            mark: None,
            class: side(interval, difference.better),
            value: signed(interval.value, digits),
        }
    };
    IntervalPlot::new(e.baselines.iter().rev().map(row).collect(), axis, 0.0)
}

/// The side of 0 on which an interval lies, as a class of the style sheet.
pub(crate) fn side(d: Interval, better: f64) -> &'static str {
    if d.low * better > 0.0 && d.high * better > 0.0 {
        "better"
    } else if d.low * better < 0.0 && d.high * better < 0.0 {
        "worse"
    } else {
        "even"
    }
}

fn caption(e: &Evaluation) -> Markup {
    let on_side = |class: &str| {
        let sides = e
            .baselines
            .iter()
            .map(|b| side(b.log_loss_difference, LOG_LOSS.better));
        sides.filter(|side| *side == class).count()
    };
    html! {
        "Log loss: " (on_side("better")) " of " (e.baselines.len()) " intervals favour the model, " (on_side("worse"))
        " a baseline."
        @if let Some(verdict) = &e.verdict {
            @let d = verdict.log_loss_difference;
            " Strongest baseline: " (baseline_name(e, &verdict.baseline)) ", difference " (signed(d.value, 4)) " ("
            (signed(d.low, 4)) " to " (signed(d.high, 4)) ")."
        }
        " Lines are 95" (THIN) "% intervals over " (counted(e.users, "resampled user"))
        "; one that crosses 0 may be chance."
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{card, plain, snapshot};
    use super::*;

    #[test]
    fn every_baseline_is_compared_twice() {
        let h = &card().horizons[0];
        snapshot(
            "baseline_comparison",
            figure(&h.effects, h.evaluation.as_ref().unwrap()),
        );
    }

    #[test]
    fn an_interval_favours_the_model_a_baseline_or_neither() {
        let interval = |low: f64, high: f64| Interval {
            value: (low + high) / 2.0,
            low,
            high,
        };
        let sides = [(-0.2, -0.1), (-0.2, 0.1), (0.1, 0.2), (f64::NAN, 0.2)]
            .map(|(low, high)| side(interval(low, high), LOG_LOSS.better));
        assert_eq!(sides, ["better", "even", "worse", "even"]);
        assert_eq!(side(interval(0.1, 0.2), AUC.better), "better");
    }

    #[test]
    fn without_a_baseline_there_is_no_figure() {
        let mut e = card().horizons[0].evaluation.clone().unwrap();
        e.baselines.clear();
        assert!(plain(figure(&card().horizons[0].effects, &e)).contains("There is no baseline."));
    }
}
