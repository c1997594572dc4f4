use std::ops::Range;

use super::chunks::TextPiece;
use super::csv_record::{Csv, Fields, Found, Limits};
use crate::columnar::Cell;
use crate::events::EventsError;
use crate::events::mapping::field::{NotUtf8, Row};
use crate::events::quality::duplicates::hash_bytes;
use crate::events::quality::printable::printable;
use crate::events::quality::rejection::RefusalReason;
use crate::events::row_reader::Reading;

/// Bytes of a refused row that may be shown.
const BYTES_SHOWN: usize = 400;
const CHARACTERS_SHOWN: usize = 80;

/// Reads a piece of delimited text; the number of rows.
pub(crate) fn read_csv(
    reading: &mut Reading<'_>,
    piece: &TextPiece,
    csv: Csv,
) -> Result<u64, EventsError> {
    let bytes = piece.bytes.as_slice();
    let has_quotes = memchr::memchr(b'"', bytes).is_some();
    let lines = |range: Range<usize>| {
        let bytes = bytes.get(range).unwrap_or_default();
        memchr::memchr_iter(csv.terminator, bytes).count() as u64
    };
    let (mut fields, mut joined) = (Fields::default(), Vec::new());
    let (mut rows, mut at, mut line) = (0, 0, piece.lines_before + 1);
    loop {
        let empty = bytes
            .get(at..)
            .unwrap_or_default()
            .iter()
            .take_while(|byte| **byte == csv.terminator)
            .count();
        (at, line) = (at + empty, line + empty as u64);
        let Some(found) = csv.find(bytes, at, true).filter(|_| at < bytes.len()) else {
            return Ok(rows);
        };
        let next = match found {
            Found::Record { end, next } => {
                let record = bytes.get(at..end).unwrap_or_default();
                let record = record.strip_suffix(b"\r").unwrap_or(record);
                fields.split(record, csv);
                if fields.len() > 1 || fields.get(record, 0).is_some_and(|field| !field.is_empty())
                {
                    rows += 1;
                    reading.intake.compare(hash_record(
                        record,
                        &fields,
                        csv.delimiter,
                        &mut joined,
                    ));
                    take_in(
                        reading,
                        &CsvRow {
                            record,
                            fields: &fields,
                        },
                        fields.len(),
                        piece,
                        line,
                    )?;
                }
                next
            }
            Found::OpenQuote { quote, next } => {
                rows += 1;
                refuse_open_quote(
                    reading,
                    bytes.get(quote..next).unwrap_or_default(),
                    csv,
                    line + lines(at..quote),
                )?;
                next
            }
            Found::TooLong { next } => {
                rows += 1;
                refuse_too_long(
                    reading,
                    bytes.get(at..).unwrap_or_default(),
                    csv.limits,
                    line,
                )?;
                next.unwrap_or(bytes.len())
            }
        };
        line += if has_quotes { lines(at..next) } else { 1 };
        at = next;
    }
}

/// Takes in a row if it has as many columns as the header.
fn take_in(
    reading: &mut Reading<'_>,
    row: &impl Row,
    columns: usize,
    piece: &TextPiece,
    line: u64,
) -> Result<(), EventsError> {
    let expected = piece.names.len();
    if columns == expected {
        return reading.row(row, || line);
    }
    let describe = || (columns.to_string(), format!("{expected} columns"));
    reading.refuse_row(RefusalReason::WrongColumnCount, line, describe)
}

fn refuse_open_quote(
    reading: &mut Reading<'_>,
    from_quote: &[u8],
    csv: Csv,
    line: u64,
) -> Result<(), EventsError> {
    let Limits { bytes, lines } = csv.limits;
    let describe = || {
        let expected = format!(
            "a quote that closes it before other rows begin, within {lines} lines and {bytes} bytes \
             (`events.max_record_lines`, `events.max_record_bytes`)"
        );
        (
            beginning(
                from_quote
                    .split(|byte| *byte == csv.terminator)
                    .next()
                    .unwrap_or_default(),
            ),
            expected,
        )
    };
    reading.refuse_row(RefusalReason::OpenQuote, line, describe)
}

/// Counts a record that goes beyond the limit.
pub(crate) fn refuse_too_long(
    reading: &mut Reading<'_>,
    record: &[u8],
    limits: Limits,
    line: u64,
) -> Result<(), EventsError> {
    let describe = || {
        let expected = format!(
            "at most {} bytes; see `events.max_record_bytes`",
            limits.bytes
        );
        (beginning(record), expected)
    };
    reading.refuse_row(RefusalReason::RecordTooLong, line, describe)
}

/// The beginning of a text that may be long.
fn beginning(text: &[u8]) -> String {
    let text = text.get(..BYTES_SHOWN).unwrap_or(text);
    printable(&String::from_utf8_lossy(text), CHARACTERS_SHOWN)
}

/// A hash of the fields: of the record as it is, unless quotes may hide that it equals another.
fn hash_record(record: &[u8], fields: &Fields, delimiter: u8, joined: &mut Vec<u8>) -> u64 {
    let count = fields.len() as u64;
    if memchr::memchr(b'"', record).is_none() {
        return hash_bytes(count, record);
    }
    joined.clear();
    for field in fields.iter(record) {
        joined.extend_from_slice(field);
        joined.push(delimiter);
    }
    joined.pop();
    hash_bytes(count, joined)
}

struct CsvRow<'a> {
    record: &'a [u8],
    fields: &'a Fields,
}

impl Row for CsvRow<'_> {
    fn cell(&self, column: usize) -> Result<Cell<'_>, NotUtf8> {
        self.fields
            .get(self.record, column)
            .map_or(Ok(Cell::Null), text_cell)
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

/// Reads a piece of text whose fields are separated by blanks; the number of rows.
pub(crate) fn read_blank_separated(
    reading: &mut Reading<'_>,
    piece: &TextPiece,
) -> Result<u64, EventsError> {
    let mut fields = Vec::new();
    let mut rows = 0;
    for (line, number) in piece
        .bytes
        .split(|byte| *byte == b'\n')
        .zip(piece.lines_before + 1..)
    {
        if line.len() > piece.limits.bytes {
            rows += 1;
            refuse_too_long(reading, line, piece.limits, number)?;
            continue;
        }
        split_at_blanks(line, &mut fields);
        if fields.is_empty() {
            continue;
        }
        rows += 1;
        reading.intake.compare(hash_bytes(0, line.trim_ascii()));
        take_in(
            reading,
            &BlankRow {
                line,
                fields: &fields,
            },
            fields.len(),
            piece,
            number,
        )?;
    }
    Ok(rows)
}

/// The places of the fields of a line.
pub(crate) fn split_at_blanks(line: &[u8], fields: &mut Vec<Range<usize>>) {
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
        self.fields
            .get(field)
            .and_then(|range| self.line.get(range.clone()))
            .unwrap_or_default()
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
