//! A folder that is read, and whether another one takes its place meanwhile.

#[cfg(unix)]
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

#[cfg(unix)]
use super::system::Identity;

/// A folder as it was when it was opened: what is read from it is of one output, also when another takes its place
/// meanwhile. Where the system cannot open folders, files are read by their paths.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    #[cfg(unix)]
    handle: File,
}

impl Folder {
    /// Opens a folder, or the one that a link leads to.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            #[cfg(unix)]
            handle: File::open(path)?,
        })
    }

    /// The path of a file in it.
    pub fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The content of a file in it.
    ///
    /// # Errors
    /// What the system says.
    #[cfg(unix)]
    pub fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        use rustix::fs::{Mode, OFlags, openat};
        let mut bytes = Vec::new();
        let file = File::from(openat(
            &self.handle,
            name,
            OFlags::RDONLY | OFlags::CLOEXEC,
            Mode::empty(),
        )?);
        io::Read::read_to_end(&mut &file, &mut bytes)?;
        Ok(bytes)
    }

    /// The content of a file in it.
    ///
    /// # Errors
    /// What the system says.
    #[cfg(not(unix))]
    pub fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        std::fs::read(self.path_of(name))
    }

    /// Whether another folder has taken its place.
    #[cfg(unix)]
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

    /// Whether another folder has taken its place.
    #[cfg(not(unix))]
    pub fn was_replaced(&self) -> bool {
        false
    }
}
