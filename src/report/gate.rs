//! The quality gate of CI: does a bundle's card meet the thresholds?

use super::number::{plain_percent, thousands};
use super::rejected::{CAUTION_SHARE, RejectionSummary};
use super::wording;
use crate::card::{Card, HorizonCard};

/// The thresholds of a model's figures on its test date, and of the rejected share of its log; `None` leaves a figure
/// unchecked.
#[derive(Clone, Copy, Debug)]
pub struct Thresholds {
    /// The smallest acceptable area under the ROC curve.
    pub min_auc: Option<f64>,
    /// The largest acceptable log loss.
    pub max_log_loss: Option<f64>,
    /// The largest acceptable expected calibration error.
    pub max_ece: Option<f64>,
    /// The largest acceptable share of rejected rows; rows that name no user are not among them.
    pub max_rejected_share: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            min_auc: None,
            max_log_loss: None,
            max_ece: None,
            max_rejected_share: CAUTION_SHARE,
        }
    }
}

/// One line on a card: a figure with its threshold, or a remark.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Whether it is acceptable; a remark is.
    pub passed: bool,
    /// The line as it is printed.
    pub line: String,
}

impl Finding {
    fn remark(line: String) -> Self {
        Self { passed: true, line }
    }
}

/// Checks the log and every horizon of a card. A horizon that was not tested fails: its quality is unknown. So does one
/// that lost to the base rate at the dates of the backtest by its whole interval.
pub fn check(card: &Card, thresholds: &Thresholds) -> Vec<Finding> {
    let mut findings = log(card, thresholds.max_rejected_share);
    for horizon in &card.horizons {
        findings.extend(figures(card, horizon, thresholds));
        findings.extend(below_base_rate(horizon));
    }
    findings
}

/// The rejected share of the log. A card without a report on its log, as of a roll-up made elsewhere, has none.
fn log(card: &Card, most: f64) -> Vec<Finding> {
    let Some(rejected) = RejectionSummary::of(card) else {
        return Vec::new();
    };
    let share = rejected.share();
    let passed = share <= most;
    let reason = match &rejected.most {
        Some(reason) if !passed => format!(
            ", {} of {} rows for {}",
            thousands(reason.rows),
            thousands(rejected.rows),
            reason.name
        ),
        _ => String::new(),
    };
    let rows = match rejected.rejected {
        0 => "no row".to_owned(),
        _ => format!("{} of rows", plain_percent(share)),
    };
    let mark = mark(passed);
    let line = format!("log: {rows} rejected{reason}, at most {most}: {mark}");
    let mut findings = vec![Finding { passed, line }];
    if let Some(remark) = rejected.remark() {
        findings.push(Finding::remark(format!("log: {remark}")));
    }
    findings
}

fn mark(passed: bool) -> &'static str {
    if passed { "ok" } else { "FAILED" }
}

/// A figure of the model and its threshold.
struct Figure {
    name: &'static str,
    value: f64,
    threshold: Option<f64>,
    larger_is_better: bool,
}

impl Figure {
    /// The figure against its threshold; `None` without one.
    fn check(&self, horizon_days: u16) -> Option<Finding> {
        let (name, value, threshold) = (self.name, self.value, self.threshold?);
        let (passed, bound) = if self.larger_is_better {
            (value >= threshold, "at least")
        } else {
            (value <= threshold, "at most")
        };
        let mark = mark(passed);
        let line =
            format!("horizon {horizon_days}: {name} {value:.4}, {bound} {threshold}: {mark}");
        Some(Finding { passed, line })
    }
}

/// One horizon's figures, and its verdict.
fn figures(card: &Card, horizon: &HorizonCard, thresholds: &Thresholds) -> Vec<Finding> {
    let days = horizon.horizon_days;
    let Some(evaluation) = &horizon.evaluation else {
        let reason = wording::untested(horizon, &card.label_definition);
        return vec![Finding {
            passed: false,
            line: format!("horizon {days}: not tested: FAILED. {reason}"),
        }];
    };
    let model = &evaluation.model;
    let figures = [
        Figure {
            name: "AUC",
            value: model.auc.value,
            threshold: thresholds.min_auc,
            larger_is_better: true,
        },
        Figure {
            name: "log loss",
            value: model.log_loss.value,
            threshold: thresholds.max_log_loss,
            larger_is_better: false,
        },
        Figure {
            name: "calibration error",
            value: model.ece.value,
            threshold: thresholds.max_ece,
            larger_is_better: false,
        },
    ];
    let mut findings: Vec<Finding> = figures.iter().filter_map(|f| f.check(days)).collect();
    if let Some(verdict) = &evaluation.verdict {
        let strength = wording::strength(verdict.strength);
        let description = wording::verdict(verdict, evaluation);
        findings.push(Finding::remark(format!(
            "horizon {days}: verdict {strength}. {description}."
        )));
    }
    findings
}

