use std::ops::{Range, RangeInclusive};

use jiff::Timestamp;
use jiff::civil::Date;

use super::time_format::{TimeFormat, Told, iso, seconds_of};
use crate::columnar::Cell;
use crate::events::EventsError;
use crate::events::quality::rejection::{Field, Refusal, RefusalReason};
use crate::history::{Day, DayClock, YEARS};

/// The days, 1969-12-06 to 1970-03-26, on which times of all [`YEARS`] fall when they are read in a unit a thousand times
/// too fine: seconds as milliseconds, or milliseconds as nanoseconds. Numbers and timestamps that say these days are
/// refused; dates that are written as such are not.
pub(crate) const MISREAD_DAYS: RangeInclusive<i32> = -26..=84;

/// Turns the values of the time column into days.
#[derive(Debug)]
pub(crate) struct TimeReader {
    format: TimeFormat,
    clock: DayClock,
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

impl TimeReader {
    /// A reader of times written in `format` (ISO 8601 when absent) into the days of `zone`.
    pub(crate) fn new(format: Option<&str>, zone: &str) -> Result<Self, EventsError> {
        let clock = DayClock::new(zone)?;
        Ok(Self {
            format: format.map_or(Ok(TimeFormat::Iso), TimeFormat::new)?,
            clock,
            last_text: String::new(),
            last_text_day: None,
            last_ticks: None,
            last_date: None,
        })
    }

    /// The day of an instant, if it is the last one told.
    pub(crate) fn last_day(&self, ticks: i64, per_s: i64) -> Option<Day> {
        let last = self.last_ticks.as_ref()?;
        (last.per_s == per_s && last.range.contains(&ticks)).then_some(last.day)
    }

    /// The day of a value of the time column.
    pub(crate) fn day(&mut self, cell: Cell<'_>) -> Result<Day, Refusal> {
        match cell {
            Cell::Text(text) => self.day_of_text(text.trim_ascii()),
            Cell::Null => Err(self.refuse(RefusalReason::EmptyTime, String::new())),
            Cell::Day(number) => self.check(Day::new(number), cell),
            Cell::Time {
                ticks,
                per_s,
                zoned: true,
            } => {
                if let Some(day) = self.last_day(ticks, per_s) {
                    return Ok(day);
                }
                let day = self.clock.day(ticks.div_euclid(per_s));
                let day = self.check_unit(day, cell)?;
                self.last_ticks =
                    self.clock
                        .constant(ticks.div_euclid(per_s))
                        .and_then(|seconds| {
                            let range = seconds.start.checked_mul(per_s)?
                                ..seconds.end.checked_mul(per_s)?;
                            Some(LastTicks { per_s, range, day })
                        });
                Ok(day)
            }
            Cell::Time {
                ticks,
                per_s,
                zoned: false,
            } => {
                let number = i32::try_from(ticks.div_euclid(per_s.saturating_mul(86_400)));
                self.check_unit(number.ok().and_then(Day::new), cell)
            }
            Cell::Int(_)
            | Cell::Uint(_)
            | Cell::Float(_)
            | Cell::Single(_)
            | Cell::Decimal { .. } => self.day_of_number(cell),
            Cell::Bool(_) | Cell::Nested => {
                Err(self.refuse(RefusalReason::BadType, cell.to_string()))
            }
        }
    }

