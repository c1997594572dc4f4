use std::cell::Cell as Shared;
use std::io::{self, BufRead, Read};
use std::ops::Range;
use std::rc::Rc;

use csv::{ByteRecord, Terminator};

use super::EventsError;
use super::config::{Delimiter, EventsConfig};
use super::duplicates::hash_bytes;
use super::files::{BUFFER_BYTES, extension, open_text, read_error};
use super::reading::Reading;
use super::reason::{Field, Refusal, RefusalReason};
use super::source::{Columns, NotUtf8, Row};
use crate::history::Cell;

/// Reads a file of delimited text; the number of rows.
pub(super) fn read(reading: &mut Reading<'_, '_>, config: &EventsConfig) -> Result<u64, EventsError> {
    let text = open_text(&reading.file.path, reading.meter.start_file())?;
    match config.delimiter {
        Some(Delimiter::Whitespace) => read_blank_separated(reading, config, text),
        Some(Delimiter::Byte(byte)) => read_csv(reading, config, text, byte),
        None if extension(&reading.file.path) == "tsv" => read_csv(reading, config, text, b'\t'),
        None => read_csv(reading, config, text, b','),
    }
}

/// Fixes the columns by the configuration or by the header, whose fields are `header`.
fn bind(reading: &mut Reading<'_, '_>, names: &[String]) -> Result<(), EventsError> {
    reading.mapper.bind(&Columns { path: &reading.file.path, names })
}

fn header_names<'h>(fields: impl Iterator<Item = &'h [u8]>) -> Vec<String> {
    fields.map(|field| String::from_utf8_lossy(field).trim().to_owned()).collect()
}

fn read_csv(
    reading: &mut Reading<'_, '_>,
    config: &EventsConfig,
    mut text: Box<dyn BufRead>,
    delimiter: u8,
) -> Result<u64, EventsError> {
    let path = reading.file.path.clone();
    let fail = |error: csv::Error| match error.into_kind() {
        csv::ErrorKind::Io(source) => read_error(&path, source),
        other => EventsError::Io { path: path.clone(), source: io::Error::other(format!("{other:?}")) },
    };
    // With one certain terminator the reader's count of lines tells on which line a record started; a carriage
    // return before it stays at the end of the last field, where it is cut off.
    let first = text.fill_buf().map_err(|source| read_error(&path, source))?;
    let terminator = if !first.contains(&b'\n') && first.contains(&b'\r') { b'\r' } else { b'\n' };
    let ended = Rc::new(Shared::new(false));
    let mut csv = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .terminator(Terminator::Any(terminator))
        .buffer_capacity(BUFFER_BYTES)
        .from_reader(Watched { text, ended: ended.clone() });
    let mut record = ByteRecord::new();
    let names = match &config.columns {
        Some(names) => names.clone(),
        None if csv.read_byte_record(&mut record).map_err(fail)? => header_names(record.iter()),
        None => return Err(EventsError::NoHeader { path }),
    };
    bind(reading, &names)?;
    let mut rows = 0;
    while csv.read_byte_record(&mut record).map_err(fail)? {
        if record.len() == 1 && matches!(record.get(0), Some(b"" | b"\r")) {
            continue;
        }
        rows += 1;
        reading.meter.tick();
        reading.intake.duplicates.add(hash_record(&record));
        let line = || {
            let inside = record.as_slice().iter().filter(|byte| **byte == b'\n').count() as u64;
            // A record that the end of the file ended has no terminator of its own.
            let own = u64::from(!ended.get() && terminator == b'\n');
            csv.position().line().saturating_sub(inside + own).max(1)
        };
        if record.len() == names.len() {
            reading.row(&CsvRow(&record), line)?;
        } else {
            reading.refuse(wrong_column_count(record.len(), names.len()), line)?;
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
struct Watched {
    text: Box<dyn BufRead>,
    ended: Rc<Shared<bool>>,
}

impl Read for Watched {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.text.read(into)?;
        self.ended.set(read == 0);
        Ok(read)
    }
}

fn read_blank_separated(
    reading: &mut Reading<'_, '_>,
    config: &EventsConfig,
    mut text: Box<dyn BufRead>,
) -> Result<u64, EventsError> {
    let path = reading.file.path.clone();
    let (mut line, mut fields) = (Vec::new(), Vec::new());
    let mut names = config.columns.clone();
    if let Some(names) = &names {
        bind(reading, names)?;
    }
    let (mut rows, mut number) = (0, 0);
    loop {
        line.clear();
        if text.read_until(b'\n', &mut line).map_err(|source| read_error(&path, source))? == 0 {
            break;
        }
        number += 1;
        split_at_blanks(&line, &mut fields);
        let row = BlankRow { line: &line, fields: &fields };
        if fields.is_empty() {
            continue;
        }
        let Some(names) = &names else {
            let header = header_names((0..fields.len()).map(|field| row.bytes(field)));
            bind(reading, &header)?;
            names = Some(header);
            continue;
        };
        rows += 1;
        reading.meter.tick();
        reading.intake.duplicates.add(hash_bytes(0, line.trim_ascii()));
        if fields.len() == names.len() {
            reading.row(&row, || number)?;
        } else {
            reading.refuse(wrong_column_count(fields.len(), names.len()), || number)?;
        }
    }
    if names.is_none() {
        return Err(EventsError::NoHeader { path });
    }
    Ok(rows)
}

fn split_at_blanks(line: &[u8], fields: &mut Vec<Range<usize>>) {
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
