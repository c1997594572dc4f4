//! Days, instants and exact amounts: the calendar and the arithmetic of each engine.

use super::dialect::Dialect::{self, BigQuery, ClickHouse, DuckDb, Postgres, Snowflake, Spark};

/// Seconds that no day of the years 1900 to 2199 lies beyond, in whatever time zone.
const SECONDS: [i64; 2] = [-2_209_075_200, 7_258_204_800];

impl Dialect {
    /// The date that a text of the form `YYYY-MM-DD` tells; NULL where the calendar has no such day.
    pub(crate) fn try_date(self, text: &str) -> String {
        match self {
            Spark | Snowflake | DuckDb => format!("TRY_CAST({text} AS DATE)"),
            BigQuery => format!("SAFE_CAST({text} AS DATE)"),
            // It takes 30 February for 1 or 2 March.
            ClickHouse => {
                format!(
                    "CASE WHEN toString(toDate32OrNull({text})) = {text} THEN toDate32OrNull({text}) END"
                )
            }
            Postgres => {
                format!("CASE WHEN PG_INPUT_IS_VALID({text}, 'date') THEN CAST({text} AS DATE) END")
            }
        }
    }

    /// A date.
    pub(crate) fn date(self, day: &str) -> String {
        if self == ClickHouse {
            format!("toDate32('{day}')")
        } else {
            format!("DATE '{day}'")
        }
    }

    /// The date of a date or of a local time.
    pub(crate) fn date_of_local(self, time: &str) -> String {
        if self == ClickHouse {
            format!("toDate32({time})")
        } else {
            format!("CAST({time} AS DATE)")
        }
    }

    /// The instant that a text of the form `YYYY-MM-DD HH:MM:SS` with `Z`, `+HH` or `+HH:MM` tells, or NULL.
    pub(crate) fn try_instant(self, text: &str) -> String {
        match self {
            Spark => format!("TRY_CAST({text} AS TIMESTAMP)"),
            BigQuery => format!("SAFE_CAST({text} AS TIMESTAMP)"),
            Snowflake => format!("TRY_TO_TIMESTAMP_TZ({text})"),
            ClickHouse => format!("parseDateTime64BestEffortOrNull({text}, 0, 'UTC')"),
            DuckDb => format!("TRY_CAST({text} AS TIMESTAMPTZ)"),
            Postgres => {
                format!(
                    "CASE WHEN PG_INPUT_IS_VALID({text}, 'timestamptz') THEN CAST({text} AS TIMESTAMPTZ) END"
                )
            }
        }
    }

    /// The instant so many whole seconds after 1970 began in UTC; NULL far outside of the years that are read.
    pub(crate) fn instant_of_seconds(self, seconds: &str) -> String {
        let [first, last] = SECONDS;
        let instant = match self {
            Spark | BigQuery => format!("TIMESTAMP_SECONDS({seconds})"),
            Snowflake => format!("TO_TIMESTAMP_TZ({seconds})"),
            ClickHouse => format!("toDateTime64({seconds}, 0, 'UTC')"),
            DuckDb | Postgres => format!("TO_TIMESTAMP({seconds})"),
        };
        format!("CASE WHEN {seconds} BETWEEN {first} AND {last} THEN {instant} END")
    }

    /// A whole number of ticks, `per_s` a second, as whole seconds, rounded towards the past.
    pub(crate) fn seconds_of_ticks(self, ticks: &str, per_s: i64) -> String {
        if per_s == 1 {
            return ticks.to_owned();
        }
        let rest = |number: &str| match self {
            Spark | ClickHouse | DuckDb | Postgres => format!("({number} % {per_s})"),
            BigQuery | Snowflake => format!("MOD({number}, {per_s})"),
        };
        let divided = |number: &str| match self {
            Spark => format!("({number} DIV {per_s})"),
            BigQuery => format!("DIV({number}, {per_s})"),
            Snowflake => format!("({number} / {per_s})"),
            ClickHouse => format!("intDiv({number}, {per_s})"),
            DuckDb => format!("({number} // {per_s})"),
            Postgres => format!("({number} / {per_s})"),
        };
        // What is subtracted leaves a multiple, which every engine divides alike.
        divided(&format!(
            "({ticks} - {})",
            rest(&format!("({} + {per_s})", rest(ticks)))
        ))
    }

