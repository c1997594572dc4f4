//! A folder that is read, and whether another one takes its place meanwhile.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, open, stat};

use super::system::Identity;
use crate::regular_file::{not_regular, open_at, unblocked};

/// A folder as it was when it was opened: what is read from it is of one output, also when another takes its place
/// meanwhile.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    handle: File,
}

impl Folder {
    /// Opens a folder, or the one that a link leads to; a regular file, too, for outputs that may be either.
    ///
    /// # Errors
    /// What the system says, or what else is there.
    pub fn open(path: &Path) -> io::Result<Self> {
        match FileType::from_raw_mode(stat(path)?.st_mode) {
            FileType::Directory | FileType::RegularFile => Ok(Self {
                path: path.to_owned(),
                // Not `File::open`: were a FIFO there by now, it would wait for a writer.
                handle: File::from(open(path, unblocked(), Mode::empty())?),
            }),
            other => Err(not_regular(other)),
        }
    }

    /// The path of a file in it.
    pub fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Opens a regular file in it.
    ///
    /// # Errors
    /// What the system says, or what else is there.
    pub fn open_file(&self, name: &str) -> io::Result<File> {
        open_at(&self.handle, Path::new(name))
    }

    /// Whether another folder has taken its place.
    pub fn was_replaced(&self) -> bool {
        // While it is open, nothing else can have its identity.
        let opened = self
            .handle
            .metadata()
            .ok()
            .and_then(|metadata| Identity::of(&metadata));
        let there = std::fs::metadata(&self.path)
            .ok()
            .and_then(|metadata| Identity::of(&metadata));
        there.is_some() && there != opened
    }
}
