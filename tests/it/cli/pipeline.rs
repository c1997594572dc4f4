//! From a log to scores: every command in order, and what it prints and writes.

use std::collections::BTreeSet;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, UInt16Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;

const COLUMNS: &str = "user_id,as_of,horizon_days,churn_probability,risk_band,stage,segment,segment_name,segment_key,\
                       reason_1,reason_2,reason_3,value_expected_spend,value_low,value_high,value_residual,\
                       value_at_risk,value_tier,rfm,value_status";

const GROUPS: [&str; 7] = [
    "recency",
    "frequency",
    "tenure",
    "rhythm",
    "amount",
    "other_events",
    "season",
];

/// The shop with a model of two horizons.
pub(super) fn fitted() -> TempDir {
    let folder = shop();
    let config = folder.path().join("log/ebb.toml");
    let text = fs::read_to_string(&config)
        .unwrap()
        .replace("horizon_days = [30]", "horizon_days = [60, 30]");
    fs::write(config, text).unwrap();
    ebb_train(
        folder.path(),
        "fit --config log/ebb.toml --out model --quiet",
    )
    .ok();
    folder
}

pub(super) fn rows(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader
        .records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect())
        .collect()
}

#[test]
fn every_user_of_the_log_is_scored_or_skipped_with_a_reason() {
    let folder = fitted();
    let path = folder.path();
    let score = "score --model model --config log/ebb.toml --as-of 2024-10-01 --out";
    let run = ebb_train(
        path,
        &format!("{score} out/scores.csv --quality quality.json"),
    )
    .ok();
    let text = fs::read_to_string(path.join("out/scores.csv")).unwrap();
    assert_eq!(text.lines().next().unwrap(), COLUMNS);
    let scores = rows(&text);
    let mut scored: BTreeSet<String> = BTreeSet::new();
    for pair in scores.chunks(2) {
        assert_eq!(
            (&pair[0][0], pair[0][2].as_str(), pair[1][2].as_str()),
            (&pair[1][0], "30", "60")
        );
        let p = |row: &Vec<String>| row[3].parse::<f64>().unwrap();
        assert!(
            (0.0..=1.0).contains(&p(&pair[0])) && p(&pair[1]) <= p(&pair[0]),
            "{pair:?}"
        );
        assert!(
            pair[0][1] == "2024-10-01" && ["low", "medium", "high"].contains(&pair[0][4].as_str())
        );
        assert!(
            pair[0][5..].iter().all(|field| !field.is_empty()),
            "{pair:?}"
        );
        assert!(
            scored.insert(pair[0][0].clone()),
            "{} is there twice",
            pair[0][0]
        );
    }
    let skipped_text = fs::read_to_string(path.join("out/scores.skipped.csv")).unwrap();
    assert_eq!(skipped_text.lines().next().unwrap(), "user_id,reason");
    let skipped = rows(&skipped_text);
    let known = ["not_yet_seen", "no_activity", "inactive", "already_churned"];
    assert!(
        skipped
            .iter()
            .all(|row| known.contains(&row[1].as_str()) && !scored.contains(&row[0]))
    );
    let quality: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(path.join("quality.json")).unwrap()).unwrap();
    assert_eq!(
        scored.len() + skipped.len(),
        quality["users"].as_u64().unwrap() as usize
    );
    assert!(
        run.out.starts_with(&format!(
            "as of 2024-10-01: {} users scored, {} not (",
            scored.len(),
            skipped.len()
        )),
        "{}",
        run.out
    );
    let to_screen = ebb_train(path, &format!("{score} -")).ok();
    assert_eq!(to_screen.out, text);
    let files: Vec<String> = contents(&path.join("out"))
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(files, ["scores.csv", "scores.skipped.csv"]);
}