    /// A double of ticks as whole seconds, rounded towards the past; NULL far outside of the years that are read.
    pub(crate) fn seconds_of_fraction(self, ticks: &str, per_s: i64) -> String {
        let [first, last] = SECONDS.map(|seconds| i128::from(seconds) * i128::from(per_s));
        let floor = format!("FLOOR({ticks} / {per_s})");
        let whole = match self {
            Spark | DuckDb | Postgres => format!("CAST({floor} AS BIGINT)"),
            BigQuery => format!("CAST({floor} AS INT64)"),
            Snowflake => format!("CAST({floor} AS NUMBER(38, 0))"),
            ClickHouse => format!("toInt64({floor})"),
        };
        format!("CASE WHEN {ticks} BETWEEN {first} AND {last} THEN {whole} END")
    }

    /// The day of an instant in a time zone, whatever the time zone of the session.
    pub(crate) fn day_of_instant(self, instant: &str, zone: &str) -> String {
        let utc = zone.eq_ignore_ascii_case("UTC");
        let zone = self.text(zone);
        match self {
            Spark if utc => {
                format!(
                    "DATE_ADD(DATE '1970-01-01', CAST(FLOOR(UNIX_SECONDS({instant}) / 86400) AS INT))"
                )
            }
            Spark => format!(
                "CAST(CONVERT_TIMEZONE('UTC', {zone}, TIMESTAMPADD(SECOND, UNIX_SECONDS({instant}), \
                 TIMESTAMP_NTZ '1970-01-01 00:00:00')) AS DATE)"
            ),
            BigQuery => format!("DATE({instant}, {zone})"),
            Snowflake => format!("CAST(CONVERT_TIMEZONE({zone}, {instant}) AS DATE)"),
            ClickHouse => format!("toDate32(toTimeZone({instant}, {zone}))"),
            DuckDb if utc => format!("CAST(MAKE_TIMESTAMP(EPOCH_US({instant})) AS DATE)"),
            DuckDb | Postgres => format!("CAST({instant} AT TIME ZONE {zone} AS DATE)"),
        }
    }

    /// The exact sum of amounts, each rounded to millionths as the reader rounds it: halves away from zero.
    pub(crate) fn sum_of_amounts(self, amount: &str) -> String {
        let millionths = format!("({amount} * 1000000)");
        let by_hand = |trunc: &str| {
            let whole = format!("{trunc}({millionths})");
            format!(
                "{whole} + CASE WHEN ABS({millionths} - {whole}) >= 0.5 THEN SIGN({millionths}) ELSE 0 END"
            )
        };
        match self {
            Spark => {
                format!(
                    "CAST(CAST(SUM(CAST(ROUND({millionths}) AS BIGINT)) AS DECIMAL(19, 0)) * 0.000001 AS DECIMAL(25, 6))"
                )
            }
            DuckDb => {
                format!(
                    "CAST(CAST(SUM(CAST(ROUND({millionths}) AS BIGINT)) AS DECIMAL(19, 0)) * 0.000001 AS DECIMAL(25, 6))"
                )
            }
            BigQuery => {
                format!(
                    "SUM(CAST(CAST(ROUND({millionths}) AS INT64) AS NUMERIC)) * NUMERIC '0.000001'"
                )
            }
            Snowflake => {
                format!(
                    "CAST(SUM(CAST(ROUND({millionths}) AS NUMBER(19, 0))) * 0.000001 AS NUMBER(25, 6))"
                )
            }
            // These round halves to even numbers.
            ClickHouse => format!(
                "toDecimal128(sum(toInt64({})), 6) / 1000000",
                by_hand("trunc")
            ),
            Postgres => format!(
                "CAST(SUM(CAST({} AS BIGINT)) * 0.000001 AS NUMERIC(25, 6))",
                by_hand("TRUNC")
            ),
        }
    }
}
