//! Days of the calendar, and the clock of a time zone that gives the day of an instant.

use std::fmt;
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::HistoryError;

/// A calendar day in the log's time zone, counted from 1970-01-01 (day 0).
///
/// A day is one bucket whether it lasts 23, 24 or 25 hours. Written and read as `YYYY-MM-DD`; read only in the
/// [`YEARS`] that a log may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i32);

/// The years that days of a log lie in. Days outside are placeholders, such as 0001-01-01 and 9999-12-31, or come of a
/// confused unit.
pub const YEARS: RangeInclusive<i16> = 1900..=2199;

/// 1900-01-01 and 2199-12-31.
const DAYS_OF_YEARS: RangeInclusive<i32> = -25_567..=84_005;

/// -9999-01-01 and 9999-12-31, the first and last day of the calendar.
const CALENDAR: RangeInclusive<i32> = -4_371_587..=2_932_896;

impl Day {
    /// The day that lies `number` days after 1970-01-01; `None` outside of the calendar's years -9999 to 9999.
    pub fn new(number: i32) -> Option<Self> {
        CALENDAR.contains(&number).then_some(Self(number))
    }

    /// Days since 1970-01-01.
    pub fn number(self) -> i32 {
        self.0
    }

    /// Whether the day lies in the [`YEARS`] that a log may have.
    pub fn is_in_years(self) -> bool {
        DAYS_OF_YEARS.contains(&self.0)
    }

    /// The day that lies `days` later (earlier when negative). Beyond the calendar it is the calendar's first or last
    /// day, which lies thousands of years from all days that are read, so that comparisons with them hold.
    pub fn plus(self, days: i32) -> Self {
        Self(
            self.0
                .saturating_add(days)
                .clamp(*CALENDAR.start(), *CALENDAR.end()),
        )
    }

    /// Days from `earlier` to this day; negative when `earlier` is later.
    pub fn since(self, earlier: Self) -> i32 {
        self.0 - earlier.0
    }

    /// Day of the week, 0 for Monday to 6 for Sunday.
    pub fn weekday(self) -> usize {
        // 1970-01-01 was a Thursday.
        (self.0 + 3).rem_euclid(7) as usize
    }

    /// The calendar date.
    pub fn date(self) -> Date {
        Date::constant(1970, 1, 1).saturating_add(jiff::Span::new().days(self.0))
    }
}

impl From<Date> for Day {
    fn from(date: Date) -> Self {
        let since_epoch = date.duration_since(Date::constant(1970, 1, 1)).as_hours() / 24;
        Self(since_epoch as i32)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.date().fmt(f)
    }
}

impl FromStr for Day {
    type Err = HistoryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || HistoryError::Day {
            text: text.chars().take(40).collect(),
        };
        // The calendar's parser also takes times and drops them, and other ways to write a date.
        let is_date = |(position, byte): (usize, u8)| match position {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        };
        if text.len() != 10 || !text.bytes().enumerate().all(is_date) {
            return Err(wrong());
        }
        let day = text.parse::<Date>().map(Self::from).map_err(|_| wrong())?;
        if day.is_in_years() {
            Ok(day)
        } else {
            Err(HistoryError::DayOutOfRange { day })
        }
    }
}

impl Serialize for Day {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// Turns instants into days of one time zone, remembering the last stretch of constant offset.
#[derive(Clone, Debug)]
pub struct DayClock {
    zone: TimeZone,
    /// Half-open range of Unix seconds over which `offset_s` holds.
    from_s: i64,
    until_s: i64,
    offset_s: i64,
}

impl DayClock {
    /// A clock for the IANA time zone `name`, such as `Europe/London`.
    pub fn new(name: &str) -> Result<Self, HistoryError> {
        let zone = TimeZone::get(name).map_err(|_| HistoryError::TimeZone {
            name: name.to_owned(),
        })?;
        Ok(Self {
            zone,
            from_s: 0,
            until_s: 0,
            offset_s: 0,
        })
    }

    /// The local day of an instant in Unix seconds; `None` outside the representable range.
    pub fn day(&mut self, unix_s: i64) -> Option<Day> {
        if !(self.from_s..self.until_s).contains(&unix_s) {
            self.seek(unix_s)?;
        }
        let local = unix_s.checked_add(self.offset_s)?.div_euclid(86_400);
        Day::new(i32::try_from(local).ok()?)
    }

    /// The Unix seconds of the local day of an instant, which the last call of [`Self::day`] was for; `None` when the clocks
    /// change on it.
    pub fn constant(&self, unix_s: i64) -> Option<Range<i64>> {
        let start = unix_s
            .checked_add(self.offset_s)?
            .div_euclid(86_400)
            .checked_mul(86_400)?
            - self.offset_s;
        let day = start..start.checked_add(86_400)?;
        (self.from_s <= day.start && day.end <= self.until_s).then_some(day)
    }

