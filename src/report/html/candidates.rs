//! How the hyperparameters were chosen.

use maud::{Markup, html};

use super::axis::Axis;
use super::interval_plot::{IntervalPlot, IntervalRow};
use super::text::{capital, nowrap};
use crate::card::{HorizonCard, Interval, TrialCard};
use crate::report::number::{counted, decimals, signed};

const HEADING: &str = "How were the hyperparameters chosen?";

/// Every candidate of the backtest, by its log loss less the default's; a description where nothing was compared.
pub(crate) fn figure(h: &HorizonCard) -> Markup {
    let default = h.trials.iter().find(|t| t.default);
    match (h.trials.as_slice(), default) {
        ([_, _, ..], Some(default)) => super::figure(
            "candidates",
            HEADING,
            plot(&h.trials).draw(),
            caption(h, default),
        ),
        ([only], _) => super::figure("", HEADING, html! {}, only_one(h, only)),
        _ => super::figure("", HEADING, html! {}, none(h)),
    }
}

fn only_one(h: &HorizonCard, only: &TrialCard) -> Markup {
    html! {
        "One candidate: " (only.name) ". Log loss in the backtest " (decimals(only.log_loss, 3)) ". Solver: "
        (h.solver) "."
    }
}

fn none(h: &HorizonCard) -> Markup {
    html! {
        "No backtest: the log is too short for a fold, so candidates were not compared. Hyperparameters: "
        (h.candidate) ". Solver: " (h.solver) "."
    }
}

fn plot(trials: &[TrialCard]) -> IntervalPlot {
    let ends = trials.iter().flat_map(|t| {
        let i = interval(t);
        [i.low, i.high]
    });
    let axis = Axis::around(ends.chain([0.0]), "log loss minus the default’s", signed);
    let most_folds = trials.iter().map(|t| t.folds).max().unwrap_or(0);
    let rows = trials.iter().map(|t| row(t, most_folds)).collect();
    IntervalPlot::new(rows, axis, 0.0)
}

/// One standard error either way.
fn interval(t: &TrialCard) -> Interval {
    Interval {
        low: t.log_loss_delta - t.standard_error,
        value: t.log_loss_delta,
        high: t.log_loss_delta + t.standard_error,
    }
}

fn row(t: &TrialCard, most_folds: usize) -> IntervalRow {
    IntervalRow {
        name: capital(name(t)),
        detail: detail(t, most_folds),
        interval: interval(t),
        mark: None,
        class: if t.selected { "own" } else { "" },
        value: signed(t.log_loss_delta, 4),
    }
}

/// Whether it was selected, or given up before the last fold.
fn detail(t: &TrialCard, most_folds: usize) -> String {
    if t.selected {
        "selected".to_owned()
    } else if t.folds < most_folds {
        format!("given up after {}", counted(t.folds as u64, "fold"))
    } else {
        String::new()
    }
}

/// The hyperparameters that differ from the default.
fn name(trial: &TrialCard) -> &str {
    match trial.difference.as_str() {
        "" => "the default",
        difference => difference,
    }
}

fn caption(h: &HorizonCard, default: &TrialCard) -> Markup {
    let selected = h.trials.iter().find(|t| t.selected).unwrap_or(default);
    let folds = h.backtest.len().min(h.selection.compared_folds) as u64;
    html! {
        "Selected: " (name(selected)) ", difference " (signed(selected.log_loss_delta, 4))
        ", standard error " (decimals(selected.standard_error, 4)) ". A candidate replaces the default if it is better by "
        (h.selection.margin_standard_errors) " standard errors (lines are one either way). Compared on " (counted(folds, "backtest fold"))
        @if let Some(newest) = h.backtest.first() { ", the newest " (nowrap(newest.cutoff)) }
        ", on users outside the training rows. Default: " (default.name) ". Solver: " (h.solver) "."
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{card, plain, snapshot};
    use super::*;

    #[test]
    fn every_candidate_is_drawn_and_the_selected_one_is_marked() {
        snapshot("candidates", figure(&card().horizons[0]));
    }

    #[test]
    fn a_candidate_that_was_given_up_says_so() {
        let h = &mut card().horizons[0];
        assert!(!plain(figure(h)).contains("given up"));
        h.trials[2].folds = 2;
        assert_eq!(
            plain(figure(h)).matches("given up after 2 folds").count(),
            1
        );
        // Cards of before do not have the number.
        h.trials.iter_mut().for_each(|t| t.folds = 0);
        assert!(!plain(figure(h)).contains("given up"));
    }

    #[test]
    fn without_a_choice_there_is_a_description() {
        let h = &mut card().horizons[0];
        h.trials.retain(|t| t.default);
        snapshot("candidates_only_one", figure(h));
        h.trials.clear();
        let text = plain(figure(h));
        assert!(
            text.contains("No backtest") && text.contains(&h.candidate),
            "{text}"
        );
    }
}
