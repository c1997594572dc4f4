use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use ebb::history::Day;
use ebb::model::store::sha256_hex;

use crate::calendar::Calendar;
use crate::log::{Format, Options, make_log};
use crate::population;

/// User, time, kind and amount, as CSV writes them.
type Row = [String; 4];

fn options(events: u64, format: Format, out: &Path) -> Options {
    Options {
        format,
        threads: 2,
        ..Options::new(events, 90, 7, out.to_owned())
    }
}

/// The files of a folder and of the folder `events` in it, by their names.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let names = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder)
            .unwrap()
            .map(|f| f.unwrap().path())
            .collect()
    };
    let all = names(folder)
        .into_iter()
        .chain(names(&folder.join("events")))
        .filter(|path| path.is_file());
    all.map(|path| {
        (
            path.file_name().unwrap().to_str().unwrap().to_owned(),
            fs::read(path).unwrap(),
        )
    })
    .collect()
}

fn csv_rows(folder: &Path) -> Vec<Row> {
    let mut rows = Vec::new();
    for (_, bytes) in files(folder)
        .into_iter()
        .filter(|(name, _)| name.ends_with(".csv"))
    {
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        assert_eq!(
            reader.headers().unwrap(),
            ["user_id", "time", "kind", "amount"].as_slice()
        );
        rows.extend(
            reader
                .records()
                .map(|row| [0, 1, 2, 3].map(|column| row.as_ref().unwrap()[column].to_owned())),
        );
    }
    rows
}

fn parquet_rows(folder: &Path) -> Vec<Row> {
    let mut rows = Vec::new();
    for name in files(folder)
        .into_keys()
        .filter(|name| name.ends_with(".parquet"))
    {
        let file = File::open(folder.join("events").join(name)).unwrap();
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        assert!(
            builder
                .metadata()
                .row_groups()
                .iter()
                .all(|group| group.num_rows() <= 1_048_576)
        );
        for batch in builder.build().unwrap() {
            rows.extend(batch_rows(&batch.unwrap()));
        }
    }
    rows
}

fn batch_rows(batch: &RecordBatch) -> Vec<Row> {
    let column = |name| batch.column_by_name(name).unwrap();
    let (users, kinds) = (
        column("user_id").as_string::<i32>(),
        column("kind").as_string::<i32>(),
    );
    let times = column("time").as_primitive::<TimestampMicrosecondType>();
    assert_eq!(times.timezone(), Some("UTC"));
    let amounts = column("amount").as_primitive::<Float64Type>();
    let time = |row| {
        let time = jiff::Timestamp::from_microsecond(times.value(row)).unwrap();
        time.strftime("%Y-%m-%d %H:%M:%S").to_string()
    };
    let amount = |row| {
        if amounts.is_null(row) {
            String::new()
        } else {
            format!("{:.2}", amounts.value(row))
        }
    };
    let row = |row| {
        [
            users.value(row).to_owned(),
            time(row),
            kinds.value(row).to_owned(),
            amount(row),
        ]
    };
    (0..batch.num_rows()).map(row).collect()
}

#[test]
fn equal_options_give_equal_bytes_on_any_number_of_threads() {
    for format in [Format::Parquet, Format::Csv] {
        let made = [1, 2, 2, 5].map(|threads| {
            let folder = tempfile::tempdir().unwrap();
            let options = Options {
                threads,
                ..options(20_000, format, folder.path())
            };
            (make_log(&options).unwrap(), files(folder.path()))
        });
        assert!(made.iter().all(|again| *again == made[0]));
        let folder = tempfile::tempdir().unwrap();
        make_log(&Options {
            seed: 8,
            ..options(20_000, format, folder.path())
        })
        .unwrap();
        assert!(files(folder.path()) != made[0].1);
    }
}

