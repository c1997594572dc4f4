//! Thresholds that follow the business: what is proposed, accepted, and left alone.

use serde_json::Value;

use super::*;

/// The fit, after which the business may change, and eight weeks later.
const FITTED: &str = "2026-05-01";

/// Two weeks before the end of the log.
const SHOCKED: &str = "2026-06-15";

/// Two label windows and some days before it.
const RELEASED: &str = "2026-04-20";

/// Simulates a shop of 910 days in the folder `name`, with the options `planted`.
fn shop(folder: &Path, name: &str, users: u32, seed: u32, planted: &str) {
    let size = format!("--users {users} --days 910 --seed {seed}");
    let simulate = format!("simulate --quiet {size} {planted} --out {name}");
    ebb_train(folder, &simulate).ok();
}

/// Users who come so many times as often after the fit.
fn pace(factor: &str) -> String {
    format!("--pace {FITTED}={factor}")
}

/// Adds sections to the configuration of a shop.
fn configure(folder: &Path, name: &str, more: &str) {
    let path = folder.join(name).join("ebb.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, format!("{text}\n{more}\n")).unwrap();
}

/// Adds the release to the configuration.
fn release(folder: &Path, name: &str) {
    let table = format!("[[releases]]\nday = {RELEASED}\nnote = \"AI editor\"");
    configure(folder, name, &table);
}

/// The proposal of a trigger.
fn of_trigger<'a>(found: &'a Value, trigger: &str) -> Option<&'a Value> {
    let mut proposals = found["proposals"].as_array().unwrap().iter();
    proposals.find(|proposal| proposal["trigger"] == trigger)
}

/// Accepts the proposal of a trigger; the configuration afterwards.
fn accept(folder: &Path, found: &Value, trigger: &str) -> String {
    let proposals = found["proposals"].as_array().unwrap();
    let at = proposals.iter().position(|p| p["trigger"] == trigger);
    let file = found["files"][at.unwrap()].as_str().unwrap();
    ebb_train(
        folder,
        &format!("accept {file} --config log/ebb.toml --by ann"),
    )
    .ok();
    fs::read_to_string(folder.join("log/ebb.toml")).unwrap()
}

fn fit(folder: &Path, name: &str) {
    let as_of = format!("--as-of {FITTED} --allow-below-baseline");
    ebb_train(
        folder,
        &format!("fit --quiet --config {name}/ebb.toml {as_of} --out model"),
    )
    .ok();
}

/// What is proposed for a shop, by the model in `model`.
fn proposed(folder: &Path, name: &str, more: &str) -> Value {
    let propose =
        format!("propose --json --config {name}/ebb.toml --previous model --out p {more}");
    serde_json::from_str(&ebb_train(folder, &propose).ok().out).unwrap()
}

/// Cells of the matrix of moves count ten users at least.
fn assert_cells_are_large(proposal: &Value) {
    let cells = proposal["users_moved"].as_object().unwrap().values();
    let cells: Vec<&Value> = cells
        .flat_map(|row| row.as_object().unwrap().values())
        .collect();
    assert!(
        cells
            .iter()
            .any(|users| users.as_u64().is_some_and(|users| users >= 10)),
        "{proposal}"
    );
    assert!(
        cells
            .iter()
            .all(|users| users.as_u64().is_none_or(|users| users >= 10)),
        "{proposal}"
    );
}

/// What was accepted is not accepted again, and is the calibration from then on.
fn assert_accepted(folder: &Path, accept: &str) {
    let again = ebb_train(folder, accept);
    assert_eq!(again.code, 1);
    assert!(again.err.contains("has changed since"), "{}", again.err);
    // The calibration is that of the proposal now; nothing can be said for eight weeks.
    let rest = proposed(folder, "log", "");
    assert_eq!(rest["proposals"], serde_json::json!([]));
    assert!(
        rest["notes"][0]
            .as_str()
            .unwrap()
            .contains("were calibrated as of 2026-06-29"),
        "{rest}"
    );

    fs::write(folder.join("log/calibration.log"), "nonsense\n").unwrap();
    let damaged = ebb_train(
        folder,
        "propose --config log/ebb.toml --previous model --out p",
    );
    assert_eq!(damaged.code, 1);
    assert!(
        damaged.err.contains("calibration.log: line 1"),
        "{}",
        damaged.err
    );
}

