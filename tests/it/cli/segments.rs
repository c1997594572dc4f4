//! Segments that go on from those of the bundle before: keys stay with users, and a fit that moves many of them is refused.

use std::collections::BTreeMap;

use ebb::model::{BundleSpec, SegmentKey};
use serde_json::Value;

use super::pipeline::rows;
use super::value::spec;
use super::*;

const FIT: &str = "fit --allow-below-baseline";

/// Writes `log/NAME.toml`: the configuration without value, with another text in some places.
fn configured(folder: &TempDir, name: &str, changes: &[(&str, &str)]) {
    let log = folder.path().join("log");
    let mut text = fs::read_to_string(log.join("without.toml")).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{from} is not in {text}");
        text = text.replacen(from, to, 1);
    }
    fs::write(log.join(format!("{name}.toml")), text).unwrap();
}

/// A simulated business of 400 days with a configuration of each number of segments, and a bundle of three.
fn with_three(users: u32) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let simulate = format!("simulate --quiet --users {users} --days 400 --seed 11 --out log");
    ebb_train(folder.path(), &simulate).ok();
    let text = fs::read_to_string(folder.path().join("log/ebb.toml")).unwrap();
    let without = text.split("\n[value]").next().unwrap();
    fs::write(folder.path().join("log/without.toml"), without).unwrap();
    for k in [3, 6] {
        let segments = format!("[segments]\nk_min = {k}\nk_max = {k}\n\n[churn]");
        configured(&folder, &format!("k{k}"), &[("[churn]", &segments)]);
    }
    ebb_train(
        folder.path(),
        &format!("{FIT} --config log/k3.toml --out first"),
    )
    .ok();
    folder
}

/// The key of each user's segment, as `score` writes it.
fn keys(folder: &TempDir, model: &str) -> BTreeMap<String, String> {
    let command = format!("score --quiet --model {model} --config log/k3.toml --out {model}.csv");
    ebb_train(folder.path(), &command).ok();
    let text = fs::read_to_string(folder.path().join(format!("{model}.csv"))).unwrap();
    let names: Vec<&str> = text.lines().next().unwrap().split(',').collect();
    let column = names
        .iter()
        .position(|name| *name == "segment_key")
        .unwrap();
    let rows = rows(&text).into_iter();
    rows.map(|row| (row[0].clone(), row[column].clone()))
        .collect()
}

/// The share of the users with the same key by both models.
fn same(folder: &TempDir, models: [&str; 2]) -> f64 {
    let [before, now] = models.map(|model| keys(folder, model));
    assert!(before.len() > 100 && before.keys().eq(now.keys()));
    let same = before.iter().filter(|(user, key)| now[*user] == **key);
    same.count() as f64 / before.len() as f64
}

