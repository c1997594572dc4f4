use std::ops::Range;

use jiff::civil::{Date, DateTime, date};
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};

use super::EventsError;
use super::reason::{Field, Refusal, RefusalReason};
use crate::history::{Cell, Day, DayClock};

/// Days outside these years are placeholders such as 0001-01-01 and 9999-12-31, or a confused unit.
pub(super) const YEARS: std::ops::RangeInclusive<i16> = 1900..=2199;

/// Turns the values of the time column into days.
#[derive(Debug)]
pub(super) struct TimeReader {
    format: TimeFormat,
    clock: DayClock,
    first: Day,
    last: Day,
    /// The last text and its day: logs are mostly in order of time.
    last_text: String,
    last_text_day: Option<Day>,
    /// The instants of the last day.
    last_ticks: Option<LastTicks>,
    /// The digits of the last date of a plain format.
    last_date: Option<([u8; 8], Day)>,
}

/// Instants that fall on one day, in ticks of one unit.
#[derive(Debug)]
struct LastTicks {
    per_s: i64,
    range: Range<i64>,
    day: Day,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum TimeFormat {
    /// An instant with its offset, or a local time without.
    Iso,
    Rfc3339,
    /// Ticks since 1970-01-01T00:00Z, and how many a second has.
    Epoch(i64),
    /// Digits at fixed positions: `%Y-%m-%d %H:%M:%S` (or with a `T`), `%Y-%m-%d`, `%Y%m%d`.
    DateTime(u8),
    Date,
    CompactDate,
    /// Any other pattern, and whether it tells instants.
    Pattern(String, bool),
}

impl TimeReader {
    /// A reader of times written in `format` (ISO 8601 when absent) into the days of `zone`.
    pub(super) fn new(format: Option<&str>, zone: &str) -> Result<Self, EventsError> {
        let clock = DayClock::new(zone)?;
        Ok(Self {
            format: format.map_or(Ok(TimeFormat::Iso), TimeFormat::new)?,
            clock,
            first: Day::from(date(*YEARS.start(), 1, 1)),
            last: Day::from(date(*YEARS.end(), 12, 31)),
            last_text: String::new(),
            last_text_day: None,
            last_ticks: None,
            last_date: None,
        })
    }

    /// The day of an instant, if it is the last one told.
    pub(super) fn last_day(&self, ticks: i64, per_s: i64) -> Option<Day> {
        let last = self.last_ticks.as_ref()?;
        (last.per_s == per_s && last.range.contains(&ticks)).then_some(last.day)
    }

    /// The day of a value of the time column.
    pub(super) fn day(&mut self, cell: Cell<'_>) -> Result<Day, Refusal> {
        match cell {
            Cell::Text(text) => self.day_of_text(text.trim_ascii()),
            Cell::Null => Err(self.refuse(RefusalReason::EmptyTime, String::new())),
            Cell::Day(number) => self.check(Day::new(number), cell),
            Cell::Time { ticks, per_s, zoned: true } => {
                if let Some(day) = self.last_day(ticks, per_s) {
                    return Ok(day);
                }
                let day = self.clock.day(ticks.div_euclid(per_s));
                let day = self.check(day, cell)?;
                self.last_ticks = self.clock.constant(ticks.div_euclid(per_s)).and_then(|seconds| {
                    let range = seconds.start.checked_mul(per_s)?..seconds.end.checked_mul(per_s)?;
                    Some(LastTicks { per_s, range, day })
                });
                Ok(day)
            }
            Cell::Time { ticks, per_s, zoned: false } => {
                let number = i32::try_from(ticks.div_euclid(per_s.saturating_mul(86_400)));
                self.check(number.ok().and_then(Day::new), cell)
            }
            Cell::Int(number) => self.day_of_number(number as f64, Some(number), cell),
            Cell::Float(number) if number.is_finite() => self.day_of_number(number, None, cell),
            Cell::Uint(_) => Err(self.refuse(RefusalReason::TimeOutOfRange, shown(cell))),
            _ => Err(self.refuse(RefusalReason::BadType, shown(cell))),
        }
    }

