//! Bundles that are refused, each with its reason.

use ebb::model::{FORMAT_VERSION, OLDEST_FORMAT_VERSION};
use sha2::{Digest, Sha256};

use super::*;

/// A bundle and the folder it lies in.
struct Bundle(TempDir);

impl Bundle {
    fn new() -> Self {
        let folder = shop();
        ebb_train(
            folder.path(),
            "fit --config log/ebb.toml --out model --quiet",
        )
        .ok();
        ebb_train(folder.path(), "inspect --model model").ok();
        Self(folder)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join("model").join(name)).unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join("model").join(name), text).unwrap();
    }

    /// Replaces a text that is there.
    fn replace(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "{name} has no {from:?}");
        self.write(name, &text.replacen(from, to, 1));
    }

    /// Makes the manifest fit the files again, so that only deeper checks can refuse them.
    fn fix_manifest(&self) {
        let hash = |line: &str| {
            let name = line.split_whitespace().nth(1).unwrap();
            let digest = Sha256::digest(fs::read(self.0.path().join("model").join(name)).unwrap());
            let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{hex}  {name}\n")
        };
        self.write(
            "MANIFEST.sha256",
            &self
                .read("MANIFEST.sha256")
                .lines()
                .map(hash)
                .collect::<String>(),
        );
    }

    /// Why `inspect` refuses the bundle, hashes and numbers shortened.
    fn refusal(&self) -> String {
        let run = ebb_train(self.0.path(), "inspect --model model");
        assert_eq!(run.code, 1, "{}", run.out);
        assert_eq!(run.out, "");
        run.error().to_owned()
    }
}

#[test]
fn a_truncated_file_is_refused() {
    let bundle = Bundle::new();
    let text = bundle.read("bundle.json");
    bundle.write("bundle.json", text.get(..text.len() / 2).unwrap());
    let refusal = bundle.refusal();
    assert!(
        refusal.starts_with("error: model/bundle.json: SHA-256 is "),
        "{refusal}"
    );
    assert!(
        refusal.ends_with("the bundle is damaged, fit or copy it again"),
        "{refusal}"
    );
    bundle.fix_manifest();
    let refusal = bundle.refusal();
    assert!(
        refusal.starts_with("error: model/bundle.json: EOF while parsing"),
        "{refusal}"
    );
}

#[test]
fn an_altered_byte_is_refused_in_any_file() {
    let bundle = Bundle::new();
    for name in ["bundle.json", "card.json", "golden.json", "report.html"] {
        let text = bundle.read(name);
        bundle.write(name, &(text.clone() + " "));
        let refusal = bundle.refusal();
        assert!(
            refusal.contains(&format!("model/{name}: SHA-256 is ")),
            "{refusal}"
        );
        bundle.write(name, &text);
    }
    bundle.replace("bundle.json", "\"seed\": 7", "\"seed\": 8");
    assert!(bundle.refusal().contains("SHA-256 is "));
}

#[test]
fn a_missing_file_is_refused() {
    for name in [
        "bundle.json",
        "card.json",
        "golden.json",
        "report.html",
        "MANIFEST.sha256",
    ] {
        let bundle = Bundle::new();
        fs::remove_file(bundle.0.path().join("model").join(name)).unwrap();
        let refusal = bundle.refusal();
        assert_eq!(refusal, format!("error: model/{name}: {}", no_such_file()));
    }
}

#[test]
fn a_manifest_without_a_file_is_refused() {
    let bundle = Bundle::new();
    let manifest = bundle.read("MANIFEST.sha256");
    let kept: Vec<&str> = manifest
        .lines()
        .filter(|line| !line.ends_with("golden.json"))
        .collect();
    bundle.write("MANIFEST.sha256", &(kept.join("\n") + "\n"));
    insta::assert_snapshot!(bundle.refusal(), @"error: model/MANIFEST.sha256: does not list golden.json; the bundle is damaged, fit or copy it again");
}

#[test]
fn another_format_is_refused_before_anything_else_is_read() {
    let bundle = Bundle::new();
    for (other, remedy) in [
        (OLDEST_FORMAT_VERSION - 1, "fit the model again"),
        (
            FORMAT_VERSION + 1,
            "upgrade ebb, or fit the model again with this version",
        ),
    ] {
        let text = format!("{{\"format_version\": {other}, \"wheels\": 4}}");
        bundle.write("bundle.json", &text);
        bundle.fix_manifest();
        let expected = format!(
            "error: model/bundle.json: format version {other}; this build reads {OLDEST_FORMAT_VERSION} to {FORMAT_VERSION}, {remedy}"
        );
        assert_eq!(bundle.refusal(), expected);
    }
}

#[test]
fn features_that_this_build_does_not_know_are_refused() {
    let bundle = Bundle::new();
    let hash = serde_json::from_str::<serde_json::Value>(&bundle.read("bundle.json")).unwrap();
    let hash = hash["feature_hash"].as_str().unwrap().to_owned();
    bundle.replace("bundle.json", &hash, "0000");
    bundle.fix_manifest();
    let refusal = bundle.refusal();
    insta::assert_snapshot!(refusal.replace(&hash, "HASH"), @"error: the bundle's feature hash is 0000, this build's is HASH: fit the model again with this version");
}

#[test]
fn a_bundle_that_does_not_repeat_its_golden_answers_is_refused() {
    let bundle = Bundle::new();
    let mut golden: serde_json::Value = serde_json::from_str(&bundle.read("golden.json")).unwrap();
    let cases = golden["cases"].as_array_mut().unwrap();
    let scored = cases
        .iter()
        .position(|case| case["horizons"][0][0].is_f64())
        .unwrap();
    let probability = &mut cases[scored]["horizons"][0][0];
    // The next number after it: the smallest change there is.
    *probability = serde_json::json!(f64::from_bits(probability.as_f64().unwrap().to_bits() + 1));
    bundle.write(
        "golden.json",
        &serde_json::to_string_pretty(&golden).unwrap(),
    );
    bundle.fix_manifest();
    let refusal = bundle.refusal();
    let expected = format!("error: golden case {scored}, the churn probabilities: found ");
    assert!(refusal.starts_with(&expected), "{refusal}");
    bundle.write("golden.json", "{\"cases\": []}");
    bundle.fix_manifest();
    assert!(
        bundle
            .refusal()
            .contains("golden.json: found none, recorded 12 cases")
    );
}

#[test]
fn changed_weights_are_refused_by_the_golden_answers() {
    let bundle = Bundle::new();
    let mut spec: serde_json::Value = serde_json::from_str(&bundle.read("bundle.json")).unwrap();
    spec["models"][0]["intercept"] = serde_json::json!(0.25);
    bundle.write("bundle.json", &serde_json::to_string_pretty(&spec).unwrap());
    bundle.fix_manifest();
    assert!(bundle.refusal().contains("the churn probabilities"));
    spec["models"][0]["weights"].as_array_mut().unwrap().pop();
    bundle.write("bundle.json", &serde_json::to_string_pretty(&spec).unwrap());
    bundle.fix_manifest();
    let refusal = bundle.refusal();
    assert!(
        refusal.contains("the bundle's `models[30 days]` has ")
            && refusal.contains(" weights for "),
        "{refusal}"
    );
}
