//! The format of a file by its name, or by what is in it.

use std::io::{BufRead, Read};
use std::path::Path;
use std::sync::Arc;

use super::files::LogFile;
use super::open::{first_bytes, open_text};
use super::text_chunks::column_names;
use crate::events::EventsError;
use crate::events::config::{EventsConfig, Format};
use crate::events::mapping::field::Columns;
use crate::events::mapping::mapper::Mapper;

/// Bytes of a first line of JSON that are looked at.
const LINE_BYTES: u64 = 1 << 20;

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

/// The format that a file's name tells.
pub(crate) fn format_by_name(path: &Path) -> Option<Format> {
    format_of_extension(&extension(path))
}

/// The format of a file that holds events of this log: Parquet by its first bytes, and text where the first line has the
/// columns that the configuration names, as keys of a JSON object or as a header.
pub(crate) fn format_by_content(
    path: &Path,
    config: &EventsConfig,
) -> Result<Option<Format>, EventsError> {
    if first_bytes(path, 4)? == b"PAR1" {
        return Ok(Some(Format::Parquet));
    }
    let Some(mut mapper) = Mapper::new(config, None)? else {
        return Ok(None);
    };
    let Ok(text) = open_text(path, Arc::default()) else {
        return Ok(None);
    };
    let mut line = Vec::new();
    if text.take(LINE_BYTES).read_until(b'\n', &mut line).is_err() {
        return Ok(None);
    }
    if let Ok(serde_json::Value::Object(object)) = serde_json::from_slice(&line) {
        let has_any = mapper
            .names()
            .iter()
            .any(|(_, name)| object.contains_key(name));
        return Ok(has_any.then_some(Format::Jsonl));
    }
    let file = LogFile {
        path: path.to_owned(),
        shown: String::new(),
        format: Format::Csv,
        bytes: 0,
    };
    let first_line = EventsConfig {
        columns: None,
        ..config.clone()
    };
    let Ok(names) = column_names(&file, &first_line) else {
        return Ok(None);
    };
    let is_log = match &config.columns {
        Some(columns) => columns.len() > 1 && names.len() == columns.len(),
        None => mapper
            .bind(&Columns {
                path,
                names: &names,
            })
            .is_ok(),
    };
    Ok(is_log.then_some(Format::Csv))
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
