//! Reading of files that somebody else may have put there: regular ones only, within a size, without waiting for a writer.
//!
//! A name may stand for a FIFO that nobody writes to, a device without an end, or a sparse file of terabytes. What is read
//! here is refused by its type and its size before a byte of it is read. Links to regular files are followed: mounted
//! secrets are such links.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, fstat, openat, statat};

/// Opens a regular file.
///
/// # Errors
/// What the system says, or what else than a regular file is there.
pub fn open(path: &Path) -> io::Result<File> {
    open_at(CWD, path)
}

/// The content of a regular file of at most `max_bytes`.
///
/// # Errors
/// As of [`open`], and for a file of more bytes.
pub fn read(path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    contents(&open(path)?, max_bytes)
}

/// Opens a regular file by its path below an open folder.
pub(crate) fn open_at(folder: impl AsFd, path: &Path) -> io::Result<File> {
    // Before it is opened: that alone has an effect on some devices.
    check_type(&statat(&folder, path, AtFlags::empty())?)?;
    let file = File::from(openat(&folder, path, unblocked(), Mode::empty())?);
    // The name may stand for something else since.
    check_type(&fstat(&file)?)?;
    Ok(file)
}

/// How something is opened for reading that may turn out to be no regular file: opening a FIFO would wait for a writer.
pub(crate) fn unblocked() -> OFlags {
    OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC
}

/// What an open file holds, if that is at most `max_bytes`.
pub(crate) fn contents(file: &File, max_bytes: u64) -> io::Result<Vec<u8>> {
    check_size(file.metadata()?.len(), max_bytes)?;
    let mut bytes = Vec::new();
    // One byte more, to notice it: a size is a promise that some file systems do not keep, and files grow.
    file.take(max_bytes.saturating_add(1))
        .read_to_end(&mut bytes)?;
    check_size(bytes.len() as u64, max_bytes)?;
    Ok(bytes)
}

fn check_size(bytes: u64, max_bytes: u64) -> io::Result<()> {
    if bytes <= max_bytes {
        return Ok(());
    }
    let problem = format!("has {bytes} bytes or more, and at most {max_bytes} are read");
    Err(io::Error::new(ErrorKind::FileTooLarge, problem))
}

fn check_type(stat: &Stat) -> io::Result<()> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(()),
        other => Err(not_regular(other)),
    }
}

/// The error of something else than a regular file.
pub(crate) fn not_regular(found: FileType) -> io::Error {
    let found = match found {
        FileType::Directory => "a folder",
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        _ => "something else",
    };
    let problem = format!("is {found}, and only regular files are read");
    io::Error::new(ErrorKind::InvalidInput, problem)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::tempdir;

    use super::*;

    #[test]
    fn what_is_no_regular_file_is_refused_without_a_wait() {
        let dir = tempdir().unwrap();
        let [fifo, plain, zero, linked] =
            ["fifo", "plain", "zero", "linked"].map(|name| dir.path().join(name));
        rustix::fs::mkfifoat(CWD, &fifo, Mode::RUSR | Mode::WUSR).unwrap();
        std::fs::write(&plain, "text").unwrap();
        symlink("/dev/zero", &zero).unwrap();
        symlink("plain", &linked).unwrap();
        let problem = |path: &Path| read(path, 100).unwrap_err().to_string();
        assert!(problem(&fifo).contains("is a FIFO"), "{}", problem(&fifo));
        assert!(problem(&zero).contains("is a device"), "{}", problem(&zero));
        assert!(problem(dir.path()).contains("is a folder"));
        // A link to a regular file is how Kubernetes mounts secrets.
        assert_eq!(read(&linked, 100).unwrap(), b"text");
    }

    #[test]
    fn no_more_is_read_than_allowed() {
        let dir = tempdir().unwrap();
        let sparse = dir.path().join("sparse");
        let file = File::create(&sparse).unwrap();
        file.set_len(10 << 30).unwrap();
        let problem = read(&sparse, 4).unwrap_err().to_string();
        assert!(
            problem.contains("10737418240 bytes") && problem.contains("at most 4"),
            "{problem}"
        );
        file.set_len(4).unwrap();
        assert_eq!(read(&sparse, 4).unwrap(), [0; 4]);
        // Its size says 0 bytes, and there are some.
        let lying = Path::new("/proc/self/status");
        assert_eq!(std::fs::metadata(lying).unwrap().len(), 0);
        assert!(read(lying, 16).is_err());
        assert!(read(lying, 1 << 20).unwrap().len() > 16);
    }
}
