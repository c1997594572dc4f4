//! Where a key stands in the text of a configuration file.

use std::fmt;
use std::ops::Range;

use serde::Serialize;
use toml::de::DeTable;

use crate::configuration::SettingError;

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column } = self;
        write!(f, "line {line}, column {column}")
    }
}

impl Position {
    /// The place of a parser's byte range in a text.
    fn of(text: &str, span: &Range<usize>) -> Self {
        let before = text.get(..span.start).unwrap_or(text);
        let line = before.rsplit('\n').next().unwrap_or(before);
        Self {
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
        }
    }
}

/// Where a key of a section stands, if the file has it.
pub(super) fn key_position(
    table: &DeTable<'_>,
    text: &str,
    section: &str,
    key: &str,
) -> Option<Position> {
    let keys = table.get(section)?.get_ref().as_table()?;
    let (name, _) = keys.get_key_value(key)?;
    Some(Position::of(text, &name.span()))
}

/// Where a setting stands that must not have its value. A file may violate a condition between two keys by one of them alone;
/// then it is the first key that the problem names.
pub(super) fn setting_position(
    table: &DeTable<'_>,
    text: &str,
    error: &SettingError,
) -> Option<Position> {
    let SettingError {
        section,
        key,
        problem,
    } = error;
    let named = || {
        let keys = table.get(*section)?.get_ref().as_table()?;
        let mut named = keys
            .keys()
            .filter(|name| problem.contains(name.get_ref().as_ref()))
            .map(|name| name.span());
        let first = named.next()?;
        Some(named.fold(first, |a, b| if b.start < a.start { b } else { a }))
    };
    key_position(table, text, section, key)
        .or_else(|| named().map(|span| Position::of(text, &span)))
}
