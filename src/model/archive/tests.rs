use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::model::publish::{kept_bundles, publish_keeping, roll_back, roll_back_to};
use crate::model::tests::spec;
use crate::model::{load, save};

/// A folder with bundles `0` to `n - 1`, and their versions.
fn bundles(n: u64) -> (TempDir, Vec<String>) {
    let dir = TempDir::new().unwrap();
    let made = (0..n).map(|seed| {
        let mut spec = spec();
        spec.training.seed = seed;
        let path = dir.path().join(seed.to_string());
        save(&path, spec, "{}", "<html></html>").unwrap()
    });
    let versions = made.map(|bundle| bundle.version().to_owned()).collect();
    (dir, versions)
}

/// The versions that are there, newest first, each with the name of its folder.
fn kept(live: &Path) -> Vec<(String, String)> {
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    kept_bundles(live)
        .unwrap()
        .into_iter()
        .map(|kept| {
            let version = kept.saved.unwrap().bundle.version().to_owned();
            (version, name(&kept.folder))
        })
        .collect()
}

fn versions_of(live: &Path) -> Vec<String> {
    kept(live).into_iter().map(|(version, _)| version).collect()
}

fn in_order(versions: &[String], order: &[usize]) -> Vec<String> {
    order.iter().map(|k| versions[*k].clone()).collect()
}

#[test]
fn as_many_earlier_bundles_stay_as_are_kept_newest_first() {
    let (dir, versions) = bundles(5);
    let live = dir.path().join("live");
    let publish = |k: usize, keep| {
        publish_keeping(&dir.path().join(k.to_string()), &live, keep).unwrap();
    };
    (0..4).for_each(|k| publish(k, 3));
    assert_eq!(versions_of(&live), in_order(&versions, &[3, 2, 1, 0]));
    let names: Vec<String> = kept(&live).into_iter().map(|(_, name)| name).collect();
    assert_eq!(
        names,
        [
            "live".to_owned(),
            "live.previous".to_owned(),
            format!("0002-{}", versions[1]),
            format!("0001-{}", versions[0]),
        ]
    );
    publish(4, 3);
    assert_eq!(versions_of(&live), in_order(&versions, &[4, 3, 2, 1]));
    // The same once more is no reason to forget one.
    publish(4, 3);
    assert_eq!(versions_of(&live), in_order(&versions, &[4, 3, 2, 1]));
    // Fewer are kept from now on, though nothing else is new.
    publish(4, 2);
    assert_eq!(versions_of(&live), in_order(&versions, &[4, 3, 2]));
    // One is what is kept without a history, and nothing is left of that.
    publish(0, 1);
    assert_eq!(versions_of(&live), in_order(&versions, &[0, 4]));
    assert!(!dir.path().join("live.history").exists());
}

#[test]
fn an_earlier_bundle_comes_back_by_its_version_and_none_is_listed_twice() {
    let (dir, versions) = bundles(4);
    let live = dir.path().join("live");
    for k in 0..4 {
        publish_keeping(&dir.path().join(k.to_string()), &live, 5).unwrap();
    }
    let back = roll_back_to(&live, &versions[1]).unwrap();
    assert_eq!(
        (
            back.version.as_str(),
            back.previous.as_ref(),
            back.unchanged
        ),
        (versions[1].as_str(), Some(&versions[3]), false)
    );
    assert_eq!(load(&live).unwrap().bundle.version(), versions[1]);
    assert_eq!(versions_of(&live), in_order(&versions, &[1, 3, 2, 0]));
    // The one before, which is swapped; that in use; and the beginning of a version.
    roll_back_to(&live, &versions[3]).unwrap();
    assert_eq!(versions_of(&live), in_order(&versions, &[3, 1, 2, 0]));
    assert!(roll_back_to(&live, &versions[3]).unwrap().unchanged);
    let beginning = (1..=12)
        .map(|letters| &versions[0][..letters])
        .find(|begin| versions[1..].iter().all(|v| !v.starts_with(begin)));
    roll_back_to(&live, beginning.unwrap()).unwrap();
    assert_eq!(versions_of(&live), in_order(&versions, &[0, 3, 1, 2]));
    roll_back(&live).unwrap();
    assert_eq!(versions_of(&live), in_order(&versions, &[3, 0, 1, 2]));
}

