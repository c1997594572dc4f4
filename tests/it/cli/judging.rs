//! Bundles on a later day than their fit: `evaluate`, `compare`, and `check` against the bundle in use.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::OnceLock;

use serde_json::Value;

use super::*;

/// The first day that nothing was recorded on: the log of [`shop`] ends the day before.
const END: &str = "2024-10-27";
/// A month and a bit before the newest day with complete labels.
const EARLY: &str = "2024-08-20";
/// The newest day with complete labels of 30 days.
const NEWEST: &str = "2024-09-27";

/// The shop with two models that tests share, for a fit takes longer than all else: `model/` was fitted as of [`EARLY`], and
/// `whole/` on the whole log. Tests write beside them, under names of their own.
fn fitted() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("judging");
        if path.exists() {
            fs::remove_dir_all(&path).unwrap();
        }
        fs::create_dir_all(&path).unwrap();
        let simulate = "simulate --users 400 --days 300 --seed 3 --out log --quiet";
        ebb_train(&path, simulate).ok();
        fit(&path, EARLY, "", "model");
        fit(&path, END, "", "whole");
        path
    })
}

fn fit(path: &Path, as_of: &str, more: &str, out: &str) {
    let flags = "--quiet --allow-below-baseline --config log/ebb.toml";
    let fit = format!("fit {flags} --as-of {as_of} --out {out} {more}");
    ebb_train(path, &fit).ok();
}

fn json(run: Run) -> Value {
    serde_json::from_str(&run.ok().out).unwrap()
}

fn evaluate(path: &Path, model: &str, more: &str) -> Value {
    let evaluate = format!("evaluate --json --model {model} --config log/ebb.toml");
    json(ebb_train(path, &format!("{evaluate} {more}")))
}

/// The rows of a log as fields by the names of its columns.
fn log_rows(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let names = reader.headers().unwrap().clone();
    let row = |record: csv::StringRecord| {
        let fields = names.iter().zip(record.iter());
        fields.map(|(n, f)| (n.to_owned(), f.to_owned())).collect()
    };
    reader.records().map(|r| row(r.unwrap())).collect()
}

/// The users with a purchase from one day to before another, as the log's text has them.
fn buyers(text: &str, from: &str, until: &str) -> BTreeSet<String> {
    let bought = |row: &BTreeMap<String, String>| {
        let day = row["time"].get(..10).unwrap_or("");
        row["kind"] == "purchase" && (from..until).contains(&day)
    };
    let rows = log_rows(text).into_iter().filter(bought);
    rows.map(|row| row["user_id"].clone()).collect()
}

/// Probabilities from `score` and labels from the log's text, both without anything that `evaluate` uses.
fn oracle(path: &Path) -> Vec<(f64, bool)> {
    let score =
        format!("score --model model --config log/ebb.toml --as-of {NEWEST} --out scores.csv");
    ebb_train(path, &score).ok();
    let stayed = buyers(&log_text(path), NEWEST, END);
    let scores = fs::read_to_string(path.join("scores.csv")).unwrap();
    let mut reader = csv::Reader::from_reader(scores.as_bytes());
    let pair = |row: csv::StringRecord| (row[3].parse().unwrap(), !stayed.contains(&row[0]));
    reader.records().map(|row| pair(row.unwrap())).collect()
}

