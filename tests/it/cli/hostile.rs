//! What strangers put into a log, and a disk that is full.

use super::outputs::{names, sample_model, score, unpacked};
use super::*;

/// What a terminal obeys: it sets the title, the colour, and (as one character) begins a sequence.
const OBEYED: &str = "\u{1b}]0;title\u{7}\u{1b}[31m\u{9b}1m";

/// The simulated log with control characters in ids, a kind and a column, in a file whose name has some too.
fn hostile() -> TempDir {
    let folder = unpacked();
    let log = folder.path().join("log");
    let text = fs::read_to_string(log.join("events.csv")).unwrap();
    let mut lines = text.lines();
    let mut hostile = format!("{},{OBEYED}\n", lines.next().unwrap());
    for line in lines {
        let line = line.replace(",purchase,", &format!(",purchase{OBEYED},"));
        hostile += &format!("{OBEYED}{line},{OBEYED}\n");
    }
    hostile += &format!("{OBEYED}bad,{OBEYED},{OBEYED},{OBEYED},,\n");
    fs::remove_file(log.join("events.csv")).unwrap();
    fs::remove_file(log.join("truth.csv")).unwrap();
    fs::write(log.join(format!("{OBEYED}.csv")), hostile).unwrap();
    let config = fs::read_to_string(log.join("ebb.toml")).unwrap();
    let escaped: String = OBEYED
        .chars()
        .map(|c| format!("\\u{:04x}", u32::from(c)))
        .collect();
    let config = config
        .replace("events.csv", "*.csv")
        .replace("\"purchase\"", &format!("\"purchase{escaped}\""));
    fs::write(log.join("ebb.toml"), config).unwrap();
    folder
}

#[test]
fn what_a_log_holds_reaches_a_terminal_without_control_characters() {
    let folder = hostile();
    let path = folder.path();
    let fit = "fit --config log/ebb.toml --out model --allow-below-baseline";
    for arguments in [
        fit,
        "inspect --model model",
        "inspect --model model --json",
        "rollup --config log/ebb.toml --out rollup",
        "score --config log/ebb.toml --model model --as-of 2024-10-27 --out scores.csv",
        // Errors name columns and files.
        "rollup --config column.toml --out rollup",
        "rollup --config file.toml --out rollup",
    ] {
        let config = fs::read_to_string(path.join("log/ebb.toml")).unwrap();
        let config = config.replace("\"*.csv\"", "\"log/*.csv\"");
        let column = config.replace("\"user_id\"", "\"no\\u001b[31m\"");
        fs::write(path.join("column.toml"), column).unwrap();
        let file = config.replace("log/*.csv", "no\\u001b[31m.csv");
        fs::write(path.join("file.toml"), file).unwrap();
        let run = ebb_train(path, arguments);
        let printed = format!("{}{}", run.out, run.err);
        let obeyed = |c: char| c.is_control() && c != '\n';
        assert!(!printed.contains(obeyed), "{arguments}: {printed:?}");
        assert_eq!(
            run.code == 0,
            !arguments.contains("column.toml") && !arguments.contains("file.toml"),
            "{printed}"
        );
        // The negative control: there was something to write out.
        assert!(
            printed.contains("[31m") || arguments.starts_with("score"),
            "{arguments}: {printed}"
        );
    }
}

/// Ids are keys of other tables: also those that a spreadsheet would compute.
#[test]
fn ids_in_scores_are_those_of_the_log() {
    let folder = unpacked();
    let path = folder.path();
    let ids = ["=1+1", "@SUM(1)", "+1+1", "-1", OBEYED];
    let log = path.join("log/events.csv");
    let mut text = fs::read_to_string(&log).unwrap();
    for (number, id) in ids.into_iter().enumerate() {
        text = text.replace(&format!("U{:06},", number + 1), &format!("{id},"));
    }
    fs::write(&log, text).unwrap();
    ebb_train(path, &score("scores.csv")).ok();
    let printed = ebb_train(path, &score("-")).ok().out;
    let written = fs::read_to_string(path.join("scores.csv")).unwrap();
    assert_eq!(printed, written, "a pipe is no terminal");
    let skipped = fs::read_to_string(path.join("scores.skipped.csv")).unwrap();
    let mut found: Vec<String> = Vec::new();
    for text in [written, skipped] {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        found.extend(reader.records().map(|row| row.unwrap()[0].to_owned()));
    }
    for id in ids {
        assert!(found.iter().any(|found| found == id), "{id:?}");
    }
}

/// Runs `ebb-train` with no file longer than 4 kB: writing goes wrong in the middle, as on a full disk.
fn with_short_files(folder: &Path, arguments: &str) -> (Option<i32>, String) {
    // The signal that would end the process is ignored, so that the system returns an error.
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"";
    let done = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_ebb-train")])
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (done.status.code(), String::from_utf8(done.stderr).unwrap())
}

#[test]
fn a_disk_that_is_full_leaves_nothing_behind_and_what_was_there() {
    let folder = shop();
    let path = folder.path();
    let model = sample_model();
    let before = names(path);
    let rollup = "rollup --quiet --config log/ebb.toml --partitions 1 --out out/rollup";
    let fit = "fit --quiet --config log/ebb.toml --allow-below-baseline --out out/model";
    let publish = format!("publish --quiet --model {model} --live out/live");
    let scores = score("out/scores.csv");
    for arguments in [rollup, publish.as_str(), scores.as_str()] {
        let (code, text) = with_short_files(path, arguments);
        assert_eq!(code, Some(1), "{arguments}: {text}");
        assert!(text.contains("File too large"), "{arguments}: {text}");
        assert_eq!(names(path), before, "{arguments}");
    }
    // What was written before stays as it is, with nothing beside it.
    for arguments in [rollup, fit, publish.as_str(), scores.as_str()] {
        ebb_train(path, arguments).ok();
    }
    let written = names(&path.join("out"));
    assert_eq!(
        written,
        [
            "live",
            "model",
            "rollup",
            "scores.csv",
            "scores.skipped.csv"
        ]
    );
    let rollup_before = contents(&path.join("out/rollup"));
    let model_before = contents(&path.join("out/model"));
    // Another bundle than the one that is live.
    let publish = "publish --quiet --model out/model --live out/live";
    for arguments in [rollup, fit, publish, scores.as_str()] {
        assert_eq!(with_short_files(path, arguments).0, Some(1), "{arguments}");
        assert_eq!(names(&path.join("out")), written, "{arguments}");
    }
    assert!(contents(&path.join("out/rollup")) == rollup_before);
    assert!(contents(&path.join("out/model")) == model_before);
}