#[test]
fn logs_are_those_that_were_measured_before() {
    let folder = tempfile::tempdir().unwrap();
    make_log(&options(20_000, Format::Csv, folder.path())).unwrap();
    let mut parts = files(folder.path());
    parts.remove("ebb.toml");
    let all: Vec<u8> = parts.into_values().flatten().collect();
    // Of the first version of this program; another sum means that RESULTS.md cannot be compared with.
    assert_eq!(
        sha256_hex(&all),
        "2f23dce735b311d9c72a4296956316ef225116cc1b9c7de4fc59e6994108a94b"
    );
}

#[test]
fn csv_and_parquet_hold_the_same_events_in_order_of_time() {
    let folder = tempfile::tempdir().unwrap();
    let (csv, parquet) = (folder.path().join("csv"), folder.path().join("parquet"));
    let summary = make_log(&options(20_000, Format::Csv, &csv)).unwrap();
    make_log(&options(20_000, Format::Parquet, &parquet)).unwrap();
    let rows = csv_rows(&csv);
    assert_eq!(rows, parquet_rows(&parquet));
    assert_eq!(
        (rows.len() as u64, files(&csv).len()),
        (summary.events, 8 + 1)
    );
    assert!(rows.is_sorted_by_key(|row| &row[1]));
    assert!(
        rows.iter().all(|[user, time, ..]| user.len() == 8
            && ("2024-01-01".."2024-03-31").contains(&&time[..10]))
    );
    assert_eq!(
        rows.iter().collect::<BTreeSet<_>>().len(),
        rows.len(),
        "a row is there twice"
    );
    for [.., kind, amount] in &rows {
        let sign = amount.parse().map_or(0.0, f64::signum);
        let expected = match kind.as_str() {
            "cart" | "purchase" => 1.0,
            "return" => -1.0,
            _ => 0.0,
        };
        assert_eq!(sign, expected, "{kind} of {amount}");
    }
}

#[test]
fn the_log_is_as_large_as_asked_for_and_has_a_heavy_tail() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        days: 540,
        ..options(500_000, Format::Csv, folder.path())
    };
    let summary = make_log(&options).unwrap();
    assert!(summary.events.abs_diff(500_000) < 5_000, "{summary}");
    let (mut of_user, mut of_kind) = (BTreeMap::<_, u32>::new(), BTreeMap::<_, f64>::new());
    for [user, _, kind, _] in csv_rows(folder.path()) {
        *of_user.entry(user).or_default() += 1;
        *of_kind.entry(kind).or_default() += 1.0 / summary.events as f64;
    }
    assert!(
        of_user.len() > 9_000 && of_user.len() <= 10_000,
        "{} users",
        of_user.len()
    );
    let mut counts: Vec<u32> = of_user.into_values().collect();
    counts.sort_unstable();
    let (median, top) = (counts[counts.len() / 2], counts[counts.len() - 1]);
    assert!(
        (8..25).contains(&median) && top > 200 * median,
        "median {median}, top {top}"
    );
    let top_tenth: u32 = counts.iter().rev().take(counts.len() / 10).sum();
    assert!(f64::from(top_tenth) > 0.5 * summary.events as f64);
    assert!(
        (0.17..0.23).contains(&of_kind["purchase"]) && of_kind["visit"] > 0.45,
        "{of_kind:?}"
    );
    assert!(
        of_kind.len() == 6 && of_kind.values().all(|share| *share > 0.005),
        "{of_kind:?}"
    );
}

#[test]
fn users_have_trouble_before_they_leave() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(200_000, Format::Csv, folder.path());
    let calendar = Calendar::new(options.start, options.days);
    let profiles = population::draw(&options, &calendar);
    let name = |user: usize| format!("U{:07}", user + 1);
    let left: BTreeMap<_, _> = profiles
        .iter()
        .enumerate()
        .map(|(user, profile)| (name(user), profile.left))
        .collect();
    make_log(&options).unwrap();
    let (mut last_days, mut before) = ([0.0; 2], [0.0; 2]);
    for [user, time, kind, _] in csv_rows(folder.path()) {
        let day = time[..10].parse::<Day>().unwrap().since(options.start);
        assert!(day < left[&user], "{user} is there on day {day}");
        let counts = if day >= left[&user] - 21 {
            &mut last_days
        } else {
            &mut before
        };
        counts[usize::from(kind == "return" || kind == "support_ticket")] += 1.0;
    }
    let share = |[other, trouble]: [f64; 2]| trouble / other;
    assert!(
        share(last_days) > 2.0 * share(before),
        "{last_days:?}, {before:?}"
    );
}

