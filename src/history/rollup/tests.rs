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

/// Rows of two files, each of many row groups: a user with more rows than a batch of the builder, many with few, all of
/// them in both files.
fn many_rows() -> [Vec<LongRow>; 2] {
    [0, 1].map(|file| {
        let long = (0..45_000).map(|k| {
            (
                "long".to_owned(),
                100 + k,
                ["visit", "cart"][k as usize % 2],
                1,
                0.25,
            )
        });
        let others = (0..3_000).flat_map(|user| {
            let name = format!("a user whose name is long {user}");
            (0..5).map(move |k| {
                (
                    name.clone(),
                    200 + k * 3 + file,
                    ["zoo", "buy", "cart"][k as usize % 3],
                    2,
                    1.5,
                )
            })
        });
        others.chain(long).collect()
    })
}

fn write_many(path: &Path, rows: &[LongRow]) {
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "user",
            Arc::new(StringArray::from_iter_values(
                rows.iter().map(|r| r.0.as_str()),
            )),
        ),
        (
            "day",
            Arc::new(Date32Array::from_iter_values(rows.iter().map(|r| r.1))),
        ),
        (
            "kind",
            Arc::new(StringArray::from_iter_values(rows.iter().map(|r| r.2))),
        ),
        (
            "count",
            Arc::new(Int64Array::from_iter_values(
                rows.iter().map(|r| i64::from(r.3)),
            )),
        ),
        (
            "amount",
            Arc::new(Float64Array::from_iter_values(rows.iter().map(|r| r.4))),
        ),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let groups = WriterProperties::builder()
        .set_max_row_group_row_count(Some(10_000))
        .build();
    let mut writer =
        ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), Some(groups)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap()
        .install(work)
}

#[test]
fn any_number_of_threads_reads_the_same_bytes() {
    let dir = TempDir::new().unwrap();
    let rows = many_rows();
    for (name, rows) in ["a.parquet", "b.parquet"].into_iter().zip(&rows) {
        write_many(&dir.path().join(name), rows);
    }
    // Backwards, so that a user's rows come in other pieces, and kinds in another order.
    let mut backwards = rows.concat();
    backwards.reverse();
    let expected = histories(&backwards);
    for until in [None, Day::new(210)] {
        let (one, report) = on_threads(1, || read(dir.path(), until)).unwrap();
        assert_eq!((report.files, report.rows), (2, 120_000));
        for threads in [2, 3, 8] {
            let (many, other) = on_threads(threads, || read(dir.path(), until)).unwrap();
            assert_eq!(
                (&many, &other),
                (&one, &report),
                "{threads} threads until {until:?}"
            );
            assert_eq!(many.digest().unwrap(), one.digest().unwrap());
        }
        assert_eq!(one == expected, until.is_none());
    }
    let share = |threads| {
        let mut builder = HistoriesBuilder::default();
        let read = on_threads(threads, || {
            read_rollup(
                dir.path(),
                DayBounds::default(),
                Users::Share(0.3),
                &mut builder,
            )
        })
        .unwrap();
        (builder.finish().unwrap().digest().unwrap(), read)
    };
    assert_eq!(share(1), share(4));
}

#[test]
fn the_first_of_several_errors_is_told_whichever_thread_comes_first() {
    let dir = TempDir::new().unwrap();
    let [mut rows, _] = many_rows();
    for bad in [35_000, 45_000, 50_000] {
        rows[bad].3 = 0;
    }
    write_many(&dir.path().join("b.parquet"), &rows);
    rows[59_999].3 = 0;
    write_many(&dir.path().join("c.parquet"), &rows);
    for threads in [1, 2, 6] {
        let message = on_threads(threads, || read(dir.path(), None))
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("b.parquet, row 35001: column `count`"),
            "{message}"
        );
    }
}

#[test]
fn folders_of_other_engines_are_read_at_any_depth() {
    let dir = TempDir::new().unwrap();
    let inner = dir.path().join("country=GB/part");
    fs::create_dir_all(&inner).unwrap();
    fs::create_dir_all(dir.path().join("_temporary")).unwrap();
    for path in [
        inner.join("part-00000-ab12.snappy.parquet"),
        dir.path().join("a.parquet"),
    ] {
        write_columns(&path, columns_with(vec![]));
    }
    for ignored in [
        "_temporary/x.parquet",
        ".hidden.parquet",
        "_SUCCESS",
        "notes.txt",
    ] {
        fs::write(dir.path().join(ignored), "not a roll-up").unwrap();
    }
    let (found, report) = read(dir.path(), None).unwrap();
    assert_eq!(found, histories(&[ROWS, ROWS].concat()));
    assert_eq!(report.files, 2);
}

