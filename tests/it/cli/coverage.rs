//! Logs that do not cover all their days: what nobody observed is neither churn nor a reason to move the as-of day.

use serde_json::Value;

use super::*;

const CONFIG: &str = r#"
[events]
paths = ["log.csv"]
user = "user"
time = "time"
kind = "kind"

[churn]
activity = ["buy"]
horizon_days = [30]
active_within_days = 90
"#;

/// Days of the log, from 2024-01-01 to 2024-11-05.
const DAYS: i32 = 310;

fn day(number: i32) -> String {
    "2024-01-01"
        .parse::<ebb::history::Day>()
        .unwrap()
        .plus(number)
        .to_string()
}

/// A log of 160 users who buy every 3 to 14 days until most of them stop, and look on every third day.
fn rows() -> Vec<(i32, String)> {
    let mut rows = Vec::new();
    for user in 0_i32..160 {
        let (every, from) = (3 + user % 12, user % 45);
        let until = if user % 4 == 0 {
            DAYS
        } else {
            60 + (user * 37) % 280
        };
        for number in (from..until.min(DAYS)).step_by(every as usize) {
            rows.push((number, format!("u{user},{},buy\n", day(number))));
        }
        for number in (from..until.min(DAYS)).step_by(every as usize * 3) {
            rows.push((number, format!("u{user},{},look\n", day(number))));
        }
    }
    rows
}

fn text(rows: &[(i32, String)]) -> String {
    format!(
        "user,time,kind\n{}",
        rows.iter().map(|(_, row)| row.as_str()).collect::<String>()
    )
}

/// A folder with a log and its configuration after a change.
fn folder(log: &str, change: (&str, &str)) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    assert!(CONFIG.contains(change.0), "{change:?} changes nothing");
    fs::write(
        folder.path().join("ebb.toml"),
        CONFIG.replacen(change.0, change.1, 1),
    )
    .unwrap();
    fs::write(folder.path().join("log.csv"), log).unwrap();
    folder
}

fn card(folder: &TempDir) -> Value {
    let run = ebb_train(
        folder.path(),
        "fit --allow-below-baseline --json --config ebb.toml --out model --quality quality.json",
    );
    serde_json::from_str::<Value>(&run.ok().out).unwrap()["card"].take()
}

fn quality(folder: &TempDir) -> Value {
    serde_json::from_str(&fs::read_to_string(folder.path().join("quality.json")).unwrap()).unwrap()
}

fn churn_rate(card: &Value) -> f64 {
    card["horizons"][0]["churn_rate"].as_f64().unwrap()
}

fn newest_churn_rate(card: &Value) -> f64 {
    let dates = card["horizons"][0]["by_date"].as_array().unwrap();
    dates.last().unwrap()["churn_rate"].as_f64().unwrap()
}

/// By how much churn at a date of one card exceeds that of the same date in another at most.
fn most_above(card: &Value, other: &Value) -> f64 {
    let rates = |card: &Value| -> Vec<(String, f64)> {
        let dates = card["horizons"][0]["by_date"].as_array().unwrap().clone();
        dates
            .iter()
            .map(|d| {
                (
                    d["date"].as_str().unwrap().to_owned(),
                    d["churn_rate"].as_f64().unwrap(),
                )
            })
            .collect()
    };
    let other = rates(other);
    let excess = |(date, rate): (String, f64)| {
        other
            .iter()
            .find(|(of, _)| *of == date)
            .map(|(_, base)| rate - base)
    };
    rates(card)
        .into_iter()
        .filter_map(excess)
        .fold(f64::NEG_INFINITY, f64::max)
}

const SET_AS_EVENTS: (&str, &str) = ("[events]", "[events]\nstray = \"keep\"\nhole = \"keep\"");

#[test]
fn a_row_of_a_wrong_clock_changes_nothing() {
    let whole = card(&folder(&text(&rows()), ("", "")));
    assert_eq!(
        (&whole["as_of"], &whole["coverage"]["until"]),
        (&"2024-11-06".into(), &"2024-11-06".into())
    );
    for (ahead, reason) in [
        (20, "after_coverage"),
        (36, "after_coverage"),
        (27_450, "in_the_future"),
        (-9_000, "before_coverage"),
    ] {
        let mut log = rows();
        let number = if ahead > 0 { DAYS - 1 + ahead } else { ahead };
        log.push((number, format!("u7,{},buy\n", day(number))));
        let folder = folder(&text(&log), ("", ""));
        let mut with = card(&folder);
        let quality = quality(&folder);
        assert_eq!(
            (
                &quality["set_aside"][0]["reason"],
                &quality["set_aside"][0]["rows"]
            ),
            (&reason.into(), &1.into())
        );
        let first = &quality["set_aside"][0]["first"][0];
        assert_eq!(
            (&first["file"], &first["line"], &first["value"]),
            (
                &"log.csv".into(),
                &(log.len() + 1).into(),
                &day(number).into()
            )
        );
        with["data_quality"] = whole["data_quality"].clone();
        assert_eq!(with, whole, "{reason}: the same model of the same rows");
    }
    // The negative control: taken for an event, the row moves the as-of day and turns silence into churn.
    let mut log = rows();
    log.push((DAYS + 19, format!("u7,{},buy\n", day(DAYS + 19))));
    let kept = card(&folder(&text(&log), SET_AS_EVENTS));
    assert_eq!(kept["as_of"], "2024-11-26");
    let (kept, whole) = (newest_churn_rate(&kept), newest_churn_rate(&whole));
    assert!(kept > whole + 0.02, "{kept} {whole}");
}

