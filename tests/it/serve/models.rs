//! Loading, labels and swaps under load.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ebb::model::save;
use tonic::Code;
use tonic_types::StatusExt;

use super::*;
use crate::support::TIMEZONE;

/// A bundle like [`spec`]'s with another intercept, and so with other answers.
pub(super) fn save_other(dir: &Path, intercept: f64) -> String {
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
pub(super) async fn server_of_two() -> (tempfile::TempDir, Running, [String; 2]) {
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
    let stock = move || -> Result<InitialState, ServeError> {
        let stock = InitialState::load(&Config {
            model: config.model.clone(),
            ..Config::default()
        })?;
        Ok(InitialState {
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
    pub(super) async fn load_model(
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

    pub(super) async fn activate(
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

    pub(super) async fn unload(
        &self,
        name: &str,
        etag: &str,
    ) -> Result<UnloadModelResponse, tonic::Status> {
        let request = UnloadModelRequest {
            name: name.into(),
            etag: etag.into(),
        };
        Ok(self.models().unload_model(request).await?.into_inner())
    }

    pub(super) async fn list(&self) -> ListModelsResponse {
        self.models()
            .list_models(ListModelsRequest::default())
            .await
            .unwrap()
            .into_inner()
    }

    pub(super) async fn version_of(&self, model: &str) -> Result<String, tonic::Status> {
        Ok(self
            .score(ScoreUserRequest {
                model: model.into(),
                ..ask(user("ann"))
            })
            .await?
            .model_version)
    }
}

pub(super) fn code_and_reason(status: &tonic::Status) -> (Code, String) {
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
        code_and_reason(&server.version_of("next").await.unwrap_err()),
        (Code::NotFound, "MODEL_UNKNOWN".into())
    );
    assert_eq!(
        code_and_reason(&server.version_of("canary").await.unwrap_err()),
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
async fn changes_with_an_old_etag_and_impossible_ones_are_rejected() {
    let (_dir, server, _) = server_of_two().await;
    let before = server.list().await.etag;
    server.load_model("next", false).await.unwrap();
    let stale = server
        .activate(ModelLabel::Stable, "next", &before)
        .await
        .unwrap_err();
    assert_eq!(
        code_and_reason(&stale),
        (Code::Aborted, "ETAG_MISMATCH".into())
    );
    assert_eq!(
        stale.get_error_details().error_info().unwrap().metadata["etag"],
        server.list().await.etag
    );
    assert_eq!(
        code_and_reason(&server.unload("next", &before).await.unwrap_err()).0,
        Code::Aborted
    );
    let labelled = server.unload("live", "").await.unwrap_err();
    assert_eq!(
        code_and_reason(&labelled),
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
}

#[tokio::test]
async fn only_the_name_of_a_folder_below_the_models_folder_is_loaded() {
    let (_dir, server, _) = server_of_two().await;
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
            code_and_reason(&status),
            (Code::InvalidArgument, "FIELD_INVALID".into()),
            "{name:?}"
        );
    }
    assert_eq!(
        code_and_reason(&server.load_model("nothing", false).await.unwrap_err()),
        (Code::NotFound, "MODEL_UNKNOWN".into())
    );
    let fixed = Running::ready()
        .await
        .load_model("next", false)
        .await
        .unwrap_err();
    assert_eq!(
        code_and_reason(&fixed),
        (Code::FailedPrecondition, "MODEL_LOADING_DISABLED".into())
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
        code_and_reason(&server.load_model("d", false).await.unwrap_err()),
        (Code::FailedPrecondition, "MODEL_LOADING_DISABLED".into())
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

async fn score_of(server: &Running, model: &str) -> Score {
    let request = ScoreUserRequest {
        model: model.into(),
        ..ask(user("ann"))
    };
    server.score(request).await.unwrap()
}

/// Every answer while models are swapped is that of the version that it names. The control: the two versions'
/// answers differ, and both were seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn models_are_swapped_under_load_without_a_failed_or_mixed_answer() {
    let (_dir, server, versions) = server_of_two().await;
    server.load_model("next", false).await.unwrap();
    let known = [
        score_of(&server, "live").await,
        score_of(&server, "next").await,
    ];
    assert_ne!(
        known[0].horizons[0].churn_probability,
        known[1].horizons[0].churn_probability
    );
    let (done, answered) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new([AtomicU64::new(0), AtomicU64::new(0)]),
    );
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (mut client, done, answered, known) = (
                server.scoring(),
                done.clone(),
                answered.clone(),
                known.clone(),
            );
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
                        .position(|known| known.model_version == score.model_version)
                        .unwrap();
                    assert_eq!(score, known[which]);
                    answered[which].fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let often = || {
        answered
            .iter()
            .all(|count| count.load(Ordering::Relaxed) > 10)
    };
    let (mut swap, begun) = (0, std::time::Instant::now());
    while swap < 120 || !often() {
        server
            .activate(ModelLabel::Stable, ["next", "live"][swap % 2], "")
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
        swap += 1;
        assert!(begun.elapsed().as_secs() < 60, "{answered:?}");
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

/// Puts something else in the place of a file of the model "next".
async fn refusal_of(change: impl FnOnce(&Path)) -> String {
    let (dir, server, [live, _]) = server_of_two().await;
    let next = dir.path().join("next");
    save_other(&dir.path().join("good"), 0.3);
    change(&next);
    let refused = server.load_model("next", false).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    let mut client = server.models();
    let listed = client.list_models(ListModelsRequest::default()).await;
    let listed = listed.unwrap().into_inner().models;
    let next = listed.iter().find(|model| model.name == "next").unwrap();
    assert!(refused.message().contains(&next.reason), "{next:?}");
    // The next load is not held up, and what was served is served on.
    server.load_model("good", false).await.unwrap();
    assert_eq!(score_of(&server, "").await.model_version, live);
    refused.message().to_owned()
}

#[tokio::test]
async fn folders_of_something_else_than_files_are_refused() {
    use std::os::unix::fs::symlink;
    let exchanged = |name: &'static str, make: fn(&Path)| {
        refusal_of(move |next| {
            let path = next.join(name);
            std::fs::remove_file(&path).unwrap();
            make(&path);
        })
    };
    let fifo = exchanged("bundle.json", super::keys::make_fifo).await;
    assert!(fifo.contains("bundle.json: is a FIFO"), "{fifo}");
    let endless = |path: &Path| symlink("/dev/zero", path).unwrap();
    let endless = exchanged("report.html", endless).await;
    assert!(endless.contains("report.html: is a device"), "{endless}");
    let sparse = |path: &Path| {
        let file = std::fs::File::create(path).unwrap();
        file.set_len(10 << 30).unwrap();
    };
    let sparse = exchanged("golden.json", sparse).await;
    assert!(
        sparse.contains("golden.json has 10737418240 bytes; at most 16777216"),
        "{sparse}"
    );
    // The folder itself.
    let folder = refusal_of(|next| {
        std::fs::remove_dir_all(next).unwrap();
        super::keys::make_fifo(next);
    });
    let folder = folder.await;
    assert!(folder.contains("next: is a FIFO"), "{folder}");
}

#[tokio::test]
async fn a_reason_is_short_enough_for_a_header() {
    let long = refusal_of(|next| {
        let bundle = std::fs::read_to_string(next.join("bundle.json")).unwrap();
        let manifest = std::fs::read_to_string(next.join("MANIFEST.sha256")).unwrap();
        let zone = format!("\"{}\"", "A".repeat(100_000));
        let changed = bundle.replace(&format!("\"{TIMEZONE}\""), &zone);
        assert!(changed.len() > 100_000, "no time zone in {bundle}");
        let hash = ebb::model::store::sha256_hex;
        let manifest = manifest.replace(&hash(bundle.as_bytes()), &hash(changed.as_bytes()));
        std::fs::write(next.join("bundle.json"), changed).unwrap();
        std::fs::write(next.join("MANIFEST.sha256"), manifest).unwrap();
    });
    let long = long.await;
    assert!(long.contains("AAA") && long.len() < 400, "{long}");
}
