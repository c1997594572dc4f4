//! How times are written.

use jiff::civil::DateTime;
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};

use crate::columnar::Cell;
use crate::events::EventsError;
use crate::history::Day;

/// Words that a pattern may hold for times in UTC.
const UTC_WORDS: [&str; 4] = ["Z", "UTC", "GMT", "UT"];

/// Words that a pattern may not hold: they say that times are not local, and not exactly what they are.
const ZONE_WORDS: [&str; 24] = [
    "ACST", "AEDT", "AEST", "AKST", "AST", "AWST", "BST", "CDT", "CEST", "CET", "CST", "EDT",
    "EEST", "EET", "EST", "HST", "IST", "JST", "MDT", "MSK", "MST", "PDT", "PST", "WET",
];

/// How the values of the time column are written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TimeFormat {
    /// An instant with its offset, or a local time without.
    Iso,
    Rfc3339,
    /// Ticks since 1970-01-01T00:00Z, and how many a second has.
    Epoch(i64),
    /// Digits at fixed positions: `%Y-%m-%d %H:%M:%S` (or with a `T`), `%Y-%m-%d`, `%Y%m%d`.
    DateTime(u8),
    Date,
    CompactDate,
    /// Any other pattern.
    Pattern(Pattern),
}

/// A `strftime` pattern.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pattern {
    written: String,
    /// The patterns that it stands for: a `%Z` or `%z` can be written in several ways.
    ways: Vec<(String, Tells)>,
}

/// What a time in a pattern tells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Tells {
    /// A local day.
    Local,
    /// An instant, by an offset in the text.
    Instant,
    /// An instant, by the offset that the pattern itself holds.
    Offset(Offset),
}

/// What one text tells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Told {
    Day(Day),
    Instant(Timestamp),
}

impl TimeFormat {
    /// The format of this name or pattern.
    pub(crate) fn new(format: &str) -> Result<Self, EventsError> {
        Ok(match format {
            "rfc3339" => Self::Rfc3339,
            "epoch_s" | "%s" => Self::Epoch(1),
            "epoch_ms" => Self::Epoch(1_000),
            "epoch_us" => Self::Epoch(1_000_000),
            "epoch_ns" => Self::Epoch(1_000_000_000),
            "%Y-%m-%d %H:%M:%S" => Self::DateTime(b' '),
            "%Y-%m-%dT%H:%M:%S" => Self::DateTime(b'T'),
            "%Y-%m-%d" | "%F" => Self::Date,
            "%Y%m%d" => Self::CompactDate,
            pattern if pattern.contains('%') => {
                let fail = |message| EventsError::TimeFormat {
                    format: pattern.to_owned(),
                    message,
                };
                Self::Pattern(Pattern::new(pattern).map_err(fail)?)
            }
            _ => {
                let known = "rfc3339, epoch_s, epoch_ms, epoch_us, epoch_ns";
                let message =
                    format!("it is none of {known} and no pattern such as %Y-%m-%d %H:%M:%S");
                return Err(EventsError::TimeFormat {
                    format: format.to_owned(),
                    message,
                });
            }
        })
    }

    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Iso => {
                "ISO 8601, such as 2024-01-31 08:15:00, since `events.time_format` is not set"
                    .to_owned()
            }
            Self::Rfc3339 => "rfc3339, such as 2024-01-31T08:15:00Z".to_owned(),
            Self::Epoch(1) => "epoch_s, seconds since 1970".to_owned(),
            Self::Epoch(1_000) => "epoch_ms, milliseconds since 1970".to_owned(),
            Self::Epoch(1_000_000) => "epoch_us, microseconds since 1970".to_owned(),
            Self::Epoch(_) => "epoch_ns, nanoseconds since 1970".to_owned(),
            Self::DateTime(between) => format!("%Y-%m-%d{}%H:%M:%S", char::from(*between)),
            Self::Date => "%Y-%m-%d".to_owned(),
            Self::CompactDate => "%Y%m%d".to_owned(),
            Self::Pattern(pattern) => pattern.written.clone(),
        }
    }
}

/// What a text in ISO 8601 tells. `UTC` and `GMT` may stand for `Z`, as BigQuery writes it.
pub(crate) fn iso(text: &str) -> Option<Told> {
    if let Ok(at) = text.parse() {
        return Some(Told::Instant(at));
    }
    if text.ends_with(']') {
        return text
            .parse::<Zoned>()
            .ok()
            .map(|zoned| Told::Instant(zoned.timestamp()));
    }
    let utc = ["UTC", "GMT", "Z"]
        .iter()
        .find_map(|word| text.strip_suffix(word));
    match utc.map(|time| time.trim_end_matches(' ')) {
        Some(time) if time.contains(':') => at_offset(time.parse().ok()?, Offset::UTC),
        Some(_) => None,
        None => text
            .parse::<DateTime>()
            .ok()
            .map(|local| Told::Day(Day::from(local.date()))),
    }
}

