//! Rows of delimited text, and of text whose fields are separated by whitespace.

use std::convert::Infallible;
use std::ops::Range;

use super::chunks::TextChunk;
use super::csv_record::{Csv, Fields, Found};
use crate::columnar::Cell;
use crate::events::EventsError;
use crate::events::config::RecordLimits;
use crate::events::ingest::RowSink;
use crate::events::mapping::field::{NotUtf8, Row};
use crate::events::mapping::mapper::Mapper;
use crate::events::quality::duplicates::hash_bytes;
use crate::events::quality::printable::printable;
use crate::events::quality::rejection::RejectionReason;

/// Bytes of a rejected row that may be shown.
const BYTES_SHOWN: usize = 400;
const CHARACTERS_SHOWN: usize = 80;

/// Reads a chunk of delimited text; the number of rows.
pub(crate) fn read_csv(
    mapper: &mut Mapper,
    sink: &mut RowSink<'_>,
    chunk: &TextChunk,
    csv: Csv,
) -> Result<u64, EventsError> {
    let (mut rows, mut joined) = (0, Vec::new());
    walk(chunk, csv, |record, line| {
        rows += 1;
        match record {
            Record::Row(row) => {
                sink.compare(hash_record(&row, csv.delimiter, &mut joined));
                take_in(mapper, sink, &row, row.fields.len(), chunk, line)
            }
            Record::OpenQuote(from_quote) => reject_open_quote(sink, from_quote, csv, line),
            Record::TooLong(record) => reject_too_long(sink, record, csv.limits, line),
        }
    })?;
    Ok(rows)
}

/// What a record of delimited text is.
pub(crate) enum RecordEvent<'r> {
    /// A row, and how many columns it has.
    Row(&'r dyn Row, usize),
    /// A row that is rejected as a whole: the reason, what was found and what was expected.
    Rejected(RejectionReason, String, String),
}