#[test]
fn a_faster_business_is_proposed_accepted_once_and_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    shop(folder, "log", 1_500, 5, &pace("2"));
    fit(folder, "log");
    let found = proposed(folder, "log", "");
    let proposal = &found["proposals"][0];
    assert_eq!(proposal["trigger"], "cycle", "{found}");
    assert_eq!(
        proposal["changes"][0]["setting"],
        "lifecycle.acquisition_days"
    );
    assert_eq!(
        (
            &proposal["changes"][0]["old"],
            &proposal["changes"][0]["new"]
        ),
        (&28.into(), &21.into())
    );
    assert_cells_are_large(proposal);

    let before = fs::read_to_string(folder.join("log/ebb.toml")).unwrap();
    let accept = format!(
        "accept {} --config log/ebb.toml --by ann",
        found["files"][0].as_str().unwrap()
    );
    let dry = ebb_train(folder, &format!("{accept} --dry-run")).ok();
    assert!(
        dry.out.contains("lifecycle.acquisition_days: 28 -> 21"),
        "{}",
        dry.out
    );
    assert_eq!(
        fs::read_to_string(folder.join("log/ebb.toml")).unwrap(),
        before
    );
    assert!(!folder.join("log/calibration.log").exists());

    ebb_train(folder, &accept).ok();
    let after = fs::read_to_string(folder.join("log/ebb.toml")).unwrap();
    assert!(
        after.starts_with(before.trim_end()) && after.contains("acquisition_days = 21"),
        "{after}"
    );
    let record = fs::read_to_string(folder.join("log/calibration.log")).unwrap();
    let record: Value = serde_json::from_str(record.trim()).unwrap();
    assert_eq!(
        (&record["by"], &record["trigger"]),
        (&"ann".into(), &"cycle".into())
    );

    assert_accepted(folder, &accept);
}

#[test]
fn a_steady_business_and_a_short_log_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    shop(folder, "log", 1_500, 6, "");
    fit(folder, "log");
    let found = proposed(folder, "log", "");
    assert_eq!(found["proposals"], serde_json::json!([]), "{found}");
    assert_eq!(found["notes"].as_array().unwrap().len(), 3, "{found}");
    assert!(!folder.join("p").exists());
    // The same weeks of the year before are not in this log.
    let text = fs::read_to_string(folder.join("log/ebb.toml")).unwrap();
    let text = text.replacen("[events]", "[events]\nfrom = \"2025-06-01\"", 1);
    fs::write(folder.join("log/ebb.toml"), text).unwrap();
    let short = proposed(folder, "log", "");
    assert!(
        short["notes"][0]
            .as_str()
            .unwrap()
            .contains("the log begins on 2025-06-01"),
        "{short}"
    );
}

#[test]
fn the_change_after_a_shock_is_undone_when_its_time_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    shop(folder, "log", 1_500, 6, "");
    fit(folder, "log");
    let text = fs::read_to_string(folder.join("log/ebb.toml")).unwrap();
    fs::write(
        folder.join("log/ebb.toml"),
        text + "\n[lifecycle]\nexploration_from_days = 28\n",
    )
    .unwrap();
    let line = |expires: &str| {
        format!(
            r#"{{"at":"2026-05-02T00:00:00Z","by":"ann","proposal":"aaaaaaaaaaaa","trigger":"shock","as_of":"{FITTED}","changes":[{{"setting":"lifecycle.exploration_from_days","old":14,"new":28}}],"expires":"{expires}"}}"#
        )
    };
    fs::write(folder.join("log/calibration.log"), line("2026-06-20")).unwrap();
    let found = proposed(folder, "log", "");
    let proposal = &found["proposals"][0];
    assert_eq!(proposal["trigger"], "expiry", "{found}");
    assert_eq!(proposal["changes"][0]["new"], 14);
    fs::write(folder.join("log/calibration.log"), line("2026-07-20")).unwrap();
    assert_eq!(
        proposed(folder, "log", "")["proposals"],
        serde_json::json!([])
    );
}