#[test]
fn parquet_holds_the_same_scores_as_csv() {
    let folder = fitted();
    let path = folder.path();
    for out in ["scores.csv", "parquet/scores.parquet"] {
        let score =
            format!("score --model model --config log/ebb.toml --as-of 2024-10-01 --out {out}");
        ebb_train(path, &score).ok();
    }
    let skipped = |name| fs::read(path.join(name)).unwrap();
    assert!(skipped("scores.skipped.csv") == skipped("parquet/scores.skipped.csv"));
    let expected = rows(&fs::read_to_string(path.join("scores.csv")).unwrap());
    let file = fs::File::open(path.join("parquet/scores.parquet")).unwrap();
    let mut found = Vec::new();
    for batch in ParquetRecordBatchReaderBuilder::try_new(file)
        .unwrap()
        .build()
        .unwrap()
    {
        let batch = batch.unwrap();
        let names: Vec<&str> = batch
            .schema_ref()
            .fields()
            .iter()
            .map(|f| f.name().as_str())
            .collect();
        // Behind the columns of CSV come those of the reasons.
        let (same, more) = names.split_at(20);
        assert_eq!(same.join(","), COLUMNS);
        let reasons: Vec<String> = (1..=3)
            .flat_map(|k| {
                ["theme", "feature", "value", "contribution"].map(|c| format!("reason_{k}_{c}"))
            })
            .collect();
        assert_eq!(more, reasons);
        let text = |column: usize, row: usize| {
            batch
                .column(column)
                .as_string::<i32>()
                .value(row)
                .to_owned()
        };
        for row in 0..batch.num_rows() {
            let probability = batch.column(3).as_primitive::<Float64Type>().value(row);
            let horizon = batch.column(2).as_primitive::<UInt16Type>().value(row);
            for reason in 0..3 {
                let described = text(9 + reason, row);
                let contribution = batch.column(23 + 4 * reason);
                let contribution = contribution.as_primitive::<Float64Type>().value(row);
                assert!(
                    described.ends_with(&format!(" ({contribution:+.2})")),
                    "{described}: {contribution}"
                );
                assert!(GROUPS.contains(&text(20 + 4 * reason, row).as_str()));
                assert!(!text(21 + 4 * reason, row).is_empty());
            }
            found.push([
                text(0, row),
                horizon.to_string(),
                probability.to_string(),
                text(4, row),
                text(8, row),
            ]);
        }
    }
    let expected: Vec<[String; 5]> = expected
        .iter()
        .map(|row| [0, 2, 3, 4, 8].map(|column| row[column].clone()))
        .collect();
    assert!(found == expected && !found.is_empty());
}

#[test]
fn check_compares_every_horizon_with_the_thresholds() {
    let folder = fitted();
    let check =
        |thresholds: &str| ebb_train(folder.path(), &format!("check --model model {thresholds}"));
    let passed = check("--min-auc 0.6 --max-log-loss 0.69 --max-ece 0.2").ok();
    assert_eq!(
        passed.out.matches(": ok").count(),
        6 + 1,
        "and the log: {}",
        passed.out
    );
    assert_eq!(
        passed.out.matches(": verdict ").count(),
        2,
        "one for each horizon: {}",
        passed.out
    );
    let failed = check("--min-auc 0.6 --max-log-loss 0.01");
    assert_eq!(failed.code, 2);
    assert!(
        failed.out.contains("at most 0.01: FAILED") && failed.out.contains("at least 0.6: ok"),
        "{}",
        failed.out
    );
    let nothing = check("");
    assert_eq!(
        (nothing.code, nothing.error()),
        (
            64,
            "error: no threshold is given: give --min-auc, --max-log-loss, --max-ece or another one, a --config with a [check] \
             table, or --against another bundle"
        )
    );
    assert_eq!(
        (
            check("--min-auc high").code,
            check("--max-rejected-share 2").code
        ),
        (64, 64)
    );
}

