//! Columns of Parquet files by their types.

use std::fs::File;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, Date32Array, Decimal128Array, Float64Array, RecordBatch, TimestampMillisecondArray,
    UInt64Array,
};
use parquet::arrow::ArrowWriter;

use crate::rollup_sql::tests::*;

/// The query for a file of one row, or the error.
fn query(
    dialect: Dialect,
    columns: Vec<(&str, ArrayRef)>,
    settings: &str,
) -> std::result::Result<String, String> {
    let dir = TempDir::new().unwrap();
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let file = File::create(dir.path().join("log.parquet")).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let config: EventsConfig =
        toml::from_str(&format!("paths = [\"log.parquet\"]\n{settings}")).unwrap();
    let request = SqlRequest {
        config: &config,
        base_dir: dir.path(),
        dialect,
        table: None,
        time_type: None,
        until: None,
        default_kind: None,
    };
    rollup_sql(&request).map_err(|error| error.to_string())
}

fn days() -> ArrayRef {
    Arc::new(Date32Array::from_iter_values([19_783]))
}

const USER_TIME: &str = "user = 'user'\ntime = 'time'\n";
const MISREAD: &str = "AND event_day NOT BETWEEN";

#[test]
fn ids_of_all_digits_are_not_cast_to_less() {
    let unsigned: ArrayRef = Arc::new(UInt64Array::from_iter_values([u64::MAX]));
    let decimal = || -> ArrayRef {
        Arc::new(
            Decimal128Array::from_iter_values([178_500])
                .with_precision_and_scale(38, 1)
                .unwrap(),
        )
    };
    for dialect in Dialect::ALL {
        let text = dialect.to_text(&format!("raw_events.{}", dialect.quote("user")));
        let sql = query(
            dialect,
            vec![("user", unsigned.clone()), ("time", days())],
            USER_TIME,
        )
        .unwrap();
        assert!(sql.contains(&format!("    {text} AS user_text")), "{sql}");
        let sql = query(
            dialect,
            vec![("user", decimal()), ("time", days())],
            USER_TIME,
        )
        .unwrap();
        assert!(
            sql.contains(&format!("{text}, ")) && sql.contains("[.]0*$"),
            "{sql}"
        );
        let expression = "user = { expr = 'string(int(user))' }\ntime = 'time'\n";
        let message = query(
            dialect,
            vec![("user", decimal()), ("time", days())],
            expression,
        )
        .unwrap_err();
        assert!(
            message.contains("`events.user`: an expression over the decimal `user`"),
            "{message}"
        );
        let double: ArrayRef = Arc::new(Float64Array::from_iter_values([7.0]));
        let sql = query(
            dialect,
            vec![("user", double), ("time", days())],
            expression,
        )
        .unwrap();
        assert!(sql.contains(") < 9007199254740992 THEN "), "{sql}");
    }
}

#[test]
fn times_that_may_be_in_the_wrong_unit_are_held_back_where_the_reader_refuses_them() {
    let user: ArrayRef = Arc::new(UInt64Array::from_iter_values([1]));
    let timestamps: ArrayRef = Arc::new(TimestampMillisecondArray::from_iter_values([
        1_709_251_200_000,
    ]));
    let instants: ArrayRef = Arc::new(
        TimestampMillisecondArray::from_iter_values([1_709_251_200_000]).with_timezone("UTC"),
    );
    for dialect in Dialect::ALL {
        for (times, misread) in [
            (days(), false),
            (timestamps.clone(), true),
            (instants.clone(), true),
        ] {
            let sql = query(
                dialect,
                vec![("user", user.clone()), ("time", times)],
                USER_TIME,
            )
            .unwrap();
            assert_eq!(sql.contains(MISREAD), misread, "{sql}");
        }
        for (format, misread) in [
            ("epoch_ms", true),
            ("%s", true),
            ("rfc3339", false),
            ("%d.%m.%Y", false),
        ] {
            let settings = format!("{USER_TIME}time_format = '{format}'");
            assert_eq!(
                super::sql(dialect, &settings, "user,time", None).contains(MISREAD),
                misread,
                "{format}"
            );
        }
    }
}

#[test]
fn patterns_in_utc_are_instants_in_every_engine() {
    let settings =
        format!("{USER_TIME}timezone = 'America/New_York'\ntime_format = '%Y-%m-%dT%H:%M:%SZ'");
    for dialect in Dialect::ALL {
        let sql = super::sql(dialect, &settings, "user,time", None);
        assert!(
            sql.contains("|| 'Z')") && sql.contains("'America/New_York'"),
            "{sql}"
        );
        let local = super::sql(dialect, &settings.replace("SZ", "S"), "user,time", None);
        assert!(!local.contains("New_York"), "{local}");
    }
}

#[test]
fn amounts_that_are_no_numbers_do_not_stop_the_query() {
    let amounts: ArrayRef = Arc::new(Float64Array::from_iter_values([f64::NAN]));
    let user: ArrayRef = Arc::new(UInt64Array::from_iter_values([1]));
    let columns = vec![("user", user), ("time", days()), ("amount", amounts)];
    let sql = query(
        Dialect::DuckDb,
        columns,
        &format!("{USER_TIME}amount = 'amount'"),
    )
    .unwrap();
    assert!(
        sql.contains("CASE WHEN ISFINITE(amount_value) THEN amount_value END AS event_amount"),
        "{sql}"
    );
}
