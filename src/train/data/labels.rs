//! Who is asked about at a date, and what became of them.

use super::snapshots::{Observed, label_window};
use crate::card::LabelDefinition;
use crate::history::{Day, HistoryView, Stretch};
use crate::lifecycle::{Eligibility, NotEligible, Question};
use crate::train::settings::ChurnConfig;

impl From<&ChurnConfig> for LabelDefinition {
    fn from(config: &ChurnConfig) -> Self {
        let ChurnConfig {
            activity,
            horizon_days,
            active_within_days,
            lead_days,
            churn_event,
        } = config.clone();
        Self {
            activity,
            horizon_days,
            active_within_days,
            lead_days,
            churn_event,
        }
    }
}

/// Why a pair of a user and a date has no label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoLabel {
    /// The user is not asked about.
    NotEligible(NotEligible),
    /// Not every day of the label window was observed.
    NotObserved,
}

impl NoLabel {
    /// The reason's name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotEligible(reason) => reason.name(),
            Self::NotObserved => "label_not_observed",
        }
    }
}

/// Decides who is asked about and what became of them. All windows are half-open ranges of days.
#[derive(Clone, Debug)]
pub struct Labeller {
    eligibility: Eligibility,
    lead_days: u32,
    observed: Observed,
}

impl Labeller {
    /// A labeller for histories whose records refer to `kinds`.
    pub fn new(config: &ChurnConfig, kinds: &[String], observed: Observed) -> Self {
        Self::asking(&Question::from(config), config.lead_days, kinds, observed)
    }

    /// The same of any question, whose windows begin `lead_days` after a date.
    pub fn asking(
        question: &Question,
        lead_days: u32,
        kinds: &[String],
        observed: Observed,
    ) -> Self {
        Self {
            eligibility: Eligibility::new(kinds, question),
            lead_days,
            observed,
        }
    }

    /// Whether a user that is asked about at `date` churned; see [`Self::churned`].
    ///
    /// # Errors
    /// [`NoLabel`] says why there is no label.
    pub fn label(
        &self,
        history: HistoryView<'_>,
        date: Day,
        horizon_days: u16,
    ) -> Result<bool, NoLabel> {
        self.eligible(history, date).map_err(NoLabel::NotEligible)?;
        self.churned(history, date, horizon_days)
            .ok_or(NoLabel::NotObserved)
    }

    /// Whether a user is asked about at `date`: see [`Eligibility::at`].
    pub fn eligible(&self, history: HistoryView<'_>, date: Day) -> Result<(), NotEligible> {
        self.eligibility.at(history, date)
    }

    /// Whether a user churned within `[date + lead, date + lead + horizon)`: silence there, or the churn event. Of potential
    /// users, whether they converted there.
    /// `None` unless the whole window was observed.
    pub fn churned(&self, history: HistoryView<'_>, date: Day, horizon_days: u16) -> Option<bool> {
        let window = self.observed_window(date, horizon_days)?;
        let window = history.between(window.from, window.until).records();
        Some(self.eligibility.happened(window))
    }

    /// The days `[date + lead, date + lead + horizon)`; `None` unless all of them were observed.
    pub(crate) fn observed_window(&self, date: Day, horizon_days: u16) -> Option<Stretch> {
        let window = label_window(date, self.lead_days, horizon_days);
        self.observed.covers(window).then_some(window)
    }

    /// The days before `date` on which the user was active, oldest first; a day may come more than once.
    pub fn active_days<'a>(
        &'a self,
        history: HistoryView<'a>,
        date: Day,
    ) -> impl Iterator<Item = Day> + 'a {
        history
            .before(date)
            .records()
            .iter()
            .filter(|r| self.is_activity(r.kind))
            .map(|r| r.day)
    }

    /// Whether events of the kind with this number count as staying.
    pub fn is_activity(&self, kind: u16) -> bool {
        self.eligibility.is_activity(kind)
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
        let record = |&(d, kind): &(i32, u16)| DayRecord {
            amount: Amount::default(),
            day: day(d),
            count: 1,
            kind,
        };
        History::new(rows.iter().map(record).collect()).unwrap()
    }

    fn labeller(config: &ChurnConfig) -> Labeller {
        let observed = Observed {
            first: day(0),
            until: day(120),
            holes: vec![Stretch {
                from: day(60),
                until: day(65),
            }],
        };
        Labeller::new(
            config,
            &["cancel".into(), "purchase".into(), "visit".into()],
            observed,
        )
    }

    #[test]
    fn the_window_is_half_open_at_both_ends() {
        let label = |d| {
            labeller(&config())
                .churned(history(&[(d, 1)]).view(), day(100), 10)
                .unwrap()
        };
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
        // The negative control: even an event seen inside the observed part makes no label, or retained users would
        // be labelled more often than leavers.
        assert_eq!(
            labels.churned(history(&[(90, 1), (112, 1)]).view(), day(111), 10),
            None
        );
    }

    #[test]
    fn a_window_that_overlaps_a_hole_has_no_label() {
        let labels = labeller(&config());
        let quiet = history(&[(40, 1)]);
        let label = |date| labels.churned(quiet.view(), day(date), 10);
        assert_eq!(
            (label(50), label(51)),
            (Some(true), None),
            "the hole begins on day 60"
        );
        assert_eq!(
            (label(64), label(65)),
            (None, Some(true)),
            "and ends before day 65"
        );
        // A user seen in the part that was observed has no label either, or retained users would be labelled more often.
        assert_eq!(
            labels.churned(history(&[(40, 1), (66, 1)]).view(), day(58), 10),
            None
        );
    }

    #[test]
    fn the_lead_moves_the_window() {
        let lead = ChurnConfig {
            lead_days: 5,
            ..config()
        };
        let label = |d| labeller(&lead).churned(history(&[(d, 1)]).view(), day(100), 10);
        assert_eq!(
            (label(104), label(105), label(114), label(115)),
            (Some(true), Some(false), Some(false), Some(true))
        );
        assert_eq!(
            labeller(&lead).churned(history(&[(90, 1)]).view(), day(106), 10),
            None
        );
    }

    #[test]
    fn a_churn_event_is_churn() {
        let config = ChurnConfig {
            churn_event: Some("cancel".into()),
            ..config()
        };
        let labels = labeller(&config);
        assert_eq!(
            labels.churned(history(&[(90, 1)]).view(), day(100), 10),
            Some(false),
            "silence alone is not churn"
        );
        assert_eq!(
            labels.churned(history(&[(90, 1), (103, 0)]).view(), day(100), 10),
            Some(true)
        );
    }
}
