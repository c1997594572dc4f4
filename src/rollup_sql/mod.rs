//! The daily roll-up as a query for SQL engines.
//!
//! [`rollup_sql`] writes the `GROUP BY` that makes of a log what [`crate::history::write_rollup`] makes of it, by the
//! same mapping, time zone, trimming and rules for refused rows. What an engine cannot say exactly as the reader does is
//! an error that names the setting, never a guess; the little that differs is listed in the query's first lines.

pub(crate) mod calendar;
pub(crate) mod columns;
pub(crate) mod dialect;
pub(crate) mod expression;
pub(crate) mod from;
pub(crate) mod functions;
#[cfg(test)]
mod tests;
pub(crate) mod time;

use std::path::Path;

pub use dialect::Dialect;

use crate::events::EventsError;
use crate::events::config::{EventsConfig, Format, Mapping, OnBadRow};
use crate::events::mapping::cel::Expression;
use crate::events::mapping::mapper::KIND_OF_ALL;
use crate::events::mapping::time::{MISREAD_DAYS, TimeReader};
use crate::events::mapping::time_format::TimeFormat;
use crate::events::quality::rejection::Field;
use crate::history::{AMOUNT_LIMIT, Day, YEARS};
use columns::{Columns, LOG, Type};
use expression::{Result, Term, Translator};
use from::From;

/// What the time column of a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeType {
    /// Text or a number, as `events.time_format` says.
    Text,
    /// A date, or a date and time without a time zone, which is local already.
    Local,
    /// An instant: a timestamp with a time zone, or in UTC.
    Instant,
}

/// Which log, and for which engine.
#[derive(Clone, Copy, Debug)]
pub struct SqlRequest<'a> {
    /// How to read the log.
    pub config: &'a EventsConfig,
    /// The folder that the configured paths are relative to.
    pub base_dir: &'a Path,
    /// The engine.
    pub dialect: Dialect,
    /// The table to read, as the engine writes it; `None` for the configured files where the engine reads files, and
    /// the table `events` where it does not.
    pub table: Option<&'a str>,
    /// What the time column of the table is; `None` for what the configured files say.
    pub time_type: Option<TimeType>,
    /// The as-of day: events on or after it are left out. `None` to keep all.
    pub until: Option<Day>,
    /// The kind of all events where no kind is configured; `event` when `None`.
    pub default_kind: Option<&'a str>,
}

/// The error for a setting that SQL cannot honour.
fn refuse(
    request: &SqlRequest<'_>,
    setting: &'static str,
    construct: &str,
    instead: &str,
) -> EventsError {
    let (construct, instead) = (construct.to_owned(), instead.to_owned());
    EventsError::Sql {
        setting,
        dialect: request.dialect.name(),
        construct,
        instead,
    }
}

/// The query for the daily roll-up of a log.
///
/// # Errors
/// [`EventsError::Sql`] where the engine cannot be told to do what the reader does; the errors of
/// [`crate::events::read_log`] about settings, columns and files.
pub fn rollup_sql(request: &SqlRequest<'_>) -> Result<String> {
    // Checks the time zone and the format as reading does.
    TimeReader::new(
        request.config.time_format.as_deref(),
        &request.config.timezone.0,
    )?;
    let from = From::new(request)?;
    let query = Query {
        request,
        columns: &from.columns,
    };
    let required = |field: Field, mapping: Option<&'_ Mapping>| {
        mapping
            .cloned()
            .ok_or_else(|| refuse(request, field.setting(), "a log without it", "set it"))
    };
    let user = query.text(
        Field::User,
        &required(Field::User, request.config.user.as_ref())?,
    )?;
    let Time {
        value: time,
        day,
        is_written,
    } = query.time(&required(Field::Time, request.config.time.as_ref())?, &from)?;
    let kind = match &request.config.kind {
        Some(kind) => query.text(Field::Kind, kind)?,
        None => request
            .dialect
            .text(request.default_kind.unwrap_or(KIND_OF_ALL)),
    };
    let (amount, number) = query.amount()?;
    let log = from.sql(request, &query.names()?)?;
    let dialect = request.dialect;
    let misread = if is_written {
        String::new()
    } else {
        unlike_misread_days(dialect)
    };
    let as_of = request
        .until
        .map(|day| format!("\n  AND event_day < {}", dialect.date(&day.to_string())));
    let column = |name: &str| dialect.quote(name);
    Ok(format!(
        "{header}WITH {LOG} AS (\n  {log}\n),\nfields AS (\n  SELECT\n    {user} AS user_text,\n    {time} AS time_value,\n    \
         {kind} AS kind_text,\n    {amount} AS amount_value\n  FROM {LOG}\n),\nparsed AS (\n  SELECT\n    user_text AS \
         event_user,\n    {day} AS event_day,\n    kind_text AS event_kind,\n    {number} AS event_amount\n  FROM \
         fields\n)\nSELECT\n  event_user AS {user_name},\n  event_day AS {day_name},\n  event_kind AS {kind_name},\n  \
         COUNT(*) AS {count_name},\n  {sum} AS {amount_name}\nFROM parsed\nWHERE event_user <> '' AND event_kind <> \
         ''\n  AND event_day BETWEEN {first} AND {last}{misread}\n  AND event_amount BETWEEN -{limit} AND {limit}{as_of}\nGROUP BY \
         event_user, event_day, event_kind\n",
        header = header(request, &from, day.contains("[Tt ]")),
        sum = dialect.sum_of_amounts("event_amount"),
        first = dialect.date(&format!("{}-01-01", YEARS.start())),
        last = dialect.date(&format!("{}-12-31", YEARS.end())),
        limit = AMOUNT_LIMIT,
        as_of = as_of.unwrap_or_default(),
        user_name = column("user"),
        day_name = column("day"),
        kind_name = column("kind"),
        count_name = column("count"),
        amount_name = column("amount"),
    ))
}

