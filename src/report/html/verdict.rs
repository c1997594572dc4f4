//! The verdict on each model, and cautions.

use maud::{Markup, html};

use super::text::{capital, nowrap, thin};
use crate::card::{Card, CurvePoint, Evaluation, HorizonCard, LeakageProbe, Strength};
use crate::report::number::{
    THIN, counted, counted_share, percent, points, signed_points, thousands, times,
};
use crate::report::rejected::RejectionSummary;
use crate::report::wording;

/// Cautions, a verdict for each horizon, and notes.
pub(crate) fn content(card: &Card) -> Markup {
    html! {
        @if let Some(caution) = caution(card) { p.caution { (thin(&caution)) } }
        ul.verdicts { @for h in &card.horizons { (verdict(card, h)) } }
        (notes(card))
        p.aside { (leakage_check(&card.leakage_probe)) }
    }
}

/// The verdicts in a line, for the head of the page.
pub(crate) fn headline(card: &Card) -> Markup {
    html! {
        ul.headline {
            @for h in &card.horizons {
                @let badge = Badge::new(h);
                li class={ "badge " (badge.class) } { (h.horizon_days) " days: " (badge.words) }
            }
            @if caution(card).is_some() { li.badge.bad { "Many rows rejected" } }
        }
    }
}

/// A caution that concerns all figures of the page.
fn caution(card: &Card) -> Option<String> {
    RejectionSummary::of(card)?.caution()
}

/// A verdict in a word or two, and its colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Badge {
    class: &'static str,
    words: &'static str,
}

impl Badge {
    fn new(h: &HorizonCard) -> Self {
        let strength = h
            .evaluation
            .as_ref()
            .map(|e| e.verdict.as_ref().map(|v| v.strength));
        let (class, words) = match strength {
            Some(Some(Strength::Strong)) => ("good", "strong"),
            Some(Some(Strength::Modest)) => ("fair", "modest"),
            Some(Some(Strength::NotShown)) => ("bad", "not shown to be better"),
            Some(None) => ("doubtful", "no baseline"),
            None => ("doubtful", "not tested"),
        };
        Self { class, words }
    }
}

/// A calibration error above this is worth a warning, where it is not chance.
const ECE_DOUBTFUL: f64 = 0.05;

/// Of ten groups of users with right probabilities, the 95 % intervals of fewer than these miss the prediction in 99 of
/// 100 logs.
const MISSED: usize = 3;

/// Whether the calibration error is large, and in more groups of users than by chance.
fn is_miscalibrated(e: &Evaluation) -> bool {
    let missed = |c: &&CurvePoint| c.predicted < c.low || c.predicted > c.high;
    e.model.ece.value > ECE_DOUBTFUL && e.calibration_curve.iter().filter(missed).count() >= MISSED
}

/// The verdict on one horizon with its main figures.
fn verdict(card: &Card, h: &HorizonCard) -> Markup {
    let badge = Badge::new(h);
    html! {
        li.card {
            h3 { (h.horizon_days) " days" }
            span class={ "badge " (badge.class) } { (capital(badge.words)) }
            @if h.evaluation.as_ref().is_some_and(is_miscalibrated) {
                " " span.badge.doubtful { "Miscalibrated" }
            }
            p {
                @match &h.evaluation {
                    Some(e) => (tested(h, e)),
                    None => (untested(card, h)),
                }
            }
        }
    }
}

fn untested(card: &Card, h: &HorizonCard) -> Markup {
    html! {
        (wording::untested(h, &card.label_definition)) " Its quality is not known. It was fitted on "
        (counted(h.rows, "row")) " with a churn rate of " (counted_share(h.churn_rate)) "."
    }
}

