use std::collections::BTreeSet;

use super::{bundle, seasonal_spec, spec, value};
use crate::features::{FeatureGroup, Scale};
use crate::model::*;

#[test]
fn a_bundle_whose_parts_disagree_is_refused_by_name() {
    type Change = fn(&mut BundleSpec);
    let cases: [(Change, &str); 17] = [
        (|s| s.feature_hash = "00".into(), "feature hash"),
        (|s| drop(s.preprocessing.columns.pop()), "columns"),
        (|s| s.preprocessing.columns[3].std_dev = 0.0, "columns["),
        (
            |s| s.preprocessing.columns[3].feature = "else".into(),
            "columns[else]",
        ),
        (|s| s.preprocessing.bg_nbd = None, "preprocessing.columns"),
        (
            |s| s.preprocessing.bg_nbd.as_mut().unwrap().alpha = 0.0,
            "preprocessing.bg_nbd",
        ),
        (
            |s| s.models[0].expansion.hinges[0].column = 99,
            "models[30 days].expansion",
        ),
        (|s| s.models[0].weights[2] = f64::NAN, "models[30 days]"),
        (|s| drop(s.models.pop()), "models"),
        (
            |s| s.segments.items[0].centroid.clear(),
            "segments.items[0]",
        ),
        (
            |s| s.segments.items[1].key = s.segments.items[0].key,
            "`segments` needs keys that are all different",
        ),
        (|s| s.segments.last_key = 3, "at most `last_key`"),
        (
            |s| s.segments.columns = vec![s.preprocessing.columns[0].clone()],
            "`segments` needs one column for each segment feature",
        ),
        (
            |s| s.segments.columns[0].scale = Scale::Linear,
            "segments.columns[recency_days]",
        ),
        (|s| s.segments.columns[1].std_dev = 0.0, "`segments` needs"),
        (|s| s.bands.high = 0.1, "bands"),
        (|s| s.timezone = "Mars/Olympus".into(), "Mars/Olympus"),
    ];
    for (change, expected) in cases {
        let mut changed = super::spec_with_segment_scales();
        change(&mut changed);
        let message = Bundle::new(changed, "test".into()).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_saved_bundle_loads_as_it_was_and_a_touched_one_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop");
    let saved = save(&path, spec(), "{}", "<html></html>").unwrap();
    let loaded = load(&path).unwrap();
    assert_eq!(loaded.bundle, saved);
    assert_eq!(loaded.bundle.version().len(), 12);
    // Saving again replaces it.
    save(&path, spec(), "{}", "<html></html>").unwrap();
    for name in ["bundle.json", "golden.json", "card.json", "report.html"] {
        let file = path.join(name);
        let whole = std::fs::read(&file).unwrap();
        std::fs::write(&file, &whole[..whole.len() - 1]).unwrap();
        let message = load(&path).unwrap_err().to_string();
        assert!(
            message.contains(name) && message.contains("damaged"),
            "{message}"
        );
        std::fs::write(&file, &whole).unwrap();
    }
    load(&path).unwrap();
}

#[test]
fn a_folder_that_is_no_bundle_is_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model");
    save(&path, spec(), "{}", "").unwrap();
    let manifest = std::fs::read(path.join("MANIFEST.sha256")).unwrap();
    std::fs::remove_file(path.join("MANIFEST.sha256")).unwrap();
    assert!(matches!(
        save(&path, spec(), "{}", ""),
        Err(ModelError::NotABundle { .. })
    ));
    std::fs::write(path.join("MANIFEST.sha256"), manifest).unwrap();
    std::fs::write(path.join("thesis.txt"), "years of work").unwrap();
    let message = save(&path, spec(), "{}", "").unwrap_err().to_string();
    assert!(
        message.contains("holds `thesis.txt`, which was not written by ebb-train"),
        "{message}"
    );
    assert!(path.join("thesis.txt").exists());
    std::fs::remove_file(path.join("thesis.txt")).unwrap();
    save(&path, spec(), "{}", "").unwrap();
}

/// A bundle in which a file is exchanged for something else, and what loading it says.
fn refusal(exchange: impl FnOnce(&std::path::Path)) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop");
    save(&path, spec(), "{}", "").unwrap();
    exchange(&path);
    load(&path).unwrap_err().to_string()
}

#[test]
fn what_is_no_file_or_larger_than_a_bundle_is_refused_before_it_is_read() {
    use std::os::unix::fs::symlink;
    for name in ["MANIFEST.sha256", "bundle.json", "report.html"] {
        let fifo = refusal(|path| {
            std::fs::remove_file(path.join(name)).unwrap();
            let mode = rustix::fs::Mode::RUSR;
            rustix::fs::mkfifoat(rustix::fs::CWD, path.join(name), mode).unwrap();
        });
        assert!(fifo.contains(name) && fifo.contains("is a FIFO"), "{fifo}");
        let endless = refusal(|path| {
            std::fs::remove_file(path.join(name)).unwrap();
            symlink("/dev/zero", path.join(name)).unwrap();
        });
        assert!(endless.contains("is a device"), "{endless}");
    }
    let grown = |name: &str, bytes: u64| {
        refusal(|path| {
            let file = std::fs::File::options().write(true).open(path.join(name));
            file.unwrap().set_len(bytes).unwrap();
        })
    };
    let sparse = grown("report.html", 10 << 30);
    assert!(
        sparse.contains("report.html has 10737418240 bytes; at most 33554432"),
        "{sparse}"
    );
    // Each may have so many, and both together may not.
    let both = refusal(|path| {
        for (name, bytes) in [("bundle.json", 32 << 20), ("report.html", 32 << 20)] {
            let file = std::fs::File::options().write(true).open(path.join(name));
            file.unwrap().set_len(bytes).unwrap();
        }
    });
    assert!(both.contains("at most 67108864"), "{both}");
    // The negative control: within the sizes, it is the hash that is wrong.
    let within = grown("report.html", 1 << 20);
    assert!(within.contains("SHA-256"), "{within}");
}