#[test]
fn a_version_that_no_bundle_has_is_refused_with_those_that_there_are() {
    let (dir, versions) = bundles(2);
    let live = dir.path().join("live");
    let missing = roll_back_to(&live, "aa").unwrap_err();
    assert!(matches!(missing, ModelError::Io { .. }), "{missing}");
    for k in 0..2 {
        publish_keeping(&dir.path().join(k.to_string()), &live, 5).unwrap();
    }
    for wrong in ["zzz", ""] {
        let message = roll_back_to(&live, wrong).unwrap_err().to_string();
        let all = format!("there are {}, {}", versions[1], versions[0]);
        assert!(
            message.starts_with("no bundle at ") && message.ends_with(&all),
            "{message}"
        );
    }
    assert_eq!(versions_of(&live), in_order(&versions, &[1, 0]));
}

#[test]
fn what_publish_did_not_write_is_left_alone() {
    let (dir, versions) = bundles(4);
    let live = dir.path().join("live");
    let history = dir.path().join("live.history");
    for k in 0..3 {
        publish_keeping(&dir.path().join(k.to_string()), &live, 5).unwrap();
    }
    let entry = history.join(format!("0001-{}", versions[0]));
    fs::write(entry.join("notes.txt"), "mine").unwrap();
    fs::create_dir(history.join("0001-backup")).unwrap();
    fs::write(history.join("README"), "mine").unwrap();
    publish_keeping(&dir.path().join("3"), &live, 1).unwrap();
    assert!(entry.join("notes.txt").exists() && entry.join("bundle.json").exists());
    assert!(history.join("0001-backup").exists() && history.join("README").exists());
    // The negative control: without a note in it, the entry goes.
    fs::remove_file(entry.join("notes.txt")).unwrap();
    publish_keeping(&dir.path().join("2"), &live, 1).unwrap();
    assert!(!entry.exists() && history.join("README").exists());
}

#[test]
fn a_damaged_entry_is_listed_and_does_not_come_back() {
    let (dir, versions) = bundles(3);
    let live = dir.path().join("live");
    for k in 0..3 {
        publish_keeping(&dir.path().join(k.to_string()), &live, 5).unwrap();
    }
    let entry = dir
        .path()
        .join(format!("live.history/0001-{}", versions[0]));
    fs::write(entry.join("card.json"), "{\"x\":1}").unwrap();
    let listed = kept_bundles(&live).unwrap();
    assert!(listed[2].saved.is_err() && listed[..2].iter().all(|kept| kept.saved.is_ok()));
    let error = roll_back_to(&live, &versions[0]).unwrap_err();
    assert!(matches!(error, ModelError::NoSuchVersion { .. }), "{error}");
    assert_eq!(load(&live).unwrap().bundle.version(), versions[2]);
}

#[test]
fn an_entry_keeps_the_time_at_which_its_bundle_was_published() {
    let (dir, _) = bundles(3);
    let live = dir.path().join("live");
    publish_keeping(&dir.path().join("0"), &live, 5).unwrap();
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let manifest = fs::File::open(live.join(MANIFEST)).unwrap();
    manifest.set_modified(then).unwrap();
    for k in 1..3 {
        publish_keeping(&dir.path().join(k.to_string()), &live, 5).unwrap();
    }
    let listed = kept_bundles(&live).unwrap();
    assert_eq!(listed[2].published, Some(then));
    assert!(listed[..2].iter().all(|kept| kept.published > Some(then)));
}
