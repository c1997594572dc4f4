//! Changes of the lifecycle's thresholds that a log speaks for, to be accepted by a person: the thresholds themselves never
//! change by themselves.
//!
//! [`propose()`] looks for a changed [`cycle`], for a [`shock`], and for earlier changes whose time is over; [`accept::edited`]
//! puts a proposal into the configuration, and [`calibration`] keeps the record of it.

pub mod accept;
pub mod calibration;
pub mod cycle;
mod moves;
pub mod proposal;
pub mod shock;

pub use proposal::{Change, Evidence, Proposal, Trigger};

use crate::history::{Coverage, Day, Histories, HistoryError, HistoryView, Stretch};
use crate::lifecycle::{Eligibility, Question, Thresholds};
use crate::model::{Bundle, BundleSpec};
use crate::train::settings::TrainConfig;
use calibration::Accepted;
use cycle::{CycleChange, CycleWindows, WINDOW_DAYS, compare_cycles, recalibrated_days};
use shock::{LEAST_WEEKS, Shock, find_shock};

/// Users whose gaps are looked at; with more, an even part of them is.
const MOST_USERS: usize = 20_000;

/// The fewest active users from which anything is said.
const LEAST_USERS: u64 = 100;

/// Days after which the change that answers a shock is undone.
const SHOCK_DAYS: i32 = 56;

/// A log to be looked at, and what is in use.
#[derive(Clone, Copy, Debug)]
pub struct ProposalInput<'a> {
    /// All users' histories.
    pub histories: &'a Histories,
    /// What the log covers.
    pub coverage: &'a Coverage,
    /// The configuration.
    pub config: &'a TrainConfig,
    /// The model in use; its as-of day is the calibration, if no proposal was accepted since.
    pub previous: &'a Bundle,
    /// The accepted proposals, oldest first.
    pub accepted: &'a [Accepted],
    /// Nothing at or after this day is looked at.
    pub as_of: Day,
}

/// What a log speaks for, and what could not be looked at.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Proposals {
    /// The proposals.
    pub proposals: Vec<Proposal>,
    /// What was looked at without a finding, and what could not be, a sentence each.
    pub notes: Vec<String>,
}

/// Looks for changes of the business that thresholds should follow.
///
/// # Errors
/// [`HistoryError`] where the log cannot be read.
pub fn propose(input: &ProposalInput<'_>) -> Result<Proposals, HistoryError> {
    let mut found = Proposals::default();
    expired(input, &mut found)?;
    let calibrated = calibration_day(input);
    let spec = input.previous.spec();
    let rest = label_days(spec).max(WINDOW_DAYS);
    if input.as_of.since(calibrated) < rest {
        found.notes.push(format!(
            "the thresholds were calibrated as of {calibrated}; from {} on the log says whether they still fit",
            calibrated.plus(rest)
        ));
        return Ok(found);
    }
    let active = active_days(input)?;
    by_cycle(input, calibrated, &active, &mut found)?;
    by_shock(input, &mut found)?;
    Ok(found)
}

/// Days of the longest label window of a bundle.
fn label_days(spec: &BundleSpec) -> i32 {
    let longest = spec.schema.horizon_days.last().copied().unwrap_or_default();
    i32::from(longest) + spec.lead_days as i32
}

/// The day as of which thresholds were last calibrated: the fit of the model, or the last proposal that was accepted.
fn calibration_day(input: &ProposalInput<'_>) -> Day {
    let fitted = input.previous.spec().training.as_of;
    let accepted = input.accepted.iter().map(|accepted| accepted.as_of);
    accepted.fold(fitted, Day::max)
}

/// Earlier changes whose time is over and which are still in force.
fn expired(input: &ProposalInput<'_>, found: &mut Proposals) -> Result<(), HistoryError> {
    for accepted in input.accepted {
        let Some(expires) = accepted.expires.filter(|day| *day <= input.as_of) else {
            continue;
        };
        let in_force = accepted
            .changes
            .iter()
            .filter(|change| current(&input.config.lifecycle, &change.setting) == Some(change.new));
        let changes: Vec<Change> = in_force
            .map(|change| Change {
                setting: change.setting.clone(),
                old: change.new,
                new: change.old,
            })
            .collect();
        let reason = format!(
            "the change of {} was to last until {expires}",
            accepted.as_of
        );
        push(input, found, (Trigger::Expiry, reason), changes, None, None)?;
    }
    Ok(())
}

/// The value of a threshold that proposals change.
fn current(thresholds: &Thresholds, setting: &str) -> Option<u32> {
    match setting {
        "lifecycle.exploration_from_days" => Some(thresholds.exploration_from_days),
        "lifecycle.acquisition_days" => Some(thresholds.acquisition_days),
        "lifecycle.exploration_days" => Some(thresholds.exploration_days),
        _ => None,
    }
}

