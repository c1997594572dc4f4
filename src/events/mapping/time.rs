//! Values of the time column as days.

use std::ops::{Range, RangeInclusive};

use jiff::Timestamp;
use jiff::civil::Date;

use super::time_format::{ParsedTime, TimeFormat, iso, seconds_of};
use crate::columnar::Cell;
use crate::events::EventsError;
use crate::events::config::Field;
use crate::events::quality::rejection::{Rejection, RejectionReason};
use crate::history::{Day, DayClock, YEARS};

/// The days, 1969-12-06 to 1970-03-26, on which times of all [`YEARS`] fall when they are read in a unit a thousand times
/// too fine: seconds as milliseconds, or milliseconds as nanoseconds. Numbers and timestamps that say these days are
/// rejected; dates that are written as such are not.
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

    /// The day of an instant, if it is on the last day computed.
    pub(crate) fn last_day(&self, ticks: i64, per_s: i64) -> Option<Day> {
        let last = self.last_ticks.as_ref()?;
        (last.per_s == per_s && last.range.contains(&ticks)).then_some(last.day)
    }

    /// The day of a value of the time column.
    pub(crate) fn day(&mut self, cell: Cell<'_>) -> Result<Day, Rejection> {
        match cell {
            Cell::Text(text) => self.day_of_text(text.trim_ascii()),
            Cell::Null => Err(self.reject(RejectionReason::EmptyTime, String::new())),
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
                Err(self.reject(RejectionReason::BadType, cell.to_string()))
            }
        }
    }

    fn day_of_number(&mut self, cell: Cell<'_>) -> Result<Day, Rejection> {
        if matches!(cell, Cell::Float(value) if !value.is_finite())
            // A 32-bit number of today's seconds is minutes away from the time it stands for.
            || matches!(cell, Cell::Single(value) if cell.is_inexact() || !value.is_finite())
        {
            return Err(self.reject(RejectionReason::BadType, cell.to_string()));
        }
        let TimeFormat::Epoch(per_s) = self.format else {
            // A number's digits may be a date such as 20240131.
            return match cell.to_string() {
                text if text.contains('.') => Err(self.reject(RejectionReason::BadTime, text)),
                text => self.day_of_text(&text),
            };
        };
        let day = seconds_of(cell, per_s).and_then(|seconds| self.clock.day(seconds));
        self.check_unit(day, cell)
    }

    fn day_of_text(&mut self, text: &str) -> Result<Day, Rejection> {
        if text.is_empty() {
            return Err(self.reject(RejectionReason::EmptyTime, String::new()));
        }
        // Equal times follow each other in most logs: parsing is skipped for all but the first.
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

    fn parse(&mut self, text: &str) -> Result<Day, Rejection> {
        let parsed = match &self.format {
            TimeFormat::Date => self
                .plain_date(text.as_bytes(), b'-', None)
                .map(ParsedTime::Day),
            TimeFormat::DateTime(between) => self
                .plain_date(text.as_bytes(), b'-', Some(*between))
                .map(ParsedTime::Day),
            TimeFormat::CompactDate => self.compact_date(text.as_bytes()).map(ParsedTime::Day),
            TimeFormat::Epoch(_) => {
                let number = match (text.parse(), text.parse::<f64>()) {
                    (Ok(whole), _) => Cell::Int(whole),
                    (Err(_), Ok(number)) if number.is_finite() => Cell::Float(number),
                    _ => return Err(self.reject(RejectionReason::BadTime, text.to_owned())),
                };
                return self.day_of_number(number);
            }
            TimeFormat::Rfc3339 => text.parse::<Timestamp>().ok().map(ParsedTime::Instant),
            TimeFormat::Iso => iso(text),
            TimeFormat::Pattern(pattern) => pattern.read(text),
        };
        match parsed {
            Some(ParsedTime::Day(day)) => self.check(Some(day), Cell::Text(text)),
            Some(ParsedTime::Instant(at)) => {
                let day = self.clock.day(floor_s(at));
                self.check(day, Cell::Text(text))
            }
            None => Err(self.reject(RejectionReason::BadTime, text.to_owned())),
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
        // Days change seldom, and the calendar is the slow part.
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

    fn check(&self, day: Option<Day>, cell: Cell<'_>) -> Result<Day, Rejection> {
        match day {
            Some(day) if day.is_in_years() => Ok(day),
            _ => Err(self.reject(RejectionReason::TimeOutOfRange, cell.to_string())),
        }
    }

    /// The same for times that may have been written, or read, in the wrong unit.
    fn check_unit(&self, day: Option<Day>, cell: Cell<'_>) -> Result<Day, Rejection> {
        match self.check(day, cell)? {
            day if MISREAD_DAYS.contains(&day.number()) => Err(Rejection {
                reason: RejectionReason::TimeOutOfRange,
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

    fn reject(&self, reason: RejectionReason, value: String) -> Rejection {
        let expected = match reason {
            RejectionReason::EmptyTime => "a time".into(),
            RejectionReason::BadType => "text, a date, a time, or a number that is exact".into(),
            RejectionReason::TimeOutOfRange => format!(
                "a time in the years {} to {}; is the unit right?",
                YEARS.start(),
                YEARS.end()
            )
            .into(),
            _ => format!("a time written as {}", self.format.describe()).into(),
        };
        Rejection {
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
mod tests;
