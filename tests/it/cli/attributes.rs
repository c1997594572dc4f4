//! Attributes of users: joined as of a day, weighed, explained, and never seen before they were known.

use serde_json::Value;

use super::*;

const AS_OF: &str = "2024-10-01";

/// A simulated shop of 700 users and 330 days with attributes, and quick configurations with them and without.
fn shop_with_attributes() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let simulate = "simulate --users 700 --days 330 --seed 5 --attributes --out log --quiet";
    ebb_train(folder.path(), simulate).ok();
    let log = folder.path().join("log");
    let text = fs::read_to_string(log.join("ebb.toml")).unwrap();
    let (events, rest) = text.split_once("\n[value]").unwrap();
    let (_, attributes) = rest.split_once("\n[attributes]").unwrap();
    let quick = "\n[model]\nl2 = 100.0\nnonlinear_terms = false\nanniversaries = 0\nhalf_life_windows = 0.0\n\
                 spacing_days = 15\n";
    let attributes = attributes.replace("attributes.csv", "attributes*.csv");
    fs::write(log.join("without.toml"), format!("{events}{quick}")).unwrap();
    let with = format!("{events}{quick}\n[attributes]{attributes}");
    fs::write(log.join("with.toml"), with).unwrap();
    folder
}

fn table(folder: &TempDir) -> String {
    fs::read_to_string(folder.path().join("log/attributes.csv")).unwrap()
}

fn write_table(folder: &TempDir, name: &str, rows: &[&str]) {
    let header = table_header();
    let text = format!("{header}\n{}\n", rows.join("\n"));
    fs::write(folder.path().join("log").join(name), text).unwrap();
}

fn table_header() -> &'static str {
    "user_id,from,plan,age,country"
}

fn fit_as_of(folder: &TempDir, config: &str, out: &str) -> Run {
    let fit = format!(
        "fit --quiet --config log/{config}.toml --as-of {AS_OF} --out {out} --allow-below-baseline"
    );
    ebb_train(folder.path(), &fit)
}

fn scores(folder: &TempDir, model: &str) -> String {
    let score = format!(
        "score --quiet --model {model} --config log/with.toml --as-of {AS_OF} --out {model}.csv"
    );
    ebb_train(folder.path(), &score).ok();
    fs::read_to_string(folder.path().join(format!("{model}.csv"))).unwrap()
}

