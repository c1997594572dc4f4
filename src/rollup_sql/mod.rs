//! The daily roll-up as a query for SQL engines.
//!
//! [`rollup_sql`] writes the `GROUP BY` that makes of a log what [`crate::history::write_rollup`] makes of it, by the
//! same mapping, time zone, trimming and rules for rejected rows. What an engine cannot say exactly as the reader does is
//! an error that names the setting, never a guess; the little that differs is listed in the query's first lines.
//!
//! The queries for Spark, ClickHouse, DuckDB and PostgreSQL are run against these engines and compared with the reader row by
//! row. Those for BigQuery and Snowflake are experimental: they are written by these engines' manuals and were never run.

pub(crate) mod calendar;
pub(crate) mod columns;
pub(crate) mod comparison;
pub(crate) mod dialect;
pub(crate) mod expression;
pub(crate) mod from;
pub(crate) mod functions;
pub(crate) mod header;
pub(crate) mod query;
#[cfg(test)]
mod tests;
pub(crate) mod time;

use std::path::Path;

pub use dialect::Dialect;

use crate::events::config::EventsConfig;
use crate::events::mapping::time::{MISREAD_DAYS, TimeReader};
use crate::events::{EventsError, SqlRemedy};
use crate::history::{AMOUNT_LIMIT, Day, YEARS};
use columns::LOG;
use expression::Result;
use from::From;
use header::header;
use query::{Fields, Query};

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
fn unsupported(
    request: &SqlRequest<'_>,
    setting: &'static str,
    construct: &str,
    instead: impl Into<SqlRemedy>,
) -> EventsError {
    EventsError::Sql {
        setting,
        dialect: request.dialect.name(),
        construct: construct.to_owned(),
        instead: instead.into(),
    }
}

/// The query for the daily roll-up of a log.
///
/// # Errors
/// [`EventsError::Sql`] where the engine cannot do what the reader does; the errors of
/// [`crate::events::read_log`] about settings, columns and files.
pub fn rollup_sql(request: &SqlRequest<'_>) -> Result<String> {
    let SqlRequest {
        config, dialect, ..
    } = *request;
    // Checks the time zone and the format as reading does.
    TimeReader::new(config.time_format.as_deref(), &config.timezone.0)?;
    let from = From::new(request)?;
    let query = Query {
        request,
        columns: &from.columns,
    };
    let Fields {
        user,
        time,
        kind,
        amount,
    } = query.fields(&from)?;
    let log = from.sql(request, &query.names()?)?;
    let (day, number) = (&time.day, &amount.number);
    let (time_value, amount_value) = (&time.value, &amount.value);
    Ok(format!(
        "{header}WITH {LOG} AS (
  {log}
),
fields AS (
  SELECT
    {user} AS user_text,
    {time_value} AS time_value,
    {kind} AS kind_text,
    {amount_value} AS amount_value
  FROM {LOG}
),
parsed AS (
  SELECT
    user_text AS event_user,
    {day} AS event_day,
    kind_text AS event_kind,
    {number} AS event_amount
  FROM fields
)
SELECT
  event_user AS {user_name},
  event_day AS {day_name},
  event_kind AS {kind_name},
  COUNT(*) AS {count_name},
  {sum} AS {amount_name}
FROM parsed
WHERE {conditions}
GROUP BY event_user, event_day, event_kind
",
        header = header(request, &from, day.contains("[Tt ]")),
        sum = dialect.sum_of_amounts("event_amount"),
        conditions = conditions(request, time.is_written),
        user_name = dialect.quote("user"),
        day_name = dialect.quote("day"),
        kind_name = dialect.quote("kind"),
        count_name = dialect.quote("count"),
        amount_name = dialect.quote("amount"),
    ))
}

/// Which rows the reader takes in, of those up to the as-of day.
fn conditions(request: &SqlRequest<'_>, is_written: bool) -> String {
    let dialect = request.dialect;
    let first = dialect.date(&format!("{}-01-01", YEARS.start()));
    let last = dialect.date(&format!("{}-12-31", YEARS.end()));
    // A date that is written out cannot be in the wrong unit.
    let misread = if is_written {
        String::new()
    } else {
        unlike_misread_days(dialect)
    };
    let as_of = request.until.map_or_else(String::new, |day| {
        format!("\n  AND event_day < {}", dialect.date(&day.to_string()))
    });
    format!(
        "event_user <> '' AND event_kind <> ''
  AND event_day BETWEEN {first} AND {last}{misread}
  AND event_amount BETWEEN -{AMOUNT_LIMIT} AND {AMOUNT_LIMIT}{as_of}"
    )
}

/// Leaves out the days on which times fall that are read in the wrong unit.
fn unlike_misread_days(dialect: Dialect) -> String {
    let date = |number: &i32| {
        Day::new(*number).map_or_else(String::new, |day| dialect.date(&day.to_string()))
    };
    let (first, last) = (date(MISREAD_DAYS.start()), date(MISREAD_DAYS.end()));
    format!("\n  AND event_day NOT BETWEEN {first} AND {last}")
}
