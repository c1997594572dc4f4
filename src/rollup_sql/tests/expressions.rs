//! Expressions and the SQL that is made of them. What it means is tested by running it: `tests/cluster`.

use crate::rollup_sql::tests::*;

/// An expression over a CSV log with the columns `a`, `b` and `Unit Price`, as DuckDB and as Postgres are to compute it.
fn translated(dialect: Dialect, expression: &str) -> String {
    let columns = Columns {
        known: Some((
            "log.csv".into(),
            ["a", "b", "Unit Price"]
                .map(|name| (name.to_owned(), Type::Text))
                .to_vec(),
        )),
        text: true,
        from_files: true,
        untyped: false,
    };
    let expression = Expression::compile(Field::Kind, expression).unwrap();
    let translator = Translator {
        dialect,
        field: Field::Kind,
        columns: &columns,
    };
    // Shorter, so that the table can be read.
    let sql = translator.value(expression.ast()).unwrap().sql;
    sql.replace("COALESCE(raw_events.\"a\", '')", "a")
        .replace("COALESCE(raw_events.\"b\", '')", "b")
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn every_construct_has_its_sql() {
    let table = [
        (r#"a"#, r#"a"#),
        (r#""x'y""#, r#"'x''y'"#),
        (
            r#"a == "x" ? a : b"#,
            r#"CASE WHEN (a = 'x') THEN a ELSE b END"#,
        ),
        (
            r#"a != b ? "x" : "y""#,
            r#"CASE WHEN (NOT (a = b)) THEN 'x' ELSE 'y' END"#,
        ),
        (
            r#"a < b ? "x" : "y""#,
            r#"CASE WHEN (a < b) THEN 'x' ELSE 'y' END"#,
        ),
        (
            r#"a in ["x", "y"] ? a : b"#,
            r#"CASE WHEN (a IN ('x', 'y')) THEN a ELSE b END"#,
        ),
        (
            r#"a.startsWith("C") && !b.endsWith("C") || a.contains(b) ? a : b"#,
            r#"CASE WHEN ((STARTS_WITH(a, 'C') AND (NOT ENDS_WITH(b, 'C'))) OR CONTAINS(a, b)) THEN a ELSE b END"#,
        ),
        (
            r#"a.matches("^[A-C]+$") ? a : b"#,
            r#"CASE WHEN REGEXP_MATCHES(a, '^[A-C]+$') THEN a ELSE b END"#,
        ),
        (
            r#"a + "-" + b.trim()"#,
            r#"((a || '-') || TRIM(BOTH E' \t\n\x0B\x0C\r' FROM b))"#,
        ),
        (
            r#"a.lowerAscii()"#,
            r#"translate(a, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz')"#,
        ),
        (
            r#"a.upperAscii()"#,
            r#"translate(a, 'abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ')"#,
        ),
        (r#"a.replace("-", "")"#, r#"REPLACE(a, '-', '')"#),
        (
            r#"a.substring(1)"#,
            r#"CASE WHEN CAST(1 AS BIGINT) >= 0 AND CAST(1 AS BIGINT) <= LENGTH(a) AND LENGTH(a) <= LENGTH(a) THEN SUBSTR(a, CAST(1 AS BIGINT) + 1, LENGTH(a) - CAST(1 AS BIGINT)) END"#,
        ),
        (
            r#"a.substring(0, 2)"#,
            r#"CASE WHEN CAST(0 AS BIGINT) >= 0 AND CAST(0 AS BIGINT) <= CAST(2 AS BIGINT) AND CAST(2 AS BIGINT) <= LENGTH(a) THEN SUBSTR(a, CAST(0 AS BIGINT) + 1, CAST(2 AS BIGINT) - CAST(0 AS BIGINT)) END"#,
        ),
        (
            r#"size(a) > 3 ? a : b"#,
            r#"CASE WHEN (LENGTH(a) > CAST(3 AS BIGINT)) THEN a ELSE b END"#,
        ),
        (r#"Unit_Price"#, r#"COALESCE(raw_events."Unit Price", '')"#),
        (
            r#"string(int(a))"#,
            r#"CAST(CASE WHEN REGEXP_MATCHES(a, '^[+-]?[0-9]+$') THEN TRY_CAST(a AS BIGINT) END AS VARCHAR)"#,
        ),
        (
            r#"string(int(a) + int(b) * 2)"#,
            r#"CAST(TRY(CASE WHEN REGEXP_MATCHES(a, '^[+-]?[0-9]+$') THEN TRY_CAST(a AS BIGINT) END + TRY(CASE WHEN REGEXP_MATCHES(b, '^[+-]?[0-9]+$') THEN TRY_CAST(b AS BIGINT) END * CAST(2 AS BIGINT))) AS VARCHAR)"#,
        ),
        (
            r#"string(int(a) / 2 - int(b) % 2)"#,
            r#"CAST(TRY((CASE WHEN REGEXP_MATCHES(a, '^[+-]?[0-9]+$') THEN TRY_CAST(a AS BIGINT) END // NULLIF(CAST(2 AS BIGINT), 0)) - MOD(CASE WHEN REGEXP_MATCHES(b, '^[+-]?[0-9]+$') THEN TRY_CAST(b AS BIGINT) END, NULLIF(CAST(2 AS BIGINT), 0))) AS VARCHAR)"#,
        ),
        (
            r#"string(-int(double(a)))"#,
            r#"CAST(TRY(CAST(0 AS BIGINT) - TRY_CAST(TRUNC(CASE WHEN REGEXP_MATCHES(a, '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$') THEN TRY_CAST(a AS DOUBLE) END) AS BIGINT)) AS VARCHAR)"#,
        ),
        (
            r#"double(a) >= 1.5 ? a : b"#,
            r#"CASE WHEN (CASE WHEN REGEXP_MATCHES(a, '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$') THEN TRY_CAST(a AS DOUBLE) END >= CAST(1.5 AS DOUBLE)) THEN a WHEN NOT (CASE WHEN REGEXP_MATCHES(a, '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$') THEN TRY_CAST(a AS DOUBLE) END >= CAST(1.5 AS DOUBLE)) THEN b END"#,
        ),
        (
            r#"double(a) / double(b) > 0.0 ? a : b"#,
            r#"CASE WHEN ((CASE WHEN REGEXP_MATCHES(a, '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$') THEN TRY_CAST(a AS DOUBLE) END / NULLIF(CASE WHEN REGEXP_MATCHES(b, '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$') THEN TRY_CAST(b AS DOUBLE) END, 0)) > CAST(0.0 AS DOUBLE)) THEN a WHEN NOT ((CASE WHEN REGEXP_MATCHES(a, '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$') THEN TRY_CAST(a AS DOUBLE) END / NULLIF(CASE WHEN REGEXP_MATCHES(b, '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$') THEN TRY_CAST(b AS DOUBLE) END, 0)) > CAST(0.0 AS DOUBLE)) THEN b END"#,
        ),
        (
            r#"string(a == b)"#,
            r#"CASE WHEN (a = b) THEN 'true' WHEN NOT (a = b) THEN 'false' END"#,
        ),
        (
            r#"a == "" ? b : a"#,
            r#"CASE WHEN (a = '') THEN b ELSE a END"#,
        ),
    ];
    for (expression, expected) in table {
        assert_eq!(
            translated(Dialect::DuckDb, expression),
            expected,
            "{expression}"
        );
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn engines_that_differ_get_their_own() {
    use Dialect::{BigQuery, ClickHouse, Postgres, Snowflake, Spark};
    let table = [
        (
            Spark,
            r#"a.startsWith("C") ? "x" : "y""#,
            r#"CASE WHEN STARTSWITH(a, 'C') THEN 'x' WHEN NOT STARTSWITH(a, 'C') THEN 'y' END"#,
        ),
        (
            BigQuery,
            r#"a.contains("\\") ? "x" : "y""#,
            r#"CASE WHEN (STRPOS(a, '\\') > 0) THEN 'x' WHEN NOT (STRPOS(a, '\\') > 0) THEN 'y' END"#,
        ),
        (
            Snowflake,
            r#"a.endsWith("x") ? "x" : "y""#,
            r#"CASE WHEN ENDSWITH(a, 'x') THEN 'x' WHEN NOT ENDSWITH(a, 'x') THEN 'y' END"#,
        ),
        (
            ClickHouse,
            r#"a.contains("x") ? "x" : "y""#,
            r#"CASE WHEN (position(a, 'x') > 0) THEN 'x' WHEN NOT (position(a, 'x') > 0) THEN 'y' END"#,
        ),
        (
            Postgres,
            r#"a.endsWith("x") ? "it's" : "y""#,
            r#"CASE WHEN (RIGHT(a, LENGTH('x')) = 'x') THEN 'it''s' WHEN NOT (RIGHT(a, LENGTH('x')) = 'x') THEN 'y' END"#,
        ),
        (
            Postgres,
            r#"a < "x" ? "x" : "y""#,
            r#"CASE WHEN (a COLLATE C < 'x') THEN 'x' WHEN NOT (a COLLATE C < 'x') THEN 'y' END"#,
        ),
        (
            Spark,
            r#"string(int(a) * 2)"#,
            r#"CAST(TRY_MULTIPLY(CASE WHEN RLIKE(a, '^[+-]?[0-9]+$') THEN TRY_CAST(a AS BIGINT) END, CAST(2 AS BIGINT)) AS STRING)"#,
        ),
        (
            BigQuery,
            r#"string(int(a) / 2)"#,
            r#"CAST(DIV(CASE WHEN REGEXP_CONTAINS(a, '^[+-]?[0-9]+$') THEN SAFE_CAST(a AS INT64) END, NULLIF(CAST(2 AS INT64), 0)) AS STRING)"#,
        ),
        (
            Snowflake,
            r#"string(int(a) + 2)"#,
            r#"CAST(CASE WHEN (CASE WHEN (REGEXP_INSTR(a, '^[+-]?[0-9]+$') > 0) THEN CASE WHEN TRY_CAST(a AS NUMBER(38, 0)) BETWEEN -9223372036854775808 AND 9223372036854775807 THEN TRY_CAST(a AS NUMBER(38, 0)) END END + CAST(2 AS NUMBER(38, 0))) BETWEEN -9223372036854775808 AND 9223372036854775807 THEN (CASE WHEN (REGEXP_INSTR(a, '^[+-]?[0-9]+$') > 0) THEN CASE WHEN TRY_CAST(a AS NUMBER(38, 0)) BETWEEN -9223372036854775808 AND 9223372036854775807 THEN TRY_CAST(a AS NUMBER(38, 0)) END END + CAST(2 AS NUMBER(38, 0))) END AS VARCHAR)"#,
        ),
        (
            ClickHouse,
            r#"string(int(double(a)))"#,
            r#"CAST(accurateCastOrNull(trunc(CASE WHEN match(a, '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$') THEN toFloat64OrNull(a) END), 'Int64') AS Nullable(String))"#,
        ),
        (
            Postgres,
            r#"string(int(a) - 2)"#,
            r#"CAST(CASE WHEN CAST(CASE WHEN (a ~ '^[+-]?[0-9]+$') THEN CASE WHEN PG_INPUT_IS_VALID(a, 'int8') THEN CAST(a AS BIGINT) END END AS NUMERIC) - CAST(2 AS BIGINT) BETWEEN -9223372036854775808 AND 9223372036854775807 THEN CASE WHEN (a ~ '^[+-]?[0-9]+$') THEN CASE WHEN PG_INPUT_IS_VALID(a, 'int8') THEN CAST(a AS BIGINT) END END - CAST(2 AS BIGINT) END AS TEXT)"#,
        ),
        (
            Snowflake,
            r#"a.matches("x|y") ? "x" : "y""#,
            r#"CASE WHEN (REGEXP_INSTR(a, 'x|y') > 0) THEN 'x' WHEN NOT (REGEXP_INSTR(a, 'x|y') > 0) THEN 'y' END"#,
        ),
        (
            ClickHouse,
            r#"a.substring(1, 2)"#,
            r#"CASE WHEN CAST(1 AS Nullable(Int64)) >= 0 AND CAST(1 AS Nullable(Int64)) <= CAST(2 AS Nullable(Int64)) AND CAST(2 AS Nullable(Int64)) <= toInt64(lengthUTF8(a)) THEN substringUTF8(a, CAST(1 AS Nullable(Int64)) + 1, CAST(2 AS Nullable(Int64)) - CAST(1 AS Nullable(Int64))) END"#,
        ),
        (
            Spark,
            r#"a.substring(1, 2)"#,
            r#"CASE WHEN CAST(1 AS BIGINT) >= 0 AND CAST(1 AS BIGINT) <= CAST(2 AS BIGINT) AND CAST(2 AS BIGINT) <= LENGTH(a) THEN SUBSTR(a, CAST(CAST(1 AS BIGINT) + 1 AS INT), CAST(CAST(2 AS BIGINT) - CAST(1 AS BIGINT) AS INT)) END"#,
        ),
        (Postgres, r#"string(size(a))"#, r#"CAST(LENGTH(a) AS TEXT)"#),
    ];
    for (dialect, expression, expected) in table {
        let columns = Columns {
            known: None,
            text: false,
            from_files: true,
            untyped: false,
        };
        let expression = Expression::compile(Field::Kind, expression).unwrap();
        let translator = Translator {
            dialect,
            field: Field::Kind,
            columns: &columns,
        };
        let sql = translator.value(expression.ast()).unwrap().sql;
        assert_eq!(
            sql.replace("raw_events.", "").replace(['`', '"'], ""),
            expected,
            "{dialect}"
        );
    }
}

#[test]
fn columns_of_a_typed_file_keep_their_types_and_their_nulls() {
    let typed = [
        ("kind", Type::Text),
        ("amount", Type::Float),
        ("quantity", Type::Int),
        ("paid", Type::Bool),
        ("item", Type::Struct(vec![("name".to_owned(), Type::Text)])),
    ];
    let known = typed.map(|(name, kind)| (name.to_owned(), kind)).to_vec();
    let columns = Columns {
        known: Some(("log.parquet".into(), known)),
        text: false,
        from_files: true,
        untyped: false,
    };
    let translate = |expression: &str| {
        let expression = Expression::compile(Field::Amount, expression).unwrap();
        let translator = Translator {
            dialect: Dialect::DuckDb,
            field: Field::Amount,
            columns: &columns,
        };
        translator
            .value(expression.ast())
            .map(|term| term.sql.replace("raw_events.", ""))
            .map_err(|e| e.to_string())
    };
    for (expression, expected) in [
        ("amount", r#"COALESCE(CAST("amount" AS DOUBLE), 0)"#),
        (
            "amount * 2.0",
            r#"(CAST("amount" AS DOUBLE) * CAST(2.0 AS DOUBLE))"#,
        ),
        (
            "kind == 'x' ? amount : 0.0",
            r#"CASE WHEN COALESCE(("kind" = 'x'), "kind" IS NULL AND 'x' IS NULL) THEN COALESCE(CAST("amount" AS DOUBLE), 0) ELSE CAST(0.0 AS DOUBLE) END"#,
        ),
        (
            "kind == null ? 1 : 2",
            r#"CASE WHEN ("kind" IS NULL) THEN CAST(1 AS BIGINT) ELSE CAST(2 AS BIGINT) END"#,
        ),
        (
            "kind in ['x'] || paid ? 1 : 2",
            r#"CASE WHEN (COALESCE(("kind" IN ('x')), FALSE) OR "paid") THEN CAST(1 AS BIGINT) WHEN NOT (COALESCE(("kind" IN ('x')), FALSE) OR "paid") THEN CAST(2 AS BIGINT) END"#,
        ),
        (
            "has(item.name) ? size(item.name) : 0",
            r#"CASE WHEN CASE WHEN "item" IS NOT NULL THEN TRUE END THEN LENGTH("item"."name") WHEN NOT CASE WHEN "item" IS NOT NULL THEN TRUE END THEN CAST(0 AS BIGINT) END"#,
        ),
    ] {
        assert_eq!(
            translate(expression).as_deref(),
            Ok(expected),
            "{expression}"
        );
    }
    let message = translate("quantity * amount").unwrap_err();
    assert!(
        message.contains("`*` between an integer and a decimal or floating-point number"),
        "{message}"
    );
}