#[test]
fn a_card_is_a_json_object() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop");
    for card in ["no JSON at all", "[1]", "", "{} {}"] {
        let message = save(&path, spec(), card, "").unwrap_err().to_string();
        assert!(message.contains("card.json"), "{message}");
    }
    save(&path, spec(), "{\"auc\": 0.8}", "").unwrap();
    // A card from elsewhere, with its hash.
    let manifest = std::fs::read_to_string(path.join("MANIFEST.sha256")).unwrap();
    let hash = |card: &str| crate::model::store::sha256_hex(card.as_bytes());
    let manifest = manifest.replace(&hash("{\"auc\": 0.8}"), &hash("none"));
    std::fs::write(path.join("MANIFEST.sha256"), manifest).unwrap();
    std::fs::write(path.join("card.json"), "none").unwrap();
    let message = load(&path).unwrap_err().to_string();
    assert!(message.contains("card.json: expected"), "{message}");
}

/// The golden answers catch a build that computes something else, even one bit.
#[test]
fn golden_answers_notice_a_weight_that_moved_by_one_bit() {
    let golden = Golden::record(&bundle()).unwrap();
    golden.replay(&bundle()).unwrap();
    assert!(
        golden
            .cases
            .iter()
            .filter(|c| !c.horizons.is_empty())
            .count()
            >= 6,
        "most synthetic users are scored"
    );
    let mut changed = spec();
    let weight = &mut changed.models[0].weights[0];
    *weight = f64::from_bits(weight.to_bits() + 1);
    changed.models[0].weights[0] *= 1.0 + 1e-12;
    let other = Bundle::new(changed, "test".into()).unwrap();
    assert!(
        golden
            .replay(&other)
            .unwrap_err()
            .to_string()
            .contains("churn probabilities")
    );
    let empty = Golden {
        cases: vec![],
        conversion: vec![],
    };
    assert!(empty.replay(&bundle()).is_err());
}

#[test]
fn a_bundle_with_features_of_earlier_years_is_of_the_format_that_has_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop");
    let saved = save(&path, seasonal_spec(), "{}", "").unwrap();
    assert_eq!(load(&path).unwrap().bundle, saved);
    let refusal = |change: fn(&mut BundleSpec)| {
        let mut changed = seasonal_spec();
        change(&mut changed);
        Bundle::new(changed, "test".into()).unwrap_err().to_string()
    };
    assert_eq!(
        refusal(|s| s.format_version = 3),
        "the bundle's `schema.seasonal_years` is 2 in a bundle of format 3, which has no features of earlier years"
    );
    assert_eq!(
        refusal(|s| s.lead_days = 14),
        "the bundle's `schema.lead_days` is 7, not 14"
    );
    // The negative control: a bundle of format 3 without such features.
    let old = BundleSpec {
        format_version: 3,
        ..spec()
    };
    Bundle::new(old, "test".into()).unwrap();
}

/// What is unknown in every golden case could be computed in another way unnoticed.
#[test]
fn golden_answers_cover_earlier_years() {
    let bundle = Bundle::new(seasonal_spec(), "test".into()).unwrap();
    let golden = Golden::record(&bundle).unwrap();
    golden.replay(&bundle).unwrap();
    let scored = golden.cases.iter().filter(|c| !c.horizons.is_empty());
    let features = bundle.catalogue().features().iter().enumerate();
    for (position, feature) in features.filter(|(_, f)| f.group == FeatureGroup::Season) {
        let values: Vec<Option<f64>> = scored.clone().map(|c| c.features[position]).collect();
        let different: BTreeSet<String> = values.iter().map(|v| format!("{v:?}")).collect();
        assert!(
            different.len() >= 3 && values.contains(&None),
            "{}: {values:?}",
            feature.name
        );
    }
}

/// A status that no golden case has could be answered in another way unnoticed.
#[test]
fn golden_answers_cover_users_with_and_without_an_order() {
    // Orders made of activity, of something else beside it, and of what has no features of its own.
    for value_kinds in [&["purchase"][..], &["purchase", "return"], &["survey"]] {
        let spec = value::spec_of_kinds(value_kinds);
        let bundle = Bundle::new(spec.clone(), "test".into()).unwrap();
        let golden = Golden::record(&bundle).unwrap();
        golden.replay(&bundle).unwrap();
        let values = golden.cases.iter().filter_map(|case| case.value.as_ref());
        let of = |status: &str| values.clone().filter(|v| v.status == status).count();
        assert!(
            of("no_spend") >= 1 && of("estimated") >= 5,
            "{value_kinds:?}"
        );
        assert!(
            values
                .clone()
                .all(|value| value.figures.iter().all(Option::is_some))
        );

        // What such users are worth is seen to change by their case alone.
        let without =
            |case: &&GoldenCase| case.value.as_ref().is_some_and(|v| v.status == "no_spend");
        let alone = Golden {
            cases: golden.cases.iter().filter(without).cloned().collect(),
            conversion: vec![],
        };
        let mut changed = spec;
        changed.value.as_mut().unwrap().orders.r *= 1.001;
        let other = Bundle::new(changed, "test".into()).unwrap();
        let error = alone.replay(&other).unwrap_err().to_string();
        assert!(error.contains("the value"), "{error}");
    }
    // Without value there is no such case.
    assert_eq!(Golden::record(&bundle()).unwrap().cases.len(), 12);
}