#[test]
fn an_incomplete_roll_up_is_refused() {
    let dir = TempDir::new().unwrap();
    write_rollup(dir.path(), &histories(&ROWS), 3).unwrap();
    fs::remove_file(dir.path().join("part-00001-of-00003.parquet")).unwrap();
    let message = read(dir.path(), None).unwrap_err().to_string();
    assert!(
        message.contains("part-00001-of-00003.parquet is missing"),
        "{message}"
    );
}

#[cfg(unix)]
#[test]
fn a_roll_up_takes_the_place_of_another_in_one_step() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("rollup");
    write_rollup(&path, &histories(&ROWS), 3).unwrap();
    let begun = crate::output::Folder::open(&path).unwrap();
    assert!(!begun.was_replaced());
    write_rollup(&path, &histories(&ROWS), 2).unwrap();
    // What was begun on the earlier one is known to be outdated.
    assert!(begun.was_replaced() && begun.read("part-00000-of-00003.parquet").is_err());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    assert_eq!(fs::read_dir(&path).unwrap().count(), 2);
}

#[test]
fn a_folder_of_anything_else_is_not_overwritten() {
    let dir = TempDir::new().unwrap();
    write_rollup(dir.path(), &histories(&ROWS), 4).unwrap();
    fs::write(
        dir.path().join(".part-00000-of-00004.parquet.tmp"),
        "left behind",
    )
    .unwrap();
    assert_eq!(
        write_rollup(dir.path(), &histories(&ROWS), 2).unwrap(),
        RollupWritten { files: 2, rows: 4 }
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    assert_eq!(read(dir.path(), None).unwrap().0, histories(&ROWS));
    fs::write(dir.path().join("thesis.txt"), "years of work").unwrap();
    let message = write_rollup(dir.path(), &histories(&ROWS), 2)
        .unwrap_err()
        .to_string();
    assert!(message.contains("thesis.txt"), "{message}");
}

#[test]
fn partitions_are_fnv_1a_for_ever() {
    // Test vectors of the hash's authors: "" and "foobar".
    assert_eq!(partition_of("", 1 << 32), 0x8422_2325);
    assert_eq!(partition_of("foobar", 1 << 32), 0xf739_67e8);
    assert_eq!(partition_of("anyone", 0), 0);
}

#[test]
fn sums_too_large_for_a_double_survive() {
    let large = [
        ("a", 1, "k", 1, 1e12),
        ("a", 1, "k", 1, 1e12),
        ("a", 1, "k", 1, 0.000_001),
        ("b", 1, "k", 1, -0.1),
    ];
    let dir = TempDir::new().unwrap();
    write_rollup(dir.path(), &histories(&large), 1).unwrap();
    assert_eq!(read(dir.path(), None).unwrap().0, histories(&large));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_written_is_read_back(
        rows in prop::collection::vec(("[a-zé \"]{1,3}", -9_000_i32..60_000, "x|y|z,", 1_u32..9, -1e9_f64..1e9), 0..60),
        partitions in 1_usize..5,
    ) {
        let rows: Vec<_> = rows.iter().map(|r| (r.0.clone(), r.1, r.2.as_str(), r.3, r.4)).collect();
        let all = histories(&rows);
        let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        write_rollup(one.path(), &all, partitions).unwrap();
        write_rollup(two.path(), &all, partitions).unwrap();
        prop_assert_eq!(&read(one.path(), None).unwrap().0, &all);
        // The same bytes again, and the same histories from the files in the opposite order.
        let mut builder = HistoriesBuilder::default();
        for part in (0..partitions).rev() {
            let name = part_name(part, partitions);
            prop_assert_eq!(fs::read(one.path().join(&name)).unwrap(), fs::read(two.path().join(&name)).unwrap());
            read_rollup(&one.path().join(&name), DayBounds::default(), Users::All, &mut builder).unwrap();
        }
        prop_assert_eq!(&builder.finish().unwrap(), &all);
    }
}