#[test]
fn the_figures_are_those_of_the_scores_and_of_what_the_log_says_afterwards() {
    let path = fitted();
    let pairs = oracle(path);
    let n = pairs.len() as f64;
    assert!(n > 100.0, "{n}");
    let judged = evaluate(path, "model", "");
    assert_eq!(
        (&judged["as_of"], &judged["out_of_time"]),
        (&NEWEST.into(), &true.into())
    );
    let e = &judged["horizons"][0]["evaluation"];
    assert_eq!(e["users"].as_u64(), Some(pairs.len() as u64));
    let close = |found: &Value, expected: f64| {
        let found = found.as_f64().unwrap();
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    };
    close(
        &e["churn_rate"],
        pairs.iter().filter(|p| p.1).count() as f64 / n,
    );
    let loss = |&(p, churned): &(f64, bool)| -(if churned { p } else { 1.0 - p }).ln();
    close(
        &e["model"]["log_loss"]["value"],
        pairs.iter().map(loss).sum::<f64>() / n,
    );
    let off = |&(p, churned): &(f64, bool)| p - f64::from(churned);
    close(
        &e["model"]["bias"]["value"],
        pairs.iter().map(off).sum::<f64>() / n,
    );
    let squares = pairs.iter().map(|pair| off(pair).powi(2));
    close(&e["model"]["brier"]["value"], squares.sum::<f64>() / n);
    // Pairs of a churner and a user who stayed that are in order; ties count half.
    let of = |outcome| {
        let of_outcome = pairs.iter().filter(move |pair| pair.1 == outcome);
        of_outcome.map(|pair| pair.0).collect::<Vec<f64>>()
    };
    let (churned, stayed) = (of(true), of(false));
    let wins = churned.iter().flat_map(|c| {
        stayed.iter().map(move |s| match c.total_cmp(s) {
            std::cmp::Ordering::Greater => 1.0,
            std::cmp::Ordering::Equal => 0.5,
            std::cmp::Ordering::Less => 0.0,
        })
    });
    let all = (churned.len() * stayed.len()) as f64;
    close(&e["model"]["auc"]["value"], wins.sum::<f64>() / all);
    let dimensions = e["slices"].as_array().unwrap().iter();
    let dimensions: BTreeSet<&str> = dimensions
        .map(|s| s["dimension"].as_str().unwrap())
        .collect();
    assert_eq!(dimensions, ["stage", "segment", "tenure", "band"].into());
}

/// A fit as of the end of the label window is evaluated at the same day by the card: users, churn and baselines come from the
/// same procedure, to the last bit.
#[test]
fn the_baselines_are_those_of_the_cards_evaluation_at_the_same_day() {
    let path = fitted();
    let card = fs::read_to_string(path.join("whole/card.json")).unwrap();
    let card: Value = serde_json::from_str(&card).unwrap();
    let promised = &card["horizons"][0]["evaluation"];
    assert_eq!(promised["test"], NEWEST);
    let judged = evaluate(path, "whole", "--allow-seen");
    assert_eq!(judged["out_of_time"], false);
    assert!(
        judged["notes"][0]
            .as_str()
            .unwrap()
            .starts_with("Not out of time")
    );
    let found = &judged["horizons"][0];
    assert_eq!(found["baselines_from"], "log");
    let found = &found["evaluation"];
    for key in ["test", "users", "churn_rate"] {
        assert_eq!(found[key], promised[key], "{key}");
    }
    let baselines = |e: &Value| e["baselines"].as_array().unwrap().clone();
    let (found, promised) = (baselines(found), baselines(promised));
    assert!(found.len() >= 3 && found.len() == promised.len());
    for (found, promised) in found.iter().zip(&promised) {
        for key in [
            "name",
            "feature",
            "metrics",
            "gains",
            "roc",
            "precision_recall",
        ] {
            assert_eq!(found[key], promised[key], "{}: {key}", found["name"]);
        }
    }
    // The model itself was fitted on the users that it is judged on, and the card's was not.
    let refused = ebb_train(path, "evaluate --model whole --config log/ebb.toml");
    assert_eq!(refused.code, 1);
    assert!(
        refused
            .error()
            .contains("and has seen what happened before that day"),
        "{}",
        refused.error()
    );
}

/// The log without the rows that a condition on day, user and kind leaves out.
fn write_log(path: &Path, name: &str, keep: impl Fn(&str, &str, &str) -> bool) {
    let text = log_text(path);
    let rows = log_rows(&text);
    let lines = text.lines().skip(1).zip(&rows);
    let kept = lines.filter(|(_, row)| {
        let day = row["time"].get(..10).unwrap_or("");
        keep(day, &row["user_id"], &row["kind"])
    });
    let mut out = text.lines().next().unwrap().to_owned() + "\n";
    kept.for_each(|(line, _)| out += &(line.to_owned() + "\n"));
    fs::write(path.join(name), out).unwrap();
}

