//! Loading, labels, exchange under load, damaged bundles, the shadow.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ebb::model::save;
use tonic::Code;
use tonic_types::StatusExt;

use super::*;

/// A bundle like [`spec`]'s with another intercept, and so with other answers.
fn save_other(dir: &Path, intercept: f64) -> String {
    let mut spec = spec();
    spec.models
        .iter_mut()
        .for_each(|model| model.intercept = intercept);
    save(dir, spec, CARD, "<html></html>")
        .unwrap()
        .version()
        .to_owned()
}

/// A folder with the models "live" and "next", and a server that serves "live".
async fn server_of_two() -> (tempfile::TempDir, Running, [String; 2]) {
    let dir = tempfile::tempdir().unwrap();
    let versions = [
        save_other(&dir.path().join("live"), -0.2),
        save_other(&dir.path().join("next"), 1.5),
    ];
    let config = Config {
        model: Some(dir.path().join("live")),
        models: Some(dir.path().to_owned()),
        limits: Limits {
            models: 4,
            ..Limits::default()
        },
        ..Config::default()
    };
    let stock = move || -> Result<Stock, ServeError> {
        let stock = Stock::load(&Config {
            model: config.model.clone(),
            ..Config::default()
        })?;
        Ok(Stock {
            users: known(Some(histories(&log())))?,
            ..stock
        })
    };
    let config = Config {
        models: Some(dir.path().to_owned()),
        limits: Limits {
            models: 4,
            ..Limits::default()
        },
        ..Config::default()
    };
    (dir, Running::of(config, stock).await, versions)
}

impl Running {
    async fn load_model(
        &self,
        name: &str,
        validate_only: bool,
    ) -> Result<LoadModelResponse, tonic::Status> {
        let request = LoadModelRequest {
            name: name.into(),
            validate_only,
        };
        Ok(self.models().load_model(request).await?.into_inner())
    }

    async fn activate(
        &self,
        label: ModelLabel,
        name: &str,
        etag: &str,
    ) -> Result<ActivateModelResponse, tonic::Status> {
        let request = ActivateModelRequest {
            label: label.into(),
            name: name.into(),
            etag: etag.into(),
        };
        Ok(self.models().activate_model(request).await?.into_inner())
    }

    async fn unload(&self, name: &str, etag: &str) -> Result<UnloadModelResponse, tonic::Status> {
        let request = UnloadModelRequest {
            name: name.into(),
            etag: etag.into(),
        };
        Ok(self.models().unload_model(request).await?.into_inner())
    }

    async fn list(&self) -> ListModelsResponse {
        self.models()
            .list_models(ListModelsRequest::default())
            .await
            .unwrap()
            .into_inner()
    }

    async fn version_of(&self, model: &str) -> Result<String, tonic::Status> {
        Ok(self
            .score(ScoreUserRequest {
                model: model.into(),
                ..ask(user("ann"))
            })
            .await?
            .model_version)
    }
}

fn told(status: &tonic::Status) -> (Code, String) {
    (
        status.code(),
        status
            .get_error_details()
            .error_info()
            .unwrap()
            .reason
            .clone(),
    )
}

#[tokio::test]
async fn a_model_is_loaded_labelled_and_unloaded() {
    let (_dir, server, [live, next]) = server_of_two().await;
    assert_eq!(server.version_of("").await.unwrap(), live);
    assert_eq!(
        told(&server.version_of("next").await.unwrap_err()),
        (Code::NotFound, "MODEL_UNKNOWN".into())
    );
    assert_eq!(
        told(&server.version_of("canary").await.unwrap_err()),
        (Code::NotFound, "MODEL_UNKNOWN".into())
    );
    let validated = server.load_model("next", true).await.unwrap();
    assert_eq!(
        (validated.model.unwrap().version, validated.status),
        (next.clone(), None)
    );
    assert_eq!(
        server.list().await.models.len(),
        1,
        "validating changes nothing"
    );
    let loaded = server.load_model("next", false).await.unwrap();
    assert_eq!(loaded.status.unwrap().state(), ModelState::Active);
    server
        .activate(ModelLabel::Canary, "next", &loaded.etag)
        .await
        .unwrap();
    for (name, version) in [
        ("", &live),
        ("stable", &live),
        ("live", &live),
        ("canary", &next),
        ("next", &next),
    ] {
        assert_eq!(&server.version_of(name).await.unwrap(), version, "{name}");
    }
    server
        .activate(ModelLabel::Stable, "next", "")
        .await
        .unwrap();
    assert_eq!(server.version_of("").await.unwrap(), next);
    let listed = server.list().await;
    let labels: Vec<Vec<ModelLabel>> = listed.models.iter().map(|m| m.labels().collect()).collect();
    assert_eq!(
        labels,
        [vec![], vec![ModelLabel::Stable, ModelLabel::Canary]]
    );
    server.unload("live", &listed.etag).await.unwrap();
    until(async || server.list().await.models.len() == 1).await;
    let status = server
        .models()
        .get_model(GetModelRequest::default())
        .await
        .unwrap()
        .into_inner()
        .status
        .unwrap();
    assert_eq!((status.name.as_str(), status.version), ("next", next));
}

