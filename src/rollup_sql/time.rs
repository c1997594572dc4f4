//! The day of an event's time as SQL.

use jiff::tz::Offset;

use super::columns::Type;
use super::expression::{Result, Translator};
use super::functions::{NUMBER, WHOLE};
use crate::events::mapping::time_format::{Pattern, Tells, TimeFormat};

/// `HH:MM:SS`, with the leap second that some clocks write.
const CLOCK: &str = "([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)";
/// Days by their digits.
const DIGITS: &str = "[0-9]{4}-[0-9]{2}-[0-9]{2}";

impl Translator<'_> {
    /// The day of `time`, a column of the step before whose text is trimmed.
    pub(crate) fn day(
        &self,
        time: &str,
        kind: &Type,
        format: &TimeFormat,
        zone: &str,
    ) -> Result<String> {
        let dialect = self.dialect;
        match (kind, format) {
            (Type::Local | Type::Date, _) => Ok(dialect.date_of_local(time)),
            (Type::Instant, _) => Ok(dialect.day_of_instant(time, zone)),
            (Type::Int, TimeFormat::Epoch(per_s)) => {
                let seconds = dialect.seconds_of_ticks(time, *per_s);
                Ok(dialect.day_of_instant(&dialect.instant_of_seconds(&seconds), zone))
            }
            (Type::Float, TimeFormat::Epoch(per_s)) => {
                let seconds = dialect.seconds_of_fraction(time, *per_s);
                Ok(dialect.day_of_instant(&dialect.instant_of_seconds(&seconds), zone))
            }
            (Type::Int | Type::Uint, _) => self.day_of_text(&dialect.to_text(time), format, zone),
            (Type::Decimal, _) => self.day_of_text(&dialect.decimal_text(time), format, zone),
            (Type::Text, _) => self.day_of_text(time, format, zone),
            _ => Err(self.refuse(
                &format!("a time that is {kind}"),
                "give text, a number, a date or a timestamp",
            )),
        }
    }

    fn day_of_text(&self, text: &str, format: &TimeFormat, zone: &str) -> Result<String> {
        let dialect = self.dialect;
        let date = |pattern: &str| {
            when(
                dialect.matches(text, pattern),
                &dialect.try_date(&format!("LEFT({text}, 10)")),
            )
        };
        Ok(match format {
            TimeFormat::Date => date(&format!("^{DIGITS}$")),
            TimeFormat::DateTime(between) => {
                date(&format!("^{DIGITS}{}{CLOCK}$", char::from(*between)))
            }
            TimeFormat::CompactDate => {
                let dashed =
                    dialect.replace_match(text, "^([0-9]{4})([0-9]{2})([0-9]{2})$", r"\1-\2-\3");
                when(
                    dialect.matches(text, "^[0-9]{8}$"),
                    &dialect.try_date(&dashed),
                )
            }
            TimeFormat::Epoch(per_s) => self.day_of_ticks(text, *per_s, zone),
            TimeFormat::Rfc3339 => {
                let (pattern, day) = self.day_of_instant_text(text, "Z", zone);
                when(pattern, &day)
            }
            TimeFormat::Iso => {
                let (is_instant, day) = self.day_of_instant_text(text, " *(Z|UTC|GMT)", zone);
                let clock = "([01][0-9]|2[0-3]):[0-5][0-9](:([0-5][0-9]|60)([.,][0-9]{1,9})?)?";
                let is_local = dialect.matches(text, &format!("^{DIGITS}([Tt ]{clock})?$"));
                let local = dialect.try_date(&format!("LEFT({text}, 10)"));
                format!("CASE WHEN {is_instant} THEN {day} WHEN {is_local} THEN {local} END")
            }
            TimeFormat::Pattern(pattern) => self.day_of_pattern(text, pattern, zone)?,
        })
    }

    /// Whether a text tells an instant, and its day. `UTC` and `GMT` may stand for `Z` where the format says so.
    fn day_of_instant_text(&self, text: &str, utc: &str, zone: &str) -> (String, String) {
        let pattern = format!(
            "^([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})[Tt ](([01][0-9]|2[0-3]):[0-5][0-9])(:[0-5][0-9])?([.,][0-9]{{1,9}})?\
             ({utc}|[+-][0-9]{{2}}(:[0-9]{{2}})?)$"
        );
        // The fraction does not matter to the day; engines differ in how many digits of it they take.
        let whole = self.dialect.replace_match(text, &pattern, r"\1 \2\4\6");
        let whole = if utc == "Z" {
            whole
        } else {
            self.dialect.replace_match(&whole, &format!("{utc}$"), "Z")
        };
        let whole = self
            .dialect
            .replace_match(&whole, "^([0-9 :-]{16})([Z+-].*)$", r"\1:00\2");
        let instant = self.dialect.try_instant(&whole);
        (
            self.dialect.matches(text, &pattern),
            self.dialect.day_of_instant(&instant, zone),
        )
    }

    fn day_of_ticks(&self, text: &str, per_s: i64, zone: &str) -> String {
        let dialect = self.dialect;
        let whole = dialect.seconds_of_ticks(&dialect.try_whole(text), per_s);
        let fraction = dialect.seconds_of_fraction(&dialect.try_double(text), per_s);
        let seconds = format!(
            "CASE WHEN {} THEN {whole} WHEN {} THEN {fraction} END",
            dialect.matches(text, WHOLE),
            dialect.matches(text, NUMBER)
        );
        dialect.day_of_instant(&dialect.instant_of_seconds(&seconds), zone)
    }

    /// The day of a time in a pattern of digits.
    fn day_of_pattern(&self, text: &str, pattern: &Pattern, zone: &str) -> Result<String> {
        let dialect = self.dialect;
        let (written, tells) = pattern.single();
        let instead = "write the time as rfc3339 or in digits (%Y, %m, %d, %H, %M, %S), or put a date or timestamp into a \
                       table and give --table and --time-type";
        let fail = || self.refuse(&format!("the time format `{written}`"), instead);
        let digits = Digits::of(written).ok_or_else(fail)?;
        let day = match tells {
            Some(Tells::Local) => dialect.try_date(&self.padded(text, &digits, &digits.date())),
            Some(Tells::Offset(Offset::UTC)) => {
                let time = self.padded(text, &digits, &digits.date_and_time().ok_or_else(fail)?);
                // Engines differ about leap seconds; the reader takes them for the second before.
                let time = dialect.replace_match(&time, ":60$", ":59");
                let instant = dialect.try_instant(&format!("({time} || 'Z')"));
                dialect.day_of_instant(&instant, zone)
            }
            _ => return Err(fail()),
        };
        Ok(when(dialect.matches(text, &digits.regex), &day))
    }

    /// The parts of a text put together as `template` says, each number with two digits.
    fn padded(&self, text: &str, digits: &Digits, template: &str) -> String {
        let padding = [
            ("-([0-9])-", r"-0\1-"),
            ("-([0-9])( |$)", r"-0\1\2"),
            (" ([0-9])(:|$)", r" 0\1\2"),
            (":([0-9]):", r":0\1:"),
            (":([0-9])$", r":0\1"),
        ];
        let used = if template.contains(' ') {
            padding.as_slice()
        } else {
            padding.get(..2).unwrap_or_default()
        };
        let parts = self.dialect.replace_match(text, &digits.regex, template);
        used.iter().fold(parts, |text, (from, to)| {
            self.dialect.replace_match(&text, from, to)
        })
    }
}

