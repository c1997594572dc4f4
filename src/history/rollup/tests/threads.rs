//! Files of many row groups, and folders: read by any number of threads.

use super::*;

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