fn card(folder: &TempDir, model: &str) -> Value {
    let text = fs::read_to_string(folder.path().join(model).join("card.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn keys_of(spec: &BundleSpec) -> Vec<u32> {
    let mut keys: Vec<u32> = spec.segments.items.iter().map(|s| s.key.number()).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn a_fit_on_the_same_log_keeps_every_key_and_one_on_nine_tenths_nearly_all() {
    let folder = with_three(1_600);
    let first = spec(&folder, "first");
    let in_order: Vec<SegmentKey> = first.segments.items.iter().map(|s| s.key).collect();
    assert_eq!(in_order, [0, 1, 2].map(SegmentKey::at));
    assert!(card(&folder, "first")["segment_migration"].is_null());

    let again = format!("{FIT} --config log/k3.toml --previous first --out again");
    ebb_train(folder.path(), &again).ok();
    assert_eq!(spec(&folder, "again").segments, first.segments);
    assert_eq!(same(&folder, ["first", "again"]), 1.0);
    let migration = &card(&folder, "again")["segment_migration"];
    assert_eq!(migration["changed_share"], 0.0);
    assert_eq!(migration["adjusted_rand"], 1.0);
    assert_eq!(migration["needs_resegment"], false);
    for (row, cells) in migration["users_moved"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
    {
        for (column, users) in cells.as_array().unwrap().iter().enumerate() {
            let stay = first.segments.items[row].users;
            let expected = (row == column).then_some(stay);
            assert_eq!(users.as_u64(), expected, "{migration}");
        }
    }

    let part = format!("{FIT} --config log/k3.toml --sample-users 0.9 --previous first --out part");
    ebb_train(folder.path(), &part).ok();
    let part = spec(&folder, "part");
    assert_ne!(part.segments.items, first.segments.items);
    assert_eq!(keys_of(&part), [1, 2, 3]);
    // Distances are on the scales of the first bundle.
    let of = |name: &String| {
        let mut columns = first.preprocessing.columns.iter();
        columns.find(|c| c.feature == *name).unwrap().clone()
    };
    let scales: Vec<_> = first.segments.features.iter().map(of).collect();
    assert_eq!(part.segments.columns, scales);
    let share = same(&folder, ["first", "part"]);
    assert!(share >= 0.97, "{share}");
}

#[test]
fn a_fit_that_moves_many_users_of_the_same_log_is_refused_unless_asked_for() {
    let folder = with_three(500);
    let fit = format!("{FIT} --config log/k6.toml --previous first --out six");
    let refused = ebb_train(folder.path(), &fit);
    assert_eq!(refused.code, 1, "{}", refused.err);
    let error = refused.error();
    for part in [
        "% of the users get another segment key than under --previous, more than 25.0 %",
        "while the population is the same: its stability index is 0.00, at most 0.10",
        "; nothing was written. --resegment writes it all the same",
    ] {
        assert!(error.contains(part), "{error}");
    }
    assert!(refused.out.contains("Segments before and now"));
    assert!(!folder.path().join("six").exists());

    let run = ebb_train(folder.path(), &format!("{fit} --resegment --json")).ok();
    let json: Value = serde_json::from_str(&run.out).unwrap();
    let migration = &json["card"]["segment_migration"];
    assert!(migration["changed_share"].as_f64().unwrap() > 0.25);
    let six = spec(&folder, "six");
    assert_eq!(six.segments.items.len(), 6);
    let new = migration["new"].as_array().unwrap();
    let retired = migration["retired"].as_array().unwrap();
    assert_eq!(new.len() - retired.len(), 3);
    assert_eq!(six.segments.last_key as usize, 3 + new.len());
    let page = fs::read_to_string(folder.path().join("six/report.html")).unwrap();
    assert!(page.contains("Did they keep their segments?"));

    // Back to three: what was retired stays so.
    let fit = format!("{FIT} --config log/k3.toml --previous six --out three --resegment");
    ebb_train(folder.path(), &fit).ok();
    let three = spec(&folder, "three");
    let known = keys_of(&six);
    let fresh = |key: &&u32| !known.contains(key);
    assert!(
        keys_of(&three)
            .iter()
            .filter(fresh)
            .all(|key| *key > six.segments.last_key)
    );
}

#[test]
fn segments_of_other_features_are_no_quiet_start_over() {
    let folder = with_three(500);
    configured(
        &folder,
        "other",
        &[(
            "activity = [\"purchase\"]",
            "activity = [\"purchase\", \"return\"]",
        )],
    );
    let fit = format!("{FIT} --config log/other.toml --previous first --out other");
    let refused = ebb_train(folder.path(), &fit);
    assert_eq!(refused.code, 1, "{}", refused.err);
    let why = "activity was purchase then and is purchase, return now";
    assert!(refused.error().contains(why), "{}", refused.error());
    let run = ebb_train(folder.path(), &format!("{fit} --resegment")).ok();
    assert!(
        run.out.contains("cannot be compared, and all keys are new"),
        "{}",
        run.out
    );
    let other = spec(&folder, "other");
    assert!(keys_of(&other)[0] == 4 && other.segments.columns.is_empty());

    let without = format!("{FIT} --config log/k3.toml --out fresh --resegment");
    let refused = ebb_train(folder.path(), &without);
    assert_eq!(refused.code, 64);
    assert!(refused.err.contains("--previous"), "{}", refused.err);
}
