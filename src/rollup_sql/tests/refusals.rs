//! What is refused, and what the first lines say.

use crate::rollup_sql::tests::*;

const PLAIN: &str = "user = 'user'\ntime = 'time'\n";

fn refused(dialect: Dialect, settings: &str) -> String {
    attempt(dialect, settings, "user,time,kind,amount", None).unwrap_err()
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn what_cannot_be_said_in_sql_names_the_setting_and_the_way_out() {
    for (setting, expression, expected) in [
        (
            "kind",
            "kind.split('-')[0]",
            "`events.kind`: an index cannot be written in SQL for duckdb",
        ),
        (
            "kind",
            "['a'].exists(x, x == kind) ? 'a' : 'b'",
            "a loop such as `all`, `exists`, `map` or `filter`",
        ),
        (
            "kind",
            "kind.matches('\\\\\\\\d+') ? 'a' : 'b'",
            "the pattern `\\d+`",
        ),
        (
            "kind",
            "kind.matches(amount) ? 'a' : 'b'",
            "`matches` with a computed pattern",
        ),
        (
            "kind",
            "kind == 1 ? 'a' : 'b'",
            "a comparison of text with an integer, which are never equal,",
        ),
        (
            "kind",
            "kind < 1.5 ? 'a' : 'b'",
            "`<` between text and a decimal or floating-point number",
        ),
        (
            "kind",
            "kind == 'a' ? 'a' : 1",
            "`?:` with text on one side and an integer on the other",
        ),
        (
            "kind",
            "string(double(amount))",
            "make an integer of it first",
        ),
        (
            "kind",
            "kind.replace('', '_')",
            "`replace` of what may be empty",
        ),
        (
            "kind",
            "kind == {'a': 'b'} ? 'a' : 'b'",
            "a map cannot be written",
        ),
        (
            "kind",
            "kind in kind ? 'a' : 'b'",
            "`in` something that is no list of literals",
        ),
        (
            "amount",
            "amount == '' ? null : double(amount)",
            "`null` other than in a comparison with a column",
        ),
        (
            "amount",
            "double(amount) * 2",
            "`*` between a decimal or floating-point number and an integer",
        ),
        (
            "amount",
            "amount.reverse()",
            "the functions that are translated are startsWith",
        ),
        (
            "amount",
            "double(amuont)",
            "there is no column `amuont`, which `events.amount` names; did you mean `amount`?",
        ),
    ] {
        let message = refused(
            Dialect::DuckDb,
            &format!("{PLAIN}{setting} = {{ expr = \"\"\"{expression}\"\"\" }}\n"),
        );
        assert!(message.contains(expected), "{expression}: {message}");
    }
}

#[test]
fn settings_that_an_engine_cannot_honour_are_refused() {
    for (dialect, settings, expected) in [
        (
            Dialect::Spark,
            "delimiter = 'whitespace'\ncolumns = ['user', 'time']",
            "load the files into a table, and read the table instead",
        ),
        (
            Dialect::DuckDb,
            "format = 'jsonl'",
            "JSON Lines cannot be written in SQL for duckdb",
        ),
        (
            Dialect::DuckDb,
            "format = 'rollup'",
            "it needs no query; give it to ebb-train",
        ),
        (
            Dialect::BigQuery,
            "time_format = '%d %b %Y'",
            "write the time as rfc3339 or in digits",
        ),
        (
            Dialect::BigQuery,
            "time_format = '%Y-%m-%d %H:%M:%S %Z'",
            "the time format `%Y-%m-%d %H:%M:%S %Z`",
        ),
        (
            Dialect::DuckDb,
            "time_format = '%Y-%m-%d %H:%M:%S%z'",
            "the time format `%Y-%m-%d %H:%M:%S%z`",
        ),
        (
            Dialect::DuckDb,
            "time_format = '%Y-%m-%d %H:%M:%S+01:00'",
            "the time format `%Y-%m-%d %H:%M:%S+01:00`",
        ),
        (Dialect::BigQuery, "timezone = 'Mars/Base'", "Mars/Base"),
        (Dialect::Postgres, "kind = 'knd'", "did you mean `kind`?"),
    ] {
        let message = refused(dialect, &format!("{PLAIN}{settings}\n"));
        assert!(message.contains(expected), "{settings}: {message}");
    }
    assert!(
        refused(Dialect::Snowflake, "time = 'time'").contains("`events.user`: a log without it")
    );
}

#[test]
fn a_table_whose_types_are_not_known_needs_its_time_type() {
    let config: EventsConfig =
        toml::from_str("paths = ['s3://lake/*.parquet']\nuser = 'user'\ntime = 'time'").unwrap();
    let ask = |table, time_type| {
        let base_dir = Path::new("/nowhere");
        let dialect = Dialect::BigQuery;
        let request = SqlRequest {
            config: &config,
            base_dir,
            dialect,
            table,
            time_type,
            until: None,
            default_kind: Some("buy"),
        };
        rollup_sql(&request).map_err(|error| error.to_string())
    };
    assert!(
        ask(Some("shop.events"), None)
            .unwrap_err()
            .contains("say what it is, or run this where")
    );
    let query = ask(Some("shop.events"), Some(TimeType::Instant)).unwrap();
    assert!(
        query.contains("FROM shop.events\n") && query.contains("DATE(time_value, 'UTC')"),
        "{query}"
    );
    assert!(query.contains("'buy' AS kind_text"), "{query}");
    let query = ask(None, Some(TimeType::Local)).unwrap();
    assert!(
        query.contains("FROM events\n") && query.contains("CAST(time_value AS DATE)"),
        "{query}"
    );
}

#[test]
fn files_that_only_the_engine_sees_are_read_where_they_are() {
    let config: EventsConfig = toml::from_str(
        "paths = ['s3://lake/a/*.csv', 's3://lake/b/*.csv']\nuser = 'user'\ntime = 'time'\ncolumns = ['user', 'time']",
    )
    .unwrap();
    let ask = |dialect| {
        let base_dir = Path::new("/nowhere");
        let request = SqlRequest {
            config: &config,
            base_dir,
            dialect,
            table: None,
            time_type: None,
            until: None,
            default_kind: None,
        };
        rollup_sql(&request).unwrap()
    };
    assert!(ask(Dialect::DuckDb).contains(
        "READ_CSV(['s3://lake/a/*.csv', 's3://lake/b/*.csv'], header = false, names = ['user', 'time'], delim = ','"
    ));
    let spark = ask(Dialect::Spark);
    assert!(spark.contains(
        "SELECT _c0 AS `user`, _c1 AS `time` FROM csv.`s3://lake/a/*.csv` WITH (header = 'false'"
    ));
    assert!(spark.contains("\n  UNION ALL SELECT _c0 AS `user`"));
}

#[test]
fn the_first_lines_say_what_differs() {
    let settings = format!("{PLAIN}on_bad_row = 'fail'\n");
    let query = attempt(Dialect::Spark, &settings, "user,time", None).unwrap();
    let header: Vec<&str> = query
        .lines()
        .take_while(|line| line.starts_with("--"))
        .collect();
    insta::assert_snapshot!(header.join("\n"), @r#"
    -- The daily roll-up (user, day, kind, count, amount) of an event log, for Spark SQL (4.0 or newer).
    -- Written by `ebb-train rollup-sql`. Save the rows as Parquet: ebb-train reads them in place of the log.
    -- Rows that ebb-train rejects are left out here too. What differs:
    -- - Rows left out are not counted, nor are repeated ones; `ebb-train` reports on the log itself.
    -- - Of users and kinds only ASCII whitespace is trimmed.
    -- - Numbers as text are digits; `inf` and `nan` are no numbers, and dividing by zero leaves the row out.
    -- - Of ISO 8601 only YYYY-MM-DD, YYYY-MM-DDTHH:MM[:SS[.f]] and Z, +HH or +HH:MM after it are read.
    -- - `on_bad_row = "fail"` cannot be honoured.
    -- - Lines with stray quotes may be split in another way, or left out.
    -- - `multiLine` keeps line breaks inside quotes; without such, 'false' lets Spark split large files.
    "#);
}

#[test]
fn queries_that_were_never_run_say_so() {
    for dialect in Dialect::ALL {
        let query = attempt(dialect, PLAIN, "user,time", None).unwrap();
        let second = query.lines().nth(1).unwrap();
        assert_eq!(
            second.starts_with("-- EXPERIMENTAL: "),
            [Dialect::BigQuery, Dialect::Snowflake].contains(&dialect),
            "{second}"
        );
    }
}
