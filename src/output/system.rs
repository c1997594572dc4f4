//! What the operating system does: exchanging names, locks, and which file a name stands for.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::path::Path;

use super::temporary;

/// Which file or folder something is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// The identity of what has this metadata; `None` where the system has no such thing.
    #[cfg(unix)]
    pub(crate) fn of(metadata: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        })
    }

    #[cfg(not(unix))]
    pub(crate) fn of(_: &Metadata) -> Option<Self> {
        None
    }

    /// Whether both are on one file system.
    pub(crate) fn shares_device_with(self, other: Self) -> bool {
        self.device == other.device
    }
}

/// Exchanges two names in one step, or in several where the file system cannot do it in one.
pub(crate) fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    match exchange_at_once(one, other) {
        Err(error) if is_unsupported(&error) => exchange_in_steps(one, other),
        done => done,
    }
}

/// Gives `from` the name `to`, which nothing has.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match rename_exclusively(from, to) {
        Err(error) if is_unsupported(&error) => fs::rename(from, to),
        done => done,
    }
}

/// An old kernel or a file system without the flags of `renameat2`.
fn is_unsupported(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Unsupported | ErrorKind::InvalidInput
    )
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn exchange_at_once(one: &Path, other: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_exclusively(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn exchange_at_once(_: &Path, _: &Path) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_exclusively(_: &Path, _: &Path) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

/// Exchanges two names by way of a third. A file at `other` is there at every moment if the file system has hard links; a
/// folder is missing for the instant between two renames.
pub(crate) fn exchange_in_steps(one: &Path, other: &Path) -> io::Result<()> {
    let holder = temporary::folder_in(parent_of(other))?;
    let aside = holder.join("earlier");
    let linked = other.is_file() && fs::hard_link(other, &aside).is_ok();
    let moved = if linked {
        Ok(())
    } else {
        fs::rename(other, &aside)
    };
    let done = moved.and_then(|()| match fs::rename(one, other) {
        Ok(()) => fs::rename(&aside, one),
        Err(error) if linked => fs::remove_file(&aside).and(Err(error)),
        Err(error) => fs::rename(&aside, other).and(Err(error)),
    });
    // Not emptied: were the renaming back to fail, the earlier content would be there.
    let removed = fs::remove_dir(&holder);
    done.and(removed)
}

/// Waits for the lock of a folder, which lasts as long as the file is open; `None` where there are no such locks.
pub(crate) fn lock(folder: &Path) -> Option<File> {
    let file = File::open(folder).ok()?;
    lock_file(&file, true).then_some(file)
}

/// Locks an open file or folder, waiting for it or not; whether it is locked now.
#[cfg(unix)]
pub(crate) fn lock_file(file: &File, wait: bool) -> bool {
    use rustix::fs::{FlockOperation, flock};
    let how = if wait {
        FlockOperation::LockExclusive
    } else {
        FlockOperation::NonBlockingLockExclusive
    };
    loop {
        match flock(file, how) {
            Err(rustix::io::Errno::INTR) => {}
            done => return done.is_ok(),
        }
    }
}

#[cfg(not(unix))]
pub(crate) fn lock_file(_: &File, _: bool) -> bool {
    false
}

/// Opens a file or folder to be locked, but nothing behind a link.
#[cfg(unix)]
pub(crate) fn open_itself(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, open};
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(File::from(open(path, flags, Mode::empty())?))
}

#[cfg(not(unix))]
pub(crate) fn open_itself(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Syncs a folder, so that names in it survive a loss of power.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    match File::open(path).and_then(|folder| folder.sync_all()) {
        // A folder that may be written to and not read, or a file system that cannot sync folders.
        Err(error) if error.kind() == ErrorKind::PermissionDenied || is_unsupported(&error) => {
            Ok(())
        }
        done => done,
    }
}

/// The folder that a path lies in.
pub(crate) fn parent_of(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}
