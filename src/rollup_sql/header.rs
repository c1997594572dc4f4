//! The comments at the beginning of a query.

use super::from::From;
use super::{Dialect, SqlRequest};
use crate::events::config::{Format, OnBadRow};

const EXPERIMENTAL: &str = "EXPERIMENTAL: written by the engine's manual and never run; compare the rows with those of \
                            `ebb-train rollup` before you rely on them.";

fn engine(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Spark => "Spark SQL (4.0 or newer)",
        Dialect::BigQuery => "BigQuery",
        Dialect::Snowflake => "Snowflake",
        Dialect::ClickHouse => "ClickHouse",
        Dialect::DuckDb => "DuckDB (1.2 or newer)",
        Dialect::Postgres => "PostgreSQL (16 or newer)",
    }
}

/// What the first lines of the query say of it.
pub(super) fn header(request: &SqlRequest<'_>, from: &From, iso: bool) -> String {
    let engine = engine(request.dialect);
    let mut lines = vec![
        format!("The daily roll-up (user, day, kind, count, amount) of an event log, for {engine}."),
        "Written by `ebb-train rollup-sql`. Save the rows as Parquet: ebb-train reads them in place of the log."
            .to_owned(),
        "Rows that ebb-train rejects are left out here too. What differs:".to_owned(),
        "- Rows left out are not counted, nor are repeated ones; `ebb-train` reports on the log itself.".to_owned(),
        "- Of users and kinds only ASCII whitespace is trimmed.".to_owned(),
        "- Numbers as text are digits; `inf` and `nan` are no numbers, and dividing by zero leaves the row out."
            .to_owned(),
    ];
    if request.dialect.is_experimental() {
        lines.insert(1, EXPERIMENTAL.to_owned());
    }
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