    fn day_of_number(&mut self, cell: Cell<'_>) -> Result<Day, Refusal> {
        if matches!(cell, Cell::Float(value) if !value.is_finite())
            // A 32-bit number of today's seconds is minutes away from the time it stands for.
            || matches!(cell, Cell::Single(value) if cell.is_inexact() || !value.is_finite())
        {
            return Err(self.refuse(RefusalReason::BadType, cell.to_string()));
        }
        let TimeFormat::Epoch(per_s) = self.format else {
            // A number's digits may be a date such as 20240131.
            return match cell.to_string() {
                text if text.contains('.') => Err(self.refuse(RefusalReason::BadTime, text)),
                text => self.day_of_text(&text),
            };
        };
        let day = seconds_of(cell, per_s).and_then(|seconds| self.clock.day(seconds));
        self.check_unit(day, cell)
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
        let told = match &self.format {
            TimeFormat::Date => self.plain_date(text.as_bytes(), b'-', None).map(Told::Day),
            TimeFormat::DateTime(between) => self
                .plain_date(text.as_bytes(), b'-', Some(*between))
                .map(Told::Day),
            TimeFormat::CompactDate => self.compact_date(text.as_bytes()).map(Told::Day),
            TimeFormat::Epoch(_) => {
                let number = match (text.parse(), text.parse::<f64>()) {
                    (Ok(whole), _) => Cell::Int(whole),
                    (Err(_), Ok(number)) if number.is_finite() => Cell::Float(number),
                    _ => return Err(self.refuse(RefusalReason::BadTime, text.to_owned())),
                };
                return self.day_of_number(number);
            }
            TimeFormat::Rfc3339 => text.parse::<Timestamp>().ok().map(Told::Instant),
            TimeFormat::Iso => iso(text),
            TimeFormat::Pattern(pattern) => pattern.read(text),
        };
        match told {
            Some(Told::Day(day)) => self.check(Some(day), Cell::Text(text)),
            Some(Told::Instant(at)) => {
                let day = self.clock.day(floor_s(at));
                self.check(day, Cell::Text(text))
            }
            None => Err(self.refuse(RefusalReason::BadTime, text.to_owned())),
        }
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
            digits.get(from..to)?.iter().try_fold(0_i16, |sum, digit| {
                digit
                    .is_ascii_digit()
                    .then(|| sum * 10 + i16::from(*digit - b'0'))
            })
        };
        let (month, day) = (number(4, 6)? as i8, number(6, 8)? as i8);
        let day = Day::from(Date::new(number(0, 4)?, month, day).ok()?);
        self.last_date = Some((digits, day));
        Some(day)
    }

    fn check(&self, day: Option<Day>, cell: Cell<'_>) -> Result<Day, Refusal> {
        match day {
            Some(day) if day.is_in_years() => Ok(day),
            _ => Err(self.refuse(RefusalReason::TimeOutOfRange, cell.to_string())),
        }
    }

    /// The same for times that may have been written, or read, in the wrong unit.
    fn check_unit(&self, day: Option<Day>, cell: Cell<'_>) -> Result<Day, Refusal> {
        match self.check(day, cell)? {
            day if MISREAD_DAYS.contains(&day.number()) => Err(Refusal {
                reason: RefusalReason::TimeOutOfRange,
                field: Field::Time,
                value: cell.to_string(),
                expected: format!(
                    "a time that is not on {day}, in the weeks around 1970-01-01 where seconds fall that are read as \
                     milliseconds; is the unit right?"
                )
                .into(),
            }),
            day => Ok(day),
        }
    }

