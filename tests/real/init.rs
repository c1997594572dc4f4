//! Configurations that `init` proposes for real logs, against those that were written by hand.

use serde_json::json;

use super::*;

/// What `init --json` found in some files, with the data-quality report and the sum of amounts of the log read by it.
fn proposed(files: &[PathBuf], arguments: &str) -> (Value, Value, f64) {
    let work = tempfile::tempdir().unwrap();
    let run = |command: &mut Command| {
        let done = command
            .current_dir(work.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        done.stdout
    };
    let ebb_train = || Command::new(env!("CARGO_BIN_EXE_ebb-train"));
    let found = run(ebb_train()
        .arg("init")
        .args(files)
        .args(["--json"])
        .args(arguments.split_whitespace()));
    run(ebb_train().args("rollup --config ebb.toml --out rollup --quality quality.json".split(' ')));
    let read = |name: &str| File::open(work.path().join(name)).unwrap();
    let quality = serde_json::from_reader(read("quality.json")).unwrap();
    (
        serde_json::from_slice(&found).unwrap(),
        quality,
        amount_of(&work.path().join("rollup")),
    )
}

/// The log is read as the configuration written by hand reads it.
fn assert_same(case: &Case, (found, quality, amount): &(Value, Value, f64)) {
    case.run(&case.log, "rollup --out rollup --quality quality.json");
    let known: Value =
        serde_json::from_reader(File::open(case.path("quality.json")).unwrap()).unwrap();
    for key in [
        "rows",
        "events",
        "users",
        "records",
        "kinds",
        "first_day",
        "last_day",
        "rejected_share",
        "without_user_share",
    ] {
        assert_eq!(quality[key], known[key], "{key}: {}", found["toml"]);
    }
    assert!(
        (amount - case.rollup_amount()).abs() < 1e-6,
        "{amount}: {}",
        found["toml"]
    );
}

#[test]
fn online_retail() {
    let case = Case::new(
        "online-retail/online_retail.csv.gz",
        "online_retail.toml",
        "2011-10-10",
        60,
        180,
    );
    let proposed = proposed(std::slice::from_ref(&case.log), "");
    assert_same(&case, &proposed);
    let windows = &proposed.0["proposal"]["windows"];
    assert_eq!(
        (&windows["horizon_days"], &windows["active_within_days"]),
        (&json!(60), &json!(180))
    );
}

#[test]
fn cdnow() {
    let case = Case::new(
        "cdnow/CDNOW_master.txt",
        "cdnow.toml",
        "1998-04-01",
        90,
        180,
    );
    let proposed = proposed(std::slice::from_ref(&case.log), "");
    assert_same(&case, &proposed);
    assert_eq!(proposed.0["proposal"]["windows"]["horizon_days"], 90);
}

#[test]
fn complete_journey() {
    let case = Case::new(
        "complete-journey/transactions_sample.csv.gz",
        "complete_journey.toml",
        "2017-12-03",
        28,
        90,
    );
    assert_same(&case, &proposed(std::slice::from_ref(&case.log), ""));
}

/// The sample has no header: an id in the master file, one of its own, the date, the discs and the dollars.
#[test]
fn cdnow_sample_without_a_header() {
    let (found, quality, amount) = proposed(&[data("cdnow/CDNOW_sample.txt")], "");
    assert_eq!(
        (&quality["rows"], &quality["users"], &quality["rejected"]),
        (&json!(6_919), &json!(2_357), &json!([])),
        "{}",
        found["toml"]
    );
    let mut dollars = 0.0;
    for line in BufReader::new(File::open(data("cdnow/CDNOW_sample.txt")).unwrap()).lines() {
        dollars += line
            .unwrap()
            .split_whitespace()
            .last()
            .unwrap()
            .parse::<f64>()
            .unwrap();
    }
    assert!((amount - dollars).abs() < 1e-6, "{amount} {dollars}");
    let columns = json!(["user", "column_2", "time", "column_4", "amount"]);
    assert_eq!(found["proposal"]["layout"]["columns"], columns);
}

#[test]
fn redemptions_are_a_log_and_tables_without_users_or_times_are_none() {
    let (found, quality, _) = proposed(&[data("complete-journey/coupon_redemptions.csv")], "");
    assert_eq!(
        (&quality["rows"], &quality["users"]),
        (&json!(2_102), &json!(410)),
        "{}",
        found["toml"]
    );
    for (name, missing) in [
        ("hillstrom/hillstrom.csv.gz", "the time of an event"),
        ("complete-journey/campaigns.csv", "the time of an event"),
        ("open-bandit/random-men.csv.gz", "the id of a user"),
        (
            "complete-journey/campaign_descriptions.csv",
            "the id of a user",
        ),
        ("power-laws/words.txt", "the time of an event"),
    ] {
        let done = Command::new(env!("CARGO_BIN_EXE_ebb-train"))
            .args(["init", "--stdout"])
            .arg(data(name))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let message = String::from_utf8(done.stderr).unwrap();
        assert_eq!(
            (done.status.code(), done.stdout.len()),
            (Some(64), 0),
            "{name}: {message}"
        );
        assert!(
            message.contains(&format!("no column looks like {missing}")),
            "{name}: {message}"
        );
    }
}
