//! What paths stand for, and which names and contents are not those of logs.

use std::fs::{FileType, Metadata};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use super::log_file::format_by_name;
use super::open::first_bytes;
use super::unsupported;
use crate::events::EventsError;

/// Endings of the names of backup copies and of files that are still being written.
const COPIES: [&str; 13] = [
    "~",
    ".bak",
    ".backup",
    ".orig",
    ".old",
    ".tmp",
    ".temp",
    ".swp",
    ".part",
    ".partial",
    ".filepart",
    ".crdownload",
    ".inprogress",
];

/// The paths that match a pattern.
pub(super) fn matches(pattern: &str, folder: &Path) -> Result<Vec<PathBuf>, EventsError> {
    let fail = |message: String| EventsError::Pattern {
        pattern: pattern.to_owned(),
        message,
    };
    // Only the pattern itself may hold wildcards, not the folder that it is relative to.
    let text = if Path::new(pattern).is_absolute() {
        pattern.to_owned()
    } else {
        format!(
            "{}/{pattern}",
            glob::Pattern::escape(&folder.to_string_lossy())
        )
    };
    let io = |error: glob::GlobError| EventsError::Io {
        path: error.path().to_owned(),
        source: error.into(),
    };
    let paths = glob::glob(&text).map_err(|error| fail(error.to_string()))?;
    paths.map(|path| path.map_err(io)).collect()
}

/// What the system says about a file; an error where it is none.
pub(super) fn file_metadata(path: &Path) -> Result<Metadata, EventsError> {
    let metadata = std::fs::metadata(path).map_err(|source| match std::fs::read_link(path) {
        Ok(target) if source.kind() == std::io::ErrorKind::NotFound => EventsError::DanglingLink {
            path: path.to_owned(),
            target,
        },
        _ => EventsError::Io {
            path: path.to_owned(),
            source,
        },
    })?;
    match metadata.is_file() {
        true => Ok(metadata),
        false => Err(EventsError::NotAFile {
            path: path.to_owned(),
            what: kind_name(metadata.file_type()),
        }),
    }
}

fn kind_name(kind: FileType) -> &'static str {
    match () {
        () if kind.is_fifo() => "a FIFO (a pipe)",
        () if kind.is_socket() => "a socket",
        () if kind.is_dir() => "a folder",
        () => "a device",
    }
}

/// Why a file of a folder is passed over, where its name says so.
pub(super) fn hidden(path: &Path) -> Option<&'static str> {
    match path.file_name()?.as_encoded_bytes().first()? {
        b'.' => Some("is hidden: the name begins with `.`"),
        b'_' => Some("is no data by convention: the name begins with `_`"),
        _ => None,
    }
}

pub(super) fn is_copy(path: &Path) -> bool {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    COPIES.iter().any(|ending| name.ends_with(ending))
}

/// What a file is that is not read, by its name or its first bytes.
pub(super) fn foreign_kind(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    let by_name = name
        .rsplit_once('.')
        .and_then(|(_, extension)| unsupported::by_extension(extension));
    by_name.or_else(|| match format_by_name(path) {
        Some(_) => None,
        None => first_bytes(path, 64)
            .ok()
            .and_then(|bytes| unsupported::by_content(&bytes))
            .map(|(what, _)| what),
    })
}
