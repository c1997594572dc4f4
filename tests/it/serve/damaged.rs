//! Bundles that are no use: each is rejected, and the model in use stays.

use std::path::Path;

use ebb::model::FORMAT_VERSION;
use tonic::Code;

use super::models::{code_and_reason, save_other, server_of_two};
use super::*;

/// A way to damage a bundle, and what the error must contain.
type Damage = (&'static str, fn(&Path), &'static str);

fn edit(dir: &Path, file: &str, change: impl Fn(String) -> String) {
    let path = dir.join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    let changed = change(text.clone());
    // A damage that changes nothing would make its case pass for any other reason.
    assert_ne!(changed, text, "{file}");
    std::fs::write(&path, changed).unwrap();
}

/// Changes a file and signs it again, so that only its content is wrong.
fn forge(dir: &Path, file: &str, change: impl Fn(String) -> String) {
    edit(dir, file, change);
    let hash = ebb::model::store::sha256_hex(&std::fs::read(dir.join(file)).unwrap());
    edit(dir, "MANIFEST.sha256", |manifest| {
        let line = |line: &str| {
            if line.ends_with(file) {
                format!("{hash}  {file}\n")
            } else {
                format!("{line}\n")
            }
        };
        manifest.lines().map(line).collect()
    });
}

const DAMAGES: [Damage; 13] = [
    (
        "truncated",
        |d| edit(d, "bundle.json", |t| t[..t.len() / 2].to_owned()),
        "bundle.json: SHA-256",
    ),
    (
        "altered",
        |d| edit(d, "bundle.json", |t| t.replacen("0.05", "0.06", 1)),
        "bundle.json: SHA-256",
    ),
    (
        "golden altered",
        |d| edit(d, "golden.json", |t| t.replacen('1', "2", 1)),
        "golden.json: SHA-256",
    ),
    (
        "a file is missing",
        |d| std::fs::remove_file(d.join("golden.json")).unwrap(),
        "golden.json",
    ),
    (
        "no manifest",
        |d| std::fs::remove_file(d.join("MANIFEST.sha256")).unwrap(),
        "MANIFEST.sha256",
    ),
    (
        "manifest cut",
        |d| edit(d, "MANIFEST.sha256", |t| t.lines().take(1).collect()),
        "does not list",
    ),
    (
        "NaN",
        |d| forge(d, "bundle.json", |t| t.replacen("0.05", "NaN", 1)),
        "bundle.json: expected",
    ),
    (
        "infinite",
        |d| forge(d, "bundle.json", |t| t.replacen("0.05", "1e999", 1)),
        "bundle.json: ",
    ),
    (
        "other schema",
        |d| {
            forge(d, "bundle.json", |t| {
                t.replacen("\"return\"", "\"refund\"", 1)
            })
        },
        "feature hash",
    ),
    (
        "another format",
        |d| {
            forge(d, "bundle.json", |t| {
                let current = format!("\"format_version\": {FORMAT_VERSION}");
                t.replacen(&current, "\"format_version\": 9", 1)
            })
        },
        "format version 9",
    ),
    (
        "other weights",
        |d| forge(d, "bundle.json", |t| t.replacen("0.05", "0.06", 1)),
        "golden case",
    ),
    (
        "other answers",
        |d| {
            forge(d, "golden.json", |t| {
                t.replacen("\"stage\": \"", "\"stage\": \"x", 1)
            })
        },
        "golden case",
    ),
    (
        "card is no text",
        |d| {
            std::fs::write(d.join("card.json"), [0xff, 0xfe]).unwrap();
            let hash = ebb::model::store::sha256_hex(&[0xff, 0xfe]);
            edit(d, "MANIFEST.sha256", |t| {
                t.lines()
                    .map(|l| {
                        if l.ends_with("card.json") {
                            format!("{hash}  card.json\n")
                        } else {
                            format!("{l}\n")
                        }
                    })
                    .collect()
            });
        },
        "UTF-8",
    ),
];

#[tokio::test]
async fn a_damaged_bundle_is_rejected_with_the_reason_and_the_old_one_stays_in_use() {
    let (dir, server, [live, next]) = server_of_two().await;
    for (name, damage, part) in DAMAGES {
        let folder = dir.path().join("next");
        std::fs::remove_dir_all(&folder).unwrap();
        save_other(&folder, 1.5);
        damage(&folder);
        let status = server.load_model("next", false).await.unwrap_err();
        assert_eq!(
            code_and_reason(&status),
            (Code::FailedPrecondition, "MODEL_REFUSED".into()),
            "{name}"
        );
        assert!(
            status.message().contains(part),
            "{name}: {}",
            status.message()
        );
        let entry = server
            .list()
            .await
            .models
            .into_iter()
            .find(|model| model.name == "next")
            .unwrap();
        assert_eq!(entry.state(), ModelState::Failed);
        assert!(entry.reason.contains(part), "{name}: {}", entry.reason);
        let activated = server
            .activate(ModelLabel::Stable, "next", "")
            .await
            .unwrap_err();
        assert_eq!(
            code_and_reason(&activated),
            (Code::FailedPrecondition, "MODEL_STATE".into())
        );
        assert_eq!(server.version_of("").await.unwrap(), live);
    }
    // The negative control: undamaged, it is loaded.
    std::fs::remove_dir_all(dir.path().join("next")).unwrap();
    save_other(&dir.path().join("next"), 1.5);
    assert_eq!(
        server
            .load_model("next", false)
            .await
            .unwrap()
            .model
            .unwrap()
            .version,
        next
    );
}

#[tokio::test]
async fn a_reload_takes_a_new_bundle_and_leaves_a_bad_one() {
    let (dir, server, [live, _]) = server_of_two().await;
    let folder = dir.path().join("live");
    assert_eq!(server.version_of("").await.unwrap(), live);
    let newer = save_other(&folder, 0.7);
    server.reload.send(()).await.unwrap();
    until(async || server.version_of("").await.unwrap() == newer).await;
    edit(&folder, "bundle.json", |t| t.replacen("0.05", "0.06", 1));
    server.reload.send(()).await.unwrap();
    until(async || !server.list().await.models[0].reason.is_empty()).await;
    let entry = server.list().await.models.remove(0);
    assert_eq!(
        (entry.state(), entry.version.as_str()),
        (ModelState::Active, newer.as_str())
    );
    assert!(entry.reason.contains("SHA-256"), "{}", entry.reason);
    assert_eq!(server.version_of("").await.unwrap(), newer);
    // Once the folder is well again, so is the model.
    save_other(&folder, 0.7);
    server.reload.send(()).await.unwrap();
    until(async || server.list().await.models[0].reason.is_empty()).await;
}
