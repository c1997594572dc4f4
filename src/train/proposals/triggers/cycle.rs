//! Users come more often or less often than at the last calibration.

use super::{
    LEAST_USERS, MOST_USERS, ProposalInput, Proposals, days_of, differing, newest, not_covered,
    push,
};
use crate::history::{Day, HistoryError};
use crate::train::proposals::cycle::{
    CycleChange, CycleWindows, WINDOW_DAYS, compare_cycles, recalibrated_days,
};
use crate::train::proposals::{Evidence, Trigger};

/// Proposes limits of tenure for a cycle that has changed since the calibration.
pub(crate) fn look(
    input: &ProposalInput<'_>,
    calibrated: Day,
    found: &mut Proposals,
) -> Result<(), HistoryError> {
    let windows = CycleWindows {
        now: input.as_of.number() - WINDOW_DAYS,
        before: calibrated.number() - WINDOW_DAYS,
    };
    let reach = input.as_of.number() - windows.first_day();
    if let Some(why) = not_covered(input, reach) {
        found
            .notes
            .push(format!("the cycle of users was not compared: {why}"));
        return Ok(());
    }
    let active = active_days(input)?;
    let change = match compare_cycles(&active, windows, LEAST_USERS) {
        Ok(change) => change,
        Err(why) => {
            found
                .notes
                .push(format!("the cycle of users was not compared: {why}"));
            return Ok(());
        }
    };
    let words = cycle_words(&change);
    if !change.is_found() {
        found
            .notes
            .push(format!("no change of the cycle is proposed: {words}"));
        return Ok(());
    }
    let thresholds = &input.config.lifecycle;
    let acquisition = recalibrated_days(thresholds.acquisition_days, change.ratio)
        .max(thresholds.exploration_from_days);
    let exploration = recalibrated_days(thresholds.exploration_days, change.ratio)
        .clamp(acquisition, thresholds.growth_days);
    let changes = [
        (
            "lifecycle.acquisition_days",
            thresholds.acquisition_days,
            acquisition,
        ),
        (
            "lifecycle.exploration_days",
            thresholds.exploration_days,
            exploration,
        ),
    ];
    let evidence = Evidence {
        users: change.users,
        estimate: change.ratio,
        low: Some(change.low),
        high: Some(change.high),
        p: Some(change.p),
        window: newest(input.as_of, WINDOW_DAYS),
        features: Vec::new(),
    };
    push(
        input,
        found,
        (Trigger::Cycle, words),
        differing(changes),
        Some(evidence),
        None,
    )
}

/// What was found of the cycle.
fn cycle_words(change: &CycleChange) -> String {
    format!(
        "half of the gaps between active days are over within {:.1} days, and were within {:.1} before the calibration: the time of \
         year apart, the cycle is {:.2} times as long (97.5 % interval {:.2} to {:.2}, {} users)",
        change.now_days, change.before_days, change.ratio, change.low, change.high, change.users
    )
}

/// The active days before the as-of day, ascending, of at most [`MOST_USERS`] users.
fn active_days(input: &ProposalInput<'_>) -> Result<Vec<Vec<i32>>, HistoryError> {
    let eligibility = input.eligibility();
    input.histories.evenly(MOST_USERS, |history| {
        days_of(history, input.as_of, &eligibility).collect()
    })
}
