use std::cell::Cell as Shared;
use std::io::{self, Read};
use std::ops::Range;
use std::rc::Rc;

use csv::{ByteRecord, Terminator};

use super::EventsError;
use super::duplicates::hash_bytes;
use super::feed::TextPiece;
use super::reading::Reading;
use super::reason::{Field, Refusal, RefusalReason};
use super::source::{NotUtf8, Row};
use crate::history::Cell;

/// Bytes that the reader of records looks at once.
const BUFFER_BYTES: usize = 1 << 17;

/// A reader of records; rows need not have as many fields as the header.
pub(super) fn reader(delimiter: u8, terminator: u8) -> csv::ReaderBuilder {
    let mut builder = csv::ReaderBuilder::new();
    builder.delimiter(delimiter).has_headers(false).flexible(true).terminator(Terminator::Any(terminator));
    builder
}

/// The names in a header.
pub(super) fn header_names<'h>(fields: impl Iterator<Item = &'h [u8]>) -> Vec<String> {
    fields.map(|field| String::from_utf8_lossy(field).trim().to_owned()).collect()
}

/// Reads a piece of delimited text; the number of rows.
pub(super) fn read_csv(
    reading: &mut Reading<'_>,
    piece: &TextPiece,
    delimiter: u8,
    terminator: u8,
) -> Result<u64, EventsError> {
    let path = &reading.file.path;
    let fail = |error: csv::Error| EventsError::Io { path: path.clone(), source: io::Error::other(error.to_string()) };
    let ended = Rc::new(Shared::new(false));
    let text = Watched { text: &piece.bytes, ended: ended.clone() };
    let mut csv = reader(delimiter, terminator).buffer_capacity(BUFFER_BYTES).from_reader(text);
    let mut record = ByteRecord::new();
    let mut rows = 0;
    while csv.read_byte_record(&mut record).map_err(fail)? {
        if record.len() == 1 && matches!(record.get(0), Some(b"" | b"\r")) {
            continue;
        }
        rows += 1;
        reading.intake.compare(hash_record(&record));
        let line = || {
            let inside = record.as_slice().iter().filter(|byte| **byte == b'\n').count() as u64;
            // A record that the end of the file ended has no terminator of its own.
            let own = u64::from(!ended.get() && terminator == b'\n');
            piece.lines_before + csv.position().line().saturating_sub(inside + own).max(1)
        };
        if record.len() == piece.names.len() {
            reading.row(&CsvRow(&record), line)?;
        } else {
            reading.refuse(wrong_column_count(record.len(), piece.names.len()), line)?;
        }
    }
    Ok(rows)
}

fn wrong_column_count(found: usize, expected: usize) -> Refusal {
    Refusal {
        reason: RefusalReason::WrongColumnCount,
        field: Field::Row,
        value: found.to_string(),
        expected: format!("{expected} columns").into(),
    }
}

fn hash_record(record: &ByteRecord) -> u64 {
    let fields = (0..record.len()).filter_map(|field| record.range(field));
    let lengths = fields.fold(0_u64, |hash, range| hash.rotate_left(7) ^ range.end as u64);
    let bytes = record.as_slice();
    hash_bytes(lengths, bytes.strip_suffix(b"\r").unwrap_or(bytes))
}

struct CsvRow<'a>(&'a ByteRecord);

impl Row for CsvRow<'_> {
    fn cell(&self, column: usize) -> Result<Cell<'_>, NotUtf8> {
        let Some(bytes) = self.0.get(column) else { return Ok(Cell::Null) };
        let is_last = column + 1 == self.0.len();
        text_cell(if is_last { bytes.strip_suffix(b"\r").unwrap_or(bytes) } else { bytes })
    }

    fn nested(&self, _: usize) -> cel::Value {
        cel::Value::Null
    }
}

fn text_cell(bytes: &[u8]) -> Result<Cell<'_>, NotUtf8> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Cell::Text(text)),
        Err(_) => Err(NotUtf8(String::from_utf8_lossy(bytes).into_owned())),
    }
}

/// Tells when the text has come to its end.
struct Watched<'t> {
    text: &'t [u8],
    ended: Rc<Shared<bool>>,
}

impl Read for Watched<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.text.read(into)?;
        self.ended.set(read == 0);
        Ok(read)
    }
}

/// Reads a piece of text whose fields are separated by blanks; the number of rows.
pub(super) fn read_blank_separated(reading: &mut Reading<'_>, piece: &TextPiece) -> Result<u64, EventsError> {
    let mut fields = Vec::new();
    let mut rows = 0;
    for (line, number) in piece.bytes.split(|byte| *byte == b'\n').zip(piece.lines_before + 1..) {
        split_at_blanks(line, &mut fields);
        if fields.is_empty() {
            continue;
        }
        rows += 1;
        reading.intake.compare(hash_bytes(0, line.trim_ascii()));
        if fields.len() == piece.names.len() {
            reading.row(&BlankRow { line, fields: &fields }, || number)?;
        } else {
            reading.refuse(wrong_column_count(fields.len(), piece.names.len()), || number)?;
        }
    }
    Ok(rows)
}

/// The places of the fields of a line.
pub(super) fn split_at_blanks(line: &[u8], fields: &mut Vec<Range<usize>>) {
    fields.clear();
    let mut start = None;
    for (at, byte) in line.iter().enumerate() {
        match (byte.is_ascii_whitespace(), start) {
            (false, None) => start = Some(at),
            (true, Some(from)) => {
                fields.push(from..at);
                start = None;
            }
            _ => {}
        }
    }
    fields.extend(start.map(|from| from..line.len()));
}

struct BlankRow<'a> {
    line: &'a [u8],
    fields: &'a [Range<usize>],
}

impl BlankRow<'_> {
    fn bytes(&self, field: usize) -> &[u8] {
        self.fields.get(field).and_then(|range| self.line.get(range.clone())).unwrap_or_default()
    }
}

impl Row for BlankRow<'_> {
    fn cell(&self, column: usize) -> Result<Cell<'_>, NotUtf8> {
        text_cell(self.bytes(column))
    }

    fn nested(&self, _: usize) -> cel::Value {
        cel::Value::Null
    }
}
