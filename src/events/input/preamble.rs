//! The layout of a text file and its columns, from its beginning.

use std::ops::Range;

use super::chunks::Layout;
use super::csv::split_at_whitespace;
use super::csv_record::{Csv, Fields, Found};
use super::log_file::LogFile;
use super::log_file::extension;
use super::unsupported::check_text;
use crate::events::EventsError;
use crate::events::config::{Delimiter, Escape, EventsConfig, Format};
use crate::events::quality::printable::printable;

/// The layout of a text file, its columns, and the length of its header with what is before it.
pub(crate) struct Beginning {
    pub(crate) layout: Layout,
    pub(crate) names: Vec<String>,
    pub(crate) length: usize,
}

/// The layout from the first bytes of a file, `are_all` when it has no more; `None` where more are needed.
pub(crate) fn beginning(
    bytes: &[u8],
    are_all: bool,
    file: &LogFile,
    config: &EventsConfig,
) -> Result<Option<Beginning>, EventsError> {
    check_text(bytes, &file.path)?;
    let delimiter = match (file.format, config.delimiter) {
        (Format::Jsonl, _) => {
            return Ok(Some(Beginning {
                layout: Layout::Json,
                names: Vec::new(),
                length: 0,
            }));
        }
        (_, Some(Delimiter::Whitespace)) => {
            return whitespace_separated(bytes, are_all, file, config);
        }
        (_, Some(Delimiter::Byte(byte))) => byte,
        (_, None) if extension(&file.path) == "tsv" => b'\t',
        (_, None) => b',',
    };
    let backslash = config.escape == Some(Escape::Backslash);
    let mut csv = Csv {
        delimiter,
        terminator: b'\n',
        backslash,
        columns: 0,
        limits: config.record_limits(),
    };
    csv.terminator = terminator(bytes, csv);
    let (names, length) = match &config.columns {
        Some(names) => (names.clone(), 0),
        None => match header(bytes, are_all, csv, file)? {
            Some(found) => found,
            None => return Ok(None),
        },
    };
    csv.columns = names.len();
    let rows = &bytes[length..];
    csv.backslash = csv.backslash || config.escape.is_none() && has_backslashes(rows, are_all, csv);
    Ok(Some(Beginning {
        layout: Layout::Csv(csv),
        names,
        length,
    }))
}

/// What ends the lines: a carriage return by itself where there are more of these than newlines outside of quotes.
fn terminator(bytes: &[u8], csv: Csv) -> u8 {
    // Hardly any file is of the old Macintosh, and most have no carriage return at all.
    if memchr::memchr(b'\r', bytes).is_none() {
        return b'\n';
    }
    let (mut returns, mut newlines, mut at) = (0_u64, 0_u64, 0);
    let mut starts_field = true;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'"' if starts_field => {
                let Some(end) = csv.closing_quote(bytes, at) else {
                    break;
                };
                at = end;
            }
            b'\n' => newlines += 1,
            b'\r' if bytes.get(at) != Some(&b'\n') => returns += 1,
            _ => {}
        }
        starts_field = *byte == csv.delimiter || matches!(byte, b'\n' | b'\r');
    }
    if returns > newlines { b'\r' } else { b'\n' }
}

/// The columns that the first line that is not empty names, and where the next one begins.
fn header(
    bytes: &[u8],
    are_all: bool,
    csv: Csv,
    file: &LogFile,
) -> Result<Option<(Vec<String>, usize)>, EventsError> {
    let blank = |byte: &u8| *byte == csv.terminator || *byte == b'\r';
    let from = bytes.iter().take_while(|byte| blank(byte)).count();
    if from >= bytes.len() {
        return if are_all {
            Err(EventsError::NoHeader {
                path: file.path.clone(),
            })
        } else {
            Ok(None)
        };
    }
    let bad = |problem: &'static str| {
        let line = &bytes[from..];
        let end = memchr::memchr(csv.terminator, line).unwrap_or(line.len());
        let line = &line[..end];
        let first = printable(
            &String::from_utf8_lossy(line.get(..400).unwrap_or(line)),
            80,
        );
        Err(EventsError::BadHeader {
            path: file.path.clone(),
            problem,
            first,
        })
    };
    match csv.find(bytes, from, are_all) {
        None => Ok(None),
        Some(Found::OpenQuote { .. }) => bad("opens a quote and does not close it"),
        Some(Found::TooLong { .. }) => bad("has more bytes than `events.max_record_bytes`"),
        Some(Found::Record { end, next }) => {
            let record = &bytes[from..end];
            let record = record.strip_suffix(b"\r").unwrap_or(record);
            let mut fields = Fields::default();
            fields.split(record, csv);
            Ok(Some((header_names(fields.iter(record)), next)))
        }
    }
}

fn header_names<'h>(fields: impl Iterator<Item = &'h [u8]>) -> Vec<String> {
    fields
        .map(|field| String::from_utf8_lossy(field).trim().to_owned())
        .collect()
}

fn whitespace_separated(
    bytes: &[u8],
    are_all: bool,
    file: &LogFile,
    config: &EventsConfig,
) -> Result<Option<Beginning>, EventsError> {
    let layout = Layout::Whitespace;
    if let Some(names) = &config.columns {
        return Ok(Some(Beginning {
            layout,
            names: names.clone(),
            length: 0,
        }));
    }
    let (mut length, mut fields) = (0, Vec::new());
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        length += line.len();
        split_at_whitespace(line, &mut fields);
        if !fields.is_empty() && (are_all || line.ends_with(b"\n")) {
            let field = |range: &Range<usize>| &line[range.clone()];
            return Ok(Some(Beginning {
                layout,
                names: header_names(fields.iter().map(field)),
                length,
            }));
        }
    }
    let path = || file.path.clone();
    match (are_all, bytes.len() > config.record_limits().bytes) {
        (true, _) => Err(EventsError::NoHeader { path: path() }),
        (false, true) => Err(EventsError::BadHeader {
            path: path(),
            problem: "has more bytes than `events.max_record_bytes`",
            first: printable(
                &String::from_utf8_lossy(bytes.get(..400).unwrap_or(bytes)),
                80,
            ),
        }),
        (false, false) => Ok(None),
    }
}

/// Whether quotes in these rows are escaped by backslashes: some rows are malformed unless they are, and fewer are if they
/// are. A row is malformed where text follows a closing quote, where a quote is open, or where columns are missing or too
/// many. So a log with `"C:\"` in it, whose rows are well formed as they are, is read as it is.
fn has_backslashes(rows: &[u8], are_all: bool, csv: Csv) -> bool {
    if memchr::memmem::find(rows, b"\\\"").is_none() {
        return false;
    }
    // Both readings are tried on the beginning; the one with fewer malformed rows is right.
    let malformed = |backslash| malformed(rows, are_all, Csv { backslash, ..csv });
    malformed(true) < malformed(false)
}

fn malformed(rows: &[u8], are_all: bool, csv: Csv) -> usize {
    let (mut count, mut at) = (0, 0);
    let mut fields = Fields::default();
    while at < rows.len() {
        match csv.find(rows, at, are_all) {
            Some(Found::Record { end, next }) => {
                let record = &rows[at..end];
                let record = record.strip_suffix(b"\r").unwrap_or(record);
                fields.split(record, csv);
                count += usize::from(
                    !record.is_empty() && (fields.is_malformed || fields.len() != csv.columns),
                );
                at = next;
            }
            Some(Found::OpenQuote { next, .. } | Found::TooLong { next: Some(next) }) => {
                count += 1;
                at = next;
            }
            Some(Found::TooLong { next: None }) | None => break,
        }
    }
    count
}
