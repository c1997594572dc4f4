//! Potential users, from the simulator through the fit to the files of scores and the gate.

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;

/// A simulated shop with 2,000 visitors, and a configuration without the table of potential users beside it.
fn shop_with_visitors() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let simulate = "simulate --quiet --users 300 --visitors 2000 --days 300 --seed 5 --out log";
    ebb_train(folder.path(), simulate).ok();
    let log = folder.path().join("log");
    fs::write(log.join("events.csv"), log_text(folder.path())).unwrap();
    let quick = "[model]\nl2 = 100.0\nnonlinear_terms = false\nanniversaries = 0\nhalf_life_windows = 0.0\n";
    let text = fs::read_to_string(log.join("ebb.toml")).unwrap();
    let (before, rest) = text.split_once("[value]").unwrap();
    let (_, conversion) = rest.split_once("[conversion]").unwrap();
    let before = before.replace("events.csv.gz", "events.csv") + quick;
    fs::write(log.join("without.toml"), &before).unwrap();
    fs::write(
        log.join("ebb.toml"),
        format!("{before}\n[conversion]{conversion}"),
    )
    .unwrap();
    folder
}

fn fit(folder: &TempDir, config: &str, more: &str, out: &str) -> Run {
    let fit =
        format!("fit --quiet --config log/{config} --out {out} --allow-below-baseline {more}");
    ebb_train(folder.path(), &fit)
}

fn json_of(folder: &TempDir, path: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(folder.path().join(path)).unwrap()).unwrap()
}

/// The rows of a file of scores by user.
fn rows(folder: &TempDir, name: &str) -> Rows {
    let mut reader = csv::Reader::from_path(folder.path().join(name)).unwrap();
    let rows = reader.deserialize::<BTreeMap<String, String>>();
    rows.map(Result::unwrap)
        .map(|row| (row["user_id"].clone(), row))
        .collect()
}

fn probability(row: &BTreeMap<String, String>) -> f64 {
    row["conversion_probability"].parse().unwrap()
}

#[test]
fn a_bundle_answers_for_potential_users_and_leaves_churn_as_it_is() {
    let folder = shop_with_visitors();
    fit(&folder, "ebb.toml", "", "with").ok();
    fit(&folder, "without.toml", "", "without").ok();
    let (with, without) = (
        json_of(&folder, "with/bundle.json"),
        json_of(&folder, "without/bundle.json"),
    );
    assert_eq!(with["models"], without["models"]);
    assert_eq!(with["segments"], without["segments"]);
    assert!(without.get("conversion").is_none());
    let part = &with["conversion"];
    assert_eq!(part["event"], serde_json::json!(["purchase"]));
    let signs: Vec<&str> = part["model"]["schema"]["activity"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kind| kind.as_str().unwrap())
        .collect();
    assert!(signs.contains(&"sign_up") && signs.contains(&"visit") && !signs.contains(&"purchase"));
    what_was_planted_is_found(&folder);
    let potential = every_potential_user_has_a_row(&folder);
    intents_are_told_apart(&folder, &potential);
    parquet_has_the_same_bits(&folder, &potential);
    check_of(&folder);
    the_first_are_the_likeliest(&folder, &potential);
}

type Rows = BTreeMap<String, BTreeMap<String, String>>;

/// Out of time, by more than chance.
fn what_was_planted_is_found(folder: &TempDir) {
    let card = json_of(folder, "with/card.json");
    let horizon = &card["conversion"]["horizons"][0];
    let evaluation = &horizon["evaluation"];
    assert!(
        evaluation["model"]["auc"]["low"].as_f64().unwrap() > 0.7,
        "{evaluation}"
    );
    let loss = |of: &Value| of["log_loss"]["value"].as_f64().unwrap();
    let baselines = evaluation["baselines"].as_array().unwrap();
    for baseline in baselines {
        assert!(
            loss(&evaluation["model"]) < loss(&baseline["metrics"]),
            "{}",
            baseline["name"]
        );
    }
    assert!(
        card["conversion"]["leakage_probe"]["comparisons"]
            .as_u64()
            .unwrap()
            > 100
    );
}

