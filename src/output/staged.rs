//! Outputs under temporary names, which take their places in one step.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use super::system::parent_of;
use super::system::{self, Identity};
use super::temporary::{Temporary, Unfinished, remove, unfinished};
use super::{Destination, OutputError};

/// How often an exchange is tried again when something else comes and goes at the name.
const ATTEMPTS: usize = 16;

/// An output under a temporary name, which is removed unless the output is committed.
#[derive(Debug)]
pub struct Staged {
    destination: Destination,
    temporary: Temporary,
}

impl Staged {
    /// An empty file or folder beside its destination. Missing folders above it are made, and removed again if nothing
    /// comes of the output.
    ///
    /// # Errors
    /// [`OutputError::Io`] names the output.
    pub fn new(destination: Destination) -> Result<Self, OutputError> {
        match Temporary::new(parent_of(destination.path()), destination.is_folder()) {
            Ok(temporary) => Ok(Self {
                destination,
                temporary,
            }),
            Err(source) => Err(destination.failed(source)),
        }
    }

    /// The file, to be written.
    ///
    /// # Errors
    /// [`OutputError::Io`] names the output.
    pub fn file(&self) -> Result<File, OutputError> {
        self.temporary
            .handle
            .try_clone()
            .map_err(|source| self.destination.failed(source))
    }

    /// A new file in the folder, to be written.
    ///
    /// # Errors
    /// [`OutputError::Io`] names the file as it will be called.
    pub fn create(&self, name: &str) -> Result<File, OutputError> {
        let created = File::create_new(self.temporary.path.join(name));
        created.map_err(|source| OutputError::Io {
            path: self.destination.given().join(name),
            source,
        })
    }

    /// A file in the folder that was [created](Self::create) before, to be read.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(&self, name: &str) -> io::Result<File> {
        File::open(self.temporary.path.join(name))
    }

    #[cfg(test)]
    pub(crate) fn temporary_path(&self) -> &Path {
        &self.temporary.path
    }

    /// Where it goes.
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Puts the output in the place of its destination.
    ///
    /// # Errors
    /// As [`commit`].
    pub fn commit(self) -> Result<(), OutputError> {
        commit(vec![self])
    }

    /// Puts the folder in the place of its destination, and what was there in the place of `earlier`. At every moment the
    /// destination is there; whenever the process is killed, either the earlier content is still in its place, or at
    /// `earlier`.
    ///
    /// # Errors
    /// As [`commit`].
    pub fn commit_keeping(self, earlier: &Destination, _held: &Held) -> Result<(), OutputError> {
        self.sync()?;
        let Self {
            destination,
            mut temporary,
        } = self;
        destination.check()?;
        // A signal must find all of it done, or nothing.
        let mut unfinished = unfinished();
        if !destination.exists() {
            return Placed::new(&mut temporary, &destination)?.finish(&mut unfinished);
        }
        earlier.check()?;
        let placed = Placed::new(&mut temporary, earlier)?;
        if let Err(source) = system::exchange(earlier.path(), destination.path()) {
            placed.undo();
            return Err(destination.failed(source));
        }
        placed.finish(&mut unfinished)
    }

    /// Sees to it that the content is on the disk.
    fn sync(&self) -> Result<(), OutputError> {
        let path = &self.temporary.path;
        let sync = || -> io::Result<()> {
            if !self.destination.is_folder() {
                return self.temporary.handle.sync_all();
            }
            for entry in fs::read_dir(path)? {
                File::open(entry?.path())?.sync_all()?;
            }
            system::sync_folder(path)
        };
        sync().map_err(|source| self.destination.failed(source))
    }
}

/// Writes a file of some bytes.
///
/// # Errors
/// As [`commit`].
pub fn write(destination: Destination, content: &[u8]) -> Result<(), OutputError> {
    let staged = Staged::new(destination)?;
    let written = staged.file()?.write_all(content);
    written.map_err(|source| staged.destination.failed(source))?;
    staged.commit()
}

/// Locks on the folders of some destinations.
#[derive(Debug)]
pub struct Held(
    #[expect(dead_code, reason = "locks last as long as the files are open")] Vec<File>,
);

