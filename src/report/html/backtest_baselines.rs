//! The model beside simpler ways to predict, at the dates of the backtest.

use maud::{Markup, html};

use super::axis::Axis;
use super::baseline_comparison::side;
use super::interval_plot::{IntervalPlot, IntervalRow};
use super::text::capital;
use crate::card::{BacktestComparison, HorizonCard};
use crate::report::number::{THIN, counted, signed};
use crate::report::wording::backtest::{better_baselines, comparison, drawn_to_base_rate};
use crate::report::wording::verdict::simple_baseline;

const HEADING: &str = "Is it better at other dates, too?";

/// Differences in log loss to each baseline with their intervals over dates.
pub(crate) fn figure(h: &HorizonCard) -> Markup {
    if h.against_baselines.is_empty() {
        return super::no_figure(
            HEADING,
            "The backtest has too few dates to compare the model with baselines.",
        );
    }
    super::figure("over-dates", HEADING, plot(h).draw(), caption(h))
}

fn plot(h: &HorizonCard) -> IntervalPlot {
    let all = &h.against_baselines;
    let ends = all.iter().flat_map(|c| {
        let d = c.log_loss_difference;
        [d.low, d.high]
    });
    let label = "difference in log loss; left of the line the model is better";
    let axis = Axis::around(ends.chain([0.0]), label, signed);
    let rows = all.iter().map(|c| row(c, most_dates(h)));
    IntervalPlot::new(rows.collect(), axis, 0.0)
}

/// The dates of most comparisons; a baseline may have no prediction at some.
fn most_dates(h: &HorizonCard) -> usize {
    let dates = h.against_baselines.iter().map(|c| c.dates);
    dates.max().unwrap_or(0)
}

fn row(c: &BacktestComparison, most_dates: usize) -> IntervalRow {
    let d = c.log_loss_difference;
    let [value, low, high] = [d.value, d.low, d.high].map(|d| signed(d, 3));
    let detail = if c.dates < most_dates {
        counted(c.dates as u64, "date")
    } else {
        String::new()
    };
    IntervalRow {
        name: capital(&simple_baseline(&c.baseline)),
        detail,
        interval: d,
        mark: None,
        class: side(d, -1.0),
        value: format!("{value} ({low} to {high})"),
    }
}

fn caption(h: &HorizonCard) -> Markup {
    html! {
        @for better in better_baselines(h) { strong { (comparison(better)) "." } " " }
        @if better_baselines(h).next().is_none() { "No baseline is better by its whole interval. " }
        @if let Some(drawn) = drawn_to_base_rate(h) { strong { (drawn) "." } " " }
        "Log loss of the model, calibrated, less that of the baseline on the same users, in the mean over "
        (counted(most_dates(h) as u64, "date")) ". Lines are 95" (THIN) "% intervals over dates, which overlap and differ by more than users do. Base rate: the churn of the last three windows."
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{card, plain, snapshot};
    use super::*;
    use crate::card::Interval;

    #[test]
    fn every_baseline_has_its_interval_over_dates() {
        snapshot("backtest_baselines", figure(&card().horizons[0]));
    }

    #[test]
    fn a_baseline_that_was_better_is_named_first_and_only_then() {
        let h = &mut card().horizons[0];
        let text = plain(figure(h));
        assert!(
            text.contains("No baseline is better") && !text.contains("drawn"),
            "{text}"
        );
        h.shrunk_to_base_rate = 0.4;
        h.against_baselines[0].log_loss_difference = Interval {
            low: 0.002,
            value: 0.01,
            high: 0.018,
        };
        let text = plain(figure(h));
        assert!(
            text.contains(
                "the base rate is better than the model, whose log loss is 0.0100 higher"
            ),
            "{text}"
        );
        assert!(text.contains("drawn 40 % of the way"), "{text}");
        assert!(!text.contains("No baseline is better"), "{text}");
    }

    #[test]
    fn a_baseline_of_fewer_dates_says_so() {
        let h = &mut card().horizons[0];
        assert!(!plain(figure(h)).contains("3 dates"));
        h.against_baselines[1].dates = 3;
        let text = plain(figure(h));
        assert!(
            text.contains("BG/NBD 3 dates") && text.contains("mean over 4 dates"),
            "{text}"
        );
    }

    #[test]
    fn without_dates_enough_there_is_no_figure() {
        let h = &card().horizons[1];
        assert!(plain(figure(h)).contains("too few dates"));
    }
}