#[test]
fn inspect_prints_the_card() {
    let folder = fitted();
    let out = ebb_train(folder.path(), "inspect --model model").ok().out;
    let head: Vec<&str> = out
        .lines()
        .skip(1)
        .take(3)
        .map(|line| line.split(", data").next().unwrap())
        .collect();
    insta::assert_snapshot!(head.join("\n"), @r#"
    As of 2024-10-27, from a log of 2024-01-01 to 2024-10-26
    401 users, 8,862 records (user, day, kind)
    Churn is no purchase within the horizon; users active in the last 90 days
    "#);
    for part in [
        "Horizon 30 days",
        "Horizon 60 days",
        "recency_only",
        "Segments on",
        "Lifecycle stages",
    ] {
        assert!(out.contains(part), "{part}:\n{out}");
    }
    assert_eq!(out.matches("Leakage check passed: ").count(), 1, "{out}");
    for part in [
        "  hyperparameters: L2 ",
        "  calibration of the log-odds: slope ",
        "model less baseline",
    ] {
        assert_eq!(
            out.matches(part).count(),
            2,
            "{part}, once for each horizon:\n{out}"
        );
    }
    for part in [
        "calibration line: slope",
        "groups of users",
        "stage: growth",
    ] {
        assert_eq!(
            out.matches(part).count(),
            2,
            "{part}, once for each horizon:\n{out}"
        );
    }
}

/// The sum of a field over the items of a list.
fn sum(list: &serde_json::Value, field: &str) -> u64 {
    list.as_array()
        .unwrap()
        .iter()
        .map(|item| item[field].as_u64().unwrap())
        .sum()
}

/// The users of a horizon are the same in its slices, its dates and its curves.
fn check_sums(horizon: &serde_json::Value) {
    let e = &horizon["evaluation"];
    let slices = e["slices"].as_array().unwrap();
    for dimension in ["stage", "segment", "tenure"] {
        let part: Vec<_> = slices
            .iter()
            .filter(|s| s["dimension"] == dimension)
            .cloned()
            .collect();
        assert_eq!(
            sum(&part.into(), "users"),
            e["users"].as_u64().unwrap(),
            "{dimension}"
        );
    }
    assert_eq!(
        sum(&horizon["by_date"], "users"),
        horizon["rows"].as_u64().unwrap()
    );
    let judged = horizon["by_date"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&judged["date"], &judged["users"], &judged["churn_rate"]),
        (&e["test"], &e["users"], &e["churn_rate"])
    );
    assert_eq!(
        sum(&judged["deciles"], "users"),
        e["users"].as_u64().unwrap()
    );
    assert_eq!(e["calibration_curve"], judged["deciles"]);
    let names: Vec<&str> = e["baselines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["name"].as_str().unwrap())
        .collect();
    assert!(
        ["base_rate", "recency_only", "best_single"]
            .iter()
            .all(|n| names.contains(n)),
        "{names:?}"
    );
}

/// The parts of a card are counted in different places and must add up to the same users.
#[test]
fn the_card_adds_up() {
    let folder = fitted();
    let card: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join("model/card.json")).unwrap())
            .unwrap();
    for horizon in card["horizons"].as_array().unwrap() {
        check_sums(horizon);
    }
    let first = card["horizons"][0]["by_date"]
        .as_array()
        .unwrap()
        .last()
        .unwrap();
    assert_eq!(
        sum(&card["segments"], "users"),
        first["users"].as_u64().unwrap()
    );
    let latest = card["stage_sizes"].as_array().unwrap().last().unwrap();
    for (stage, users) in card["stages"].as_object().unwrap() {
        assert_eq!(&latest["users"][stage], users);
    }
    // Who was never active is in no cohort and in no move.
    let moved: u64 = card["transitions"]["users"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|row| row.as_array().unwrap())
        .map(|n| n.as_u64().unwrap())
        .sum();
    let now: u64 = latest["users"]
        .as_object()
        .unwrap()
        .values()
        .map(|n| n.as_u64().unwrap())
        .sum();
    assert_eq!(
        (moved, moved <= card["users"].as_u64().unwrap()),
        (now, true)
    );
    let cohorts = &card["retention"]["cohorts"];
    assert!(sum(cohorts, "users") <= now && sum(cohorts, "users") > now / 2);
    for cohort in cohorts.as_array().unwrap() {
        let active: Vec<u64> = cohort["active"]
            .as_array()
            .unwrap()
            .iter()
            .map(|n| n.as_u64().unwrap())
            .collect();
        assert!(active.iter().all(|n| *n <= active[0]) && cohort["users"] == active[0]);
    }
}

/// Every command that ends well, in order.
const COMMANDS: [&str; 18] = [
    "simulate --users 300 --days 200 --seed 5 --out again",
    "fit --config log/ebb.toml --out model",
    "score --model model --config log/ebb.toml --as-of 2024-10-01 --out scores.csv",
    "check --model model --min-auc 0.5",
    "inspect --model model",
    "rollup --config log/ebb.toml --out rollup",
    "fit --config log/ebb.toml --events rollup --random-forest-baseline --out model",
    "publish --model model --live live",
    "features --config log/ebb.toml --as-of 2024-10-01 --out features.parquet",
    "rollup-sql --config log/ebb.toml --dialect spark",
    "top --model model --config log/ebb.toml --as-of 2024-10-01",
    "explain --model model --config log/ebb.toml --as-of 2024-10-01 --user U000197",
    "report --model model",
    "kpi --config log/ebb.toml",
    "laws --config log/ebb.toml --as-of 2024-10-01",
    "init log/events.csv.gz --out proposed.toml",
    "completions bash",
    "man --out man",
];

/// Commands that only their own tests try: they need days after a fit, or a file that no other command makes.
const TRIED_APART: [&str; 5] = ["accept", "compare", "evaluate", "fit-matrix", "propose"];

/// The commands that `--help` lists.
fn listed_commands(help: &str) -> BTreeSet<&str> {
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let (list, _) = list.split_once("\n\n").unwrap();
    list.lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect()
}

#[test]
fn every_command_is_among_those_that_are_tried() {
    let folder = tempfile::tempdir().unwrap();
    let help = ebb_train(folder.path(), "--help").ok().out;
    let tried: BTreeSet<&str> = COMMANDS
        .iter()
        .map(|command| command.split(' ').next().unwrap())
        .chain(TRIED_APART)
        .collect();
    assert_eq!(listed_commands(&help), tried);
}