#[test]
fn what_happens_after_the_label_window_changes_nothing_and_what_happens_in_it_does() {
    let path = fitted();
    // A window that ends long before the log does.
    let (as_of, end) = ("2024-08-21", "2024-09-20");
    let model = |events: &str| {
        let judged = evaluate(path, "model", &format!("--as-of {as_of} {events}"));
        let e = judged["horizons"][0]["evaluation"].clone();
        let baseline = |name: &str| {
            let all = e["baselines"].as_array().unwrap();
            all.iter().find(|b| b["name"] == name).unwrap()["metrics"].clone()
        };
        let parts = ["users", "model", "gains", "calibration_curve", "slices"];
        let mut all: Vec<Value> = parts.iter().map(|key| e[*key].clone()).collect();
        all.extend(["base_rate", "bg_nbd"].map(baseline));
        all
    };
    let whole = model("");
    write_log(path, "cut.csv", |day, _, _| day < end);
    assert_eq!(model("--events cut.csv"), whole);
    // A user who was active before did not buy in the window after all.
    let text = log_text(path);
    let before = buyers(&text, "2024-07-21", as_of);
    let in_window = buyers(&text, as_of, end);
    let both = in_window.intersection(&before);
    let buyer = both.filter(|user| !user.is_empty()).min().unwrap();
    write_log(path, "changed.csv", |day, user, kind| {
        user != buyer.as_str() || kind != "purchase" || !(as_of..end).contains(&day)
    });
    assert_ne!(model("--events changed.csv")[1], whole[1]);
}

/// The purchases of the users go to other users, so that nothing can be learnt.
fn write_shuffled(path: &Path) {
    let text = log_text(path);
    let mut users: Vec<String> = log_rows(&text)
        .into_iter()
        .map(|r| r["user_id"].clone())
        .collect();
    let shift = users.len() / 3 + 7;
    users.rotate_left(shift);
    let mut lines = text.lines();
    let header = lines.next().unwrap();
    let column = header
        .split(',')
        .position(|name| name == "user_id")
        .unwrap();
    let mut out = header.to_owned() + "\n";
    for (line, user) in lines.zip(&users) {
        let mut fields: Vec<&str> = line.split(',').collect();
        fields[column] = user;
        out += &(fields.join(",") + "\n");
    }
    fs::write(path.join("shuffled.csv"), out).unwrap();
}

#[test]
fn a_spoiled_model_is_not_let_past_the_one_in_use() {
    let path = fitted();
    write_shuffled(path);
    fit(path, "2024-08-20", "--events shuffled.csv", "spoiled");
    let check = |next: &str, live: &str, more: &str| {
        ebb_train(
            path,
            &format!(
                "check --model {next} --against {live} --config log/ebb.toml --max-rejected-share 1 {more}"
            ),
        )
    };
    let spoiled = check("spoiled", "model", "--max-regression 0.05");
    assert_eq!(spoiled.code, 2, "{}{}", spoiled.out, spoiled.err);
    assert!(
        spoiled
            .out
            .contains("FAILED. The new model is worse by more than that"),
        "{}",
        spoiled.out
    );
    let better = check("model", "spoiled", "--max-regression 0");
    assert_eq!(better.code, 0, "{}{}", better.out, better.err);
    // The same model is as good as itself, exactly.
    let same = json(check("model", "model", "--max-regression 0 --json"));
    let rows = same["checks"].as_array().unwrap();
    let row = rows
        .iter()
        .find(|r| r["metric"] == "log_loss_regression")
        .unwrap();
    let figures = ["value", "low", "high", "limit"].map(|key| row[key].as_f64());
    assert_eq!((figures, &row["passed"]), ([Some(0.0); 4], &true.into()));
    let compared = json(ebb_train(
        path,
        "compare model spoiled --json --config log/ebb.toml",
    ));
    assert_eq!(compared["horizons"][0]["paired"]["preference"], "a");
}

