//! The periods that indicators are counted in.

use jiff::civil::Date;

use crate::history::{Day, Stretch};

/// How long periods are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeriodKind {
    /// From Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
    /// A calendar quarter.
    Quarter,
    /// All the days that are asked for, as one period.
    All,
}

/// A period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// Its name: the Monday of a week, `2024-03`, `2024Q1`, or the first and last day.
    pub name: String,
    /// Its days.
    pub days: Stretch,
}

impl PeriodKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Week, Self::Month, Self::Quarter, Self::All];

    /// The name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::All => "all",
        }
    }

    /// The number of the calendar's period that a day lies in; cohorts of [`Self::All`] are months.
    pub(crate) fn number(self, day: Day) -> i32 {
        let months = |date: Date| i32::from(date.year()) * 12 + i32::from(date.month()) - 1;
        match self {
            // The Monday before 1970-01-01 begins week 0.
            Self::Week => (day.number() + 3).div_euclid(7),
            Self::Month | Self::All => months(day.date()),
            Self::Quarter => months(day.date()).div_euclid(3),
        }
    }

    /// The first day of a period of the calendar.
    pub(crate) fn start(self, number: i32) -> Day {
        let month = |n: i32| {
            let year = i16::try_from(n.div_euclid(12)).ok();
            let date = year.and_then(|year| Date::new(year, (n.rem_euclid(12) + 1) as i8, 1).ok());
            // Days of a log lie in the years 1900 to 2199.
            date.map_or_else(|| Day::from(Date::MAX), Day::from)
        };
        match self {
            Self::Week => Day::from(Date::constant(1970, 1, 1)).plus(number.saturating_mul(7) - 3),
            Self::Month | Self::All => month(number),
            Self::Quarter => month(number.saturating_mul(3)),
        }
    }

    /// The name of a period of the calendar.
    pub(crate) fn label(self, number: i32) -> String {
        let start = self.start(number);
        let date = start.date();
        match self {
            Self::Week => start.to_string(),
            Self::Month | Self::All => format!("{:04}-{:02}", date.year(), date.month()),
            Self::Quarter => format!("{:04}Q{}", date.year(), (date.month() + 2) / 3),
        }
    }

    /// The periods that have a day in `[from, until)`, oldest first; for [`Self::All`] these days themselves.
    pub(crate) fn periods(self, from: Day, until: Day) -> Vec<Period> {
        if from >= until {
            return Vec::new();
        }
        if self == Self::All {
            let name = format!("{from}..{until}");
            let days = Stretch { from, until };
            return vec![Period { name, days }];
        }
        let period = |number: i32| Period {
            name: self.label(number),
            days: Stretch {
                from: self.start(number),
                until: self.start(number + 1),
            },
        };
        (self.number(from)..=self.number(until.plus(-1)))
            .map(period)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_those_of_the_calendar_and_cover_every_day_once() {
        let day = |text: &str| text.parse::<Day>().unwrap();
        let named = |kind: PeriodKind| -> Vec<String> {
            let periods = kind.periods(day("2023-12-31"), day("2024-01-08"));
            assert!(
                periods
                    .windows(2)
                    .all(|two| two[0].days.until == two[1].days.from)
            );
            periods
                .into_iter()
                .map(|p| format!("{} {}", p.name, p.days.from))
                .collect()
        };
        // 2023-12-31 was a Sunday.
        assert_eq!(
            named(PeriodKind::Week),
            ["2023-12-25 2023-12-25", "2024-01-01 2024-01-01"]
        );
        assert_eq!(
            named(PeriodKind::Month),
            ["2023-12 2023-12-01", "2024-01 2024-01-01"]
        );
        assert_eq!(
            named(PeriodKind::Quarter),
            ["2023Q4 2023-10-01", "2024Q1 2024-01-01"]
        );
        assert_eq!(
            named(PeriodKind::All),
            ["2023-12-31..2024-01-08 2023-12-31"]
        );
        assert!(
            PeriodKind::Week
                .periods(day("2024-01-01"), day("2024-01-01"))
                .is_empty()
        );
    }
}
