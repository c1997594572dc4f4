//! How times are written in a column.

use jiff::Timestamp;

use super::pattern::{PATTERNS, Pattern};
use super::{some_filled, zone};
use crate::columnar::Cell;
use crate::events::mapping::time::TimeReader;
use crate::history::Day;
use crate::init::sample::{Nature, Value};

/// The share of the values that must be times.
const LEAST_SHARE: f64 = 0.9;
/// Values that are looked at, at even distances.
const VALUES: usize = 600;
/// Values by which most patterns fail.
const FIRST_VALUES: usize = 12;

/// Seconds of 1990-01-01 and of 2100-01-01: numbers between them may be times.
const EPOCH_SECONDS: std::ops::Range<f64> = 631_152_000.0..4_102_444_800.0;
const EPOCHS: [(&str, f64); 4] = [
    ("epoch_s", 1.0),
    ("epoch_ms", 1e3),
    ("epoch_us", 1e6),
    ("epoch_ns", 1e9),
];

/// The times of a column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Times {
    /// The setting `time_format`; `None` for ISO 8601, and for columns that hold times by their own type.
    pub(crate) format: Option<String>,
    /// The other format that reads all values too, where day and month could be meant either way.
    pub(crate) other_format: Option<String>,
    /// Why this one of the two.
    pub(crate) order_reason: Option<&'static str>,
    /// The share of the values that are times.
    pub(crate) share: f64,
    /// Whether they are instants, whose day depends on a zone, and not local times.
    pub(crate) are_instants: bool,
    /// Whether they are plain numbers, which may well be something else.
    pub(crate) are_numbers: bool,
    pub(crate) has_clock: bool,
    /// The zone by the offsets of the values.
    pub(crate) zone: Option<zone::Zone>,
    /// The first and the last day.
    pub(crate) span: (Day, Day),
    /// Whether the values are in order of time, at least nearly.
    pub(crate) is_sorted: bool,
}

/// The times that a column holds; `None` where it holds something else.
pub(crate) fn times(values: &[Value], day_first: bool) -> Option<Times> {
    let chosen = some_filled(values, VALUES);
    let taken = chosen.len();
    let texts: Vec<&str> = chosen.iter().map(|value| value.text.as_str()).collect();
    let of = |nature: Nature| chosen.iter().filter(|v| v.nature == nature).count() * 2 > taken;
    if of(Nature::Day) || of(Nature::Local) || of(Nature::Instant) {
        let read = Reading::new(None, &texts)?;
        let mut times = read.times(None);
        times.are_instants = of(Nature::Instant);
        times.has_clock = !of(Nature::Day);
        return Some(times);
    }
    let is_number = |text: &&&str| text.parse::<f64>().is_ok();
    let numbers = texts.iter().filter(is_number).count();
    if taken == 0 || of(Nature::Bool) || of(Nature::Nested) {
        return None;
    }
    if numbers == taken {
        return of_numbers(&texts);
    }
    // Some of the values may be damaged.
    let are_numbers = numbers as f64 >= LEAST_SHARE * taken as f64;
    let ticks = are_numbers.then(|| of_numbers(&texts)).flatten();
    ticks.or_else(|| written(&texts, day_first))
}

/// The days that a format reads of some texts.
struct Reading {
    days: Vec<Option<Day>>,
}

impl Reading {
    /// `None` where it reads too few.
    fn new(format: Option<&str>, texts: &[&str]) -> Option<Self> {
        let mut reader = TimeReader::new(format, "UTC").ok()?;
        let mut day = |text: &&str| reader.day(Cell::Text(text)).ok();
        let first: Vec<Option<Day>> = texts.iter().take(FIRST_VALUES).map(&mut day).collect();
        let read = first.iter().flatten().count();
        // Some of the first may be damaged.
        if read * 2 < first.len() {
            return None;
        }
        let days: Vec<Option<Day>> = texts.iter().map(&mut day).collect();
        let reading = Self { days };
        (reading.share() >= LEAST_SHARE).then_some(reading)
    }

    fn share(&self) -> f64 {
        self.days.iter().flatten().count() as f64 / self.days.len().max(1) as f64
    }

    fn is_sorted(&self) -> bool {
        let days: Vec<Day> = self.days.iter().flatten().copied().collect();
        let steps = days.windows(2).filter(|two| two[0] != two[1]).count();
        let falls = days.windows(2).filter(|two| two[0] > two[1]).count();
        steps > 2 && (falls * 20 < steps || (steps - falls) * 20 < steps)
    }

    fn times(&self, format: Option<&str>) -> Times {
        let days = || self.days.iter().flatten().copied();
        let day = || Day::from(jiff::civil::date(1970, 1, 1));
        Times {
            format: format.map(str::to_owned),
            other_format: None,
            order_reason: None,
            share: self.share(),
            are_instants: false,
            are_numbers: false,
            has_clock: true,
            zone: None,
            span: (
                days().min().unwrap_or_else(day),
                days().max().unwrap_or_else(day),
            ),
            is_sorted: self.is_sorted(),
        }
    }
}