#[test]
fn an_earlier_bulk_log_is_replaced_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let events = folder.path().join("events");
    make_log(&options(2_000, Format::Parquet, folder.path())).unwrap();
    fs::write(events.join("part-00099.csv"), "").unwrap();
    make_log(&options(2_000, Format::Csv, folder.path())).unwrap();
    let before = files(folder.path());
    let parts = (0..8).map(|part| format!("part-{part:05}.csv"));
    let expected: BTreeSet<String> = ["ebb.toml".to_owned()].into_iter().chain(parts).collect();
    assert_eq!(before.keys().cloned().collect::<BTreeSet<_>>(), expected);
    // With anything else in it the folder is refused, and nothing is touched.
    for name in ["part-1.csv", "notes.txt"] {
        fs::write(events.join(name), "").unwrap();
        let message = make_log(&options(3_000, Format::Csv, folder.path()))
            .unwrap_err()
            .to_string();
        assert!(
            message.contains(name) && message.contains("not written by"),
            "{message}"
        );
        fs::remove_file(events.join(name)).unwrap();
        assert!(files(folder.path()) == before);
    }
    // So is a folder with a configuration that was written by hand.
    fs::write(folder.path().join("ebb.toml"), "[events]\n").unwrap();
    let message = make_log(&options(3_000, Format::Csv, folder.path()))
        .unwrap_err()
        .to_string();
    assert!(message.contains("ebb.toml would be replaced"), "{message}");
}

#[test]
fn options_out_of_range_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let good = options(1_000, Format::Parquet, &folder.path().join("log"));
    let bad = |options: Options| make_log(&options).unwrap_err().to_string();
    assert_eq!(
        bad(Options {
            events: 99,
            ..good.clone()
        }),
        "events is 99; with users = 20, ask for 100 to 18000 events, or for other users"
    );
    assert!(
        bad(Options {
            events: 18_001,
            ..good.clone()
        })
        .contains("events is 18001")
    );
    assert!(
        bad(Options {
            users: 0,
            ..good.clone()
        })
        .contains("users is 0")
    );
    assert!(
        bad(Options {
            days: 59,
            ..good.clone()
        })
        .contains("days is 59")
    );
    assert!(
        bad(Options {
            threads: 0,
            ..good.clone()
        })
        .contains("threads is 0")
    );
    assert!(
        bad(Options {
            start: jiff::civil::date(1815, 6, 18).into(),
            ..good.clone()
        })
        .contains("start is 1815-06-18")
    );
    assert!(!good.out.exists());
    fs::write(&good.out, "").unwrap();
    let message = bad(good.clone());
    assert!(
        message.contains(&good.out.display().to_string()),
        "{message}"
    );
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    for format in [Format::Parquet, Format::Csv] {
        let folder = tempfile::tempdir().unwrap();
        let options = options(1_000, format, folder.path());
        let taken = format!("part-00003.{}", format.extension());
        fs::create_dir_all(options.out.join("events").join(&taken)).unwrap();
        let message = make_log(&options).unwrap_err().to_string();
        assert!(message.contains("would be replaced"), "{message}");
        fs::write(
            folder.path().join("ebb.toml"),
            "# How to read the log in this folder, made up in bulk",
        )
        .unwrap();
        let message = make_log(&options).unwrap_err().to_string();
        assert!(message.contains(&taken), "{message}");
    }
}

#[test]
fn the_summary_reads_as_text() {
    let folder = tempfile::tempdir().unwrap();
    let text = make_log(&options(1_000, Format::Parquet, folder.path()))
        .unwrap()
        .to_string();
    assert!(
        text.ends_with(
            " events of 20 users in 8 parquet files\n2024-01-01 to 2024-03-31 (exclusive)"
        ),
        "{text}"
    );
}
