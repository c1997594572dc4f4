//! A log of plain columns: times in ISO 8601, a time zone, an as-of day.

use crate::rollup_sql::tests::*;

const SETTINGS: &str = r#"
user = "user id"
time = "time"
kind = "kind"
amount = "amount"
timezone = "Europe/Berlin"
"#;

fn query(dialect: Dialect) -> String {
    sql(
        dialect,
        SETTINGS,
        "user id,time,kind,amount",
        Some("2024-06-01"),
    )
}

#[test]
fn for_spark() {
    insta::assert_snapshot!(query(Dialect::Spark), @r#"
    WITH raw_events AS (
      SELECT `user id`, `time`, `kind`, `amount` FROM csv.`/log/log.csv` WITH (header = 'true', delimiter = ',', quote = '"', escape = '"', multiLine = 'true', mode = 'DROPMALFORMED', columnPruning = 'false', enforceSchema = 'false', recursiveFileLookup = 'true')
    ),
    fields AS (
      SELECT
        TRIM(BOTH ' \t\n\u000B\u000C\r' FROM COALESCE(raw_events.`user id`, '')) AS user_text,
        TRIM(BOTH ' \t\n\u000B\u000C\r' FROM COALESCE(raw_events.`time`, '')) AS time_value,
        TRIM(BOTH ' \t\n\u000B\u000C\r' FROM COALESCE(raw_events.`kind`, '')) AS kind_text,
        TRIM(BOTH ' \t\n\u000B\u000C\r' FROM COALESCE(raw_events.`amount`, '')) AS amount_value
      FROM raw_events
    ),
    parsed AS (
      SELECT
        user_text AS event_user,
        CASE WHEN RLIKE(time_value, '^([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ](([01][0-9]|2[0-3]):[0-5][0-9])(:[0-5][0-9])?([.,][0-9]{1,9})?( *(Z|UTC|GMT)|[+-][0-9]{2}(:[0-9]{2})?)$') THEN CAST(CONVERT_TIMEZONE('UTC', 'Europe/Berlin', TIMESTAMPADD(SECOND, UNIX_SECONDS(TRY_CAST(REGEXP_REPLACE(REGEXP_REPLACE(REGEXP_REPLACE(time_value, '^([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ](([01][0-9]|2[0-3]):[0-5][0-9])(:[0-5][0-9])?([.,][0-9]{1,9})?( *(Z|UTC|GMT)|[+-][0-9]{2}(:[0-9]{2})?)$', '$1 $2$4$6'), ' *(Z|UTC|GMT)$', 'Z'), '^([0-9 :-]{16})([Z+-].*)$', '$1:00$2') AS TIMESTAMP)), TIMESTAMP_NTZ '1970-01-01 00:00:00')) AS DATE) WHEN RLIKE(time_value, '^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ]([01][0-9]|2[0-3]):[0-5][0-9](:([0-5][0-9]|60)([.,][0-9]{1,9})?)?)?$') THEN TRY_CAST(LEFT(time_value, 10) AS DATE) END AS event_day,
        kind_text AS event_kind,
        CASE WHEN amount_value = '' THEN CAST(0 AS DOUBLE) ELSE CASE WHEN RLIKE(amount_value, '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$') THEN TRY_CAST(amount_value AS DOUBLE) END END AS event_amount
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
      AND event_day < DATE '2024-06-01'
    GROUP BY event_user, event_day, event_kind
    "#);
}

#[test]
fn for_bigquery() {
    insta::assert_snapshot!(query(Dialect::BigQuery), @r#"
    WITH raw_events AS (
      SELECT `user id`, `time`, `kind`, `amount` FROM events
    ),
    fields AS (
      SELECT
        TRIM(COALESCE(CAST(raw_events.`user id` AS STRING), ''), ' \t\n\x0B\x0C\r') AS user_text,
        TRIM(COALESCE(CAST(raw_events.`time` AS STRING), ''), ' \t\n\x0B\x0C\r') AS time_value,
        TRIM(COALESCE(CAST(raw_events.`kind` AS STRING), ''), ' \t\n\x0B\x0C\r') AS kind_text,
        TRIM(COALESCE(CAST(raw_events.`amount` AS STRING), ''), ' \t\n\x0B\x0C\r') AS amount_value
      FROM raw_events
    ),
    parsed AS (
      SELECT
        user_text AS event_user,
        CASE WHEN REGEXP_CONTAINS(time_value, '^([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ](([01][0-9]|2[0-3]):[0-5][0-9])(:[0-5][0-9])?([.,][0-9]{1,9})?( *(Z|UTC|GMT)|[+-][0-9]{2}(:[0-9]{2})?)$') THEN DATE(SAFE_CAST(REGEXP_REPLACE(REGEXP_REPLACE(REGEXP_REPLACE(time_value, '^([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ](([01][0-9]|2[0-3]):[0-5][0-9])(:[0-5][0-9])?([.,][0-9]{1,9})?( *(Z|UTC|GMT)|[+-][0-9]{2}(:[0-9]{2})?)$', '\\1 \\2\\4\\6'), ' *(Z|UTC|GMT)$', 'Z'), '^([0-9 :-]{16})([Z+-].*)$', '\\1:00\\2') AS TIMESTAMP), 'Europe/Berlin') WHEN REGEXP_CONTAINS(time_value, '^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ]([01][0-9]|2[0-3]):[0-5][0-9](:([0-5][0-9]|60)([.,][0-9]{1,9})?)?)?$') THEN SAFE_CAST(LEFT(time_value, 10) AS DATE) END AS event_day,
        kind_text AS event_kind,
        CASE WHEN amount_value = '' THEN CAST(0 AS FLOAT64) ELSE CASE WHEN REGEXP_CONTAINS(amount_value, '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$') THEN SAFE_CAST(amount_value AS FLOAT64) END END AS event_amount
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
      AND event_day < DATE '2024-06-01'
    GROUP BY event_user, event_day, event_kind
    "#);
}

#[test]
fn for_snowflake() {
    insta::assert_snapshot!(query(Dialect::Snowflake), @r#"
    WITH raw_events AS (
      SELECT "user id", "time", "kind", "amount" FROM events
    ),
    fields AS (
      SELECT
        TRIM(COALESCE(CAST(raw_events."user id" AS VARCHAR), ''), ' \t\n\x0B\x0C\r') AS user_text,
        TRIM(COALESCE(CAST(raw_events."time" AS VARCHAR), ''), ' \t\n\x0B\x0C\r') AS time_value,
        TRIM(COALESCE(CAST(raw_events."kind" AS VARCHAR), ''), ' \t\n\x0B\x0C\r') AS kind_text,
        TRIM(COALESCE(CAST(raw_events."amount" AS VARCHAR), ''), ' \t\n\x0B\x0C\r') AS amount_value
      FROM raw_events
    ),
    parsed AS (
      SELECT
        user_text AS event_user,
        CASE WHEN (REGEXP_INSTR(time_value, '^([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ](([01][0-9]|2[0-3]):[0-5][0-9])(:[0-5][0-9])?([.,][0-9]{1,9})?( *(Z|UTC|GMT)|[+-][0-9]{2}(:[0-9]{2})?)$') > 0) THEN CAST(CONVERT_TIMEZONE('Europe/Berlin', TRY_TO_TIMESTAMP_TZ(REGEXP_REPLACE(REGEXP_REPLACE(REGEXP_REPLACE(time_value, '^([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ](([01][0-9]|2[0-3]):[0-5][0-9])(:[0-5][0-9])?([.,][0-9]{1,9})?( *(Z|UTC|GMT)|[+-][0-9]{2}(:[0-9]{2})?)$', '\\1 \\2\\4\\6'), ' *(Z|UTC|GMT)$', 'Z'), '^([0-9 :-]{16})([Z+-].*)$', '\\1:00\\2'))) AS DATE) WHEN (REGEXP_INSTR(time_value, '^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ]([01][0-9]|2[0-3]):[0-5][0-9](:([0-5][0-9]|60)([.,][0-9]{1,9})?)?)?$') > 0) THEN TRY_CAST(LEFT(time_value, 10) AS DATE) END AS event_day,
        kind_text AS event_kind,
        CASE WHEN amount_value = '' THEN CAST(0 AS DOUBLE) ELSE CASE WHEN (REGEXP_INSTR(amount_value, '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$') > 0) THEN TRY_CAST(amount_value AS DOUBLE) END END AS event_amount
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
      AND event_day < DATE '2024-06-01'
    GROUP BY event_user, event_day, event_kind
    "#);
}

#[test]
fn for_clickhouse() {
    insta::assert_snapshot!(query(Dialect::ClickHouse), @r#"
    WITH raw_events AS (
      SELECT `user id`, `time`, `kind`, `amount` FROM events
    ),
    fields AS (
      SELECT
        TRIM(BOTH ' \t\n\v\f\r' FROM COALESCE(CAST(raw_events.`user id` AS Nullable(String)), '')) AS user_text,
        TRIM(BOTH ' \t\n\v\f\r' FROM COALESCE(CAST(raw_events.`time` AS Nullable(String)), '')) AS time_value,
        TRIM(BOTH ' \t\n\v\f\r' FROM COALESCE(CAST(raw_events.`kind` AS Nullable(String)), '')) AS kind_text,
        TRIM(BOTH ' \t\n\v\f\r' FROM COALESCE(CAST(raw_events.`amount` AS Nullable(String)), '')) AS amount_value
      FROM raw_events
    ),
    parsed AS (
      SELECT
        user_text AS event_user,
        CASE WHEN match(time_value, '^([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ](([01][0-9]|2[0-3]):[0-5][0-9])(:[0-5][0-9])?([.,][0-9]{1,9})?( *(Z|UTC|GMT)|[+-][0-9]{2}(:[0-9]{2})?)$') THEN toDate32(toTimeZone(parseDateTime64BestEffortOrNull(replaceRegexpOne(replaceRegexpOne(replaceRegexpOne(time_value, '^([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ](([01][0-9]|2[0-3]):[0-5][0-9])(:[0-5][0-9])?([.,][0-9]{1,9})?( *(Z|UTC|GMT)|[+-][0-9]{2}(:[0-9]{2})?)$', '\\1 \\2\\4\\6'), ' *(Z|UTC|GMT)$', 'Z'), '^([0-9 :-]{16})([Z+-].*)$', '\\1:00\\2'), 0, 'UTC'), 'Europe/Berlin')) WHEN match(time_value, '^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ]([01][0-9]|2[0-3]):[0-5][0-9](:([0-5][0-9]|60)([.,][0-9]{1,9})?)?)?$') THEN CASE WHEN toString(toDate32OrNull(LEFT(time_value, 10))) = LEFT(time_value, 10) THEN toDate32OrNull(LEFT(time_value, 10)) END END AS event_day,
        kind_text AS event_kind,
        CASE WHEN amount_value = '' THEN CAST(0 AS Nullable(Float64)) ELSE CASE WHEN match(amount_value, '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$') THEN toFloat64OrNull(amount_value) END END AS event_amount
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
      AND event_day < toDate32('2024-06-01')
    GROUP BY event_user, event_day, event_kind
    "#);
}

#[test]
fn for_duckdb() {
    insta::assert_snapshot!(query(Dialect::DuckDb), @r#"
    WITH raw_events AS (
      SELECT "user id", "time", "kind", "amount" FROM READ_CSV(['/log/log.csv'], header = true, union_by_name = true, delim = ',', quote = '"', escape = '"', comment = '', skip = 0, all_varchar = true, ignore_errors = true, null_padding = false, strict_mode = true)
    ),
    fields AS (
      SELECT
        TRIM(BOTH E' \t\n\x0B\x0C\r' FROM COALESCE(raw_events."user id", '')) AS user_text,
        TRIM(BOTH E' \t\n\x0B\x0C\r' FROM COALESCE(raw_events."time", '')) AS time_value,
        TRIM(BOTH E' \t\n\x0B\x0C\r' FROM COALESCE(raw_events."kind", '')) AS kind_text,
        TRIM(BOTH E' \t\n\x0B\x0C\r' FROM COALESCE(raw_events."amount", '')) AS amount_value
      FROM raw_events
    ),
    parsed AS (
      SELECT
        user_text AS event_user,
        CASE WHEN REGEXP_MATCHES(time_value, '^([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ](([01][0-9]|2[0-3]):[0-5][0-9])(:[0-5][0-9])?([.,][0-9]{1,9})?( *(Z|UTC|GMT)|[+-][0-9]{2}(:[0-9]{2})?)$') THEN CAST(TRY_CAST(REGEXP_REPLACE(REGEXP_REPLACE(REGEXP_REPLACE(time_value, '^([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ](([01][0-9]|2[0-3]):[0-5][0-9])(:[0-5][0-9])?([.,][0-9]{1,9})?( *(Z|UTC|GMT)|[+-][0-9]{2}(:[0-9]{2})?)$', '\1 \2\4\6'), ' *(Z|UTC|GMT)$', 'Z'), '^([0-9 :-]{16})([Z+-].*)$', '\1:00\2') AS TIMESTAMPTZ) AT TIME ZONE 'Europe/Berlin' AS DATE) WHEN REGEXP_MATCHES(time_value, '^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ]([01][0-9]|2[0-3]):[0-5][0-9](:([0-5][0-9]|60)([.,][0-9]{1,9})?)?)?$') THEN TRY_CAST(LEFT(time_value, 10) AS DATE) END AS event_day,
        kind_text AS event_kind,
        CASE WHEN amount_value = '' THEN CAST(0 AS DOUBLE) ELSE CASE WHEN REGEXP_MATCHES(amount_value, '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$') THEN TRY_CAST(amount_value AS DOUBLE) END END AS event_amount
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
      AND event_day < DATE '2024-06-01'
    GROUP BY event_user, event_day, event_kind
    "#);
}

#[test]
fn for_postgres() {
    insta::assert_snapshot!(query(Dialect::Postgres), @r#"
    WITH raw_events AS (
      SELECT "user id", "time", "kind", "amount" FROM events
    ),
    fields AS (
      SELECT
        TRIM(BOTH E' \t\n\x0B\x0C\r' FROM COALESCE(CAST(raw_events."user id" AS TEXT), '')) AS user_text,
        TRIM(BOTH E' \t\n\x0B\x0C\r' FROM COALESCE(CAST(raw_events."time" AS TEXT), '')) AS time_value,
        TRIM(BOTH E' \t\n\x0B\x0C\r' FROM COALESCE(CAST(raw_events."kind" AS TEXT), '')) AS kind_text,
        TRIM(BOTH E' \t\n\x0B\x0C\r' FROM COALESCE(CAST(raw_events."amount" AS TEXT), '')) AS amount_value
      FROM raw_events
    ),
    parsed AS (
      SELECT
        user_text AS event_user,
        CASE WHEN (time_value ~ '^([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ](([01][0-9]|2[0-3]):[0-5][0-9])(:[0-5][0-9])?([.,][0-9]{1,9})?( *(Z|UTC|GMT)|[+-][0-9]{2}(:[0-9]{2})?)$') THEN CAST(CASE WHEN PG_INPUT_IS_VALID(REGEXP_REPLACE(REGEXP_REPLACE(REGEXP_REPLACE(time_value, '^([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ](([01][0-9]|2[0-3]):[0-5][0-9])(:[0-5][0-9])?([.,][0-9]{1,9})?( *(Z|UTC|GMT)|[+-][0-9]{2}(:[0-9]{2})?)$', '\1 \2\4\6'), ' *(Z|UTC|GMT)$', 'Z'), '^([0-9 :-]{16})([Z+-].*)$', '\1:00\2'), 'timestamptz') THEN CAST(REGEXP_REPLACE(REGEXP_REPLACE(REGEXP_REPLACE(time_value, '^([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ](([01][0-9]|2[0-3]):[0-5][0-9])(:[0-5][0-9])?([.,][0-9]{1,9})?( *(Z|UTC|GMT)|[+-][0-9]{2}(:[0-9]{2})?)$', '\1 \2\4\6'), ' *(Z|UTC|GMT)$', 'Z'), '^([0-9 :-]{16})([Z+-].*)$', '\1:00\2') AS TIMESTAMPTZ) END AT TIME ZONE 'Europe/Berlin' AS DATE) WHEN (time_value ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ]([01][0-9]|2[0-3]):[0-5][0-9](:([0-5][0-9]|60)([.,][0-9]{1,9})?)?)?$') THEN CASE WHEN PG_INPUT_IS_VALID(LEFT(time_value, 10), 'date') THEN CAST(LEFT(time_value, 10) AS DATE) END END AS event_day,
        kind_text AS event_kind,
        CASE WHEN amount_value = '' THEN CAST(0 AS DOUBLE PRECISION) ELSE CASE WHEN (amount_value ~ '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$') THEN CASE WHEN PG_INPUT_IS_VALID(amount_value, 'float8') THEN CAST(amount_value AS DOUBLE PRECISION) END END END AS event_amount
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
      AND event_day < DATE '2024-06-01'
    GROUP BY event_user, event_day, event_kind
    "#);
}

#[test]
fn a_decimal_comma_is_read_by_its_pattern_in_every_engine() {
    let settings =
        "user = 'user'\ntime = 'time'\ntime_format = '%Y-%m-%d'\namount = 'price'\ndecimal = ','";
    let amount = |dialect| {
        let query = sql(dialect, settings, "user,time,price", None);
        let line = query
            .lines()
            .find(|line| line.contains("AS event_amount"))
            .unwrap();
        line.trim().to_owned()
    };
    insta::assert_snapshot!(amount(Dialect::DuckDb), @"");
    for dialect in [
        Dialect::Spark,
        Dialect::ClickHouse,
        Dialect::Postgres,
        Dialect::BigQuery,
        Dialect::Snowflake,
    ] {
        let line = amount(dialect);
        assert!(
            line.contains("REPLACE") && line.contains("[.][0-9]{3}"),
            "{line}"
        );
    }
}
