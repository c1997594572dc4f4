//! Which files a log consists of, and which files of a named folder do not belong to it.

use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::format::format_by_content;
use super::log_file::LogFile;
use super::log_file::format_by_name;
use super::open::STANDARD_INPUT;
use super::paths::{file_metadata, foreign_kind, hidden, is_copy, matches};
use crate::events::EventsError;
use crate::events::config::{EventsConfig, Format};
use crate::events::quality::printable::shown;
use crate::events::quality::report::{LeftOut, LeftOutReason};
use crate::history::ROLLUP_INDEX;

/// Left-out files that an error names.
const NAMED_IN_ERROR: usize = 5;

const NOT_A_LOG: &str = "has no known ending, and its first line has not the columns of the log; to read \
                         it, name it in `events.paths`, and set `events.format`";

/// The files of the log, and those that were found and don't belong to it, each sorted by path.
#[derive(Debug, Default)]
pub(crate) struct FoundFiles {
    pub(crate) files: Vec<LogFile>,
    pub(crate) left_out: Vec<LeftOut>,
}

/// The files of the log, each once, by whatever names and links it is found.
///
/// A path that is named is read, or is an error. What is found in a folder or by a pattern is read where its name or its
/// content gives the format, and otherwise listed as left out.
pub(crate) fn find(
    config: &EventsConfig,
    base_dir: &Path,
    given: &[PathBuf],
) -> Result<FoundFiles, EventsError> {
    let mut search = Search {
        config,
        base_dir,
        files: Vec::new(),
        folders: HashMap::new(),
        left_out: Vec::new(),
        repeats: 0,
    };
    for path in given {
        search.expand(&path.to_string_lossy(), path, Path::new("."))?;
    }
    if given.is_empty() {
        for pattern in &config.paths {
            let full = if pattern == STANDARD_INPUT {
                PathBuf::from(pattern)
            } else {
                base_dir.join(pattern)
            };
            search.expand(pattern, &full, base_dir)?;
        }
    }
    if search.files.is_empty() {
        return Err(EventsError::NoPaths);
    }
    Ok(search.finish())
}

/// A file that was found.
struct Candidate {
    path: PathBuf,
    /// Its device and inode, by which links to one file are found; none for the standard input.
    identity: Option<(u64, u64)>,
    is_link: bool,
    format: Format,
    bytes: u64,
}

struct Search<'c> {
    config: &'c EventsConfig,
    base_dir: &'c Path,
    files: Vec<Candidate>,
    /// The folders that were searched, by device and inode.
    folders: HashMap<(u64, u64), PathBuf>,
    left_out: Vec<LeftOut>,
    /// How many folders were named again.
    repeats: usize,
}

