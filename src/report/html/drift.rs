//! Whether the churn rate drifts away from the predictions, and what of it is forecast.

use maud::{Markup, html};

use super::axis::Axis;
use super::bars;
use super::dates::date_axis;
use super::plot::Plot;
use super::text::nowrap;
use crate::card::{BacktestFold, HorizonCard};
use crate::history::Day;
use crate::math::mean;
use crate::report::number::{counted, counted_share, decimals, signed};
use crate::report::wording::backtest::forecast;

const HEADING: &str = "Does the churn rate drift?";

/// The axis goes at least so far either way, so that shifts without consequence are drawn small.
const LEAST_SHOWN: f64 = 0.05;

/// The shift of the log-odds at each backtest fold, and the one that the final model adds.
pub(crate) fn figure(h: &HorizonCard) -> Markup {
    // The card has the newest first; time runs to the right.
    let folds: Vec<&BacktestFold> = h.backtest.iter().rev().collect();
    let largest = folds
        .iter()
        .max_by(|a, b| a.shift.abs().total_cmp(&b.shift.abs()));
    let Some(largest) = largest else {
        let reason =
            "No backtest: the log is too short for a fold, and the final model adds no shift.";
        return super::no_figure(HEADING, reason);
    };
    let forecast = ("hollow", "forecast for it");
    let keys = [
        ("line model", "shift at a backtest fold"),
        ("line carried", "added by the final model"),
    ];
    let content = html! {
        (bars::legend(keys.into_iter().chain(has_forecasts(h).then_some(forecast))))
        (chart(h, &folds))
    };
    super::figure("", HEADING, content, caption(h, largest))
}

/// Whether anything would have been added at a fold.
fn has_forecasts(h: &HorizonCard) -> bool {
    h.backtest.iter().any(|fold| fold.forecast != 0.0)
}

fn chart(h: &HorizonCard, folds: &[&BacktestFold]) -> Markup {
    let added = h.shrunk_shift;
    let days: Vec<Day> = folds.iter().map(|fold| fold.cutoff).collect();
    let shifts = folds.iter().flat_map(|fold| [fold.shift, fold.forecast]);
    let y = Axis::around(
        shifts.chain([added, -LEAST_SHOWN, LEAST_SHOWN]),
        "added to the log-odds",
        signed,
    );
    let x = date_axis(&days);
    let (first, last) = (x.low, x.high);
    let mut plot = Plot::new(
        format!("drift-{}", h.horizon_days),
        format!("Shifts of the churn rate within {} days", h.horizon_days),
        x,
        y,
    );
    plot.segment((first, 0.0), (last, 0.0), "zero");
    plot.segment((first, added), (last, added), "marker-line");
    let at = |fold: &BacktestFold| (f64::from(fold.cutoff.number()), fold.shift);
    let points: Vec<(f64, f64)> = folds.iter().map(|fold| at(fold)).collect();
    plot.line(&points, "model thin");
    // Below the shifts: where both agree, the dot in the ring is the shift.
    for fold in folds.iter().filter(|_| has_forecasts(h)) {
        let forecast = signed(fold.forecast, 3);
        let text = format!("{}: forecast {forecast}", fold.cutoff);
        plot.dot((at(fold).0, fold.forecast), 6.0, "hollow", &text);
    }
    for fold in folds {
        let (share, users) = (counted_share(fold.churn_rate), counted(fold.users, "user"));
        let shift = signed(fold.shift, 3);
        let text = format!("{}: {shift}; {share} of {users} churned", fold.cutoff);
        plot.dot(at(fold), 4.0, "dot", &text);
    }
    let mut description: Vec<String> = folds
        .iter()
        .map(|fold| description_of(fold, has_forecasts(h)))
        .collect();
    description.push(format!("final model: {}", signed(added, 3)));
    plot.finish(&description.join("; "))
}

fn description_of(fold: &BacktestFold, forecast: bool) -> String {
    let shift = format!("{}: {}", fold.cutoff, signed(fold.shift, 3));
    match forecast {
        true => format!("{shift} (forecast {})", signed(fold.forecast, 3)),
        false => shift,
    }
}

fn caption(h: &HorizonCard, largest: &BacktestFold) -> Markup {
    let shifts: Vec<f64> = h.backtest.iter().map(|fold| fold.shift).collect();
    let above = shifts.iter().filter(|shift| **shift > 0.0).count();
    html! {
        "Shift: the addition to the log-odds that makes predicted churn equal observed churn. Above 0 at " (above) " of "
        (counted(shifts.len() as u64, "fold")) ", mean " (signed(mean(&shifts), 3)) ", largest "
        (signed(largest.shift, 3)) " on " (nowrap(largest.cutoff)) ". " (forecast(h)) ". Added by the final model: "
        (signed(h.shrunk_shift, 3)) " (dashed)"
        @if h.forecast.lasting != 0.0 { ", of which " (signed(h.forecast.lasting, 3)) " whatever the forecast" }
        ". Calibration: intercept " (signed(h.calibration.intercept, 3)) ", slope "
        (decimals(h.calibration.slope, 3)) "."
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{card, plain, snapshot};
    use super::*;

    #[test]
    fn every_fold_is_drawn_oldest_first() {
        let card = card();
        snapshot("drift", figure(&card.horizons[0]));
    }

    #[test]
    fn forecasts_are_drawn_only_where_there_are_some() {
        let mut card = card();
        let h = &mut card.horizons[0];
        assert!(figure(h).into_string().contains("forecast for it"));
        h.backtest.iter_mut().for_each(|fold| fold.forecast = 0.0);
        let page = figure(h).into_string();
        assert!(!page.contains("hollow") && !page.contains("whatever the forecast"));
        h.forecast.lasting = -0.12;
        assert!(plain(figure(h)).contains("of which −0.120 whatever the forecast"));
    }

    #[test]
    fn without_a_fold_there_is_no_figure() {
        let mut card = card();
        card.horizons[0].backtest.clear();
        let text = plain(figure(&card.horizons[0]));
        assert!(text.contains("No backtest"), "{text}");
    }
}
