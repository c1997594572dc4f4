//! Putting a bundle in the place of the one in use, and an earlier one back.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::ModelError;
use super::archive::{Archive, files_at, published};
use super::store::{Files, Saved, destination, load, load_files, stage};
use crate::output::{Destination, Held, Inputs, OutputError, check_apart, exchange, hold};

/// What is published now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The version of the bundle in use.
    pub version: String,
    /// The version of the bundle that was in use before, and is kept.
    pub previous: Option<String>,
    /// Where the bundle before is kept, if there is one.
    pub previous_dir: PathBuf,
    /// Whether the bundle was in use already, so that nothing was done.
    pub unchanged: bool,
}

/// Earlier bundles that [`publish`] keeps.
pub const KEPT_BUNDLES: usize = 5;

/// [`publish_keeping`] of [`KEPT_BUNDLES`].
///
/// # Errors
/// As [`publish_keeping`].
pub fn publish(model: &Path, live: &Path) -> Result<Published, ModelError> {
    publish_keeping(model, live, KEPT_BUNDLES)
}

/// Loads the bundle at `model`, replays its golden answers, and puts a copy of exactly those bytes in the place of `live`,
/// in one step: a reader finds the earlier bundle or this one, never none and never a mixture. The earlier one is kept at
/// `live.previous`, and what was there goes to `live.history`, as long as it is among the newest `kept` (at least 1) of the
/// earlier bundles. A bundle that is in use already stays.
///
/// # Errors
/// [`ModelError`] for a bundle that does not load, and for what cannot be written; nothing was changed then, unless it is
/// [`OutputError::Leftover`].
pub fn publish_keeping(model: &Path, live: &Path, kept: usize) -> Result<Published, ModelError> {
    let (_, files) = load_files(model)?;
    let places = Places::of(live)?;
    let mut inputs = Inputs::default();
    inputs.add(model);
    let outputs = [places.live.clone(), places.previous.clone()];
    check_apart(&outputs, &inputs).map_err(|error| match error {
        OutputError::IsInput { path, .. } => ModelError::SameFolder {
            model: model.to_owned(),
            live: path,
        },
        other => other.into(),
    })?;
    places.replace(&files, kept.max(1))
}

/// Exchanges the bundle at `live` with the one that was there before, in one step. Done twice, all is as it was.
///
/// # Errors
/// [`ModelError`] when there is no bundle before, or it does not load; nothing was changed then.
pub fn roll_back(live: &Path) -> Result<Published, ModelError> {
    let places = Places::of(live)?;
    let held = places.hold();
    places.check_live()?;
    places.swap(&held)
}

/// Puts the earlier bundle whose version begins with `version` back in the place of `live`. The one in use is kept at
/// `live.previous`.
///
/// # Errors
/// [`ModelError`] when no earlier bundle has this version, or several have, or it does not load; nothing was changed then.
pub fn roll_back_to(live: &Path, version: &str) -> Result<Published, ModelError> {
    let places = Places::of(live)?;
    places.check_live()?;
    let found = places.find(version)?;
    if found == places.live.given() {
        let version = files_at(&found).map(|files| files.version());
        return Ok(places.published(version.unwrap_or_default(), true));
    }
    if found == places.previous.given() {
        return places.swap(&places.hold());
    }
    let (_, files) = load_files(&found)?;
    // Whatever is given up for it goes to the history, and as much comes out of it.
    places.replace(&files, usize::MAX)
}

/// A bundle in use, or one that was.
#[derive(Debug)]
pub struct KeptBundle {
    /// Where it is.
    pub folder: PathBuf,
    /// Whether it is in use.
    pub in_use: bool,
    /// When it was written there.
    pub published: Option<SystemTime>,
    /// The bundle, or why it cannot be loaded.
    pub saved: Result<Saved, ModelError>,
}

/// The bundle in use at `live`, and the earlier ones that are kept, newest first.
///
/// # Errors
/// [`ModelError::Io`] when there is no such folder.
pub fn kept_bundles(live: &Path) -> Result<Vec<KeptBundle>, ModelError> {
    let places = Places::of(live)?;
    places.check_live()?;
    let bundle = |folder: PathBuf| KeptBundle {
        in_use: folder == places.live.given(),
        published: published(&folder),
        saved: load(&folder),
        folder,
    };
    Ok(places.folders()?.into_iter().map(bundle).collect())
}

/// Where bundles in use and earlier ones are: `live`, and `live.previous` and `live.history` beside the folder itself, also if
/// `live` is a link to it.
struct Places {
    live: Destination,
    previous: Destination,
    archive: Archive,
}

