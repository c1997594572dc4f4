//! Labels that callers moved, over restarts.

use std::path::{Path, PathBuf};

use super::models::save_other;
use super::*;

/// A folder with these models, and a configuration whose stable model is the first one.
struct Site {
    dir: tempfile::TempDir,
    versions: Vec<String>,
}

impl Site {
    fn of(names: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let saved = names.iter().enumerate();
        let versions = saved
            .map(|(i, name)| save_other(&dir.path().join(name), i as f64))
            .collect();
        Self { dir, versions }
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn config(&self, stable: &str) -> Config {
        Config {
            model: Some(self.folder(stable)),
            models: Some(self.dir.path().to_owned()),
            ..Config::default()
        }
    }

    /// A server that starts as `ebb-serve` does, with users besides.
    async fn start(&self, config: Config) -> Running {
        let loading = config.clone();
        Running::of(config, move || {
            Ok(InitialState {
                users: known(Some(histories(&log())))?,
                ..InitialState::load(&loading)?
            })
        })
        .await
    }

    fn file(&self) -> PathBuf {
        self.folder("labels.json")
    }
}

async fn stable_after(site: &Site, config: Config) -> String {
    let server = site.start(config).await;
    let version = server.version_of("").await.unwrap();
    server.stop().await;
    version
}

/// Loads a model and makes it stable.
async fn promote(server: &Running, name: &str) {
    server.load_model(name, false).await.unwrap();
    let moved = server.activate(ModelLabel::Stable, name, "").await;
    assert!(moved.is_ok(), "{moved:?}");
}

fn folder_is(path: &Path, files: &[&str]) {
    let mut names: Vec<String> = std::fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, files);
}

#[tokio::test]
async fn moved_labels_are_there_after_a_restart() {
    let site = Site::of(&["live", "next"]);
    let server = site.start(site.config("live")).await;
    promote(&server, "next").await;
    server
        .activate(ModelLabel::Canary, "live", "")
        .await
        .unwrap();
    server.stop().await;
    folder_is(site.dir.path(), &["labels.json", "live", "next"]);
    let server = site.start(site.config("live")).await;
    assert_eq!(server.version_of("").await.unwrap(), site.versions[1]);
    assert_eq!(server.version_of("canary").await.unwrap(), site.versions[0]);
    // Removing a label is a change as well.
    server.activate(ModelLabel::Canary, "", "").await.unwrap();
    server.stop().await;
    let server = site.start(site.config("live")).await;
    assert!(server.version_of("canary").await.is_err());
    // The configuration's model is there to go back to, without another load.
    server
        .activate(ModelLabel::Stable, "live", "")
        .await
        .unwrap();
    server.stop().await;
    assert_eq!(
        stable_after(&site, site.config("live")).await,
        site.versions[0]
    );
}

#[tokio::test]
async fn a_configuration_that_names_another_model_wins_for_good() {
    let site = Site::of(&["live", "next", "newest"]);
    let server = site.start(site.config("live")).await;
    promote(&server, "next").await;
    server.stop().await;
    // The control: without an edit the label holds.
    assert_eq!(
        stable_after(&site, site.config("live")).await,
        site.versions[1]
    );
    let server = site.start(site.config("newest")).await;
    assert_eq!(server.version_of("").await.unwrap(), site.versions[2]);
    // The file follows, so that the old move does not come back with the old configuration.
    let kept = async || std::fs::read_to_string(site.file()).unwrap();
    until(async || kept().await.matches("newest").count() == 2).await;
    server.stop().await;
    assert_eq!(
        stable_after(&site, site.config("live")).await,
        site.versions[0]
    );
}

#[tokio::test]
async fn a_file_that_cannot_be_written_or_read_changes_nothing_else() {
    let site = Site::of(&["live", "next"]);
    // Root may write everywhere: a folder of that name cannot be replaced by a file by anyone.
    std::fs::create_dir(site.file()).unwrap();
    let server = site.start(site.config("live")).await;
    promote(&server, "next").await;
    assert_eq!(server.version_of("").await.unwrap(), site.versions[1]);
    folder_is(site.dir.path(), &["labels.json", "live", "next"]);
    std::fs::remove_dir(site.file()).unwrap();
    // The next change is written, with all labels as they are.
    server
        .activate(ModelLabel::Canary, "live", "")
        .await
        .unwrap();
    server.stop().await;
    assert_eq!(
        stable_after(&site, site.config("live")).await,
        site.versions[1]
    );
    for damaged in ["", "{\"format\":9}", "[]"] {
        std::fs::write(site.file(), damaged).unwrap();
        assert_eq!(
            stable_after(&site, site.config("live")).await,
            site.versions[0],
            "{damaged}"
        );
    }
    let path = |name: &str| {
        let labels = format!("{{\"stable\":\"{name}\"}}");
        format!(r#"{{"format":1,"labels":{labels},"configured":{{"stable":"live"}}}}"#)
    };
    std::fs::write(site.file(), path("next")).unwrap();
    assert_eq!(
        stable_after(&site, site.config("live")).await,
        site.versions[1]
    );
    for outside in ["../next", "/next", ".next", "canary", "gone"] {
        std::fs::write(site.file(), path(outside)).unwrap();
        assert_eq!(
            stable_after(&site, site.config("live")).await,
            site.versions[0],
            "{outside}"
        );
    }
}

#[tokio::test]
async fn a_model_that_lost_its_label_may_be_deleted_and_one_with_a_label_falls_back() {
    let site = Site::of(&["live", "next"]);
    let server = site.start(site.config("live")).await;
    promote(&server, "next").await;
    server.stop().await;
    let (live, aside) = (site.folder("live"), site.folder("aside"));
    std::fs::rename(&live, &aside).unwrap();
    assert_eq!(
        stable_after(&site, site.config("live")).await,
        site.versions[1]
    );
    // Neither can be used: there is nothing to answer with.
    std::fs::write(site.folder("next").join("bundle.json"), "{}").unwrap();
    let config = site.config("live");
    let problem = InitialState::load(&config).unwrap_err().to_string();
    assert!(problem.contains("live"), "{problem}");
    std::fs::rename(&aside, &live).unwrap();
    assert_eq!(
        stable_after(&site, site.config("live")).await,
        site.versions[0]
    );
}

#[tokio::test]
async fn without_a_folder_of_models_nothing_is_kept() {
    let site = Site::of(&["live", "next"]);
    let config = Config {
        models: None,
        canary: Some(site.folder("next")),
        ..site.config("live")
    };
    let server = site.start(config.clone()).await;
    server
        .activate(ModelLabel::Stable, "next", "")
        .await
        .unwrap();
    server.stop().await;
    folder_is(site.dir.path(), &["live", "next"]);
    assert_eq!(stable_after(&site, config).await, site.versions[0]);
}