/// Thresholds with changes.
fn changed(thresholds: &Thresholds, changes: &[Change]) -> Thresholds {
    let mut changed = thresholds.clone();
    for change in changes {
        match change.setting.as_str() {
            "lifecycle.exploration_from_days" => changed.exploration_from_days = change.new,
            "lifecycle.acquisition_days" => changed.acquisition_days = change.new,
            "lifecycle.exploration_days" => changed.exploration_days = change.new,
            _ => {}
        }
    }
    changed
}

fn by_cycle(
    input: &ProposalInput<'_>,
    calibrated: Day,
    active: &[Vec<i32>],
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
    let change = match compare_cycles(active, windows, LEAST_USERS) {
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
        low: change.low,
        high: change.high,
        p: Some(change.p),
        window: newest(input.as_of, WINDOW_DAYS),
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

fn by_shock(input: &ProposalInput<'_>, found: &mut Proposals) -> Result<(), HistoryError> {
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
        low: estimate / shock.band,
        high: estimate * shock.band,
        p: None,
        window: newest(input.as_of, 14),
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

/// The days before a day.
fn newest(as_of: Day, days: i32) -> Stretch {
    Stretch {
        from: as_of.plus(-days),
        until: as_of,
    }
}

/// Why the newest `days` cannot be looked at.
fn not_covered(input: &ProposalInput<'_>, days: i32) -> Option<String> {
    let needed = newest(input.as_of, days);
    let covered = input.coverage;
    if needed.from < covered.span.from {
        return Some(format!(
            "the log begins on {}, and the same weeks of the year before begin on {}",
            covered.span.from, needed.from
        ));
    }
    if needed.until > covered.labels_until {
        return Some(format!(
            "the log covers the days before {}, which is before the as-of day {}",
            covered.labels_until, input.as_of
        ));
    }
    let hole = covered
        .holes
        .iter()
        .find(|hole| hole.days.overlaps(needed))?;
    Some(format!(
        "nothing was observed from {} to {}",
        hole.days.from,
        hole.days.until.plus(-1)
    ))
}

/// Those settings whose value changes.
fn differing<const N: usize>(changes: [(&str, u32, u32); N]) -> Vec<Change> {
    let differing = changes.into_iter().filter(|(_, old, new)| old != new);
    differing
        .map(|(setting, old, new)| Change {
            setting: setting.to_owned(),
            old,
            new,
        })
        .collect()
}

/// Adds a proposal, or a note where it would change nothing.
fn push(
    input: &ProposalInput<'_>,
    found: &mut Proposals,
    (trigger, reason): (Trigger, String),
    changes: Vec<Change>,
    evidence: Option<Evidence>,
    expires: Option<Day>,
) -> Result<(), HistoryError> {
    if changes.is_empty() {
        if trigger != Trigger::Expiry {
            found
                .notes
                .push(format!("{reason}; in whole weeks, no threshold changes"));
        }
        return Ok(());
    }
    let thresholds = changed(&input.config.lifecycle, &changes);
    found.proposals.push(Proposal {
        ebb_version: env!("CARGO_PKG_VERSION").to_owned(),
        as_of: input.as_of,
        config_hash: input.config.hash.clone(),
        model: input.previous.version().to_owned(),
        trigger,
        reason,
        changes,
        evidence,
        expires,
        users_moved: moves::users_moved(input, &thresholds)?,
    });
    Ok(())
}

impl ProposalInput<'_> {
    /// Who is asked about, and which kinds are activity.
    fn eligibility(&self) -> Eligibility {
        let question = Question::from(&self.config.churn);
        Eligibility::new(self.histories.kinds(), &question)
    }
}

/// The active days before the as-of day, ascending, of at most [`MOST_USERS`] users.
fn active_days(input: &ProposalInput<'_>) -> Result<Vec<Vec<i32>>, HistoryError> {
    let eligibility = input.eligibility();
    input.histories.evenly(MOST_USERS, |history| {
        days_of(history, input.as_of, &eligibility).collect()
    })
}

/// The days before `as_of` with an activity, each once.
fn days_of<'h>(
    history: HistoryView<'h>,
    as_of: Day,
    eligibility: &'h Eligibility,
) -> impl Iterator<Item = i32> + 'h {
    let records = history.before(as_of).records();
    records
        .chunk_by(|a, b| a.day == b.day)
        .filter(|day| {
            day.iter()
                .any(|record| eligibility.is_activity(record.kind))
        })
        .filter_map(|day| Some(day.first()?.day.number()))
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