/// The failure of a model that predicts worse than the churn rate alone; `None` where that was not shown.
fn below_base_rate(horizon: &HorizonCard) -> Option<Finding> {
    let lost = wording::backtest::lost_to_base_rate(horizon)?;
    let days = horizon.horizon_days;
    let comparison = wording::backtest::comparison(lost);
    Some(Finding {
        passed: false,
        line: format!("horizon {days}: below the base rate: FAILED. {comparison}."),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report::html::fixture::card;

    /// The card of the fixture, its first horizon only, with a log of 4,105 rows.
    fn with_log(rejected: &[(&str, u64)]) -> Card {
        let mut card = card();
        card.horizons.truncate(1);
        let reasons: Vec<_> = rejected
            .iter()
            .map(|(reason, rows)| json!({ "reason": reason, "rows": rows }))
            .collect();
        card.data_quality = json!({ "rows": 4_105, "rejected": reasons });
        card
    }

    fn failed(card: &Card, thresholds: Thresholds) -> Vec<String> {
        check(card, &thresholds)
            .into_iter()
            .filter(|f| !f.passed)
            .map(|f| f.line)
            .collect()
    }

    const AUC: Thresholds = Thresholds {
        min_auc: Some(0.6),
        max_log_loss: None,
        max_ece: None,
        max_rejected_share: 0.05,
    };

    #[test]
    fn a_log_with_too_many_rejected_rows_fails_unless_the_threshold_allows_it() {
        let card = with_log(&[("bad_time", 2_400), ("bad_amount", 77)]);
        let line =
            "log: 60.3 % of rows rejected, 2,400 of 4,105 rows for bad_time, at most 0.05: FAILED";
        assert_eq!(failed(&card, AUC), [line]);
        assert_eq!(
            failed(
                &card,
                Thresholds {
                    max_rejected_share: 0.61,
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
                Thresholds {
                    max_rejected_share: 0.0,
                    ..AUC
                }
            ),
            [""; 0]
        );
    }

    #[test]
    fn rows_without_a_user_are_a_remark_and_no_failure() {
        let card = with_log(&[("empty_user", 1_022)]);
        assert_eq!(failed(&card, AUC), [""; 0]);
        let lines: Vec<String> = check(&card, &AUC).into_iter().map(|f| f.line).collect();
        assert!(
            lines
                .iter()
                .any(|l| l.contains("24.9 % of the log (1,022 of 4,105 rows) names no user")),
            "{lines:?}"
        );
        // The share is that of the other rows.
        assert_eq!(
            failed(&with_log(&[("empty_user", 3_905), ("bad_time", 20)]), AUC).len(),
            1
        );
    }

    #[test]
    fn the_verdict_is_printed_and_an_untested_horizon_fails_with_its_reason() {
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
            lines.iter().any(|f| f.line.contains(&format!(
                "verdict {}. ",
                wording::strength(verdict.strength)
            ))),
            "{lines:?}"
        );
        card.horizons[0].evaluation = None;
        card.horizons[0].untested = Some(crate::card::Untested::TooFewUsers {
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
    fn a_model_that_lost_to_the_base_rate_by_its_whole_interval_fails() {
        let mut card = with_log(&[]);
        let against = |card: &mut Card, baseline: &str, low: f64, high: f64| {
            let c = &mut card.horizons[0].against_baselines[0];
            c.baseline = baseline.to_owned();
            (c.log_loss_difference.low, c.log_loss_difference.high) = (low, high);
            c.log_loss_difference.value = (low + high) / 2.0;
            failed(card, AUC)
        };
        assert_eq!(against(&mut card, "base_rate", -0.02, -0.01), [""; 0]);
        assert_eq!(against(&mut card, "base_rate", -0.001, 0.1), [""; 0]);
        assert_eq!(against(&mut card, "bg_nbd", 0.01, 0.03), [""; 0]);
        assert_eq!(
            against(&mut card, "base_rate", 0.01, 0.03),
            [
                "horizon 30: below the base rate: FAILED. At 4 dates of the backtest, the base rate is better than the \
                 model, whose log loss is 0.0200 higher (95 % interval over dates: 0.0100 higher to 0.0300 higher)."
            ]
        );
    }

    #[test]
    fn a_card_without_a_report_on_its_log_is_checked_by_the_other_thresholds() {
        let mut card = with_log(&[]);
        card.data_quality = serde_json::Value::Null;
        assert_eq!(
            failed(
                &card,
                Thresholds {
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