    fn refuse(&self, reason: RefusalReason, value: String) -> Refusal {
        let expected = match reason {
            RefusalReason::EmptyTime => "a time".into(),
            RefusalReason::BadType => "text, a date, a time, or a number that is exact".into(),
            RefusalReason::TimeOutOfRange => format!(
                "a time in the years {} to {}; is the unit right?",
                YEARS.start(),
                YEARS.end()
            )
            .into(),
            _ => format!("a time written as {}", self.format.describe()).into(),
        };
        Refusal {
            reason,
            field: Field::Time,
            value,
            expected,
        }
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
        [h0, h1, b':', m0, m1, b':', s0, s1] => {
            below(*h0, *h1, 24) && below(*m0, *m1, 60) && below(*s0, *s1, 61)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use jiff::fmt::strtime;

    use super::*;

    fn read(format: Option<&str>, zone: &str, text: &str) -> Result<String, RefusalReason> {
        let day = TimeReader::new(format, zone).unwrap().day(Cell::Text(text));
        day.map(|day| day.to_string())
            .map_err(|refusal| refusal.reason)
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
            (Some("epoch_s"), "-5000000", "1969-11-04"),
            (Some("epoch_s"), "1e9", "2001-09-09"),
            (
                Some("%Y-%m-%d %H:%M:%S"),
                " 2024-03-01 23:30:00 ",
                "2024-03-01",
            ),
            (
                Some("%Y-%m-%dT%H:%M:%S"),
                "2024-03-01T23:30:00",
                "2024-03-01",
            ),
            (Some("%Y-%m-%d"), "2024-02-29", "2024-02-29"),
            (Some("%Y%m%d"), "20240229", "2024-02-29"),
            (Some("%d/%m/%Y %H:%M"), "29/02/2024 23:59", "2024-02-29"),
            (Some("%d %b %Y"), "3 Mar 2024", "2024-03-03"),
            (
                Some("%Y-%m-%d %H:%M:%S %z"),
                "2024-03-01 23:30:00 +0000",
                "2024-03-02",
            ),
            (Some("%s"), "1709335800", "2024-03-02"),
        ] {
            assert_eq!(
                read(format, "Europe/Berlin", text).as_deref(),
                Ok(day),
                "{format:?} {text}"
            );
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
            assert_eq!(
                read(Some("%Y-%m-%d %H:%M:%S"), "UTC", text),
                Err(RefusalReason::BadTime),
                "{text}"
            );
            assert!(
                strtime::parse("%Y-%m-%d %H:%M:%S", text)
                    .and_then(|t| t.to_datetime())
                    .is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn refused_times_have_their_reason() {
        assert_eq!(read(None, "UTC", "  "), Err(RefusalReason::EmptyTime));
        assert_eq!(
            read(Some("rfc3339"), "UTC", "2024-03-01T23:30:00"),
            Err(RefusalReason::BadTime)
        );
        for (format, text) in [
            ("epoch_s", "1709335800000"),
            ("%Y-%m-%d", "0001-01-01"),
            ("%Y%m%d", "99991231"),
        ] {
            assert_eq!(
                read(Some(format), "UTC", text),
                Err(RefusalReason::TimeOutOfRange),
                "{text}"
            );
        }
        let mut reader = TimeReader::new(Some("epoch_s"), "UTC").unwrap();
        assert_eq!(
            reader.day(Cell::Bool(true)).unwrap_err().reason,
            RefusalReason::BadType
        );
        assert_eq!(
            reader.day(Cell::Null).unwrap_err().reason,
            RefusalReason::EmptyTime
        );
        assert_eq!(
            reader.day(Cell::Float(f64::NAN)).unwrap_err().reason,
            RefusalReason::BadType
        );
    }

    #[test]
    fn numbers_are_ticks_or_digits() {
        let mut reader = TimeReader::new(Some("epoch_ms"), "UTC").unwrap();
        assert_eq!(
            reader.day(Cell::Int(864_000_000_000)).unwrap().number(),
            10_000
        );
        assert_eq!(
            reader.day(Cell::Float(863_999_999_999.5)).unwrap().number(),
            9_999
        );
        let decimal = |unscaled, scale| Cell::Decimal { unscaled, scale };
        assert_eq!(
            reader.day(decimal(864_000_000_000, 0)).unwrap().number(),
            10_000
        );
        assert_eq!(
            reader.day(decimal(8_639_999_999_999, 1)).unwrap().number(),
            9_999
        );
        assert_eq!(reader.day(decimal(864, -9)).unwrap().number(), 10_000);
        assert_eq!(
            reader.day(decimal(i128::MAX, 0)).unwrap_err().reason,
            RefusalReason::TimeOutOfRange
        );
        assert_eq!(
            reader.day(Cell::Uint(u64::MAX)).unwrap_err().reason,
            RefusalReason::TimeOutOfRange
        );
        assert_eq!(
            reader.day(Cell::Single(1.7e12)).unwrap_err().reason,
            RefusalReason::BadType
        );
        let mut reader = TimeReader::new(Some("epoch_ns"), "UTC").unwrap();
        // As a double it would be the next day.
        assert_eq!(
            reader
                .day(decimal(863_999_999_999_999_999, 0))
                .unwrap()
                .number(),
            9_999
        );
        let mut reader = TimeReader::new(Some("%Y%m%d"), "UTC").unwrap();
        assert_eq!(
            reader.day(Cell::Int(20_110_102)).unwrap().to_string(),
            "2011-01-02"
        );
        assert_eq!(
            reader.day(Cell::Float(20_110_103.0)).unwrap().to_string(),
            "2011-01-03"
        );
        assert_eq!(
            reader.day(decimal(2_011_010_400, 2)).unwrap().to_string(),
            "2011-01-04"
        );
        assert_eq!(
            reader.day(decimal(2_011_010_450, 2)).unwrap_err().reason,
            RefusalReason::BadTime
        );
    }

    #[test]
    fn local_columns_are_days_already_and_instants_follow_the_zone() {
        let mut reader = TimeReader::new(None, "America/New_York").unwrap();
        let ticks = 1_709_256_600_000; // 2024-03-01T01:30Z
        assert_eq!(
            reader
                .day(Cell::Time {
                    ticks,
                    per_s: 1_000,
                    zoned: true
                })
                .unwrap()
                .to_string(),
            "2024-02-29"
        );
        assert_eq!(
            reader
                .day(Cell::Time {
                    ticks,
                    per_s: 1_000,
                    zoned: false
                })
                .unwrap()
                .to_string(),
            "2024-03-01"
        );
        assert_eq!(
            reader.day(Cell::Day(19_783)).unwrap().to_string(),
            "2024-03-01"
        );
    }

    /// Each reads a day of this year in one unit as if it were another.
    #[test]
    fn a_unit_that_is_a_thousand_times_off_is_refused() {
        let units = [
            ("epoch_s", 1_i128),
            ("epoch_ms", 1_000),
            ("epoch_us", 1_000_000),
            ("epoch_ns", 1_000_000_000),
        ];
        for date in [
            "1900-01-01",
            "1969-12-31",
            "1975-06-01",
            "2024-09-15",
            "2199-12-31",
        ] {
            let seconds = i128::from(date.parse::<Day>().unwrap().number()) * 86_400;
            for (format, per_s) in units {
                for (written, of_second) in units {
                    let Ok(ticks) = i64::try_from(seconds * of_second) else {
                        continue;
                    };
                    let read =
                        |cell: Cell<'_>| TimeReader::new(Some(format), "UTC").unwrap().day(cell);
                    let text = ticks.to_string();
                    for cell in [
                        Cell::Int(ticks),
                        Cell::Text(&text),
                        Cell::Decimal {
                            unscaled: ticks.into(),
                            scale: 0,
                        },
                    ] {
                        let found = read(cell)
                            .map(|day| day.to_string())
                            .map_err(|refusal| refusal.reason);
                        let right = if format == written && date != "1969-12-31" {
                            Ok(date.to_owned())
                        } else if date == "1969-12-31" && per_s < of_second {
                            // So near to 1970 that days are taken for years.
                            continue;
                        } else {
                            Err(RefusalReason::TimeOutOfRange)
                        };
                        assert_eq!(found, right, "{cell:?} of {date} in {written} as {format}");
                    }
                }
            }
        }
        let mut reader = TimeReader::new(Some("epoch_ms"), "Asia/Tokyo").unwrap();
        let refusal = reader.day(Cell::Text("1726358400")).unwrap_err();
        assert!(
            refusal.expected.contains("not on 1970-01-21")
                && refusal.expected.contains("is the unit right?")
        );
        // A column of timestamps was made of numbers by somebody too.
        let ticks = 1_726_358_400;
        for zoned in [true, false] {
            let read = |per_s| {
                TimeReader::new(None, "UTC").unwrap().day(Cell::Time {
                    ticks,
                    per_s,
                    zoned,
                })
            };
            assert_eq!(read(1).unwrap().to_string(), "2024-09-15");
            assert_eq!(
                read(1_000).unwrap_err().reason,
                RefusalReason::TimeOutOfRange
            );
        }
    }

    #[test]
    fn dates_around_1970_are_read_where_they_are_written_as_dates() {
        for (format, text) in [
            (None, "1970-01-20"),
            (None, "1970-01-20T15:00:00Z"),
            (Some("rfc3339"), "1970-01-20T00:00:00Z"),
            (Some("%Y%m%d"), "19700120"),
            (Some("%d.%m.%Y"), "20.01.1970"),
            (Some("%Y-%m-%d %H:%M:%S"), "1970-01-20 01:00:00"),
        ] {
            assert_eq!(
                read(format, "UTC", text).as_deref(),
                Ok("1970-01-20"),
                "{text}"
            );
        }
        let day = TimeReader::new(None, "UTC").unwrap().day(Cell::Day(19));
        assert_eq!(day.unwrap().to_string(), "1970-01-20");
    }

    #[test]
    fn a_zone_in_a_time_or_in_its_pattern_makes_an_instant_of_it() {
        for (format, text) in [
            (Some("%Y-%m-%dT%H:%M:%SZ"), "2024-03-02T03:00:00Z"),
            (Some("%Y-%m-%dT%H:%M:%S.%fZ"), "2024-03-02T03:00:00.125Z"),
            (Some("%Y-%m-%d %H:%M:%S UTC"), "2024-03-02 03:00:00 UTC"),
            (
                Some("%a, %d %b %Y %H:%M:%S GMT"),
                "Sat, 02 Mar 2024 03:00:00 GMT",
            ),
            (
                Some("%a %b %d %H:%M:%S UTC %Y"),
                "Sat Mar 02 03:00:00 UTC 2024",
            ),
            (
                Some("%a %b %d %H:%M:%S %Z %Y"),
                "Sat Mar 02 03:00:00 UTC 2024",
            ),
            (Some("%Y-%m-%d %H:%M:%S %Z"), "2024-03-02 03:00:00 GMT"),
            (Some("%Y-%m-%dT%H:%M:%S%Z"), "2024-03-02T03:00:00Z"),
            (Some("%Y-%m-%d %H:%M:%S+00:00"), "2024-03-02 03:00:00+00:00"),
            (Some("%Y-%m-%d %H:%M:%S +0200"), "2024-03-02 05:00:00 +0200"),
            (Some("%d/%m/%Y %I:%M %p -05"), "01/03/2024 10:00 PM -05"),
            (Some("%Y-%m-%d %H:%M:%S%z"), "2024-03-02 03:00:00Z"),
            (Some("%Y-%m-%d %H:%M:%S%z"), "2024-03-02 03:00:00+0000"),
            (Some("%Y-%m-%d %H:%M:%S%z"), "2024-03-02 03:00:00+00:00"),
            (
                Some("%Y-%m-%d %H:%M:%S %Q"),
                "2024-03-01 22:00:00 America/New_York",
            ),
            (None, "2024-03-02T03:00:00Z"),
            (None, "2024-03-02 03:00:00 UTC"),
            (None, "2024-03-02 03:00:00.123456 UTC"),
            (None, "2024-03-02 03:00:00 GMT"),
            (None, "2024-03-02 03:00UTC"),
            (None, "2024-03-02T04:00:00[Europe/Paris]"),
            (None, "2024-03-02T03:00:00Z[UTC]"),
        ] {
            assert_eq!(
                read(format, "America/New_York", text).as_deref(),
                Ok("2024-03-01"),
                "{format:?} {text}"
            );
            assert_eq!(
                read(format, "Asia/Tokyo", text).as_deref(),
                Ok("2024-03-02"),
                "{format:?} {text}"
            );
        }
        for (format, text) in [
            (Some("%Y-%m-%d %H:%M:%S %Z"), "2024-03-02 03:00:00 EST"),
            (Some("%Y-%m-%dT%H:%M:%SZ"), "2024-03-02T03:00:00"),
            (None, "2024-03-02 UTC"),
            (None, "2024-03-02 03:00:00 EST"),
        ] {
            assert_eq!(
                read(format, "America/New_York", text),
                Err(RefusalReason::BadTime),
                "{format:?} {text}"
            );
        }
    }
}
