//! Questions on single users and lists of them: `explain` and `top`.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use super::outputs::{sample_model, unpacked};
use super::pipeline::rows;
use super::*;

/// A day on which many users of the simulated log have a score.
const AS_OF: &str = "2024-10-01";

/// Runs `ebb-train` with arguments that may hold blanks.
fn run(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Run {
    let done = Command::new(env!("CARGO_BIN_EXE_ebb-train"))
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run {
        code: done.status.code().unwrap(),
        out: text(done.stdout),
        err: text(done.stderr),
    }
}

/// Runs a command on a log with the sample model, and gives its JSON.
fn asked(folder: &Path, command: &str, more: &[&str]) -> Value {
    let model = sample_model();
    let mut arguments = vec![command, "--json", "--model", &model];
    arguments.extend(["--config", "log/ebb.toml", "--as-of", AS_OF]);
    arguments.extend(more);
    serde_json::from_str(&run(folder, &arguments, &[]).ok().out).unwrap()
}

pub(super) fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

/// The rows of `score`, by user.
fn scores(folder: &Path) -> BTreeMap<String, Vec<String>> {
    let command = format!(
        "score --quiet --model {} --config log/ebb.toml --as-of {AS_OF} --out scores.csv",
        sample_model()
    );
    ebb_train(folder, &command).ok();
    let text = fs::read_to_string(folder.join("scores.csv")).unwrap();
    let rows = rows(&text).into_iter();
    rows.map(|row| (row[0].clone(), row)).collect()
}

#[test]
fn top_is_what_sorting_all_scores_gives() {
    let folder = unpacked();
    let path = folder.path();
    let mut sorted: Vec<Vec<String>> = scores(path).into_values().collect();
    let probability = |row: &Vec<String>| row[3].parse::<f64>().unwrap();
    sorted.sort_by(|a, b| {
        let risk = probability(b).total_cmp(&probability(a));
        risk.then_with(|| a[0].cmp(&b[0]))
    });
    let found = |more: &[&str]| -> Vec<Vec<String>> {
        let top = asked(path, "top", more);
        let users = top["users"].as_array().unwrap().clone();
        let fields = [
            "user_id",
            "churn_probability",
            "risk_band",
            "stage",
            "segment_key",
        ];
        let reasons = ["reason_1", "reason_2", "reason_3"];
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        users
            .iter()
            .map(|user| {
                let names = fields.iter().chain(&reasons);
                names.map(|name| text(&user[*name])).collect()
            })
            .collect()
    };
    let expected = |is: &dyn Fn(&Vec<String>) -> bool, limit: usize| -> Vec<Vec<String>> {
        let rows = sorted.iter().filter(|row| is(row)).take(limit);
        rows.map(|row| [0, 3, 4, 5, 8, 9, 10, 11].map(|k| row[k].clone()).to_vec())
            .collect()
    };
    assert_eq!(found(&[]), expected(&|_| true, 20));
    assert_eq!(found(&["--limit", "7"]), expected(&|_| true, 7));
    let all = expected(&|_| true, usize::MAX);
    assert_eq!(found(&["--limit", "100000"]), all);
    let churning = found(&["--stage", "churning", "--stage", "growth", "--band", "high"]);
    let is = |row: &Vec<String>| row[4] == "high" && (row[5] == "churning" || row[5] == "growth");
    assert_eq!(churning, expected(&is, 20));
    assert!(!churning.is_empty() && churning.len() < all.len());
    let of_segment = found(&["--segment", "1", "--limit", "50"]);
    assert_eq!(of_segment, expected(&|row| row[6] == "1", 50));
    let name = sorted.iter().find(|row| row[6] == "1").unwrap()[7].clone();
    assert_eq!(found(&["--segment", &name, "--limit", "50"]), of_segment);
}

#[test]
fn the_list_is_the_same_as_json_csv_and_parquet() {
    let folder = unpacked();
    let path = folder.path();
    let loss = ["--by", "loss", "--limit", "30"];
    let users = asked(path, "top", &loss)["users"].clone();
    for out in ["out/top.csv", "out/top.parquet"] {
        let written = asked(path, "top", &[&loss[..], &["--out", out]].concat());
        assert_eq!(
            (&written["out"], &written["users"]),
            (&out.into(), &Value::Null)
        );
    }
    let mut reader = csv::Reader::from_path(path.join("out/top.csv")).unwrap();
    let names: Vec<String> = reader
        .headers()
        .unwrap()
        .iter()
        .map(str::to_owned)
        .collect();
    let first = &users[0];
    assert_eq!(names.len(), first.as_object().unwrap().len());
    for (record, user) in reader.records().zip(users.as_array().unwrap()) {
        for (name, text) in names.iter().zip(&record.unwrap()) {
            match &user[name] {
                Value::Null => assert_eq!(text, ""),
                Value::String(expected) => assert_eq!(text, expected),
                number => {
                    let number = number.as_f64().unwrap();
                    assert_eq!(text.parse::<f64>().unwrap().to_bits(), number.to_bits());
                }
            }
        }
    }
    let batch = &batches(&path.join("out/top.parquet"))[0];
    assert_eq!(batch.num_rows(), 30);
    let at_risk = batch.column_by_name("value_at_risk").unwrap();
    let at_risk = at_risk.as_primitive::<Float64Type>().values().to_vec();
    assert!(at_risk.is_sorted_by(|a, b| a >= b) && at_risk[29] > 0.0);
    for (user, at_risk) in users.as_array().unwrap().iter().zip(&at_risk) {
        assert_eq!(number(&user["value_at_risk"]), *at_risk);
    }
    assert_eq!(
        batch.schema().fields()[2].data_type(),
        &arrow_schema::DataType::Date32
    );
}

pub(super) fn batches(path: &Path) -> Vec<RecordBatch> {
    let file = fs::File::open(path).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let reader = reader.with_batch_size(1 << 20).build().unwrap();
    reader.map(|batch| batch.unwrap()).collect()
}

#[test]
fn what_is_not_there_is_named_with_what_is() {
    let folder = unpacked();
    let path = folder.path();
    let model = sample_model();
    let error = |command: &str, more: &[&str]| {
        let mut arguments = vec![command, "--quiet", "--model", &model];
        arguments.extend(["--config", "log/ebb.toml", "--as-of", AS_OF]);
        arguments.extend(more);
        let run = run(path, &arguments, &[]);
        (run.code, run.error().to_owned())
    };
    for (more, expected) in [
        (
            ["--stage", "growing"],
            "there is no stage `growing`; there are acquisition, exploration, growth, mature, churning",
        ),
        (
            ["--band", "extreme"],
            "there is no band `extreme`; there are high, medium, low",
        ),
        (
            ["--horizon", "31"],
            "there is no horizon `31`; there are 30",
        ),
        (
            ["--segment", "9"],
            "there is no segment `9`; there are 0 (s01) `",
        ),
        (
            ["--out", "top.xlsx"],
            "the name must end in .csv or .parquet",
        ),
    ] {
        let (code, message) = error("top", &more);
        assert!(code == 64 && message.contains(expected), "{code} {message}");
    }
    let (code, message) = error("explain", &["--user", "U00197"]);
    assert_eq!(code, 1);
    assert!(
        message.contains("the log has no user `U00197` before 2024-10-01; it has ")
            && message.contains("`U000197`"),
        "{message}"
    );
    for (more, expected) in [
        (["--if", "purchase tomorrow"], "it has no day behind"),
        (["--if", "purchse today"], "the nearest is `purchase`"),
        (["--horizon", "45"], "the model has no horizon of 45 days"),
        (["--out", "page.htm"], "the name must end in .html"),
    ] {
        let (code, message) = error("explain", &[&["--user", "U000197"][..], &more].concat());
        assert!(code == 64 && message.contains(expected), "{code} {message}");
    }
    // A log without amounts does not say what users are worth.
    let config = path.join("log/ebb.toml");
    let text = fs::read_to_string(&config).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with("amount"));
    fs::write(config, lines.collect::<Vec<_>>().join("\n")).unwrap();
    for command in [
        &["top", "--by", "loss"][..],
        &["explain", "--user", "U000197"],
    ] {
        let (code, message) = error(command[0], &command[1..]);
        assert!(
            code == 1
                && message.contains("no event of the log has an amount. Check events.amount")
                && message.contains("hint: --allow-missing-kinds"),
            "{code} {message}"
        );
    }
    assert_eq!(error_code(path, &model), 0, "by risk it needs none");
}

