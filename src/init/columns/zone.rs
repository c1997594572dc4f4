//! The time zone by the offsets that are written in times.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

/// Zones in which many people live, one for each way in which offsets change.
const ZONES: [&str; 27] = [
    "Europe/London",
    "Europe/Berlin",
    "Europe/Helsinki",
    "Europe/Moscow",
    "Europe/Istanbul",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "America/Bogota",
    "America/Caracas",
    "America/Santiago",
    "America/Halifax",
    "America/Mexico_City",
    "Africa/Lagos",
    "Africa/Johannesburg",
    "Asia/Dubai",
    "Asia/Karachi",
    "Asia/Kolkata",
    "Asia/Dhaka",
    "Asia/Bangkok",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Australia/Sydney",
    "Pacific/Auckland",
];

/// The zone that fits the offsets of some times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Zone {
    /// All times are in UTC.
    Utc,
    /// A zone that has just these offsets at these times; others may have them too.
    Named(&'static str),
    /// Offsets that are those of no zone of the list.
    Unknown,
}

/// The zone of texts that end with an offset and that `read` makes instants of; `None` where most have none.
pub(crate) fn of_texts(texts: &[&str], read: impl Fn(&str) -> Option<Timestamp>) -> Option<Zone> {
    let times: Vec<(Timestamp, Offset)> = texts
        .iter()
        .filter_map(|text| Some((read(text)?, offset(text)?)))
        .collect();
    if times.len() * 2 <= texts.len() {
        return None;
    }
    let fits = |zone: &TimeZone| {
        let right = times
            .iter()
            .filter(|(at, offset)| zone.to_offset(*at) == *offset)
            .count();
        right as f64 >= 0.98 * times.len() as f64
    };
    if fits(&TimeZone::UTC) {
        return Some(Zone::Utc);
    }
    let named = ZONES
        .into_iter()
        .find(|name| TimeZone::get(name).is_ok_and(|zone| fits(&zone)));
    Some(named.map_or(Zone::Unknown, Zone::Named))
}

/// The offset at the end of a text.
fn offset(text: &str) -> Option<Offset> {
    if text.ends_with(['Z', 'z']) {
        return Some(Offset::UTC);
    }
    let at = text.rfind(['+', '-'])?;
    let sign = if text.get(at..)?.starts_with('-') {
        -1
    } else {
        1
    };
    let digits: String = text
        .get(at..)?
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    let number = |part: Option<&str>| part.and_then(|digits| digits.parse::<i32>().ok());
    let (hours, minutes) = (
        number(digits.get(..2))?,
        number(digits.get(2..4)).unwrap_or(0),
    );
    Offset::from_seconds(sign * (hours * 3_600 + minutes * 60)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_has_the_offsets_of_summer_and_winter() {
        for (texts, expected) in [
            (
                ["2024-01-31T10:00:00Z", "2024-07-31T10:00:00Z"],
                Some(Zone::Utc),
            ),
            (
                ["2024-01-31T10:00:00+00:00", "2024-07-31T10:00:00+00:00"],
                Some(Zone::Utc),
            ),
            (
                ["2024-01-31T10:00:00+00:00", "2024-07-31T10:00:00+01:00"],
                Some(Zone::Named("Europe/London")),
            ),
            (
                ["2024-01-31T10:00:00+01:00", "2024-07-31T10:00:00+02:00"],
                Some(Zone::Named("Europe/Berlin")),
            ),
            (
                ["2024-01-31T10:00:00-05:00", "2024-07-31T10:00:00-04:00"],
                Some(Zone::Named("America/New_York")),
            ),
            (
                ["2024-01-31T10:00:00-03:00", "2024-07-31T10:00:00-03:00"],
                Some(Zone::Named("America/Sao_Paulo")),
            ),
            (
                ["2024-01-31T10:00:00+05:30", "2024-07-31T10:00:00+05:30"],
                Some(Zone::Named("Asia/Kolkata")),
            ),
            (
                ["2024-01-31T10:00:00+13:45", "2024-07-31T10:00:00-09:30"],
                Some(Zone::Unknown),
            ),
            (["2024-01-31 10:00:00", "2024-07-31"], None),
        ] {
            assert_eq!(
                of_texts(&texts, |text| text.parse().ok()),
                expected,
                "{texts:?}"
            );
        }
    }
}
