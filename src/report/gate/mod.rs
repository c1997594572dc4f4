//! The quality gate of CI: does a bundle's card meet the thresholds?
//!
//! [`check`] holds a card against them, [`data_age`] its log against the calendar, and [`regressions`] a model against the one
//! in use. `formats` writes what was found for other programs.

pub(crate) mod conversion;
pub(crate) mod figures;
pub(crate) mod finding;
pub(crate) mod formats;
pub(crate) mod regression;
#[cfg(test)]
mod tests;
pub(crate) mod value;

pub use crate::card::{PerHorizon, Thresholds};
pub use finding::{Bound, Checked, Finding};
pub use formats::{github, junit, markdown};
pub use regression::{DEFAULT_MAX_REGRESSION, regressions};

use super::number::{plain_percent, thousands};
use super::rejected::{CAUTION_SHARE, RejectionSummary};
use super::wording;
use crate::card::{Card, Day, HorizonCard};
use figures::figures;
use finding::mark;

/// Checks the log and every horizon of a card. A horizon that was not tested fails: its quality is unknown. So does one
/// that lost to the base rate at the dates of the backtest by its whole interval.
pub fn check(card: &Card, thresholds: &Thresholds) -> Vec<Finding> {
    let most = thresholds.max_rejected_share.unwrap_or(CAUTION_SHARE);
    let mut findings = log(card, most);
    findings.extend(users_scored(card, thresholds));
    for horizon in &card.horizons {
        findings.extend(tested(card, horizon, thresholds));
        findings.extend(below_base_rate(horizon));
    }
    findings.extend(value::value(card, thresholds));
    findings.extend(conversion::conversion(card, thresholds));
    findings
}

/// The rejected share of the log. A card without a report on its log, as of a roll-up made elsewhere, has none.
fn log(card: &Card, most: f64) -> Vec<Finding> {
    let Some(rejected) = RejectionSummary::of(card) else {
        return Vec::new();
    };
    let share = rejected.share();
    let checked = Checked::limited("rejected_share", share, Bound::AtMost, most);
    let passed = checked.passed;
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
    let mut findings = vec![Finding::checked(checked, line)];
    if let Some(remark) = rejected.remark() {
        findings.push(Finding::remark(format!("log: {remark}")));
    }
    findings
}

/// Whether the bundle has users enough to score at its as-of day; `None` without a threshold.
fn users_scored(card: &Card, thresholds: &Thresholds) -> Option<Finding> {
    let least = thresholds.min_users_scored?;
    let users: u64 = card.stages.values().sum();
    let checked = Checked::limited("users_scored", users as f64, Bound::AtLeast, least as f64);
    let line = format!(
        "users: {} with a score at {}, at least {}: {}",
        thousands(users),
        card.as_of,
        thousands(least),
        mark(checked.passed)
    );
    Some(Finding::checked(checked, line))
}

/// How many days before `today` the log of the fit ended; `None` without a threshold.
pub fn data_age(card: &Card, thresholds: &Thresholds, today: Day) -> Option<Finding> {
    let most = thresholds.max_data_age_days?;
    let covered = card.coverage.as_ref().map(|c| c.labels_until);
    let until = covered.unwrap_or(card.last_day.plus(1)).min(card.as_of);
    let days = today.since(until).max(0);
    let checked = Checked::limited("data_age_days", days.into(), Bound::AtMost, most.into());
    let line = format!(
        "log: ends on {}, {days} {} before {today}, at most {most}: {}",
        until.plus(-1),
        if days == 1 { "day" } else { "days" },
        mark(checked.passed)
    );
    Some(Finding::checked(checked, line))
}

/// One horizon's figures, and its verdict.
fn tested(card: &Card, horizon: &HorizonCard, thresholds: &Thresholds) -> Vec<Finding> {
    let days = horizon.horizon_days;
    let Some(evaluation) = &horizon.evaluation else {
        let reason = wording::untested(horizon, &card.label_definition);
        let line = format!("horizon {days}: not tested: FAILED. {reason}");
        return vec![Finding::checked(Checked::failure("tested", days), line)];
    };
    let mut findings = figures(days, evaluation, thresholds);
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
    let checked = Checked {
        bound: Some(Bound::AtMost),
        limit: Some(0.0),
        ..Checked::failure("backtest_log_loss_less_base_rate", days)
    };
    let line = format!("horizon {days}: below the base rate: FAILED. {comparison}.");
    Some(Finding::checked(
        checked.with_interval(lost.log_loss_difference),
        line,
    ))
}