/// Waits until nobody else exchanges outputs in the folders of these destinations, and keeps others from doing so as long as
/// the result lives. Where there are no locks, does nothing.
pub fn hold<'a>(destinations: impl IntoIterator<Item = &'a Destination>) -> Held {
    let identity = |folder: &Path| {
        folder
            .metadata()
            .ok()
            .and_then(|metadata| Identity::of(&metadata))
    };
    let parents = destinations
        .into_iter()
        .map(|destination| parent_of(destination.path()));
    let mut folders: Vec<(Option<Identity>, &Path)> =
        parents.map(|folder| (identity(folder), folder)).collect();
    // One order for all processes, and each folder once, so that nobody waits for himself or in a circle.
    folders.sort_unstable();
    folders.dedup_by_key(|(identity, _)| *identity);
    Held(
        folders
            .into_iter()
            .filter_map(|(_, folder)| system::lock(folder))
            .collect(),
    )
}

/// Puts outputs in the places of their destinations: all of them, or none when one fails. What was there before is removed.
///
/// # Errors
/// [`OutputError`] names the output; a folder in which something appeared that does not belong to it is refused.
pub fn commit(mut staged: Vec<Staged>) -> Result<(), OutputError> {
    staged.iter().try_for_each(Staged::sync)?;
    let _held = hold(staged.iter().map(|staged| &staged.destination));
    staged
        .iter()
        .try_for_each(|staged| staged.destination.check())?;
    // A signal must find all of it done, or nothing.
    let mut unfinished = unfinished();
    let mut done: Vec<Placed<'_>> = Vec::new();
    for Staged {
        destination,
        temporary,
    } in &mut staged
    {
        match Placed::new(temporary, destination) {
            Ok(placed) => done.push(placed),
            Err(error) => {
                done.into_iter().rev().for_each(Placed::undo);
                drop(unfinished);
                return Err(error);
            }
        }
    }
    let finished: Vec<_> = done
        .into_iter()
        .map(|placed| placed.finish(&mut unfinished))
        .collect();
    drop(unfinished);
    finished.into_iter().collect()
}

/// Exchanges two folders that are there.
///
/// # Errors
/// As [`commit`].
pub fn exchange(one: &Destination, other: &Destination, _held: &Held) -> Result<(), OutputError> {
    one.check()?;
    other.check()?;
    let synced = system::exchange(one.path(), other.path())
        .and_then(|()| system::sync_folder(parent_of(one.path())));
    synced.map_err(|source| one.failed(source))
}

/// An output in its place; what was there has the temporary name.
struct Placed<'a> {
    temporary: &'a mut Temporary,
    destination: &'a Destination,
    /// Whether something was there.
    replaced: bool,
}

impl<'a> Placed<'a> {
    fn new(
        temporary: &'a mut Temporary,
        destination: &'a Destination,
    ) -> Result<Self, OutputError> {
        let replaced =
            put(&temporary.path, destination).map_err(|source| destination.failed(source))?;
        let placed = Self {
            temporary,
            destination,
            replaced,
        };
        // Something may have appeared in it since it was looked at.
        if placed.replaced
            && let Err(error) = destination.check_contents(&placed.temporary.path)
        {
            placed.undo();
            return Err(error);
        }
        Ok(placed)
    }

    /// Puts things as they were.
    fn undo(self) {
        let (path, temporary) = (self.destination.path(), &self.temporary.path);
        // Were it to fail, the temporary name is all that is left to say so.
        let _ = if self.replaced {
            system::exchange(temporary, path)
        } else {
            system::rename_new(path, temporary)
        };
    }

    /// Removes what was there.
    fn finish(self, unfinished: &mut Unfinished) -> Result<(), OutputError> {
        let (destination, path) = (self.destination, &self.temporary.path);
        let synced = system::sync_folder(parent_of(destination.path()));
        let removed = if self.replaced { remove(path) } else { Ok(()) };
        unfinished.remove(path);
        synced.map_err(|source| destination.failed(source))?;
        removed.map_err(|source| OutputError::Leftover {
            path: destination.given().to_owned(),
            left: path.clone(),
            source,
        })
    }
}

/// Gives what has the temporary name that of the destination; whether something had it, which has the temporary name now.
fn put(temporary: &Path, destination: &Destination) -> io::Result<bool> {
    let mut attempts = ATTEMPTS;
    loop {
        let replaces = destination.exists();
        let done = if replaces {
            system::exchange(temporary, destination.path())
        } else {
            system::rename_new(temporary, destination.path())
        };
        match done {
            Err(error)
                if attempts > 0
                    && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::AlreadyExists) =>
            {
                attempts -= 1;
            }
            done => return done.map(|()| replaces),
        }
    }
}