    fn day_of_number(&mut self, number: f64, whole: Option<i64>, cell: Cell<'_>) -> Result<Day, Refusal> {
        match (&self.format, whole) {
            (TimeFormat::Epoch(per_s), Some(ticks)) => {
                let day = self.clock.day(ticks.div_euclid(*per_s));
                self.check(day, cell)
            }
            (TimeFormat::Epoch(per_s), None) => {
                // The conversion saturates, and what is out of range is refused by its day.
                let day = self.clock.day((number / *per_s as f64).floor() as i64);
                self.check(day, cell)
            }
            (_, Some(digits)) => self.day_of_text(&digits.to_string()),
            (_, None) if number.fract() == 0.0 => self.day_of_text(&format!("{number:.0}")),
            _ => Err(self.refuse(RefusalReason::BadTime, shown(cell))),
        }
    }

    fn day_of_text(&mut self, text: &str) -> Result<Day, Refusal> {
        if text.is_empty() {
            return Err(self.refuse(RefusalReason::EmptyTime, String::new()));
        }
        if let Some(day) = self.last_text_day
            && self.last_text == text
        {
            return Ok(day);
        }
        let day = self.parse(text)?;
        self.last_text.clear();
        self.last_text.push_str(text);
        self.last_text_day = Some(day);
        Ok(day)
    }

    fn parse(&mut self, text: &str) -> Result<Day, Refusal> {
        let day = match &self.format {
            TimeFormat::Date => self.plain_date(text.as_bytes(), b'-', None),
            TimeFormat::DateTime(between) => self.plain_date(text.as_bytes(), b'-', Some(*between)),
            TimeFormat::CompactDate => self.compact_date(text.as_bytes()),
            TimeFormat::Epoch(per_s) => match text.parse::<i64>() {
                Ok(ticks) => self.instant(ticks.div_euclid(*per_s)),
                Err(_) => match text.parse::<f64>() {
                    Ok(ticks) if ticks.is_finite() => self.instant((ticks / *per_s as f64).floor() as i64),
                    _ => None,
                },
            },
            TimeFormat::Rfc3339 => text.parse::<Timestamp>().ok().and_then(|at| self.instant(floor_s(at))),
            TimeFormat::Iso => match text.parse::<Timestamp>() {
                Ok(at) => self.instant(floor_s(at)),
                Err(_) => text.parse::<DateTime>().ok().map(|local| Day::from(local.date())),
            },
            TimeFormat::Pattern(pattern, true) => {
                let at = strtime::parse(pattern, text).and_then(|time| time.to_timestamp());
                at.ok().and_then(|at| self.instant(floor_s(at)))
            }
            TimeFormat::Pattern(pattern, false) => {
                strtime::parse(pattern, text).and_then(|time| time.to_date()).ok().map(Day::from)
            }
        };
        match day {
            Some(day) => self.check(Some(day), Cell::Text(text)),
            None => Err(self.refuse(RefusalReason::BadTime, text.to_owned())),
        }
    }

    /// The local day of an instant; a day out of range when it cannot be held at all.
    fn instant(&mut self, unix_s: i64) -> Option<Day> {
        Some(self.clock.day(unix_s).unwrap_or(self.last.plus(1)))
    }

    /// `YYYY?MM?DD`, then `HH:MM:SS` after the byte `time_after` where one is given.
    fn plain_date(&mut self, text: &[u8], separator: u8, time_after: Option<u8>) -> Option<Day> {
        let (date, rest) = text.split_first_chunk::<10>()?;
        let [y0, y1, y2, y3, s0, m0, m1, s1, d0, d1] = *date;
        let time_is_good = match (time_after, rest) {
            (None, []) => true,
            (Some(after), [first, time @ ..]) => *first == after && is_time(time),
            _ => false,
        };
        (time_is_good && s0 == separator && s1 == separator).then_some(())?;
        self.calendar_day([y0, y1, y2, y3, m0, m1, d0, d1])
    }