    fn seek(&mut self, unix_s: i64) -> Option<()> {
        let at = Timestamp::from_second(unix_s).ok()?;
        self.offset_s = i64::from(self.zone.to_offset(at).seconds());
        // `preceding` looks strictly before its argument, so the search begins just after `at`.
        let after = Timestamp::from_second(unix_s.checked_add(1)?).ok()?;
        self.from_s = self
            .zone
            .preceding(after)
            .next()
            .map_or(i64::MIN, |t| t.timestamp().as_second());
        self.until_s = self
            .zone
            .following(at)
            .next()
            .map_or(i64::MAX, |t| t.timestamp().as_second());
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_its_date_and_back() {
        for text in ["1970-01-01", "2011-12-09", "1969-12-31", "2024-02-29"] {
            assert_eq!(text.parse::<Day>().unwrap().to_string(), text);
        }
        assert_eq!("1970-01-02".parse::<Day>().unwrap().number(), 1);
        assert_eq!("2026-11-22".parse::<Day>().unwrap().weekday(), 6);
    }

    #[test]
    fn only_dates_of_the_years_of_a_log_are_read() {
        for text in [
            "2026-13-01",
            "2023-02-29",
            "2024-06-01T23:59:59",
            "2024-06-01T00:00:00Z",
            "2024-06-01 ",
            "20240601",
            "2024-6-1",
            "+02024-6-1",
            "2024-W22-6",
            "2024_06_01",
            "",
        ] {
            let message = text.parse::<Day>().unwrap_err().to_string();
            assert_eq!(
                message,
                format!("`{text}` is not a date; write it as YYYY-MM-DD")
            );
        }
        for text in ["1900-01-01", "2199-12-31"] {
            assert_eq!(text.parse::<Day>().unwrap().to_string(), text);
        }
        for text in ["0001-01-01", "1899-12-31", "2200-01-01", "9999-12-31"] {
            let message = text.parse::<Day>().unwrap_err().to_string();
            assert_eq!(
                message,
                format!("{text} lies outside the years 1900 to 2199")
            );
        }
    }

    #[test]
    fn the_whole_calendar_is_held_and_nothing_is_bent_to_fit() {
        for date in [
            Date::MIN,
            Date::MAX,
            Date::constant(0, 2, 29),
            Date::constant(9909, 12, 8),
        ] {
            assert_eq!(Day::from(date).date(), date);
            assert_eq!(Day::new(Day::from(date).number()), Some(Day::from(date)));
        }
        let (first, last) = (Day::from(Date::MIN), Day::from(Date::MAX));
        assert_eq!(
            (first.number(), last.number()),
            (*CALENDAR.start(), *CALENDAR.end())
        );
        assert_eq!(
            (Day::new(first.number() - 1), Day::new(last.number() + 1)),
            (None, None)
        );
        assert_eq!((first.plus(-1), last.plus(i32::MAX)), (first, last));
        let years = |year, month, day| Day::from(Date::constant(year, month, day)).number();
        assert_eq!(
            (years(*YEARS.start(), 1, 1), years(*YEARS.end(), 12, 31)),
            (*DAYS_OF_YEARS.start(), *DAYS_OF_YEARS.end())
        );
    }

    #[test]
    fn days_follow_the_zone_across_both_clock_changes() {
        let mut clock = DayClock::new("Europe/London").unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_second();
        // 2011-03-27 lasts 23 hours (GMT to BST at 01:00 UTC), 2011-10-30 lasts 25.
        for (instant, day) in [
            ("2011-03-26T23:59:59Z", "2011-03-26"),
            ("2011-03-27T00:00:00Z", "2011-03-27"),
            ("2011-03-27T22:59:59Z", "2011-03-27"),
            ("2011-03-27T23:00:00Z", "2011-03-28"),
            ("2011-10-29T23:00:00Z", "2011-10-30"),
            ("2011-10-30T23:59:59Z", "2011-10-30"),
            ("2011-10-31T00:00:00Z", "2011-10-31"),
            ("2011-03-26T23:59:59Z", "2011-03-26"),
        ] {
            assert_eq!(
                clock.day(at(instant)).unwrap().to_string(),
                day,
                "{instant}"
            );
        }
    }

    #[test]
    fn the_remembered_stretch_never_changes_the_answer() {
        for name in [
            "America/Sao_Paulo",
            "Pacific/Apia",
            "Asia/Kathmandu",
            "UTC",
            "Australia/Lord_Howe",
        ] {
            let mut kept = DayClock::new(name).unwrap();
            for step in 0..20_000_i64 {
                let s = 600_000_000 + (step * 7_919 * 3_600) % 1_000_000_000;
                assert_eq!(
                    kept.day(s),
                    DayClock::new(name).unwrap().day(s),
                    "{name} at {s}"
                );
                if let Some(same) = kept.constant(s) {
                    assert!(same.contains(&s));
                    let mut other = DayClock::new(name).unwrap();
                    let day = other.day(s);
                    assert_eq!(
                        (other.day(same.start), other.day(same.end - 1)),
                        (day, day),
                        "{name} at {s}"
                    );
                    // A day on which the clocks are set back goes on after it.
                    assert!(
                        other.day(same.start - 1) < day && other.day(same.end) >= day,
                        "{name} at {s}"
                    );
                }
            }
        }
    }

    #[test]
    fn an_unknown_zone_is_named() {
        assert!(
            DayClock::new("Europe/Atlantis")
                .unwrap_err()
                .to_string()
                .contains("Europe/Atlantis")
        );
    }
}