impl Places {
    fn of(given: &Path) -> Result<Self, ModelError> {
        let live = destination(given)?;
        let folder = if given.is_symlink() {
            live.path()
        } else {
            given
        };
        let beside = |ending: &str| {
            let mut name = folder.file_name().unwrap_or_default().to_owned();
            name.push(ending);
            folder.with_file_name(name)
        };
        Ok(Self {
            previous: destination(&beside(".previous"))?,
            archive: Archive::new(beside(".history")),
            live,
        })
    }

    fn hold(&self) -> Held {
        hold([&self.live, &self.previous])
    }

    fn check_live(&self) -> Result<(), ModelError> {
        if self.live.exists() {
            return Ok(());
        }
        Err(ModelError::Io {
            path: self.live.given().to_owned(),
            source: ErrorKind::NotFound.into(),
        })
    }

    /// The folders with a bundle, newest first.
    fn folders(&self) -> Result<Vec<PathBuf>, ModelError> {
        let mut folders = vec![self.live.given().to_owned()];
        if self.previous.exists() {
            folders.push(self.previous.given().to_owned());
        }
        folders.extend(self.archive.entries()?.into_iter().map(|entry| entry.path));
        Ok(folders)
    }

    /// Puts a bundle in the place of the one in use, unless it is there already.
    fn replace(&self, files: &Files, kept: usize) -> Result<Published, ModelError> {
        let Files { manifest, contents } = files;
        let staged = stage(
            self.live.clone(),
            manifest,
            contents.each_ref().map(Vec::as_slice),
        )?;
        let held = self.hold();
        let unchanged = files_at(self.live.path()).is_some_and(|there| there == *files);
        if !unchanged {
            // One of the earlier bundles is at `previous`.
            if kept > 1 && self.live.exists() {
                self.archive.add(&self.previous)?;
            }
            staged.commit_keeping(&self.previous, &held)?;
        }
        // Also where nothing is new: an earlier run may have been killed before it.
        let in_use = [&self.live, &self.previous];
        self.archive.prune(kept - 1, &in_use)?;
        Ok(self.published(files.version(), unchanged))
    }

    fn swap(&self, held: &Held) -> Result<Published, ModelError> {
        if !self.previous.exists() {
            return Err(ModelError::NoPrevious {
                live: self.live.given().to_owned(),
                previous: self.previous.given().to_owned(),
            });
        }
        let (_, files) = load_files(self.previous.path())?;
        exchange(&self.live, &self.previous, held)?;
        Ok(self.published(files.version(), false))
    }

    /// The folder of the newest bundle whose version begins with these letters.
    fn find(&self, version: &str) -> Result<PathBuf, ModelError> {
        let mut kept: Vec<(String, PathBuf)> = Vec::new();
        for folder in self.folders()? {
            // What is damaged has no version.
            let version = files_at(&folder).map(|files| files.version());
            kept.extend(version.map(|version| (version, folder)));
        }
        let mut found = kept
            .iter()
            .filter(|(own, _)| !version.is_empty() && own.starts_with(version));
        let first = found.next();
        if let Some((own, folder)) = first
            && found.all(|(other, _)| other == own)
        {
            return Ok(folder.clone());
        }
        Err(ModelError::NoSuchVersion {
            live: self.live.given().to_owned(),
            version: version.to_owned(),
            several: first.is_some(),
            kept: kept.into_iter().map(|(version, _)| version).collect(),
        })
    }

