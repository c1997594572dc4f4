//! What is written, where, and what is left when it goes wrong.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::ExitStatusExt;

use super::*;

/// The sample model, which knows the kinds of simulated logs.
pub(super) fn sample_model() -> String {
    format!("{}/models/shop", env!("CARGO_MANIFEST_DIR"))
}

/// A simulated log that is not packed, `log/events.csv`.
pub(super) fn unpacked() -> TempDir {
    let folder = shop();
    let path = folder.path();
    fs::write(path.join("log/events.csv"), log_text(path)).unwrap();
    let config = fs::read_to_string(path.join("log/ebb.toml")).unwrap();
    fs::write(
        path.join("log/ebb.toml"),
        config.replace("events.csv.gz", "events.csv"),
    )
    .unwrap();
    folder
}

pub(super) fn score(out: &str) -> String {
    format!(
        "score --model {} --config log/ebb.toml --as-of 2024-10-01 --out {out}",
        sample_model()
    )
}

/// All names in a folder, hidden ones too.
pub(super) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.collect();
    names.sort();
    names
}

fn command(folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ebb-train"));
    command
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .stdin(Stdio::null());
    command
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn outputs_that_are_inputs_are_refused_and_untouched() {
    let folder = unpacked();
    let path = folder.path();
    ebb_train(path, "rollup --quiet --config log/ebb.toml --out ru").ok();
    fs::hard_link(path.join("log/events.csv"), path.join("hard.csv")).unwrap();
    std::os::unix::fs::symlink("log", path.join("link")).unwrap();
    let before = contents(&path.join("log"));
    let rollup_before = contents(&path.join("ru"));
    let pattern = fs::read_to_string(path.join("log/ebb.toml"))
        .unwrap()
        .replace("\"events.csv\"", "\"e*.csv\"");
    fs::write(
        path.join("pattern.toml"),
        pattern.replace("\"e*.csv\"", "\"log/e*.csv\""),
    )
    .unwrap();
    for (arguments, expected) in [
        (
            score("log/events.csv"),
            "log/events.csv is read by this command",
        ),
        (
            score("hard.csv"),
            "hard.csv is read by this command (log/events.csv)",
        ),
        (
            score("link/events.csv"),
            "link/events.csv is read by this command",
        ),
        (
            score("s.csv") + " --quality log/events.csv",
            "log/events.csv is read by this command",
        ),
        (
            score("s.csv") + " --quality log/ebb.toml",
            "log/ebb.toml is read by this command",
        ),
        (
            score("log/s.csv") + " --events log",
            "log/s.csv lies in log, which this command reads",
        ),
        (
            score("s.csv") + " --events log --quality link/q.json",
            "link/q.json lies in log, which this command reads",
        ),
        (
            score("s.csv") + " --quality s.csv",
            "cannot both be written",
        ),
        (
            score("s.csv") + " --quality s.skipped.csv",
            "cannot both be written",
        ),
        (
            score("log/extra.csv").replace("log/ebb.toml", "pattern.toml"),
            "log/extra.csv matches `log/e*.csv`",
        ),
        (
            "rollup --config log/ebb.toml --events ru --as-of 2024-02-01 --out ru".into(),
            "ru is read by this command",
        ),
        (
            "rollup --config log/ebb.toml --events ru/part-00000-of-00004.parquet --out ru".into(),
            "ru is read by this command (ru/part-00000-of-00004.parquet)",
        ),
        (
            "fit --config log/ebb.toml --quality m/q.json --out m".into(),
            "cannot both be written",
        ),
        (
            "features --config log/ebb.toml --as-of 2024-02-01 --out f.csv".into(),
            "must end in .parquet",
        ),
        (
            format!(
                "compare {} ru --config log/ebb.toml --out ru/b.json",
                sample_model()
            ),
            "ru/b.json lies in ru, which this command reads",
        ),
        (
            "fit-matrix --features ru/part-00000-of-00004.parquet --label y --out ru/part-00000-of-00004.parquet".into(),
            "ru/part-00000-of-00004.parquet is read by this command",
        ),
    ] {
        let run = ebb_train(path, &arguments);
        assert!(
            run.code == 64 && run.error().contains(expected),
            "{arguments}: {} {}",
            run.code,
            run.err
        );
        assert!(
            contents(&path.join("log")) == before && contents(&path.join("ru")) == rollup_before,
            "{arguments}"
        );
        assert!(
            !path.join("s.csv").exists() && !path.join("m").exists(),
            "{arguments}"
        );
    }
    // The negative control: beside what is read, all of it goes.
    ebb_train(
        path,
        &(score("extra.csv").replace("log/ebb.toml", "pattern.toml") + " --quality q.json"),
    )
    .ok();
}

#[test]
fn outputs_are_checked_before_the_log_is_read() {
    let folder = unpacked();
    let path = folder.path();
    // Whoever reads this log first complains about it.
    fs::write(path.join("log/events.csv"), "nothing,of,use\n").unwrap();
    fs::create_dir(path.join("taken")).unwrap();
    fs::write(path.join("taken/notes.txt"), "mine").unwrap();
    fs::create_dir(path.join("folder.csv")).unwrap();
    assert!(
        ebb_train(path, &score("s.csv"))
            .error()
            .contains("there is no column")
    );
    for (arguments, code, expected) in [
        (
            score("folder.csv"),
            64,
            "folder.csv is a folder, and a file is to be written",
        ),
        (score("log/ebb.toml/s.csv"), 1, "log/ebb.toml/s.csv"),
        (score("/proc/s.csv"), 1, "/proc/s.csv cannot be written"),
        (score("s.csv") + " --quality taken", 64, "taken is a folder"),
        (
            "fit --config log/ebb.toml --out taken".into(),
            1,
            "taken holds `notes.txt`, which was not written by",
        ),
        (
            "rollup --config log/ebb.toml --out taken".into(),
            1,
            "taken holds `notes.txt`, which was not written by",
        ),
        (
            "fit --config log/ebb.toml --out log/ebb.toml".into(),
            64,
            "log/ebb.toml is a file, and a folder",
        ),
        (
            "fit --config log/ebb.toml --out .".into(),
            64,
            "`.` cannot be written",
        ),
        ("simulate --out log --users 100".into(), 0, ""),
    ] {
        let run = ebb_train(path, &arguments);
        assert_eq!(run.code, code, "{arguments}: {}", run.err);
        if code != 0 {
            assert!(run.error().contains(expected), "{arguments}: {}", run.err);
        }
    }
    assert_eq!(names(&path.join("taken")), ["notes.txt"]);
}

#[test]
fn names_that_are_not_utf_8_are_written() {
    let folder = shop();
    for arguments in [score(""), "rollup --config log/ebb.toml --out".into()] {
        let name = |end: &[u8]| {
            OsString::from_vec([arguments.get(..5).unwrap().as_bytes(), b"\xff", end].concat())
        };
        for more in ["--quiet", "--json"] {
            let done = command(folder.path(), arguments.trim_end())
                .arg(name(b".csv"))
                .arg(more)
                .output()
                .unwrap();
            assert_eq!(
                done.status.code(),
                Some(0),
                "{}",
                String::from_utf8_lossy(&done.stderr)
            );
            assert!(folder.path().join(name(b".csv")).exists());
            if more == "--json" {
                let value: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
                assert!(
                    value["out"].as_str().unwrap().ends_with("\u{fffd}.csv"),
                    "{value}"
                );
            }
        }
    }
    let skipped = OsString::from_vec(b"score\xff.skipped.csv".to_vec());
    assert!(folder.path().join(OsStr::new(&skipped)).exists());
}

#[test]
fn a_reader_that_has_seen_enough_is_no_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let root = env!("CARGO_MANIFEST_DIR");
    let arguments = format!(
        "score --model {root}/models/shop --config {root}/datasets/shop/ebb.toml --as-of 2025-06-24 --out - --quiet"
    );
    let all = command(folder.path(), &arguments).output().unwrap();
    assert!(
        all.status.success() && all.stdout.len() > 1 << 18,
        "more than a pipe holds"
    );
    let mut child = command(folder.path(), &arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::with_capacity(64, child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let mut complaints = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut complaints)
        .unwrap();
    assert_eq!(
        (child.wait().unwrap().code(), complaints.as_str()),
        (Some(0), "")
    );
    assert!(line.starts_with("user_id,"));
    // A disk that is full is one.
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let done = command(folder.path(), &arguments)
        .stdout(full)
        .output()
        .unwrap();
    let complaint = String::from_utf8(done.stderr).unwrap();
    assert!(
        done.status.code() == Some(1) && complaint.contains("standard output: No space left"),
        "{complaint}"
    );
}

#[test]
fn what_cannot_be_said_does_not_stop_the_work() {
    let folder = shop();
    let path = folder.path();
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    let gone = || {
        let mut reader = Command::new("true").stdin(Stdio::piped()).spawn().unwrap();
        let pipe = reader.stdin.take().unwrap();
        reader.wait().unwrap();
        pipe
    };
    let mut ends = Vec::new();
    for (out, errors) in [("full", Stdio::from(full())), ("gone", Stdio::from(gone()))] {
        let fit = format!("fit --allow-below-baseline --config log/ebb.toml --out {out}");
        let done = command(path, &fit).stderr(errors).output().unwrap();
        assert!(
            String::from_utf8_lossy(&done.stdout).contains("written to"),
            "{done:?}"
        );
        ends.push((
            done.status.code(),
            path.join(out).join("bundle.json").exists(),
        ));
    }
    // An error that cannot be told still has its exit code.
    let status = command(path, "check --model none --min-auc 0.5")
        .stderr(full())
        .status()
        .unwrap();
    ends.push((status.code(), true));
    // The work is done, and what it came to could not be told.
    let status = command(path, "rollup --config log/ebb.toml --out ru")
        .stdout(full())
        .stderr(Stdio::null())
        .status();
    ends.push((status.unwrap().code(), path.join("ru").exists()));
    assert_eq!(
        ends,
        [
            (Some(0), true),
            (Some(0), true),
            (Some(1), true),
            (Some(1), true)
        ]
    );
}

/// A roll-up that is stopped by a signal while it writes its many files.
fn stopped(folder: &Path, signal: &str) -> Option<i32> {
    let arguments = format!(
        "rollup --quiet --config {}/datasets/shop/ebb.toml --partitions 4000 --out made/log/rollup",
        env!("CARGO_MANIFEST_DIR")
    );
    let mut child = command(folder, &arguments).spawn().unwrap();
    let writes = || {
        fs::read_dir(folder.join("made/log")).is_ok_and(|mut entries| {
            entries.any(|e| {
                e.is_ok_and(|e| {
                    fs::read_dir(e.path()).is_ok_and(|mut files| files.next().is_some())
                })
            })
        })
    };
    while !writes() {
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended before it wrote"
        );
        std::thread::yield_now();
    }
    assert!(
        Command::new("kill")
            .args(["-s", signal, &child.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
    child.wait().unwrap().signal()
}

/// Whether this process was started to ignore SIGINT, the second bit of its mask.
fn ignores_interrupts() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap() & 2 != 0
}

#[test]
fn a_signal_leaves_nothing_and_what_a_kill_leaves_the_next_run_removes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    // What ignores the signal, as background jobs of scripts do, hands that on to the processes that it starts.
    if !ignores_interrupts() {
        assert_eq!(stopped(path, "INT"), Some(2));
        assert_eq!(names(path), [] as [&str; 0]);
    }
    assert_eq!(stopped(path, "TERM"), Some(15));
    assert_eq!(names(path), [] as [&str; 0]);
    assert_eq!(stopped(path, "KILL"), Some(9));
    let left = names(&path.join("made/log"));
    assert!(left.len() == 1 && left[0].starts_with(".ebb-"), "{left:?}");
    ebb_train(
        path,
        "simulate --quiet --users 100 --days 90 --out made/log",
    )
    .ok();
    assert_eq!(
        names(&path.join("made/log")),
        ["ebb.toml", "events.csv.gz", "truth.csv"]
    );
}

#[test]
fn publish_puts_a_bundle_in_place_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let model = sample_model();
    let run = ebb_train(path, &format!("publish --model {model} --live models/live")).ok();
    let version = run.out.split_whitespace().nth(1).unwrap().to_owned();
    assert_eq!(
        run.out,
        format!("Model {version} is in use now at models/live\n")
    );
    assert!(contents(&path.join("models/live")) == contents(Path::new(&model)));
    assert_eq!(ebb_train(path, "publish --rollback models/live").code, 1);
    // Another bundle: the same with another report.
    fs::create_dir(path.join("next")).unwrap();
    for (name, bytes) in contents(Path::new(&model)) {
        fs::write(path.join("next").join(name), bytes).unwrap();
    }
    let [report, manifest] =
        ["next/report.html", "next/MANIFEST.sha256"].map(|name| path.join(name));
    let old = fs::read_to_string(&manifest).unwrap();
    fs::write(&report, "<html></html>").unwrap();
    let run = ebb_train(path, "publish --model next --live models/live");
    assert!(
        run.code == 1 && run.error().contains("next/report.html: SHA-256 is"),
        "{}",
        run.err
    );
    let hash = |line: &str| line.split("  ").next().unwrap().to_owned();
    let of_report = hash(
        old.lines()
            .find(|line| line.ends_with("report.html"))
            .unwrap(),
    );
    let found = run
        .error()
        .split("SHA-256 is ")
        .nth(1)
        .unwrap()
        .split(',')
        .next()
        .unwrap()
        .to_owned();
    fs::write(&manifest, old.replace(&of_report, &found)).unwrap();
    let run = ebb_train(path, "publish --model next --live models/live --json").ok();
    let value: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(
        (&value["previous_dir"], &value["unchanged"]),
        (&"models/live.previous".into(), &false.into())
    );
    assert!(contents(&path.join("models/live")) == contents(&path.join("next")));
    ebb_train(path, "publish --rollback models/live --quiet").ok();
    assert!(contents(&path.join("models/live")) == contents(Path::new(&model)));
    assert!(contents(&path.join("models/live.previous")) == contents(&path.join("next")));
    assert_eq!(names(&path.join("models")), ["live", "live.previous"]);
    for wrong in [
        "publish",
        "publish --model next",
        "publish --live l",
        "publish --rollback l --live l",
    ] {
        assert_eq!(ebb_train(path, wrong).code, 64, "{wrong}");
    }
    let same = ebb_train(path, "publish --model models/live --live models/live");
    assert!(
        same.code == 64 && same.error().contains("are the same folder"),
        "{}",
        same.err
    );
}
