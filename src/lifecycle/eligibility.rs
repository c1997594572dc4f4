//! Which users are eligible at a date: one rule for training and for scoring.

use serde::{Deserialize, Serialize};

use super::Question;
use crate::history::{Day, DayRecord, HistoryView};

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
    /// The user converted before, or too short a time ago to be asked again.
    AlreadyConverted,
}

impl NotEligible {
    /// The reason's name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotYetSeen => "not_yet_seen",
            Self::NoActivity => "no_activity",
            Self::Inactive => "inactive",
            Self::AlreadyChurned => "already_churned",
            Self::AlreadyConverted => "already_converted",
        }
    }
}

/// The rule, for histories whose kinds are numbered by one table.
#[derive(Clone, Debug)]
pub struct Eligibility {
    activity: Vec<bool>,
    event: Event,
    active_within_days: u32,
}

/// The event that is predicted.
#[derive(Clone, Debug)]
enum Event {
    /// Silence.
    None,
    /// Events of one of these kinds are churn.
    Churn(Vec<bool>),
    /// Events of these kinds are conversion, which may come again with `repeat`.
    Conversion { kinds: Vec<bool>, repeat: bool },
}

impl Eligibility {
    /// The rule of a question for histories whose records refer to `kinds`.
    pub fn new(kinds: &[String], question: &Question) -> Self {
        let among = |names: &[String]| kinds.iter().map(|kind| names.contains(kind)).collect();
        let event = match question {
            // An event that these histories do not know tells nobody apart: silence does.
            Question::Churn { churn_event, .. } => match churn_event {
                Some(name) if kinds.contains(name) => {
                    Event::Churn(among(std::slice::from_ref(name)))
                }
                _ => Event::None,
            },
            Question::Conversion { events, repeat, .. } => Event::Conversion {
                kinds: among(events),
                repeat: *repeat,
            },
        };
        Self {
            activity: among(question.activity()),
            event,
            active_within_days: question.active_within_days(),
        }
    }