#[tokio::test]
async fn decisions_on_old_news_and_impossible_ones_are_refused() {
    let (_dir, server, _) = server_of_two().await;
    let before = server.list().await.etag;
    server.load_model("next", false).await.unwrap();
    let stale = server
        .activate(ModelLabel::Stable, "next", &before)
        .await
        .unwrap_err();
    assert_eq!(told(&stale), (Code::Aborted, "ETAG_STALE".into()));
    assert_eq!(
        stale.get_error_details().error_info().unwrap().metadata["etag"],
        server.list().await.etag
    );
    assert_eq!(
        told(&server.unload("next", &before).await.unwrap_err()).0,
        Code::Aborted
    );
    let labelled = server.unload("live", "").await.unwrap_err();
    assert_eq!(
        told(&labelled),
        (Code::FailedPrecondition, "MODEL_STATE".into())
    );
    assert_eq!(
        labelled
            .get_error_details()
            .resource_info()
            .unwrap()
            .resource_name,
        "live"
    );
    for (label, name, code) in [
        (ModelLabel::Stable, "", Code::InvalidArgument),
        (ModelLabel::Unspecified, "next", Code::InvalidArgument),
        (ModelLabel::Canary, "nothing", Code::NotFound),
    ] {
        assert_eq!(
            server.activate(label, name, "").await.unwrap_err().code(),
            code
        );
    }
    for name in [
        "",
        ".",
        "..",
        "../live",
        "live/",
        "/etc",
        ".hidden",
        "a/b",
        "stable",
        "a\nb",
        &"x".repeat(200),
    ] {
        let status = server.load_model(name, false).await.unwrap_err();
        assert_eq!(
            told(&status),
            (Code::InvalidArgument, "FIELD_INVALID".into()),
            "{name:?}"
        );
    }
    assert_eq!(
        told(&server.load_model("nothing", false).await.unwrap_err()),
        (Code::NotFound, "MODEL_UNKNOWN".into())
    );
    let fixed = Running::ready()
        .await
        .load_model("next", false)
        .await
        .unwrap_err();
    assert_eq!(
        told(&fixed),
        (Code::FailedPrecondition, "MODELS_FIXED".into())
    );
}

#[tokio::test]
async fn models_have_a_limit_and_come_in_pages() {
    let (dir, server, _) = server_of_two().await;
    for name in ["a", "b", "c", "d"] {
        save_other(&dir.path().join(name), 0.1);
    }
    for name in ["a", "b", "c"] {
        server.load_model(name, false).await.unwrap();
    }
    assert_eq!(
        told(&server.load_model("d", false).await.unwrap_err()),
        (Code::FailedPrecondition, "MODELS_FIXED".into())
    );
    let (mut names, mut page_token) = (Vec::new(), String::new());
    for expected in [3, 1] {
        let request = ListModelsRequest {
            page_size: 3,
            page_token,
        };
        let page = server
            .models()
            .list_models(request)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(page.models.len(), expected);
        names.extend(page.models.into_iter().map(|model| model.name));
        page_token = page.next_page_token;
    }
    assert_eq!(
        (names.join(" ").as_str(), page_token.as_str()),
        ("a b c live", "")
    );
    let request = ListModelsRequest {
        page_size: 3,
        page_token: "zzz".into(),
    };
    assert_eq!(
        server
            .models()
            .list_models(request)
            .await
            .unwrap_err()
            .code(),
        Code::InvalidArgument
    );
}