    fn published(&self, version: String, unchanged: bool) -> Published {
        let before = files_at(self.previous.path()).map(|files| files.version());
        Published {
            version,
            previous: before,
            previous_dir: self.previous.given().to_owned(),
            unchanged,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::{AtomicBool, Ordering};

    use tempfile::TempDir;

    use super::*;
    use crate::model::tests::spec;
    use crate::model::{load, save};
    use crate::output::Folder;
    use crate::regular_file::contents;

    /// The card of the bundle of this name.
    fn card_of(name: &str) -> String {
        format!("{{\"name\":\"{name}\"}}")
    }

    /// A folder with bundles `one` and `two`, each with its name on its card.
    fn two() -> TempDir {
        let dir = TempDir::new().unwrap();
        for (name, seed) in [("one", 1), ("two", 2)] {
            let mut spec = spec();
            spec.training.seed = seed;
            save(&dir.path().join(name), spec, &card_of(name), name).unwrap();
        }
        dir
    }

    fn card(path: &Path) -> String {
        let saved = load(path).unwrap();
        let seed = saved.bundle.spec().training.seed;
        let name = ["", "one", "two"][seed as usize];
        assert_eq!(
            saved.card,
            card_of(name),
            "one bundle's model, the other's card"
        );
        name.to_owned()
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = entries.collect();
        names.sort();
        names
    }

    #[test]
    fn the_bundle_before_is_kept_and_comes_back() {
        let dir = two();
        let [one, two, live, previous] =
            ["one", "two", "live", "live.previous"].map(|name| dir.path().join(name));
        let first = publish(&one, &live).unwrap();
        assert_eq!((first.previous, first.unchanged), (None, false));
        let nothing = roll_back(&live).unwrap_err().to_string();
        assert!(nothing.contains("no bundle has been replaced"), "{nothing}");
        let second = publish(&two, &live).unwrap();
        assert_eq!(
            (card(&live), card(&previous), second.previous),
            ("two".into(), "one".into(), Some(first.version))
        );
        // Once more is no reason to forget the one before.
        assert!(publish(&two, &live).unwrap().unchanged);
        assert_eq!((card(&live), card(&previous)), ("two".into(), "one".into()));
        assert_eq!(roll_back(&live).unwrap().previous, Some(second.version));
        assert_eq!((card(&live), card(&previous)), ("one".into(), "two".into()));
        roll_back(&live).unwrap();
        assert_eq!(card(&live), "two");
        assert_eq!(names(dir.path()), ["live", "live.previous", "one", "two"]);
    }

    #[test]
    fn what_must_not_be_published_changes_nothing() {
        let dir = two();
        let [one, two, live, previous] =
            ["one", "two", "live", "live.previous"].map(|name| dir.path().join(name));
        publish(&one, &live).unwrap();
        publish(&two, &live).unwrap();
        fs::write(one.join("golden.json"), "{}").unwrap();
        assert!(matches!(
            publish(&one, &live),
            Err(ModelError::Altered { .. })
        ));
        assert!(matches!(
            publish(&live, &live),
            Err(ModelError::SameFolder { .. })
        ));
        assert!(matches!(
            publish(&dir.path().join("none"), &live),
            Err(ModelError::Io { .. })
        ));
        fs::write(previous.join("card.json"), "{}").unwrap();
        assert!(matches!(roll_back(&live), Err(ModelError::Altered { .. })));
        fs::write(live.join("notes.txt"), "mine").unwrap();
        let message = publish(&two, &live).unwrap_err().to_string();
        assert!(message.contains("live holds `notes.txt`"), "{message}");
        assert_eq!(card(&live), "two");
        assert!(live.join("notes.txt").exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_the_folder_behind_it_is_exchanged() {
        let dir = two();
        let [one, two, live] = ["one", "two", "live"].map(|name| dir.path().join(name));
        publish(&one, &dir.path().join("site/v1")).unwrap();
        std::os::unix::fs::symlink("site/v1", &live).unwrap();
        publish(&two, &live).unwrap();
        assert!(live.is_symlink());
        assert_eq!(
            (card(&live), names(&dir.path().join("site"))),
            ("two".into(), vec!["v1".into(), "v1.previous".into()])
        );
        roll_back(&live).unwrap();
        assert_eq!(card(&dir.path().join("site/v1")), "one");
    }

    #[cfg(unix)]
    #[test]
    fn a_load_that_meets_an_exchange_is_of_one_bundle() {
        let dir = two();
        let [one, two, live] = ["one", "two", "live"].map(|name| dir.path().join(name));
        publish(&one, &live).unwrap();
        let begun = Folder::open(&live).unwrap();
        let manifest = contents(&begun.open_file("MANIFEST.sha256").unwrap(), 1_000).unwrap();
        assert!(!begun.was_replaced());
        publish(&two, &live).unwrap();
        assert!(begun.was_replaced());
        // The negative control: by its path, the card is the other bundle's.
        assert_eq!(
            fs::read_to_string(live.join("card.json")).unwrap(),
            card_of("two")
        );
        let files = Files::read(&begun).unwrap();
        assert!(files.manifest == manifest && files.contents[1] == card_of("one").as_bytes());
        // Once its files are gone, loading has to begin again, because the folder was replaced.
        publish(&one, &live).unwrap();
        assert!(Files::read(&begun).is_err() && begun.was_replaced());
        assert_eq!(card(&live), "one");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_reader_never_finds_no_bundle_or_a_mixed_one() {
        let dir = two();
        let [one, two, live] = ["one", "two", "live"].map(|name| dir.path().join(name));
        publish(&one, &live).unwrap();
        let done = AtomicBool::new(false);
        let seen = std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut seen = Vec::new();
                while !done.load(Ordering::Acquire) {
                    seen.push(card(&live));
                }
                seen
            });
            for _ in 0..30 {
                publish(&two, &live).unwrap();
                roll_back(&live).unwrap();
                publish(&two, &live).unwrap();
                publish(&one, &live).unwrap();
            }
            done.store(true, Ordering::Release);
            reader.join().unwrap()
        });
        assert!(!seen.is_empty());
    }
}