#[test]
fn json_is_one_object_on_standard_output() {
    let folder = shop();
    for command in COMMANDS {
        let run = ebb_train(folder.path(), &format!("{command} --json")).ok();
        let value: serde_json::Value = serde_json::from_str(&run.out).unwrap();
        assert!(
            value.is_object() && run.out.lines().count() == 1 && run.err.is_empty(),
            "{command}: {}",
            run.err
        );
    }
    let failed = ebb_train(folder.path(), "check --model model --min-auc 0.999 --json");
    let value: serde_json::Value = serde_json::from_str(&failed.out).unwrap();
    assert_eq!(
        (failed.code, &value["passed"]),
        (2, &serde_json::json!(false))
    );
}

#[test]
fn quiet_prints_nothing() {
    let folder = shop();
    for command in COMMANDS {
        let run = ebb_train(folder.path(), &format!("{command} --quiet")).ok();
        // The query or the script is all that these commands are for.
        let prints = command.starts_with("rollup-sql") || command.starts_with("completions");
        assert_eq!(
            (run.out.is_empty(), run.err.as_str()),
            (!prints, ""),
            "{command}"
        );
    }
    let failed = ebb_train(folder.path(), "check --model model --min-auc 0.999 --quiet");
    assert_eq!(
        (failed.code, failed.out.as_str(), failed.err.as_str()),
        (2, "", "")
    );
}

#[test]
fn help_and_version_are_no_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    let help = ebb_train(folder.path(), "--help").ok();
    for command in listed_commands(&help.out) {
        let run = ebb_train(folder.path(), &format!("{command} --help")).ok();
        let usage = format!("Usage: ebb-train {command} ");
        assert!(run.out.contains(&usage), "{}", run.out);
    }
    assert_eq!(
        ebb_train(folder.path(), "--version").ok().out,
        concat!("ebb-train ", env!("CARGO_PKG_VERSION"), "\n")
    );
    for wrong in [
        "",
        "predict",
        "fit --config x.toml",
        "fit --config x.toml --out m --as-of yesterday",
        "check",
        "simulate --users 0 --out x",
        "simulate --corruption-rate 0.6 --out x",
        "simulate --season monsoon --out x",
    ] {
        assert_eq!(
            ebb_train(folder.path(), wrong).code,
            64,
            "`ebb-train {wrong}`"
        );
    }
}

#[test]
fn a_season_is_simulated_and_an_unknown_one_is_named_with_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let run = ebb_train(folder.path(), "simulate --season monsoon --out x");
    let expected = [
        "--season", "monsoon", "mild", "none", "yearly", "term", "closing",
    ];
    assert!(
        expected.iter().all(|word| run.err.contains(word)),
        "{}",
        run.err
    );
    let options = "simulate --json --users 50 --days 400";
    let simulated = |season: &str, out: &str| {
        let run = ebb_train(folder.path(), &format!("{options} {season} --out {out}")).ok();
        serde_json::from_str::<serde_json::Value>(&run.out).unwrap()
    };
    let closing = simulated("--season closing", "closing");
    assert_eq!(closing["season"]["name"], "closing");
    assert_eq!(closing["season"]["breaks"][0]["until"], "2024-08-26");
    // The season of logs without the flag.
    assert_eq!(simulated("", "default")["season"]["name"], "mild");
    let log = |out: &str| fs::read(folder.path().join(out).join("events.csv.gz")).unwrap();
    simulated("--season mild", "mild");
    assert!(log("mild") == log("default") && log("mild") != log("closing"));
}

/// The Newton fit and linfa-logistic are two ways to one optimum, all the way to the scores.
#[test]
fn both_solvers_give_the_same_scores() {
    let folder = shop();
    let path = folder.path();
    let settings = fs::read_to_string(path.join("log/ebb.toml")).unwrap();
    let scores = |solver: &str, l2: f64| -> Vec<f64> {
        let text = format!(
            "{settings}\n[model]\nsolver = \"{solver}\"\nl2 = {l2:?}\nnonlinear_terms = false\nhalf_life_windows = 0\n"
        );
        fs::write(path.join("log/solver.toml"), text).unwrap();
        ebb_train(path, "fit --config log/solver.toml --out solved").ok();
        let run = ebb_train(
            path,
            "score --model solved --config log/solver.toml --as-of 2024-10-26 --out -",
        )
        .ok();
        let mut rows = csv::Reader::from_reader(run.out.as_bytes());
        rows.records()
            .map(|row| row.unwrap()[3].parse().unwrap())
            .collect()
    };
    let (newton, linfa, other) = (
        scores("newton", 10.0),
        scores("linfa", 10.0),
        scores("newton", 100.0),
    );
    let furthest = |a: &[f64], b: &[f64]| {
        a.iter()
            .zip(b)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f64::max)
    };
    assert!(newton.len() > 50 && newton.len() == linfa.len());
    assert!(
        furthest(&newton, &linfa) < 1e-3,
        "{}",
        furthest(&newton, &linfa)
    );
    assert!(
        furthest(&newton, &other) > 1e-2,
        "another penalty must be noticed, or equality says nothing"
    );
}
