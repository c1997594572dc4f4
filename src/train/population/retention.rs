//! How many users come back, by when they were first active.

use jiff::civil::Date;

use crate::card::{Cohort, Period, Retention};
use crate::history::{Block, Day, Histories, HistoryError, HistoryView};
use crate::train::data::labels::Labeller;

/// Cohorts, at most.
const COHORTS: usize = 14;

impl Period {
    /// The number of the period that a day lies in.
    pub(super) fn of(self, day: Day) -> i32 {
        let months = |date: Date| i32::from(date.year()) * 12 + i32::from(date.month()) - 1;
        match self {
            // The Monday before 1970-01-01 begins week 0.
            Self::Week => (day.number() + 3).div_euclid(7),
            Self::Month => months(day.date()),
            Self::Quarter => months(day.date()).div_euclid(3),
            Self::Year => i32::from(day.date().year()),
        }
    }

    /// The first day of a period.
    pub(super) fn start(self, number: i32) -> Option<Day> {
        let month = |n: i32| {
            let year = i16::try_from(n.div_euclid(12)).ok()?;
            Date::new(year, (n.rem_euclid(12) + 1) as i8, 1)
                .ok()
                .map(Day::from)
        };
        match self {
            Self::Week => Day::new(number * 7 - 3),
            Self::Month => month(number),
            Self::Quarter => month(number * 3),
            Self::Year => month(number * 12),
        }
    }

    /// The periods that begin on or after that of `first` and end by `until`.
    fn observed(self, first: Day, until: Day) -> std::ops::Range<i32> {
        let from = self.of(first);
        let to = self.of(until);
        from..to.max(from)
    }
}

/// Cohorts by the shortest period that makes few enough of them.
pub(crate) fn retention(
    histories: &Histories,
    labeller: &Labeller,
    first: Day,
    until: Day,
) -> Result<Retention, HistoryError> {
    let few = |period: &Period| period.observed(first, until).len() <= COHORTS;
    let period = [Period::Week, Period::Month, Period::Quarter]
        .into_iter()
        .find(few)
        .unwrap_or(Period::Year);
    let periods = period.observed(first, until);
    // Many records, few days: the calendar is asked once for each day.
    let days = usize::try_from(until.since(first)).unwrap_or_default();
    let number: Vec<usize> = (0..days)
        .map(|day| (period.of(first.plus(day as i32)) - periods.start) as usize)
        .collect();
    let mut users = vec![0_u64; periods.len()];
    let mut active: Vec<Vec<u64>> = (0..periods.len())
        .map(|cohort| vec![0; periods.len() - cohort])
        .collect();
    // The periods in which each user of a block was active, the cohort first.
    let lives = |block: &Block| -> Vec<Vec<usize>> {
        let life = |(_, _, history): (usize, &str, HistoryView<'_>)| {
            let seen = history
                .before(until)
                .records()
                .iter()
                .filter(|r| labeller.is_activity(r.kind));
            let mut visited: Vec<usize> = seen
                .filter_map(|r| number.get(usize::try_from(r.day.since(first)).ok()?))
                .copied()
                .collect();
            visited.dedup();
            visited.retain(|period| *period < periods.len());
            visited
        };
        block.iter().map(life).collect()
    };
    histories.stream_blocks::<_, HistoryError>(lives, |lives| {
        for life in lives {
            let Some(cohort) = life.first() else { continue };
            users[*cohort] += 1;
            life.iter()
                .for_each(|period| active[*cohort][period - cohort] += 1);
        }
        Ok(())
    })?;
    let cohort = |(number, (users, active))| {
        Some(Cohort {
            from: period.start(number)?,
            users,
            active,
        })
    };
    let cohorts = periods
        .zip(users.into_iter().zip(active))
        .filter_map(cohort);
    Ok(Retention {
        period,
        cohorts: cohorts.filter(|c| c.users > 0).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Amount, DayRecord, HistoriesBuilder};
    use crate::train::data::snapshots::Observed;
    use crate::train::settings::ChurnConfig;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    fn log(users: &[(&str, &[&str])]) -> (Histories, Labeller) {
        let mut builder = HistoriesBuilder::default();
        for (name, days) in users {
            for text in *days {
                let (kind, text) = text.split_once(' ').unwrap_or(("purchase", text));
                let kind = builder.kind(kind).unwrap();
                builder
                    .add(
                        name,
                        DayRecord {
                            amount: Amount::default(),
                            day: day(text),
                            count: 1,
                            kind,
                        },
                    )
                    .unwrap();
            }
        }
        let histories = builder.finish().unwrap();
        let config = ChurnConfig {
            activity: vec!["purchase".into()],
            horizon_days: vec![30],
            active_within_days: 90,
            lead_days: 0,
            churn_event: None,
        };
        let labeller = Labeller::new(
            &config,
            histories.kinds(),
            Observed {
                first: day("2024-01-01"),
                until: day("2024-05-20"),
                holes: Vec::new(),
            },
        );
        (histories, labeller)
    }

    #[test]
    fn a_cohort_is_where_activity_began_and_unfinished_periods_are_not_counted() {
        let (histories, labeller) = log(&[
            (
                "a",
                &["2024-01-10", "2024-02-01", "2024-02-29", "2024-04-30"],
            ),
            ("b", &["2024-01-31", "2024-05-01"]),
            ("c", &["visit 2024-01-02", "2024-03-15", "visit 2024-04-04"]),
            ("d", &["2024-05-02"]),
            ("e", &["visit 2024-02-02"]),
        ]);
        let found = retention(&histories, &labeller, day("2024-01-02"), day("2024-05-20")).unwrap();
        let cohort = |from, users, active: &[u64]| Cohort {
            from: day(from),
            users,
            active: active.to_vec(),
        };
        assert_eq!(found.period, Period::Month);
        assert_eq!(
            found.cohorts,
            [
                cohort("2024-01-01", 2, &[2, 1, 0, 1]),
                cohort("2024-03-01", 1, &[1, 0])
            ]
        );
        // A day more, and May is over.
        let found = retention(&histories, &labeller, day("2024-01-02"), day("2024-06-01")).unwrap();
        assert_eq!(found.cohorts[0].active, [2, 1, 0, 1, 1]);
    }

    #[test]
    fn periods_grow_with_the_log() {
        let (histories, labeller) = log(&[("a", &["2024-01-01"])]);
        let period = |until: &str| {
            retention(&histories, &labeller, day("2024-01-01"), day(until))
                .unwrap()
                .period
        };
        assert_eq!(
            [period("2024-04-01"), period("2024-05-01")],
            [Period::Week, Period::Month]
        );
        assert_eq!(
            [period("2025-03-01"), period("2025-04-01")],
            [Period::Month, Period::Quarter]
        );
        assert_eq!(period("2030-01-01"), Period::Year);
    }

    #[test]
    fn periods_begin_on_their_first_day_and_not_the_day_before() {
        for (period, start) in [
            (Period::Week, "2024-01-01"),
            (Period::Month, "2024-03-01"),
            (Period::Quarter, "2024-04-01"),
            (Period::Year, "1969-01-01"),
        ] {
            let number = period.of(day(start));
            assert_eq!(period.start(number), Some(day(start)), "{period:?}");
            assert_eq!(period.of(day(start).plus(-1)), number - 1);
        }
    }
}