#[test]
fn a_comparison_of_a_model_with_itself_is_nothing_and_what_both_do_not_score_is_counted() {
    let path = fitted();
    let same = json(ebb_train(
        path,
        "compare model model --json --config log/ebb.toml",
    ));
    let paired = &same["horizons"][0]["paired"];
    assert_eq!(paired["preference"], "same");
    for key in [
        "log_loss_difference",
        "auc_difference",
        "brier_difference",
        "ece_difference",
    ] {
        for end in ["value", "low", "high"] {
            assert_eq!(paired[key][end], 0.0, "{key}.{end}");
        }
    }
    // A model of users that were active more recently scores fewer.
    let config = fs::read_to_string(path.join("log/ebb.toml")).unwrap();
    let narrow = config.replace("active_within_days = 90", "active_within_days = 45");
    fs::write(path.join("log/narrow.toml"), narrow).unwrap();
    ebb_train(path, "fit --quiet --allow-below-baseline --config log/narrow.toml --as-of 2024-08-20 --out narrow").ok();
    let other = json(ebb_train(
        path,
        "compare model narrow --json --config log/ebb.toml",
    ));
    let h = &other["horizons"][0];
    let (only_a, users) = (
        h["only_a"].as_u64().unwrap(),
        h["paired"]["users"].as_u64().unwrap(),
    );
    assert!(only_a > 0 && h["only_b"] == 0);
    assert_eq!(only_a + users, paired["users"].as_u64().unwrap());
}

#[test]
fn thresholds_come_from_the_configuration_and_flags_take_their_places() {
    let path = fitted();
    let config = fs::read_to_string(path.join("log/ebb.toml")).unwrap();
    let table = "\n[check]\nmin_auc = { 30 = 0.999 }\nmax_ece = 1\nmin_gain_over_recency = -1\nmin_users_scored = 10\n";
    fs::write(path.join("log/gate.toml"), config.clone() + table).unwrap();
    let check = |more: &str| {
        ebb_train(
            path,
            &format!("check --model whole --config log/gate.toml {more}"),
        )
    };
    let failed = check("");
    assert_eq!(failed.code, 2, "{}", failed.out);
    assert!(
        failed.out.contains("at least 0.999: FAILED"),
        "{}",
        failed.out
    );
    let passed = check("--min-auc 0.5 --json").ok();
    let report: Value = serde_json::from_str(&passed.out).unwrap();
    let rows = report["checks"].as_array().unwrap();
    let metrics: Vec<&str> = rows.iter().map(|r| r["metric"].as_str().unwrap()).collect();
    assert_eq!(
        metrics,
        [
            "rejected_share",
            "users_scored",
            "auc",
            "ece",
            "gain_over_recency"
        ]
    );
    for row in rows {
        let keys: Vec<&String> = row.as_object().unwrap().keys().collect();
        let mut expected = [
            "horizon_days",
            "metric",
            "value",
            "low",
            "high",
            "bound",
            "limit",
            "passed",
        ];
        expected.sort_unstable();
        let mut keys: Vec<&str> = keys.into_iter().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, expected);
    }
    let old = check("--min-auc 0.5 --max-data-age-days 30");
    assert_eq!(
        old.code, 2,
        "a log of 2024 is older than a month: {}",
        old.out
    );
    fs::write(
        path.join("log/wrong.toml"),
        config + "\n[check]\nmin_auc = { 60 = 0.9 }\n",
    )
    .unwrap();
    let refused = ebb_train(path, "check --model whole --config log/wrong.toml");
    assert_eq!(refused.code, 64);
    assert!(
        refused
            .error()
            .contains("check.min_auc is for a horizon of 60 days, but churn.horizon_days is [30]"),
        "{}",
        refused.error()
    );
    assert!(refused.error().contains("line "), "{}", refused.error());
}