fn error_code(path: &Path, model: &str) -> i32 {
    let arguments = [
        "top",
        "--quiet",
        "--allow-missing-kinds",
        "--model",
        model,
        "--config",
    ];
    let arguments = [&arguments[..], &["log/ebb.toml", "--as-of", AS_OF]].concat();
    run(path, &arguments, &[]).code
}

/// A user with a score and half a year before it, and the churn probability.
fn scored_user(folder: &Path) -> (String, f64) {
    let scores = scores(folder);
    let mature: Vec<_> = scores
        .iter()
        .filter(|(_, row)| row[5] == "mature")
        .collect();
    let (user, row) = mature[mature.len() / 2];
    (user.clone(), row[3].parse().unwrap())
}

#[test]
fn an_explanation_has_the_score_and_adds_up() {
    let folder = unpacked();
    let path = folder.path();
    let (user, probability) = scored_user(path);
    let explained = asked(path, "explain", &["--user", &user, "--out", "page.html"]);
    let horizon = &explained["horizons"][0];
    assert_eq!(number(&horizon["churn_probability"]), probability);
    for parts in ["reasons", "contributions"] {
        let parts = horizon[parts].as_array().unwrap();
        let sum: f64 = parts.iter().map(|p| number(&p["contribution"])).sum();
        let log_odds = number(&horizon["base_log_odds"]) + sum;
        assert!((log_odds - number(&horizon["log_odds"])).abs() < 1e-9);
    }
    let timeline = explained["timeline"].as_array().unwrap();
    let last = timeline.last().unwrap();
    assert_eq!(last["as_of"], AS_OF);
    assert_eq!(
        number(&last["horizons"][0]["churn_probability"]),
        probability
    );
    let card = fs::read_to_string(format!("{}/card.json", sample_model())).unwrap();
    let card: Value = serde_json::from_str(&card).unwrap();
    assert_eq!(horizon["base_rate"], card["horizons"][0]["churn_rate"]);
    let page = fs::read_to_string(path.join("page.html")).unwrap();
    assert!(page.contains(&format!("<h1>{user}</h1>")) && page.ends_with("</html>"));
}

