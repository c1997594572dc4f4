//! The verdict on each model in plain words, and what to be careful about.

use super::text::{counted, counted_share, decimals, escape, nowrap, percent, points, times};
use crate::card::verdict::{RANDOM_FOREST, Strength};
use crate::card::{Card, Evaluation, HorizonCard};
use crate::report::rejected::Refused;
use crate::train::checks::leakage::LeakageProbe;
use crate::train::evaluation::metrics::CurvePoint;

/// Cautions, a verdict for each horizon, and notes.
pub(crate) fn content(card: &Card) -> String {
    let cautions: String = cautions(card)
        .iter()
        .map(|c| format!("<p class=\"caution\">{}</p>", thin(c)))
        .collect();
    let verdicts: String = card.horizons.iter().map(|h| verdict(card, h)).collect();
    format!(
        "{cautions}<ul class=\"verdicts\">{verdicts}</ul>{}{}",
        notes(card),
        probed(&card.leakage_probe)
    )
}

/// The verdicts in a line, for the head of the page.
pub(crate) fn headline(card: &Card) -> String {
    let badges = card.horizons.iter().map(|h| {
        let badge = Badge::of(h);
        format!(
            "<li class=\"badge {}\">{} days: {}</li>",
            badge.class, h.horizon_days, badge.words
        )
    });
    let caution = cautions(card)
        .first()
        .map(|_| "<li class=\"badge bad\">Many rows refused</li>");
    format!(
        "<ul class=\"headline\">{}{}</ul>",
        badges.collect::<String>(),
        caution.unwrap_or_default()
    )
}

/// What puts all figures in doubt.
fn cautions(card: &Card) -> Vec<String> {
    Refused::of(card)
        .and_then(|refused| refused.caution())
        .into_iter()
        .collect()
}

/// Text with its percentages kept on one line, as HTML.
fn thin(text: &str) -> String {
    escape(&text.replace(" %", &format!("{}%", super::text::THIN)))
}

/// A verdict in a word or two, and its colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Badge {
    class: &'static str,
    words: &'static str,
}

impl Badge {
    fn of(h: &HorizonCard) -> Self {
        let strength = h
            .evaluation
            .as_ref()
            .map(|e| e.verdict.as_ref().map(|v| v.strength));
        let (class, words) = match strength {
            Some(Some(Strength::Strong)) => ("good", "strong"),
            Some(Some(Strength::Modest)) => ("fair", "modest"),
            Some(Some(Strength::NotShown)) => ("bad", "not shown to be better"),
            Some(None) => ("doubtful", "nothing to compare with"),
            None => ("doubtful", "not tested"),
        };
        Self { class, words }
    }
}

/// Probabilities that are off by more than this are worth a warning, where it is not chance.
const ECE_DOUBTFUL: f64 = 0.05;

/// Of ten groups of users with right probabilities, the 95 % intervals of fewer than these miss what was predicted in
/// 99 of 100 logs.
const MISSED: usize = 3;

/// Whether probabilities are far off, and in more groups of users than by chance.
fn far_off(e: &Evaluation) -> bool {
    let missed = |c: &&CurvePoint| c.predicted < c.low || c.predicted > c.high;
    e.model.ece.value > ECE_DOUBTFUL && e.calibration_curve.iter().filter(missed).count() >= MISSED
}

/// The verdict on one horizon, in a few plain sentences.
fn verdict(card: &Card, h: &HorizonCard) -> String {
    let badge = Badge::of(h);
    let off = h.evaluation.as_ref().is_some_and(far_off);
    let off = if off {
        " <span class=\"badge doubtful\">probabilities off</span>"
    } else {
        ""
    };
    let said = h
        .evaluation
        .as_ref()
        .map_or_else(|| untested(card, h), |e| tested(h, e));
    format!(
        "<li class=\"card\"><h3>{} days</h3><span class=\"badge {}\">{}</span>{off}<p>{said}</p></li>",
        h.horizon_days,
        badge.class,
        super::text::capital(badge.words),
    )
}

