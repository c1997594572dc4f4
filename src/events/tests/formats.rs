use std::fs::File;
use std::sync::{Arc, Mutex};

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, Date32Array, Decimal128Array, DictionaryArray, Float64Array, Int64Array,
    LargeStringArray, RecordBatch, StringArray, StringViewArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression as Codec, GzipLevel, ZstdLevel};
use parquet::file::properties::WriterProperties;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::events::tests::*;
use crate::history::write_rollup;
use crate::phases::{Observer, PhaseProgress};

pub(super) struct Event {
    pub(super) user: i64,
    pub(super) unix_s: i64,
    pub(super) kind: &'static str,
    pub(super) quantity: i64,
    pub(super) cents: i64,
}

impl Event {
    fn amount(&self) -> f64 {
        (self.quantity * self.cents) as f64 / 100.0
    }

    fn local(&self) -> String {
        jiff::Timestamp::from_second(self.unix_s)
            .unwrap()
            .strftime("%Y-%m-%d %H:%M:%S")
            .to_string()
    }
}

/// A thousand events of a year and a half, in UTC.
pub(super) fn events() -> Vec<Event> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(11);
    let mut event = |_| Event {
        user: random.gen_range(1..40),
        unix_s: random.gen_range(1_300_000_000..1_350_000_000),
        kind: ["visit", "purchase", "return"][random.gen_range(0..3)],
        quantity: random.gen_range(-3..9),
        cents: random.gen_range(1..40_000),
    };
    (0..1_000).map(&mut event).collect()
}

pub(super) fn csv(events: &[Event]) -> String {
    let line = |e: &Event| format!("x,{},{},\"{}\",{}\n", e.user, e.local(), e.kind, e.amount());
    "id,user,at,what,price\n".to_owned() + &events.iter().map(line).collect::<String>()
}

pub(super) fn expected() -> (Histories, QualityReport) {
    read_csv(&csv(&events()), PLAIN).unwrap()
}

