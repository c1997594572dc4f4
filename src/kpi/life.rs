//! What the indicators read of one user's history.

use crate::history::{Day, DayRecord, HistoryView};
use crate::lifecycle::{Behaviour, Eligibility, NEW, Thresholds, classify, state_outside};

/// What the numbers of kinds in histories mean.
#[derive(Clone, Debug)]
pub(crate) struct Kinds {
    pub(crate) eligibility: Eligibility,
    /// For each kind whether it is an order.
    pub(crate) is_order: Vec<bool>,
    /// The kind of answers to how likely a user is to recommend the product.
    pub(crate) nps: Option<u16>,
}

/// A user's history, laid out for the indicators. Its buffers are kept between users.
#[derive(Clone, Debug, Default)]
pub(crate) struct Life {
    /// The day of the first event of any kind.
    pub(crate) first: Option<Day>,
    /// Days with activity, oldest first.
    pub(crate) active: Vec<Day>,
    /// Days with an event of an order kind, with their net amount in micros.
    pub(crate) money: Vec<(Day, i128)>,
    /// Days with an order: an event of an order kind, and amounts that don't add up to less than 0.
    pub(crate) orders: Vec<Day>,
    /// Days with the churn event.
    pub(crate) churn_events: Vec<Day>,
    /// Days with an answer from 0 to 10, of several answers of a day their mean.
    pub(crate) answers: Vec<(Day, f64)>,
    /// Days with another answer.
    pub(crate) bad_answers: Vec<Day>,
}

impl Life {
    /// Reads a history.
    pub(crate) fn read(&mut self, history: HistoryView<'_>, kinds: &Kinds) {
        let records = history.records();
        self.first = records.first().map(|record| record.day);
        self.active.clear();
        self.money.clear();
        self.orders.clear();
        self.churn_events.clear();
        self.answers.clear();
        self.bad_answers.clear();
        for day in records.chunk_by(|a, b| a.day == b.day) {
            self.read_day(day, kinds);
        }
    }

    fn read_day(&mut self, records: &[DayRecord], kinds: &Kinds) {
        let Some(day) = records.first().map(|record| record.day) else {
            return;
        };
        if records
            .iter()
            .any(|r| kinds.eligibility.is_activity(r.kind))
        {
            self.active.push(day);
        }
        let is_order = |r: &&DayRecord| kinds.is_order.get(usize::from(r.kind)) == Some(&true);
        let mut money = records.iter().filter(is_order).peekable();
        if money.peek().is_some() {
            let net: i128 = money.map(|r| i128::from(r.amount.micros())).sum();
            self.money.push((day, net));
            if net >= 0 {
                self.orders.push(day);
            }
        }
        for record in records {
            if kinds.eligibility.is_event(record.kind) {
                self.churn_events.push(day);
            }
            if kinds.nps == Some(record.kind) {
                let answer = record.amount.value() / f64::from(record.count);
                if (0.0..=10.0).contains(&answer) {
                    self.answers.push((day, answer));
                } else {
                    self.bad_answers.push(day);
                }
            }
        }
    }

    /// Whether a user had been active before `day`, and not in the last `days` of that time or gone by the churn event.
    pub(crate) fn is_lapsed(&self, day: Day, days: u32) -> bool {
        let Some(last) = last_before(&self.active, day) else {
            return false;
        };
        let gone = last_before(&self.churn_events, day).is_some_and(|end| end >= last);
        gone || i64::from(day.since(last)) > i64::from(days)
    }

    /// Where a user stands at the start of a day; `history` is that which was read last.
    pub(crate) fn state(
        &self,
        history: HistoryView<'_>,
        day: Day,
        kinds: &Kinds,
        rules: &StageRules,
    ) -> &'static str {
        match kinds.eligibility.at(history, day) {
            Ok(()) => self.behaviour(day, rules).map_or(NEW, |behaviour| {
                classify(&behaviour, &rules.thresholds, rules.active_within_days)
                    .0
                    .name()
            }),
            Err(reason) => state_outside(reason),
        }
    }

    /// What the rules of stages read: the same numbers as the features of the same names.
    pub(crate) fn behaviour(&self, day: Day, rules: &StageRules) -> Option<Behaviour> {
        let active = before(&self.active, day);
        let (first, last) = (*active.first()?, *active.last()?);
        let days = active.len() as f64;
        let window = Day::plus(day, -i32::from(rules.window_days));
        let recent = active.len() - active.partition_point(|d| *d < window);
        Some(Behaviour {
            tenure_days: f64::from(day.since(self.first?)),
            recency_days: f64::from(day.since(last)),
            active_days: days,
            gap_mean_days: (active.len() > 1).then(|| f64::from(last.since(first)) / (days - 1.0)),
            recent_active_days: recent as f64,
            recent_window_days: f64::from(rules.window_days),
        })
    }
}

/// The rules of stages.
#[derive(Clone, Debug)]
pub(crate) struct StageRules {
    pub(crate) thresholds: Thresholds,
    pub(crate) active_within_days: u32,
    /// The window of the activity drop: the shortest horizon.
    pub(crate) window_days: u16,
}

/// The days before a day, of days in order.
pub(crate) fn before(days: &[Day], day: Day) -> &[Day] {
    days.get(..days.partition_point(|d| *d < day))
        .unwrap_or_default()
}

/// The last day before a day.
pub(crate) fn last_before(days: &[Day], day: Day) -> Option<Day> {
    before(days, day).last().copied()
}

/// How many days lie in `[from, until)`.
pub(crate) fn count_in(days: &[Day], from: Day, until: Day) -> usize {
    before(days, until)
        .len()
        .saturating_sub(before(days, from).len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::features::{Catalogue, Extractor, FeatureSchema};
    use crate::history::{Amount, History};
    use crate::lifecycle::Question;

    proptest! {
        #[test]
        fn behaviour_is_that_of_the_features(
            days in prop::collection::vec((0_i32..120, 0_u16..2), 1..40), date in 1_i32..140,
        ) {
            let names = ["purchase".to_owned(), "visit".to_owned()];
            let record = |&(day, kind): &(i32, u16)| DayRecord {
                amount: Amount::default(), day: Day::new(day).unwrap(), count: 1, kind,
            };
            let history = History::new(days.iter().map(record).collect()).unwrap();
            let question = Question::Churn {
                activity: names[..1].to_vec(), churn_event: None, active_within_days: 30,
            };
            let kinds = Kinds {
                eligibility: Eligibility::new(&names, &question),
                is_order: vec![true, false],
                nps: None,
            };
            let rules = StageRules { thresholds: Thresholds::default(), active_within_days: 30, window_days: 30 };
            let mut life = Life::default();
            life.read(history.view(), &kinds);
            let catalogue = Catalogue::new(FeatureSchema {
                activity: names[..1].to_vec(), other_kinds: vec![], horizon_days: vec![30], amounts: false,
                seasonal_years: 0, lead_days: 0, value_kinds: vec![], attributes: vec![],
            }).unwrap();
            let mut vector = vec![f64::NAN; catalogue.len()];
            let date = Day::new(date).unwrap();
            let active = Extractor::new(&catalogue, &names).extract(history.view(), date, &mut vector);
            let expected = active.then(|| Behaviour::of(&catalogue, &vector).unwrap());
            prop_assert_eq!(life.behaviour(date, &rules), expected);
        }
    }
}
