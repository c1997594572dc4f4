//! What SQL engines write differently.

use std::fmt;

/// A SQL engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Spark SQL, 4.0 or newer.
    Spark,
    /// BigQuery's GoogleSQL.
    BigQuery,
    /// Snowflake.
    Snowflake,
    /// ClickHouse.
    ClickHouse,
    /// DuckDB, 1.2 or newer.
    DuckDb,
    /// PostgreSQL, 16 or newer.
    Postgres,
}

use Dialect::{BigQuery, ClickHouse, DuckDb, Postgres, Snowflake, Spark};

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 6] = [Spark, BigQuery, Snowflake, ClickHouse, DuckDb, Postgres];

    /// The name as the command line writes it.
    pub fn name(self) -> &'static str {
        match self {
            Spark => "spark",
            BigQuery => "bigquery",
            Snowflake => "snowflake",
            ClickHouse => "clickhouse",
            DuckDb => "duckdb",
            Postgres => "postgres",
        }
    }

    /// Whether the query itself can read files.
    pub(crate) fn reads_files(self) -> bool {
        matches!(self, Spark | DuckDb)
    }

    /// An identifier in quotes.
    pub(crate) fn quote(self, name: &str) -> String {
        match self {
            Spark => format!("`{}`", name.replace('`', "``")),
            BigQuery | ClickHouse => format!("`{}`", name.replace('\\', r"\\").replace('`', r"\`")),
            Snowflake | DuckDb | Postgres => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }

    /// A literal text.
    pub(crate) fn text(self, text: &str) -> String {
        match self {
            DuckDb | Postgres => format!("'{}'", text.replace('\'', "''")),
            Spark | BigQuery | Snowflake | ClickHouse => {
                let text = text
                    .replace('\\', r"\\")
                    .replace('\'', r"\'")
                    .replace('\n', r"\n")
                    .replace('\r', r"\r");
                format!("'{text}'")
            }
        }
    }

    /// `text` without the ASCII blanks around it.
    pub(crate) fn trim(self, text: &str) -> String {
        match self {
            Spark => format!(r"TRIM(BOTH ' \t\n\u000B\u000C\r' FROM {text})"),
            ClickHouse => format!(r"TRIM(BOTH ' \t\n\v\f\r' FROM {text})"),
            BigQuery | Snowflake => format!(r"TRIM({text}, ' \t\n\x0B\x0C\r')"),
            DuckDb | Postgres => format!(r"TRIM(BOTH E' \t\n\x0B\x0C\r' FROM {text})"),
        }
    }

    fn text_type(self) -> &'static str {
        match self {
            Spark | BigQuery => "STRING",
            Snowflake | DuckDb => "VARCHAR",
            ClickHouse => "Nullable(String)",
            Postgres => "TEXT",
        }
    }

    fn double_type(self) -> &'static str {
        match self {
            Spark | DuckDb | Snowflake => "DOUBLE",
            BigQuery => "FLOAT64",
            ClickHouse => "Nullable(Float64)",
            Postgres => "DOUBLE PRECISION",
        }
    }

    /// Any value as text.
    pub(crate) fn to_text(self, value: &str) -> String {
        format!("CAST({value} AS {})", self.text_type())
    }

    /// A decimal as text, without the zeros at the end of its fraction.
    pub(crate) fn decimal_text(self, decimal: &str) -> String {
        let text = self.replace_match(
            &self.to_text(decimal),
            "^(-?[0-9]+[.][0-9]*[1-9])0+$",
            r"\1",
        );
        self.replace_match(&text, "[.]0*$", "")
    }

    /// A number as a whole number of 64 bits.
    pub(crate) fn whole_number(self, number: &str) -> String {
        let kind = match self {
            Spark | DuckDb | Postgres => "BIGINT",
            BigQuery => "INT64",
            Snowflake => "NUMBER(38, 0)",
            ClickHouse => "Nullable(Int64)",
        };
        format!("CAST({number} AS {kind})")
    }

    /// A number as a double.
    pub(crate) fn double(self, number: &str) -> String {
        format!("CAST({number} AS {})", self.double_type())
    }

    /// A double that is a number that can be summed, or NULL.
    pub(crate) fn finite(self, double: &str) -> String {
        match self {
            // It drops a comparison with a limit where a file's statistics, which leave NaN out, say that it holds.
            DuckDb => format!("CASE WHEN ISFINITE({double}) THEN {double} END"),
            _ => double.to_owned(),
        }
    }

    /// The double that a text tells, which is known to look like one; NULL where it is too large.
    pub(crate) fn try_double(self, text: &str) -> String {
        match self {
            Spark | Snowflake | DuckDb => format!("TRY_CAST({text} AS DOUBLE)"),
            BigQuery => format!("SAFE_CAST({text} AS FLOAT64)"),
            ClickHouse => format!("toFloat64OrNull({text})"),
            Postgres => {
                format!(
                    "CASE WHEN PG_INPUT_IS_VALID({text}, 'float8') THEN CAST({text} AS DOUBLE PRECISION) END"
                )
            }
        }
    }

    /// The whole number that a text tells, which is known to look like one; NULL where it is too large.
    pub(crate) fn try_whole(self, text: &str) -> String {
        match self {
            Spark | DuckDb => format!("TRY_CAST({text} AS BIGINT)"),
            Snowflake => self.in_range(&format!("TRY_CAST({text} AS NUMBER(38, 0))")),
            BigQuery => format!("SAFE_CAST({text} AS INT64)"),
            // Only wider numbers notice that a text does not fit.
            ClickHouse => format!("accurateCastOrNull(toInt256OrNull({text}), 'Int64')"),
            Postgres => format!(
                "CASE WHEN PG_INPUT_IS_VALID({text}, 'int8') THEN CAST({text} AS BIGINT) END"
            ),
        }
    }

    /// The whole part of a double; NULL where it is too large.
    pub(crate) fn truncate(self, double: &str) -> String {
        match self {
            // A cast to whole numbers cuts the fraction off.
            Spark => format!("TRY_CAST({double} AS BIGINT)"),
            DuckDb => format!("TRY_CAST(TRUNC({double}) AS BIGINT)"),
            BigQuery => format!("SAFE_CAST(TRUNC({double}) AS INT64)"),
            ClickHouse => format!("accurateCastOrNull(trunc({double}), 'Int64')"),
            Snowflake | Postgres => format!(
                "CASE WHEN {double} > -9223372036854775808.0 AND {double} < 9223372036854775808.0 \
                 THEN CAST(TRUNC({double}) AS {}) END",
                if self == Postgres {
                    "BIGINT"
                } else {
                    "NUMBER(38, 0)"
                }
            ),
        }
    }

    /// A wide whole number; NULL where it is beyond 64 bits.
    fn in_range(self, number: &str) -> String {
        format!(
            "CASE WHEN {number} BETWEEN -9223372036854775808 AND 9223372036854775807 THEN {number} END"
        )
    }

    /// The sum, difference or product of two whole numbers; NULL where it is beyond 64 bits.
    pub(crate) fn whole(self, operator: char, left: &str, right: &str) -> String {
        let name = match operator {
            '+' => "ADD",
            '-' => "SUBTRACT",
            _ => "MULTIPLY",
        };
        match self {
            Spark => format!("TRY_{name}({left}, {right})"),
            BigQuery => format!("SAFE_{name}({left}, {right})"),
            Snowflake => self.in_range(&format!("({left} {operator} {right})")),
            ClickHouse => format!(
                "accurateCastOrNull(toInt128({left}) {operator} toInt128({right}), 'Int64')"
            ),
            DuckDb => format!("TRY({left} {operator} {right})"),
            Postgres => format!(
                "CASE WHEN CAST({left} AS NUMERIC) {operator} {right} BETWEEN -9223372036854775808 AND \
                 9223372036854775807 THEN {left} {operator} {right} END"
            ),
        }
    }

    /// The quotient of two whole numbers without its fraction; NULL where the divisor is 0.
    pub(crate) fn quotient(self, left: &str, right: &str) -> String {
        match self {
            Spark => format!("({left} DIV NULLIF({right}, 0))"),
            BigQuery => format!("DIV({left}, NULLIF({right}, 0))"),
            Snowflake => {
                format!(
                    "CAST(({left} - MOD({left}, NULLIF({right}, 0))) / NULLIF({right}, 0) AS NUMBER(38, 0))"
                )
            }
            ClickHouse => format!("intDiv({left}, NULLIF({right}, 0))"),
            DuckDb => format!("({left} // NULLIF({right}, 0))"),
            Postgres => format!("({left} / NULLIF({right}, 0))"),
        }
    }

    /// Whether `pattern`, in the syntax that all engines share, is found in `text`.
    pub(crate) fn matches(self, text: &str, pattern: &str) -> String {
        let pattern = self.text(pattern);
        match self {
            Spark => format!("RLIKE({text}, {pattern})"),
            BigQuery => format!("REGEXP_CONTAINS({text}, {pattern})"),
            Snowflake => format!("(REGEXP_INSTR({text}, {pattern}) > 0)"),
            ClickHouse => format!("match({text}, {pattern})"),
            DuckDb => format!("REGEXP_MATCHES({text}, {pattern})"),
            Postgres => format!("({text} ~ {pattern})"),
        }
    }

    /// `text` with the part that matches `pattern` replaced; `\1` to `\9` in the replacement are its groups.
    pub(crate) fn replace_match(self, text: &str, pattern: &str, replacement: &str) -> String {
        let replacement = if self == Spark {
            replacement.replace('\\', "$")
        } else {
            replacement.to_owned()
        };
        let name = if self == ClickHouse {
            "replaceRegexpOne"
        } else {
            "REGEXP_REPLACE"
        };
        format!(
            "{name}({text}, {}, {})",
            self.text(pattern),
            self.text(&replacement)
        )
    }

    /// The number of characters.
    pub(crate) fn length(self, text: &str) -> String {
        match self {
            ClickHouse => format!("toInt64(lengthUTF8({text}))"),
            _ => format!("LENGTH({text})"),
        }
    }

    /// `length` characters of `text` after the first `start`.
    pub(crate) fn substring(self, text: &str, start: &str, length: &str) -> String {
        match self {
            ClickHouse => format!("substringUTF8({text}, {start} + 1, {length})"),
            Postgres => format!("SUBSTR({text}, CAST({start} + 1 AS INT), CAST({length} AS INT))"),
            Spark => format!("SUBSTR({text}, CAST({start} + 1 AS INT), CAST({length} AS INT))"),
            _ => format!("SUBSTR({text}, {start} + 1, {length})"),
        }
    }

    /// Whether `text` starts with, ends with or contains `part`.
    pub(crate) fn has_part(self, place: Part, text: &str, part: &str) -> String {
        match (place, self) {
            (Part::Start, Spark | Snowflake) => format!("STARTSWITH({text}, {part})"),
            (Part::Start, ClickHouse) => format!("startsWith({text}, {part})"),
            (Part::Start, _) => format!("STARTS_WITH({text}, {part})"),
            (Part::End, Spark | Snowflake) => format!("ENDSWITH({text}, {part})"),
            (Part::End, ClickHouse) => format!("endsWith({text}, {part})"),
            (Part::End, Postgres) => format!("(RIGHT({text}, LENGTH({part})) = {part})"),
            (Part::End, _) => format!("ENDS_WITH({text}, {part})"),
            (Part::Any, BigQuery | Postgres) => format!("(STRPOS({text}, {part}) > 0)"),
            (Part::Any, ClickHouse) => format!("(position({text}, {part}) > 0)"),
            (Part::Any, _) => format!("CONTAINS({text}, {part})"),
        }
    }

    /// A member of a structure.
    pub(crate) fn member(self, structure: &str, name: &str) -> String {
        match self {
            Snowflake => format!("{structure}:{}", self.quote(name)),
            ClickHouse => format!("tupleElement({structure}, {})", self.text(name)),
            Postgres => format!("({structure}).{}", self.quote(name)),
            Spark | BigQuery | DuckDb => format!("{structure}.{}", self.quote(name)),
        }
    }

    /// Text in the order of its bytes, as CEL compares it.
    pub(crate) fn in_byte_order(self, text: &str) -> String {
        if self == Postgres {
            format!("{text} COLLATE \"C\"")
        } else {
            text.to_owned()
        }
    }
}

/// Where a text is looked for in another.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    Start,
    End,
    Any,
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