/// Why there are no figures, as HTML.
fn untested(card: &Card, h: &HorizonCard) -> String {
    format!(
        "{} Nobody knows yet how good it is. It was fitted on {} with a churn rate of {}.",
        escape(&h.untested_words(&card.label_definition)),
        counted(h.rows, "row"),
        escape(&counted_share(h.churn_rate))
    )
}

/// The figures of one horizon in sentences, as HTML.
fn tested(h: &HorizonCard, e: &Evaluation) -> String {
    let verdict = e
        .verdict
        .as_ref()
        .map(|v| format!("{}. ", thin(&v.description(e))))
        .unwrap_or_default();
    let mut said = format!(
        "{verdict}Of {} on {}, {} left within {} days.",
        counted(e.users, "user"),
        nowrap(e.test),
        strong(&counted_share(e.churn_rate)),
        h.horizon_days
    );
    if e.gains.len() == 100 && e.churners() > 0 {
        let reach = e.reach(&e.gains, 20);
        said.push_str(&format!(
            " The riskiest {} of users hold {} of the churners, {} times their share where {} are possible; probabilities \
             are off by {} on average.",
            percent(0.2),
            strong(&counted_share(reach.churners / e.churners() as f64)),
            times(reach.lift),
            times(reach.possible_lift),
            strong(&format!("{} points", points(e.model.ece.value))),
        ));
        let bias = e.model.bias;
        // Which way they are off is only said where most of the error goes one way, and not by chance.
        if bias.value.abs() > e.model.ece.value / 2.0 && bias.low * bias.high > 0.0 {
            said = said.trim_end_matches('.').to_owned();
            said.push_str(if bias.value > 0.0 {
                ", mostly too high."
            } else {
                ", mostly too low."
            });
        }
    }
    said + &challenged(e)
}

/// What a random_forest came to, if one was fitted: it is no baseline, and counts only where it is shown to be better.
fn challenged(e: &Evaluation) -> String {
    let better = e
        .baseline(RANDOM_FOREST)
        .map(|r| r.log_loss_difference)
        .filter(|d| d.low > 0.0);
    let said = better.map(|d| {
        format!(
            " A random forest does better still: its log loss is {} lower.",
            decimals(d.value, 4)
        )
    });
    said.unwrap_or_default()
}

fn strong(text: &str) -> String {
    format!("<strong>{}</strong>", escape(text))
}

fn notes(card: &Card) -> String {
    let remark = Refused::of(card).and_then(|refused| refused.remark());
    let notes: Vec<&String> = remark.iter().chain(&card.notes).collect();
    if notes.is_empty() {
        return String::new();
    }
    let items: String = notes
        .iter()
        .map(|n| format!("<li>{}</li>", thin(n)))
        .collect();
    format!("<div class=\"notes\"><h3>Good to know</h3><ul>{items}</ul></div>")
}

