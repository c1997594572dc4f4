//! Logs that give the answer away: a fit stops and explains, and goes on when it is told that this is meant.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::*;

/// The simulated log, and the last purchase of each of its users.
fn log_and_last_purchases(folder: &Path) -> (String, BTreeMap<String, String>) {
    let text = log_text(folder);
    let mut last = BTreeMap::new();
    for line in text.lines().filter(|line| line.contains(",purchase,")) {
        let fields: Vec<&str> = line.split(',').collect();
        let day = fields[1].get(..10).unwrap_or_default();
        if day.starts_with("20") && !fields[0].is_empty() {
            let latest: &mut String = last.entry(fields[0].to_owned()).or_default();
            *latest = (*latest).clone().max(day.to_owned());
        }
    }
    (text, last)
}

/// Adds an `account_closed` on the day after the last purchase of everybody who is silent for the log's last 45 days.
fn log_with_tell_tale(folder: &Path) -> String {
    let (mut text, last) = log_and_last_purchases(folder);
    assert_eq!(
        text.lines().next(),
        Some("user_id,time,kind,amount,channel")
    );
    for (user, day) in last.iter().filter(|(_, day)| day.as_str() < "2024-09-11") {
        let closed = day.parse::<ebb::history::Day>().unwrap().plus(1);
        writeln!(text, "{user},{closed} 09:30:00,account_closed,,app").unwrap();
    }
    text
}

/// Writes `log/more.toml`: the log's configuration with more lines in `[model]`.
fn configure(folder: &Path, more: &str) {
    let text = fs::read_to_string(folder.join("log/ebb.toml")).unwrap();
    fs::write(
        folder.join("log/more.toml"),
        format!("{text}\n[model]\n{more}\n"),
    )
    .unwrap();
}

#[test]
fn a_kind_that_gives_the_answer_away_stops_the_fit_until_it_is_allowed() {
    let folder = shop();
    let path = folder.path();
    fs::write(path.join("told.csv"), log_with_tell_tale(path)).unwrap();
    let run = ebb_train(
        path,
        "fit --config log/ebb.toml --events told.csv --out model --quiet",
    );
    assert_eq!(run.code, 1);
    let error = run.error();
    for said in [
        "error: feature `account_closed_count",
        "% of the",
        "users) with a `account_closed` churned at horizon 30",
    ] {
        assert!(error.contains(said), "{error}");
    }
    assert!(
        error.contains("churn.churn_event")
            && error.ends_with("model.allow_leakage: \"account_closed\""),
        "{error}"
    );
    assert!(
        !path.join("model").exists(),
        "a stopped fit leaves no bundle behind"
    );

    configure(path, "allow_leakage = [\"account_closed\"]");
    ebb_train(
        path,
        "fit --config log/more.toml --events told.csv --out model --quiet",
    )
    .ok();
    let card = fs::read_to_string(path.join("model/card.json")).unwrap();
    assert!(
        card.contains("Allowed although suspect: feature `account_closed_count"),
        "the card keeps what was allowed"
    );
    // The negative control: the log without that kind needs no permission.
    ebb_train(path, "fit --config log/ebb.toml --out plain --quiet").ok();
    let card = fs::read_to_string(path.join("plain/card.json")).unwrap();
    assert!(!card.contains("suspect"));
}

#[test]
fn columns_mapped_to_identifiers_and_times_stop_the_fit() {
    let folder = shop();
    let path = folder.path();
    let config = fs::read_to_string(path.join("log/ebb.toml")).unwrap();
    // Two more columns: the user's number, and the date as one.
    let text = log_text(path);
    let number = |user: &str| user.trim_start_matches(['U', '0']).to_owned();
    let more = |line: &str| {
        let mut fields = line.split(',');
        let (user, time) = (fields.next().unwrap(), fields.next().unwrap());
        format!(
            "{line},{},{}",
            number(user),
            time.get(..10).unwrap_or_default().replace('-', "")
        )
    };
    let rows: Vec<String> = text.lines().skip(1).map(more).collect();
    let header = text.lines().next().unwrap();
    fs::write(
        path.join("more.csv"),
        format!("{header},user_number,date\n{}\n", rows.join("\n")),
    )
    .unwrap();
    let fit = |from: &str, to: &str| {
        assert!(config.contains(from), "{from} is not in the configuration");
        fs::write(path.join("log/wrong.toml"), config.replace(from, to)).unwrap();
        ebb_train(
            path,
            "fit --config log/wrong.toml --events more.csv --out model --quiet",
        )
    };
    for (from, to, complaint, name) in [
        (
            "amount = \"amount\"",
            "amount = \"user_number\"\nmax_refused_share = 1",
            "`events.amount` looks like an identifier",
            "events.amount",
        ),
        (
            "amount = \"amount\"",
            "amount = \"date\"",
            "`events.amount` looks like a time",
            "events.amount",
        ),
        (
            "kind = \"kind\"",
            "kind = { expr = 'kind == \"visit\" ? user_id : kind' }",
            "`events.kind` looks like an identifier",
            "events.kind",
        ),
    ] {
        let run = fit(from, to);
        let error = format!("{} {}", run.code, run.error());
        assert!(
            error.starts_with(&format!("1 error: {complaint}")),
            "{error}"
        );
        assert!(
            error.ends_with(&format!("add to model.allow_leakage: \"{name}\"")),
            "{error}"
        );
    }
    // The negative control: the same file with the columns as they should be.
    fit("amount = \"amount\"", "amount = \"amount\" ").ok();
}

#[test]
fn a_name_that_nothing_is_called_is_a_setting_at_fault() {
    let folder = shop();
    let path = folder.path();
    configure(path, "allow_leakage = [\"recency_day\"]");
    let run = ebb_train(path, "fit --config log/more.toml --out model --quiet");
    assert_eq!(run.code, 64);
    insta::assert_snapshot!(run.error(), @"error: model.allow_leakage: there is no feature `recency_day`; the nearest is `recency_days`");
}