/// A number of ticks, of which a second has `per_s`, as whole seconds, towards the past; `None` far beyond all years.
pub(crate) fn seconds_of(cell: Cell<'_>, per_s: i64) -> Option<i64> {
    let ticks = match cell {
        Cell::Int(ticks) => ticks,
        Cell::Decimal {
            unscaled,
            scale: scale @ ..=0,
        } => {
            let ticks =
                unscaled.checked_mul(10_i128.checked_pow(u32::from(scale.unsigned_abs()))?)?;
            i64::try_from(ticks).ok()?
        }
        Cell::Decimal { unscaled, scale } => {
            let one = 10_i128.checked_pow(u32::from(scale.unsigned_abs()));
            // Less than one tick, where a tick has more digits than can be held.
            let ticks = one.map_or(-i128::from(unscaled < 0), |one| unscaled.div_euclid(one));
            i64::try_from(ticks).ok()?
        }
        // The conversion saturates, and no clock has such days.
        other => return Some((other.number()? / per_s as f64).floor() as i64),
    };
    Some(ticks.div_euclid(per_s))
}

fn at_offset(time: DateTime, offset: Offset) -> Option<Told> {
    offset.to_timestamp(time).ok().map(Told::Instant)
}

impl Pattern {
    /// A pattern, tried on a time that it must be able to write and to read back; or what is wrong with it.
    fn new(written: &str) -> Result<Self, String> {
        let parts = parts(written);
        let of_text = parts
            .iter()
            .any(|part| matches!(directive(part), Some('z' | 'Q' | 's')));
        let fixed = if of_text { None } else { fixed_offset(&parts)? };
        let replaced = |letter: char, by: &str| {
            let replace = |part: &&str| {
                if directive(part) == Some(letter) {
                    by.to_owned()
                } else {
                    (*part).to_owned()
                }
            };
            parts.iter().map(replace).collect::<String>()
        };
        let names = parts.iter().any(|part| directive(part) == Some('Z'));
        let ways: Vec<(String, Tells)> = match (names, fixed) {
            (true, _) if of_text => {
                return Err("it holds both a zone's name and an offset".to_owned());
            }
            (true, _) => UTC_WORDS
                .iter()
                .map(|word| (replaced('Z', word), Tells::Offset(Offset::UTC)))
                .collect(),
            (false, Some(offset)) => vec![(written.to_owned(), Tells::Offset(offset))],
            (false, None) if parts.contains(&"%z") => vec![
                (written.to_owned(), Tells::Instant),
                (replaced('z', "%:z"), Tells::Instant),
                (replaced('z', "Z"), Tells::Offset(Offset::UTC)),
            ],
            (false, None) => vec![(
                written.to_owned(),
                if of_text {
                    Tells::Instant
                } else {
                    Tells::Local
                },
            )],
        };
        ways.iter()
            .try_for_each(|(way, tells)| try_out(way, *tells))?;
        Ok(Self {
            written: written.to_owned(),
            ways,
        })
    }

    /// What a text tells; `None` where it is not written so.
    pub(crate) fn read(&self, text: &str) -> Option<Told> {
        self.ways.iter().find_map(|(way, tells)| {
            let time = strtime::parse(way, text).ok()?;
            match tells {
                Tells::Local => time.to_date().ok().map(|date| Told::Day(Day::from(date))),
                Tells::Offset(offset) => at_offset(time.to_datetime().ok()?, *offset),
                Tells::Instant => instant(&time).map(Told::Instant),
            }
        })
    }

    /// The pattern as it was written, and what its times tell where they can be written in one way only.
    pub(crate) fn single(&self) -> (&str, Option<Tells>) {
        match self.ways.as_slice() {
            [(_, tells)] => (&self.written, Some(*tells)),
            _ => (&self.written, None),
        }
    }
}

fn instant(time: &BrokenDownTime) -> Option<Timestamp> {
    time.to_timestamp()
        .or_else(|_| time.to_zoned().map(|zoned| zoned.timestamp()))
        .ok()
}

/// Tries a pattern on a time.
fn try_out(pattern: &str, tells: Tells) -> Result<(), String> {
    let sample = Zoned::new(Timestamp::UNIX_EPOCH, TimeZone::fixed(Offset::UTC));
    let text = BrokenDownTime::from(&sample)
        .to_string(pattern)
        .map_err(|error| error.to_string())?;
    let time = strtime::parse(pattern, &text).map_err(|error| error.to_string())?;
    match tells {
        Tells::Instant if instant(&time).is_some() => Ok(()),
        Tells::Local | Tells::Instant => time
            .to_date()
            .map(drop)
            .map_err(|error| format!("it does not tell a day: {error}")),
        Tells::Offset(_) if time.hour().is_none() => {
            Err("it holds a time zone, but no time of day".to_owned())
        }
        Tells::Offset(_) => time
            .to_datetime()
            .map(drop)
            .map_err(|error| format!("it does not tell a time: {error}")),
    }
}

