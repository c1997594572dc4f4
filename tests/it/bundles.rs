//! Bundles of every age and state: those from format 3 on load for ever, older ones ask for another fit, newer ones for
//! another build, and damaged ones neither crash nor pass without giving their own golden answers.

// What it says of a log takes the trainer.
#[cfg(feature = "train")]
mod format_5;

use std::path::{Path, PathBuf};

use ebb::model::{Bundle, ModelError, load, store::sha256_hex};

use crate::dice::Dice;
use crate::support::save_bundle;

const BUNDLES: u64 = 10_000;

/// The hash that names the frozen bundle.
const FORMAT_3_VERSION: &str = "6365f293ed19";

/// The first bundle of format 3, as it was written then.
fn format_3() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/bundles/format-3")
}

/// Loading replays the golden answers bit for bit, so an old bundle scores as on its first day.
#[test]
fn a_bundle_of_format_3_loads_for_ever() {
    let saved = load(&format_3()).unwrap();
    assert_eq!(saved.bundle.version(), FORMAT_3_VERSION);
    assert_eq!(saved.bundle.spec().format_version, 3);
    assert_eq!(saved.bundle.spec().schema.seasonal_years, 0);
    assert_keys_are_in_order(&saved.bundle);
}

/// The first bundle of format 4, with features of two earlier years.
#[test]
fn a_bundle_of_format_4_loads_for_ever() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/bundles/format-4");
    let saved = load(&path).unwrap();
    assert_eq!(saved.bundle.version(), "52a9a1240b75");
    assert_eq!(saved.bundle.spec().format_version, 4);
    assert_eq!(saved.bundle.spec().schema.seasonal_years, 2);
    assert_keys_are_in_order(&saved.bundle);
}

/// The first bundle of format 6, whose segments have kept their keys through a fit: one of them is new, and two are no more.
#[test]
fn a_bundle_of_format_6_loads_for_ever_with_the_keys_of_its_segments() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/bundles/format-6");
    let saved = load(&path).unwrap();
    assert_eq!(saved.bundle.version(), "1aecdcce2054");
    let spec = saved.bundle.spec();
    assert_eq!(spec.format_version, 6);
    let items = spec.segments.items.iter();
    let keys: Vec<String> = items.map(|segment| segment.key.to_string()).collect();
    assert_eq!(keys, ["s06", "s04", "s02", "s05"]);
    assert_eq!(spec.segments.last_key, 6);
    assert!(!spec.segments.columns.is_empty() && spec.value.is_some());

    // The negative control: on the scales of its models, it does not give its own golden answers.
    let dir = tempfile::tempdir().unwrap();
    for name in ["card.json", "golden.json", "report.html"] {
        std::fs::copy(path.join(name), dir.path().join(name)).unwrap();
    }
    let mut other = spec.clone();
    other.segments.columns.clear();
    let bundle = serde_json::to_vec(&other).unwrap();
    let manifest = std::fs::read_to_string(path.join("MANIFEST.sha256")).unwrap();
    let signed = signed(&manifest, "bundle.json", &bundle);
    std::fs::write(dir.path().join("bundle.json"), bundle).unwrap();
    std::fs::write(dir.path().join("MANIFEST.sha256"), signed).unwrap();
    let error = load(dir.path()).unwrap_err();
    assert!(error.to_string().contains("the segment"), "{error}");
}

/// Bundles of the formats before 6 have no keys: theirs follow the order of the segments.
pub(crate) fn assert_keys_are_in_order(bundle: &Bundle) {
    let segments = &bundle.spec().segments;
    assert!(segments.items.len() > 1);
    for (id, segment) in segments.items.iter().enumerate() {
        assert_eq!(segment.key.to_string(), format!("s{:02}", id + 1));
    }
    assert_eq!(segments.last_key as usize, segments.items.len());
    assert!(segments.columns.is_empty());
}