/// What was done to make sure that no feature looks ahead.
fn probed(probe: &LeakageProbe) -> String {
    format!(
        "<p class=\"aside\">No feature saw the future: {} of {} at {} were held against futures that were deleted, \
         shuffled and invented.</p>",
        counted(probe.comparisons, "vector"),
        counted(probe.users, "user"),
        counted(probe.dates, "date"),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::card;
    use super::*;
    use crate::card::untested::Untested;
    use crate::card::verdict::Verdict;
    use crate::train::evaluation::metrics::Interval;

    fn plain(html: &str) -> String {
        html.replace(super::super::text::THIN, " ")
            .replace("<strong>", "")
            .replace("</strong>", "")
    }

    #[test]
    fn the_page_says_how_far_the_probe_for_leaks_went() {
        let said = content(&card());
        assert!(
            said.contains(
                "No feature saw the future: 7,131 vectors of 200 users at 12 dates were held"
            ),
            "{said}"
        );
    }

    #[test]
    fn the_badge_is_that_of_the_verdict() {
        let mut card = card();
        for (strength, class, words) in [
            (Strength::Strong, "good", "Strong"),
            (Strength::Modest, "fair", "Modest"),
            (Strength::NotShown, "bad", "Not shown to be better"),
        ] {
            let e = card.horizons[0].evaluation.as_mut().unwrap();
            e.verdict.as_mut().unwrap().strength = strength;
            let badge = format!("<span class=\"badge {class}\">{words}</span>");
            assert!(
                verdict(&card, &card.horizons[0]).contains(&badge),
                "{badge}"
            );
            assert!(
                headline(&card).contains(&format!("<li class=\"badge {class}\">30 days: ")),
                "{}",
                headline(&card)
            );
        }
        card.horizons[0].evaluation.as_mut().unwrap().verdict = None;
        assert!(verdict(&card, &card.horizons[0]).contains("Nothing to compare with"));
        card.horizons[0].evaluation = None;
        card.horizons[0].untested = Some(Untested::OneClass {
            date: "2011-11-10".parse().unwrap(),
            users: 300,
            churned: true,
        });
        let said = verdict(&card, &card.horizons[0]);
        assert!(
            said.contains("Not tested") && said.contains("All 300 users of 2011-11-10"),
            "{said}"
        );
        assert!(!said.contains("too short"), "{said}");
    }

    #[test]
    fn probabilities_are_off_where_groups_of_users_say_so() {
        let mut e = card().horizons[0].evaluation.clone().unwrap();
        assert!(!far_off(&e));
        e.model.ece.value = 0.06;
        let within = |c: &mut CurvePoint| (c.low, c.high) = (c.predicted - 0.1, c.predicted + 0.1);
        e.calibration_curve.iter_mut().for_each(within);
        assert!(!far_off(&e), "a small test has a large error by chance");
        e.calibration_curve
            .iter_mut()
            .take(3)
            .for_each(|c| c.high = c.predicted - 0.01);
        assert!(far_off(&e));
    }

    #[test]
    fn the_verdict_reads_as_sentences() {
        let mut card = card();
        let said = plain(&verdict(&card, &card.horizons[0]));
        let e = card.horizons[0].evaluation.as_mut().unwrap();
        assert!(
            said.contains("Better than its strongest baseline, BG/NBD, but not by much: its log loss is 0.0200 lower")
        );
        let lift = "hold 38 % of the churners, 1.9 times their share where 2.3 are possible; probabilities are off by 0.8 \
                    points on average.";
        assert!(said.contains(lift), "{said}");
        e.model.bias = Interval {
            value: -0.007,
            low: -0.012,
            high: -0.002,
        };
        e.baselines.last_mut().unwrap().log_loss_difference = Interval {
            value: 0.02,
            low: 0.01,
            high: 0.03,
        };
        let said = verdict(&card, &card.horizons[0]);
        assert!(
            said.contains("on average, mostly too low. A random forest does better still"),
            "{said}"
        );
    }

    #[test]
    fn many_refused_rows_are_a_caution_and_rows_without_a_user_are_not() {
        let mut card = card();
        assert!(
            !content(&card).contains("class=\"caution\""),
            "a quarter of the rows name no user, 10 were refused"
        );
        assert!(
            plain(&content(&card))
                .contains("24.9 % of the log (134950 of 541909 rows) names no user")
        );
        card.data_quality =
            json!({ "rows": 4_105, "refused": [{ "reason": "bad_<time>", "rows": 2_477 }] });
        let said = plain(&content(&card));
        assert!(
            said.contains("<p class=\"caution\">60.3 % of the log was refused (2477 of 4105 rows"),
            "{said}"
        );
        assert!(
            said.contains("bad_&lt;time&gt;") && headline(&card).contains("Many rows refused"),
            "{said}"
        );
    }

    #[test]
    fn the_lift_in_words_is_never_above_what_is_possible() {
        let mut e = card().horizons[0].evaluation.clone().unwrap();
        (e.users, e.churn_rate, e.gains) = (7, 6.0 / 7.0, vec![1.0; 100]);
        e.verdict = Verdict::new(&e.baselines, e.users, 6);
        let said = plain(&tested(&card().horizons[0], &e));
        assert!(
            said.contains("1.17 times their share where 1.17 are possible"),
            "{said}"
        );
    }
}
