//! Floors for CI: does a bundle's card meet them?

use super::rejected::{CAUTION_SHARE, Refused, in_words};
use crate::card::{Card, HorizonCard};

/// The least that a model must reach on its test date, and the most of its log that may have been refused; `None` leaves
/// a figure of the model unchecked.
#[derive(Clone, Copy, Debug)]
pub struct Floors {
    /// The smallest acceptable area under the ROC curve.
    pub min_auc: Option<f64>,
    /// The largest acceptable log loss.
    pub max_log_loss: Option<f64>,
    /// The largest acceptable expected calibration error.
    pub max_ece: Option<f64>,
    /// The largest acceptable share of refused rows; rows that name no user are not among them.
    pub max_refused_share: f64,
}

impl Default for Floors {
    fn default() -> Self {
        Self {
            min_auc: None,
            max_log_loss: None,
            max_ece: None,
            max_refused_share: CAUTION_SHARE,
        }
    }
}

/// One line on a card: a figure held against its floor, or something to know beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Whether it is acceptable; what has no floor is.
    pub passed: bool,
    /// A line that says so.
    pub line: String,
}

impl Finding {
    fn remark(line: String) -> Self {
        Self { passed: true, line }
    }
}

/// Holds the log and every horizon of a card against the floors. A horizon that was not tested fails: what was not
/// measured can't be vouched for.
pub fn check(card: &Card, floors: &Floors) -> Vec<Finding> {
    let mut findings = log(card, floors.max_refused_share);
    for horizon in &card.horizons {
        findings.extend(figures(card, horizon, floors));
    }
    findings
}

/// How much of the log could not be used. A card without a report on its log, as of a roll-up made elsewhere or of an
/// older trainer, has nothing to hold against the floor.
fn log(card: &Card, most: f64) -> Vec<Finding> {
    let Some(refused) = Refused::of(card) else {
        return Vec::new();
    };
    let share = refused.share();
    let passed = share <= most;
    let reason = match &refused.most {
        Some((reason, rows)) if !passed => {
            format!(", {rows} of {} rows for {reason}", refused.rows)
        }
        _ => String::new(),
    };
    let rows = if refused.refused == 0 {
        "no row".to_owned()
    } else {
        format!("{} of rows", in_words(share))
    };
    let line = format!(
        "log: {rows} refused{reason}, at most {most}: {}",
        mark(passed)
    );
    let mut findings = vec![Finding { passed, line }];
    findings.extend(
        refused
            .remark()
            .map(|remark| Finding::remark(format!("log: {remark}"))),
    );
    findings
}

fn mark(passed: bool) -> &'static str {
    if passed { "ok" } else { "FAILED" }
}