/// Leaves out the days on which times fall that are read in the wrong unit.
fn unlike_misread_days(dialect: Dialect) -> String {
    let date = |number: &i32| {
        Day::new(*number).map_or_else(String::new, |day| dialect.date(&day.to_string()))
    };
    let (first, last) = (date(MISREAD_DAYS.start()), date(MISREAD_DAYS.end()));
    format!("\n  AND event_day NOT BETWEEN {first} AND {last}")
}

/// What the first lines of the query say of it.
fn header(request: &SqlRequest<'_>, from: &From, iso: bool) -> String {
    let engine = match request.dialect {
        Dialect::Spark => "Spark SQL (4.0 or newer)",
        Dialect::BigQuery => "BigQuery",
        Dialect::Snowflake => "Snowflake",
        Dialect::ClickHouse => "ClickHouse",
        Dialect::DuckDb => "DuckDB (1.2 or newer)",
        Dialect::Postgres => "PostgreSQL (16 or newer)",
    };
    let mut lines = vec![
        format!("The daily roll-up (user, day, kind, count, amount) of an event log, for {engine}."),
        "Written by `ebb-train rollup-sql`. Save the rows as Parquet: ebb-train reads them in place of the log."
            .to_owned(),
        "Rows that ebb-train refuses are left out here too. What differs:".to_owned(),
        "- Rows left out are not counted, nor are repeated ones; `ebb-train` reports on the log itself.".to_owned(),
        "- Of users and kinds only ASCII blanks are trimmed.".to_owned(),
        "- Numbers as text are digits; `inf` and `nan` are no numbers, and dividing by zero leaves the row out."
            .to_owned(),
    ];
    let mut note = |applies: bool, line: &str| {
        if applies {
            lines.push(format!("- {line}"));
        }
    };
    note(
        iso,
        "Of ISO 8601 only YYYY-MM-DD, YYYY-MM-DDTHH:MM[:SS[.f]] and Z, +HH or +HH:MM after it are read.",
    );
    note(
        request.config.on_bad_row == OnBadRow::Fail,
        "`on_bad_row = \"fail\"` cannot be honoured.",
    );
    let csv = from.format == Some(Format::Csv);
    note(
        csv && !from.is_table(),
        "Lines with stray quotes may be split in another way, or left out.",
    );
    note(
        from.lenient,
        "The files have line ends or quotes that only `strict_mode = false` reads; it cuts rows that have too many columns.",
    );
    note(
        csv && !from.is_table() && request.dialect == Dialect::Spark,
        "`multiLine` keeps line breaks inside quotes; without such, 'false' lets Spark split large files.",
    );
    note(
        csv && from.is_table(),
        "Columns are taken as text, as in the files; numbers in a table have its spelling.",
    );
    note(
        request.dialect == Dialect::Snowflake && from.is_table(),
        "Column names are in quotes: they must be spelt as the table spells them.",
    );
    lines.iter().map(|line| format!("-- {line}\n")).collect()
}

