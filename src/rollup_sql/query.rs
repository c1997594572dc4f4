//! The fields of an event, as SQL over the columns of the log.

use super::columns::{Columns, LOG, Type};
use super::expression::{Result, Term, Translator};
use super::from::From;
use super::{SqlRequest, TimeType, unsupported};
use crate::events::SqlRemedy;
use crate::events::config::Field;
use crate::events::config::{Format, Mapping};
use crate::events::mapping::cel::Expression;
use crate::events::mapping::mapper::KIND_OF_ALL;
use crate::events::mapping::time_format::TimeFormat;

/// The time of an event.
pub(super) struct Time {
    /// As it is in the log.
    pub(super) value: String,
    /// Its day.
    pub(super) day: String,
    /// Whether it is written as a date, so that it cannot be in the wrong unit.
    pub(super) is_written: bool,
}

/// The amount of an event.
pub(super) struct AmountSql {
    /// As it is in the log.
    pub(super) value: String,
    /// The number that comes of it: 0 where it is empty, NULL where it is none.
    pub(super) number: String,
}

/// The fields of an event.
pub(super) struct Fields {
    pub(super) user: String,
    pub(super) time: Time,
    pub(super) kind: String,
    pub(super) amount: AmountSql,
}

pub(super) struct Query<'a> {
    pub(super) request: &'a SqlRequest<'a>,
    pub(super) columns: &'a Columns,
}

