//! Where an output goes, and whether it may.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use super::OutputError;
use super::system::{Identity, parent_of};

/// Where an output goes: a path that can be written, as far as that can be known before.
#[derive(Clone, Debug)]
pub struct Destination {
    /// As it was given.
    given: PathBuf,
    /// Without links, as far as there is something.
    path: PathBuf,
    form: Form,
}

#[derive(Clone, Copy, Debug)]
enum Form {
    File,
    /// A folder, and which names may be in it.
    Folder(fn(&OsStr) -> bool),
}

impl Destination {
    /// A file. A link is followed. Makes sure that the folder, or the nearest one above it that there is, can be written
    /// to.
    ///
    /// # Errors
    /// [`OutputError`] for a path without a name, for what is there and no plain file, and for a folder that takes none.
    pub fn file(given: &Path) -> Result<Self, OutputError> {
        Self::new(given, Form::File)
    }

    /// A folder whose own files have the names for which `belongs` holds: one that holds anything else is refused. A link is
    /// followed.
    ///
    /// # Errors
    /// As [`Self::file`], and for a folder with other files in it, and for a mount point.
    pub fn folder(given: &Path, belongs: fn(&OsStr) -> bool) -> Result<Self, OutputError> {
        Self::new(given, Form::Folder(belongs))
    }

    fn new(given: &Path, form: Form) -> Result<Self, OutputError> {
        let destination = Self {
            given: given.to_owned(),
            path: resolve(given)?,
            form,
        };
        destination.check()?;
        let above = parent_of(&destination.path)
            .ancestors()
            .find(|folder| folder.exists())
            .unwrap_or(Path::new("/"));
        // A file without a name, of which nothing is left.
        let room = tempfile::tempfile_in(above).map(drop);
        room.map_err(|source| OutputError::Folder {
            path: given.to_owned(),
            folder: above.to_owned(),
            source,
        })?;
        Ok(destination)
    }

    /// The path as it was given.
    pub fn given(&self) -> &Path {
        &self.given
    }

    /// The path without links, as far as there is something.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is something.
    pub fn exists(&self) -> bool {
        self.path.symlink_metadata().is_ok()
    }

    pub(crate) fn is_folder(&self) -> bool {
        matches!(self.form, Form::Folder(_))
    }

    pub(crate) fn identity(&self) -> Option<Identity> {
        self.path
            .symlink_metadata()
            .ok()
            .and_then(|metadata| Identity::of(&metadata))
    }

    /// Refuses what must not be replaced.
    pub(crate) fn check(&self) -> Result<(), OutputError> {
        let metadata = match self.path.symlink_metadata() {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(self.failed(source)),
        };
        let (found, is_right) = match metadata.file_type() {
            kind if kind.is_file() => ("a file", !self.is_folder()),
            kind if kind.is_dir() => ("a folder", self.is_folder()),
            _ => ("neither a file nor a folder", false),
        };
        if !is_right {
            let expected = if self.is_folder() {
                "a folder"
            } else {
                "a file"
            };
            return Err(OutputError::WrongType {
                path: self.given.clone(),
                found,
                expected,
            });
        }
        if let Form::Folder(_) = self.form {
            self.check_mount(&metadata)?;
            self.check_contents(&self.path)?;
        }
        Ok(())
    }

    fn check_mount(&self, metadata: &fs::Metadata) -> Result<(), OutputError> {
        let parent = parent_of(&self.path)
            .symlink_metadata()
            .ok()
            .and_then(|metadata| Identity::of(&metadata));
        match (Identity::of(metadata), parent) {
            (Some(own), Some(parent)) if !own.shares_device_with(parent) => {
                Err(OutputError::MountPoint {
                    path: self.given.clone(),
                })
            }
            _ => Ok(()),
        }
    }

    /// Refuses a folder at `path` with anything but plain files that belong to it.
    pub(crate) fn check_contents(&self, path: &Path) -> Result<(), OutputError> {
        let Form::Folder(belongs) = self.form else {
            return Ok(());
        };
        let mut names = foreign(path, belongs).map_err(|source| self.failed(source))?;
        if names.is_empty() {
            return Ok(());
        }
        names.sort();
        Err(OutputError::Foreign {
            path: self.given.clone(),
            names,
        })
    }

    pub(crate) fn failed(&self, source: io::Error) -> OutputError {
        OutputError::Io {
            path: self.given.clone(),
            source,
        }
    }
}

/// The names in a folder that do not belong to it.
fn foreign(folder: &Path, belongs: fn(&OsStr) -> bool) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if !belongs(&name) || !entry.file_type()?.is_file() {
            names.push(name);
        }
    }
    Ok(names)
}

/// The path without links, as far as there is something.
fn resolve(given: &Path) -> Result<PathBuf, OutputError> {
    let failed = |source| OutputError::Io {
        path: given.to_owned(),
        source,
    };
    let Some(name) = given.file_name() else {
        return Err(OutputError::NoName {
            path: given.to_owned(),
        });
    };
    match given.canonicalize() {
        Ok(path) => return Ok(path),
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
        Err(_) if given.symlink_metadata().is_ok() => {
            return Err(OutputError::DanglingLink {
                path: given.to_owned(),
            });
        }
        Err(_) => {}
    }
    let parent = parent_of(given);
    let above = parent
        .ancestors()
        .find(|folder| folder.symlink_metadata().is_ok())
        .unwrap_or(Path::new("."));
    let missing = parent.strip_prefix(above).unwrap_or(parent);
    if missing
        .components()
        .any(|part| matches!(part, Component::ParentDir))
    {
        return Err(failed(ErrorKind::NotFound.into()));
    }
    Ok(above
        .canonicalize()
        .map_err(failed)?
        .join(missing)
        .join(name))
}
