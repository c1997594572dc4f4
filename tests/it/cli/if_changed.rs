//! A fit that is left out where it would make the bundle that is there.

use std::time::SystemTime;

use ebb::model::store::sha256_hex;

use super::*;

const FIT: &str =
    "fit --if-changed --allow-below-baseline --config log/ebb.toml --out model --json";

/// Whether the bundle stayed, and what the program said of it.
fn fit(folder: &Path, more: &str) -> (bool, Run) {
    let run = ebb_train(folder, &format!("{FIT} {more}")).ok();
    let value: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    (value["unchanged"].as_bool().unwrap(), run)
}

/// What the program says in text, and its exit code.
fn said(folder: &Path, more: &str) -> (i32, String) {
    let run = ebb_train(folder, &format!("{FIT} {more}").replace("--json", ""));
    (run.code, run.err)
}

fn set_modified(path: &Path, time: SystemTime) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(time).unwrap();
}

/// Writes another `ebb_version` into the record of what the bundle was made from.
fn made_by(folder: &Path, version: &str) {
    let card_path = folder.join("model/card.json");
    let card = fs::read_to_string(&card_path).unwrap();
    let (before, record) = card.rsplit_once("\"made_from\"").unwrap();
    let own = format!("\"ebb_version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    let altered = record.replace(&own, &format!("\"ebb_version\": \"{version}\""));
    assert_ne!(altered, record);
    let altered = format!("{before}\"made_from\"{altered}");
    let manifest_path = folder.join("model/MANIFEST.sha256");
    let manifest = fs::read_to_string(&manifest_path).unwrap();
    let hashes = [&card, &altered].map(|text| sha256_hex(text.as_bytes()));
    fs::write(&card_path, altered).unwrap();
    fs::write(&manifest_path, manifest.replace(&hashes[0], &hashes[1])).unwrap();
}

#[test]
fn nothing_is_done_until_something_has_changed() {
    let folder = quick_shop();
    let path = folder.path();
    let log = path.join("log/events.csv");
    assert!(!fit(path, "").0, "there was none");
    let first = contents(&path.join("model"));
    let written = fs::metadata(path.join("model/MANIFEST.sha256"))
        .unwrap()
        .modified()
        .unwrap();
    let (unchanged, run) = fit(path, "");
    assert!(unchanged);
    assert_eq!(run.err, "", "the log was not read");
    // Touched, and nothing else.
    let time = fs::metadata(&log).unwrap().modified().unwrap();
    set_modified(&log, SystemTime::UNIX_EPOCH);
    assert!(fit(path, "").0);
    let (code, text) = said(path, "--as-of 2001-01-01");
    assert!(
        code == 1 && text.contains("the as-of day given is 2001-01-01, and it was none"),
        "{text}"
    );
    assert!(contents(&path.join("model")) == first);
    let manifest = fs::metadata(path.join("model/MANIFEST.sha256")).unwrap();
    assert_eq!(manifest.modified().unwrap(), written);
    // Another user, the same size and time.
    let text = fs::read_to_string(&log).unwrap();
    let at = text.find("\nU0").unwrap() + 7;
    let digit = if &text[at..=at] == "9" { "8" } else { "9" };
    fs::write(&log, format!("{}{digit}{}", &text[..at], &text[at + 1..])).unwrap();
    set_modified(&log, time);
    let (code, why) = said(path, "");
    let expected = format!(
        "the log has changed, though it is 1 file of {} bytes as before",
        text.len()
    );
    assert!(code == 0 && why.contains(&expected), "{why}");
    assert!(contents(&path.join("model")) != first);
    assert!(fit(path, "").0);
    // What was before is another log again, and gives the first bundle again, bit for bit.
    fs::write(&log, &text).unwrap();
    assert!(!fit(path, "").0);
    assert!(contents(&path.join("model")) == first);
}

#[test]
fn a_comment_another_version_and_damage_are_reasons_to_fit() {
    let folder = quick_shop();
    let path = folder.path();
    ebb_train(path, &FIT.replace("--if-changed", "")).ok();
    let (code, text) = said(path, "");
    assert!(
        code == 0 && text.contains("was not made with --if-changed"),
        "{text}"
    );
    assert!(fit(path, "").0);
    // A comment may well be a setting that was turned off.
    let config = path.join("log/ebb.toml");
    let settings = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{settings}# a comment\n")).unwrap();
    let (code, text) = said(path, "");
    assert!(
        code == 0 && text.contains("the configuration file has changed"),
        "{text}"
    );
    made_by(path, "0.1.0");
    let (code, text) = said(path, "");
    let expected = format!(
        "this is ebb {}, and it was 0.1.0",
        env!("CARGO_PKG_VERSION")
    );
    assert!(code == 0 && text.contains(&expected), "{text}");
    assert!(fit(path, "").0);
    fs::write(path.join("model/golden.json"), "{}").unwrap();
    let (unchanged, _) = fit(path, "");
    assert!(!unchanged && fit(path, "").0);
    // A report on the data that was asked for and is not there has to be made.
    let quality = "--quality quality.json";
    assert!(!fit(path, quality).0 && fit(path, quality).0);
    assert!(path.join("quality.json").exists());
}

#[test]
fn a_pipe_is_not_read_twice() {
    let folder = quick_shop();
    let run = ebb_train(folder.path(), &format!("{FIT} --events -"));
    assert_eq!(run.code, 64, "{}", run.err);
    assert!(run.error().contains("can be read only once"), "{}", run.err);
}
