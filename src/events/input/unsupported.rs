//! Files that are no text, or none that is read, by their first bytes.

use std::path::Path;

use crate::events::EventsError;

/// Bytes that tell whether a text is UTF-16.
const BYTES_LOOKED_AT: usize = 512;

/// What is known by its first bytes, and what to do about it.
const KNOWN: [(&[u8], &str, &str); 12] = [
    (
        b"PK\x03\x04",
        "a ZIP archive or an Excel workbook (.xlsx)",
        "save the sheet as CSV, or unpack the archive",
    ),
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "an old Excel workbook (.xls) or Office document",
        "save the sheet as CSV",
    ),
    (b"%PDF-", "a PDF document", "export the data as CSV"),
    (
        b"PAR1",
        "Parquet",
        "set `events.format` = \"parquet\", or name it .parquet; it must not be compressed as a whole",
    ),
    (
        b"BZh",
        "compressed by bzip2",
        "decompress it, or compress it by gzip or zstd",
    ),
    (
        b"\xfd7zXZ\x00",
        "compressed by xz",
        "decompress it, or compress it by gzip or zstd",
    ),
    (
        b"\x04\x22\x4d\x18",
        "compressed by lz4",
        "decompress it, or compress it by gzip or zstd",
    ),
    (
        b"\xff\x06\x00\x00sNaPpY",
        "compressed by snappy",
        "decompress it, or compress it by gzip or zstd",
    ),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it"),
    (b"Obj\x01", "Avro", "convert it to Parquet"),
    (b"ORC", "ORC", "convert it to Parquet"),
    (
        b"SQLite format 3\x00",
        "an SQLite database",
        "export the table as CSV",
    ),
];

/// Names of compressed files and archives that are not read.
const EXTENSIONS: [(&str, &str); 14] = [
    ("bz2", "compressed by bzip2"),
    ("xz", "compressed by xz"),
    ("lz4", "compressed by lz4"),
    ("lzo", "compressed by lzop"),
    ("snappy", "compressed by snappy"),
    ("br", "compressed by brotli"),
    ("z", "compressed by compress"),
    ("7z", "a 7-Zip archive"),
    ("zip", "a ZIP archive"),
    ("tar", "a tar archive"),
    ("xlsx", "an Excel workbook"),
    ("xls", "an Excel workbook"),
    ("avro", "Avro"),
    ("orc", "ORC"),
];

/// What a file that is not read is, as its last extension in lower case says.
pub(crate) fn by_extension(extension: &str) -> Option<&'static str> {
    EXTENSIONS
        .iter()
        .find(|(known, _)| *known == extension)
        .map(|(_, what)| *what)
}

/// What a file is that is no text, by its first bytes, and what to do about it.
pub(crate) fn by_content(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    let (_, what, instead) = KNOWN.iter().find(|(magic, ..)| bytes.starts_with(magic))?;
    // Words may begin like some of these; no text has bytes that aren't written.
    let is_word = matches!(*what, "compressed by bzip2" | "ORC" | "Parquet")
        && bytes
            .get(..64)
            .unwrap_or(bytes)
            .iter()
            .all(|byte| !byte.is_ascii_control() || byte.is_ascii_whitespace())
        && std::str::from_utf8(bytes.get(..16).unwrap_or(bytes)).is_ok();
    (!is_word).then_some((what, instead))
}

/// An error for the beginning of a file that is no text in UTF-8, or another single-byte encoding.
pub(crate) fn check_text(bytes: &[u8], path: &Path) -> Result<(), EventsError> {
    if let Some((what, instead)) = by_content(bytes) {
        return Err(EventsError::NotText {
            path: path.to_owned(),
            what,
            instead,
        });
    }
    let bytes = bytes.get(..BYTES_LOOKED_AT).unwrap_or(bytes);
    let nuls = |from: usize| {
        bytes
            .iter()
            .skip(from)
            .step_by(2)
            .filter(|byte| **byte == 0)
            .count()
    };
    let (even, odd, pairs) = (nuls(0), nuls(1), bytes.len() / 2);
    // Latin letters have a zero in one of their two bytes, and other letters have not; the first line is mostly Latin.
    if pairs > 1 && even.max(odd) * 2 > pairs && even.min(odd) * 8 <= pairs {
        return Err(EventsError::Utf16 {
            path: path.to_owned(),
        });
    }
    Ok(())
}
