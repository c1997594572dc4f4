//! Where the value of a field comes from: a column, or an expression.

use std::path::{Path, PathBuf};

use super::cel::Expression;
use crate::columnar::{Cell, NoId};
use crate::events::EventsError;
use crate::events::config::{Field, Mapping};
use crate::events::quality::printable::printable;
use crate::events::quality::rejection::{Rejection, RejectionReason};

/// What is expected of a floating-point number that may be one of several ids.
pub(crate) const INEXACT: &str = "text or an integer: so large a floating-point number may stand for several ids; write ids as text";

/// Columns, and characters of each, that a message shows.
const COLUMNS_SHOWN: usize = 40;
const CHARACTERS_SHOWN: usize = 80;

/// One row of a log, whatever its format.
pub(crate) trait Row {
    /// The value in a column by its position among the file's [`Columns`].
    fn cell(&self, column: usize) -> Result<Cell<'_>, NotUtf8>;

    /// The value for the expression engine where [`Self::cell`] says [`Cell::Nested`].
    fn nested(&self, column: usize) -> cel::Value;
}

/// Bytes that are not text, made printable.
#[derive(Debug)]
pub(crate) struct NotUtf8(pub(crate) String);

/// Why no event came of a row.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The row is to be counted by its reason.
    Rejected(Rejection),
    /// Reading cannot go on.
    Failed(Box<EventsError>),
}

impl From<Rejection> for Stop {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl<E: Into<EventsError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(Box::new(error.into()))
    }
}

/// The columns of one file, by name.
pub(crate) struct Columns<'a> {
    pub(crate) path: &'a Path,
    pub(crate) names: &'a [String],
}

impl Columns<'_> {
    /// The position of the column called `name`.
    pub(crate) fn position(&self, field: Field, name: &str) -> Result<usize, EventsError> {
        let mut found = self
            .names
            .iter()
            .enumerate()
            .filter(|(_, column)| *column == name);
        match (found.next(), found.next()) {
            (Some((position, _)), None) => Ok(position),
            (None, _) => Err(unknown_column(self.path, field, name, self.names)),
            (Some(_), Some(_)) => Err(EventsError::AmbiguousColumn {
                path: self.path.to_owned(),
                setting: field.setting(),
                column: name.to_owned(),
            }),
        }
    }

    /// The position of the column that an identifier of an expression means: the column of that name, or the only
    /// one whose name becomes the identifier when all but letters, digits and `_` are replaced by `_`.
    pub(crate) fn position_of_identifier(
        &self,
        field: Field,
        name: &str,
    ) -> Result<usize, EventsError> {
        if self.names.iter().any(|column| column == name) {
            return self.position(field, name);
        }
        let mut found = self
            .names
            .iter()
            .enumerate()
            .filter(|(_, column)| identifier(column) == name);
        match (found.next(), found.next()) {
            (Some((position, _)), None) => Ok(position),
            _ => self.position(field, name),
        }
    }
}

/// A column's name as an expression can write it.
pub(crate) fn identifier(column: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = column.chars().map(allowed).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        format!("_{name}")
    } else {
        name
    }
}

/// The error for a column that is not there, with the most similar one.
pub(crate) fn unknown_column(
    path: &Path,
    field: Field,
    name: &str,
    columns: &[String],
) -> EventsError {
    let shown = |column: &str| printable(column, CHARACTERS_SHOWN);
    let all = || columns.iter().map(String::as_str);
    let mut names: Vec<String> = all().take(COLUMNS_SHOWN).map(shown).collect();
    if columns.len() > COLUMNS_SHOWN {
        names.push(format!("and {} more", columns.len() - COLUMNS_SHOWN));
    }
    EventsError::UnknownColumn {
        path: PathBuf::from(path),
        setting: field.setting(),
        column: printable(name, CHARACTERS_SHOWN),
        nearest: nearest_column(name, all()).map(shown),
        columns: names,
    }
}

