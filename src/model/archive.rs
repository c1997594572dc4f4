//! Bundles that were in use before the one before: folders such as `live.history/0007-aab57662ce69` beside the bundle in
//! use.
//!
//! A bundle is copied here before its place is given to another one, and an entry that is no longer kept is renamed before it
//! is removed: whenever the process is killed, every bundle is where it was or here, and each entry is whole.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::ModelError;
use super::store::{Files, MANIFEST, destination, is_bundle_file, stage};
use crate::output::{Destination, Folder, OutputError, remove_folder};

/// Digits of an entry's number, at least.
const NUMBER_DIGITS: usize = 4;
/// Letters of a bundle's version.
const VERSION_LETTERS: usize = 12;

/// The folder with the earlier bundles.
#[derive(Clone, Debug)]
pub(crate) struct Archive {
    folder: PathBuf,
}

/// An earlier bundle. A higher number was put here later.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) number: u64,
    pub(crate) version: String,
    pub(crate) path: PathBuf,
}

impl Entry {
    /// The entry with this name; `None` for a name that is no entry's.
    fn of_name(folder: &Path, name: &str) -> Option<Self> {
        let (number, version) = name.split_once('-')?;
        let is_version = version.len() == VERSION_LETTERS
            && version.bytes().all(|letter| letter.is_ascii_hexdigit());
        let is_number =
            number.len() >= NUMBER_DIGITS && number.bytes().all(|digit| digit.is_ascii_digit());
        (is_number && is_version).then_some(())?;
        Some(Self {
            number: number.parse().ok()?,
            version: version.to_owned(),
            path: folder.join(name),
        })
    }

    /// Whether it is a folder with nothing but files of a bundle, so that it may be removed.
    fn is_ours(&self) -> bool {
        let is_file = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_file());
        let is_folder = fs::symlink_metadata(&self.path).is_ok_and(|metadata| metadata.is_dir());
        is_folder
            && fs::read_dir(&self.path).is_ok_and(|mut entries| {
                entries.all(|entry| {
                    entry.is_ok_and(|entry| is_bundle_file(&entry.file_name()) && is_file(&entry))
                })
            })
    }
}

impl Archive {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The entries, newest first. What has another name is passed over.
    pub(crate) fn entries(&self) -> Result<Vec<Entry>, ModelError> {
        let failed = |source| ModelError::Io {
            path: self.folder.clone(),
            source,
        };
        let names = match fs::read_dir(&self.folder) {
            Ok(names) => names,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut entries = Vec::new();
        for name in names {
            let name = name.map_err(failed)?.file_name();
            let entry = name
                .to_str()
                .and_then(|name| Entry::of_name(&self.folder, name));
            entries.extend(entry.filter(|entry| entry.path.is_dir()));
        }
        entries.sort();
        entries.reverse();
        Ok(entries)
    }

    /// Copies the bundle at `place` here, as the newest entry, unless it is that already. A damaged one is not worth keeping.
    pub(crate) fn add(&self, place: &Destination) -> Result<(), ModelError> {
        let Some(files) = files_at(place.path()) else {
            return Ok(());
        };
        let entries = self.entries()?;
        let newest = entries.first();
        if newest.is_some_and(|newest| files_at(&newest.path).is_some_and(|there| there == files)) {
            return Ok(());
        }
        let number = newest.map_or(1, |newest| newest.number.saturating_add(1));
        let name = format!("{number:0NUMBER_DIGITS$}-{}", files.version());
        let Files { manifest, contents } = &files;
        let staged = stage(
            destination(&self.folder.join(name))?,
            manifest,
            contents.each_ref().map(Vec::as_slice),
        )?;
        // The copy says when the bundle was published, and not when it was replaced.
        let dated = published(place.path()).map(|time| staged.open(MANIFEST)?.set_modified(time));
        dated.transpose().map_err(|source| OutputError::Io {
            path: place.given().to_owned(),
            source,
        })?;
        staged.commit()?;
        Ok(())
    }

    /// Removes all but the newest `kept` entries, and entries that are the same as a newer one or as a bundle `in_use`.
    pub(crate) fn prune(&self, kept: usize, in_use: &[&Destination]) -> Result<(), ModelError> {
        let in_use = in_use.iter().filter_map(|place| files_at(place.path()));
        let mut seen: Vec<Vec<u8>> = in_use.map(|files| files.manifest).collect();
        let mut left = 0;
        for entry in self.entries()? {
            let manifest = files_at(&entry.path).map(|files| files.manifest);
            let is_again = manifest.as_ref().is_some_and(|own| seen.contains(own));
            if !is_again && left < kept {
                left += 1;
                seen.extend(manifest);
                continue;
            }
            // Somebody else's files are left alone.
            if entry.is_ours() {
                remove_folder(&entry.path).map_err(|source| OutputError::Leftover {
                    path: self.folder.clone(),
                    left: entry.path.clone(),
                    source,
                })?;
            }
        }
        // An empty one would only be in the way; one with something in it stays.
        let _ = fs::remove_dir(&self.folder);
        Ok(())
    }
}

/// The files of the bundle in a folder, if they are whole.
pub(crate) fn files_at(path: &Path) -> Option<Files> {
    Folder::open(path)
        .ok()
        .and_then(|folder| Files::read(&folder).ok())
}

/// When the bundle in a folder was written there.
pub(crate) fn published(path: &Path) -> Option<SystemTime> {
    let modified = |path: PathBuf| -> io::Result<SystemTime> { fs::metadata(path)?.modified() };
    modified(path.join(MANIFEST)).ok()
}

#[cfg(test)]
mod tests;
