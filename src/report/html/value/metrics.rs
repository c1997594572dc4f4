//! The figures of the estimates beside simpler ones, and how often intervals held.

use maud::{Markup, html};

use super::super::axis::Axis;
use super::super::interval_plot::{IntervalPlot, IntervalRow};
use super::super::text::{capital, nowrap};
use super::super::{figure, names, no_figure};
use super::{table, users, wide};
use crate::card::{Interval, IntervalCoverage, ValueCard, ValueEvaluation, ValueMetrics};
use crate::math::wilson_interval;
use crate::report::number::{counted, decimals, percent, percent_to, signed};
use crate::report::wording::value::money;

/// A table of the model and its baselines.
pub(super) fn metrics(value: &ValueCard, e: &ValueEvaluation) -> Markup {
    let baselines = e.baselines.iter();
    let baselines = baselines.map(|b| (names::spend_baseline(&b.name), &b.metrics));
    let rows: Vec<Vec<String>> = std::iter::once(("Model".to_owned(), &e.model))
        .chain(baselines)
        .map(|(name, metrics)| row(name, metrics))
        .collect();
    let headings = [
        "estimate",
        "Gini",
        "bias",
        "deviance",
        "MAE",
        "tenths",
        "top tenth",
    ];
    let caption = html! {
        "On " (nowrap(e.test)) ", of " (counted(e.users, "user")) " who then spent " (money(value, e.actual)) " within "
        (e.window_days) " days. Gini: order, 1 is perfect. Bias: expected over actual total, less 1. Deviance: Poisson deviance over the mean \
         spend; MAE: mean absolute error over it; tenths: mean relative error of the tenths' means; smaller is better. Top tenth: the share \
         of the spend that the highest tenth had. MAE favours estimates that are too low, since most users spend little; judge by Gini, \
         bias and deviance."
    };
    let content = wide("Metrics of the estimates", table(&headings, &rows));
    figure("", "Is it better than simpler estimates?", content, caption)
}

fn row(name: String, m: &ValueMetrics) -> Vec<String> {
    let span = |i: Interval, format: fn(f64, usize) -> String| {
        let [value, low, high] = [i.value, i.low, i.high].map(|v| format(v, 2));
        format!("{value} ({low} to {high})")
    };
    vec![
        name,
        span(m.gini, decimals),
        span(m.bias, signed),
        decimals(m.deviance, 3),
        decimals(m.mae, 2),
        decimals(m.decile_mape, 2),
        percent(m.top_tenth),
    ]
}

/// How often the spend lay inside of its interval, for everybody and by tier.
pub(super) fn coverage(e: &ValueEvaluation) -> Markup {
    let heading = "Do the intervals hold?";
    if e.coverage.is_empty() {
        return no_figure(heading, "No interval was tested.");
    }
    let observed = |c: &IntervalCoverage| {
        let (low, high) = wilson_interval(c.share, c.users);
        Interval {
            value: c.share,
            low,
            high,
        }
    };
    let holds = |c: &IntervalCoverage| {
        let observed = observed(c);
        (observed.low..=observed.high).contains(&e.interval)
    };
    let name = |c: &IntervalCoverage| match c.group.as_str() {
        IntervalCoverage::EVERYBODY => "Everybody".to_owned(),
        tier => capital(tier),
    };
    let rows = e.coverage.iter().map(|c| IntervalRow {
        name: name(c),
        detail: users(c.users),
        interval: observed(c),
        mark: None,
        class: if holds(c) { "better" } else { "worse" },
        value: percent(c.share),
    });
    let ends = e.coverage.iter().flat_map(|c| {
        let observed = observed(c);
        [observed.low, observed.high]
    });
    let axis = Axis::around(
        ends.chain([e.interval]),
        "users whose spend lay inside",
        |v, digits| percent_to(v, digits.saturating_sub(2)),
    );
    let plot = IntervalPlot::new(rows.collect(), axis, e.interval);
    let held = e.coverage.iter().filter(|c| holds(c)).count();
    let caption = html! {
        "Intervals are to hold the spend of " (percent(e.interval)) " of users (vertical line); for " (held) " of "
        (counted(e.coverage.len() as u64, "group")) " that lies within what chance explains (95\u{202f}% intervals, lines). An interval \
         is about a user's spend, and not about the mean of many: most are wide."
    };
    figure("", heading, plot.draw(), caption)
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::value::value;
    use super::super::super::tests::{plain, snapshot};
    use super::*;

    #[test]
    fn the_model_stands_above_its_baselines() {
        let value = value();
        let e = value.evaluation.as_ref().unwrap();
        snapshot("value_metrics", metrics(&value, e));
    }

    #[test]
    fn groups_whose_intervals_do_not_hold_are_counted() {
        let mut e = value().evaluation.unwrap();
        snapshot("value_coverage", coverage(&e));
        let text = plain(coverage(&e));
        assert!(text.contains("for 3 of 4 groups"), "{text}");
        e.coverage.clear();
        assert!(plain(coverage(&e)).contains("No interval was tested."));
    }
}