/// The time of an event.
struct Time {
    /// As it stands in the log.
    value: String,
    /// Its day.
    day: String,
    /// Whether it is written as a date, so that it cannot be in the wrong unit.
    is_written: bool,
}

struct Query<'a> {
    request: &'a SqlRequest<'a>,
    columns: &'a Columns,
}

impl Query<'_> {
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
                Err(translator.refuse("a truth value as a user", "convert it to text"))
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
        let (request, translator) = (self.request, self.translator(Field::Time));
        let mut time = self.value(Field::Time, mapping)?;
        if let (Mapping::Column(name), true) = (mapping, from.is_table()) {
            let typed = request.time_type;
            if typed.is_none()
                && from.format.is_none_or(|format| format == Format::Parquet)
                && self.columns.known.is_none()
            {
                let instead =
                    "say what it is with --time-type, or run this where the configured files are";
                return Err(refuse(request, "time", "a column of unknown type", instead));
            }
            if let Some(kind @ (TimeType::Local | TimeType::Instant)) = typed {
                time.sql = format!("{LOG}.{}", request.dialect.quote(name));
                time.kind = if kind == TimeType::Local {
                    Type::Local
                } else {
                    Type::Instant
                };
            } else if typed == Some(TimeType::Text) && time.kind != Type::Text {
                time.sql = request.dialect.to_text(&time.sql);
                time.kind = Type::Text;
            }
        } else if request.time_type.is_some() {
            let instead = "leave it away; it is for a column of a table";
            return Err(refuse(
                request,
                "time",
                "--time-type of what a file or an expression tells",
                instead,
            ));
        }
        let sql = if time.kind == Type::Text {
            request.dialect.trim(&time.sql)
        } else {
            time.sql
        };
        let format = request
            .config
            .time_format
            .as_deref()
            .map_or(Ok(TimeFormat::Iso), TimeFormat::new)?;
        let is_written = match time.kind {
            Type::Local | Type::Instant => false,
            Type::Date => true,
            _ => !matches!(format, TimeFormat::Epoch(_)),
        };
        let day = translator.day(
            "time_value",
            &time.kind,
            &format,
            &request.config.timezone.0,
        )?;
        Ok(Time {
            value: sql,
            day,
            is_written,
        })
    }

    /// The amount's value, and the number that comes of it: 0 where it is empty, NULL where it is none.
    fn amount(&self) -> Result<(String, String)> {
        let dialect = self.request.dialect;
        let Some(mapping) = &self.request.config.amount else {
            return Ok((dialect.double("0"), "amount_value".to_owned()));
        };
        let translator = self.translator(Field::Amount);
        let mut value = self.value(Field::Amount, mapping)?;
        if matches!(mapping, Mapping::Column(_)) && value.nullable {
            value = translator.never_null(value);
        }
        match value.kind {
            Type::Text => {
                let text = Term {
                    sql: "amount_value".to_owned(),
                    literal: None,
                    ..value.clone()
                };
                let number = translator.double(text)?.sql;
                let number = format!(
                    "CASE WHEN amount_value = '' THEN {} ELSE {number} END",
                    dialect.double("0")
                );
                Ok((dialect.trim(&value.sql), number))
            }
            Type::Int | Type::Uint | Type::Decimal => {
                Ok((dialect.double(&value.sql), "amount_value".to_owned()))
            }
            Type::Float => Ok((value.sql, dialect.finite("amount_value"))),
            kind => Err(translator.refuse(
                &format!("an amount that is {kind}"),
                "give text or a number",
            )),
        }
    }

    /// The names of all columns in use.
    fn names(&self) -> Result<Vec<String>> {
        let config = self.request.config;
        let mut names: Vec<String> = Vec::new();
        let fields = [
            (Field::User, &config.user),
            (Field::Time, &config.time),
            (Field::Kind, &config.kind),
            (Field::Amount, &config.amount),
        ];
        for (field, mapping) in fields {
            let used = match mapping {
                None => Vec::new(),
                Some(Mapping::Column(name)) => vec![name.clone()],
                Some(Mapping::Expression(text)) => {
                    let expression = Expression::compile(field, text)?;
                    expression
                        .names()
                        .map(|name| self.columns.resolve(field, name))
                        .collect::<Result<_>>()?
                }
            };
            for name in used {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        Ok(names)
    }
}