#[test]
fn revenue_that_stalls_brings_the_review_forward() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    shop(folder, "log", 6_000, 11, "--spend-growth 0.25=9");
    fit(folder, "log");
    let found = proposed(folder, "log", "");
    let proposal = of_trigger(&found, "arpu").unwrap_or_else(|| panic!("{found}"));
    let change = &proposal["changes"][0];
    assert_eq!(change["setting"], "lifecycle.mature_review_days");
    assert_eq!((&change["old"], &change["new"]), (&365.into(), &274.into()));
    let evidence = &proposal["evidence"];
    assert!(evidence["low"].as_f64().unwrap() <= 1.0 && evidence["users"].as_u64().unwrap() >= 100);
    // Those who are due now stay due, and some are due who were not; nobody else moves.
    let moved = proposal["users_moved"].as_object().unwrap();
    assert!(
        moved["mature"]["mature_review_due"].as_u64().unwrap() >= 10,
        "{proposal}"
    );
    for (from, row) in moved {
        for (to, _) in row.as_object().unwrap() {
            assert!(to == from || (from == "mature" && to == "mature_review_due"));
        }
    }
    assert_cells_are_large(proposal);
    assert!(accept(folder, &found, "arpu").contains("mature_review_days = 274"));

    // Without amounts there is nothing to look at, and that is said.
    shop(folder, "other", 1_500, 6, "");
    let path = folder.join("other/ebb.toml");
    let text = fs::read_to_string(&path).unwrap();
    let (text, _) = text.split_once("\n[value]").unwrap();
    let kept: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("amount = "))
        .collect();
    fs::write(&path, kept.join("\n")).unwrap();
    let options = format!("--as-of {FITTED} --allow-below-baseline --out plain");
    ebb_train(
        folder,
        &format!("fit --quiet --config other/ebb.toml {options}"),
    )
    .ok();
    let propose = "propose --json --config other/ebb.toml --previous plain --out p";
    let found: Value = serde_json::from_str(&ebb_train(folder, propose).ok().out).unwrap();
    let notes = found["notes"].to_string();
    assert!(
        notes.contains("the log has no amounts of purchase"),
        "{notes}"
    );
    assert!(of_trigger(&found, "arpu").is_none());
}

#[test]
fn a_release_after_which_users_are_others_has_models_fitted_on_dates_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    shop(folder, "log", 1_500, 12, &format!("--release {RELEASED}=3"));
    fit(folder, "log");
    // The negative control: nobody has said that there was a release.
    assert!(of_trigger(&proposed(folder, "log", ""), "release").is_none());
    release(folder, "log");
    let found = proposed(folder, "log", "");
    let proposal = of_trigger(&found, "release").unwrap_or_else(|| panic!("{found}"));
    let change = serde_json::json!({ "setting": "model.dates_from", "new": RELEASED });
    assert_eq!(proposal["changes"][0], change);
    let features = proposal["evidence"]["features"].as_array().unwrap();
    assert!(features.len() >= 3, "{proposal}");
    for feature in features {
        let figure = |name: &str| feature[name].as_f64().unwrap();
        assert!(
            figure("now") - figure("before") > figure("tolerance"),
            "{feature}"
        );
    }
    assert!(
        proposal["reason"].as_str().unwrap().contains("AI editor"),
        "{proposal}"
    );
    assert!(accept(folder, &found, "release").contains(&format!("dates_from = \"{RELEASED}\"")));
    let fit = "fit --quiet --config log/ebb.toml --allow-below-baseline --out new";
    ebb_train(folder, fit).ok();
    let bundle = fs::read_to_string(folder.join("new/bundle.json")).unwrap();
    let bundle: Value = serde_json::from_str(&bundle).unwrap();
    let dates = bundle["training"]["snapshots"].as_array().unwrap();
    assert!(!dates.is_empty() && dates.iter().all(|date| date.as_str().unwrap() >= RELEASED));
    // It is in force now, and not proposed again.
    fs::remove_file(folder.join("log/calibration.log")).unwrap();
    assert!(of_trigger(&proposed(folder, "log", ""), "release").is_none());
}

#[test]
fn a_steady_shop_with_a_release_is_left_alone_and_a_wrong_day_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    shop(folder, "log", 1_500, 6, "");
    fit(folder, "log");
    release(folder, "log");
    let found = proposed(folder, "log", "");
    assert_eq!(found["proposals"], serde_json::json!([]), "{found}");
    assert!(
        found["notes"]
            .to_string()
            .contains("the release of 2026-04-20 (AI editor)"),
        "{found}"
    );
    let text = fs::read_to_string(folder.join("log/ebb.toml")).unwrap();
    for (table, code, part) in [
        ("day = \"1 March\"", 64, "1 March"),
        ("day = 2026-04-20", 64, "releases.day is 2026-04-20 in two"),
        (
            "day = 2026-06-29",
            1,
            "releases.day is 2026-06-29, and the log is looked at as of 2026-06-29",
        ),
    ] {
        fs::write(
            folder.join("log/ebb.toml"),
            format!("{text}\n[[releases]]\n{table}\n"),
        )
        .unwrap();
        let refused = ebb_train(
            folder,
            "propose --config log/ebb.toml --previous model --out p",
        );
        assert_eq!(refused.code, code, "{}", refused.err);
        assert!(refused.err.contains(part), "{}", refused.err);
    }
    // Models cannot be fitted on dates after the end of the log's label windows.
    fs::write(
        folder.join("log/ebb.toml"),
        format!("{text}\n[model]\ndates_from = 2026-06-10\n"),
    )
    .unwrap();
    let refused = ebb_train(folder, "fit --quiet --config log/ebb.toml --out new");
    assert_eq!(refused.code, 1);
    assert!(
        refused.err.contains("model.dates_from = 2026-06-10"),
        "{}",
        refused.err
    );
}