#[test]
fn a_stray_row_can_be_an_error_that_names_it() {
    let mut log = rows();
    log.insert(5, (DAYS + 19, format!("u7,{},buy\n", day(DAYS + 19))));
    let folder = folder(&text(&log), ("[events]", "[events]\nstray = \"fail\""));
    let run = ebb_train(folder.path(), "fit --quiet --config ebb.toml --out model");
    assert_eq!(run.code, 1);
    insta::assert_snapshot!(run.error(), @r#"error: log.csv:7, column `time`: found `2024-11-25`, expected a day from 2024-01-01 to 2024-11-05, which the log covers (after_coverage), since `events.stray` is "fail"; with "set_aside" such rows are counted and not used, with "keep" they are used"#);
}

#[test]
fn a_hole_gives_no_label_and_is_told() {
    let whole = card(&folder(&text(&rows()), ("", "")));
    let mut log = rows();
    log.retain(|(number, _)| !(180..225).contains(number));
    let holed = folder(&text(&log), ("", ""));
    let card_with_hole = card(&holed);
    let hole = &card_with_hole["coverage"]["holes"][0];
    assert_eq!(
        (&hole["from"], &hole["until"]),
        (&day(180).into(), &day(225).into())
    );
    assert_eq!(quality(&holed)["coverage"], card_with_hole["coverage"]);
    let notes = card_with_hole["notes"].to_string();
    assert!(
        notes.contains("The 45 days from 2024-06-29 to 2024-08-12 were not observed"),
        "{notes}"
    );
    assert!(
        fs::read_to_string(holed.path().join("model/report.html"))
            .unwrap()
            .contains("were not observed")
    );
    let dates: Vec<&str> = card_with_hole["horizons"][0]["snapshots"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| d.as_str().unwrap())
        .collect();
    assert!(
        dates
            .iter()
            .all(|date| *date <= day(150).as_str() || *date >= day(225).as_str()),
        "{dates:?}"
    );
    assert!(most_above(&card_with_hole, &whole) < 0.01);
    // The negative control: with its silence taken for observed, everybody churns into the hole.
    let kept = card(&folder(&text(&log), SET_AS_EVENTS));
    assert!(
        most_above(&kept, &whole) > 0.2,
        "{}",
        most_above(&kept, &whole)
    );
    let failing = folder(&text(&log), ("[events]", "[events]\nhole = \"fail\""));
    let run = ebb_train(failing.path(), "fit --quiet --config ebb.toml --out model");
    assert!(
        run.code == 1
            && run
                .error()
                .contains("the 45 days from 2024-06-29 to 2024-08-12"),
        "{}",
        run.error()
    );
}

#[test]
fn a_feed_that_stopped_before_the_others_ends_the_labels() {
    let whole = card(&folder(&text(&rows()), ("", "")));
    let mut log = rows();
    log.retain(|(number, row)| *number < 280 || row.contains("look"));
    let stopped = card(&folder(&text(&log), ("", "")));
    assert_eq!(
        (
            &stopped["coverage"]["until"],
            &stopped["coverage"]["labels_until"]
        ),
        (&day(DAYS).into(), &day(280).into())
    );
    assert_eq!(stopped["as_of"], day(280), "and scores are as of that day");
    assert!((churn_rate(&stopped) - churn_rate(&whole)).abs() < 0.05);
}

#[test]
fn the_span_can_be_set_by_hand() {
    let by_hand = (
        "[events]",
        "[events]\nfrom = \"2024-02-01\"\nuntil = \"2024-10-01\"",
    );
    let folder = folder(&text(&rows()), by_hand);
    let card = card(&folder);
    assert_eq!(
        (&card["as_of"], &card["first_day"]),
        (&"2024-10-01".into(), &"2024-02-01".into())
    );
    let quality = quality(&folder);
    let reasons: Vec<&str> = quality["set_aside"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["reason"].as_str().unwrap())
        .collect();
    assert_eq!(reasons, ["before_coverage", "after_coverage"]);
    let sum = |list: &str| {
        quality[list]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r["rows"].as_u64().unwrap())
            .sum::<u64>()
    };
    assert_eq!(
        quality["rows"],
        quality["events"].as_u64().unwrap() + sum("set_aside"),
        "every row is accounted for"
    );
}

