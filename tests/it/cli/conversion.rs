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
    // A future in which everybody buys every day changes nothing either.
    let users: std::collections::BTreeSet<&str> = text
        .lines()
        .skip(1)
        .filter_map(|row| row.split(',').next())
        .collect();
    let mut poisoned = keep(as_of);
    for day in 15..=28 {
        for user in users.iter().filter(|user| !user.is_empty()) {
            poisoned += &format!("{user},2024-08-{day} 12:00:00,purchase,9.50,app\n");
        }
    }
    fs::write(folder.path().join("log/events.csv"), poisoned).unwrap();
    fit(&folder, "ebb.toml", &format!("--as-of {as_of}"), "poisoned").ok();
    assert_eq!(of_fit(&folder, "poisoned"), of_fit(&folder, "whole"));
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

/// The kinds of `[conversion]` instead of purchases.
fn asking_for(folder: &TempDir, event: &str) {
    let path = folder.path().join("log/ebb.toml");
    let text = fs::read_to_string(&path).unwrap();
    let (before, conversion) = text.split_once("[conversion]").unwrap();
    let conversion = conversion.replace("event = \"purchase\"", &format!("event = \"{event}\""));
    fs::write(path, format!("{before}[conversion]{conversion}")).unwrap();
}

#[test]
fn a_feed_of_conversion_that_stops_is_no_end_of_churn() {
    let folder = shop_with_visitors();
    asking_for(&folder, "sign_up");
    // The simulated log has 300 days, to 2024-10-26; the form for signing up breaks on 2024-08-20.
    let stopped: String = log_text(folder.path())
        .lines()
        .filter(|row| {
            !row.contains(",sign_up,")
                || !row.contains(",2024-")
                || row.split(',').nth(1).unwrap() < "2024-08-20"
        })
        .map(|row| row.to_owned() + "\n")
        .collect();
    fs::write(folder.path().join("log/events.csv"), stopped).unwrap();
    fit(&folder, "ebb.toml", "", "with").ok();
    fit(&folder, "without.toml", "", "without").ok();
    let of = |out: &str, file: &str| {
        let mut json = json_of(&folder, &format!("{out}/{file}"));
        let keys = json.as_object_mut().unwrap();
        // Hashes of the file and of the configuration are others, and so is the part itself.
        for key in ["conversion", "model_version", "config_hash", "data_quality"] {
            keys.remove(key);
        }
        if let Some(coverage) = keys.get_mut("coverage").and_then(Value::as_object_mut) {
            coverage.remove("conversion");
            coverage.remove("feeds");
        }
        json
    };
    for file in ["bundle.json", "golden.json", "card.json"] {
        assert_eq!(of("with", file), of("without", file), "{file}");
    }
    let card = json_of(&folder, "with/card.json");
    assert_eq!(card["coverage"]["conversion"]["labels_until"], "2024-08-20");
    // The negative control: conversion itself learns from labels before the break alone.
    let horizon = &card["conversion"]["horizons"][0];
    let newest = horizon["snapshots"].as_array().unwrap().last().unwrap();
    assert!(newest.as_str().unwrap() <= "2024-07-21", "{newest}");
    let of_churn = card["horizons"][0]["snapshots"].as_array().unwrap();
    assert!(of_churn.last().unwrap().as_str().unwrap() > "2024-09-01");
    let notes = card["conversion"]["notes"].to_string();
    assert!(
        notes.contains("The feed of the kinds that are conversion ends on 2024-08-19"),
        "{notes}"
    );
    // Who has signed up since cannot be told: no score unless that is accepted, and the list is of an earlier day.
    let score = "score --quiet --model with --config log/ebb.toml --out scores.csv";
    let refused = ebb_train(folder.path(), score);
    assert!(
        refused.code != 0
            && refused
                .error()
                .contains("beyond the events that are conversion"),
        "{}",
        refused.err
    );
    ebb_train(folder.path(), &format!("{score} --allow-stale")).ok();
    let top = "top --quiet --model with --config log/ebb.toml --by conversion --json";
    let top: Value = serde_json::from_str(&ebb_train(folder.path(), top).ok().out).unwrap();
    assert_eq!(top["as_of"], "2024-08-20");
    // Churn needs none of it.
    let score = "score --quiet --model without --config log/without.toml --out churn.csv";
    ebb_train(folder.path(), score).ok();
}

/// How many people converted and how many did not, of every cell of a card that has both.
fn cells(json: &Value, found: &mut Vec<[u64; 2]>) {
    match json {
        Value::Array(items) => items.iter().for_each(|item| cells(item, found)),
        Value::Object(keys) => {
            let share = keys.get("churn_rate").or(keys.get("observed"));
            if let (Some(users), Some(share)) = (keys.get("users"), share) {
                let users = users.as_u64().unwrap();
                let converted = (share.as_f64().unwrap() * users as f64).round() as u64;
                found.push([converted, users - converted]);
            }
            keys.values().for_each(|item| cells(item, found));
        }
        _ => {}
    }
}

