use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, Date32Array, Date64Array, Decimal128Array, DictionaryArray, Float32Array,
    Float64Array, Int32Array, Int64Array, LargeStringArray, RecordBatch, StringArray,
    StringViewArray, TimestampMicrosecondArray, UInt64Array,
};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;
use tempfile::TempDir;

use crate::history::DayBounds;
use crate::history::partition_of;
use crate::history::rollup::*;
use crate::history::{Amount, Day, DayRecord, Histories, HistoriesBuilder, HistoryError, Users};

mod threads;
mod writing;

type Row = (&'static str, i32, &'static str, u32, f64);
type LongRow = (String, i32, &'static str, u32, f64);

fn histories<U: AsRef<str>>(rows: &[(U, i32, &str, u32, f64)]) -> Histories {
    let mut builder = HistoriesBuilder::default();
    for (user, day, kind, count, amount) in rows {
        let kind = builder.kind(kind).unwrap();
        let record = DayRecord {
            amount: Amount::new(*amount).unwrap(),
            day: Day::new(*day).unwrap(),
            count: *count,
            kind,
        };
        builder.add(user.as_ref(), record).unwrap();
    }
    builder.finish().unwrap()
}

fn read(path: &Path, until: Option<Day>) -> Result<(Histories, RollupRead), HistoryError> {
    let mut builder = HistoriesBuilder::default();
    let read = read_rollup(path, DayBounds::before(until), Users::All, &mut builder)?;
    Ok((builder.finish()?, read))
}

fn write_columns(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer =
        ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

const ROWS: [Row; 4] = [
    ("7", 15_000, "purchase", 2, 12.34),
    ("7", 15_000, "return", 1, -2.5),
    ("7", 15_003, "purchase", 1, 0.0),
    ("81", 14_999, "purchase", 3, 99.99),
];

/// The columns of `ROWS`, with those in `other` in place of the plain ones.
fn columns_with(other: Vec<(&'static str, ArrayRef)>) -> Vec<(&'static str, ArrayRef)> {
    let plain: Vec<(&'static str, ArrayRef)> = vec![
        (
            "user",
            Arc::new(StringArray::from_iter_values(ROWS.map(|r| r.0))),
        ),
        (
            "day",
            Arc::new(Date32Array::from_iter_values(ROWS.map(|r| r.1))),
        ),
        (
            "kind",
            Arc::new(StringArray::from_iter_values(ROWS.map(|r| r.2))),
        ),
        (
            "count",
            Arc::new(Int64Array::from_iter_values(ROWS.map(|r| i64::from(r.3)))),
        ),
        (
            "amount",
            Arc::new(Float64Array::from_iter_values(ROWS.map(|r| r.4))),
        ),
        ("ignored", Arc::new(Int32Array::from_iter_values([0; 4]))),
    ];
    let replaced = |(name, array)| {
        other
            .iter()
            .find(|o| o.0 == name)
            .cloned()
            .unwrap_or((name, array))
    };
    plain.into_iter().map(replaced).collect()
}

fn dictionary(values: [&str; 4]) -> ArrayRef {
    Arc::new(values.into_iter().collect::<DictionaryArray<Int32Type>>())
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn every_type_a_column_may_have_reads_equal() {
    let expected = histories(&ROWS);
    let variants: Vec<(&'static str, ArrayRef)> = vec![
        ("user", dictionary(ROWS.map(|r| r.0))),
        (
            "user",
            Arc::new(Int32Array::from_iter_values([7, 7, 7, 81])),
        ),
        (
            "user",
            Arc::new(UInt64Array::from_iter_values([7, 7, 7, 81])),
        ),
        (
            "user",
            Arc::new(LargeStringArray::from_iter_values(ROWS.map(|r| r.0))),
        ),
        (
            "user",
            Arc::new(StringViewArray::from_iter_values(ROWS.map(|r| r.0))),
        ),
        (
            "user",
            Arc::new(
                Decimal128Array::from(vec![7, 7, 7, 81])
                    .with_precision_and_scale(38, 0)
                    .unwrap(),
            ),
        ),
        (
            "day",
            Arc::new(StringArray::from_iter_values(
                ROWS.map(|r| Day::new(r.1).unwrap().to_string()),
            )),
        ),
        (
            "day",
            Arc::new(Date64Array::from_iter_values(
                ROWS.map(|r| i64::from(r.1) * 86_400_000),
            )),
        ),
        (
            "day",
            Arc::new(TimestampMicrosecondArray::from_iter_values(
                ROWS.map(|r| i64::from(r.1) * 86_400_000_000),
            )),
        ),
        (
            "user",
            Arc::new(Float64Array::from_iter_values([7.0, 7.0, 7.0, 81.0])),
        ),
        (
            "user",
            Arc::new(
                Decimal128Array::from(vec![700, 700, 700, 8_100])
                    .with_precision_and_scale(38, 2)
                    .unwrap(),
            ),
        ),
        (
            "day",
            Arc::new(StringArray::from_iter_values(
                ROWS.map(|r| format!("{} 00:00:00", Day::new(r.1).unwrap())),
            )),
        ),
        ("kind", dictionary(ROWS.map(|r| r.2))),
        (
            "count",
            Arc::new(Float64Array::from_iter_values(ROWS.map(|r| f64::from(r.3)))),
        ),
        (
            "count",
            Arc::new(Float32Array::from_iter_values(ROWS.map(|r| r.3 as f32))),
        ),
        (
            "count",
            Arc::new(
                Decimal128Array::from_iter_values(ROWS.map(|r| i128::from(r.3) * 1_000))
                    .with_precision_and_scale(38, 3)
                    .unwrap(),
            ),
        ),
        (
            "count",
            Arc::new(Int32Array::from_iter_values(ROWS.map(|r| r.3 as i32))),
        ),
        (
            "count",
            Arc::new(UInt64Array::from_iter_values(ROWS.map(|r| u64::from(r.3)))),
        ),
        (
            "amount",
            Arc::new(Float64Array::from(vec![
                Some(12.34),
                Some(-2.5),
                None,
                Some(99.99),
            ])),
        ),
        (
            "amount",
            Arc::new(
                Decimal128Array::from(vec![1234, -250, 0, 9999])
                    .with_precision_and_scale(10, 2)
                    .unwrap(),
            ),
        ),
    ];
    for (column, array) in variants {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("rollup.parquet");
        let kind = format!("{column} as {}", array.data_type());
        write_columns(&path, columns_with(vec![(column, array)]));
        let (found, report) = read(&path, None).unwrap();
        assert_eq!(found, expected, "{kind}");
        assert_eq!(
            (report.rows, report.events, report.files),
            (4, 7, 1),
            "{kind}"
        );
    }
}

#[test]
fn amounts_may_be_single_precision_whole_or_absent() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("rollup.parquet");
    let whole = |amount: [f64; 4]| {
        histories(&[0, 1, 2, 3].map(|i| (ROWS[i].0, ROWS[i].1, ROWS[i].2, ROWS[i].3, amount[i])))
    };
    write_columns(
        &path,
        columns_with(vec![(
            "amount",
            Arc::new(Float32Array::from_iter_values([1.5, 2.0, 3.0, 4.25])),
        )]),
    );
    assert_eq!(read(&path, None).unwrap().0, whole([1.5, 2.0, 3.0, 4.25]));
    write_columns(
        &path,
        columns_with(vec![(
            "amount",
            Arc::new(Int64Array::from_iter_values([1, -2, 3, 4])),
        )]),
    );
    assert_eq!(read(&path, None).unwrap().0, whole([1.0, -2.0, 3.0, 4.0]));
    write_columns(
        &path,
        columns_with(vec![])
            .into_iter()
            .filter(|c| c.0 != "amount")
            .collect(),
    );
    assert_eq!(read(&path, None).unwrap().0, whole([0.0; 4]));
}

#[test]
fn rows_from_the_as_of_day_on_are_counted_and_not_kept() {
    let dir = TempDir::new().unwrap();
    write_rollup(dir.path(), &histories(&ROWS), 2).unwrap();
    let (found, report) = read(dir.path(), Day::new(15_000)).unwrap();
    assert_eq!(found, histories(&ROWS[3..]));
    assert_eq!(
        (report.rows, report.rows_after_until, report.events),
        (4, 3, 3)
    );
    assert_eq!(
        report.span,
        Some((Day::new(14_999).unwrap(), Day::new(15_003).unwrap()))
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn what_is_wrong_is_named_with_its_file_row_and_column() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("bad.parquet");
    let cases: Vec<(&'static str, ArrayRef, &str)> = vec![
        (
            "count",
            Arc::new(Int64Array::from_iter_values([1, 0, 1, 1])),
            "row 2: column `count`: 0 is not an integer",
        ),
        (
            "count",
            Arc::new(Float64Array::from_iter_values([1.0, 1.5, 1.0, 1.0])),
            "row 2: column `count`: 1.5 is not an integer",
        ),
        (
            "user",
            Arc::new(Float64Array::from_iter_values([1.0, 1e17, 1.0, 1.0])),
            "row 2: column `user`: 100000000000000000 is not a user id: so large a floating-point number",
        ),
        (
            "day",
            Arc::new(Date32Array::from_iter_values([
                15_000, 2_932_896, 15_000, 15_000,
            ])),
            "row 2: column `day`: 9999-12-31 is not a day of the years 1900 to 2199",
        ),
        (
            "day",
            dictionary([
                "2020-01-01",
                "2020-01-01T10:00:00",
                "2020-01-03",
                "2020-01-04",
            ]),
            "row 2: column `day`: `2020-01-01T10:00:00` is not a day",
        ),
        (
            "amount",
            Arc::new(Float64Array::from_iter_values([1.0, 1.0, f64::NAN, 1.0])),
            "row 3: column `amount`: NaN",
        ),
        (
            "day",
            dictionary(["2020-01-01", "2020-01-02", "2020-01-03", "03/01/2020"]),
            "row 4: column `day`: `03/01/2020`",
        ),
        (
            "day",
            Arc::new(TimestampMicrosecondArray::from_iter_values([1, 0, 0, 0])),
            "row 1: column `day`",
        ),
        (
            "user",
            Arc::new(StringArray::from(vec![Some("a"), None, None, None])),
            "row 2: column `user`: null",
        ),
        (
            "kind",
            dictionary(["a", "a", "", "a"]),
            "row 3: column `kind`: `` is not",
        ),
    ];
    for (column, array, expected) in cases {
        write_columns(&path, columns_with(vec![(column, array)]));
        let message = read(&path, None).unwrap_err().to_string();
        assert!(
            message.contains("bad.parquet") && message.contains(expected),
            "{message}"
        );
    }
    write_columns(
        &path,
        columns_with(vec![])
            .into_iter()
            .filter(|c| c.0 != "kind")
            .collect(),
    );
    let message = read(&path, None).unwrap_err().to_string();
    assert!(
        message.contains("column `kind`: missing; the file has user, day, count"),
        "{message}"
    );
    fs::write(&path, "no parquet").unwrap();
    assert!(matches!(
        read(&path, None),
        Err(HistoryError::Parquet { .. })
    ));
    assert!(matches!(
        read(&dir.path().join("none"), None),
        Err(HistoryError::Io { .. })
    ));
}