#[test]
fn a_roll_up_is_judged_like_its_log() {
    let mut log = rows();
    log.push((DAYS + 19, format!("u7,{},buy\n", day(DAYS + 19))));
    let raw = folder(&text(&log), ("", ""));
    let of_raw = card(&raw);
    // A roll-up that holds the stray row, as a SQL engine would make it.
    let kept = folder(&text(&log), SET_AS_EVENTS);
    ebb_train(kept.path(), "rollup --quiet --config ebb.toml --out rollup").ok();
    let config = CONFIG.replace("log.csv", "rollup");
    fs::write(kept.path().join("ebb.toml"), config).unwrap();
    let mut of_rollup = card(&kept);
    let strays = &of_rollup["data_quality"]["set_aside"][0];
    assert_eq!(
        (&strays["reason"], &strays["rows"]),
        (&"after_coverage".into(), &1.into())
    );
    let first = &quality(&kept)["set_aside"][0]["first"][0];
    assert!(
        first["file"].as_str().unwrap().ends_with(".parquet") && first["column"] == "day",
        "{first}"
    );
    for of_the_files in ["data_quality", "config_hash"] {
        of_rollup[of_the_files] = of_raw[of_the_files].clone();
    }
    assert_eq!(of_rollup, of_raw);
}

/// A fitted model in a folder with its log.
fn fitted() -> TempDir {
    let folder = folder(&text(&rows()), ("", ""));
    ebb_train(
        folder.path(),
        "fit --quiet --allow-below-baseline --config ebb.toml --out model",
    )
    .ok();
    folder
}

fn score(folder: &TempDir, more: &str) -> Run {
    ebb_train(
        folder.path(),
        &format!("score --model model --config ebb.toml --out scores.csv {more}"),
    )
}

#[test]
fn scores_are_as_of_the_day_after_what_is_covered() {
    let folder = fitted();
    let run = score(&folder, "").ok();
    assert!(
        run.out.starts_with("as of 2024-11-06: ") && !run.err.contains("warning"),
        "{}{}",
        run.out,
        run.err
    );
    let by_default = fs::read(folder.path().join("scores.csv")).unwrap();
    score(&folder, "--as-of 2024-11-06").ok();
    assert_eq!(
        fs::read(folder.path().join("scores.csv")).unwrap(),
        by_default
    );
    let run = score(&folder, "--quiet --as-of 2024-11-09").ok();
    insta::assert_snapshot!(run.err.trim(), @"warning: 2024-11-09 lies 3 days beyond what the log covers, which ends on 2024-11-05: users that came since look silent");
    let run = score(&folder, "--quiet --as-of 2024-11-10");
    assert_eq!(run.code, 1);
    insta::assert_snapshot!(run.error(), @"error: 2024-11-10 lies 4 days beyond what the log covers, which ends on 2024-11-05: users that came since look silent; score an earlier --as-of, or give --allow-stale");
    assert!(
        score(&folder, "--as-of 2024-11-10 --allow-stale")
            .ok()
            .err
            .contains("warning: 2024-11-10 lies 4 days beyond")
    );
}

#[test]
fn nobody_scored_is_no_success() {
    let folder = fitted();
    let run = score(&folder, "--as-of 2026-01-01 --allow-stale --quiet");
    assert_eq!(run.code, 1);
    assert!(
        run.error().contains(
            "no user was scored: 160 users are not eligible at 2026-01-01 (160 inactive)"
        ),
        "{}",
        run.error()
    );
    score(&folder, "--as-of 2026-01-01 --allow-stale --allow-empty").ok();
}

#[test]
fn a_model_and_a_configuration_belong_together() {
    let folder = fitted();
    let scored_with = |from: &str, to: &str| {
        assert!(CONFIG.contains(from));
        fs::write(folder.path().join("ebb.toml"), CONFIG.replacen(from, to, 1)).unwrap();
        let run = score(&folder, "--quiet");
        format!(
            "{} {}",
            run.code,
            if run.code == 0 { "" } else { run.error() }
        )
    };
    insta::assert_snapshot!(scored_with("[events]", "[events]\ntimezone = \"Europe/Paris\""), @r#"
    64 error: the model was fitted with events.timezone = "UTC", but the configuration says "Europe/Paris": use the configuration that the model was fitted with, or fit again
    hint: --config names the configuration
    "#);
    insta::assert_snapshot!(scored_with("[\"buy\"]", "[\"look\"]"), @r#"
    64 error: the model was fitted with churn.activity = ["buy"], but the configuration says ["look"]: use the configuration that the model was fitted with, or fit again
    hint: --config names the configuration
    "#);
    insta::assert_snapshot!(scored_with("[churn]", "[churn]\nchurn_event = \"look\""), @r#"
    64 error: the model was fitted with churn.churn_event = none, but the configuration says "look": use the configuration that the model was fitted with, or fit again
    hint: --config names the configuration
    "#);
    let renamed = "kind = { expr = 'kind == \"look\" ? \"view\" : kind' }";
    insta::assert_snapshot!(scored_with("kind = \"kind\"", renamed), @r"
    1 error: the model uses the kind `look`, of which the log has no event; it has kinds `buy`, `view`. Check events.kind and events.paths
    hint: --allow-missing-kinds scores users all the same
    ");
    assert_eq!(scored_with("", ""), "0 ", "as it was fitted");
    fs::write(
        folder.path().join("ebb.toml"),
        CONFIG.replacen("kind = \"kind\"", renamed, 1),
    )
    .unwrap();
    score(&folder, "--allow-missing-kinds").ok();
}
