//! Large logs on small machines: parts of the users, little memory, features for other tools.

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;

const SCORE: &str = "score --quiet --model model --config log/ebb.toml --as-of 2024-10-01";

fn fitted() -> TempDir {
    let folder = shop();
    ebb_train(
        folder.path(),
        "fit --config log/ebb.toml --out model --quiet",
    )
    .ok();
    folder
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn partitions_scored_alone_are_together_the_whole() {
    let folder = fitted();
    let path = folder.path();
    ebb_train(path, &format!("{SCORE} --out whole/scores.csv")).ok();
    ebb_train(
        path,
        "rollup --quiet --config log/ebb.toml --out rollup --partitions 3",
    )
    .ok();
    let (mut scored, mut skipped) = (Vec::new(), Vec::new());
    for number in 0..3 {
        ebb_train(
            path,
            &format!("{SCORE} --partition {number}/3 --out part{number}/scores.csv"),
        )
        .ok();
        let part = |name: &str| lines(&path.join(format!("part{number}/{name}")));
        assert!(
            part("scores.csv").len() > 30,
            "every partition has its share"
        );
        // Of a roll-up in as many partitions one file is enough, which the others need not lie beside.
        let folder = path.join(format!("task{number}"));
        fs::create_dir(&folder).unwrap();
        let name = format!("part-0000{number}-of-00003.parquet");
        fs::copy(path.join("rollup").join(&name), folder.join(&name)).unwrap();
        for events in [format!("task{number}"), "rollup".to_owned()] {
            let score =
                format!("{SCORE} --partition {number}/3 --events {events} --out alone/scores.csv");
            ebb_train(path, &score).ok();
            assert_eq!(part("scores.csv"), lines(&path.join("alone/scores.csv")));
        }
        let torn = ebb_train(
            path,
            &format!("{SCORE} --events task{number} --out torn/scores.csv"),
        );
        assert!(
            torn.code == 1
                && torn
                    .error()
                    .contains("is missing, so the roll-up is not complete"),
            "{}",
            torn.err
        );
        scored.extend(part("scores.csv"));
        skipped.extend(part("scores.skipped.csv"));
    }
    let whole = |name: &str| lines(&path.join("whole").join(name));
    // The negative control: in the order of partitions it is not the whole.
    assert_ne!(scored, whole("scores.csv"));
    scored.sort();
    skipped.sort();
    assert_eq!(
        (scored, skipped),
        (whole("scores.csv"), whole("scores.skipped.csv"))
    );
}

#[test]
fn a_share_of_the_users_is_always_the_same() {
    let folder = shop();
    let path = folder.path();
    let fit = |out: &str, more: &str| {
        let run = ebb_train(
            path,
            &format!("fit --allow-below-baseline --json --config log/ebb.toml --out {out} {more}"),
        )
        .ok();
        let card: serde_json::Value = serde_json::from_str(&run.out).unwrap();
        let quality = &card["card"]["data_quality"];
        (
            card["card"]["users"].as_u64().unwrap(),
            quality["rows_of_other_users"].as_u64().unwrap(),
        )
    };
    let (all, none) = fit("all", "");
    let (some, others) = fit("some", "--sample-users 0.6");
    assert!(
        none == 0 && others > 0 && some > all / 2 && some < all * 7 / 10,
        "{some} of {all}"
    );
    fit("again", "--sample-users 0.6");
    fit("everybody", "--sample-users 1");
    assert!(contents(&path.join("some")) == contents(&path.join("again")));
    assert!(contents(&path.join("all")) == contents(&path.join("everybody")));
    assert_ne!(bundle_json(path, "all"), bundle_json(path, "some"));
}

#[test]
fn little_memory_gives_the_same_bytes_and_leaves_nothing_behind() {
    let folder = fitted();
    let path = folder.path();
    fs::create_dir(path.join("temp")).unwrap();
    let small = "--memory 1KiB --temp temp";
    ebb_train(
        path,
        &format!("fit --config log/ebb.toml --out small --quiet {small}"),
    )
    .ok();
    assert!(contents(&path.join("model")) == contents(&path.join("small")));
    for (out, more) in [("whole", ""), ("spilled", small)] {
        ebb_train(
            path,
            &format!("rollup --quiet --config log/ebb.toml --out {out}-rollup {more}"),
        )
        .ok();
        ebb_train(path, &format!("{SCORE} --out {out}/scores.csv {more}")).ok();
    }
    assert!(contents(&path.join("whole-rollup")) == contents(&path.join("spilled-rollup")));
    assert!(contents(&path.join("whole")) == contents(&path.join("spilled")));
    assert_eq!(contents(&path.join("temp")), []);
    // The negative control: the folder is used, and one that takes no file is an error that names it.
    let nowhere = ebb_train(
        path,
        &format!("{SCORE} --out nowhere/scores.csv --memory 1KiB --temp nowhere-at-all"),
    );
    assert_eq!(nowhere.code, 1);
    assert!(
        nowhere.error().contains("nowhere-at-all") && nowhere.error().contains("--temp"),
        "{}",
        nowhere.err
    );
    assert!(!path.join("nowhere").exists());
}

/// User, day, recency, amount and, bit for bit, the mean gap.
type FeatureRow = (String, i32, f64, f64, Option<u64>);

/// Some features of all rows, and the number of columns.
fn features(path: &Path) -> (Vec<FeatureRow>, usize) {
    let (mut rows, mut columns) = (Vec::new(), 0);
    let file = fs::File::open(path).unwrap();
    for batch in ParquetRecordBatchReaderBuilder::try_new(file)
        .unwrap()
        .build()
        .unwrap()
    {
        let batch = batch.unwrap();
        columns = batch.num_columns();
        let numbers = |name: &str| {
            batch
                .column_by_name(name)
                .unwrap()
                .as_primitive::<Float64Type>()
                .clone()
        };
        let (recency, amount, gaps) = (
            numbers("recency_days"),
            numbers("amount"),
            numbers("gap_mean_days"),
        );
        let users = batch.column_by_name("user_id").unwrap().as_string::<i32>();
        let days = batch
            .column_by_name("as_of")
            .unwrap()
            .as_primitive::<Date32Type>();
        for row in 0..batch.num_rows() {
            let gap = arrow_array::Array::is_valid(&gaps, row).then(|| gaps.value(row).to_bits());
            rows.push((
                users.value(row).to_owned(),
                days.value(row),
                recency.value(row),
                amount.value(row),
                gap,
            ));
        }
    }
    (rows, columns)
}

#[test]
fn features_of_several_days_are_those_of_each_and_see_no_later_event() {
    let folder = shop();
    let path = folder.path();
    let run = |out: &str, days: &str| {
        ebb_train(
            path,
            &format!("features --quiet --config log/ebb.toml {days} --out {out}.parquet"),
        )
        .ok();
        features(&path.join(format!("{out}.parquet")))
    };
    let (first, columns) = run("first", "--as-of 2024-06-01");
    let (second, _) = run("second", "--as-of 2024-08-01");
    let (both, _) = run("both", "--as-of 2024-08-01 --as-of 2024-06-01");
    assert!(columns > 40 && first.len() > 100 && second.len() > first.len());
    assert!(
        first.iter().any(|row| row.4.is_none())
            && first.iter().all(|row| row.2 >= 1.0 && row.3 > 0.0)
    );
    assert!(both.is_sorted_by_key(|row| (row.0.clone(), row.1)));
    let mut apart = [first.clone(), second].concat();
    apart.sort_by_key(|row| (row.0.clone(), row.1));
    assert_eq!(both, apart);
    // A log that ends before the earlier day gives the same features for the earlier one.
    let later = ["2024-06", "2024-07", "2024-08", "2024-09", "2024-10"];
    let text = log_text(path);
    let past: Vec<&str> = text
        .lines()
        .filter(|line| !later.iter().any(|month| line.contains(month)))
        .collect();
    assert!(past.len() > 1_000 && past.len() < text.lines().count() * 3 / 4);
    fs::write(path.join("past.csv"), past.join("\n")).unwrap();
    let (past, _) = run("past", "--events past.csv --as-of 2024-06-01");
    assert_eq!(past, first);
    assert_eq!(
        ebb_train(
            path,
            "features --config log/ebb.toml --as-of 2024-06-01 --out f.csv"
        )
        .code,
        64
    );
}

#[test]
fn sizes_shares_and_partitions_that_are_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, expected) in [
        (
            "fit --config ebb.toml --out m --memory lots",
            "`lots` is no size; write it like 512MiB or 4GiB",
        ),
        (
            "fit --config ebb.toml --out m --memory 0GiB",
            "`0GiB` is no size",
        ),
        (
            "fit --config ebb.toml --out m --sample-users 1.5",
            "`1.5` is no share of users",
        ),
        (
            "fit --config ebb.toml --out m --sample-users 0",
            "`0` is no share of users",
        ),
        (
            "score --model m --config ebb.toml --as-of 2024-01-01 --out s.csv --partition 4/4",
            "`4/4` is no partition",
        ),
    ] {
        let run = ebb_train(folder.path(), arguments);
        assert!(
            run.code == 64 && run.err.contains(expected),
            "{arguments}: {}",
            run.err
        );
    }
}