fn card(folder: &TempDir, model: &str) -> Value {
    let path = folder.path().join(model).join("card.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The log loss of a model with what the configuration `with.toml` has more, and without it.
fn with_and_without(folder: &TempDir) -> (f64, f64) {
    let fit = |config: &str| {
        let fit =
            format!("fit --quiet --config log/{config}.toml --out {config} --allow-below-baseline");
        ebb_train(folder.path(), &fit).ok();
        log_loss(&card(folder, config))
    };
    (fit("with"), fit("without"))
}

fn log_loss(card: &Value) -> f64 {
    let model = &card["horizons"][0]["evaluation"]["model"]["log_loss"];
    let value = model.get("value").unwrap_or(model);
    value.as_f64().unwrap_or_else(|| panic!("{model}"))
}

#[test]
fn no_row_at_or_after_the_as_of_day_reaches_a_model_or_a_score() {
    let folder = shop_with_attributes();
    let full = table(&folder);
    fit_as_of(&folder, "with", "full").ok();
    let scored = scores(&folder, "full");
    let rows: Vec<&str> = full.lines().skip(1).collect();
    let from = |row: &str| row.split(',').nth(1).unwrap().to_owned();
    let before: Vec<&str> = rows
        .iter()
        .copied()
        .filter(|row| from(row).as_str() < AS_OF)
        .collect();
    assert!(before.len() + 50 < rows.len(), "there is a future to cut");
    // Everybody is on a plan of its own from the as-of day on.
    let later: Vec<String> = before
        .iter()
        .map(|row| format!("{},{AS_OF},wrong,99,GB", row.split(',').next().unwrap()))
        .collect();
    let mut poisoned = before.clone();
    poisoned.extend(later.iter().map(String::as_str));
    write_table(&folder, "attributes.csv", &before);
    fit_as_of(&folder, "with", "cut").ok();
    assert_eq!(
        bundle_json(folder.path(), "full"),
        bundle_json(folder.path(), "cut")
    );
    assert_eq!(scored, scores(&folder, "cut"));
    write_table(&folder, "attributes.csv", &poisoned);
    fit_as_of(&folder, "with", "poisoned").ok();
    assert_eq!(
        bundle_json(folder.path(), "full"),
        bundle_json(folder.path(), "poisoned")
    );
    assert_eq!(scored, scores(&folder, "poisoned"));
    // The negative control: the same rows a day earlier are known.
    let earlier: Vec<String> = later
        .iter()
        .map(|row| row.replace(AS_OF, "2024-09-30"))
        .collect();
    let mut known = before;
    known.extend(earlier.iter().map(String::as_str));
    write_table(&folder, "attributes.csv", &known);
    assert_ne!(scored, scores(&folder, "full"));
}

#[test]
fn the_order_of_rows_repeats_and_files_change_no_bit() {
    let folder = shop_with_attributes();
    let full = table(&folder);
    fit_as_of(&folder, "with", "once").ok();
    let scored = scores(&folder, "once");
    let rows: Vec<&str> = full.lines().skip(1).collect();
    let mut mixed: Vec<&str> = rows.iter().rev().step_by(2).copied().collect();
    mixed.extend(rows.iter().rev().skip(1).step_by(2));
    mixed.extend(&rows[..rows.len() / 3]);
    let (one, other) = mixed.split_at(mixed.len() / 2);
    write_table(&folder, "attributes.csv", one);
    write_table(&folder, "attributes-2.csv", other);
    fit_as_of(&folder, "with", "mixed").ok();
    assert_eq!(
        bundle_json(folder.path(), "once"),
        bundle_json(folder.path(), "mixed")
    );
    assert_eq!(scored, scores(&folder, "mixed"));
}

#[test]
fn a_plan_that_tells_improves_the_model_and_is_explained() {
    let folder = shop_with_attributes();
    let (with, without) = with_and_without(&folder);
    assert!(with < without - 0.01, "{with} {without}");
    let bundle: Value = serde_json::from_str(&bundle_json(folder.path(), "with")).unwrap();
    let columns = bundle["preprocessing"]["columns"]
        .as_array()
        .unwrap()
        .iter();
    let names: Vec<&str> = columns.map(|c| c["feature"].as_str().unwrap()).collect();
    for name in [
        "plan = paused",
        "plan = other",
        "plan = missing",
        "age",
        "age = missing",
        "country = GB",
    ] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    // Of the country that a hundredth of the users have, nobody reads.
    assert!(!bundle_json(folder.path(), "with").contains("MT"));
    let plain = bundle_json(folder.path(), "without");
    assert!(
        !plain.contains("attributes"),
        "nothing is added without a table"
    );
    let user = a_scored_user_on_the_plan(&folder);
    let explain = format!("explain --json --model with --config log/with.toml --user {user}");
    let answer = ebb_train(folder.path(), &explain).ok().out;
    assert!(answer.contains("plan is paused"), "{answer}");
    assert!(answer.contains("plan = paused"), "{answer}");
    let refused = ebb_train(
        folder.path(),
        "score --quiet --model with --config log/without.toml --out none.csv",
    );
    assert_eq!(refused.code, 64);
    insta::assert_snapshot!(refused.error(), @r"
    error: the model weighs the attribute `age`, a number, and no table of attributes was read: give the table that it was fitted with by [attributes] in the configuration
    hint: --config names the configuration
    ");
    // `evaluate`, `check` and `top` read the table like all others.
    for command in [
        "evaluate --model with --allow-seen",
        "top --model with --by risk",
    ] {
        ebb_train(
            folder.path(),
            &format!("{command} --quiet --config log/with.toml"),
        )
        .ok();
    }
}

/// A user who has a score and gave up the plan.
fn a_scored_user_on_the_plan(folder: &TempDir) -> String {
    let paused = table(folder);
    let scored = fs::read_to_string({
        ebb_train(
            folder.path(),
            "score --quiet --model with --config log/with.toml --out all.csv",
        )
        .ok();
        folder.path().join("all.csv")
    })
    .unwrap();
    let is_scored = |user: &str| {
        let mut rows = scored
            .lines()
            .map(|line| line.split(',').collect::<Vec<_>>());
        rows.any(|row| row[0] == user && row[3].parse::<f64>().is_ok())
    };
    paused
        .lines()
        .filter(|line| line.contains(",paused,"))
        .filter_map(|line| line.split(',').next())
        .find(|user| is_scored(user))
        .unwrap_or_else(|| panic!("{}", scored.lines().take(3).collect::<Vec<_>>().join("\n")))
        .to_owned()
}

#[test]
fn what_is_wrong_with_a_table_is_said_with_its_place() {
    let folder = shop_with_attributes();
    let path = folder.path();
    let score = || {
        ebb_train(
            path,
            "fit --quiet --config log/changed.toml --out changed --allow-below-baseline",
        )
    };
    let with = fs::read_to_string(path.join("log/with.toml")).unwrap();
    let change = |from: &str, to: &str| {
        assert!(with.contains(from), "{from}");
        fs::write(path.join("log/changed.toml"), with.replace(from, to)).unwrap();
    };
    change("from = \"from\"", "");
    let refused = score();
    assert_eq!(refused.code, 64);
    assert!(refused.error().contains(
        "a snapshot of today cannot describe the past: give attributes.from, or name columns that never change in attributes.static"
    ), "{}", refused.error());
    change("plan = \"category\"", "plam = \"category\"");
    let refused = score();
    assert_eq!(refused.code, 64);
    assert!(
        refused.error().contains("attributes.csv: there is no column `plam`, which `attributes.columns` names; did you mean `plan`?"),
        "{}", refused.error()
    );
    change("attributes*.csv", "nothing.csv");
    let refused = score();
    assert!(
        refused.error().contains("the table of attributes: "),
        "{}",
        refused.error()
    );
    // Rows that cannot be read are rejected, and too many of them are an error.
    change("attributes*.csv", "bad.csv");
    let rows = [
        "U000001,2024-01-01,pro,NaN,GB",
        "U000002,2024-01-01,pro,inf,GB",
        "U000003,2024-13-01,pro,3,GB",
        "U000004,2024-01-01,pro,4,GB",
        ",2024-01-01,pro,4,GB",
        "U000005,2024-01-01,pro,4",
    ];
    write_table(&folder, "bad.csv", &rows);
    let refused = score();
    assert_eq!(refused.code, 1);
    assert!(
        refused.error().contains("83.3 % of the 6 rows of attributes were rejected, more than `events.max_rejected_share` = 0.2")
            && refused.error().contains("bad.csv:2, column `age`: found `NaN`, expected a finite number"),
        "{}", refused.error()
    );
}

#[test]
fn users_beside_the_log_are_counted_and_contradictions_are_warned_of() {
    let folder = shop_with_attributes();
    let path = folder.path();
    let with = fs::read_to_string(path.join("log/with.toml")).unwrap();
    let changed = with.replace("attributes*.csv", "bad.csv");
    fs::write(path.join("log/changed.toml"), changed).unwrap();
    // Users that the log does not have are counted, and are no error; contradictions of static columns are warned of.
    let text = table(&folder) + "nobody,2024-01-01,pro,4,GB\nU000010,2024-05-01,pro,4,XX\n";
    fs::write(path.join("log/bad.csv"), text).unwrap();
    let done = ebb_train(
        path,
        "score --model none --config log/changed.toml --out none.csv --quality quality.json",
    );
    assert_ne!(done.code, 0, "there is no model");
    let fitted = ebb_train(
        path,
        "fit --config log/changed.toml --out changed --allow-below-baseline --quality quality.json",
    )
    .ok();
    assert!(
        fitted
            .err
            .contains("1 users have several values of the attribute `country`"),
        "{}",
        fitted.err
    );
    let quality: Value =
        serde_json::from_str(&fs::read_to_string(path.join("quality.json")).unwrap()).unwrap();
    let attributes = &quality["attributes"];
    assert!(
        attributes["users_not_in_log"].as_u64().unwrap() >= 1,
        "{attributes}"
    );
    let contradicted = attributes["contradicted"].as_array().unwrap();
    assert!(
        contradicted.iter().any(|column| column[0] == "country"),
        "{attributes}"
    );
}

/// A value of the end of the log with the day of its beginning passes every check of days; that it never changes is said.
#[test]
fn a_column_that_changes_of_nobody_is_warned_of_unless_it_is_static() {
    let folder = shop_with_attributes();
    let path = folder.path();
    let text = table(&folder);
    let mut users: Vec<&str> = text.lines().skip(1).map(|row| &row[..7]).collect();
    users.dedup();
    let state = |user: &&str| format!("{user},2024-01-01,{}\n", &user[6..]);
    let rows: String = users.iter().map(state).collect();
    fs::write(
        path.join("log/state.csv"),
        format!("user_id,from,state\n{rows}"),
    )
    .unwrap();
    let without = fs::read_to_string(path.join("log/without.toml")).unwrap();
    let fit = |name: &str, columns: &str| {
        let of_table = "[attributes]\npaths = \"state.csv\"\nuser = \"user_id\"\nfrom = \"from\"";
        let config = format!("{without}\n{of_table}\n{columns}\n");
        fs::write(path.join(format!("log/{name}.toml")), config).unwrap();
        let fit = format!("fit --config log/{name}.toml --out {name} --allow-below-baseline");
        ebb_train(path, &fit).ok().err
    };
    let warning = format!(
        "the attribute `state` changes of none of {} users",
        users.len()
    );
    let dated = fit("dated", "columns = { state = \"category\" }");
    assert!(
        dated.contains(&warning) && dated.contains("attributes.static"),
        "{dated}"
    );
    // The negative controls: one that is said never to change, and a table in which values change.
    assert!(!fit("fixed", "static = [\"state\"]").contains("changes of none"));
    let with = "fit --config log/with.toml --out with --allow-below-baseline";
    assert!(!ebb_train(path, with).ok().err.contains("changes of none"));
}

/// A log with answers of 0 to 10: users who stay give middling ones, users who are about to leave low or high ones.
fn shop_with_answers() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let simulate = "simulate --users 900 --days 330 --seed 9 --out log --quiet";
    ebb_train(folder.path(), simulate).ok();
    let log = folder.path().join("log");
    let truth = fs::read_to_string(log.join("truth.csv")).unwrap();
    let start: ebb::history::Day = "2024-01-01".parse().unwrap();
    let day = |text: &str| text.parse::<ebb::history::Day>().ok();
    let mut rows = log_text(folder.path());
    for (number, line) in truth.lines().skip(1).enumerate() {
        let fields: Vec<&str> = line.split(',').collect();
        let joined = day(fields[1]).unwrap().max(start);
        let left = day(fields[2]);
        for turn in 0..20_i32 {
            let on = joined.plus(20 * turn + number as i32 % 17);
            if on.since(start) >= 330 || left.is_some_and(|left| on >= left) {
                break;
            }
            let chance = (number * 7 + turn as usize * 13) % 10;
            let leaves = left.is_some_and(|left| left.since(on) < 45);
            let extreme = if leaves { chance < 8 } else { chance < 2 };
            let score = match (extreme, chance % 2) {
                (true, 0) => 1,
                (true, _) => 9,
                (false, _) => 4 + chance % 3,
            };
            rows += &format!("{},{on} 12:00:00,survey,{score},web\n", fields[0]);
        }
    }
    fs::write(log.join("events.csv"), rows).unwrap();
    let text = fs::read_to_string(log.join("ebb.toml")).unwrap();
    let text = text.replace("events.csv.gz", "events.csv");
    let (events, _) = text.split_once("\n[value]").unwrap();
    for (name, signals) in [("without", ""), ("with", "signals = [\"survey\"]\n")] {
        let config = format!(
            "{events}\n[model]\nl2 = 100.0\nanniversaries = 0\nspacing_days = 15\n{signals}"
        );
        fs::write(log.join(format!("{name}.toml")), config).unwrap();
    }
    folder
}

#[test]
fn a_middling_answer_can_speak_most_for_staying() {
    let folder = shop_with_answers();
    let (with, without) = with_and_without(&folder);
    assert!(with < without - 0.005, "{with} {without}");
    // The effect of the answer alone: one user with every answer.
    let saved = ebb::model::load(&folder.path().join("with")).unwrap();
    let bundle = saved.bundle;
    let position = |name: &str| bundle.catalogue().position_of(name).unwrap();
    let golden = fs::read_to_string(folder.path().join("with/golden.json")).unwrap();
    let golden: Value = serde_json::from_str(&golden).unwrap();
    let cases = golden["cases"].as_array().unwrap().iter();
    let mut scored = cases.filter(|case| !case["horizons"].as_array().unwrap().is_empty());
    let features = scored.next().unwrap()["features"]
        .as_array()
        .unwrap()
        .iter();
    let mut vector: Vec<f64> = features.map(|x| x.as_f64().unwrap_or(f64::NAN)).collect();
    vector[position("survey = missing")] = 0.0;
    vector[position("survey_latest_days")] = 5.0;
    let mut log_odds = |answer: f64| {
        vector[position("survey_latest")] = answer;
        let as_of = bundle.spec().training.as_of;
        let subject = ebb::model::Subject::Features(&vector);
        match bundle.predictor(&[]).predict(subject, as_of, 0).unwrap() {
            ebb::model::Prediction::Scored(score) => score.horizons[0].log_odds,
            other => panic!("{other:?}"),
        }
    };
    let (low, middle, high) = (log_odds(1.0), log_odds(5.0), log_odds(9.0));
    assert!(
        middle < low - 0.2 && middle < high - 0.2,
        "{low} {middle} {high}"
    );
    // The server and explanations read the same records; without the kind, nothing is scored.
    let refused = ebb_train(
        folder.path(),
        "score --quiet --model with --config log/with.toml --events log/events.csv.gz --out none.csv",
    );
    assert!(
        refused.error().contains("the model uses the kind `survey`"),
        "{}",
        refused.error()
    );
    let typo = fs::read_to_string(folder.path().join("log/with.toml")).unwrap();
    fs::write(
        folder.path().join("log/typo.toml"),
        typo.replace("survey", "survy"),
    )
    .unwrap();
    let refused = ebb_train(
        folder.path(),
        "fit --quiet --config log/typo.toml --out typo",
    );
    assert!(
        refused.error().contains("model.signals names `survy`"),
        "{}",
        refused.error()
    );
}
