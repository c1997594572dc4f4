//! Nothing at or after the as-of day can be seen, and nothing but the log decides the model.

use super::*;

const AS_OF: &str = "2024-09-01";
const DAY_BEFORE: &str = "2024-08-31";

/// Writes the rows of the log before a day; rows without a readable time stay.
fn truncate_before(folder: &Path, day: &str, name: &str) {
    let before = |line: &&str| {
        let date = line
            .split(',')
            .nth(1)
            .and_then(|time| time.get(..10))
            .unwrap_or_default();
        !date.starts_with("20") || date < day
    };
    let text = log_text(folder);
    let kept: Vec<&str> = text.lines().filter(before).collect();
    fs::write(folder.join(name), kept.join("\n") + "\n").unwrap();
}

#[test]
fn a_fit_as_of_a_day_is_the_fit_of_the_log_that_ends_before_it() {
    let folder = shop();
    let path = folder.path();
    truncate_before(path, AS_OF, "before.csv");
    truncate_before(path, DAY_BEFORE, "day_less.csv");
    for (events, out) in [
        ("log/events.csv.gz", "full"),
        ("before.csv", "cut"),
        ("day_less.csv", "less"),
    ] {
        let arguments =
            format!("fit --config log/ebb.toml --events {events} --as-of {AS_OF} --out {out}");
        ebb_train(path, &arguments).ok();
    }
    ebb_train(
        path,
        "fit --config log/ebb.toml --events before.csv --out default",
    )
    .ok();
    assert_eq!(bundle_json(path, "full"), bundle_json(path, "cut"));
    assert_eq!(
        bundle_json(path, "full"),
        bundle_json(path, "default"),
        "the day after the last event is the default"
    );
    let card = |model: &str| -> serde_json::Value {
        let text = fs::read_to_string(path.join(model).join("card.json")).unwrap();
        let mut card: serde_json::Value = serde_json::from_str(&text).unwrap();
        // What the reader of the log saw of it is the one thing that may differ.
        card.as_object_mut().unwrap().remove("data_quality");
        card
    };
    assert_eq!(card("full"), card("cut"), "nor does anything in the card");
    assert_ne!(card("full")["retention"], card("less")["retention"]);
    let weights = |model| {
        let bundle: serde_json::Value = serde_json::from_str(&bundle_json(path, model)).unwrap();
        bundle["models"][0]["weights"].clone()
    };
    assert_ne!(
        weights("full"),
        weights("less"),
        "a day less of log must be noticed, or equality says nothing"
    );
}

#[test]
fn scores_as_of_a_day_are_those_of_the_log_that_ends_before_it() {
    let folder = shop();
    let path = folder.path();
    truncate_before(path, AS_OF, "before.csv");
    truncate_before(path, DAY_BEFORE, "day_less.csv");
    ebb_train(path, "fit --config log/ebb.toml --out model").ok();
    let scores = |events: &str| {
        let arguments = format!(
            "score --model model --config log/ebb.toml --events {events} --as-of {AS_OF} --out -"
        );
        ebb_train(path, &arguments).ok().out
    };
    let full = scores("log/events.csv.gz");
    assert_eq!(full, scores("before.csv"));
    assert_ne!(full, scores("day_less.csv"));
}

#[test]
fn one_log_gives_one_model() {
    let folder = shop();
    let path = folder.path();
    for out in ["once", "twice"] {
        ebb_train(path, &format!("fit --config log/ebb.toml --out {out}")).ok();
    }
    let once = contents(&path.join("once"));
    assert!(
        once == contents(&path.join("twice")),
        "two fits of one log differ"
    );
    let names: Vec<&str> = once.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "MANIFEST.sha256",
            "bundle.json",
            "card.json",
            "golden.json",
            "report.html"
        ]
    );
    let card = fs::read_to_string(path.join("once/card.json")).unwrap();
    let probe = serde_json::from_str::<serde_json::Value>(&card).unwrap()["leakage_probe"].clone();
    let dates = probe["dates"].as_u64().unwrap();
    assert!(
        probe["users"] == 200 && dates > 3 && probe["comparisons"].as_u64().unwrap() > 200 * dates,
        "{probe}"
    );
    let other =
        fs::read_to_string(path.join("log/ebb.toml")).unwrap() + "\n[model]\nsnapshots = 6\n";
    fs::write(path.join("log/other.toml"), other).unwrap();
    ebb_train(path, "fit --config log/other.toml --out other").ok();
    assert_ne!(
        bundle_json(path, "once"),
        bundle_json(path, "other"),
        "other settings must be noticed"
    );
}

