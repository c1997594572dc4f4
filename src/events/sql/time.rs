//! The day of an event's time as SQL.

use super::super::time::TimeFormat;
use super::columns::Type;
use super::expression::{Result, Translator};
use super::functions::{NUMBER, WHOLE};

/// `HH:MM:SS`, with the leap second that some clocks write.
const CLOCK: &str = "([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)";
/// Days by their digits.
const DIGITS: &str = "[0-9]{4}-[0-9]{2}-[0-9]{2}";

impl Translator<'_> {
    /// The day of `time`, a column of the step before whose text is trimmed.
    pub(super) fn day(&self, time: &str, kind: &Type, format: &TimeFormat, zone: &str) -> Result<String> {
        let dialect = self.dialect;
        match (kind, format) {
            (Type::Local, _) => Ok(dialect.date_of_local(time)),
            (Type::Instant, _) => Ok(dialect.day_of_instant(time, zone)),
            (Type::Int, TimeFormat::Epoch(per_s)) => {
                let seconds = dialect.seconds_of_ticks(time, *per_s);
                Ok(dialect.day_of_instant(&dialect.instant_of_seconds(&seconds), zone))
            }
            (Type::Float, TimeFormat::Epoch(per_s)) => {
                let seconds = dialect.seconds_of_fraction(time, *per_s);
                Ok(dialect.day_of_instant(&dialect.instant_of_seconds(&seconds), zone))
            }
            (Type::Int, _) => self.day_of_text(&dialect.to_text(time), format, zone),
            (Type::Text, _) => self.day_of_text(time, format, zone),
            _ => Err(self.refuse(&format!("a time that is {kind}"), "give text, a number, a date or a timestamp")),
        }
    }

    fn day_of_text(&self, text: &str, format: &TimeFormat, zone: &str) -> Result<String> {
        let dialect = self.dialect;
        let date =
            |pattern: &str| when(dialect.matches(text, pattern), &dialect.try_date(&format!("LEFT({text}, 10)")));
        Ok(match format {
            TimeFormat::Date => date(&format!("^{DIGITS}$")),
            TimeFormat::DateTime(between) => date(&format!("^{DIGITS}{}{CLOCK}$", char::from(*between))),
            TimeFormat::CompactDate => {
                let dashed = dialect.replace_match(text, "^([0-9]{4})([0-9]{2})([0-9]{2})$", r"\1-\2-\3");
                when(dialect.matches(text, "^[0-9]{8}$"), &dialect.try_date(&dashed))
            }
            TimeFormat::Epoch(per_s) => self.day_of_ticks(text, *per_s, zone),
            TimeFormat::Rfc3339 => {
                let (pattern, day) = self.day_of_instant_text(text, zone);
                when(pattern, &day)
            }
            TimeFormat::Iso => {
                let (is_instant, day) = self.day_of_instant_text(text, zone);
                let clock = "([01][0-9]|2[0-3]):[0-5][0-9](:([0-5][0-9]|60)([.,][0-9]{1,9})?)?";
                let is_local = dialect.matches(text, &format!("^{DIGITS}([Tt ]{clock})?$"));
                let local = dialect.try_date(&format!("LEFT({text}, 10)"));
                format!("CASE WHEN {is_instant} THEN {day} WHEN {is_local} THEN {local} END")
            }
            TimeFormat::Pattern(pattern, is_instant) => self.day_of_pattern(text, pattern, *is_instant)?,
        })
    }

    /// Whether a text tells an instant, and its day.
    fn day_of_instant_text(&self, text: &str, zone: &str) -> (String, String) {
        let pattern = "^([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ](([01][0-9]|2[0-3]):[0-5][0-9])(:[0-5][0-9])?([.,][0-9]{1,9})?\
                       (Z|[+-][0-9]{2}(:[0-9]{2})?)$";
        // The fraction does not matter to the day; engines differ in how many digits of it they take.
        let whole = self.dialect.replace_match(text, pattern, r"\1 \2\4\6");
        let whole = self.dialect.replace_match(&whole, "^([0-9 :-]{16})([Z+-].*)$", r"\1:00\2");
        let instant = self.dialect.try_instant(&whole);
        (self.dialect.matches(text, pattern), self.dialect.day_of_instant(&instant, zone))
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

    /// The day of a local time in a pattern of digits.
    fn day_of_pattern(&self, text: &str, pattern: &str, is_instant: bool) -> Result<String> {
        let dialect = self.dialect;
        let instead = "write the time as rfc3339 or in digits (%Y, %m, %d, %H, %M, %S), or put a date or timestamp into a \
                       table and give --table and --time-type";
        let fail = || self.refuse(&format!("the time format `{pattern}`"), instead);
        if is_instant {
            return Err(fail());
        }
        let (regex, dashed) = regex_of_pattern(pattern).ok_or_else(fail)?;
        let date = dialect.replace_match(text, &regex, &dashed);
        let padded = dialect.replace_match(&date, "-([0-9])-", r"-0\1-");
        let padded = dialect.replace_match(&padded, "-([0-9])$", r"-0\1");
        Ok(when(dialect.matches(text, &regex), &dialect.try_date(&padded)))
    }
}

fn when(condition: String, value: &str) -> String {
    format!("CASE WHEN {condition} THEN {value} END")
}

/// The regular expression that a pattern of digits stands for, and the date made of its groups.
fn regex_of_pattern(pattern: &str) -> Option<(String, String)> {
    let expanded = pattern.replace("%F", "%Y-%m-%d").replace("%T", "%H:%M:%S").replace("%R", "%H:%M");
    let (mut regex, mut groups, mut places) = ("^".to_owned(), 0, [None; 3]);
    let mut characters = expanded.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '%' {
            match character {
                ' ' => regex.push_str(" *"),
                'A'..='Z' | 'a'..='z' | '0'..='9' | '-' | '/' | ':' | ',' | '_' => regex.push(character),
                '.' => regex.push_str("[.]"),
                _ => return None,
            }
            continue;
        }
        let directive = characters.next()?;
        // Without anything between two numbers, both have all of their digits.
        let exact = characters.peek() == Some(&'%');
        let digits = |one_or_two: &'static str, two: &'static str| if exact { two } else { one_or_two };
        let (part, place) = match directive {
            'Y' => ("[0-9]{4}", Some(0)),
            'm' => (digits("0?[1-9]|1[0-2]", "0[1-9]|1[0-2]"), Some(1)),
            'd' => (digits("0?[1-9]|[12][0-9]|3[01]", "0[1-9]|[12][0-9]|3[01]"), Some(2)),
            'H' => (digits("[01]?[0-9]|2[0-3]", "[01][0-9]|2[0-3]"), None),
            'M' => (digits("[0-5]?[0-9]", "[0-5][0-9]"), None),
            'S' => (digits("[0-5]?[0-9]|60", "[0-5][0-9]|60"), None),
            _ => return None,
        };
        groups += 1;
        if let Some(place) = place.and_then(|place: usize| places.get_mut(place)) {
            *place = Some(groups);
        }
        regex.push_str(&format!("({part})"));
    }
    let [Some(year), Some(month), Some(day)] = places else { return None };
    (groups < 10).then(|| (regex + "$", format!(r"\{year}-\{month}-\{day}")))
}