fn tested(h: &HorizonCard, e: &Evaluation) -> Markup {
    let bias = e.model.bias;
    html! {
        @if let Some(verdict) = &e.verdict { (thin(&wording::verdict(verdict, e))) ". " }
        "Of " (counted(e.users, "user")) " on " (nowrap(e.test)) ", " strong { (counted_share(e.churn_rate)) }
        " churned within " (h.horizon_days) " days."
        @if e.gains.len() == 100 && e.churners() > 0 {
            @let reach = e.reach(&e.gains, 20);
            " The riskiest " (percent(0.2)) " of users hold "
            strong { (counted_share(reach.churners / e.churners() as f64)) } " of the churners: lift "
            (times(reach.lift)) ", where a perfect order has " (times(reach.possible_lift)) "."
        }
        " Calibration error (ECE): " strong { (points(e.model.ece.value)) " percentage points" } "; bias "
        (signed_points(bias.value)) " percentage points (95" (THIN) "% interval " (signed_points(bias.low)) " to "
        (signed_points(bias.high)) ")."
    }
}

fn notes(card: &Card) -> Markup {
    let remark = RejectionSummary::of(card).and_then(|rejected| rejected.remark());
    let notes: Vec<String> = remark.into_iter().chain(wording::notes(card)).collect();
    if notes.is_empty() {
        return html! {};
    }
    html! {
        div.notes { h3 { "Notes" } ul { @for note in &notes { li { (thin(note)) } } } }
    }
}

fn leakage_check(probe: &LeakageProbe) -> String {
    format!(
        "Leakage check passed: {} feature vectors of {} at {} unchanged under altered post-cutoff data.",
        thousands(probe.comparisons),
        counted(probe.users, "user"),
        counted(probe.dates, "date"),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{card, plain, snapshot};
    use super::*;
    use crate::card::{Untested, Verdict};

    #[test]
    fn the_verdict_has_its_figures() {
        let mut card = card();
        snapshot("verdict", content(&card));
        card.data_quality =
            json!({ "rows": 4_105, "rejected": [{ "reason": "bad_<time>", "rows": 2_477 }] });
        snapshot(
            "verdict_caution",
            html! { (headline(&card)) (content(&card)) },
        );
    }

    #[test]
    fn the_badge_is_that_of_the_verdict() {
        let mut card = card();
        let given = card.horizons[0]
            .evaluation
            .as_ref()
            .unwrap()
            .verdict
            .clone();
        let given = given.unwrap();
        let mut badge = |strength: Option<Strength>| {
            let e = card.horizons[0].evaluation.as_mut().unwrap();
            let verdict = given.clone();
            e.verdict = strength.map(|strength| Verdict {
                strength,
                ..verdict
            });
            Badge::new(&card.horizons[0])
        };
        assert_eq!(badge(Some(Strength::Strong)).class, "good");
        assert_eq!(badge(Some(Strength::Modest)).class, "fair");
        assert_eq!(badge(Some(Strength::NotShown)).class, "bad");
        assert_eq!(badge(None).words, "no baseline");
        card.horizons[0].evaluation = None;
        card.horizons[0].untested = Some(Untested::OneClass {
            date: "2011-11-10".parse().unwrap(),
            users: 300,
            churned: true,
        });
        assert_eq!(Badge::new(&card.horizons[0]).words, "not tested");
        let text = plain(verdict(&card, &card.horizons[0]));
        assert!(text.contains("All 300 users of 2011-11-10"), "{text}");
    }

    #[test]
    fn a_model_is_miscalibrated_where_groups_of_users_show_it() {
        let mut e = card().horizons[0].evaluation.clone().unwrap();
        assert!(!is_miscalibrated(&e));
        e.model.ece.value = 0.06;
        for c in &mut e.calibration_curve {
            (c.low, c.high) = (c.predicted - 0.1, c.predicted + 0.1);
        }
        assert!(
            !is_miscalibrated(&e),
            "a small test has a large error by chance"
        );
        for c in e.calibration_curve.iter_mut().take(3) {
            c.high = c.predicted - 0.01;
        }
        assert!(is_miscalibrated(&e));
    }

    #[test]
    fn the_lift_in_words_is_never_above_what_is_possible() {
        let mut e = card().horizons[0].evaluation.clone().unwrap();
        (e.users, e.churn_rate, e.gains) = (7, 6.0 / 7.0, vec![1.0; 100]);
        let text = plain(tested(&card().horizons[0], &e));
        assert!(
            text.contains("lift 1.17, where a perfect order has 1.17"),
            "{text}"
        );
    }
}
