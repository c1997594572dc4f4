#[cfg(unix)]
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::ModelError;
use crate::output::Identity;

/// A bundle's folder as it was when it was opened: all that is read from it is of one bundle, also when another takes its
/// place meanwhile. Where the system cannot open folders, files are read by their paths.
pub(super) struct Folder {
    path: PathBuf,
    #[cfg(unix)]
    handle: File,
}

impl Folder {
    pub(super) fn open(path: &Path) -> Result<Self, ModelError> {
        Ok(Self {
            path: path.to_owned(),
            #[cfg(unix)]
            handle: File::open(path).map_err(|source| ModelError::Io { path: path.to_owned(), source })?,
        })
    }

    /// The path of a file in it.
    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>, ModelError> {
        self.read_bytes(name).map_err(|source| ModelError::Io { path: self.path_of(name), source })
    }

    #[cfg(unix)]
    fn read_bytes(&self, name: &str) -> io::Result<Vec<u8>> {
        use rustix::fs::{Mode, OFlags, openat};
        let mut bytes = Vec::new();
        let file = File::from(openat(&self.handle, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?);
        io::Read::read_to_end(&mut &file, &mut bytes)?;
        Ok(bytes)
    }

    #[cfg(not(unix))]
    fn read_bytes(&self, name: &str) -> io::Result<Vec<u8>> {
        std::fs::read(self.path_of(name))
    }

    /// Whether another folder has taken its place.
    #[cfg(unix)]
    pub(super) fn was_replaced(&self) -> bool {
        // While it is open, nothing else can have its identity.
        let opened = self.handle.metadata().ok().and_then(|metadata| Identity::of(&metadata));
        let there = std::fs::metadata(&self.path).ok().and_then(|metadata| Identity::of(&metadata));
        there.is_some() && there != opened
    }

    #[cfg(not(unix))]
    pub(super) fn was_replaced(&self) -> bool {
        false
    }
}
