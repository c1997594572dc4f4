//! Far more or far fewer users came in two weeks than were to be expected.

use super::{LEAST_USERS, ProposalInput, Proposals, days_of, differing, newest, not_covered, push};
use crate::history::HistoryError;
use crate::train::proposals::shock::{LEAST_WEEKS, Shock, find_shock};
use crate::train::proposals::{Evidence, Trigger};

/// Days after which the change that answers a shock is undone.
const SHOCK_DAYS: i32 = 56;

/// Proposes a longer start of acquisition for some weeks after a shock.
pub(crate) fn look(input: &ProposalInput<'_>, found: &mut Proposals) -> Result<(), HistoryError> {
    if let Some(why) = not_covered(input, 7 * LEAST_WEEKS as i32) {
        found.notes.push(format!(
            "active users were not compared with a forecast: {why}"
        ));
        return Ok(());
    }
    let weeks = weekly_active(input)?;
    let Some(shock) = find_shock(&weeks, LEAST_USERS) else {
        found.notes.push(format!(
            "active users were not compared with a forecast: fewer than {LEAST_USERS} came in one of the weeks"
        ));
        return Ok(());
    };
    let words = shock_words(&shock);
    if !shock.is_found() {
        found.notes.push(format!("no shock: {words}"));
        return Ok(());
    }
    let thresholds = &input.config.lifecycle;
    let longer = (2 * thresholds.exploration_from_days).min(thresholds.acquisition_days);
    let changes = [(
        "lifecycle.exploration_from_days",
        thresholds.exploration_from_days,
        longer,
    )];
    let [estimate, _] = shock.ratios();
    let evidence = Evidence {
        users: shock.users[0],
        estimate,
        low: Some(estimate / shock.band),
        high: Some(estimate * shock.band),
        p: None,
        window: newest(input.as_of, 14),
        features: Vec::new(),
    };
    let expires = input.as_of.plus(SHOCK_DAYS);
    push(
        input,
        found,
        (Trigger::Shock, words),
        differing(changes),
        Some(evidence),
        Some(expires),
    )
}

/// What was found of the two newest weeks.
fn shock_words(shock: &Shock) -> String {
    let [newest, before] = shock.users;
    let [of_newest, of_before] = shock.forecast;
    format!(
        "{newest} and {before} users were active in the two newest weeks, where the year before foretells {of_newest:.0} and \
         {of_before:.0}; forecasts have been missed by up to {:.0} %",
        100.0 * (shock.band - 1.0)
    )
}

/// The active users of each week before the as-of day, newest first.
fn weekly_active(input: &ProposalInput<'_>) -> Result<Vec<u64>, HistoryError> {
    let eligibility = input.eligibility();
    let weeks = input.as_of.since(input.coverage.span.from).max(0) as usize / 7;
    let of_blocks = input.histories.map_blocks(|block| {
        let mut counts = vec![0_u64; weeks];
        for (_, _, history) in block.iter() {
            let mut last = None;
            for day in days_of(history, input.as_of, &eligibility) {
                let week = (input.as_of.number() - 1 - day) as usize / 7;
                if last.replace(week) != Some(week)
                    && let Some(count) = counts.get_mut(week)
                {
                    *count += 1;
                }
            }
        }
        counts
    })?;
    let mut total = vec![0; weeks];
    for counts in of_blocks {
        for (total, count) in total.iter_mut().zip(counts) {
            *total += count;
        }
    }
    Ok(total)
}