impl Query<'_> {
    /// The fields as they are mapped.
    pub(super) fn fields(&self, from: &From) -> Result<Fields> {
        let config = self.request.config;
        let kind = match &config.kind {
            Some(kind) => self.text(Field::Kind, kind)?,
            None => {
                let kind = self.request.default_kind.unwrap_or(KIND_OF_ALL);
                self.request.dialect.text(kind)
            }
        };
        Ok(Fields {
            user: self.text(Field::User, self.required(Field::User)?)?,
            time: self.time(self.required(Field::Time)?, from)?,
            kind,
            amount: self.amount()?,
        })
    }

    fn required(&self, field: Field) -> Result<&Mapping> {
        let mapping = self.request.config.mapping(field);
        mapping
            .ok_or_else(|| unsupported(self.request, field.setting(), "a log without it", "set it"))
    }

    fn translator(&self, field: Field) -> Translator<'_> {
        Translator {
            dialect: self.request.dialect,
            field,
            columns: self.columns,
        }
    }

    /// The value of a field as it is mapped.
    fn value(&self, field: Field, mapping: &Mapping) -> Result<Term> {
        match mapping {
            Mapping::Column(name) => self.columns.plain(self.request.dialect, field, name),
            Mapping::Expression(text) => {
                let expression = Expression::compile(field, text)?;
                self.translator(field).value(expression.ast())
            }
        }
    }

    /// A user or a kind as trimmed text.
    fn text(&self, field: Field, mapping: &Mapping) -> Result<String> {
        let value = self.value(field, mapping)?;
        let translator = self.translator(field);
        match value.kind {
            Type::Bool if field == Field::User => {
                Err(translator.unsupported("a boolean as a user", "convert it to text"))
            }
            _ => {
                let trim = value.kind == Type::Text;
                let text = translator.string(value)?.sql;
                Ok(if trim {
                    self.request.dialect.trim(&text)
                } else {
                    text
                })
            }
        }
    }

    /// The time's value, and the day that comes of it.
    fn time(&self, mapping: &Mapping, from: &From) -> Result<Time> {
        let request = self.request;
        let time = self.typed_time(mapping, from)?;
        let value = if time.kind == Type::Text {
            request.dialect.trim(&time.sql)
        } else {
            time.sql
        };
        let format = request.config.time_format.as_deref();
        let format = format.map_or(Ok(TimeFormat::Iso), TimeFormat::new)?;
        let is_written = match time.kind {
            Type::Local | Type::Instant => false,
            Type::Date => true,
            _ => !matches!(format, TimeFormat::Epoch(_)),
        };
        let zone = &request.config.timezone.0;
        let translator = self.translator(Field::Time);
        let day = translator.day("time_value", &time.kind, &format, zone)?;
        Ok(Time {
            value,
            day,
            is_written,
        })
    }

    /// The time as the table has it, in the type that the request gives for it.
    fn typed_time(&self, mapping: &Mapping, from: &From) -> Result<Term> {
        let request = self.request;
        let mut time = self.value(Field::Time, mapping)?;
        let (Mapping::Column(name), true) = (mapping, from.is_table()) else {
            return match request.time_type {
                None => Ok(time),
                Some(_) => Err(unsupported(
                    request,
                    "time",
                    "a type given for a column of files or an expression",
                    "leave it away; it is for a column of a table",
                )),
            };
        };
        let may_be_typed = from.format.is_none_or(|format| format == Format::Parquet);
        match request.time_type {
            None if may_be_typed && self.columns.known.is_none() => {
                let instead = "say what it is, or run this where the configured files are";
                return Err(unsupported(
                    request,
                    "time",
                    "a column of unknown type",
                    SqlRemedy::TimeType(instead.into()),
                ));
            }
            Some(kind @ (TimeType::Local | TimeType::Instant)) => {
                time.sql = format!("{LOG}.{}", request.dialect.quote(name));
                time.kind = if kind == TimeType::Local {
                    Type::Local
                } else {
                    Type::Instant
                };
            }
            Some(TimeType::Text) if time.kind != Type::Text => {
                time.sql = request.dialect.to_text(&time.sql);
                time.kind = Type::Text;
            }
            _ => {}
        }
        Ok(time)
    }

    /// The amount's value, and the number that comes of it: 0 where it is empty, NULL where it is none.
    fn amount(&self) -> Result<AmountSql> {
        let dialect = self.request.dialect;
        let Some(mapping) = &self.request.config.amount else {
            return Ok(AmountSql {
                value: dialect.double("0"),
                number: "amount_value".to_owned(),
            });
        };
        let translator = self.translator(Field::Amount);
        let mut value = self.value(Field::Amount, mapping)?;
        if matches!(mapping, Mapping::Column(_)) && value.nullable {
            value = translator.never_null(value);
        }
        let (value, number) = match value.kind {
            Type::Text => {
                let text = Term {
                    sql: "amount_value".to_owned(),
                    literal: None,
                    ..value.clone()
                };
                let number = match self.request.config.decimal {
                    None => translator.double(text)?.sql,
                    Some(decimal) => translator.written_decimal("amount_value", decimal),
                };
                let number = format!(
                    "CASE WHEN amount_value = '' THEN {} ELSE {number} END",
                    dialect.double("0")
                );
                (dialect.trim(&value.sql), number)
            }
            Type::Int | Type::Uint | Type::Decimal => {
                (dialect.double(&value.sql), "amount_value".to_owned())
            }
            Type::Float => (value.sql, dialect.finite("amount_value")),
            kind => {
                let construct = format!("an amount that is {kind}");
                return Err(translator.unsupported(&construct, "give text or a number"));
            }
        };
        Ok(AmountSql { value, number })
    }

    /// The names of all columns in use.
    pub(super) fn names(&self) -> Result<Vec<String>> {
        let mut names: Vec<String> = Vec::new();
        for field in [Field::User, Field::Time, Field::Kind, Field::Amount] {
            for name in self.names_of(field)? {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        Ok(names)
    }

    fn names_of(&self, field: Field) -> Result<Vec<String>> {
        match self.request.config.mapping(field) {
            None => Ok(Vec::new()),
            Some(Mapping::Column(name)) => Ok(vec![name.clone()]),
            Some(Mapping::Expression(text)) => {
                let expression = Expression::compile(field, text)?;
                let names = expression.names();
                names
                    .map(|name| self.columns.resolve(field, name))
                    .collect()
            }
        }
    }
}
