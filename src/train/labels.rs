//! Who is asked about at a date, and what became of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::schedule::Observed;
use crate::history::{Day, HistoryView, Stretch};

/// The churn question: the `[churn]` table of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChurnConfig {
    /// The kinds of events that count as staying.
    pub activity: Vec<String>,
    /// The horizons in days; sorted and without repeats once checked.
    pub horizon_days: Vec<u16>,
    /// Users with activity in this many days before a date are asked about at that date.
    pub active_within_days: u32,
    /// Days between a date and the start of its horizon.
    #[serde(default)]
    pub lead_days: u32,
    /// The kind of event that is churn; without it churn is silence.
    #[serde(default)]
    pub churn_event: Option<String>,
}

/// Why a user is not asked about at a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotEligible {
    /// Nothing happened before the date.
    NotYetSeen,
    /// Something happened before the date, but never an activity.
    NoActivity,
    /// The last activity is longer ago than `active_within_days`.
    Inactive,
    /// The churn event happened and no activity since.
    AlreadyChurned,
}

impl NotEligible {
    /// The reason's name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotYetSeen => "not_yet_seen",
            Self::NoActivity => "no_activity",
            Self::Inactive => "inactive",
            Self::AlreadyChurned => "already_churned",
        }
    }
}

/// How many (user, date) pairs were dropped, by the reason's name.
pub type DropCounts = BTreeMap<String, u64>;

/// Decides who is asked about and what became of them. All windows are half-open ranges of days.
#[derive(Clone, Debug)]
pub struct Labeller {
    activity: Vec<bool>,
    churn_kind: Option<u16>,
    active_within_days: i32,
    lead_days: i32,
    observed: Observed,
}

impl Labeller {
    /// A labeller for histories whose records refer to `kinds`.
    pub fn new(config: &ChurnConfig, kinds: &[String], observed: Observed) -> Self {
        let churn = config.churn_event.as_ref();
        Self {
            activity: kinds.iter().map(|k| config.activity.contains(k)).collect(),
            churn_kind: churn.and_then(|name| kinds.iter().position(|k| k == name)).map(|p| p as u16),
            active_within_days: config.active_within_days as i32,
            lead_days: config.lead_days as i32,
            observed,
        }
    }

    /// Whether a user is asked about at `date`: active in `[date - active_within_days, date)` and not gone.
    pub fn eligible(&self, history: HistoryView<'_>, date: Day) -> Result<(), NotEligible> {
        let seen = history.before(date).records();
        if seen.is_empty() {
            return Err(NotEligible::NotYetSeen);
        }
        let last = seen.iter().rev().find(|r| self.is_activity(r.kind)).ok_or(NotEligible::NoActivity)?;
        if date.since(last.day) > self.active_within_days {
            return Err(NotEligible::Inactive);
        }
        let gone = seen.iter().rev().find(|r| Some(r.kind) == self.churn_kind).is_some_and(|r| r.day >= last.day);
        if gone { Err(NotEligible::AlreadyChurned) } else { Ok(()) }
    }

    /// Whether a user churned within `[date + lead, date + lead + horizon)`: silence there, or the churn event.
    /// `None` unless the whole window was observed.
    pub fn churned(&self, history: HistoryView<'_>, date: Day, horizon_days: u16) -> Option<bool> {
        let from = date.plus(self.lead_days);
        let until = from.plus(i32::from(horizon_days));
        if !self.observed.covers(Stretch { from, until }) {
            return None;
        }
        let window = history.between(from, until).records();
        Some(match self.churn_kind {
            Some(kind) => window.iter().any(|r| r.kind == kind),
            None => !window.iter().any(|r| self.is_activity(r.kind)),
        })
    }

    /// The days before `date` on which the user was active, oldest first; a day may come more than once.
    pub fn active_days<'a>(&'a self, history: HistoryView<'a>, date: Day) -> impl Iterator<Item = Day> + 'a {
        history.before(date).records().iter().filter(|r| self.is_activity(r.kind)).map(|r| r.day)
    }

    /// Whether events of the kind with this number count as staying.
    pub fn is_activity(&self, kind: u16) -> bool {
        self.activity.get(usize::from(kind)).copied().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Amount, DayRecord, History};

