//! Publishing with a history: what is kept, what comes back, and what a kill leaves.

use ebb::model::{Bundle, load, save};

use super::outputs::{names, sample_model};
use super::*;
use crate::support::spec;

/// Bundles `0` to `n - 1` with the card of the sample model; their versions.
fn bundles(folder: &Path, n: u64) -> Vec<String> {
    let card = fs::read_to_string(format!("{}/card.json", sample_model())).unwrap();
    let made = (0..n).map(|seed| {
        let mut spec = spec();
        spec.training.seed = seed;
        let path = folder.join(seed.to_string());
        let bundle: Bundle = save(&path, spec, &card, "<html></html>").unwrap();
        bundle.version().to_owned()
    });
    made.collect()
}

fn listed(folder: &Path) -> Vec<serde_json::Value> {
    let run = ebb_train(folder, "publish --history live --json").ok();
    let value: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    value["bundles"].as_array().unwrap().clone()
}

fn versions(folder: &Path) -> Vec<String> {
    let bundles = listed(folder);
    let version = |bundle: &serde_json::Value| bundle["model"].as_str().unwrap().to_owned();
    bundles.iter().map(version).collect()
}

#[test]
fn the_history_lists_what_is_kept_and_a_version_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let made = bundles(path, 4);
    for k in 0..4 {
        ebb_train(path, &format!("publish --model {k} --live live --keep 2")).ok();
    }
    let expected =
        |order: &[usize]| -> Vec<String> { order.iter().map(|k| made[*k].clone()).collect() };
    assert_eq!(versions(path), expected(&[3, 2, 1]));
    let bundles = listed(path);
    assert_eq!(bundles[0]["in_use"], true);
    assert_eq!(bundles[0]["as_of"], "2025-06-24");
    let loss = bundles[0]["horizons"][0]["log_loss"].as_f64().unwrap();
    assert!((0.4..0.6).contains(&loss), "{loss}");
    assert!(bundles[0]["published"].as_str().unwrap().ends_with('Z'));
    let text = ebb_train(path, "publish --history live").ok().out;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert!(
        lines[1].starts_with(&made[3]) && lines[1].ends_with("live (in use)"),
        "{text}"
    );
    assert!(
        lines[2].contains("live.previous") && lines[3].contains("live.history/"),
        "{text}"
    );
    let back = ebb_train(path, &format!("publish --rollback live --to {}", made[1])).ok();
    assert!(back.out.starts_with(&format!(
        "Model {} is in use now at live; {}",
        made[1], made[3]
    )));
    assert_eq!(versions(path), expected(&[1, 3, 2]));
    // Without a version the two newest change places, as ever.
    ebb_train(path, "publish --rollback live").ok();
    assert_eq!(versions(path), expected(&[3, 1, 2]));
    let gone = ebb_train(path, &format!("publish --rollback live --to {}", made[0]));
    assert!(
        gone.code == 1 && gone.error().contains(&made[2]),
        "{}",
        gone.err
    );
    for wrong in [
        "publish --to abc",
        "publish --history live --rollback live",
        "publish --model 0 --live live --keep 0",
        "publish --rollback live --keep 3",
    ] {
        assert_eq!(ebb_train(path, wrong).code, 64, "{wrong}");
    }
}

/// All names beside the bundle in use and in its history.
fn state(folder: &Path) -> (Vec<String>, Vec<String>) {
    let history = folder.join("live.history");
    let inside = if history.exists() {
        names(&history)
    } else {
        Vec::new()
    };
    (names(folder), inside)
}

/// Publishes a bundle and kills the process once the names have changed so often; whether it was killed.
fn killed(folder: &Path, model: usize, after_changes: usize) -> bool {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ebb-train"))
        .args([
            "publish", "--quiet", "--keep", "3", "--live", "live", "--model",
        ])
        .arg(model.to_string())
        .current_dir(folder)
        .spawn()
        .unwrap();
    let read = || std::panic::catch_unwind(|| state(folder)).ok();
    let (mut before, mut changes) = (read(), 0);
    while changes < after_changes {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        let now = read();
        if now != before {
            (before, changes) = (now, changes + 1);
        }
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    true
}

#[test]
fn a_kill_at_any_step_loses_no_bundle_and_the_next_publish_cleans_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let made = bundles(path, 6);
    for k in 0..4 {
        ebb_train(path, &format!("publish --model {k} --live live --keep 3")).ok();
    }
    let (mut kills, mut next) = (0, 4);
    // A publish may be faster than its observer: again, until some were killed on the way.
    for after_changes in (1..10).cycle().take(90) {
        if kills > 3 && after_changes == 1 {
            break;
        }
        let before = versions(path);
        kills += usize::from(killed(path, next, after_changes));
        let now = load(&path.join("live"))
            .unwrap()
            .bundle
            .version()
            .to_owned();
        assert!(now == before[0] || now == made[next], "{now}");
        // The newest of the earlier ones are there, somewhere; the oldest may have had its time.
        let after = versions(path);
        for version in &before[..3] {
            assert!(after.contains(version), "{before:?}, then {after:?}");
        }
        next = if next == 4 { 5 } else { 4 };
        ebb_train(
            path,
            &format!("publish --model {next} --live live --keep 3 --quiet"),
        )
        .ok();
        let after = versions(path);
        let mut once = after.clone();
        once.sort();
        once.dedup();
        assert_eq!((once.len(), after.len()), (4, 4), "{after:?}");
        let (beside, inside) = state(path);
        let left = beside
            .iter()
            .chain(&inside)
            .filter(|name| name.starts_with('.'));
        assert_eq!(left.count(), 0, "{beside:?} {inside:?}");
        next = if next == 4 { 5 } else { 4 };
    }
    assert!(kills > 3, "{kills}");
}