/// Times that are written in digits alone: a date, or ticks since 1970.
fn of_numbers(texts: &[&str]) -> Option<Times> {
    let are_digits = |length: usize| {
        let right = |text: &&&str| text.len() == length && text.bytes().all(|b| b.is_ascii_digit());
        texts.iter().filter(right).count() as f64 >= LEAST_SHARE * texts.len() as f64
    };
    for (length, format) in [(8, "%Y%m%d"), (14, "%Y%m%d%H%M%S"), (12, "%Y%m%d%H%M")] {
        if are_digits(length)
            && let Some(read) = Reading::new(Some(format), texts)
        {
            let mut times = read.times(Some(format));
            times.are_numbers = true;
            times.has_clock = length > 8;
            // Codes of eight digits may be dates by chance, hardly of neighbouring years.
            let years = times.span.1.since(times.span.0) / 365;
            return (read.share() >= 0.98 && years <= 60).then_some(times);
        }
    }
    let numbers: Vec<f64> = texts.iter().filter_map(|text| text.parse().ok()).collect();
    let (format, _) = EPOCHS.into_iter().find(|(_, per_s)| {
        let inside = numbers
            .iter()
            .filter(|n| EPOCH_SECONDS.contains(&(**n / per_s)))
            .count();
        inside as f64 >= 0.98 * numbers.len() as f64
    })?;
    let mut times = Reading::new(Some(format), texts)?.times(Some(format));
    (times.are_instants, times.are_numbers) = (true, true);
    Some(times)
}

/// Times that are written with marks or names between their digits.
fn written(texts: &[&str], day_first: bool) -> Option<Times> {
    let has_digits = |text: &&&str| text.bytes().filter(u8::is_ascii_digit).count() >= 3;
    if texts.iter().filter(has_digits).count() * 10 < texts.len() * 9 {
        return None;
    }
    let plain = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"];
    let mut best: Option<(Option<&str>, Reading)> = None;
    for format in plain.into_iter().map(Some).chain([None]) {
        if let Some(read) = Reading::new(format, texts)
            && best
                .as_ref()
                .is_none_or(|(_, best)| read.share() > best.share() + 0.01)
        {
            best = Some((format, read));
        }
    }
    if let Some((format, read)) = best {
        let mut times = read.times(format);
        times.has_clock = format != Some("%Y-%m-%d") && texts.iter().any(|text| text.contains(':'));
        if format.is_none() {
            let instants = texts.iter().filter(|text| is_instant(text)).count();
            times.are_instants = instants * 2 > texts.len();
            times.zone = zone::of_texts(texts, |text| text.parse().ok());
        }
        return Some(times);
    }
    by_pattern(texts, day_first)
}

/// Whether a text in ISO 8601 says which instant it is.
fn is_instant(text: &str) -> bool {
    text.parse::<Timestamp>().is_ok() || text.ends_with("UTC") || text.ends_with("GMT")
}

/// Times in the pattern that reads most of them.
fn by_pattern(texts: &[&str], day_first: bool) -> Option<Times> {
    let sample = texts.first()?;
    let mut best: Option<(&Pattern, Reading)> = None;
    for pattern in PATTERNS.iter().filter(|pattern| pattern.may_read(sample)) {
        if let Some(read) = Reading::new(Some(&pattern.format), texts)
            && best
                .as_ref()
                .is_none_or(|(_, best)| read.share() > best.share())
        {
            best = Some((pattern, read));
        }
    }
    let (pattern, read) = best?;
    let described = |format: &str, read: &Reading| {
        let mut times = read.times(Some(format));
        times.has_clock = pattern.has_clock;
        times.are_instants = pattern.is_instant;
        if format.contains("%z") {
            let instant = |text: &str| Timestamp::strptime(format, text).ok();
            times.zone = zone::of_texts(texts, instant);
        }
        times
    };
    let times = described(&pattern.format, &read);
    let other = pattern.swapped.as_deref();
    let both = other.and_then(|format| Some((format, Reading::new(Some(format), texts)?)));
    let Some((other, swapped)) = both.filter(|(_, swapped)| swapped.share() >= read.share()) else {
        return Some(times);
    };
    let swapped = described(other, &swapped);
    let is_day_first =
        |format: &Option<String>| format.as_ref().is_some_and(|f| f.starts_with("%d"));
    let twelve_hours = texts.iter().any(|text| text.ends_with(['M', 'm']));
    // In order of time under one reading alone: that is how the log was written.
    let (reason, takes_first) = if times.is_sorted != swapped.is_sorted {
        (
            "the rows are in order of time only if it is read so",
            times.is_sorted,
        )
    } else if twelve_hours {
        (
            "times with AM and PM mostly have the month first",
            !is_day_first(&times.format),
        )
    } else if sample.contains('.') {
        (
            "dates with points mostly have the day first",
            is_day_first(&times.format),
        )
    } else if day_first {
        (
            "files with `;` or a decimal comma mostly have the day first",
            is_day_first(&times.format),
        )
    } else {
        (
            "no day is above 12, so both are possible",
            is_day_first(&times.format),
        )
    };
    let (chosen, dropped) = match takes_first {
        true => (times, swapped),
        false => (swapped, times),
    };
    Some(Times {
        other_format: dropped.format,
        order_reason: Some(reason),
        ..chosen
    })
}

#[cfg(test)]
mod tests;
