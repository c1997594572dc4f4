//! How the way to fit was chosen.

use super::strips::{Strip, axis, list};
use super::text::{capital, counted, decimals, escape, nowrap, signed};
use crate::card::{HorizonCard, TrialCard};

const HEADING: &str = "How was the fit chosen?";

/// Every way to fit that was rehearsed, by its log loss less the default's; a description where nothing was compared.
pub(crate) fn figure(h: &HorizonCard) -> String {
    match (h.trials.as_slice(), default(&h.trials)) {
        ([], _) | (_, None) => {
            let said = format!(
                "No date in the past could be rehearsed, so ways to fit were not compared: {}. Solver: {}.",
                h.candidate, h.solver
            );
            super::figure("", HEADING, "", &escape(&said))
        }
        ([only], _) => {
            let said = format!(
                "Only one way to fit was rehearsed, and selected: {}. Its log loss was {}. Solver: {}.",
                only.name,
                decimals(only.log_loss, 3),
                h.solver
            );
            super::figure("", HEADING, "", &escape(&said))
        }
        (trials, Some(default)) => super::figure(
            "trials",
            HEADING,
            &chart(trials),
            &caption(h, trials, default),
        ),
    }
}

/// The trial that the others are held against.
fn default(trials: &[TrialCard]) -> Option<&TrialCard> {
    trials.iter().find(|t| t.default)
}

fn chart(trials: &[TrialCard]) -> String {
    let ends = |t: &TrialCard| {
        [
            t.log_loss_delta - t.standard_error,
            t.log_loss_delta + t.standard_error,
        ]
    };
    let axis = axis(
        trials.iter().flat_map(ends).chain([0.0]),
        "log loss minus the default’s",
        signed,
    );
    let strip = |t: &TrialCard| Strip {
        name: capital(name(t)),
        detail: if t.selected {
            "taken".to_owned()
        } else {
            String::new()
        },
        interval: (
            t.log_loss_delta - t.standard_error,
            t.log_loss_delta,
            t.log_loss_delta + t.standard_error,
        ),
        mark: None,
        class: if t.selected { "own" } else { "" },
        value: signed(t.log_loss_delta, 4),
    };
    list(
        &[(String::new(), trials.iter().map(strip).collect())],
        &axis,
        Some(0.0),
    )
}

/// What differs from the default.
fn name(trial: &TrialCard) -> &str {
    match trial.difference.as_str() {
        "" => "the default",
        difference => difference,
    }
}

fn caption(h: &HorizonCard, trials: &[TrialCard], default: &TrialCard) -> String {
    let margin = h.selection.margin_standard_errors;
    let others = || {
        trials
            .iter()
            .filter(|t| t.hyperparameters != default.hyperparameters)
    };
    let beat = others().filter(|t| clearly_better(t, margin)).count();
    let taken = trials.iter().find(|t| t.selected).unwrap_or(default);
    let verdict = if taken.hyperparameters == default.hyperparameters {
        let closest = others().min_by(|a, b| a.log_loss_delta.total_cmp(&b.log_loss_delta));
        let closest = closest.map(|t| format!(" Closest is {}: {}.", name(t), gap(t)));
        let none = match others().count() {
            1 => "the other does not".to_owned(),
            n => format!("none of {n} does"),
        };
        format!(
            "The default was selected: it stays unless another beats it by {margin} standard errors, and {none}.{}",
            closest.unwrap_or_default()
        )
    } else {
        let rest = match beat {
            0 | 1 => "no other does".to_owned(),
            n => format!("{n} of {} do, this one by most", others().count()),
        };
        format!(
            "{} was selected: {}. The default stays unless another beats it by {margin} standard errors; {rest}.",
            capital(name(taken)),
            gap(taken)
        )
    };
    let compared = h.selection.compared_folds;
    let newest = h
        .backtest
        .first()
        .map(|o| format!(", the newest {}", nowrap(o.cutoff)))
        .unwrap_or_default();
    format!(
        "{} Compared at {}{newest}, on users they had not learnt from; lines are one standard error either way, the larger \
         of that over users and that over dates. The default is {}. L2 is the strength of the penalty, and with a half-life rows \
         count half once so many label windows have passed. Solver: {}.",
        escape(&verdict),
        escape(&counted(compared as u64, "date")),
        escape(&default.name),
        escape(&h.solver),
    )
}

fn clearly_better(t: &TrialCard, margin: f64) -> bool {
    t.log_loss_delta < -margin * t.standard_error
}

/// How far from the default a trial is, in words.
fn gap(t: &TrialCard) -> String {
    let way = match t.log_loss_delta {
        d if d < 0.0 => "below",
        d if d > 0.0 => "above",
        _ => return "its log loss is the default’s".to_owned(),
    };
    let off = decimals(t.log_loss_delta.abs(), 4);
    format!(
        "its log loss is {off} {way} the default’s ({} standard errors)",
        decimals(t.log_loss_delta.abs() / t.standard_error, 1)
    )
}

#[cfg(test)]
mod tests {
    use super::super::made_up_trials::DEFAULT;
    use super::super::tests::card;
    use super::*;

    #[test]
    fn every_way_is_drawn_by_what_differs_and_the_taken_one_is_marked() {
        let h = &card().horizons[0];
        let html = figure(h);
        assert_eq!(
            (
                html.matches("r=\"4.5\"").count(),
                html.matches("class=\"own\"").count()
            ),
            (8, 1),
            "{html}"
        );
        for part in [
            ">L2 300, half-life 3 windows <span class=\"detail\">taken<",
            ">The default<",
            ">L2 300, columns only<",
            "L2 300, half-life 3 windows was selected: its log loss is 0.0077 below the default’s (6.4 standard errors). \
             The default stays unless another beats it by 2 standard errors; 3 of 7 do, this one by most.",
            "Compared at 4 dates",
        ] {
            assert!(html.contains(part), "{part}\n{html}");
        }
    }

    #[test]
    fn the_default_stays_where_nothing_is_clearly_better() {
        let h = &mut card().horizons[0];
        for t in &mut h.trials {
            (t.log_loss_delta, t.selected) = (t.log_loss_delta.abs(), t.hyperparameters == DEFAULT);
        }
        let html = figure(h);
        let said = "and none of 7 does. Closest is one date in 2: its log loss is 0.0014 above the default’s";
        assert!(
            html.contains("The default was selected: ") && html.contains(said),
            "{html}"
        );
        // One that is better, but not clearly so, changes nothing.
        (h.trials[2].log_loss_delta, h.trials[2].standard_error) = (-0.002, 0.0011);
        assert!(figure(h).contains(
            "Closest is L2 3000: its log loss is 0.0020 below the default’s (1.8 standard errors)"
        ));
    }

    #[test]
    fn two_ways_are_one_and_the_other() {
        let h = &mut card().horizons[0];
        h.trials = h.trials[1..3].to_vec();
        h.trials[0].selected = true;
        assert!(
            figure(h).contains("and the other does not. Closest is L2 3000"),
            "{}",
            figure(h)
        );
    }

    #[test]
    fn without_a_choice_there_is_a_sentence() {
        let h = &mut card().horizons[0];
        h.trials.retain(|t| t.hyperparameters == DEFAULT);
        assert!(figure(h).contains(
            "Only one way to fit was rehearsed, and selected: L2 1000, hinges and interactions"
        ));
        h.trials.clear();
        assert!(figure(h).contains(
            "not compared: L2 300, hinges and interactions, half-life 3 windows, every date. Solver"
        ));
        assert!(!figure(h).contains("strips"));
    }
}