#[test]
fn two_weeks_of_twice_the_purchases_are_a_shock() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    shop(folder, "log", 4_000, 6, &format!("--shock {SHOCKED}=2"));
    fit(folder, "log");
    let found = proposed(folder, "log", "");
    let proposal = of_trigger(&found, "shock").unwrap_or_else(|| panic!("{found}"));
    assert_eq!(proposal["changes"][0]["new"], 28);
    assert_eq!(proposal["expires"], "2026-08-24");
    assert!(
        proposal["evidence"]["estimate"].as_f64().unwrap() > 1.2,
        "{proposal}"
    );
}

/// How many of the shops with these seeds, and with `planted` in them, get a proposal of a trigger, or of any with "". All have a
/// release in their configuration. One model serves all: nothing but its day and its features is taken from it.
fn with_proposal(seeds: std::ops::Range<u32>, planted: &str, users: u32, trigger: &str) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    shop(folder, "log", 8_000, 1, "");
    fit(folder, "log");
    let is_found = |found: &Value| match trigger {
        "" => found["proposals"] != serde_json::json!([]),
        trigger => of_trigger(found, trigger).is_some(),
    };
    seeds
        .filter(|seed| {
            shop(folder, "one", users, *seed, planted);
            release(folder, "one");
            let found = proposed(folder, "one", "");
            if trigger == "cycle" {
                let three_weeks = |p: &Value| p["changes"][0]["new"] == 21;
                return of_trigger(&found, "cycle").is_some_and(three_weeks);
            }
            is_found(&found)
        })
        .count()
}

/// Of 200 steady shops with a season at most ten get any proposal of any trigger.
#[test]
#[ignore = "some ten minutes; `just slow`"]
fn all_triggers_together_are_seldom_wrong() {
    let wrong = with_proposal(100..300, "", 8_000, "");
    println!("of 200 steady shops {wrong} got a proposal");
    assert!(wrong <= 10, "{wrong}");
}

/// Of 100 shops whose users come every 25 days where they came every 30, at least 95 get three weeks instead of four. Some 3,000
/// of their users are active in eight weeks; of 2,000 as many as 93 of 100 are found.
#[test]
#[ignore = "some minutes; `just slow`"]
fn changes_of_the_cycle_are_seldom_missed() {
    let right = with_proposal(300..400, &pace("1.2"), 12_000, "cycle");
    println!("of 100 faster shops {right} got three weeks");
    assert!(right >= 95, "{right}");
}

/// Of 100 shops whose baskets grow by a tenth each month until month 9, at least 95 get an earlier review.
#[test]
#[ignore = "some minutes; `just slow`"]
fn stalls_of_revenue_are_seldom_missed() {
    let right = with_proposal(400..500, "--spend-growth 0.1=9", 40_000, "arpu");
    println!("of 100 shops whose revenue stalls {right} got an earlier review");
    assert!(right >= 95, "{right}");
}

/// Of 100 shops with two weeks of twice the purchases at least 95 get a proposal.
#[test]
#[ignore = "some minutes; `just slow`"]
fn shocks_are_seldom_missed() {
    let right = with_proposal(500..600, &format!("--shock {SHOCKED}=2"), 8_000, "shock");
    println!("of 100 shops with a shock {right} got a proposal");
    assert!(right >= 95, "{right}");
}

/// Of 100 shops whose users visit and click three times as often after a release at least 95 get a proposal.
#[test]
#[ignore = "some minutes; `just slow`"]
fn releases_are_seldom_missed() {
    let right = with_proposal(
        600..700,
        &format!("--release {RELEASED}=3"),
        8_000,
        "release",
    );
    println!("of 100 shops with a release {right} got a proposal");
    assert!(right >= 95, "{right}");
}