/// The column whose name is most similar to one that is not there; `None` where none is similar.
pub(crate) fn nearest_column<'n>(
    name: &str,
    columns: impl Iterator<Item = &'n str>,
) -> Option<&'n str> {
    let name = name.to_lowercase();
    let similarity = |column: &str| strsim::jaro_winkler(&column.to_lowercase(), &name);
    columns
        .map(|column| (similarity(column), column))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(similarity, _)| *similarity > 0.7)
        .map(|(_, column)| column)
}

/// Where the values of one field come from.
pub(crate) struct Source {
    field: Field,
    origin: Origin,
}

enum Origin {
    Column { name: String, position: usize },
    Expression(Box<Expression>),
}

impl Source {
    /// A source for `field`; an expression is compiled here, once.
    pub(crate) fn new(field: Field, mapping: &Mapping) -> Result<Self, EventsError> {
        let origin = match mapping {
            Mapping::Column(name) => Origin::Column {
                name: name.clone(),
                position: 0,
            },
            Mapping::Expression(text) => {
                Origin::Expression(Box::new(Expression::compile(field, text)?))
            }
        };
        Ok(Self { field, origin })
    }

    /// The names of the columns it needs.
    pub(crate) fn names(&self) -> Vec<&str> {
        match &self.origin {
            Origin::Column { name, .. } => vec![name],
            Origin::Expression(expression) => expression.names().collect(),
        }
    }

    /// Looks its columns up in another file.
    pub(crate) fn bind(&mut self, columns: &Columns<'_>) -> Result<(), EventsError> {
        match &mut self.origin {
            Origin::Column { name, position } => *position = columns.position(self.field, name)?,
            Origin::Expression(expression) => expression.bind(columns)?,
        }
        Ok(())
    }

    /// The positions of its columns in the file it is bound to.
    pub(crate) fn positions(&self) -> Vec<usize> {
        match &self.origin {
            Origin::Column { position, .. } => vec![*position],
            Origin::Expression(expression) => expression.positions().collect(),
        }
    }

    /// The position of its column, when it is one.
    pub(crate) fn column(&self) -> Option<usize> {
        match &self.origin {
            Origin::Column { position, .. } => Some(*position),
            Origin::Expression(_) => None,
        }
    }

    /// The value for a row.
    pub(crate) fn cell<'s>(&'s mut self, row: &'s impl Row) -> Result<Cell<'s>, Stop> {
        match &mut self.origin {
            Origin::Column { position, .. } => Ok(row
                .cell(*position)
                .map_err(|bytes| not_utf8(self.field, bytes))?),
            Origin::Expression(expression) => expression.evaluate(row),
        }
    }
}

pub(crate) fn not_utf8(field: Field, NotUtf8(value): NotUtf8) -> Rejection {
    Rejection {
        reason: RejectionReason::NotUtf8,
        field,
        value,
        expected: "text in UTF-8".into(),
    }
}

/// The text of a user or kind, without whitespace around it: numbers without a fraction are written as integers.
pub(crate) fn text_of<'t>(
    cell: Cell<'t>,
    scratch: &'t mut String,
    field: Field,
    empty: RejectionReason,
) -> Result<&'t str, Rejection> {
    scratch.clear();
    let bad = |expected: &'static str| {
        let reason = RejectionReason::BadType;
        Err(Rejection {
            reason,
            field,
            value: cell.to_string(),
            expected: expected.into(),
        })
    };
    match cell {
        Cell::Text(text) => {
            let text = text.trim();
            if text.is_empty() {
                Err(no_text(field, empty))
            } else {
                Ok(text)
            }
        }
        // A flag is a fine kind of event; as a user it is a mistake of the mapping.
        Cell::Bool(value) if field == Field::Kind => Ok(if value { "true" } else { "false" }),
        _ => match cell.write_id(scratch) {
            Ok(()) => Ok(scratch),
            Err(NoId::Empty) => Err(no_text(field, empty)),
            Err(NoId::Inexact) => bad(INEXACT),
            Err(NoId::Type) => bad("text or a number"),
        },
    }
}

fn no_text(field: Field, reason: RejectionReason) -> Rejection {
    let expected = if field == Field::User {
        "a user id"
    } else {
        "a kind of event"
    };
    Rejection {
        reason,
        field,
        value: String::new(),
        expected: expected.into(),
    }
}