#[test]
fn no_published_cell_counts_fewer_people_than_the_configuration_says() {
    let folder = shop_with_visitors();
    let path = folder.path().join("log/ebb.toml");
    let text = fs::read_to_string(&path).unwrap();
    let fitted = |least: u64| {
        fs::write(&path, format!("{text}\n[privacy]\nmin_users = {least}\n")).unwrap();
        fit(&folder, "ebb.toml", "", "model")
    };
    let mut shown = Vec::new();
    for least in [2, 20] {
        fitted(least).ok();
        let card = json_of(&folder, "model/card.json");
        let part = &card["conversion"];
        assert_eq!(part["min_users"], least);
        let mut found = Vec::new();
        cells(part, &mut found);
        assert!(
            found.iter().flatten().all(|people| *people >= least),
            "{found:?}"
        );
        for horizon in part["horizons"].as_array().unwrap() {
            let dropped = horizon["dropped"].as_object().unwrap();
            assert!(
                dropped
                    .values()
                    .all(|pairs| pairs.as_u64().unwrap() >= least)
            );
            let evaluation = &horizon["evaluation"];
            assert_eq!(evaluation["roc"], serde_json::json!([]));
            assert_eq!(evaluation["gains"], serde_json::json!([]));
        }
        assert!(part["withheld"].as_u64().unwrap() > 0);
        shown.push(found.len());
    }
    // The negative control: with a lower limit there is more to be seen.
    assert!(shown[0] > shown[1] && shown[1] > 3, "{shown:?}");
    let page = fs::read_to_string(folder.path().join("model/report.html")).unwrap();
    let words = "of fewer than 20 people (privacy.min_users)";
    let text = ebb_train(folder.path(), "inspect --model model").ok().out;
    assert!(page.contains(words) && text.contains(words), "{text}");
    // Where the judged users are too few the figures are withheld, and the gate fails.
    fitted(120).ok();
    let card = json_of(&folder, "model/card.json");
    let horizon = &card["conversion"]["horizons"][0];
    assert_eq!(horizon["evaluation"], Value::Null);
    assert_eq!(horizon["untested"]["reason"], "withheld");
    let check = ebb_train(
        folder.path(),
        "check --model model --min-conversion-auc 0.1",
    );
    assert!(
        check.code != 0 && check.out.contains("figures of so few are withheld"),
        "{}",
        check.out
    );
    // And where hardly anybody converts there is no model.
    let refused = fitted(50_000);
    assert!(
        refused.code != 0 && refused.error().contains("privacy.min_users = 50000"),
        "{}",
        refused.err
    );
}

/// Text without its line ends.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn explanations_answer_about_conversion_and_other_commands_say_that_they_do_not() {
    let folder = shop_with_visitors();
    fit(&folder, "ebb.toml", "", "with").ok();
    let score = "score --quiet --model with --config log/ebb.toml --out scores.csv";
    ebb_train(folder.path(), score).ok();
    let potential = rows(&folder, "scores.conversion.csv");
    let explain = |user: &str, more: &str| {
        let explain = format!("explain --model with --config log/ebb.toml --user {user}");
        ebb_train(folder.path(), &format!("{explain} {more}"))
            .ok()
            .out
    };
    let (user, row) = potential.first_key_value().unwrap();
    let json: Value = serde_json::from_str(&explain(user, "--json")).unwrap();
    let horizon = &json["conversion"]["horizons"][0];
    assert_eq!(json["conversion"]["is_potential"], true);
    assert_eq!(horizon["conversion_probability"], probability(row));
    let reasons = horizon["reasons"].as_array().unwrap();
    let sum: f64 = reasons
        .iter()
        .map(|r| r["contribution"].as_f64().unwrap())
        .sum();
    let of = |key: &str| horizon[key].as_f64().unwrap();
    assert!((of("base_log_odds") + sum - of("log_odds")).abs() < 1e-9);
    let text = one_line(&explain(user, ""));
    assert!(text.contains("is a potential user, and"), "{text}");
    let explain_with = "explain --model with --config log/ebb.toml --user";
    let done = Command::new(env!("CARGO_BIN_EXE_ebb-train"))
        .args(explain_with.split(' '))
        .args([user, "--if", "purchase yesterday"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let bought = one_line(&String::from_utf8(done.stdout).unwrap());
    assert!(
        bought.contains("no potential user any more: it converted, last on"),
        "{bought}"
    );
    let buyer = rows(&folder, "scores.csv").into_keys().next().unwrap();
    let text = one_line(&explain(&buyer, ""));
    assert!(
        text.contains("is no potential user: it converted, last on 2024-"),
        "{text}"
    );
    let evaluate = "evaluate --model with --config log/ebb.toml --allow-seen";
    let run = ebb_train(folder.path(), evaluate).ok();
    assert!(
        run.err
            .contains("The part for potential users is judged by `fit` alone"),
        "{}",
        run.err
    );
    // Another question than that of the fit is refused.
    asking_for(&folder, "sign_up");
    let refused = ebb_train(folder.path(), score);
    assert!(
        refused.code == 64 && refused.error().contains("conversion.event"),
        "{}",
        refused.err
    );
    // A model without the part says that it has none.
    fit(&folder, "without.toml", "", "without").ok();
    let score = "score --model without --config log/ebb.toml --out old.csv";
    let run = ebb_train(folder.path(), score).ok();
    assert!(
        run.err.contains("no part for potential users"),
        "{}",
        run.err
    );
    assert!(!folder.path().join("old.conversion.csv").exists());
}