/// One horizon's figures, and its verdict.
fn figures(card: &Card, horizon: &HorizonCard, floors: &Floors) -> Vec<Finding> {
    let days = horizon.horizon_days;
    let Some(evaluation) = &horizon.evaluation else {
        let why = horizon.untested_words(&card.label_definition);
        return vec![Finding {
            passed: false,
            line: format!("horizon {days}: not tested: FAILED. {why}"),
        }];
    };
    let model = &evaluation.model;
    let figures = [
        ("AUC", model.auc.value, floors.min_auc, true),
        ("log loss", model.log_loss.value, floors.max_log_loss, false),
        ("calibration error", model.ece.value, floors.max_ece, false),
    ];
    let held = figures
        .into_iter()
        .filter_map(|(name, value, floor, at_least)| {
            let floor = floor?;
            let passed = if at_least {
                value >= floor
            } else {
                value <= floor
            };
            let word = if at_least { "at least" } else { "at most" };
            let line = format!(
                "horizon {days}: {name} {value:.4}, {word} {floor}: {}",
                mark(passed)
            );
            Some(Finding { passed, line })
        });
    let verdict = evaluation.verdict.as_ref().map(|verdict| {
        let (strength, said) = (verdict.strength.words(), verdict.description(evaluation));
        Finding::remark(format!("horizon {days}: verdict {strength}. {said}."))
    });
    held.chain(verdict).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report::html::tests::card;

    /// The made-up card, its first horizon only, with a log of 4,105 rows.
    fn with_log(refused: &[(&str, u64)]) -> Card {
        let mut card = card();
        card.horizons.truncate(1);
        let reasons: Vec<_> = refused
            .iter()
            .map(|(reason, rows)| json!({ "reason": reason, "rows": rows }))
            .collect();
        card.data_quality = json!({ "rows": 4_105, "refused": reasons });
        card
    }

    fn failed(card: &Card, floors: Floors) -> Vec<String> {
        check(card, &floors)
            .into_iter()
            .filter(|f| !f.passed)
            .map(|f| f.line)
            .collect()
    }

    const AUC: Floors = Floors {
        min_auc: Some(0.6),
        max_log_loss: None,
        max_ece: None,
        max_refused_share: 0.05,
    };

    #[test]
    fn a_log_of_which_most_was_refused_fails_unless_it_may() {
        let card = with_log(&[("bad_time", 2_400), ("bad_amount", 77)]);
        let line =
            "log: 60.3 % of rows refused, 2400 of 4105 rows for bad_time, at most 0.05: FAILED";
        assert_eq!(failed(&card, AUC), [line]);
        assert_eq!(
            failed(
                &card,
                Floors {
                    max_refused_share: 0.61,
                    ..AUC
                }
            ),
            [""; 0]
        );
        assert_eq!(
            failed(&with_log(&[("bad_time", 205)]), AUC),
            [""; 0],
            "just below a twentieth"
        );
        assert_eq!(failed(&with_log(&[("bad_time", 206)]), AUC).len(), 1);
        assert_eq!(
            failed(
                &with_log(&[]),
                Floors {
                    max_refused_share: 0.0,
                    ..AUC
                }
            ),
            [""; 0]
        );
    }

    #[test]
    fn rows_without_a_user_are_told_and_not_held_against_the_log() {
        let card = with_log(&[("empty_user", 1_022)]);
        assert_eq!(failed(&card, AUC), [""; 0]);
        let lines: Vec<String> = check(&card, &AUC).into_iter().map(|f| f.line).collect();
        assert!(
            lines
                .iter()
                .any(|l| l.contains("24.9 % of the log (1022 of 4105 rows) names no user")),
            "{lines:?}"
        );
        // Nor do they hide what was refused of the others.
        assert_eq!(
            failed(&with_log(&[("empty_user", 3_905), ("bad_time", 20)]), AUC).len(),
            1
        );
    }

    #[test]
    fn the_verdict_is_told_and_what_was_not_tested_fails_with_its_cause() {
        let mut card = with_log(&[]);
        let lines = check(&card, &AUC);
        let verdict = card.horizons[0]
            .evaluation
            .as_ref()
            .unwrap()
            .verdict
            .clone()
            .unwrap();
        assert!(
            lines.iter().any(|f| f
                .line
                .contains(&format!("verdict {}. ", verdict.strength.words()))),
            "{lines:?}"
        );
        card.horizons[0].evaluation = None;
        card.horizons[0].untested = Some(crate::card::untested::Untested::TooFewUsers {
            date: "2011-11-10".parse().unwrap(),
            users: 22,
            least: 50,
        });
        let said = failed(&card, AUC);
        assert!(
            said[0]
                .contains("not tested: FAILED. Too few users to judge the 30-day model: 22 users"),
            "{said:?}"
        );
    }

    #[test]
    fn a_card_without_a_report_on_its_log_is_held_against_the_other_floors() {
        let mut card = with_log(&[]);
        card.data_quality = serde_json::Value::Null;
        assert_eq!(
            failed(
                &card,
                Floors {
                    min_auc: Some(0.99),
                    ..AUC
                }
            )
            .len(),
            1
        );
        assert_eq!(failed(&card, AUC), [""; 0]);
    }
}
