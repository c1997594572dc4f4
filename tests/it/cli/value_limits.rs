//! Logs and users that say little of value: kinds, amounts and orders that are missing, horizons that are too long.

use std::collections::BTreeMap;

use serde_json::Value;

use super::value::{business, fit, spec, with_value};
use super::*;

/// The rows of the simulated log, without those that are left out, in a file that a configuration names instead.
fn with_rows(folder: &TempDir, config: &str, keeps: impl Fn(&str) -> bool, more: &str) {
    let text = log_text(folder.path());
    let mut rows: String = text
        .lines()
        .filter(|line| keeps(line))
        .fold(String::new(), |rows, line| rows + line + "\n");
    rows += more;
    let log = folder.path().join("log");
    fs::write(log.join(format!("{config}.csv")), rows).unwrap();
    let settings = fs::read_to_string(log.join("with.toml")).unwrap();
    let settings = settings.replace("events.csv.gz", &format!("{config}.csv"));
    fs::write(log.join(format!("{config}.toml")), settings).unwrap();
}

fn card(folder: &TempDir, name: &str) -> Value {
    let card = fs::read_to_string(folder.path().join(name).join("card.json")).unwrap();
    serde_json::from_str(&card).unwrap()
}

fn is_return(line: &str) -> bool {
    line.contains(",return,")
}

/// A month without a return stops no retraining.
#[test]
fn a_kind_that_this_log_lacks_is_noted_as_long_as_there_is_another() {
    let folder = business();
    with_rows(&folder, "lacking", |line| !is_return(line), "");
    let note = "The kind `return` of value.kinds does not occur in the log: value is estimated from the others.";
    let run = fit(&folder, "lacking").ok();
    let notes = card(&folder, "lacking")["notes"].clone();
    let notes = notes.as_array().unwrap();
    assert_eq!(notes.iter().filter(|n| **n == note).count(), 1, "{notes:?}");
    let loud = "fit --config log/lacking.toml --out loud --allow-below-baseline";
    let loud = ebb_train(folder.path(), loud).ok();
    assert!(
        loud.out.contains("The kind `return` of value.kinds"),
        "{}{}",
        loud.out,
        run.err
    );
    // The kind stays in the bundle: returns of the next log are taken off.
    assert_eq!(
        spec(&folder, "lacking").schema.value_kinds,
        ["purchase", "return"]
    );
    let score = |config: &str| {
        let score =
            format!("score --quiet --model lacking --config log/{config}.toml --out {config}.csv");
        ebb_train(folder.path(), &score).ok();
        let text = fs::read_to_string(folder.path().join(format!("{config}.csv"))).unwrap();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        reader
            .deserialize::<BTreeMap<String, String>>()
            .map(|row| row.unwrap()["value_residual"].clone())
            .collect::<Vec<_>>()
    };
    let (lacking, with) = (score("lacking"), score("with"));
    assert!(lacking.len() > 50 && lacking != with);

    // Not one of the kinds is there.
    with_value(&folder, "kinds = [\"refund\", \"sale\"]\n");
    with_rows(&folder, "none", |line| !is_return(line), "");
    let run = fit(&folder, "none");
    assert_eq!(run.code, 1);
    let message = run.error();
    assert!(
        message.contains("no event is of the kind `refund` of value.kinds"),
        "{message}"
    );
    // One that is nearly the name of another is a mistake, though others are there.
    with_value(&folder, "kinds = [\"purchase\", \"Visits\"]\n");
    let run = fit(&folder, "with");
    assert_eq!(run.code, 1);
    let message = run.error();
    assert!(
        message.contains("`Visits` of value.kinds; the nearest is `visit`"),
        "{message}"
    );
}

/// Users whose purchases cost nothing are active and have no order. By orders alone, they are all worth the same.
#[test]
fn a_user_without_an_order_has_the_value_of_a_new_customer() {
    let folder = business();
    with_value(
        &folder,
        "kinds = [\"return\", \"purchase\"]\nhorizon_days = 90\nmethod = \"btyd\"\n",
    );
    let text = log_text(folder.path());
    let last = text
        .lines()
        .rev()
        .map(|line| line.split(',').nth(1).unwrap_or(""));
    let last = last.filter(|time| time.starts_with("20")).max().unwrap();
    assert_eq!(
        text.lines()
            .next()
            .unwrap()
            .split(',')
            .take(4)
            .collect::<Vec<_>>(),
        ["user_id", "time", "kind", "amount"]
    );
    let free = |user: &str, amount: &str, days: u32| -> String {
        (1..=days)
            .map(|day| {
                format!(
                    "{user},{}-{day:02} 12:00:00,purchase,{amount},web\n",
                    &last[..7]
                )
            })
            .collect()
    };
    let more = free("FREE1", "", 1)
        + &free("FREE2", "0", 3)
        + &free("FREE3", "-5", 2)
        + &free("PAID", "1", 2);
    with_rows(&folder, "free", |_| true, &more);
    fit(&folder, "free").ok();
    ebb_train(
        folder.path(),
        "score --quiet --model free --config log/free.toml --out free.csv",
    )
    .ok();
    let text = fs::read_to_string(folder.path().join("free.csv")).unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows: BTreeMap<String, BTreeMap<String, String>> = reader
        .deserialize::<BTreeMap<String, String>>()
        .map(|row| row.unwrap())
        .map(|row| (row["user_id"].clone(), row))
        .collect();
    assert_eq!(rows["PAID"]["value_status"], "estimated");
    let bundle: Value = serde_json::from_str(&bundle_json(folder.path(), "free")).unwrap();
    let expected = new_customer(&bundle["value"]);
    for user in ["FREE1", "FREE2", "FREE3"] {
        let row = &rows[user];
        assert_eq!(row["value_status"], "no_spend", "{user}");
        let spend: f64 = row["value_expected_spend"].parse().unwrap();
        assert!((spend / expected - 1.0).abs() < 1e-9, "{spend} {expected}");
        let low: f64 = row["value_low"].parse().unwrap();
        let high: f64 = row["value_high"].parse().unwrap();
        assert!(low <= high && row["value_residual"].parse::<f64>().unwrap() > 0.0);
    }
}

