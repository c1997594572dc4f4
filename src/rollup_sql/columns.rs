//! The columns of a log as SQL sees them.

use std::fmt;
use std::path::PathBuf;

use arrow_schema::DataType;

use super::dialect::Dialect;
use super::expression::{Result, Term};
use crate::events::config::Field;
use crate::events::mapping::field;
use crate::events::{EventsError, SqlRemedy};

/// The name of the first step of the query, which holds the log's columns.
pub(crate) const LOG: &str = "raw_events";

/// The type of a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Type {
    Text,
    /// An integer that 64 bits with a sign hold.
    Int,
    /// An integer that may need all of 64 bits.
    Uint,
    Float,
    /// A floating-point number of 32 bits, in a column of its own.
    Single,
    /// A decimal number, in a column of its own; an expression takes it for a floating-point number.
    Decimal,
    Bool,
    /// A date.
    Date,
    /// A date and time without a time zone, or a date.
    Local,
    Instant,
    Struct(Vec<(String, Type)>),
    /// A type that cannot serve.
    Other(String),
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Int => "an integer",
            Self::Uint => "an unsigned number of 64 bits",
            Self::Float | Self::Single => "a decimal or floating-point number",
            Self::Decimal => "a decimal number",
            Self::Bool => "a boolean",
            Self::Date => "a date",
            Self::Local => "a date or local time",
            Self::Instant => "an instant",
            Self::Struct(_) => "a structure",
            Self::Other(name) => name,
        })
    }
}

impl Type {
    /// Whether CEL and SQL agree on how the two compare.
    pub(crate) fn compares_with(&self, other: &Self) -> bool {
        let number = |kind: &Self| matches!(kind, Self::Int | Self::Float);
        number(self) && number(other)
            || matches!(
                (self, other),
                (Self::Text, Self::Text) | (Self::Bool, Self::Bool)
            )
    }
}

impl From<&DataType> for Type {
    fn from(found: &DataType) -> Self {
        match found {
            DataType::Dictionary(_, values) => Self::from(values.as_ref()),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Text,
            DataType::Boolean => Self::Bool,
            DataType::Date32 => Self::Date,
            DataType::Date64 | DataType::Timestamp(_, None) => Self::Local,
            DataType::Timestamp(_, Some(_)) => Self::Instant,
            DataType::Struct(members) => Self::Struct(
                members
                    .iter()
                    .map(|m| (m.name().clone(), Self::from(m.data_type())))
                    .collect(),
            ),
            DataType::UInt64 => Self::Uint,
            number if number.is_integer() => Self::Int,
            DataType::Float32 => Self::Single,
            number if number.is_floating() => Self::Float,
            number if number.is_decimal() => Self::Decimal,
            other => Self::Other(other.to_string()),
        }
    }
}

/// A file, and the names and types of its columns.
pub(crate) type Known = (PathBuf, Vec<(String, Type)>);

/// What is known of the log's columns.
#[derive(Debug)]
pub(crate) struct Columns {
    /// Their names and types, where a file has them.
    pub(crate) known: Option<Known>,
    /// Whether all are text, where nothing is the empty text.
    pub(crate) text: bool,
    /// Whether they come from files, so that text needs no conversion.
    pub(crate) from_files: bool,
    /// Whether each line has types of its own.
    pub(crate) untyped: bool,
}

impl Columns {
    /// The name of the column that an identifier of an expression means.
    pub(crate) fn resolve(&self, field: Field, identifier: &str) -> Result<String> {
        self.find(field, identifier, |columns| {
            columns.position_of_identifier(field, identifier)
        })
        .map(|found| found.0)
    }

    /// The column that an identifier of an expression means.
    pub(crate) fn column(&self, dialect: Dialect, field: Field, identifier: &str) -> Result<Term> {
        if self.untyped {
            return Err(EventsError::Sql {
                setting: field.setting(),
                dialect: dialect.name(),
                construct: "an expression over JSON Lines, where each line has types of its own,"
                    .to_owned(),
                instead: SqlRemedy::Table(
                    "name a column, or compute the value in a view and read the view instead"
                        .into(),
                ),
            });
        }
        let (name, kind) = self.find(field, identifier, |columns| {
            columns.position_of_identifier(field, identifier)
        })?;
        computed(
            dialect,
            field,
            &name,
            self.term(dialect, &name, kind.clone()),
            &kind,
        )
    }

    /// The column of this very name.
    pub(crate) fn plain(&self, dialect: Dialect, field: Field, name: &str) -> Result<Term> {
        let found = self.find(field, name, |columns| columns.position(field, name));
        found.map(|(name, kind)| self.term(dialect, &name, kind))
    }

    fn find(
        &self,
        field: Field,
        name: &str,
        position: impl Fn(&field::Columns<'_>) -> std::result::Result<usize, EventsError>,
    ) -> Result<(String, Type)> {
        let Some((path, columns)) = &self.known else {
            return Ok((name.to_owned(), Type::Text));
        };
        let names: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
        let at = position(&field::Columns {
            path,
            names: &names,
        })?;
        let found = columns.get(at).cloned();
        found.ok_or_else(|| field::unknown_column(path, field, name, &names))
    }

    fn term(&self, dialect: Dialect, name: &str, kind: Type) -> Term {
        let column = format!("{LOG}.{}", dialect.quote(name));
        let kind = if self.text { Type::Text } else { kind };
        let sql = match kind {
            Type::Text if self.text && self.from_files => format!("COALESCE({column}, '')"),
            Type::Text if self.text => format!("COALESCE({}, '')", dialect.to_text(&column)),
            Type::Text if !self.from_files => dialect.to_text(&column),
            Type::Int => dialect.whole_number(&column),
            Type::Float | Type::Single => dialect.double(&column),
            _ => column,
        };
        let kind = if kind == Type::Single {
            Type::Float
        } else {
            kind
        };
        Term {
            sql,
            kind,
            nullable: !self.text,
            fails: false,
            literal: None,
        }
    }
}

/// A column, or a member of one, of this kind as an expression computes with it.
pub(crate) fn computed(
    dialect: Dialect,
    field: Field,
    name: &str,
    term: Term,
    kind: &Type,
) -> Result<Term> {
    let exact_below = match kind {
        Type::Decimal if term.kind == Type::Decimal && field == Field::User => {
            return Err(EventsError::Sql {
                setting: field.setting(),
                dialect: dialect.name(),
                construct: format!(
                    "an expression over the decimal `{name}`, which may have more digits than it computes with,"
                ),
                instead: "name the column itself, without an expression".into(),
            });
        }
        Type::Decimal if term.kind == Type::Decimal => {
            return Ok(Term {
                sql: dialect.double(&term.sql),
                kind: Type::Float,
                ..term
            });
        }
        // The reader rejects ids that are rounded, as numbers so large are.
        Type::Float if term.kind == Type::Float && field == Field::User => 1_u64 << 53,
        Type::Single if term.kind == Type::Float && field == Field::User => 1 << 24,
        _ => return Ok(term),
    };
    Ok(Term {
        sql: format!("CASE WHEN ABS({0}) < {exact_below} THEN {0} END", term.sql),
        ..term
    })
}
