//! Days on which the product changed: the `[[releases]]` tables of the configuration.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use toml::value::Datetime;

use crate::configuration::SettingError;
use crate::history::Day;

/// A change of the product that may have changed what its users do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The first day with the change.
    #[serde(deserialize_with = "day")]
    pub day: Day,
    /// What changed, for readers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Refuses two releases on one day.
///
/// # Errors
/// [`SettingError`] names the day.
pub(super) fn validate(releases: &[Release]) -> Result<(), SettingError> {
    let twice = releases
        .iter()
        .enumerate()
        .find(|(at, release)| releases.iter().take(*at).any(|r| r.day == release.day));
    let Some((_, Release { day, .. })) = twice else {
        return Ok(());
    };
    let problem = format!(
        "releases.day is {day} in two of the [[releases]]: give each day once, with one note for all that changed"
    );
    Err(SettingError::new("releases", "day", problem))
}

/// Reads a day: a date of TOML, or a text.
///
/// # Errors
/// What is no day.
pub(super) fn day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Day, D::Error> {
    deserializer.deserialize_any(DayVisitor)
}

/// The same for a day that may be left out.
///
/// # Errors
/// As [`day`].
pub(super) fn optional_day<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Day>, D::Error> {
    day(deserializer).map(Some)
}

/// Reads the tables, or one of them as a list of one.
///
/// # Errors
/// That of the table.
pub(crate) fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Release>, D::Error> {
    deserializer.deserialize_any(ListVisitor)
}

struct DayVisitor;

impl<'de> Visitor<'de> for DayVisitor {
    type Value = Day;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a day such as 2026-03-01")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Day, E> {
        text.parse().map_err(Error::custom)
    }

    /// The reader of TOML gives a date as a table of its own.
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Day, A::Error> {
        let date = Datetime::deserialize(MapAccessDeserializer::new(map))
            .map_err(|_| Error::custom("expected a day such as 2026-03-01"))?;
        date.to_string().parse().map_err(Error::custom)
    }
}

struct ListVisitor;

impl<'de> Visitor<'de> for ListVisitor {
    type Value = Vec<Release>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tables of [[releases]]")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<Release>, A::Error> {
        Release::deserialize(MapAccessDeserializer::new(map)).map(|release| vec![release])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, tables: A) -> Result<Vec<Release>, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(tables))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct File {
        #[serde(default, deserialize_with = "list")]
        releases: Vec<Release>,
    }

    fn read(text: &str) -> Result<Vec<Release>, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        validate(&file.releases).map_err(|error| error.to_string())?;
        Ok(file.releases)
    }

    #[test]
    fn days_are_dates_or_texts_and_one_table_is_a_list_of_one() {
        let dates = "[[releases]]\nday = 2026-03-01\nnote = \"AI editor\"\n[[releases]]\nday = \"2026-05-01\"\n";
        let found = read(dates).unwrap();
        let days: Vec<String> = found.iter().map(|r| r.day.to_string()).collect();
        assert_eq!(days, ["2026-03-01", "2026-05-01"]);
        assert_eq!(found[0].note.as_deref(), Some("AI editor"));
        assert_eq!(read("[releases]\nday = 2026-05-01").unwrap()[0].note, None);
        assert_eq!(read("").unwrap(), []);
    }

    #[test]
    fn what_is_no_day_and_a_day_that_comes_twice_are_named() {
        for (text, part) in [
            ("day = \"1 March\"", "\"1 March\""),
            ("day = 20260301", "expected a day such as 2026-03-01"),
            ("day = 2026-03-01T10:00:00", "2026-03-01T10:00:00"),
            ("day = { year = 2026 }", "expected a day such as 2026-03-01"),
            ("note = \"new\"", "missing field `day`"),
            ("day = 2026-03-01\nnotes = \"new\"", "unknown field `notes`"),
        ] {
            let message = read(&format!("[[releases]]\n{text}\n")).unwrap_err();
            assert!(
                message.contains(part) && message.contains("at line"),
                "{text}: {message}"
            );
        }
        let twice = "[[releases]]\nday = 2026-03-01\n[[releases]]\nday = '2026-03-01'\n";
        let message = read(twice).unwrap_err();
        assert!(
            message.starts_with("releases.day is 2026-03-01 in two"),
            "{message}"
        );
        assert!(
            read("releases = 3")
                .unwrap_err()
                .contains("tables of [[releases]]")
        );
    }
}