/// Every answer given while models are exchanged is that of the version it names. The control: the two versions'
/// answers differ, and both were seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn models_are_exchanged_under_load_without_a_failed_or_mixed_answer() {
    let (_dir, server, versions) = server_of_two().await;
    server.load_model("next", false).await.unwrap();
    let mut known = Vec::new();
    for name in ["live", "next"] {
        let score = server
            .score(ScoreUserRequest {
                model: name.into(),
                ..ask(user("ann"))
            })
            .await
            .unwrap();
        known.push((score.model_version.clone(), score));
    }
    assert_ne!(
        known[0].1.horizons[0].churn_probability,
        known[1].1.horizons[0].churn_probability
    );
    let (done, asked) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new([AtomicU64::new(0), AtomicU64::new(0)]),
    );
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (mut client, done, asked, known) =
                (server.scoring(), done.clone(), asked.clone(), known.clone());
            tokio::spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    let score = client
                        .score_user(ask(user("ann")))
                        .await
                        .unwrap()
                        .into_inner()
                        .score
                        .unwrap();
                    let which = known
                        .iter()
                        .position(|(version, _)| *version == score.model_version)
                        .unwrap();
                    assert_eq!(score, known[which].1);
                    asked[which].fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let often = || asked.iter().all(|count| count.load(Ordering::Relaxed) > 10);
    let (mut swap, begun) = (0, std::time::Instant::now());
    while swap < 120 || !often() {
        server
            .activate(ModelLabel::Stable, ["next", "live"][swap % 2], "")
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
        swap += 1;
        assert!(begun.elapsed().as_secs() < 60, "{asked:?}");
    }
    server
        .activate(ModelLabel::Stable, "live", "")
        .await
        .unwrap();
    done.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    assert_eq!(server.version_of("").await.unwrap(), versions[0]);
}

/// A way to damage a bundle, and what the refusal says of it.
type Damage = (&'static str, fn(&Path), &'static str);

fn edit(dir: &Path, file: &str, change: impl Fn(String) -> String) {
    let path = dir.join(file);
    std::fs::write(&path, change(std::fs::read_to_string(&path).unwrap())).unwrap();
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
                t.replacen("\"format_version\": 2", "\"format_version\": 9", 1)
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
async fn a_damaged_bundle_is_refused_with_the_reason_and_the_old_one_serves_on() {
    let (dir, server, [live, next]) = server_of_two().await;
    for (name, damage, part) in DAMAGES {
        let folder = dir.path().join("next");
        std::fs::remove_dir_all(&folder).unwrap();
        save_other(&folder, 1.5);
        damage(&folder);
        let status = server.load_model("next", false).await.unwrap_err();
        assert_eq!(
            told(&status),
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
            told(&activated),
            (Code::FailedPrecondition, "MODEL_STATE".into())
        );
        assert_eq!(server.version_of("").await.unwrap(), live);
    }
    // The negative control: undamaged, it is taken.
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

#[tokio::test]
async fn a_shadow_is_compared_and_never_answers() {
    let (_dir, server, [live, _]) = server_of_two().await;
    server.load_model("next", false).await.unwrap();
    assert_eq!(server.list().await.shadow, None);
    server
        .activate(ModelLabel::Shadow, "next", "")
        .await
        .unwrap();
    let (ours, theirs) = (
        server.score(ask(user("ann"))).await.unwrap(),
        server
            .score(ScoreUserRequest {
                model: "next".into(),
                ..ask(user("ann"))
            })
            .await
            .unwrap(),
    );
    assert_eq!(ours.model_version, live);
    // Whoever is asked while another question waits for a thread is skipped: ask until enough were compared.
    until(async || {
        let subjects = ["ann", "dan", "ola", "nobody"].map(user).to_vec();
        server
            .batch(BatchScoreUsersRequest {
                subjects,
                as_of: END.into(),
                ..Default::default()
            })
            .await
            .unwrap();
        server.list().await.shadow.unwrap().compared >= 3
    })
    .await;
    let report = server.list().await.shadow.unwrap();
    let difference =
        (ours.horizons[0].churn_probability - theirs.horizons[0].churn_probability).abs();
    assert_eq!((report.name.as_str(), report.unscored), ("next", 0));
    assert!(
        difference > 0.01 && report.max_difference >= difference && report.mean_difference > 0.0
    );
    let other = u64::from(ours.horizons[0].risk_band != theirs.horizons[0].risk_band);
    assert!(report.risk_band_mismatches >= other && report.stage_mismatches == 0);
    server.activate(ModelLabel::Shadow, "", "").await.unwrap();
    assert_eq!(server.list().await.shadow, None);
}