#[test]
fn a_bundle_of_another_format_asks_for_another_fit_or_build() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["card.json", "golden.json", "report.html"] {
        std::fs::copy(format_3().join(name), dir.path().join(name)).unwrap();
    }
    let read = |name: &str| std::fs::read_to_string(format_3().join(name)).unwrap();
    let (bundle, manifest) = (read("bundle.json"), read("MANIFEST.sha256"));
    let write = |bundle: &str| {
        std::fs::write(dir.path().join("bundle.json"), bundle).unwrap();
        let signed = signed(&manifest, "bundle.json", bundle.as_bytes());
        std::fs::write(dir.path().join("MANIFEST.sha256"), signed).unwrap();
    };
    write(&bundle);
    load(dir.path()).unwrap();
    for (format, remedy) in [
        (1, ", fit the model again"),
        (2, ", fit the model again"),
        (7, ", upgrade ebb, or fit the model again with this version"),
        (u64::MAX, ", upgrade ebb, or fit"),
    ] {
        write(&bundle.replacen(
            "\"format_version\": 3",
            &format!("\"format_version\": {format}"),
            1,
        ));
        let error = load(dir.path()).unwrap_err();
        assert!(
            matches!(error, ModelError::FormatVersion { found, .. } if found == format),
            "{error}"
        );
        let message = error.to_string();
        assert!(
            message.contains("this build reads 3 to 6") && message.contains(remedy),
            "{message}"
        );
    }
}

/// A manifest with the hash of another content of one file.
fn signed(manifest: &str, name: &str, content: &[u8]) -> String {
    let lines = manifest.lines().map(|line| match line.ends_with(name) {
        true => format!("{}  {name}\n", sha256_hex(content)),
        false => format!("{line}\n"),
    });
    lines.collect()
}

#[test]
fn no_damaged_bundle_crashes_the_loader() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model");
    let version = save_bundle(&path).version().to_owned();
    let read = |file: &str| std::fs::read(path.join(file)).unwrap();
    let (bundle, golden, manifest) = (
        read("bundle.json"),
        read("golden.json"),
        read("MANIFEST.sha256"),
    );
    let manifest = String::from_utf8(manifest).unwrap();
    let (mut refused, mut loaded) = (0, 0);
    let mut dice = Dice(1);
    for round in 0..BUNDLES {
        let (name, original) = if round % 4 == 0 {
            ("golden.json", &golden)
        } else {
            ("bundle.json", &bundle)
        };
        let damaged = damaged(&mut dice, original);
        std::fs::write(path.join(name), &damaged).unwrap();
        let signed = signed(&manifest, name, &damaged);
        std::fs::write(path.join("MANIFEST.sha256"), signed).unwrap();
        match load(&path) {
            // What the damage left as it was, or changed where no answer depends on it.
            Ok(saved) => {
                loaded += 1;
                assert_eq!(
                    saved.bundle.version() == version,
                    name == "golden.json" || damaged == *original
                );
            }
            Err(error) => {
                refused += 1;
                assert!(!error.to_string().is_empty());
            }
        }
        std::fs::write(path.join(name), original).unwrap();
    }
    assert!(
        refused > BUNDLES / 2 && loaded > 0,
        "{refused} refused, {loaded} loaded"
    );
}

/// A few bytes changed, mostly digits: those are what a parser lets through.
fn damaged(dice: &mut Dice, original: &[u8]) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..=dice.roll(3) {
        let at = dice.roll(bytes.len() as u64) as usize;
        match dice.roll(8) {
            0 => bytes.truncate(at + 1),
            1 => bytes[at] = dice.roll(256) as u8,
            2 => {
                bytes.remove(at);
            }
            _ => {
                let digit = bytes
                    .iter()
                    .skip(at)
                    .position(u8::is_ascii_digit)
                    .map_or(at, |ahead| at + ahead);
                bytes[digit] = b"0123456789-.eE"[dice.roll(14) as usize];
            }
        }
        if bytes.is_empty() {
            bytes.push(b'{');
        }
    }
    bytes
}