    fn compact_date(&mut self, text: &[u8]) -> Option<Day> {
        self.calendar_day(text.try_into().ok()?)
    }

    fn calendar_day(&mut self, digits: [u8; 8]) -> Option<Day> {
        if let Some((last, day)) = self.last_date
            && last == digits
        {
            return Some(day);
        }
        let number = |from: usize, to: usize| {
            digits
                .get(from..to)?
                .iter()
                .try_fold(0_i16, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i16::from(*digit - b'0')))
        };
        let (month, day) = (number(4, 6)? as i8, number(6, 8)? as i8);
        let day = Day::from(Date::new(number(0, 4)?, month, day).ok()?);
        self.last_date = Some((digits, day));
        Some(day)
    }

    fn check(&self, day: Option<Day>, cell: Cell<'_>) -> Result<Day, Refusal> {
        match day {
            Some(day) if (self.first..=self.last).contains(&day) => Ok(day),
            _ => Err(self.refuse(RefusalReason::TimeOutOfRange, shown(cell))),
        }
    }

    fn refuse(&self, reason: RefusalReason, value: String) -> Refusal {
        let expected = match reason {
            RefusalReason::EmptyTime => "a time".into(),
            RefusalReason::TimeOutOfRange => {
                format!("a time in the years {} to {}; is the unit right?", YEARS.start(), YEARS.end()).into()
            }
            _ => format!("a time written as {}", self.format.describe()).into(),
        };
        Refusal { reason, field: Field::Time, value, expected }
    }
}

fn shown(cell: Cell<'_>) -> String {
    match cell {
        Cell::Text(text) => text.to_owned(),
        Cell::Time { ticks, per_s, .. } => {
            Timestamp::from_second(ticks.div_euclid(per_s)).map_or_else(|_| ticks.to_string(), |at| at.to_string())
        }
        Cell::Day(number) => Day::new(number).map_or_else(|| number.to_string(), |day| day.to_string()),
        Cell::Bool(value) => value.to_string(),
        other => other.number().map_or_else(|| "a nested value".to_owned(), |number| number.to_string()),
    }
}

/// Seconds since 1970, towards the past also before 1970.
fn floor_s(at: Timestamp) -> i64 {
    at.as_nanosecond().div_euclid(1_000_000_000) as i64
}

/// Whether the text is `HH:MM:SS`, with the leap second that some clocks write.
fn is_time(text: &[u8]) -> bool {
    let below = |tens: u8, ones: u8, limit: u8| {
        tens.is_ascii_digit() && ones.is_ascii_digit() && (tens - b'0') * 10 + (ones - b'0') < limit
    };
    match text {
        [h0, h1, b':', m0, m1, b':', s0, s1] => below(*h0, *h1, 24) && below(*m0, *m1, 60) && below(*s0, *s1, 61),
        _ => false,
    }
}

impl TimeFormat {
    /// The format of this name or pattern.
    pub(super) fn new(format: &str) -> Result<Self, EventsError> {
        Ok(match format {
            "rfc3339" => Self::Rfc3339,
            "epoch_s" => Self::Epoch(1),
            "epoch_ms" => Self::Epoch(1_000),
            "epoch_us" => Self::Epoch(1_000_000),
            "epoch_ns" => Self::Epoch(1_000_000_000),
            "%Y-%m-%d %H:%M:%S" => Self::DateTime(b' '),
            "%Y-%m-%dT%H:%M:%S" => Self::DateTime(b'T'),
            "%Y-%m-%d" | "%F" => Self::Date,
            "%Y%m%d" => Self::CompactDate,
            pattern if pattern.contains('%') => Self::pattern(pattern)?,
            _ => {
                let known = "rfc3339, epoch_s, epoch_ms, epoch_us, epoch_ns";
                let message = format!("it is none of {known} and no pattern such as %Y-%m-%d %H:%M:%S");
                return Err(EventsError::TimeFormat { format: format.to_owned(), message });
            }
        })
    }

