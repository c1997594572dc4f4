//! A model beside the one in use.

use super::finding::{Bound, Checked, Finding, mark};
use crate::card::{ComparedHorizon, Comparison, Paired, Thresholds};
use crate::report::later::table::signed_span;
use crate::report::wording::untested::few;

/// The most that the log loss may be above that of the model in use where nothing is configured, in nats.
pub const DEFAULT_MAX_REGRESSION: f64 = 0.01;

/// Whether the second model of a comparison may take the place of the first, for each horizon that both have: the upper end
/// of the interval of the difference in log loss must lie within the threshold, so that a model passes that is shown not to
/// be worse by more, and a log too small to show it fails.
pub fn regressions(compared: &Comparison, thresholds: &Thresholds) -> Vec<Finding> {
    let mut findings = Vec::new();
    for horizon in &compared.horizons {
        let days = horizon.horizon_days;
        let limit = match &thresholds.max_regression {
            Some(limits) => limits.at(days),
            None => Some(DEFAULT_MAX_REGRESSION),
        };
        let Some(limit) = limit else { continue };
        findings.push(match &horizon.paired {
            Some(paired) => regression(days, paired, limit),
            None => not_compared(horizon, limit),
        });
        if let Some(remark) = left_out(horizon) {
            findings.push(Finding::remark(remark));
        }
    }
    for days in &compared.left_out_horizons {
        findings.push(Finding::remark(format!(
            "horizon {days}: not compared, only one of the two models has it"
        )));
    }
    let notes = compared.notes.iter().cloned();
    findings.extend(notes.map(Finding::remark));
    findings
}

fn regression(days: u16, paired: &Paired, limit: f64) -> Finding {
    let d = paired.log_loss_difference;
    let checked = Checked::limited("log_loss_regression", d.high, Bound::AtMost, limit)
        .of_horizon(days)
        .with_interval(d);
    let shown = if checked.passed {
        ""
    } else if d.low > limit {
        ". The new model is worse by more than that"
    } else if d.value > limit {
        ". The new model is worse by more than that, though chance may be a part of it"
    } else {
        ". The log has too few users to show it"
    };
    let line = format!(
        "horizon {days}: log loss less that of the model in use {}, upper end at most {limit}: {}{shown}",
        signed_span(d),
        mark(checked.passed)
    );
    Finding::checked(checked, line)
}

fn not_compared(horizon: &ComparedHorizon, limit: f64) -> Finding {
    let days = horizon.horizon_days;
    let why = horizon.untested.as_ref().map(few);
    let checked = Checked::limited("log_loss_regression", f64::NAN, Bound::AtMost, limit);
    let line = format!(
        "horizon {days}: not compared with the model in use: FAILED. {}",
        why.unwrap_or_default()
    );
    Finding::checked(checked.of_horizon(days), line)
}

fn left_out(horizon: &ComparedHorizon) -> Option<String> {
    let ComparedHorizon { only_a, only_b, .. } = horizon;
    (only_a + only_b > 0).then(|| {
        format!(
            "horizon {}: {only_a} users that only the model in use scores and {only_b} that only the new one scores are left \
             out of the comparison",
            horizon.horizon_days
        )
    })
}
