//! Values of arguments.

use clap::ValueEnum;
use ebb::simulate::{PaceChange, SpendGrowth};

/// Bytes, with a unit or without.
pub(crate) fn bytes(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let factor = match text.get(digits.len()..).unwrap_or_default().trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => 0,
    };
    let bytes = digits
        .parse::<usize>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
        .filter(|bytes| *bytes > 0);
    bytes.ok_or_else(|| format!("`{text}` is no size; write it like 512MiB or 4GiB"))
}

/// A share of users.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    let share = text
        .parse::<f64>()
        .ok()
        .filter(|share| *share > 0.0 && *share <= 1.0);
    share.ok_or_else(|| format!("`{text}` is no share of users; give one above 0 and up to 1"))
}

/// A share of rows.
pub(crate) fn share_of_rows(text: &str) -> Result<f64, String> {
    let share = text
        .parse::<f64>()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| format!("`{text}` is no share of rows; give one from 0 to 1"))
}

/// A day and by what the pace is multiplied from it on.
pub(crate) fn pace_change(text: &str) -> Result<PaceChange, String> {
    let change = text.split_once('=').and_then(|(from, factor)| {
        Some(PaceChange {
            from: from.parse().ok()?,
            factor: factor.parse().ok()?,
        })
    });
    change.ok_or_else(|| {
        format!("`{text}` is no change of pace; write it like 2025-03-01=1.2, a day and a factor")
    })
}

/// The share by which baskets grow each month, and for how many months.
pub(crate) fn spend_growth(text: &str) -> Result<SpendGrowth, String> {
    let growth = text.split_once('=').and_then(|(share, months)| {
        Some(SpendGrowth {
            share: share.parse().ok()?,
            months: months.parse().ok()?,
        })
    });
    growth.ok_or_else(|| {
        format!(
            "`{text}` is no growth; write it like 0.08=9, a share a month and a number of months"
        )
    })
}

/// What the time of year does to a simulated business.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Season {
    /// A shop's year: somewhat more before Christmas.
    Mild,
    /// Every day of the year is alike.
    None,
    /// Users who buy around one day of the year, many of them before Christmas.
    Yearly,
    /// Two terms a year, nearly nothing between them; many users finish with a term.
    Term,
    /// Closed for eight weeks every summer.
    Closing,
}

impl From<Season> for ebb::simulate::Season {
    fn from(season: Season) -> Self {
        match season {
            Season::Mild => Self::Mild,
            Season::None => Self::None,
            Season::Yearly => Self::Yearly,
            Season::Term => Self::Term,
            Season::Closing => Self::Closing,
        }
    }
}

/// A SQL engine.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Dialect {
    /// Spark SQL, 4.0 or newer.
    Spark,
    /// BigQuery; experimental, its queries were never run.
    Bigquery,
    /// Snowflake; experimental, its queries were never run.
    Snowflake,
    /// ClickHouse.
    Clickhouse,
    /// DuckDB, 1.2 or newer.
    Duckdb,
    /// PostgreSQL, 16 or newer.
    Postgres,
}

impl From<Dialect> for ebb::rollup_sql::Dialect {
    fn from(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Spark => Self::Spark,
            Dialect::Bigquery => Self::BigQuery,
            Dialect::Snowflake => Self::Snowflake,
            Dialect::Clickhouse => Self::ClickHouse,
            Dialect::Duckdb => Self::DuckDb,
            Dialect::Postgres => Self::Postgres,
        }
    }
}

/// What the time column of a table is.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum TimeType {
    /// Text or a number, as `events.time_format` says.
    Text,
    /// A date, or a timestamp without a time zone.
    Local,
    /// A timestamp with a time zone, or in UTC.
    Instant,
}

impl From<TimeType> for ebb::rollup_sql::TimeType {
    fn from(kind: TimeType) -> Self {
        match kind {
            TimeType::Text => Self::Text,
            TimeType::Local => Self::Local,
            TimeType::Instant => Self::Instant,
        }
    }
}
