//! The committed bundle of the sample log is what this build makes of it.

use std::path::Path;
use std::process::Command;

#[test]
fn the_sample_model_is_what_a_fit_of_the_sample_log_gives() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("shop");
    let fit = Command::new(env!("CARGO_BIN_EXE_ebb-train"))
        .args([
            "fit",
            "--quiet",
            "--config",
            "datasets/shop/ebb.toml",
            "--out",
        ])
        .arg(&out)
        .current_dir(root)
        .status()
        .unwrap();
    assert!(fit.success());
    for name in [
        "bundle.json",
        "golden.json",
        "card.json",
        "report.html",
        "MANIFEST.sha256",
    ] {
        let made = std::fs::read(out.join(name)).unwrap();
        let committed = std::fs::read(root.join("models/shop").join(name)).unwrap();
        assert!(
            made == committed,
            "models/shop/{name} is not what this build makes of datasets/shop. If the change is meant, run \
             `just sample-model` and commit the result."
        );
    }
}