pub(super) fn write_parquet(path: &Path, columns: Vec<(&str, ArrayRef)>, codec: Codec) {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let properties = WriterProperties::builder().set_compression(codec).build();
    let mut writer = ArrowWriter::try_new(
        File::create(path).unwrap(),
        batch.schema(),
        Some(properties),
    )
    .unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

pub(super) fn parquet_columns() -> Vec<(&'static str, ArrayRef)> {
    let events = events();
    vec![
        (
            "unused",
            Arc::new(Int64Array::from_iter_values(events.iter().map(|e| e.cents))),
        ),
        (
            "price",
            Arc::new(Float64Array::from_iter_values(
                events.iter().map(Event::amount),
            )),
        ),
        (
            "user",
            Arc::new(Int64Array::from_iter_values(events.iter().map(|e| e.user))),
        ),
        (
            "at",
            Arc::new(TimestampMicrosecondArray::from_iter_values(
                events.iter().map(|e| e.unix_s * 1_000_000),
            )),
        ),
        (
            "what",
            Arc::new(StringArray::from_iter_values(events.iter().map(|e| e.kind))),
        ),
    ]
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn text_formats_read_equal() {
    let (expected, report) = expected();
    assert_eq!(
        (report.rows, report.events, report.duplicates),
        (1_000, 1_000, 0)
    );
    assert_all_accounted_for(&report);
    let csv = csv(&events());
    let zstd = zstd::encode_all(csv.as_bytes(), 1).unwrap();
    let middle = csv.len() / 2;
    let two_members = [
        gzip(&csv.as_bytes()[..middle]),
        gzip(&csv.as_bytes()[middle..]),
    ]
    .concat();
    let tabs = csv.replace(',', "\t");
    let blanks = csv
        .replace(',', "  ")
        .replace('\n', " \r\n")
        .replace('"', "")
        .replacen(" at ", " day time ", 1);
    let json = |e: &Event| {
        let (user, at, kind, price) = (e.user, e.local(), e.kind, e.amount());
        format!(
            "{{\"user\":{user},\"n\":{{\"a\":[1]}},\"at\":\"{at}\",\"what\":\"{kind}\",\"price\":{price}}}\n"
        )
    };
    let jsonl: String = events().iter().map(json).collect();
    let format = "time_format = '%Y-%m-%d %H:%M:%S'\n".to_owned() + PLAIN;
    let no_header = format!("columns = ['id', 'user', 'at', 'what', 'price']\n{PLAIN}");
    let blank_settings = PLAIN.replace("\"at\"", "\"day\"") + "delimiter = 'whitespace'";
    for (name, bytes, settings) in [
        ("log.csv", csv.as_bytes(), format.as_str()),
        ("log.csv.gz", &gzip(csv.as_bytes()), PLAIN),
        ("log.csv", &two_members, PLAIN),
        ("log.csv.zst", &zstd, PLAIN),
        ("log.tsv", tabs.as_bytes(), PLAIN),
        (
            "log.txt",
            csv.replace(',', ";").as_bytes(),
            &format!("delimiter = ';'\n{PLAIN}"),
        ),
        ("log.txt", blanks.as_bytes(), &blank_settings),
        ("log.csv", csv.replace('\n', "\r\n").as_bytes(), PLAIN),
        ("log.csv", csv.replace('\n', "\r").as_bytes(), PLAIN),
        ("log.csv", format!("\u{feff}{csv}").as_bytes(), PLAIN),
        ("log.csv", csv.trim_end().as_bytes(), PLAIN),
        (
            "log.csv",
            csv.split_once('\n').unwrap().1.as_bytes(),
            &no_header,
        ),
        ("log.jsonl", jsonl.as_bytes(), PLAIN),
        (
            "log.ndjson.gz",
            &gzip(jsonl.replace('\n', "\r\n\n").as_bytes()),
            PLAIN,
        ),
        (
            "log",
            jsonl.as_bytes(),
            &format!("format = 'jsonl'\n{PLAIN}"),
        ),
    ] {
        let (found, found_report) = read_bytes(name, bytes, settings).unwrap();
        assert_eq!(found, expected, "{name} {settings}");
        assert_eq!(
            (found_report.events, found_report.kinds),
            (report.events, report.kinds.clone()),
            "{name}"
        );
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn parquet_types_and_codecs_read_equal() {
    let (expected, _) = expected();
    let events = events();
    let seconds = || events.iter().map(|e| e.unix_s);
    let kinds: DictionaryArray<Int32Type> = events.iter().map(|e| e.kind).collect();
    let variants: Vec<(&'static str, ArrayRef, &str)> = vec![
        ("what", Arc::new(kinds), ""),
        (
            "what",
            Arc::new(StringViewArray::from_iter_values(
                events.iter().map(|e| e.kind),
            )),
            "",
        ),
        (
            "user",
            Arc::new(LargeStringArray::from_iter_values(
                events.iter().map(|e| e.user.to_string()),
            )),
            "",
        ),
        (
            "user",
            Arc::new(Float64Array::from_iter_values(
                events.iter().map(|e| e.user as f64),
            )),
            "",
        ),
        (
            "at",
            Arc::new(TimestampSecondArray::from_iter_values(seconds())),
            "",
        ),
        (
            "at",
            Arc::new(TimestampMillisecondArray::from_iter_values(
                seconds().map(|s| s * 1_000),
            )),
            "",
        ),
        (
            "at",
            Arc::new(
                TimestampNanosecondArray::from_iter_values(seconds().map(|s| s * 1_000_000_000))
                    .with_timezone("UTC"),
            ),
            "",
        ),
        (
            "at",
            Arc::new(Date32Array::from_iter_values(
                seconds().map(|s| (s / 86_400) as i32),
            )),
            "",
        ),
        (
            "at",
            Arc::new(StringArray::from_iter_values(
                events.iter().map(Event::local),
            )),
            "time_format = '%Y-%m-%d %H:%M:%S'",
        ),
        (
            "at",
            Arc::new(Int64Array::from_iter_values(seconds().map(|s| s * 1_000))),
            "time_format = 'epoch_ms'",
        ),
        (
            "price",
            Arc::new(
                Decimal128Array::from_iter_values(
                    events.iter().map(|e| i128::from(e.quantity * e.cents)),
                )
                .with_precision_and_scale(12, 2)
                .unwrap(),
            ),
            "",
        ),
    ];
    for (column, array, setting) in variants {
        let dir = TempDir::new().unwrap();
        let name = format!("{column} {}", array.data_type());
        let columns = parquet_columns().into_iter();
        let columns = columns
            .map(|c| {
                if c.0 == column {
                    (c.0, array.clone())
                } else {
                    c
                }
            })
            .collect();
        write_parquet(
            &dir.path().join("log.parquet"),
            columns,
            Codec::UNCOMPRESSED,
        );
        let (found, report) = read_dir(dir.path(), &format!("{setting}\n{PLAIN}"), None).unwrap();
        assert_eq!(found, expected, "{name}");
        assert_eq!(report.duplicates_compared, 0);
    }
    let (gzip, zstd) = (GzipLevel::default(), ZstdLevel::default());
    for codec in [
        Codec::SNAPPY,
        Codec::GZIP(gzip),
        Codec::ZSTD(zstd),
        Codec::LZ4_RAW,
        Codec::LZ4,
    ] {
        let dir = TempDir::new().unwrap();
        write_parquet(&dir.path().join("log.parquet"), parquet_columns(), codec);
        assert_eq!(
            read_dir(dir.path(), PLAIN, None).unwrap().0,
            expected,
            "{codec}"
        );
    }
}

#[test]
fn a_roll_up_reads_equal_and_needs_no_mapping() {
    let (expected, raw) = expected();
    let dir = TempDir::new().unwrap();
    write_rollup(&dir.path().join("rollup"), &expected, 3).unwrap();
    for settings in [
        "",
        PLAIN,
        "format = 'rollup'",
        "paths = ['rollup/*.parquet']",
    ] {
        let (found, report) = read_dir(dir.path(), settings, None).unwrap();
        assert_eq!(found, expected, "{settings}");
        assert_eq!(
            (report.events, report.users, report.records),
            (raw.events, raw.users, raw.records)
        );
        assert!(
            report
                .files
                .iter()
                .all(|file| file.format == Format::Rollup)
                && report.files.len() == 3
        );
    }
    fs::remove_file(dir.path().join("rollup/part-00001-of-00003.parquet")).unwrap();
    assert!(matches!(
        read_dir(dir.path(), "", None),
        Err(EventsError::History(_))
    ));
}

#[test]
fn a_raw_table_with_the_columns_of_a_roll_up_is_told_apart_by_its_time() {
    let dir = TempDir::new().unwrap();
    let mut columns = parquet_columns();
    columns.push(("day", columns[0].1.clone()));
    columns.push(("kind", columns[4].1.clone()));
    columns.push(("count", columns[0].1.clone()));
    write_parquet(&dir.path().join("log.parquet"), columns, Codec::SNAPPY);
    let (found, report) = read_dir(dir.path(), PLAIN, None).unwrap();
    assert_eq!(
        (found, report.files[0].format),
        (expected().0, Format::Parquet)
    );
}

#[test]
fn the_order_of_files_and_of_their_columns_does_not_matter() {
    let events = events();
    let (one, two) = events.split_at(400);
    let read = |names: [&str; 2]| {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join(names[0]), csv(one)).unwrap();
        let line = |e: &Event| format!("{},{},{},{}\n", e.kind, e.amount(), e.local(), e.user);
        let other = "what,price,at,user\n".to_owned() + &two.iter().map(line).collect::<String>();
        fs::write(dir.path().join(names[1]), other).unwrap();
        read_dir(dir.path(), PLAIN, Some("2012-01-01")).unwrap()
    };
    let ((first, report), (second, _)) = (read(["a.csv", "b.csv"]), read(["b.csv", "a.csv"]));
    assert_eq!(first, second);
    assert_all_accounted_for(&report);
    assert!(report.rows_after_as_of > 100 && report.last_day < Some("2012-01-01".parse().unwrap()));
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("a.csv"), csv(&events)).unwrap();
    let config = EventsConfig {
        paths: vec!["nothing".to_owned()],
        ..config(PLAIN)
    };
    let paths = [
        dir.path().join("a.csv"),
        dir.path().join("*.csv"),
        dir.path().to_owned(),
    ];
    let request = LogRequest {
        config: &config,
        base_dir: dir.path(),
        paths: &paths,
        until: None,
        default_kind: None,
        users: Users::All,
        memory: &MemoryBudget::default(),
        labels: LabelKinds::default(),
        today: None,
    };
    let read_to = Reading::default();
    assert_eq!(
        read_log(&request, Phases::observed_by(&read_to))
            .unwrap()
            .histories,
        expected().0
    );
    let bytes = fs::metadata(&paths[0]).unwrap().len();
    let reports = read_to.0.into_inner().unwrap();
    assert_eq!(reports.first(), Some(&(0, bytes, None)));
    assert_eq!(reports.last(), Some(&(bytes, bytes, Some(1_000))));
}

/// How far the reading of a log came: bytes read, of how many, and rows.
#[derive(Default)]
struct Reading(Mutex<Vec<(u64, u64, Option<u64>)>>);

impl Observer for Reading {
    fn observe(&self, progress: PhaseProgress<'_>) {
        if progress.phase == "reading the log" {
            let report = (progress.done, progress.total, progress.rows);
            self.0.lock().unwrap().push(report);
        }
    }
}

#[test]
fn instants_fall_on_local_days_across_both_clock_changes() {
    let settings = "user = 'u'\ntime = 't'\ntime_format = 'rfc3339'\ntimezone = 'America/New_York'";
    let log = "u,t\n\
        before,2024-03-10T04:59:59Z\nspring,2024-03-10T05:00:00Z\nspring,2024-03-11T03:59:59.9Z\n\
        after,2024-03-11T00:00:00-04:00\nautumn,2024-11-03T04:00:00Z\nautumn,2024-11-04T04:59:59Z\n";
    let (histories, _) = read_csv(log, settings).unwrap();
    let days = |user: &str| {
        let history = histories.get(user).unwrap().unwrap();
        history
            .view()
            .records()
            .iter()
            .map(|r| (r.day.to_string(), r.count))
            .collect::<Vec<_>>()
    };
    assert_eq!(days("before"), [("2024-03-09".to_owned(), 1)]);
    assert_eq!(days("spring"), [("2024-03-10".to_owned(), 2)]);
    assert_eq!(days("after"), [("2024-03-11".to_owned(), 1)]);
    assert_eq!(days("autumn"), [("2024-11-03".to_owned(), 2)]);
}