/// A threshold that would never be checked is a mistake of whoever gave it, by flag or by key.
#[test]
fn a_threshold_on_value_needs_a_bundle_with_a_value_part() {
    let path = fitted();
    let config = fs::read_to_string(path.join("log/ebb.toml")).unwrap();
    let (before, value) = config.split_once("[value]").unwrap();
    let after = value
        .split_once("\n[")
        .map_or(String::new(), |(_, rest)| format!("[{rest}"));
    let config = format!("{before}{after}");
    fs::write(path.join("log/without.toml"), &config).unwrap();
    let fit = "fit --quiet --allow-below-baseline --config log/without.toml --out without";
    ebb_train(path, fit).ok();
    let flag = ebb_train(path, "check --model without --min-gini 0.5");
    assert_eq!(flag.code, 64, "{}", flag.out);
    assert!(
        flag.error().contains(
            "check.min_gini is about what users are worth, but the bundle has no value part"
        ),
        "{}",
        flag.error()
    );
    let with = |table: &str| {
        fs::write(
            path.join("log/value.toml"),
            format!("{config}\n[check]\n{table}\n"),
        )
        .unwrap();
        ebb_train(path, "check --model without --config log/value.toml")
    };
    let key = with("max_value_bias = 0.2");
    assert_eq!(key.code, 64, "{}", key.out);
    assert!(
        key.error().contains("check.max_value_bias is about"),
        "{}",
        key.error()
    );
    let wrong = with("min_gini = 1.5");
    assert_eq!(wrong.code, 64);
    assert!(
        wrong.error().contains("must lie between 0 and 1"),
        "{}",
        wrong.error()
    );
}

#[test]
fn checks_are_written_for_other_programs() {
    let path = fitted();
    let check = "check --model whole --min-auc 0.999 --max-ece 1 --format";
    let junit = ebb_train(path, &format!("{check} junit"));
    assert_eq!(junit.code, 2);
    let document = roxmltree::Document::parse(&junit.out).unwrap();
    let cases = document
        .descendants()
        .filter(|n| n.has_tag_name("testcase"));
    let failed = cases.filter(|case| case.children().any(|n| n.has_tag_name("failure")));
    let failed: Vec<&str> = failed.map(|case| case.attribute("name").unwrap()).collect();
    assert_eq!(failed, ["auc"]);
    let done = Command::new(env!("CARGO_BIN_EXE_ebb-train"))
        .args(format!("{check} github").split(' '))
        .env("GITHUB_STEP_SUMMARY", path.join("summary.md"))
        .current_dir(path)
        .output()
        .unwrap();
    let out = String::from_utf8(done.stdout).unwrap();
    assert!(
        out.starts_with("::error title=Model ") && out.contains(" auc (30 days)::horizon 30: AUC "),
        "{out}"
    );
    let summary = fs::read_to_string(path.join("summary.md")).unwrap();
    let markdown = ebb_train(path, &format!("{check} markdown"));
    assert!(
        summary.contains("| auc | 30 | ") && summary.trim_end() == markdown.out.trim_end(),
        "{summary}"
    );
}

#[test]
fn an_evaluation_is_written_in_each_form() {
    let path = fitted();
    let run = "evaluate --model model --config log/ebb.toml --out out/e.html --out out/e.md --out out/e.json";
    let text = ebb_train(path, run).ok().out;
    assert!(
        text.contains("judged at 2024-09-27\n") && text.contains("beside the card's test date"),
        "{text}"
    );
    let read = |name: &str| fs::read_to_string(path.join("out").join(name)).unwrap();
    let written: Value = serde_json::from_str(&read("e.json")).unwrap();
    assert_eq!(written, evaluate(path, "model", ""));
    assert!(read("e.md").contains("### Horizon 30 days, 2024-09-27 to 2024-10-26"));
    assert!(read("e.html").contains("Did the model keep what its card promised?"));
    let promises = written["horizons"][0]["promises"].as_array().unwrap();
    let with_card = promises.iter().filter(|p| !p["promised"].is_null()).count();
    assert_eq!(with_card, promises.len(), "the card has every figure");
}

