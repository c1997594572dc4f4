//! A log like Online Retail: expressions, times in a pattern.

use crate::rollup_sql::tests::*;

const SETTINGS: &str = r#"
user = "CustomerID"
time = "InvoiceDate"
time_format = "%Y-%m-%d %H:%M:%S"
kind = { expr = 'InvoiceNo.startsWith("C") ? "return" : "purchase"' }
amount = { expr = 'double(Quantity) * double(UnitPrice)' }
timezone = "Europe/London"
"#;

fn query(dialect: Dialect) -> String {
    sql(
        dialect,
        SETTINGS,
        "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID",
        None,
    )
}

#[test]
fn for_spark() {
    insta::assert_snapshot!(query(Dialect::Spark), @r##"
    WITH raw_events AS (
      SELECT `CustomerID`, `InvoiceDate`, `InvoiceNo`, `Quantity`, `UnitPrice` FROM csv.`/log/log.csv` WITH (header = 'true', delimiter = ',', quote = '"', escape = '"', multiLine = 'true', mode = 'DROPMALFORMED', columnPruning = 'false', enforceSchema = 'false', recursiveFileLookup = 'true')
    ),
    fields AS (
      SELECT
        TRIM(BOTH ' \t\n\u000B\u000C\r' FROM COALESCE(raw_events.`CustomerID`, '')) AS user_text,
        TRIM(BOTH ' \t\n\u000B\u000C\r' FROM COALESCE(raw_events.`InvoiceDate`, '')) AS time_value,
        TRIM(BOTH ' \t\n\u000B\u000C\r' FROM CASE WHEN STARTSWITH(COALESCE(raw_events.`InvoiceNo`, ''), 'C') THEN 'return' ELSE 'purchase' END) AS kind_text,
        (CASE WHEN RLIKE(COALESCE(raw_events.`Quantity`, ''), '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$') THEN TRY_CAST(COALESCE(raw_events.`Quantity`, '') AS DOUBLE) END * CASE WHEN RLIKE(COALESCE(raw_events.`UnitPrice`, ''), '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$') THEN TRY_CAST(COALESCE(raw_events.`UnitPrice`, '') AS DOUBLE) END) AS amount_value
      FROM raw_events
    ),
    parsed AS (
      SELECT
        user_text AS event_user,
        CASE WHEN RLIKE(time_value, '^[0-9]{4}-[0-9]{2}-[0-9]{2} ([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)$') THEN TRY_CAST(LEFT(time_value, 10) AS DATE) END AS event_day,
        kind_text AS event_kind,
        amount_value AS event_amount
      FROM fields
    )
    SELECT
      event_user AS `user`,
      event_day AS `day`,
      event_kind AS `kind`,
      COUNT(*) AS `count`,
      CAST(CAST(SUM(CAST(ROUND((event_amount * 1000000)) AS BIGINT)) AS DECIMAL(19, 0)) * 0.000001 AS DECIMAL(25, 6)) AS `amount`
    FROM parsed
    WHERE event_user <> '' AND event_kind <> ''
      AND event_day BETWEEN DATE '1900-01-01' AND DATE '2199-12-31'
      AND event_amount BETWEEN -1000000000000 AND 1000000000000
    GROUP BY event_user, event_day, event_kind
    "##);
}

#[test]
fn for_bigquery() {
    insta::assert_snapshot!(query(Dialect::BigQuery), @r##"
    WITH raw_events AS (
      SELECT `CustomerID`, `InvoiceDate`, `InvoiceNo`, `Quantity`, `UnitPrice` FROM events
    ),
    fields AS (
      SELECT
        TRIM(COALESCE(CAST(raw_events.`CustomerID` AS STRING), ''), ' \t\n\x0B\x0C\r') AS user_text,
        TRIM(COALESCE(CAST(raw_events.`InvoiceDate` AS STRING), ''), ' \t\n\x0B\x0C\r') AS time_value,
        TRIM(CASE WHEN STARTS_WITH(COALESCE(CAST(raw_events.`InvoiceNo` AS STRING), ''), 'C') THEN 'return' ELSE 'purchase' END, ' \t\n\x0B\x0C\r') AS kind_text,
        (CASE WHEN REGEXP_CONTAINS(COALESCE(CAST(raw_events.`Quantity` AS STRING), ''), '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$') THEN SAFE_CAST(COALESCE(CAST(raw_events.`Quantity` AS STRING), '') AS FLOAT64) END * CASE WHEN REGEXP_CONTAINS(COALESCE(CAST(raw_events.`UnitPrice` AS STRING), ''), '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$') THEN SAFE_CAST(COALESCE(CAST(raw_events.`UnitPrice` AS STRING), '') AS FLOAT64) END) AS amount_value
      FROM raw_events
    ),
    parsed AS (
      SELECT
        user_text AS event_user,
        CASE WHEN REGEXP_CONTAINS(time_value, '^[0-9]{4}-[0-9]{2}-[0-9]{2} ([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)$') THEN SAFE_CAST(LEFT(time_value, 10) AS DATE) END AS event_day,
        kind_text AS event_kind,
        amount_value AS event_amount
      FROM fields
    )
    SELECT
      event_user AS `user`,
      event_day AS `day`,
      event_kind AS `kind`,
      COUNT(*) AS `count`,
      SUM(CAST(CAST(ROUND((event_amount * 1000000)) AS INT64) AS NUMERIC)) * NUMERIC '0.000001' AS `amount`
    FROM parsed
    WHERE event_user <> '' AND event_kind <> ''
      AND event_day BETWEEN DATE '1900-01-01' AND DATE '2199-12-31'
      AND event_amount BETWEEN -1000000000000 AND 1000000000000
    GROUP BY event_user, event_day, event_kind
    "##);
}

#[test]
fn for_snowflake() {
    insta::assert_snapshot!(query(Dialect::Snowflake), @r##"
    WITH raw_events AS (
      SELECT "CustomerID", "InvoiceDate", "InvoiceNo", "Quantity", "UnitPrice" FROM events
    ),
    fields AS (
      SELECT
        TRIM(COALESCE(CAST(raw_events."CustomerID" AS VARCHAR), ''), ' \t\n\x0B\x0C\r') AS user_text,
        TRIM(COALESCE(CAST(raw_events."InvoiceDate" AS VARCHAR), ''), ' \t\n\x0B\x0C\r') AS time_value,
        TRIM(CASE WHEN STARTSWITH(COALESCE(CAST(raw_events."InvoiceNo" AS VARCHAR), ''), 'C') THEN 'return' ELSE 'purchase' END, ' \t\n\x0B\x0C\r') AS kind_text,
        (CASE WHEN (REGEXP_INSTR(COALESCE(CAST(raw_events."Quantity" AS VARCHAR), ''), '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$') > 0) THEN TRY_CAST(COALESCE(CAST(raw_events."Quantity" AS VARCHAR), '') AS DOUBLE) END * CASE WHEN (REGEXP_INSTR(COALESCE(CAST(raw_events."UnitPrice" AS VARCHAR), ''), '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$') > 0) THEN TRY_CAST(COALESCE(CAST(raw_events."UnitPrice" AS VARCHAR), '') AS DOUBLE) END) AS amount_value
      FROM raw_events
    ),
    parsed AS (
      SELECT
        user_text AS event_user,
        CASE WHEN (REGEXP_INSTR(time_value, '^[0-9]{4}-[0-9]{2}-[0-9]{2} ([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)$') > 0) THEN TRY_CAST(LEFT(time_value, 10) AS DATE) END AS event_day,
        kind_text AS event_kind,
        amount_value AS event_amount
      FROM fields
    )
    SELECT
      event_user AS "user",
      event_day AS "day",
      event_kind AS "kind",
      COUNT(*) AS "count",
      CAST(SUM(CAST(ROUND((event_amount * 1000000)) AS NUMBER(19, 0))) * 0.000001 AS NUMBER(25, 6)) AS "amount"
    FROM parsed
    WHERE event_user <> '' AND event_kind <> ''
      AND event_day BETWEEN DATE '1900-01-01' AND DATE '2199-12-31'
      AND event_amount BETWEEN -1000000000000 AND 1000000000000
    GROUP BY event_user, event_day, event_kind
    "##);
}

#[test]
fn for_clickhouse() {
    insta::assert_snapshot!(query(Dialect::ClickHouse), @r##"
    WITH raw_events AS (
      SELECT `CustomerID`, `InvoiceDate`, `InvoiceNo`, `Quantity`, `UnitPrice` FROM events
    ),
    fields AS (
      SELECT
        TRIM(BOTH ' \t\n\v\f\r' FROM COALESCE(CAST(raw_events.`CustomerID` AS Nullable(String)), '')) AS user_text,
        TRIM(BOTH ' \t\n\v\f\r' FROM COALESCE(CAST(raw_events.`InvoiceDate` AS Nullable(String)), '')) AS time_value,
        TRIM(BOTH ' \t\n\v\f\r' FROM CASE WHEN startsWith(COALESCE(CAST(raw_events.`InvoiceNo` AS Nullable(String)), ''), 'C') THEN 'return' ELSE 'purchase' END) AS kind_text,
        (CASE WHEN match(COALESCE(CAST(raw_events.`Quantity` AS Nullable(String)), ''), '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$') THEN toFloat64OrNull(COALESCE(CAST(raw_events.`Quantity` AS Nullable(String)), '')) END * CASE WHEN match(COALESCE(CAST(raw_events.`UnitPrice` AS Nullable(String)), ''), '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$') THEN toFloat64OrNull(COALESCE(CAST(raw_events.`UnitPrice` AS Nullable(String)), '')) END) AS amount_value
      FROM raw_events
    ),
    parsed AS (
      SELECT
        user_text AS event_user,
        CASE WHEN match(time_value, '^[0-9]{4}-[0-9]{2}-[0-9]{2} ([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)$') THEN CASE WHEN toString(toDate32OrNull(LEFT(time_value, 10))) = LEFT(time_value, 10) THEN toDate32OrNull(LEFT(time_value, 10)) END END AS event_day,
        kind_text AS event_kind,
        amount_value AS event_amount
      FROM fields
    )
    SELECT
      event_user AS `user`,
      event_day AS `day`,
      event_kind AS `kind`,
      COUNT(*) AS `count`,
      toDecimal128(sum(toInt64(trunc((event_amount * 1000000)) + CASE WHEN ABS((event_amount * 1000000) - trunc((event_amount * 1000000))) >= 0.5 THEN SIGN((event_amount * 1000000)) ELSE 0 END)), 6) / 1000000 AS `amount`
    FROM parsed
    WHERE event_user <> '' AND event_kind <> ''
      AND event_day BETWEEN toDate32('1900-01-01') AND toDate32('2199-12-31')
      AND event_amount BETWEEN -1000000000000 AND 1000000000000
    GROUP BY event_user, event_day, event_kind
    "##);
}

#[test]
fn for_duckdb() {
    insta::assert_snapshot!(query(Dialect::DuckDb), @r#"
    WITH raw_events AS (
      SELECT "CustomerID", "InvoiceDate", "InvoiceNo", "Quantity", "UnitPrice" FROM READ_CSV(['/log/log.csv'], header = true, union_by_name = true, delim = ',', quote = '"', escape = '"', comment = '', skip = 0, all_varchar = true, ignore_errors = true, null_padding = false, strict_mode = true)
    ),
    fields AS (
      SELECT
        TRIM(BOTH E' \t\n\x0B\x0C\r' FROM COALESCE(raw_events."CustomerID", '')) AS user_text,
        TRIM(BOTH E' \t\n\x0B\x0C\r' FROM COALESCE(raw_events."InvoiceDate", '')) AS time_value,
        TRIM(BOTH E' \t\n\x0B\x0C\r' FROM CASE WHEN STARTS_WITH(COALESCE(raw_events."InvoiceNo", ''), 'C') THEN 'return' ELSE 'purchase' END) AS kind_text,
        (CASE WHEN REGEXP_MATCHES(COALESCE(raw_events."Quantity", ''), '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$') THEN TRY_CAST(COALESCE(raw_events."Quantity", '') AS DOUBLE) END * CASE WHEN REGEXP_MATCHES(COALESCE(raw_events."UnitPrice", ''), '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$') THEN TRY_CAST(COALESCE(raw_events."UnitPrice", '') AS DOUBLE) END) AS amount_value
      FROM raw_events
    ),
    parsed AS (
      SELECT
        user_text AS event_user,
        CASE WHEN REGEXP_MATCHES(time_value, '^[0-9]{4}-[0-9]{2}-[0-9]{2} ([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)$') THEN TRY_CAST(LEFT(time_value, 10) AS DATE) END AS event_day,
        kind_text AS event_kind,
        CASE WHEN ISFINITE(amount_value) THEN amount_value END AS event_amount
      FROM fields
    )
    SELECT
      event_user AS "user",
      event_day AS "day",
      event_kind AS "kind",
      COUNT(*) AS "count",
      CAST(CAST(SUM(CAST(ROUND((event_amount * 1000000)) AS BIGINT)) AS DECIMAL(19, 0)) * 0.000001 AS DECIMAL(25, 6)) AS "amount"
    FROM parsed
    WHERE event_user <> '' AND event_kind <> ''
      AND event_day BETWEEN DATE '1900-01-01' AND DATE '2199-12-31'
      AND event_amount BETWEEN -1000000000000 AND 1000000000000
    GROUP BY event_user, event_day, event_kind
    "#);
}

#[test]
fn for_postgres() {
    insta::assert_snapshot!(query(Dialect::Postgres), @r##"
    WITH raw_events AS (
      SELECT "CustomerID", "InvoiceDate", "InvoiceNo", "Quantity", "UnitPrice" FROM events
    ),
    fields AS (
      SELECT
        TRIM(BOTH E' \t\n\x0B\x0C\r' FROM COALESCE(CAST(raw_events."CustomerID" AS TEXT), '')) AS user_text,
        TRIM(BOTH E' \t\n\x0B\x0C\r' FROM COALESCE(CAST(raw_events."InvoiceDate" AS TEXT), '')) AS time_value,
        TRIM(BOTH E' \t\n\x0B\x0C\r' FROM CASE WHEN STARTS_WITH(COALESCE(CAST(raw_events."InvoiceNo" AS TEXT), ''), 'C') THEN 'return' ELSE 'purchase' END) AS kind_text,
        (CASE WHEN (COALESCE(CAST(raw_events."Quantity" AS TEXT), '') ~ '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$') THEN CASE WHEN PG_INPUT_IS_VALID(COALESCE(CAST(raw_events."Quantity" AS TEXT), ''), 'float8') THEN CAST(COALESCE(CAST(raw_events."Quantity" AS TEXT), '') AS DOUBLE PRECISION) END END * CASE WHEN (COALESCE(CAST(raw_events."UnitPrice" AS TEXT), '') ~ '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$') THEN CASE WHEN PG_INPUT_IS_VALID(COALESCE(CAST(raw_events."UnitPrice" AS TEXT), ''), 'float8') THEN CAST(COALESCE(CAST(raw_events."UnitPrice" AS TEXT), '') AS DOUBLE PRECISION) END END) AS amount_value
      FROM raw_events
    ),
    parsed AS (
      SELECT
        user_text AS event_user,
        CASE WHEN (time_value ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2} ([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)$') THEN CASE WHEN PG_INPUT_IS_VALID(LEFT(time_value, 10), 'date') THEN CAST(LEFT(time_value, 10) AS DATE) END END AS event_day,
        kind_text AS event_kind,
        amount_value AS event_amount
      FROM fields
    )
    SELECT
      event_user AS "user",
      event_day AS "day",
      event_kind AS "kind",
      COUNT(*) AS "count",
      CAST(SUM(CAST(TRUNC((event_amount * 1000000)) + CASE WHEN ABS((event_amount * 1000000) - TRUNC((event_amount * 1000000))) >= 0.5 THEN SIGN((event_amount * 1000000)) ELSE 0 END AS BIGINT)) * 0.000001 AS NUMERIC(25, 6)) AS "amount"
    FROM parsed
    WHERE event_user <> '' AND event_kind <> ''
      AND event_day BETWEEN DATE '1900-01-01' AND DATE '2199-12-31'
      AND event_amount BETWEEN -1000000000000 AND 1000000000000
    GROUP BY event_user, event_day, event_kind
    "##);
}
