//! What the files of a log hold, in a few letters.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use twox_hash::XxHash3_128;

use super::files::{self, FoundFiles};
use super::log_file::LogFile;
use super::open::STANDARD_INPUT;
use crate::events::quality::printable::shown;
use crate::events::{EventsConfig, EventsError};
use crate::phases::{Phase, Phases, Unit};

/// Bytes that are read at once.
const READ_BYTES: usize = 1 << 20;

/// Why there is no fingerprint.
#[derive(Debug, thiserror::Error)]
pub enum FingerprintError {
    /// Files that are not there, or cannot be read.
    #[error(transparent)]
    Log(#[from] EventsError),
    /// A pipe or standard input where files are wanted.
    #[error(
        "{} can be read only once, and would have to be read twice; give files",
        shown(path)
    )]
    ReadOnce {
        /// What was given.
        path: PathBuf,
    },
}

impl FingerprintError {
    /// Whether the command or the configuration has to name other files.
    pub fn is_setting(&self) -> bool {
        match self {
            Self::Log(error) => error.is_setting(),
            Self::ReadOnce { .. } => true,
        }
    }
}

/// What the files of a log hold. Equal files with equal names give equal fingerprints; another byte anywhere gives another
/// one. It finds accidents and no forgers: the hash is XXH3 of 128 bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFingerprint {
    /// How many files are read.
    pub files: usize,
    /// Their bytes on the disk.
    pub bytes: u64,
    /// The hash of their names and contents, and of the names of files that are left out.
    pub hash: String,
}

impl LogFingerprint {
    /// Reads the files of the log that `config` describes, or of those `given` in place of the configured ones.
    ///
    /// # Errors
    /// [`FingerprintError`] where there are none, where one cannot be read, and for what can be read only once.
    pub fn of(
        config: &EventsConfig,
        base_dir: &Path,
        given: &[PathBuf],
        phases: Phases<'_>,
    ) -> Result<Self, FingerprintError> {
        let FoundFiles { files, left_out } = files::find(config, base_dir, given)?;
        let bytes = files.iter().map(|file| file.bytes).sum();
        let phase = phases.begin("comparing the log", bytes, Unit::Bytes);
        let hash = |file: &LogFile| content(&file.path, &phase);
        let contents: Vec<Content> = files.par_iter().map(hash).collect::<Result<_, _>>()?;
        phase.finish();
        let mut all = XxHash3_128::new();
        let mut text = |text: &str| {
            // Its length goes before it, so that no two lists of names are written alike.
            all.write(&(text.len() as u64).to_le_bytes());
            all.write(text.as_bytes());
        };
        for (file, content) in files.iter().zip(&contents) {
            text(&file.shown);
            text(&format!("{} {:032x}", content.bytes, content.hash));
        }
        for left_out in &left_out {
            text(&left_out.file);
            text(&format!("{:?}", left_out.reason));
        }
        Ok(Self {
            files: files.len(),
            bytes: contents.iter().map(|content| content.bytes).sum(),
            hash: format!("{:032x}", all.finish_128()),
        })
    }
}

/// What a file holds.
struct Content {
    bytes: u64,
    hash: u128,
}

fn content(path: &Path, phase: &Phase<'_>) -> Result<Content, FingerprintError> {
    let failed = |source| EventsError::Io {
        path: path.to_owned(),
        source,
    };
    let is_stream =
        path == Path::new(STANDARD_INPUT) || !path.metadata().map_err(failed)?.is_file();
    if is_stream {
        return Err(FingerprintError::ReadOnce {
            path: path.to_owned(),
        });
    }
    let mut file = File::open(path).map_err(failed)?;
    let mut hash = XxHash3_128::new();
    let (mut buffer, mut bytes) = (vec![0; READ_BYTES], 0);
    loop {
        let read = file.read(&mut buffer).map_err(failed)?;
        let Some(part) = buffer.get(..read).filter(|part| !part.is_empty()) else {
            break;
        };
        hash.write(part);
        bytes += read as u64;
        phase.advance(read as u64);
    }
    Ok(Content {
        bytes,
        hash: hash.finish_128(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::{Duration, SystemTime};

    use tempfile::TempDir;

    use super::*;

    const LOG: &str = "user,time\na,2024-01-01\nb,2024-01-02\n";

    fn fingerprint(dir: &TempDir, paths: &[&str]) -> Result<LogFingerprint, FingerprintError> {
        let config = EventsConfig {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            ..EventsConfig::default()
        };
        LogFingerprint::of(&config, dir.path(), &[], Phases::UNOBSERVED)
    }

    #[test]
    fn only_names_and_bytes_count() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("a.csv");
        fs::write(&path, LOG).unwrap();
        let first = fingerprint(&dir, &["*.csv"]).unwrap();
        assert_eq!((first.files, first.bytes), (1, LOG.len() as u64));
        // Touched: other times, the same bytes.
        let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        fs::File::options()
            .write(true)
            .open(&path)
            .and_then(|file| file.set_modified(then))
            .unwrap();
        assert_eq!(fingerprint(&dir, &["*.csv"]).unwrap(), first);
        // Changed without a change of the size, and of the time.
        fs::write(&path, LOG.replace("b,", "c,")).unwrap();
        fs::File::options()
            .write(true)
            .open(&path)
            .and_then(|file| file.set_modified(then))
            .unwrap();
        let changed = fingerprint(&dir, &["*.csv"]).unwrap();
        assert_eq!(changed.bytes, first.bytes);
        assert_ne!(changed.hash, first.hash);
        fs::write(&path, LOG).unwrap();
        assert_eq!(fingerprint(&dir, &["*.csv"]).unwrap(), first);
        // Another file, the same one under another name, and one that is left out.
        fs::write(dir.path().join("b.csv"), LOG).unwrap();
        assert_ne!(fingerprint(&dir, &["*.csv"]).unwrap().hash, first.hash);
        fs::rename(dir.path().join("b.csv"), dir.path().join("_b.csv")).unwrap();
        assert_ne!(fingerprint(&dir, &["."]).unwrap().hash, first.hash);
        fs::remove_file(dir.path().join("_b.csv")).unwrap();
        fs::rename(&path, dir.path().join("c.csv")).unwrap();
        assert_ne!(fingerprint(&dir, &["*.csv"]).unwrap().hash, first.hash);
    }

    #[test]
    fn bytes_that_move_from_one_file_to_the_next_are_a_change() {
        let dir = TempDir::new().unwrap();
        let write = |one: &str, two: &str| {
            fs::write(dir.path().join("a.csv"), one).unwrap();
            fs::write(dir.path().join("b.csv"), two).unwrap();
            fingerprint(&dir, &["*.csv"]).unwrap()
        };
        let before = write("user,time\na,1\n", "b,2\n");
        let after = write("user,time\na,1\nb", ",2\n");
        assert_eq!(before.bytes, after.bytes);
        assert_ne!(before.hash, after.hash);
    }

    #[test]
    fn what_can_be_read_once_is_not_read_for_it() {
        let dir = TempDir::new().unwrap();
        let config = EventsConfig::default();
        let given = [PathBuf::from("-")];
        let found = LogFingerprint::of(&config, dir.path(), &given, Phases::UNOBSERVED);
        assert!(
            matches!(found, Err(FingerprintError::ReadOnce { .. })),
            "{found:?}"
        );
    }
}
