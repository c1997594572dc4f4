//! Putting a bundle in the place of the one in use, and the one before it back.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::ModelError;
use super::folder::Folder;
use super::store::{Files, destination, load_files, stage};
use crate::output::{Destination, Inputs, OutputError, check_apart, exchange, hold};

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

/// Loads the bundle at `model`, replays its golden answers, and puts a copy of exactly those bytes in the place of `live`,
/// in one step: a reader finds the earlier bundle or this one, never none and never a mixture. The earlier one is kept at
/// `live.previous`, and what was there is removed. A bundle that is in use already stays, with the one before it.
///
/// # Errors
/// [`ModelError`] for a bundle that does not load, and for what cannot be written; nothing was changed then.
pub fn publish(model: &Path, live: &Path) -> Result<Published, ModelError> {
    let (_, files) = load_files(model)?;
    let (live, previous) = places(live)?;
    let mut inputs = Inputs::default();
    inputs.add(model);
    check_apart(&[live.clone(), previous.clone()], &inputs).map_err(|error| match error {
        OutputError::IsInput { path, .. } => ModelError::SameFolder { model: model.to_owned(), live: path },
        other => other.into(),
    })?;
    let Files { manifest, contents } = &files;
    let staged = stage(live.clone(), manifest, contents.each_ref().map(Vec::as_slice))?;
    let held = hold([&live, &previous]);
    let unchanged = files_at(&live).is_some_and(|there| there == files);
    if !unchanged {
        staged.commit_keeping(&previous, &held)?;
    }
    Ok(published(files.version(), &previous, unchanged))
}

/// Exchanges the bundle at `live` with the one that was there before, in one step. Done twice, all is as it was.
///
/// # Errors
/// [`ModelError`] when there is no bundle before, or it does not load; nothing was changed then.
pub fn roll_back(live: &Path) -> Result<Published, ModelError> {
    let (live, previous) = places(live)?;
    let held = hold([&live, &previous]);
    if !live.exists() {
        return Err(ModelError::Io { path: live.given().to_owned(), source: ErrorKind::NotFound.into() });
    }
    if !previous.exists() {
        let (live, previous) = (live.given().to_owned(), previous.given().to_owned());
        return Err(ModelError::NoPrevious { live, previous });
    }
    let (_, files) = load_files(previous.path())?;
    exchange(&live, &previous, &held)?;
    Ok(published(files.version(), &previous, false))
}

/// The place of the bundle in use, and that of the one before: `live.previous` beside the folder itself, also if `live` is
/// a link to it.
fn places(given: &Path) -> Result<(Destination, Destination), ModelError> {
    let live = destination(given)?;
    let folder = if given.is_symlink() { live.path() } else { given };
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".previous");
    let previous = destination(&folder.with_file_name(name))?;
    Ok((live, previous))
}

fn published(version: String, previous: &Destination, unchanged: bool) -> Published {
    let before = files_at(previous).map(|files| files.version());
    Published { version, previous: before, previous_dir: previous.given().to_owned(), unchanged }
}

/// The files of the bundle in a place, if they are whole.
fn files_at(place: &Destination) -> Option<Files> {
    Folder::open(place.path()).and_then(|folder| Files::read(&folder)).ok()
}