fn every_potential_user_has_a_row(folder: &TempDir) -> Rows {
    let card = json_of(folder, "with/card.json");
    let score = "score --quiet --model with --config log/ebb.toml --out scores.csv --json";
    let run = ebb_train(folder.path(), score).ok();
    let summary: Value = serde_json::from_str(&run.out).unwrap();
    let potential = rows(folder, "scores.conversion.csv");
    assert_eq!(summary["summary"]["potential"], potential.len());
    assert_eq!(card["conversion"]["users"], potential.len());
    // Who visits is no user of the churn model, and a buyer no potential one.
    let scored = rows(folder, "scores.csv");
    assert!(potential.len() > 500 && scored.keys().all(|user| !potential.contains_key(user)));
    assert!(
        potential
            .values()
            .all(|row| (0.0..=1.0).contains(&probability(row)))
    );
    let skipped = fs::read_to_string(folder.path().join("scores.skipped.csv")).unwrap();
    let first = potential.keys().next().unwrap();
    assert!(skipped.contains(&format!("{first},no_activity")), "{first}");
    potential
}

/// Who wants to buy has a higher probability than who only looks: the truth was never read by the fit.
fn intents_are_told_apart(folder: &TempDir, potential: &Rows) {
    let mut reader = csv::Reader::from_path(folder.path().join("log/visitors.csv")).unwrap();
    let truths = reader
        .deserialize::<BTreeMap<String, String>>()
        .map(Result::unwrap);
    let mut of_intent: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for truth in truths {
        if let Some(row) = potential.get(&truth["user_id"]) {
            of_intent
                .entry(truth["intent"].clone())
                .or_default()
                .push(probability(row));
        }
    }
    let mean =
        |intent: &str| of_intent[intent].iter().sum::<f64>() / of_intent[intent].len() as f64;
    assert!(
        mean("buy") > 2.0 * mean("browse"),
        "{} {}",
        mean("buy"),
        mean("browse")
    );
}

/// A bundle without the part has no such file.
fn parquet_has_the_same_bits(folder: &TempDir, potential: &Rows) {
    ebb_train(
        folder.path(),
        "score --quiet --model without --config log/without.toml --out old.csv",
    )
    .ok();
    assert!(!folder.path().join("old.conversion.csv").exists());
    ebb_train(
        folder.path(),
        "score --quiet --model with --config log/ebb.toml --out scores.parquet",
    )
    .ok();
    let file = fs::File::open(folder.path().join("scores.conversion.parquet")).unwrap();
    let reader =
        parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let mut compared = 0;
    for batch in reader.build().unwrap().map(Result::unwrap) {
        use arrow_array::cast::AsArray;
        let column = |name: &str| batch.column_by_name(name).unwrap().clone();
        let (users, probabilities) = (column("user_id"), column("conversion_probability"));
        let probabilities = probabilities.as_primitive::<arrow_array::types::Float64Type>();
        for (row, user) in users.as_string::<i32>().iter().enumerate() {
            let expected = probability(&potential[user.unwrap()]);
            assert_eq!(probabilities.value(row).to_bits(), expected.to_bits());
            compared += 1;
        }
    }
    assert_eq!(compared, potential.len());
}

/// The gate, on the bundles of the test above.
fn check_of(folder: &TempDir) {
    let check = |model: &str, flags: &str| {
        ebb_train(folder.path(), &format!("check --model {model} {flags}"))
    };
    let passed = check(
        "with",
        "--min-conversion-auc 0.6 --max-conversion-log-loss 0.5",
    )
    .ok();
    assert!(
        passed.out.contains("conversion, 30 days: AUC"),
        "{}",
        passed.out
    );
    let failed = check("with", "--max-conversion-log-loss 0.0001");
    assert!(
        failed.code == 2 && failed.out.contains("FAILED"),
        "{}",
        failed.out
    );
    let refused = check("without", "--min-conversion-auc 0.6");
    assert_eq!(refused.code, 64);
    assert!(
        refused.error().contains("no part for them"),
        "{}",
        refused.err
    );
    let text = ebb_train(folder.path(), "inspect --model with").ok().out;
    assert!(
        text.contains("Conversion of ") && text.contains("within 30 days: fitted on"),
        "{text}"
    );
}

