//! Changes of the lifecycle's thresholds that a log speaks for, to be accepted by a person: the thresholds themselves never
//! change by themselves.
//!
//! [`propose()`] looks for a changed [`cycle`], for a [`shock`], for revenue that stops growing ([`arpu`]), for users who are
//! others since a [`release`], and for earlier changes whose time is over; [`accept::edited`] puts a proposal into the
//! configuration, and [`calibration`] keeps the record of it. `triggers` has what each of them reads of a log.

pub mod accept;
pub mod arpu;
pub mod calibration;
pub mod cycle;
mod moves;
pub mod proposal;
pub mod release;
pub mod shock;
mod triggers;

pub use proposal::{Change, Evidence, FeatureShift, Proposal, SettingValue, Trigger};

use crate::history::{Coverage, Day, Histories, HistoryError, HistoryView, Stretch};
use crate::lifecycle::{Eligibility, Question, Thresholds};
use crate::model::{Bundle, BundleSpec};
use crate::train::settings::TrainConfig;
use calibration::Accepted;
use cycle::WINDOW_DAYS;
use proposal::UsersMoved;

/// Users who are looked at one by one; with more, an even part of them is.
const MOST_USERS: usize = 20_000;

/// The fewest active users from which anything is said.
const LEAST_USERS: u64 = 100;

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
    /// The kinds of events whose amounts are revenue, as the indicators have them.
    pub order_kinds: &'a [String],
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

/// Why a log cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum ProposeError {
    /// Histories that could not be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// A release after the log.
    #[error(
        "releases.day is {day}, and the log is looked at as of {as_of}: no day after a release is known; correct the day in \
         [[releases]], leave it out until then, or read a longer log"
    )]
    ReleaseAhead {
        /// The day of the release.
        day: Day,
        /// The day as of which the log is looked at.
        as_of: Day,
    },
}

/// Looks for changes of the business that thresholds should follow.
///
/// # Errors
/// [`ProposeError`] where the log cannot be read, or a release lies after it.
pub fn propose(input: &ProposalInput<'_>) -> Result<Proposals, ProposeError> {
    let future = input.config.releases.iter().find(|r| r.day >= input.as_of);
    if let Some(release) = future {
        return Err(ProposeError::ReleaseAhead {
            day: release.day,
            as_of: input.as_of,
        });
    }
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
    triggers::cycle::look(input, calibrated, &mut found)?;
    triggers::shock::look(input, &mut found)?;
    triggers::arpu::look(input, &mut found)?;
    triggers::release::look(input, &mut found)?;
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
        let mut now = input.config.lifecycle.clone();
        let in_force = accepted.changes.iter().filter(|change| {
            let now = threshold(&mut now, &change.setting);
            now.map(|days| SettingValue::Days(*days)) == Some(change.new)
        });
        let undone = |change: &Change| {
            Some(Change {
                setting: change.setting.clone(),
                old: Some(change.new),
                new: change.old?,
            })
        };
        let changes: Vec<Change> = in_force.filter_map(undone).collect();
        let reason = format!(
            "the change of {} was to last until {expires}",
            accepted.as_of
        );
        push(input, found, (Trigger::Expiry, reason), changes, None, None)?;
    }
    Ok(())
}

/// A threshold that proposals change, by its setting.
fn threshold<'t>(thresholds: &'t mut Thresholds, setting: &str) -> Option<&'t mut u32> {
    match setting {
        "lifecycle.exploration_from_days" => Some(&mut thresholds.exploration_from_days),
        "lifecycle.acquisition_days" => Some(&mut thresholds.acquisition_days),
        "lifecycle.exploration_days" => Some(&mut thresholds.exploration_days),
        "lifecycle.mature_review_days" => Some(&mut thresholds.mature_review_days),
        _ => None,
    }
}

/// Thresholds with changes.
fn changed(thresholds: &Thresholds, changes: &[Change]) -> Thresholds {
    let mut changed = thresholds.clone();
    for change in changes {
        if let (SettingValue::Days(new), Some(days)) =
            (change.new, threshold(&mut changed, &change.setting))
        {
            *days = new;
        }
    }
    changed
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
    observed_throughout(input, needed)
}

/// Why days cannot be looked at that have a hole.
fn observed_throughout(input: &ProposalInput<'_>, needed: Stretch) -> Option<String> {
    let mut holes = input.coverage.holes.iter();
    let hole = holes.find(|hole| hole.days.overlaps(needed))?;
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
            old: Some(SettingValue::Days(old)),
            new: SettingValue::Days(new),
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
    let users_moved = if thresholds == input.config.lifecycle {
        UsersMoved::new()
    } else {
        moves::users_moved(input, &thresholds)?
    };
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
        users_moved,
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
