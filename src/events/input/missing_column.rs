//! Why a column is missing from the header of a text file: often the first line is no header of these columns at all.

use super::chunks::{Layout, Piece, TextPiece};
use super::csv_record::is_number_or_time;
use crate::events::EventsError;
use crate::events::quality::printable::printable;

/// What may separate columns: the character, its name, that of several, and how the setting writes it.
const DELIMITERS: [(char, &str, &str, &str); 5] = [
    (',', "comma", "commas", ","),
    (';', "`;`", "`;`", ";"),
    ('\t', "tab", "tabs", "tab"),
    ('|', "`|`", "`|`", "|"),
    (' ', "blank", "blanks", "whitespace"),
];

/// The error for the columns of a piece, with the cause where a missing column has another.
pub(crate) fn explain(error: EventsError, piece: &Piece) -> EventsError {
    match (error, piece) {
        (
            EventsError::UnknownColumn {
                path,
                setting,
                column,
                nearest,
                columns,
            },
            Piece::Text(piece),
        ) => {
            let error = EventsError::UnknownColumn {
                path,
                setting,
                column,
                nearest,
                columns,
            };
            cause(&error, piece).unwrap_or(error)
        }
        (error, _) => error,
    }
}

fn cause(error: &EventsError, piece: &TextPiece) -> Option<EventsError> {
    let EventsError::UnknownColumn { path, column, .. } = error else {
        return None;
    };
    let path = path.clone();
    let names = piece.names.as_slice();
    if names.first()?.starts_with('{') {
        return Some(EventsError::JsonForHeader { path });
    }
    if let Layout::Csv(csv) = piece.layout
        && let Some((missing, found, setting)) = delimiter(names, char::from(csv.delimiter), column)
    {
        return Some(EventsError::WrongDelimiter {
            path,
            missing,
            found,
            setting,
        });
    }
    let data = names
        .iter()
        .find(|name| is_number_or_time(name.as_bytes()))?;
    let is_named = names.iter().any(|name| name.eq_ignore_ascii_case(column));
    let (column, value) = (column.clone(), printable(data, 40));
    (!is_named).then_some(EventsError::DataForHeader {
        path,
        column,
        value,
    })
}

/// How many delimiters a header has, how many of another kind that seems to be meant, and the setting for it: of those
/// that would give the missing column, or else separate anything at all, the most frequent.
fn delimiter(
    names: &[String],
    delimiter: char,
    column: &str,
) -> Option<(String, String, &'static str)> {
    let header = names.join(&delimiter.to_string());
    let others = DELIMITERS
        .iter()
        .filter(|(other, ..)| *other != delimiter && header.contains(*other));
    let count = |other: &char| header.matches(*other).count();
    let gives = |other: &char| {
        header
            .split(*other)
            .any(|name| name.trim().trim_matches('"') == column)
    };
    let is_meant = |other: &char| gives(other) || names.len() == 1 && *other != ' ';
    let (other, one, several, setting) = others
        .filter(|(other, ..)| is_meant(other))
        .max_by_key(|(other, ..)| (gives(other), count(other)))?;
    let known = DELIMITERS.iter().find(|(known, ..)| *known == delimiter);
    let missing = match (names.len() - 1, known) {
        (0, Some((_, one, ..))) => format!("no {one}"),
        (1, Some((_, one, ..))) => format!("1 {one}"),
        (n, Some((_, _, several, _))) => format!("{n} {several}"),
        (n, None) => format!("{n} `{delimiter}`"),
    };
    let count = count(other);
    Some((
        missing,
        format!("{count} {}", if count == 1 { one } else { several }),
        setting,
    ))
}