    fn config() -> ChurnConfig {
        ChurnConfig {
            activity: vec!["purchase".into()],
            horizon_days: vec![10],
            active_within_days: 30,
            lead_days: 0,
            churn_event: None,
        }
    }

    fn day(number: i32) -> Day {
        Day::new(number).unwrap()
    }

    fn history(rows: &[(i32, u16)]) -> History {
        let record = |&(d, kind): &(i32, u16)| DayRecord { amount: Amount::default(), day: day(d), count: 1, kind };
        History::new(rows.iter().map(record).collect()).unwrap()
    }

    fn labeller(config: &ChurnConfig) -> Labeller {
        let observed =
            Observed { first: day(0), until: day(120), holes: vec![Stretch { from: day(60), until: day(65) }] };
        Labeller::new(config, &["cancel".into(), "purchase".into(), "visit".into()], observed)
    }

    #[test]
    fn the_window_is_half_open_at_both_ends() {
        let label = |d| labeller(&config()).churned(history(&[(d, 1)]).view(), day(100), 10).unwrap();
        assert!(label(99), "the day before the date belongs to the past");
        assert!(!label(100), "an event exactly at the date is the future");
        assert!(!label(109));
        assert!(label(110), "the first day after the window");
    }

    #[test]
    fn a_half_observed_window_has_no_label() {
        let labels = labeller(&config());
        let quiet = history(&[(90, 1)]);
        assert_eq!(labels.churned(quiet.view(), day(110), 10), Some(true));
        assert_eq!(labels.churned(quiet.view(), day(111), 10), None);
        // The negative control: even an event seen inside the observed part makes no label, or stayers would
        // be labelled more often than leavers.
        assert_eq!(labels.churned(history(&[(90, 1), (112, 1)]).view(), day(111), 10), None);
    }

    #[test]
    fn a_window_that_overlaps_a_hole_has_no_label() {
        let labels = labeller(&config());
        let quiet = history(&[(40, 1)]);
        let label = |date| labels.churned(quiet.view(), day(date), 10);
        assert_eq!((label(50), label(51)), (Some(true), None), "the hole begins on day 60");
        assert_eq!((label(64), label(65)), (None, Some(true)), "and ends before day 65");
        // Whoever was seen in the part that was observed makes no label either, or stayers would be labelled more often.
        assert_eq!(labels.churned(history(&[(40, 1), (66, 1)]).view(), day(58), 10), None);
    }

    #[test]
    fn the_lead_moves_the_window() {
        let lead = ChurnConfig { lead_days: 5, ..config() };
        let label = |d| labeller(&lead).churned(history(&[(d, 1)]).view(), day(100), 10);
        assert_eq!(
            (label(104), label(105), label(114), label(115)),
            (Some(true), Some(false), Some(false), Some(true))
        );
        assert_eq!(labeller(&lead).churned(history(&[(90, 1)]).view(), day(106), 10), None);
    }

    #[test]
    fn who_is_asked_about() {
        let labels = labeller(&config());
        let ask = |rows: &[(i32, u16)]| labels.eligible(history(rows).view(), day(100));
        assert_eq!(ask(&[(70, 1)]), Ok(()));
        assert_eq!(ask(&[(69, 1)]), Err(NotEligible::Inactive));
        assert_eq!(ask(&[(100, 1)]), Err(NotEligible::NotYetSeen), "the first event is exactly at the date");
        assert_eq!(ask(&[(99, 2)]), Err(NotEligible::NoActivity), "seen only by kinds that are not activity");
    }

    #[test]
    fn a_churn_event_is_churn_and_ends_eligibility_until_the_user_returns() {
        let config = ChurnConfig { churn_event: Some("cancel".into()), ..config() };
        let labels = labeller(&config);
        assert_eq!(labels.churned(history(&[(90, 1)]).view(), day(100), 10), Some(false), "silence alone is not churn");
        assert_eq!(labels.churned(history(&[(90, 1), (103, 0)]).view(), day(100), 10), Some(true));
        assert_eq!(labels.eligible(history(&[(90, 1), (95, 0)]).view(), day(100)), Err(NotEligible::AlreadyChurned));
        assert_eq!(labels.eligible(history(&[(90, 1), (95, 0), (97, 1)]).view(), day(100)), Ok(()));
    }
}
