//! Writing files and folders: whole or not at all.
//!
//! A [`Destination`] is checked before the work begins. What is written for it is [`Staged`] under a temporary name of its
//! own in the same folder, created exclusively, so that nobody can plant one. [`Staged::commit`] syncs it and exchanges it
//! with what is there in one step (`renameat2` with `RENAME_EXCHANGE` on Linux, `renamex_np` on macOS): at every moment
//! there is either the earlier output or the new one. Where the file system cannot exchange, a file is still replaced in one
//! step; a folder is renamed away before the new one takes its name, so a reader may miss it for an instant.
//!
//! Writers below one parent folder take turns by an advisory lock (`flock`) on that folder, which leaves nothing behind; it
//! is held to exchange, not while the output is written. File systems without such locks go without.
//!
//! A temporary output is removed when it is dropped, and by [`abandon`] when a signal ends the process. A process that is
//! killed leaves it behind; the next writer to the same folder removes it: what bears such a name and is locked by no
//! process. Permissions follow the umask. A link is followed: what is behind it is replaced, and the link stays.

pub(crate) mod destination;
pub(crate) mod folder;
pub(crate) mod inputs;
pub(crate) mod staged;
pub(crate) mod system;
pub(crate) mod temporary;
#[cfg(test)]
mod tests;
pub(crate) mod visible;

pub use destination::Destination;
pub use folder::Folder;
pub use inputs::{Inputs, check_apart};
pub use staged::{Held, Staged, commit, exchange, hold, write};
pub use temporary::abandon;
pub(crate) use temporary::remove_folder;
pub use visible::visible_lines;

use std::ffi::OsString;
use std::path::PathBuf;

/// What can go wrong with an output.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// A path without a name of its own.
    #[error("`{}` cannot be written: it ends in no name of a file or folder; give one such as models/next", path.display())]
    NoName {
        /// What was given.
        path: PathBuf,
    },
    /// A link to nothing.
    #[error("{} is a link to something that is not there; make what it leads to, or remove the link", path.display())]
    DanglingLink {
        /// The link.
        path: PathBuf,
    },
    /// Something else than what is to be written is there.
    #[error("{} is {found}, and {expected} is to be written; choose another name", path.display())]
    WrongType {
        /// The output.
        path: PathBuf,
        /// What is there.
        found: &'static str,
        /// What is to be written.
        expected: &'static str,
    },
    /// A folder that cannot be exchanged.
    #[error("{} is a mount point, which cannot be replaced; choose a folder inside it", path.display())]
    MountPoint {
        /// The folder.
        path: PathBuf,
    },
    /// A folder with files that do not belong to it.
    #[error(
        "{} holds {}, which {} not written by ebb-train; nothing was touched: move that away, or choose another folder",
        path.display(), named(names), if names.len() == 1 { "was" } else { "were" }
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// What is in it.
        names: Vec<OsString>,
    },
    /// An output that the command reads.
    #[error("{} is read by this command ({}) and cannot be written by it; choose another output", path.display(), input.display())]
    IsInput {
        /// The output.
        path: PathBuf,
        /// The input as it was given.
        input: PathBuf,
    },
    /// An output in a folder that the command reads.
    #[error(
        "{} lies in {}, which this command reads: the next run would take it for input; choose a place outside of it",
        path.display(), input.display()
    )]
    InInput {
        /// The output.
        path: PathBuf,
        /// The input folder.
        input: PathBuf,
    },
    /// Two outputs at one place, or one inside the other.
    #[error("{} and {} cannot both be written there; choose another name for one of them", one.display(), other.display())]
    Collision {
        /// An output.
        one: PathBuf,
        /// Another one.
        other: PathBuf,
    },
    /// A folder that nothing can be written to.
    #[error("{} cannot be written: {}: {source}", path.display(), folder.display())]
    Folder {
        /// The output.
        path: PathBuf,
        /// The folder it would lie in, or the nearest one above it that there is.
        folder: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// An output that could not be written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The output.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The earlier content could not be removed.
    #[error("{} was written, but what was there before could not be removed and is now {}: {source}", path.display(), left.display())]
    Leftover {
        /// The output.
        path: PathBuf,
        /// Where the earlier content is.
        left: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl OutputError {
    /// Whether the command should have been given another output.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::NoName { .. }
            | Self::WrongType { .. }
            | Self::MountPoint { .. }
            | Self::IsInput { .. }
            | Self::InInput { .. }
            | Self::Collision { .. } => true,
            Self::DanglingLink { .. }
            | Self::Foreign { .. }
            | Self::Folder { .. }
            | Self::Io { .. }
            | Self::Leftover { .. } => false,
        }
    }
}

/// The most names that an error lists.
const NAMES: usize = 3;

fn named(names: &[OsString]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(NAMES)
        .map(|name| format!("`{}`", name.to_string_lossy()))
        .collect();
    match names.len().saturating_sub(NAMES) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