#[test]
fn what_cannot_be_judged_is_refused_with_the_reason() {
    let path = fitted();
    let error = |arguments: &str| {
        let run = ebb_train(path, &format!("{arguments} --quiet --config log/ebb.toml"));
        format!("{} {}", run.code, run.error())
    };
    let evaluate = "evaluate --model model";
    let version = evaluated_version(path);
    let seen = error(&format!("{evaluate} --as-of 2024-08-15")).replace(&version, "MODEL");
    insta::assert_snapshot!(seen, @r"
    1 error: model MODEL was fitted as of 2024-08-20 and has seen what happened before that day, so figures at 2024-08-15 would flatter it; it can be judged at 2024-08-20 or later, once the log covers the 30 days after that (it covers the days before 2024-10-27)
    hint: --as-of sets the day, --allow-seen judges at it all the same and marks the result
    ");
    insta::assert_snapshot!(error(&format!("{evaluate} --as-of 2024-10-20")), @r"
    1 error: the labels of 2024-10-20 are not complete: the shortest label window lasts until 2024-11-18, and the log covers the days before 2024-10-27
    hint: --as-of sets the day to judge at
    ");
    insta::assert_snapshot!(error(&format!("{evaluate} --allow-seen --as-of 2023-10-20")), @r"
    1 error: no event lies before 2023-10-20: the first one is on 2024-01-01
    hint: --as-of sets the day to judge at
    ");
    insta::assert_snapshot!(error(&format!("{evaluate} --out e.pdf")), @"64 error: --out e.pdf: the name must end in .json, .md or .html, which says what is written");
    insta::assert_snapshot!(error("compare model model --out e.html"), @"64 error: --out e.html: a comparison is written as .json or .md; `evaluate` writes pages");
    insta::assert_snapshot!(error("check --model model"), @"64 error: no threshold is given: give --min-auc, --max-log-loss, --max-ece or another one, a --config with a [check] table, or --against another bundle");
    insta::assert_snapshot!(error("check --model model --min-auc 0.5 --as-of 2024-08-20"), @"64 error: --as-of, --allow-seen and --allow-missing-kinds say how two bundles are compared: give --against, too");
    let config = fs::read_to_string(path.join("log/ebb.toml")).unwrap();
    let checked = |text: String| {
        fs::write(path.join("log/check.toml"), text).unwrap();
        let run = ebb_train(path, "check --model model --quiet --config log/check.toml");
        format!("{} {}", run.code, run.error())
    };
    let longer = config.replace("horizon_days = [30]", "horizon_days = [30, 60]");
    assert_ne!(longer, config);
    insta::assert_snapshot!(checked(longer + "\n[check]\nmin_auc = { 60 = 0.5 }\n"), @"64 error: check.min_auc is for a horizon of 60 days, but the bundle has [30]; change check.min_auc, or fit that horizon");
    let regression = checked(config.clone() + "\n[check]\nmax_regression = 0.1\n");
    assert!(regression.contains("no threshold is given"), "{regression}");
    fs::write(
        path.join("log/lead.toml"),
        config.replace("lead_days = 0", "lead_days = 5"),
    )
    .unwrap();
    ebb_train(
        path,
        "fit --quiet --allow-below-baseline --config log/lead.toml --as-of 2024-08-20 --out lead",
    )
    .ok();
    let differs = error("compare model lead");
    assert!(differs.contains("churn.lead_days is 0 in "), "{differs}");
}

fn evaluated_version(path: &Path) -> String {
    evaluate(path, "model", "")["model"]["version"]
        .as_str()
        .unwrap()
        .to_owned()
}