    /// A pattern, tried on a time that it must be able to write and to read back.
    fn pattern(pattern: &str) -> Result<Self, EventsError> {
        let fail = |message: String| EventsError::TimeFormat { format: pattern.to_owned(), message };
        let zone = TimeZone::fixed(Offset::UTC);
        let sample = Zoned::new(Timestamp::UNIX_EPOCH, zone);
        let text = BrokenDownTime::from(&sample).to_string(pattern).map_err(|error| fail(error.to_string()))?;
        let time = strtime::parse(pattern, &text).map_err(|error| fail(error.to_string()))?;
        if time.to_timestamp().is_ok() {
            return Ok(Self::Pattern(pattern.to_owned(), true));
        }
        match time.to_date() {
            Ok(_) => Ok(Self::Pattern(pattern.to_owned(), false)),
            Err(error) => Err(fail(format!("it does not tell a day: {error}"))),
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Iso => "ISO 8601, such as 2024-01-31 08:15:00, since `events.time_format` is not set".to_owned(),
            Self::Rfc3339 => "rfc3339, such as 2024-01-31T08:15:00Z".to_owned(),
            Self::Epoch(1) => "epoch_s, seconds since 1970".to_owned(),
            Self::Epoch(1_000) => "epoch_ms, milliseconds since 1970".to_owned(),
            Self::Epoch(1_000_000) => "epoch_us, microseconds since 1970".to_owned(),
            Self::Epoch(_) => "epoch_ns, nanoseconds since 1970".to_owned(),
            Self::DateTime(between) => format!("%Y-%m-%d{}%H:%M:%S", char::from(*between)),
            Self::Date => "%Y-%m-%d".to_owned(),
            Self::CompactDate => "%Y%m%d".to_owned(),
            Self::Pattern(pattern, _) => pattern.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: Option<&str>, zone: &str, text: &str) -> Result<String, RefusalReason> {
        let day = TimeReader::new(format, zone).unwrap().day(Cell::Text(text));
        day.map(|day| day.to_string()).map_err(|refusal| refusal.reason)
    }

    #[test]
    fn every_format_tells_the_day() {
        for (format, text, day) in [
            (None, "2024-03-01T23:30:00Z", "2024-03-02"),
            (None, "2024-03-01T23:30:00", "2024-03-01"),
            (None, "2024-03-01 23:30:00.125", "2024-03-01"),
            (None, "2024-03-01", "2024-03-01"),
            (Some("rfc3339"), "2024-03-01T23:30:00.5+00:00", "2024-03-02"),
            (Some("epoch_s"), "1709335800", "2024-03-02"),
            (Some("epoch_s"), "1709335800.25", "2024-03-02"),
            (Some("epoch_ms"), "1709335800000", "2024-03-02"),
            (Some("epoch_us"), "1709335800000000", "2024-03-02"),
            (Some("epoch_ns"), "1709335800000000000", "2024-03-02"),
            (Some("epoch_s"), "-1", "1970-01-01"),
            (Some("%Y-%m-%d %H:%M:%S"), " 2024-03-01 23:30:00 ", "2024-03-01"),
            (Some("%Y-%m-%dT%H:%M:%S"), "2024-03-01T23:30:00", "2024-03-01"),
            (Some("%Y-%m-%d"), "2024-02-29", "2024-02-29"),
            (Some("%Y%m%d"), "20240229", "2024-02-29"),
            (Some("%d/%m/%Y %H:%M"), "29/02/2024 23:59", "2024-02-29"),
            (Some("%d %b %Y"), "3 Mar 2024", "2024-03-03"),
            (Some("%Y-%m-%d %H:%M:%S %z"), "2024-03-01 23:30:00 +0000", "2024-03-02"),
            (Some("%s"), "1709335800", "2024-03-02"),
        ] {
            assert_eq!(read(format, "Europe/Berlin", text).as_deref(), Ok(day), "{format:?} {text}");
        }
    }

    #[test]
    fn the_plain_formats_refuse_what_the_pattern_refuses() {
        let texts = [
            "2023-02-29 00:00:00",
            "2024-13-01 00:00:00",
            "2024-01-32 00:00:00",
            "2024-01-01 24:00:00",
            "2024-01-01 00:60:00",
            "2024-01-01",
            "2024-01-01 00:00",
            "2024/01/01 00:00:00",
            "x",
            "2024-01-01 00:00:00.5",
            "20a4-01-01 00:00:00",
            "2024-01-0é 00:00:00",
        ];
        for text in texts {
            assert_eq!(read(Some("%Y-%m-%d %H:%M:%S"), "UTC", text), Err(RefusalReason::BadTime), "{text}");
            assert!(strtime::parse("%Y-%m-%d %H:%M:%S", text).and_then(|t| t.to_datetime()).is_err(), "{text}");
        }
    }

    #[test]
    fn refused_times_have_their_reason() {
        assert_eq!(read(None, "UTC", "  "), Err(RefusalReason::EmptyTime));
        assert_eq!(read(Some("rfc3339"), "UTC", "2024-03-01T23:30:00"), Err(RefusalReason::BadTime));
        for (format, text) in [("epoch_s", "1709335800000"), ("%Y-%m-%d", "0001-01-01"), ("%Y%m%d", "99991231")] {
            assert_eq!(read(Some(format), "UTC", text), Err(RefusalReason::TimeOutOfRange), "{text}");
        }
        let mut reader = TimeReader::new(Some("epoch_s"), "UTC").unwrap();
        assert_eq!(reader.day(Cell::Bool(true)).unwrap_err().reason, RefusalReason::BadType);
        assert_eq!(reader.day(Cell::Null).unwrap_err().reason, RefusalReason::EmptyTime);
        assert_eq!(reader.day(Cell::Float(f64::NAN)).unwrap_err().reason, RefusalReason::BadType);
    }

    #[test]
    fn numbers_are_ticks_or_digits() {
        let mut reader = TimeReader::new(Some("epoch_ms"), "UTC").unwrap();
        assert_eq!(reader.day(Cell::Int(86_400_000)).unwrap().number(), 1);
        assert_eq!(reader.day(Cell::Float(86_399_999.5)).unwrap().number(), 0);
        let mut reader = TimeReader::new(Some("%Y%m%d"), "UTC").unwrap();
        assert_eq!(reader.day(Cell::Int(20_110_102)).unwrap().to_string(), "2011-01-02");
        assert_eq!(reader.day(Cell::Float(20_110_103.0)).unwrap().to_string(), "2011-01-03");
    }

    #[test]
    fn local_columns_are_days_already_and_instants_follow_the_zone() {
        let mut reader = TimeReader::new(None, "America/New_York").unwrap();
        let ticks = 1_709_256_600_000; // 2024-03-01T01:30Z
        assert_eq!(reader.day(Cell::Time { ticks, per_s: 1_000, zoned: true }).unwrap().to_string(), "2024-02-29");
        assert_eq!(reader.day(Cell::Time { ticks, per_s: 1_000, zoned: false }).unwrap().to_string(), "2024-03-01");
        assert_eq!(reader.day(Cell::Day(19_783)).unwrap().to_string(), "2024-03-01");
    }

    #[test]
    fn formats_that_tell_no_day_are_errors() {
        for (format, expected) in [
            ("%H:%M", "does not tell a day"),
            ("%d/%m", "does not tell a day"),
            ("%Y-%m-%d %J", "cannot be used"),
            ("epoch", "none of rfc3339, epoch_s"),
        ] {
            let message = TimeReader::new(Some(format), "UTC").unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
        assert!(matches!(TimeReader::new(None, "Mars/Base"), Err(EventsError::History(_))));
    }
}
