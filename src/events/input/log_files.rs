use std::path::{Path, PathBuf};

use super::files;
use crate::events::{EventsConfig, EventsError};

/// What a log is read from, before it is read: for whoever must not write over it.
#[derive(Clone, Debug)]
pub struct LogFiles {
    /// The files, and the folders that are read with all that is below them.
    pub paths: Vec<PathBuf>,
    /// Patterns as they were given, and as they match paths without links.
    patterns: Vec<(String, glob::Pattern)>,
}

impl LogFiles {
    /// The files of the log that `config` describes, or of those `given` in place of the configured ones.
    ///
    /// # Errors
    /// [`EventsError`] where there are none.
    pub fn find(
        config: &EventsConfig,
        base_dir: &Path,
        given: &[PathBuf],
    ) -> Result<Self, EventsError> {
        let mut paths: Vec<PathBuf> = files::find(config, base_dir, given)?
            .files
            .into_iter()
            .map(|file| file.path)
            .collect();
        let configured = config
            .paths
            .iter()
            .map(|path| (path.clone(), base_dir.join(path)));
        let commanded = given
            .iter()
            .map(|path| (path.display().to_string(), path.clone()));
        let named: Vec<(String, PathBuf)> = if given.is_empty() {
            configured.collect()
        } else {
            commanded.collect()
        };
        let base_dir = if given.is_empty() {
            base_dir
        } else {
            Path::new(".")
        };
        let mut patterns = Vec::new();
        for (shown, path) in named {
            if path.exists() {
                paths.push(path);
            } else if let Some(pattern) = absolute(&shown, base_dir) {
                patterns.push((shown, pattern));
            }
        }
        Ok(Self { paths, patterns })
    }

    /// The pattern that a path without links matches.
    pub fn pattern_of(&self, path: &Path) -> Option<&str> {
        let options = glob::MatchOptions {
            require_literal_separator: true,
            ..glob::MatchOptions::new()
        };
        let found = self
            .patterns
            .iter()
            .find(|(_, pattern)| pattern.matches_path_with(path, options));
        found.map(|(shown, _)| shown.as_str())
    }
}

/// A pattern that matches paths without links, whose folder may have some.
fn absolute(pattern: &str, base_dir: &Path) -> Option<glob::Pattern> {
    let folder = base_dir.canonicalize().ok()?;
    let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
    let text = match Path::new(pattern).is_absolute() {
        true => pattern.to_owned(),
        false => format!(
            "{}/{pattern}",
            glob::Pattern::escape(&folder.to_string_lossy())
        ),
    };
    glob::Pattern::new(&text).ok()
}
