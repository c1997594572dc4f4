//! The real `ebb-train`, run as a user runs it.

mod attributes;
mod below_baseline;
mod conversion;
mod coverage;
// Its bundles are made by hand, as those of the server's tests.
#[cfg(all(target_os = "linux", feature = "serve"))]
mod history;
mod hostile;
mod if_changed;
mod init;
mod judging;
mod kpi;
mod labels;
mod laws;
mod leakage;
mod mistakes;
#[cfg(target_os = "linux")]
mod outputs;
mod pipeline;
mod progress;
mod proposals;
mod quality_gate;
mod refusals;
mod renamed;
mod scale;
mod seasons;
mod segments;
#[cfg(target_os = "linux")]
mod shell;
mod target_leakage;
mod users;
mod value;
mod value_limits;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// What a run of the program printed and returned.
struct Run {
    code: i32,
    out: String,
    err: String,
}

impl Run {
    /// The run itself, which must have succeeded.
    fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self
    }

    /// The error line, with the lines below it.
    fn error(&self) -> &str {
        let at = self
            .err
            .find("error: ")
            .unwrap_or_else(|| panic!("no error in {:?}", self.err));
        self.err.get(at..).unwrap().trim_end()
    }
}

/// Runs `ebb-train` in a folder; arguments are separated by blanks.
fn ebb_train(folder: &Path, arguments: &str) -> Run {
    let done = Command::new(env!("CARGO_BIN_EXE_ebb-train"))
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run {
        code: done.status.code().unwrap(),
        out: text(done.stdout),
        err: text(done.stderr),
    }
}

/// A folder with a simulated log of 400 users and 300 days in `log/`, from 2024-01-01 to 2024-10-26.
fn shop() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    ebb_train(
        folder.path(),
        "simulate --users 400 --days 300 --seed 3 --out log --quiet",
    )
    .ok();
    folder
}

/// The same, not packed, with a model that is fitted quickly.
fn quick_shop() -> TempDir {
    let folder = shop();
    let log = folder.path().join("log");
    fs::write(log.join("events.csv"), log_text(folder.path())).unwrap();
    let config = fs::read_to_string(log.join("ebb.toml")).unwrap();
    let quick = "\n[model]\nl2 = 100.0\nnonlinear_terms = false\nanniversaries = 0\nhalf_life_windows = 0.0\n\
                 spacing_days = 15\n";
    assert!(!config.contains("[model]"));
    let config = config.replace("events.csv.gz", "events.csv") + quick;
    fs::write(log.join("ebb.toml"), config).unwrap();
    folder
}

/// The simulated log as text, header line first.
fn log_text(folder: &Path) -> String {
    let mut text = String::new();
    let file = fs::File::open(folder.join("log/events.csv.gz")).unwrap();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(file), &mut text).unwrap();
    text
}

/// What the system says of a file that isn't there, in its own words.
fn no_such_file() -> String {
    let nowhere = tempfile::tempdir().unwrap().path().join("nowhere");
    fs::read(nowhere).unwrap_err().to_string()
}

/// The names and contents of a folder's files.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let mut files: Vec<_> = entries
        .map(|e| {
            (
                e.file_name().into_string().unwrap(),
                fs::read(e.path()).unwrap(),
            )
        })
        .collect();
    files.sort();
    files
}

/// The content of a bundle's `bundle.json`.
fn bundle_json(folder: &Path, model: &str) -> String {
    fs::read_to_string(folder.join(model).join("bundle.json")).unwrap()
}