fn the_first_are_the_likeliest(folder: &TempDir, potential: &Rows) {
    let top =
        "top --quiet --model with --config log/ebb.toml --by conversion --limit 25 --out top.csv";
    ebb_train(folder.path(), top).ok();
    let mut reader = csv::Reader::from_path(folder.path().join("top.csv")).unwrap();
    let listed: Vec<BTreeMap<String, String>> = reader.deserialize().map(Result::unwrap).collect();
    let mut expected: Vec<(&String, f64)> = potential
        .iter()
        .map(|(user, row)| (user, probability(row)))
        .collect();
    expected.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
    assert_eq!(listed.len(), 25);
    for (row, (user, probability)) in listed.iter().zip(expected) {
        assert_eq!(&row["user_id"], user);
        assert_eq!(
            row["conversion_probability"].parse::<f64>().unwrap(),
            probability
        );
    }
    let refused = "top --quiet --model without --config log/without.toml --by conversion";
    let refused = ebb_train(folder.path(), refused);
    assert!(
        refused.code == 64 && refused.error().contains("[conversion]"),
        "{}",
        refused.err
    );
}

/// Everything of a bundle that comes from the log: models, card and scores.
fn of_fit(folder: &TempDir, out: &str) -> (Value, Value) {
    let bundle = json_of(folder, &format!("{out}/bundle.json"));
    let card = json_of(folder, &format!("{out}/card.json"));
    (bundle["conversion"].clone(), card["conversion"].clone())
}

#[test]
fn nothing_at_or_after_the_as_of_day_changes_a_bit() {
    let folder = shop_with_visitors();
    let as_of = "2024-08-15";
    fit(&folder, "ebb.toml", &format!("--as-of {as_of}"), "whole").ok();
    let text = log_text(folder.path());
    let day = |row: &&str| row.split(',').nth(1).unwrap_or_default().to_owned();
    let keep = |before: &str| -> String {
        let mut lines = text.lines();
        let header = lines.next().unwrap();
        let rows = lines.filter(|row| day(row).as_str() < before || !day(row).starts_with("2024"));
        std::iter::once(header)
            .chain(rows)
            .map(|row| row.to_owned() + "\n")
            .collect()
    };
    // Rows with a time that cannot be read stay: they are counted, and lie on no day.
    fs::write(folder.path().join("log/events.csv"), keep(as_of)).unwrap();
    fit(&folder, "ebb.toml", &format!("--as-of {as_of}"), "cut").ok();
    assert_eq!(of_fit(&folder, "cut"), of_fit(&folder, "whole"));
    // The negative control: a day before is seen.
    fs::write(folder.path().join("log/events.csv"), keep("2024-08-14")).unwrap();
    fit(&folder, "ebb.toml", &format!("--as-of {as_of}"), "shorter").ok();
    assert_ne!(of_fit(&folder, "shorter").0, of_fit(&folder, "whole").0);
}

#[test]
fn a_question_that_the_log_cannot_answer_is_refused() {
    let folder = shop_with_visitors();
    let path = folder.path().join("log/ebb.toml");
    let text = fs::read_to_string(&path).unwrap();
    let refused = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        fs::write(&path, text.replace(from, to)).unwrap();
        let run = fit(&folder, "ebb.toml", "", "model");
        assert!(
            run.code != 0 && !folder.path().join("model").exists(),
            "{}",
            run.out
        );
        run.error().to_owned()
    };
    let event = "event = \"purchase\"";
    let message = refused(event, "event = \"purchaes\"");
    assert!(message.contains("the nearest is `purchase`"), "{message}");
    let message = refused(event, "event = []");
    assert!(
        message.contains("conversion.event") && message.contains("line "),
        "{message}"
    );
    let message = refused("within_days = 180 ", "within_days = 0 ");
    assert!(message.contains("conversion.within_days is 0"), "{message}");
    let conversion = text.split("[conversion]").nth(1).unwrap();
    let longer = conversion.replace("horizon_days = [30]", "horizon_days = [900]");
    let message = refused(conversion, &longer);
    assert!(
        message.contains("conversion.horizon_days = 900"),
        "{message}"
    );
}
