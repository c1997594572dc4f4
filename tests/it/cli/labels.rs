//! Labels beside features.

use std::collections::BTreeMap;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Date32Type;
use ebb::history::Day;
use serde_json::Value;

use super::outputs::unpacked;
use super::pipeline::{fitted, rows};
use super::users::{batches, number};
use super::*;

/// Labels from the raw events, by the definition: no purchase within 30 or 60 days, of users with a purchase within 90.
fn oracle(
    text: &str,
    as_of: Day,
    horizon: i32,
    end: Day,
) -> BTreeMap<String, Result<bool, &'static str>> {
    let mut purchases: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    for row in rows(text) {
        let day = row[1].get(..10).and_then(|day| day.parse::<Day>().ok());
        if let (false, "purchase", Some(day)) = (row[0].is_empty(), row[2].as_str(), day) {
            let day = day.number();
            purchases.entry(row[0].clone()).or_default().push(day);
        }
    }
    let as_of = as_of.number();
    let seen = purchases
        .into_iter()
        .filter(|(_, days)| days.iter().any(|day| *day < as_of));
    seen.map(|(user, days)| {
        let last = days.iter().filter(|day| **day < as_of).max().unwrap();
        let within = |day: &i32| (as_of..as_of + horizon).contains(day);
        let label = if as_of - last > 90 {
            Err("inactive")
        } else if as_of + horizon > end.number() {
            Err("label_not_observed")
        } else {
            Ok(!days.iter().any(within))
        };
        (user, label)
    })
    .collect()
}

/// The labels of a file of features, by day, user and horizon.
fn labels(path: &Path, horizon: u16) -> BTreeMap<(i32, String), Result<bool, String>> {
    let mut found = BTreeMap::new();
    for batch in batches(path) {
        let column = |name: String| batch.column_by_name(&name).unwrap().clone();
        let churned = column(format!("churned_{horizon}d"));
        let missing = column(format!("label_missing_{horizon}d"));
        let (churned, missing) = (churned.as_boolean(), missing.as_string::<i32>());
        for row in 0..batch.num_rows() {
            assert_ne!(churned.is_null(row), missing.is_null(row), "one of both");
            let label = if churned.is_valid(row) {
                Ok(churned.value(row))
            } else {
                Err(missing.value(row).to_owned())
            };
            let user = batch.column(0).as_string::<i32>().value(row).to_owned();
            let day = batch.column(1).as_primitive::<Date32Type>().value(row);
            found.insert((day, user), label);
        }
    }
    found
}

#[test]
fn labels_are_those_of_the_raw_events() {
    let folder = unpacked();
    let path = folder.path();
    let config = path.join("log/ebb.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(
        config,
        text.replace("horizon_days = [30]", "horizon_days = [30, 60]"),
    )
    .unwrap();
    let days = ["2024-05-01", "2024-08-01", "2024-09-10"];
    let mut command = "features --labels --config log/ebb.toml --out f.parquet --json".to_owned();
    for day in days {
        command += &format!(" --as-of {day}");
    }
    let printed: Value = serde_json::from_str(&ebb_train(path, &command).ok().out).unwrap();
    let text = fs::read_to_string(path.join("log/events.csv")).unwrap();
    // The simulated log ends on 2024-10-26.
    let end = "2024-10-27".parse().unwrap();
    for (k, horizon) in [30_u16, 60].into_iter().enumerate() {
        let found = labels(&path.join("f.parquet"), horizon);
        let (mut churned, mut others) = (0, 0);
        for day in days {
            let day: Day = day.parse().unwrap();
            let expected = oracle(&text, day, i32::from(horizon), end);
            let found: BTreeMap<&str, Result<bool, &str>> = found
                .iter()
                .filter(|((at, _), _)| *at == day.number())
                .map(|((_, user), label)| {
                    let label = label.as_ref().map(|churned| *churned);
                    (user.as_str(), label.map_err(String::as_str))
                })
                .collect();
            let expected: BTreeMap<&str, Result<bool, &str>> = expected
                .iter()
                .map(|(user, label)| (user.as_str(), *label))
                .collect();
            assert_eq!(found, expected, "{day}, {horizon} days");
            churned += expected
                .values()
                .filter(|label| **label == Ok(true))
                .count();
            others += expected.values().filter(|label| label.is_err()).count();
        }
        let counts = &printed["labels"][k];
        assert_eq!(counts["churned"], churned);
        let missing = counts["missing"].as_object().unwrap().values();
        let missing: u64 = missing.map(|rows| rows.as_u64().unwrap()).sum();
        assert_eq!(missing, others as u64);
    }
}

/// At every date that a fit has labelled, the labels are as many and of the same churn rate as its own.
#[test]
fn labels_are_those_of_the_fit() {
    let folder = fitted();
    let path = folder.path();
    let card = fs::read_to_string(path.join("model/card.json")).unwrap();
    let card: Value = serde_json::from_str(&card).unwrap();
    let mut dates = 0;
    for horizon in card["horizons"].as_array().unwrap() {
        let by_date = horizon["by_date"].as_array().unwrap();
        let mut command =
            "features --quiet --labels --model model --config log/ebb.toml --out f.parquet"
                .to_owned();
        for date in by_date {
            command += &format!(" --as-of {}", date["date"].as_str().unwrap());
        }
        ebb_train(path, &command).ok();
        let days = horizon["horizon_days"].as_u64().unwrap() as u16;
        let found = labels(&path.join("f.parquet"), days);
        for date in by_date {
            let day: Day = date["date"].as_str().unwrap().parse().unwrap();
            let own: Vec<bool> = found
                .iter()
                .filter(|((at, _), _)| *at == day.number())
                .filter_map(|(_, label)| label.as_ref().ok().copied())
                .collect();
            assert_eq!(date["users"], own.len(), "{day}");
            let churned = own.iter().filter(|churned| **churned).count();
            let rate = churned as f64 / own.len() as f64;
            assert!((number(&date["churn_rate"]) - rate).abs() < 1e-12, "{day}");
            dates += 1;
        }
    }
    assert!(dates > 10, "{dates}");
}

#[test]
fn labels_know_nothing_of_days_that_are_not_seen() {
    let folder = unpacked();
    let path = folder.path();
    let features = |more: &str| {
        let command = format!(
            "features --quiet --config log/ebb.toml --as-of 2024-08-01 --out f.parquet {more}"
        );
        ebb_train(path, &command)
    };
    features("--labels --until 2024-08-20").ok();
    let missing = labels(&path.join("f.parquet"), 30);
    let known = missing.values().filter(|label| label.is_ok()).count();
    assert_eq!(known, 0, "the window ends on 2024-08-30");
    features("--labels --until 2024-08-31").ok();
    let found = labels(&path.join("f.parquet"), 30);
    assert!(found.values().any(Result::is_ok), "the negative control");
    let early = features("--labels --until 2024-07-01");
    assert_eq!(
        (early.code, early.error()),
        (
            64,
            "error: --until 2024-07-01 lies before --as-of 2024-08-01, whose features would lack days"
        )
    );
    assert_eq!(features("--until 2024-08-31").code, 64, "only for labels");
    // Without labels there are none of their columns.
    features("").ok();
    let batch = &batches(&path.join("f.parquet"))[0];
    assert!(batch.column_by_name("churned_30d").is_none());
}
