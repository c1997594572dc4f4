//! Bundles damaged at random and signed again: whatever is in them, loading neither crashes nor lets through what does
//! not give its own golden answers.

use ebb::model::{load, store::sha256_hex};

use crate::dice::Dice;
use crate::support::save_bundle;

const BUNDLES: u64 = 10_000;

#[test]
fn no_bundle_crashes_the_one_that_loads_it() {
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
    let (mut refused, mut taken) = (0, 0);
    let mut dice = Dice(1);
    for round in 0..BUNDLES {
        let (name, original) = if round % 4 == 0 {
            ("golden.json", &golden)
        } else {
            ("bundle.json", &bundle)
        };
        let damaged = damaged(&mut dice, original);
        std::fs::write(path.join(name), &damaged).unwrap();
        let signed = manifest.lines().map(|line| match line.ends_with(name) {
            true => format!("{}  {name}\n", sha256_hex(&damaged)),
            false => format!("{line}\n"),
        });
        std::fs::write(path.join("MANIFEST.sha256"), signed.collect::<String>()).unwrap();
        match load(&path) {
            // What the damage left as it was, or changed where no answer depends on it.
            Ok(saved) => {
                taken += 1;
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
        refused > BUNDLES / 2 && taken > 0,
        "{refused} refused, {taken} taken"
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