/// What a new customer orders in a window by Pareto/NBD, by the formula of its mean, times the mean amount.
fn new_customer(value: &Value) -> f64 {
    let number = |path: &str| value.pointer(path).unwrap().as_f64().unwrap();
    let [r, alpha, s, beta] =
        ["r", "alpha", "s", "beta"].map(|name| number(&format!("/orders/{name}")));
    let days = number("/horizon_days");
    assert_eq!(value["horizon_days"], value["learnt_days"]);
    let lives = (1.0 - (beta / (beta + days)).powf(s - 1.0)) / (s - 1.0);
    let amount = match value.pointer("/spend/gamma_gamma") {
        Some(of) => {
            let of = |name: &str| of[name].as_f64().unwrap();
            of("p") * of("v") / (of("q") - 1.0)
        }
        None => number("/spend/mean"),
    };
    r / alpha * beta * lives * amount * number("/level")
}

/// Judgements of later days are about churn: the same with a value part and without.
#[test]
fn evaluations_and_comparisons_are_of_churn_alone() {
    let folder = business();
    for name in ["with", "without"] {
        let fit = format!(
            "fit --quiet --config log/{name}.toml --as-of 2024-11-01 --out {name} --allow-below-baseline"
        );
        ebb_train(folder.path(), &fit).ok();
    }
    let json = |command: &str, config: &str| -> Value {
        let run = ebb_train(
            folder.path(),
            &format!("{command} --json --config log/{config}.toml"),
        );
        serde_json::from_str(&run.ok().out).unwrap()
    };
    let with = json("evaluate --model with", "with");
    let without = json("evaluate --model without", "without");
    assert!(with["horizons"][0]["evaluation"]["users"].as_u64().unwrap() > 100);
    assert_eq!(with["horizons"], without["horizons"]);
    assert_ne!(with["model"], without["model"]);
    let keys = |judged: &Value| {
        judged
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(&with), keys(&without));
    for config in ["with", "without"] {
        let compared = json("compare with without", config);
        let paired = &compared["horizons"][0]["paired"];
        assert_eq!(paired["preference"], "same");
        for key in [
            "log_loss_difference",
            "auc_difference",
            "brier_difference",
            "ece_difference",
        ] {
            assert_eq!(paired[key]["value"], 0.0, "{key}");
        }
    }
    // Nor does value decide a check that sets no threshold of it.
    let run = ebb_train(
        folder.path(),
        "check --model with --against without --max-regression 0 --config log/with.toml",
    );
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
}

/// A window of spend must fit into the log twice. A shorter one is learnt and said, down to four weeks.
#[test]
fn a_horizon_that_the_log_does_not_let_is_refused_with_the_longest_that_does() {
    let folder = business();
    with_value(
        &folder,
        "kinds = \"purchase\"\nhorizon_days = 1095\nmethod = \"btyd\"\n",
    );
    fit(&folder, "with").ok();
    let value = card(&folder, "with")["value"].clone();
    assert_eq!(
        (&value["horizon_days"], &value["learnt_days"]),
        (&1095.into(), &200.into())
    );
    let note = "The log is too short to learn the spend of 1095 days; 200 days were learnt";
    assert!(
        value["notes"][0].as_str().unwrap().starts_with(note),
        "{}",
        value["notes"]
    );
    let inspect = ebb_train(folder.path(), "inspect --model with").ok();
    assert!(inspect.out.contains("200 days"), "{}", inspect.out);

    let log = folder.path().join("log");
    let text = fs::read_to_string(log.join("with.toml")).unwrap();
    let short = text
        .replace("horizon_days = [30]", "horizon_days = [7]")
        .replace("active_within_days = 90", "active_within_days = 21");
    assert!(short.contains("[7]") && short.contains("= 21"));
    fs::write(log.join("with.toml"), short).unwrap();
    let fit =
        "fit --quiet --config log/with.toml --as-of 2024-02-24 --out short --allow-below-baseline";
    let run = ebb_train(folder.path(), fit);
    assert_eq!(run.code, 1, "{}", run.out);
    let message = run.error();
    assert!(
        message.contains("value.horizon_days = 1095 with churn.lead_days = 0 cannot be learnt: the log spans 54 days, into which windows of at most 27 days fit twice, and 28 are needed"),
        "{message}"
    );
    assert!(!folder.path().join("short").exists());
}

/// What is replayed at every load covers what users without an order are worth.
#[test]
fn the_golden_answers_of_a_fit_have_users_with_and_without_an_order() {
    let folder = business();
    fit(&folder, "with").ok();
    let golden = fs::read_to_string(folder.path().join("with/golden.json")).unwrap();
    let golden: Value = serde_json::from_str(&golden).unwrap();
    let statuses = golden["cases"].as_array().unwrap().iter();
    let statuses: Vec<&str> = statuses
        .filter_map(|case| case["value"]["status"].as_str())
        .collect();
    assert_eq!(
        statuses
            .iter()
            .filter(|status| **status == "no_spend")
            .count(),
        1
    );
    assert!(
        statuses
            .iter()
            .filter(|status| **status == "estimated")
            .count()
            > 5,
        "{statuses:?}"
    );
}