fn when(condition: String, value: &str) -> String {
    format!("CASE WHEN {condition} THEN {value} END")
}

/// The regular expression that a pattern of digits stands for, and which of its groups are what.
struct Digits {
    regex: String,
    year: usize,
    month: usize,
    day: usize,
    /// The hour, and the minute and second where there are any.
    clock: [Option<usize>; 3],
}

impl Digits {
    /// `None` where the pattern holds more than numbers that all engines read alike.
    fn of(pattern: &str) -> Option<Self> {
        let expanded = pattern
            .replace("%F", "%Y-%m-%d")
            .replace("%T", "%H:%M:%S")
            .replace("%R", "%H:%M");
        let (mut regex, mut groups, mut places) = ("^".to_owned(), 0, [None; 6]);
        let mut characters = expanded.chars().peekable();
        while let Some(character) = characters.next() {
            if character != '%' {
                match character {
                    ' ' => regex.push_str(" *"),
                    'A'..='Z' | 'a'..='z' | '0'..='9' | '-' | '/' | ':' | ',' | '_' => {
                        regex.push(character)
                    }
                    '.' => regex.push_str("[.]"),
                    _ => return None,
                }
                continue;
            }
            let directive = characters.next()?;
            // Without anything between two numbers, both have all of their digits.
            let exact = characters.peek() == Some(&'%');
            let digits =
                |one_or_two: &'static str, two: &'static str| if exact { two } else { one_or_two };
            let (part, place) = match directive {
                'Y' => ("[0-9]{4}", 0),
                'm' => (digits("0?[1-9]|1[0-2]", "0[1-9]|1[0-2]"), 1),
                'd' => (
                    digits("0?[1-9]|[12][0-9]|3[01]", "0[1-9]|[12][0-9]|3[01]"),
                    2,
                ),
                'H' => (digits("[01]?[0-9]|2[0-3]", "[01][0-9]|2[0-3]"), 3),
                'M' => (digits("[0-5]?[0-9]", "[0-5][0-9]"), 4),
                'S' => (digits("[0-5]?[0-9]|60", "[0-5][0-9]|60"), 5),
                _ => return None,
            };
            groups += 1;
            if let Some(place) = places.get_mut(place) {
                *place = Some(groups);
            }
            regex.push_str(&format!("({part})"));
        }
        let [Some(year), Some(month), Some(day), hour, minute, second] = places else {
            return None;
        };
        (groups < 10).then(|| Self {
            regex: regex + "$",
            year,
            month,
            day,
            clock: [hour, minute, second],
        })
    }

    fn date(&self) -> String {
        format!(r"\{}-\{}-\{}", self.year, self.month, self.day)
    }

    /// `None` where there is no hour, or a second without a minute.
    fn date_and_time(&self) -> Option<String> {
        let group = |group: usize| format!(r"\{group}");
        let zero = || "00".to_owned();
        let [Some(hour), minute, second] = self.clock else {
            return None;
        };
        let (minute, second) = (
            minute.map_or_else(zero, group),
            second.map_or_else(zero, group),
        );
        Some(format!("{} {}:{minute}:{second}", self.date(), group(hour)))
    }
}