/// A pattern's directives, such as `%Y`, and the texts between them.
fn parts(pattern: &str) -> Vec<&str> {
    let (mut parts, mut rest) = (Vec::new(), pattern);
    while !rest.is_empty() {
        let length = match rest.strip_prefix('%') {
            None => rest.find('%').unwrap_or(rest.len()),
            Some(after) => {
                let end = after
                    .char_indices()
                    .find(|(_, c)| c.is_ascii_alphabetic() || *c == '%');
                end.map_or(rest.len(), |(at, _)| at + 2)
            }
        };
        let (part, after) = rest.split_at(length);
        parts.push(part);
        rest = after;
    }
    parts
}

/// The letter of a directive.
fn directive(part: &str) -> Option<char> {
    part.strip_prefix('%')
        .and_then(|_| part.chars().next_back())
}

/// The offset that a pattern's own text says its times have: by `Z`, `UTC` or `GMT`, or by digits such as `+01:00` at its
/// end.
fn fixed_offset(parts: &[&str]) -> Result<Option<Offset>, String> {
    let texts = || parts.iter().filter(|part| directive(part).is_none());
    let words = || texts().flat_map(|text| text.split(|c: char| !c.is_alphabetic()));
    if let Some(word) = words().find(|word| ZONE_WORDS.contains(word)) {
        return Err(format!(
            "`{word}` would be read as text, and times as local ones; write %z for offsets, or `UTC` for times in UTC"
        ));
    }
    if words().any(|word| UTC_WORDS.iter().any(|utc| utc.eq_ignore_ascii_case(word))) {
        return Ok(Some(Offset::UTC));
    }
    match parts {
        [.., time, text]
            if matches!(
                directive(time),
                Some('H' | 'M' | 'S' | 'T' | 'R' | 'f' | 'p' | 'P')
            ) =>
        {
            Ok(offset_of_digits(text.trim()))
        }
        _ => Ok(None),
    }
}

/// The offset that `+HH`, `+HHMM` or `+HH:MM` stands for.
fn offset_of_digits(text: &str) -> Option<Offset> {
    let sign = match text.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let digits = text.get(1..)?;
    let (hours, minutes) = match digits.len() {
        2 => (digits, "0"),
        4 => digits.split_at(2),
        5 => digits.split_once(':')?,
        _ => return None,
    };
    let number = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| text.parse::<i32>().ok())?
    };
    let seconds = sign * (number(hours)? * 3_600 + number(minutes)? * 60);
    Offset::from_seconds(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_that_tell_no_day_are_errors() {
        for (format, expected) in [
            ("%H:%M", "does not tell a day"),
            ("%d/%m", "does not tell a day"),
            ("%H:%MZ", "does not tell a time"),
            ("%Y-%m-%d %J", "cannot be used"),
            ("%Y-%m-%d %", "cannot be used"),
            ("epoch", "none of rfc3339, epoch_s"),
            ("%Y-%m-%dZ", "holds a time zone, but no time of day"),
            ("%Y-%m-%d %H:%M:%S EST", "`EST` would be read as text"),
            (
                "%Y-%m-%d %H:%M:%S %Z %z",
                "both a zone's name and an offset",
            ),
        ] {
            let message = TimeFormat::new(format).unwrap_err().to_string();
            assert!(message.contains(expected), "{format}: {message}");
        }
    }

    #[test]
    fn words_that_only_look_like_zones_are_text() {
        for pattern in [
            "%d.%m.%Y um %H:%M Uhr",
            "Zeit %Y-%m-%d %H:%M",
            "%Y-%m-%d-00",
            "%Y-%m-%d (%H)",
            "%dZoo%m %Y %H",
        ] {
            let TimeFormat::Pattern(pattern) = TimeFormat::new(pattern).unwrap() else {
                panic!("{pattern}")
            };
            assert_eq!(pattern.single().1, Some(Tells::Local), "{pattern:?}");
        }
    }

    #[test]
    fn parts_are_directives_and_the_texts_between_them() {
        assert_eq!(
            parts("%Y-%_m%:z Z%%"),
            ["%Y", "-", "%_m", "%:z", " Z", "%%"]
        );
        assert_eq!(parts("%.3fé%"), ["%.3f", "é", "%"]);
    }
}