/// Calls `take` with every record of a chunk of delimited text, and its line.
pub(crate) fn for_each_record(
    chunk: &TextChunk,
    csv: Csv,
    take: &mut dyn FnMut(RecordEvent<'_>, u64),
) {
    let walked = walk(chunk, csv, |record, line| {
        let rejected = |reason, (value, expected)| RecordEvent::Rejected(reason, value, expected);
        match record {
            Record::Row(row) => take(RecordEvent::Row(&row, row.fields.len()), line),
            Record::OpenQuote(from_quote) => {
                let described = describe_open_quote(from_quote, csv);
                take(rejected(RejectionReason::OpenQuote, described), line);
            }
            Record::TooLong(record) => {
                let described = describe_too_long(record, csv.limits);
                take(rejected(RejectionReason::RecordTooLong, described), line);
            }
        }
        Ok::<_, Infallible>(())
    });
    match walked {
        Ok(()) => (),
        Err(never) => match never {},
    }
}

/// A record of delimited text that is no blank line.
enum Record<'r> {
    Row(CsvRow<'r>),
    /// The text from a quote on that nothing closes.
    OpenQuote(&'r [u8]),
    /// The text from its beginning on.
    TooLong(&'r [u8]),
}

/// Calls `take` with every record of a chunk, and the line that is to blame.
fn walk<E>(
    chunk: &TextChunk,
    csv: Csv,
    mut take: impl FnMut(Record<'_>, u64) -> Result<(), E>,
) -> Result<(), E> {
    let bytes = chunk.bytes.as_slice();
    // Without a quote every record is one line, and lines need not be counted.
    let has_quotes = memchr::memchr(b'"', bytes).is_some();
    let lines = |from: usize, to: usize| count_lines(&bytes[from..to], csv.terminator);
    let mut fields = Fields::default();
    let (mut at, mut line) = (0, chunk.lines_before + 1);
    loop {
        let empty = leading_terminators(&bytes[at..], csv.terminator);
        (at, line) = (at + empty, line + empty as u64);
        let Some(found) = csv.find(bytes, at, true).filter(|_| at < bytes.len()) else {
            return Ok(());
        };
        let next = match found {
            Found::Record { end, next } => {
                let record = &bytes[at..end];
                let record = record.strip_suffix(b"\r").unwrap_or(record);
                fields.split(record, csv);
                let row = CsvRow {
                    record,
                    fields: &fields,
                };
                if !row.is_blank() {
                    take(Record::Row(row), line)?;
                }
                next
            }
            Found::OpenQuote { quote, next } => {
                take(
                    Record::OpenQuote(&bytes[quote..next]),
                    line + lines(at, quote),
                )?;
                next
            }
            Found::TooLong { next } => {
                take(Record::TooLong(&bytes[at..]), line)?;
                next.unwrap_or(bytes.len())
            }
        };
        line += if has_quotes { lines(at, next) } else { 1 };
        at = next;
    }
}

fn count_lines(bytes: &[u8], terminator: u8) -> u64 {
    memchr::memchr_iter(terminator, bytes).count() as u64
}

fn leading_terminators(bytes: &[u8], terminator: u8) -> usize {
    bytes.iter().take_while(|byte| **byte == terminator).count()
}

/// Takes in a row if it has as many columns as the header.
fn take_in(
    mapper: &mut Mapper,
    sink: &mut RowSink<'_>,
    row: &impl Row,
    columns: usize,
    chunk: &TextChunk,
    line: u64,
) -> Result<(), EventsError> {
    let expected = chunk.names.len();
    if columns == expected {
        return sink.take(mapper.read(row), || line);
    }
    let describe = || (columns.to_string(), format!("{expected} columns"));
    sink.reject_row(RejectionReason::WrongColumnCount, line, describe)
}

fn reject_open_quote(
    sink: &mut RowSink<'_>,
    from_quote: &[u8],
    csv: Csv,
    line: u64,
) -> Result<(), EventsError> {
    let describe = || describe_open_quote(from_quote, csv);
    sink.reject_row(RejectionReason::OpenQuote, line, describe)
}

/// What was found and expected where a quote is not closed.
fn describe_open_quote(from_quote: &[u8], csv: Csv) -> (String, String) {
    let RecordLimits { bytes, lines } = csv.limits;
    let end = memchr::memchr(csv.terminator, from_quote).unwrap_or(from_quote.len());
    let expected = format!(
        "a quote that closes it before other rows begin, within {lines} lines and {bytes} bytes \
         (`events.max_record_lines`, `events.max_record_bytes`)"
    );
    (beginning(&from_quote[..end]), expected)
}

/// Counts a record that is longer than the limit.
pub(crate) fn reject_too_long(
    sink: &mut RowSink<'_>,
    record: &[u8],
    limits: RecordLimits,
    line: u64,
) -> Result<(), EventsError> {
    let describe = || describe_too_long(record, limits);
    sink.reject_row(RejectionReason::RecordTooLong, line, describe)
}

/// What was found and expected where a record is too long.
fn describe_too_long(record: &[u8], limits: RecordLimits) -> (String, String) {
    let expected = format!(
        "at most {} bytes; see `events.max_record_bytes`",
        limits.bytes
    );
    (beginning(record), expected)
}

/// The beginning of a text that may be long.
fn beginning(text: &[u8]) -> String {
    let text = text.get(..BYTES_SHOWN).unwrap_or(text);
    printable(&String::from_utf8_lossy(text), CHARACTERS_SHOWN)
}

/// A hash of the fields: of the record as it is, unless quotes may hide that it equals another.
fn hash_record(row: &CsvRow<'_>, delimiter: u8, joined: &mut Vec<u8>) -> u64 {
    let CsvRow { record, fields } = *row;
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

impl CsvRow<'_> {
    /// Whether it is a line without anything, which is no row.
    fn is_blank(&self) -> bool {
        self.fields.len() <= 1 && self.fields.get(self.record, 0).is_none_or(<[u8]>::is_empty)
    }
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

/// Reads a chunk of text whose fields are separated by whitespace; the number of rows.
pub(crate) fn read_whitespace_separated(
    mapper: &mut Mapper,
    sink: &mut RowSink<'_>,
    chunk: &TextChunk,
) -> Result<u64, EventsError> {
    let mut fields = Vec::new();
    let mut rows = 0;
    for (line, number) in chunk
        .bytes
        .split(|byte| *byte == b'\n')
        .zip(chunk.lines_before + 1..)
    {
        if line.len() > chunk.limits.bytes {
            rows += 1;
            reject_too_long(sink, line, chunk.limits, number)?;
            continue;
        }
        split_at_whitespace(line, &mut fields);
        if fields.is_empty() {
            continue;
        }
        rows += 1;
        sink.compare(hash_bytes(0, line.trim_ascii()));
        let row = WhitespaceRow {
            line,
            fields: &fields,
        };
        take_in(mapper, sink, &row, fields.len(), chunk, number)?;
    }
    Ok(rows)
}

/// The places of the fields of a line.
pub(crate) fn split_at_whitespace(line: &[u8], fields: &mut Vec<Range<usize>>) {
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

struct WhitespaceRow<'a> {
    line: &'a [u8],
    fields: &'a [Range<usize>],
}

impl WhitespaceRow<'_> {
    fn bytes(&self, field: usize) -> &[u8] {
        // A row is only read when it has as many fields as the log has columns.
        &self.line[self.fields[field].clone()]
    }
}

impl Row for WhitespaceRow<'_> {
    fn cell(&self, column: usize) -> Result<Cell<'_>, NotUtf8> {
        text_cell(self.bytes(column))
    }

    fn nested(&self, _: usize) -> cel::Value {
        cel::Value::Null
    }
}