/// The weeks of a log that is read no further than their end are the weeks of the whole log.
#[test]
fn earlier_weeks_are_those_of_a_log_that_ends_earlier() {
    let folder = unpacked();
    let path = folder.path();
    let (user, _) = scored_user(path);
    let whole = asked(path, "explain", &["--user", &user])["timeline"].clone();
    let whole = whole.as_array().unwrap();
    let text = fs::read_to_string(path.join("log/events.csv")).unwrap();
    let cut_day = whole[whole.len() - 5]["as_of"].as_str().unwrap();
    let mut lines = text.lines();
    let header = lines.next().unwrap();
    let time = |line: &&str| line.split(',').nth(1).unwrap_or_default().to_owned();
    let earlier = lines.filter(|line| time(line).as_str() < cut_day);
    let earlier: Vec<&str> = [header].into_iter().chain(earlier).collect();
    fs::write(path.join("log/events.csv"), earlier.join("\n") + "\n").unwrap();
    let model = sample_model();
    let arguments = [
        "explain",
        "--json",
        "--model",
        &model,
        "--config",
        "log/ebb.toml",
    ];
    let more = ["--user", &user, "--as-of", cut_day];
    let run = run(path, &[&arguments[..], &more].concat(), &[]).ok();
    let earlier: Value = serde_json::from_str(&run.out).unwrap();
    let earlier = earlier["timeline"].as_array().unwrap();
    assert!(earlier.len() > 10);
    let until = whole.len() - 4;
    assert_eq!(earlier[earlier.len() - 10..], whole[until - 10..until]);
    assert_ne!(whole[until], whole[until - 1], "the negative control");
}

#[test]
fn what_if_is_the_score_of_a_log_that_has_the_events() {
    let folder = unpacked();
    let path = folder.path();
    let (user, probability) = scored_user(path);
    let suppose = ["--user", &user, "--if", "2 purchase 3 days ago 49.90"];
    let more = ["--if", "support_ticket yesterday"];
    let explained = asked(path, "explain", &[&suppose[..], &more].concat());
    let what_if = &explained["what_if"];
    let before = number(&what_if["before"]["horizons"][0]["churn_probability"]);
    let after = number(&what_if["after"]["horizons"][0]["churn_probability"]);
    assert_eq!(before, probability);
    assert_ne!(before, after);
    let log = path.join("log/events.csv");
    let mut text = fs::read_to_string(&log).unwrap();
    for (time, kind, amount) in [
        ("2024-09-28 10:00:00", "purchase", "49.90"),
        ("2024-09-28 11:00:00", "purchase", "49.90"),
        ("2024-09-30 11:00:00", "support_ticket", ""),
    ] {
        text += &format!("{user},{time},{kind},{amount},web\n");
    }
    fs::write(&log, text).unwrap();
    let (_, written) = scores(path)
        .into_iter()
        .map(|(user, row)| (user, row[3].parse::<f64>().unwrap()))
        .find(|(other, _)| *other == user)
        .unwrap();
    assert_eq!(after.to_bits(), written.to_bits());
}

#[test]
fn text_keeps_to_the_width_and_has_colours_only_on_a_terminal() {
    let folder = unpacked();
    let path = folder.path();
    let (user, _) = scored_user(path);
    let model = sample_model();
    let base = [
        "--model",
        &model,
        "--config",
        "log/ebb.toml",
        "--as-of",
        AS_OF,
    ];
    let explain = ["explain", "--user", &user, "--if", "purchase today"];
    for command in [&explain[..], &["top"], &["top", "--by", "loss"]] {
        let arguments = [command, &base[..]].concat();
        for columns in ["40", "60", "80", "132"] {
            let text = run(path, &arguments, &[("COLUMNS", columns)]).ok().out;
            let most: usize = columns.parse().unwrap();
            let long = text.lines().find(|line| line.chars().count() > most);
            assert_eq!(long, None, "{columns} {command:?}");
            assert!(!text.contains('\u{1b}'), "no colours");
        }
        // The negative control: without a width some lines are longer.
        let text = run(path, &arguments, &[]).ok().out;
        assert!(text.lines().any(|line| line.chars().count() > 80));
    }
}