impl Search<'_> {
    /// Adds the files that a path, a folder or a pattern stands for.
    fn expand(&mut self, pattern: &str, full: &Path, folder: &Path) -> Result<(), EventsError> {
        let (files, left_out, repeats) = (self.files.len(), self.left_out.len(), self.repeats);
        if full == Path::new(STANDARD_INPUT) {
            self.add_standard_input();
        } else if full.is_dir() {
            self.search(full)?;
        } else if full.symlink_metadata().is_ok() {
            self.add_named(full)?;
        } else {
            for path in matches(pattern, folder)? {
                if path.is_dir() {
                    self.search(&path)?
                } else {
                    self.add_found(path)?
                }
            }
        }
        match &self.left_out[left_out..] {
            _ if self.files.len() > files || self.repeats > repeats => Ok(()),
            [] => Err(EventsError::NoFiles {
                pattern: pattern.to_owned(),
                folder: folder.to_owned(),
            }),
            left_out => {
                let left_out = left_out.iter().take(NAMED_IN_ERROR).cloned().collect();
                Err(EventsError::AllLeftOut {
                    pattern: pattern.to_owned(),
                    left_out,
                })
            }
        }
    }

    fn add_standard_input(&mut self) {
        let format = self.config.format.unwrap_or(Format::Csv);
        let path = PathBuf::from(STANDARD_INPUT);
        self.files.push(Candidate {
            path,
            identity: None,
            is_link: false,
            format,
            bytes: 0,
        });
    }

    /// Adds all files of the log below `folder`.
    fn search(&mut self, root: &Path) -> Result<(), EventsError> {
        let mut waiting = vec![root.to_owned()];
        while let Some(folder) = waiting.pop() {
            let io = |source| EventsError::Io {
                path: folder.clone(),
                source,
            };
            let metadata = std::fs::metadata(&folder).map_err(io)?;
            if let Some(known) = self.folders.get(&(metadata.dev(), metadata.ino())) {
                self.repeats += usize::from(folder == root);
                if known != &folder {
                    let detail = format!("is the folder {}, which is read", self.shown(known));
                    self.leave_out(&folder, LeftOutReason::ReadAlready, detail);
                }
                continue;
            }
            self.folders
                .insert((metadata.dev(), metadata.ino()), folder.clone());
            let mut entries = std::fs::read_dir(&folder)
                .map_err(io)?
                .collect::<Result<Vec<_>, _>>()
                .map_err(io)?;
            entries.sort_by_key(std::fs::DirEntry::file_name);
            let mut inside = Vec::new();
            for entry in entries {
                let path = entry.path();
                // It holds nothing that the roll-up beside it does not.
                if entry.file_name() == ROLLUP_INDEX {
                    continue;
                }
                if let Some(detail) = hidden(&path) {
                    self.leave_out(&path, LeftOutReason::Hidden, detail.to_owned());
                } else if path.is_dir() {
                    inside.push(path);
                } else {
                    self.add_found(path)?;
                }
            }
            // Folders before links to them: a link to a folder that is read is left out, not the folder.
            inside.sort_by_key(|path| !path.is_symlink());
            waiting.extend(inside);
        }
        Ok(())
    }

    /// Adds a file that was named itself.
    fn add_named(&mut self, path: &Path) -> Result<(), EventsError> {
        let metadata = file_metadata(path)?;
        let format = match self.config.format.or_else(|| format_by_name(path)) {
            Some(format) => Some(format),
            None => format_by_content(path, self.config)?,
        };
        let format = format.ok_or_else(|| match foreign_kind(path) {
            Some(what) => {
                let instead = "decompress it or convert it to CSV, JSON Lines or Parquet";
                EventsError::NotText {
                    path: path.to_owned(),
                    what,
                    instead,
                }
            }
            None => EventsError::UnknownFormat {
                path: path.to_owned(),
            },
        })?;
        self.add(path.to_owned(), &metadata, format);
        Ok(())
    }

    /// Adds a file of a folder or of a pattern, or notes why not.
    fn add_found(&mut self, path: PathBuf) -> Result<(), EventsError> {
        let by_name = format_by_name(&path);
        if let Some(detail) = hidden(&path).filter(|_| by_name.is_none()) {
            self.leave_out(&path, LeftOutReason::Hidden, detail.to_owned());
            return Ok(());
        }
        let metadata = file_metadata(&path)?;
        let (reason, detail) = match self.config.format.or(by_name) {
            _ if is_copy(&path) => (
                LeftOutReason::Copy,
                "is a backup copy or still being written, as its name ends".to_owned(),
            ),
            Some(format) if foreign_kind(&path).is_none() => {
                self.add(path, &metadata, format);
                return Ok(());
            }
            _ if metadata.len() == 0 => (LeftOutReason::Empty, "is empty".to_owned()),
            _ => match (foreign_kind(&path), format_by_content(&path, self.config)?) {
                (None, Some(format)) => {
                    self.add(path, &metadata, format);
                    return Ok(());
                }
                (Some(what), _) => (
                    LeftOutReason::NotSupported,
                    format!("is {what}, which is not read"),
                ),
                (None, None) => (LeftOutReason::NotALog, NOT_A_LOG.to_owned()),
            },
        };
        self.leave_out(&path, reason, detail);
        Ok(())
    }

    fn add(&mut self, path: PathBuf, metadata: &Metadata, format: Format) {
        let (identity, is_link) = (Some((metadata.dev(), metadata.ino())), path.is_symlink());
        self.files.push(Candidate {
            path,
            identity,
            is_link,
            format,
            bytes: metadata.len(),
        });
    }

    fn leave_out(&mut self, path: &Path, reason: LeftOutReason, detail: String) {
        self.left_out.push(LeftOut {
            file: self.shown(path),
            reason,
            detail,
        });
    }

    fn shown(&self, path: &Path) -> String {
        shown(path.strip_prefix(self.base_dir).unwrap_or(path))
    }

    /// The files found, each once: by its own name rather than that of a link, and by the first name.
    fn finish(mut self) -> FoundFiles {
        let mut found = std::mem::take(&mut self.files);
        found.sort_by(|a, b| (a.is_link, &a.path).cmp(&(b.is_link, &b.path)));
        let mut known: HashMap<Option<(u64, u64)>, PathBuf> = HashMap::new();
        let mut files = Vec::new();
        for Candidate {
            path,
            identity,
            format,
            bytes,
            ..
        } in found
        {
            match known.get(&identity) {
                Some(first) if *first == path => {}
                Some(first) => {
                    let detail = format!("is the file {}, which is read", self.shown(first));
                    self.leave_out(&path, LeftOutReason::ReadAlready, detail);
                }
                None => {
                    known.insert(identity, path.clone());
                    files.push(LogFile {
                        shown: self.shown(&path),
                        path,
                        format,
                        bytes,
                    });
                }
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        self.left_out.sort();
        self.left_out.dedup();
        FoundFiles {
            files,
            left_out: self.left_out,
        }
    }
}
