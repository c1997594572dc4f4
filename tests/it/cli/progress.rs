//! Progress on standard error: for programs, for people, and for nobody.

use std::collections::BTreeMap;

use super::*;

/// What `--progress json` wrote of each phase: units done and all units, in order.
fn phases(run: &Run) -> BTreeMap<String, Vec<(u64, u64)>> {
    let mut phases: BTreeMap<String, Vec<(u64, u64)>> = BTreeMap::new();
    for line in run.err.lines() {
        let value: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let number = |key: &str| value[key].as_u64().unwrap();
        assert!(value["unit"].is_string(), "{line}");
        phases
            .entry(value["phase"].as_str().unwrap().to_owned())
            .or_default()
            .push((number("done"), number("total")));
    }
    phases
}

#[test]
fn every_phase_of_a_command_is_seen_from_its_beginning_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let simulate = "simulate --users 400 --days 300 --seed 3 --out log --quiet --progress json";
    let simulated = phases(&ebb_train(path, simulate).ok());
    let names: Vec<&str> = simulated.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["ordering the rows", "simulating users", "writing the log"]
    );
    let rollup = "rollup --config log/ebb.toml --json --progress json --out";
    let run = ebb_train(path, &format!("{rollup} ru")).ok();
    let rolled_up = phases(&run);
    let names: Vec<&str> = rolled_up.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "merging the records of users",
            "ordering users",
            "reading the log",
            "writing the index of users",
            "writing the roll-up"
        ]
    );
    for (phase, seen) in simulated.iter().chain(&rolled_up) {
        assert_eq!(seen.first().map(|(done, _)| *done), Some(0), "{phase}");
        let (done, total) = *seen.last().unwrap();
        assert_eq!(done, total, "{phase}: {seen:?}");
        assert!(seen.is_sorted(), "{phase}: {seen:?}");
    }
    let bytes = fs::metadata(path.join("log/events.csv.gz")).unwrap().len();
    assert_eq!(rolled_up["reading the log"][0], (0, bytes));
    let users = rolled_up["ordering users"][0].1;
    assert!((350..=401).contains(&users), "{users}");
    // The output does not depend on it, and without the flag there is none in a pipe.
    let silent = ebb_train(path, "rollup --config log/ebb.toml --out silent").ok();
    assert!(
        !silent.err.contains("writing the roll-up"),
        "{}",
        silent.err
    );
    assert!(contents(&path.join("ru")) == contents(&path.join("silent")));
    // Lines for a log are for phases beyond a second.
    let plain = ebb_train(
        path,
        "rollup --config log/ebb.toml --out plain --quiet --progress plain",
    );
    assert_eq!(plain.ok().err, "");
}

#[test]
fn a_fit_shows_its_backtest_and_the_same_model_comes_of_it() {
    let folder = quick_shop();
    let path = folder.path();
    let fit = "fit --config log/ebb.toml --allow-below-baseline --quiet --out";
    let watched = phases(&ebb_train(path, &format!("{fit} watched --progress json")).ok());
    ebb_train(path, &format!("{fit} alone")).ok();
    assert!(contents(&path.join("watched")) == contents(&path.join("alone")));
    for expected in [
        "labels, 30 days",
        "features, 30 days",
        "segments and stages",
    ] {
        let (done, total) = *watched[expected].last().unwrap();
        assert!(done == total && total > 0, "{expected}");
    }
    // One for the test and one for the bundle, each with its fits.
    for what in ["backtest as of ", "fit as of "] {
        let seen: Vec<_> = watched
            .iter()
            .filter(|(name, _)| name.starts_with(what))
            .collect();
        assert_eq!(seen.len(), 2, "{watched:?}");
        for (name, seen) in seen {
            let (done, total) = *seen.last().unwrap();
            assert!(done == total && total > 0, "{name}: {seen:?}");
        }
    }
}

/// What a command writes to a terminal, standard error and output together.
#[cfg(target_os = "linux")]
fn on_a_terminal(folder: &Path, arguments: &str) -> String {
    let program = env!("CARGO_BIN_EXE_ebb-train");
    let done = Command::new("script")
        .args([
            "-qec",
            &format!("stty rows 40 cols 100; {program} {arguments}"),
            "/dev/null",
        ])
        .current_dir(folder)
        .env_remove("COLUMNS")
        .env("TERM", "xterm")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    String::from_utf8(done.stdout).unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_gets_a_bar_without_colours_unless_it_is_not_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let simulate = "simulate --users 2000 --days 300 --out log";
    let shown = on_a_terminal(path, simulate);
    assert!(
        shown.contains("simulating users") && shown.contains(" of 2,000 users"),
        "{shown:?}"
    );
    for style in ["\u{1b}[3", "\u{1b}[1m", "\u{1b}[0m"] {
        assert!(!shown.contains(style), "{shown:?}");
    }
    for more in ["--progress never", "--quiet", "--json"] {
        let shown = on_a_terminal(path, &format!("{simulate} {more}"));
        assert!(!shown.contains("simulating users"), "{more}: {shown:?}");
    }
}

/// A query or a script that is copied from a terminal has to work: a broken line may be inside of a comment or a string.
#[cfg(target_os = "linux")]
#[test]
fn a_document_has_its_lines_on_a_terminal_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let written = ebb_train(path, "completions zsh").ok().out;
    assert!(written.lines().any(|line| line.len() > 200), "{written}");
    for more in ["", "--quiet"] {
        let shown = on_a_terminal(path, &format!("completions zsh {more}"));
        assert_eq!(shown.replace("\r\n", "\n"), written);
    }
    // The negative control: text is broken at the columns of the terminal.
    let text = format!("inspect --model {}", super::outputs::sample_model());
    let shown = on_a_terminal(path, &text);
    let widest = shown.lines().map(|line| line.chars().count()).max();
    assert!(widest.is_some_and(|widest| widest <= 100), "{shown}");
}
