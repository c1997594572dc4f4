//! Which users are eligible at a date: one rule for training and for scoring.

use serde::{Deserialize, Serialize};

use crate::history::{Day, HistoryView};

/// Why a user is not eligible at a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotEligible {
    /// Nothing happened before the date.
    NotYetSeen,
    /// Something happened before the date, but never an activity.
    NoActivity,
    /// The last activity is longer ago than users count as active.
    Inactive,
    /// The churn event happened and no activity since, however long ago.
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

/// The rule, for histories whose kinds are numbered by one table.
#[derive(Clone, Debug)]
pub struct Eligibility {
    activity: Vec<bool>,
    churn_kind: Option<u16>,
    active_within_days: u32,
}

impl Eligibility {
    /// The rule for histories whose records refer to `kinds`: `activity` are the kinds that count as staying,
    /// `churn_event` the one that is churn.
    pub fn new(
        kinds: &[String],
        activity: &[String],
        churn_event: Option<&str>,
        active_within_days: u32,
    ) -> Self {
        let position = |name| {
            kinds
                .iter()
                .position(|kind| kind == name)
                .map(|position| position as u16)
        };
        Self {
            activity: kinds.iter().map(|kind| activity.contains(kind)).collect(),
            churn_kind: churn_event.and_then(position),
            active_within_days,
        }
    }

    /// Whether a user is eligible at `date`: active in `[date - active_within_days, date)` and not gone. A churn event
    /// that no activity followed says more than the silence behind it, so it comes first.
    ///
    /// # Errors
    /// [`NotEligible`] with the reason.
    pub fn at(&self, history: HistoryView<'_>, date: Day) -> Result<(), NotEligible> {
        let seen = history.before(date).records();
        if seen.is_empty() {
            return Err(NotEligible::NotYetSeen);
        }
        let newest_first = seen.iter().rev();
        let last = newest_first
            .clone()
            .find(|r| self.is_activity(r.kind))
            .ok_or(NotEligible::NoActivity)?
            .day;
        let end = self
            .churn_kind
            .and_then(|kind| newest_first.clone().find(|r| r.kind == kind));
        if end.is_some_and(|end| end.day >= last) {
            return Err(NotEligible::AlreadyChurned);
        }
        let recency_days = f64::from(date.since(last));
        if is_inactive(recency_days, self.active_within_days) {
            Err(NotEligible::Inactive)
        } else {
            Ok(())
        }
    }

    /// Whether events of the kind with this number count as staying.
    pub fn is_activity(&self, kind: u16) -> bool {
        self.activity
            .get(usize::from(kind))
            .copied()
            .unwrap_or(false)
    }

    /// The number of the kind that is churn; `None` when churn is silence.
    pub fn churn_kind(&self) -> Option<u16> {
        self.churn_kind
    }
}

/// Whether the last activity is too long ago for a user to be eligible.
pub fn is_inactive(recency_days: f64, active_within_days: u32) -> bool {
    recency_days > f64::from(active_within_days)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Amount, DayRecord, History};

    const CANCEL: u16 = 0;
    const PURCHASE: u16 = 1;
    const VISIT: u16 = 2;

    fn eligible(
        churn_event: Option<&str>,
        rows: &[(i32, u16)],
        date: i32,
    ) -> Result<(), NotEligible> {
        let kinds = ["cancel", "purchase", "visit"].map(str::to_owned);
        let day = |number| Day::new(number).unwrap();
        let record = |&(d, kind): &(i32, u16)| DayRecord {
            amount: Amount::default(),
            day: day(d),
            count: 1,
            kind,
        };
        let history = History::new(rows.iter().map(record).collect()).unwrap();
        Eligibility::new(&kinds, &["purchase".into()], churn_event, 30)
            .at(history.view(), day(date))
    }

    #[test]
    fn activity_within_the_window_is_eligible() {
        assert_eq!(eligible(None, &[(70, PURCHASE)], 100), Ok(()));
        assert_eq!(
            eligible(None, &[(69, PURCHASE)], 100),
            Err(NotEligible::Inactive)
        );
        assert_eq!(
            eligible(None, &[(100, PURCHASE)], 100),
            Err(NotEligible::NotYetSeen),
            "exactly at the date"
        );
        assert_eq!(
            eligible(None, &[(99, VISIT)], 100),
            Err(NotEligible::NoActivity),
            "only what is no activity"
        );
        assert_eq!(eligible(None, &[], 100), Err(NotEligible::NotYetSeen));
    }

    #[test]
    fn a_churn_event_counts_however_old_until_the_user_returns() {
        let cancels = Some("cancel");
        assert_eq!(
            eligible(cancels, &[(90, PURCHASE), (95, CANCEL)], 100),
            Err(NotEligible::AlreadyChurned)
        );
        assert_eq!(
            eligible(cancels, &[(90, PURCHASE), (95, CANCEL)], 1_000),
            Err(NotEligible::AlreadyChurned)
        );
        assert_eq!(
            eligible(cancels, &[(95, PURCHASE), (95, CANCEL)], 100),
            Err(NotEligible::AlreadyChurned),
            "one day"
        );
        assert_eq!(
            eligible(
                cancels,
                &[(90, PURCHASE), (95, CANCEL), (97, PURCHASE)],
                100
            ),
            Ok(())
        );
        assert_eq!(
            eligible(
                cancels,
                &[(90, PURCHASE), (95, CANCEL), (97, PURCHASE)],
                200
            ),
            Err(NotEligible::Inactive)
        );
        assert_eq!(
            eligible(cancels, &[(95, CANCEL)], 100),
            Err(NotEligible::NoActivity)
        );
        // The negative control: where churn is silence the same event means nothing.
        assert_eq!(eligible(None, &[(90, PURCHASE), (95, CANCEL)], 100), Ok(()));
    }

    #[test]
    fn names_are_those_in_files() {
        for reason in [
            NotEligible::NotYetSeen,
            NotEligible::NoActivity,
            NotEligible::Inactive,
            NotEligible::AlreadyChurned,
        ] {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.name());
        }
    }
}
