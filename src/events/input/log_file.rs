//! A file of the log, and its format by its name.

use std::path::{Path, PathBuf};

use crate::events::config::Format;

/// A file of the log.
#[derive(Clone, Debug)]
pub(crate) struct LogFile {
    pub(crate) path: PathBuf,
    /// The path as reports show it.
    pub(crate) shown: String,
    pub(crate) format: Format,
    /// Bytes on the disk.
    pub(crate) bytes: u64,
}

/// The extension in lower case: without those of compression, and without what the rotation of logs adds, as in
/// `events.csv.1`, `events.csv-20240131` and `events.csv.2.gz`.
pub(crate) fn extension(path: &Path) -> String {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    let mut name = name.as_str();
    loop {
        let rotated = name.trim_end_matches(|c: char| {
            c.is_ascii_digit() || matches!(c, '.' | '-' | '_' | ':' | 't')
        });
        let is_log = format_of_extension(last_extension(uncompressed(rotated))).is_some();
        let base = uncompressed(if is_log { rotated } else { name });
        if base == name {
            return last_extension(name).to_owned();
        }
        name = base;
    }
}

fn uncompressed(name: &str) -> &str {
    name.strip_suffix(".gz")
        .or_else(|| name.strip_suffix(".zst"))
        .unwrap_or(name)
}

fn last_extension(name: &str) -> &str {
    name.rsplit_once('.')
        .map(|(_, extension)| extension)
        .unwrap_or_default()
}

fn format_of_extension(extension: &str) -> Option<Format> {
    match extension {
        "csv" | "txt" | "tsv" => Some(Format::Csv),
        "jsonl" | "ndjson" | "json" => Some(Format::Jsonl),
        "parquet" => Some(Format::Parquet),
        _ => None,
    }
}

/// The format by a file's name.
pub(crate) fn format_by_name(path: &Path) -> Option<Format> {
    format_of_extension(&extension(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compression_and_rotation_are_no_part_of_an_extension() {
        for (name, expected) in [
            ("events.csv", "csv"),
            ("EVENTS.CSV.GZ", "csv"),
            ("events.csv.1", "csv"),
            ("events.csv.2.gz", "csv"),
            ("events.csv.gz.3", "csv"),
            ("events.csv-20240131", "csv"),
            ("events.jsonl.2024-01-31T10:00", "jsonl"),
            ("events.parquet", "parquet"),
            ("notes.txt", "txt"),
            ("events.2024.csv.zst", "csv"),
            ("part-0000", ""),
            ("events.1", "1"),
            ("events.csv.bz2", "bz2"),
            ("events.csv.bak", "bak"),
        ] {
            assert_eq!(extension(Path::new(name)), expected, "{name}");
        }
    }
}
