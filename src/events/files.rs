use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

use super::EventsError;
use super::config::{EventsConfig, Format};

/// Bytes read at once, before and after decompression.
const BUFFER_BYTES: usize = 1 << 17;

/// A file of the log.
#[derive(Clone, Debug)]
pub(super) struct LogFile {
    pub(super) path: PathBuf,
    /// The path as reports show it.
    pub(super) shown: String,
    pub(super) format: Format,
    /// Bytes on the disk.
    pub(super) bytes: u64,
}

/// The files of the log, sorted by path, each once.
pub(super) fn find(config: &EventsConfig, base_dir: &Path, given: &[PathBuf]) -> Result<Vec<LogFile>, EventsError> {
    let mut paths = Vec::new();
    for path in given {
        expand(&path.to_string_lossy(), path, Path::new("."), config.format, &mut paths)?;
    }
    if given.is_empty() {
        for pattern in &config.paths {
            let full = base_dir.join(pattern);
            expand(pattern, &full, base_dir, config.format, &mut paths)?;
        }
    }
    if paths.is_empty() {
        return Err(EventsError::NoPaths);
    }
    paths.sort();
    paths.dedup();
    let file = |path: PathBuf| {
        let format = config.format.or_else(|| format_of(&path));
        let format = format.ok_or_else(|| EventsError::UnknownFormat { path: path.clone() })?;
        let metadata = std::fs::metadata(&path).map_err(|source| EventsError::Io { path: path.clone(), source })?;
        let shown = path.strip_prefix(base_dir).unwrap_or(&path).to_string_lossy().into_owned();
        Ok(LogFile { shown, format, bytes: metadata.len(), path })
    };
    paths.into_iter().map(file).collect()
}

/// Adds the files that a path, a folder or a pattern stands for.
fn expand(
    pattern: &str,
    full: &Path,
    folder: &Path,
    format: Option<Format>,
    into: &mut Vec<PathBuf>,
) -> Result<(), EventsError> {
    let before = into.len();
    if full.is_dir() {
        walk(full, format, into)?;
    } else if full.exists() {
        into.push(full.to_owned());
    } else {
        let fail = |message: String| EventsError::Pattern { pattern: pattern.to_owned(), message };
        // Only the pattern itself may hold wildcards, not the folder that it is relative to.
        let text = if Path::new(pattern).is_absolute() {
            pattern.to_owned()
        } else {
            format!("{}/{pattern}", glob::Pattern::escape(&folder.to_string_lossy()))
        };
        for path in glob::glob(&text).map_err(|error| fail(error.to_string()))? {
            let path = path.map_err(|error| EventsError::Io { path: error.path().to_owned(), source: error.into() })?;
            if path.is_dir() {
                walk(&path, format, into)?;
            } else {
                into.push(path);
            }
        }
    }
    if into.len() == before {
        return Err(EventsError::NoFiles { pattern: pattern.to_owned(), folder: folder.to_owned() });
    }
    Ok(())
}

/// Adds all files of a known format below `folder`, passing over names that start with `_` or `.`.
fn walk(folder: &Path, format: Option<Format>, into: &mut Vec<PathBuf>) -> Result<(), EventsError> {
    let io = |source| EventsError::Io { path: folder.to_owned(), source };
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with(['_', '.']) {
            continue;
        }
        if path.is_dir() {
            walk(&path, format, into)?;
        } else if format.is_some() || format_of(&path).is_some() {
            into.push(path);
        }
    }
    Ok(())
}

/// The extension in lower case, without those of compression.
pub(super) fn extension(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
    name.rsplit_once('.').map(|(_, extension)| extension.to_owned()).unwrap_or_default()
}

fn format_of(path: &Path) -> Option<Format> {
    match extension(path).as_str() {
        "csv" | "txt" | "tsv" => Some(Format::Csv),
        "jsonl" | "ndjson" | "json" => Some(Format::Jsonl),
        "parquet" => Some(Format::Parquet),
        _ => None,
    }
}

/// Opens a text file: decompressed where its first bytes say gzip or zstd, and past a byte order mark.
///
/// `bytes_read` counts the bytes read from the disk.
pub(super) fn open_text(path: &Path, bytes_read: Arc<AtomicU64>) -> Result<Box<dyn BufRead + Send>, EventsError> {
    let fail = |source| read_error(path, source);
    let file = Counted { file: File::open(path).map_err(fail)?, bytes_read };
    let mut raw = BufReader::with_capacity(BUFFER_BYTES, file);
    let magic = raw.fill_buf().map_err(fail)?;
    let mut text: Box<dyn BufRead + Send> = match magic {
        [0x1f, 0x8b, ..] => Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(raw))),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let decoder = zstd::Decoder::with_buffer(raw).map_err(fail)?;
            Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder))
        }
        _ => Box::new(raw),
    };
    match text.fill_buf().map_err(fail)? {
        [0xef, 0xbb, 0xbf, ..] => text.consume(3),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Err(EventsError::Utf16 { path: path.to_owned() }),
        _ => {}
    }
    Ok(text)
}

/// The error for a file that could not be read; one that stops in the middle has its own.
pub(super) fn read_error(path: &Path, source: io::Error) -> EventsError {
    match source.kind() {
        io::ErrorKind::UnexpectedEof => EventsError::Truncated { path: path.to_owned() },
        _ => EventsError::Io { path: path.to_owned(), source },
    }
}

struct Counted {
    file: File,
    bytes_read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(into)?;
        self.bytes_read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