    /// Whether a user is eligible at `date`: active in `[date - active_within_days, date)` and not gone, or not converted. An
    /// event says more than the silence behind it, so it comes first.
    ///
    /// # Errors
    /// [`NotEligible`] with the reason.
    pub fn at(&self, history: HistoryView<'_>, date: Day) -> Result<(), NotEligible> {
        let seen = history.before(date).records();
        if seen.is_empty() {
            return Err(NotEligible::NotYetSeen);
        }
        let newest_first = seen.iter().rev();
        if let Event::Conversion { kinds, repeat } = &self.event {
            let last = newest_first.clone().find(|r| is_among(kinds, r.kind));
            let too_early = |r: &DayRecord| {
                !*repeat || !is_inactive(f64::from(date.since(r.day)), self.active_within_days)
            };
            if last.is_some_and(too_early) {
                return Err(NotEligible::AlreadyConverted);
            }
        }
        let last = newest_first
            .clone()
            .find(|r| self.is_activity(r.kind))
            .ok_or(NotEligible::NoActivity)?
            .day;
        if let Event::Churn(kinds) = &self.event {
            let end = newest_first.clone().find(|r| is_among(kinds, r.kind));
            if end.is_some_and(|end| end.day >= last) {
                return Err(NotEligible::AlreadyChurned);
            }
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
        is_among(&self.activity, kind)
    }

    /// Whether the question is about events of the kind with this number.
    pub fn is_event(&self, kind: u16) -> bool {
        match &self.event {
            Event::None => false,
            Event::Churn(kinds) | Event::Conversion { kinds, .. } => is_among(kinds, kind),
        }
    }

    /// Whether silence is predicted, and no event.
    pub fn is_silence(&self) -> bool {
        matches!(self.event, Event::None)
    }

    /// What is predicted, of the records of a label window: whether there is an event of the question's kinds, or no activity
    /// where silence is asked about.
    pub fn happened(&self, window: &[DayRecord]) -> bool {
        match &self.event {
            Event::None => !window.iter().any(|r| self.is_activity(r.kind)),
            Event::Churn(kinds) | Event::Conversion { kinds, .. } => {
                window.iter().any(|r| is_among(kinds, r.kind))
            }
        }
    }
}

fn is_among(kinds: &[bool], kind: u16) -> bool {
    kinds.get(usize::from(kind)).copied().unwrap_or(false)
}

/// Whether the last activity is too long ago for a user to be eligible.
pub fn is_inactive(recency_days: f64, active_within_days: u32) -> bool {
    recency_days > f64::from(active_within_days)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Amount, History};

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
        let question = Question::Churn {
            activity: vec!["purchase".into()],
            churn_event: churn_event.map(str::to_owned),
            active_within_days: 30,
        };
        Eligibility::new(&kinds, &question).at(history.view(), day(date))
    }

    /// Whether a visitor is asked about at day 100, whether a purchase follows.
    fn potential(repeat: bool, rows: &[(i32, u16)]) -> Result<(), NotEligible> {
        let kinds = ["cancel", "purchase", "visit"].map(str::to_owned);
        let record = |&(d, kind): &(i32, u16)| DayRecord {
            amount: Amount::default(),
            day: Day::new(d).unwrap(),
            count: 1,
            kind,
        };
        let history = History::new(rows.iter().map(record).collect()).unwrap();
        let signs = match repeat {
            true => vec!["visit".to_owned(), "purchase".to_owned()],
            false => vec!["visit".to_owned()],
        };
        let question = Question::Conversion {
            signs,
            events: vec!["purchase".into()],
            within_days: 30,
            repeat,
        };
        Eligibility::new(&kinds, &question).at(history.view(), Day::new(100).unwrap())
    }

    #[test]
    fn who_never_converted_is_a_potential_user() {
        assert_eq!(potential(false, &[(70, VISIT)]), Ok(()));
        assert_eq!(potential(false, &[(69, VISIT)]), Err(NotEligible::Inactive));
        assert_eq!(
            potential(false, &[(99, VISIT), (100, PURCHASE)]),
            Ok(()),
            "the future is not known"
        );
        assert_eq!(
            potential(false, &[(1, PURCHASE), (99, VISIT)]),
            Err(NotEligible::AlreadyConverted),
            "however long ago"
        );
        assert_eq!(
            potential(false, &[(99, CANCEL)]),
            Err(NotEligible::NoActivity)
        );
        assert_eq!(
            potential(false, &[(100, VISIT)]),
            Err(NotEligible::NotYetSeen)
        );
    }

    #[test]
    fn silence_is_no_conversion() {
        let question = Question::Conversion {
            signs: vec!["visit".into()],
            events: vec!["purchase".into()],
            within_days: 30,
            repeat: false,
        };
        let visit = |day, kind| DayRecord {
            amount: Amount::default(),
            day: Day::new(day).unwrap(),
            count: 1,
            kind,
        };
        let asked = |kinds: &[&str]| {
            let kinds: Vec<String> = kinds.iter().map(|&kind| kind.to_owned()).collect();
            let rule = Eligibility::new(&kinds, &question);
            let history = History::new(vec![visit(99, 0), visit(105, 0)]).unwrap();
            let window = history
                .view()
                .between(Day::new(100).unwrap(), Day::new(130).unwrap());
            let eligible = rule.at(history.view(), Day::new(100).unwrap());
            (eligible, rule.is_silence(), rule.happened(window.records()))
        };
        // Whether others buy or the event is in no history at all.
        for kinds in [&["visit", "purchase"][..], &["visit"]] {
            assert_eq!(asked(kinds), (Ok(()), false, false), "{kinds:?}");
        }
        // The negative control: of churn an unknown event makes silence the question.
        let churn = Question::Churn {
            activity: vec!["visit".into()],
            churn_event: Some("purchase".into()),
            active_within_days: 30,
        };
        assert!(Eligibility::new(&["visit".to_owned()], &churn).is_silence());
    }

    #[test]
    fn with_repeat_a_conversion_long_ago_counts_no_more() {
        assert_eq!(potential(true, &[(69, PURCHASE), (99, VISIT)]), Ok(()));
        assert_eq!(
            potential(true, &[(70, PURCHASE), (99, VISIT)]),
            Err(NotEligible::AlreadyConverted)
        );
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
            NotEligible::AlreadyConverted,
        ] {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.name());
        }
    }
}
