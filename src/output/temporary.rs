//! Temporary files and folders beside what they are to become.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::system::{lock, lock_file, open_itself, parent_of};

/// A temporary name is `.ebb-`, twelve letters and digits by chance, and `.tmp`. Readers of logs and roll-ups pass over
/// names that start with a dot.
const PREFIX: &str = ".ebb-";
const SUFFIX: &str = ".tmp";
const CHANCE: usize = 12;

/// How often a race for a folder that comes and goes is run again.
const ATTEMPTS: usize = 16;

/// What the process has not finished: temporary names, and the folders that were made for each.
pub(crate) type Unfinished = BTreeMap<PathBuf, Vec<PathBuf>>;

static UNFINISHED: Mutex<Unfinished> = Mutex::new(BTreeMap::new());

/// What the process has not finished; the holder of the lock may finish or remove it.
pub(crate) fn unfinished() -> MutexGuard<'static, Unfinished> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes all temporary outputs of this process, and lets no output be finished any more: for a process that is about to
/// end by a signal. Waits for an exchange that has begun.
pub fn abandon() {
    let unfinished = unfinished();
    // There is no way to report it here; the next writer tries again.
    unfinished.keys().for_each(|path| drop(remove(path)));
    unfinished.values().for_each(|made| remove_empty(made));
    // A thread that is about to finish or remove an output waits for the end of the process.
    std::mem::forget(unfinished);
}

/// A temporary file or folder, removed when it is dropped. It stays locked while it is open, by which it differs from what
/// somebody left behind.
#[derive(Debug)]
pub(crate) struct Temporary {
    pub(crate) path: PathBuf,
    pub(crate) handle: File,
}

impl Temporary {
    /// A file or folder in `parent`, which is made if it is not there.
    pub(crate) fn new(parent: &Path, is_folder: bool) -> io::Result<Self> {
        let mut attempts = ATTEMPTS;
        loop {
            match Self::attempt(parent, is_folder) {
                // Another writer gave up and removed the folder that it had made.
                Err(error) if error.kind() == ErrorKind::NotFound && attempts > 0 => attempts -= 1,
                done => return done,
            }
        }
    }

    fn attempt(parent: &Path, is_folder: bool) -> io::Result<Self> {
        let missing: Vec<PathBuf> = parent
            .ancestors()
            .take_while(|f| !f.exists())
            .map(Path::to_owned)
            .collect();
        fs::create_dir_all(parent)?;
        let created = Self::create(parent, is_folder, &missing);
        if created.is_err() {
            remove_empty(&missing);
        }
        created
    }

    fn create(parent: &Path, is_folder: bool, made: &[PathBuf]) -> io::Result<Self> {
        // Until it is locked itself, nobody may take it for left behind.
        let lock = lock(parent);
        if lock.is_some() {
            remove_left_behind(parent);
        }
        let mut unfinished = unfinished();
        let (path, handle) = if is_folder {
            let path = folder_in(parent)?;
            let opened = File::open(&path);
            (path, opened)
        } else {
            let (handle, path) = file_in(parent)?;
            (path, Ok(handle))
        };
        unfinished.insert(path.clone(), made.to_owned());
        drop(unfinished);
        let handle = handle.inspect_err(|_| forget(&path))?;
        lock_file(&handle, false);
        Ok(Self { path, handle })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        forget(&self.path);
    }
}

/// Removes a temporary file or folder that was not finished.
fn forget(path: &Path) {
    let mut unfinished = unfinished();
    let Some(made) = unfinished.remove(path) else {
        return;
    };
    let _ = remove(path);
    remove_empty(&made);
    // A folder that another output still lies in is left to it.
    for folder in made.into_iter().filter(|folder| folder.exists()) {
        if let Some((_, made)) = unfinished
            .iter_mut()
            .find(|(path, _)| path.starts_with(&folder))
        {
            made.push(folder);
        }
    }
}

/// Removes a temporary file or folder with all that is in it.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let mut attempts = ATTEMPTS;
    loop {
        let removed = match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
            Ok(_) => fs::remove_file(path),
            Err(error) => Err(error),
        };
        match removed {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            // Another thread is still writing into the folder.
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty && attempts > 0 => {
                attempts -= 1
            }
            done => return done,
        }
    }
}

/// Removes a folder with all that is in it, which is gone from its name in one step. What a killed process leaves of it, the
/// next writer to the folder above removes.
pub(crate) fn remove_folder(path: &Path) -> io::Result<()> {
    let aside = folder_in(parent_of(path))?;
    fs::rename(path, &aside).inspect_err(|_| drop(fs::remove_dir(&aside)))?;
    remove(&aside)
}

/// Removes folders that were made for an output, the innermost first, as far as they are empty.
fn remove_empty(made: &[PathBuf]) {
    for folder in made {
        let _ = fs::remove_dir(folder);
    }
}

/// Removes what killed processes left behind in a folder: plain files, and folders of nothing but those, that bear a
/// temporary name and are locked by nobody. The folder must be locked.
fn remove_left_behind(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let ours =
            entry.file_name().to_str().is_some_and(is_temporary_name) && holds_plain_files(&path);
        // Without following links: a planted one is left alone.
        if let (true, Ok(handle)) = (ours, open_itself(&path))
            && lock_file(&handle, false)
        {
            let _ = remove(&path);
        }
    }
}

fn is_temporary_name(name: &str) -> bool {
    let chance = name
        .strip_prefix(PREFIX)
        .and_then(|name| name.strip_suffix(SUFFIX));
    chance.is_some_and(|chance| {
        chance.len() == CHANCE && chance.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// Whether a path is a plain file, or a folder with nothing else in it.
fn holds_plain_files(path: &Path) -> bool {
    let is_file = |path: &Path| fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file());
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::read_dir(path)
            .is_ok_and(|mut entries| entries.all(|entry| entry.is_ok_and(|e| is_file(&e.path())))),
        _ => is_file(path),
    }
}

/// Makes an empty file with a temporary name; its permissions follow the umask.
fn file_in(parent: &Path) -> io::Result<(File, PathBuf)> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX).rand_bytes(CHANCE);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let (file, path) = builder.tempfile_in(parent)?.into_parts();
    Ok((file, path.keep()?))
}

/// Makes an empty folder with a temporary name; its permissions follow the umask.
pub(crate) fn folder_in(parent: &Path) -> io::Result<PathBuf> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX).rand_bytes(CHANCE);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    Ok(builder.tempdir_in(parent)?.keep())
}