/// `taskset` of util-linux lets a program use one processor only, which it takes for the machine's.
#[cfg(target_os = "linux")]
#[test]
fn one_processor_gives_the_bytes_that_two_give() {
    let folder = shop();
    let path = folder.path();
    ebb_train(path, "fit --config log/ebb.toml --out all").ok();
    let alone = Command::new("taskset")
        .args([
            "--cpu-list",
            "0",
            env!("CARGO_BIN_EXE_ebb-train"),
            "fit",
            "--config",
            "log/ebb.toml",
            "--out",
            "one",
        ])
        .current_dir(path)
        .output();
    match alone {
        Ok(done) => assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        ),
        Err(error) => panic!("taskset is needed: {error}"),
    }
    let hash = |out: &str| fs::read_to_string(path.join(out).join("MANIFEST.sha256")).unwrap();
    assert_eq!(hash("all"), hash("one"));
    assert!(contents(&path.join("all")) == contents(&path.join("one")));
}

#[test]
fn neither_the_order_of_files_nor_that_of_rows_matters() {
    let folder = shop();
    let path = folder.path();
    let text = log_text(path);
    let (header, rows) = text.split_once('\n').unwrap();
    let rows: Vec<&str> = rows.lines().collect();
    for (k, name) in ["a.csv", "b.csv", "c.csv"].into_iter().enumerate() {
        let part: Vec<&str> = rows.iter().rev().skip(k).step_by(3).copied().collect();
        fs::write(path.join(name), format!("{header}\n{}\n", part.join("\n"))).unwrap();
    }
    ebb_train(path, "fit --config log/ebb.toml --out whole").ok();
    ebb_train(
        path,
        "fit --config log/ebb.toml --events a.csv --events b.csv --events c.csv --out abc",
    )
    .ok();
    ebb_train(
        path,
        "fit --config log/ebb.toml --events c.csv --events a.csv --events b.csv --out cab",
    )
    .ok();
    ebb_train(
        path,
        "fit --config log/ebb.toml --events a.csv --events b.csv --out ab",
    )
    .ok();
    assert!(contents(&path.join("abc")) == contents(&path.join("cab")));
    assert_eq!(bundle_json(path, "abc"), bundle_json(path, "whole"));
    assert_ne!(
        bundle_json(path, "ab"),
        bundle_json(path, "whole"),
        "a third less of log must be noticed"
    );
}

#[test]
fn the_roll_up_gives_the_same_model_and_scores_as_the_log() {
    let folder = shop();
    let path = folder.path();
    ebb_train(
        path,
        "rollup --config log/ebb.toml --partitions 3 --out rollup",
    )
    .ok();
    let files: Vec<String> = contents(&path.join("rollup"))
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        files,
        [
            "_users.index",
            "part-00000-of-00003.parquet",
            "part-00001-of-00003.parquet",
            "part-00002-of-00003.parquet"
        ]
    );
    ebb_train(path, "fit --config log/ebb.toml --out raw").ok();
    ebb_train(
        path,
        "fit --config log/ebb.toml --events rollup --out rolled",
    )
    .ok();
    assert_eq!(bundle_json(path, "raw"), bundle_json(path, "rolled"));
    let scores = |events: &str| {
        let arguments =
            format!("score --model raw --config log/ebb.toml {events} --as-of {AS_OF} --out -");
        ebb_train(path, &arguments).ok().out
    };
    assert_eq!(scores(""), scores("--events rollup"));
    ebb_train(
        path,
        &format!("rollup --config log/ebb.toml --as-of {AS_OF} --out early"),
    )
    .ok();
    assert_eq!(scores(""), scores("--events early"));
}
