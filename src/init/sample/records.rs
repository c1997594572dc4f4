//! Rows of delimited text.

use super::text::{Pieces, pieces, whole_lines};
use super::{Layout, Sample, Value};
use crate::events::config::RecordLimits;
use crate::events::input::chunks::Layout as TextLayout;
use crate::events::input::csv::split_at_whitespace;
use crate::events::input::csv_record::{Csv, Fields, Found};
use crate::events::input::log_file::LogFile;
use crate::events::input::preamble::{Beginning, beginning};
use crate::events::{EventsConfig, EventsError};
use crate::phases::Phase;

/// Rows of a file that is written in a known way.
pub(crate) fn read(
    file: &LogFile,
    layout: &mut Layout,
    most_rows: usize,
    phase: &Phase<'_>,
) -> Result<Sample, EventsError> {
    let config = EventsConfig {
        format: Some(file.format),
        delimiter: layout.delimiter,
        columns: layout.columns.clone(),
        ..EventsConfig::default()
    };
    let pieces = pieces(&file.path, phase)?;
    let (head_rows, block_rows) = pieces.rows(most_rows);
    let Pieces {
        head,
        is_whole,
        blocks,
    } = pieces;
    let Some(Beginning {
        layout: text,
        names,
        length,
    }) = beginning(&head, is_whole, file, &config)?
    else {
        return Err(EventsError::BadHeader {
            path: file.path.clone(),
            problem: "is longer than what is looked at of a file",
            first: String::from_utf8_lossy(head.get(..80).unwrap_or(&head)).into_owned(),
        });
    };
    let mut reader = RecordReader {
        sample: Sample::of_columns(&names),
        not_utf8: vec![false; names.len()],
        most_rows: head_rows,
    };
    reader.read(head.get(length..).unwrap_or_default(), text, is_whole);
    for block in &blocks {
        reader.most_rows = reader.sample.rows + block_rows;
        reader.read(whole_lines(block, text.terminator()), text, true);
    }
    for (name, _) in names.iter().zip(&reader.not_utf8).filter(|(_, bad)| **bad) {
        if !layout.not_utf8.contains(name) {
            layout.not_utf8.push(name.clone());
        }
    }
    Ok(reader.sample)
}

struct RecordReader {
    sample: Sample,
    not_utf8: Vec<bool>,
    /// Rows after which no more are read.
    most_rows: usize,
}

impl RecordReader {
    fn read(&mut self, bytes: &[u8], layout: TextLayout, is_last: bool) {
        match layout {
            TextLayout::Csv(csv) => {
                for_each_record(bytes, csv, is_last, |record, fields| {
                    self.take(fields.iter(record), fields.len());
                    self.sample.rows < self.most_rows
                });
            }
            _ => {
                let mut fields = Vec::new();
                for line in bytes.split(|byte| *byte == b'\n') {
                    split_at_whitespace(line, &mut fields);
                    if !fields.is_empty() && self.sample.rows < self.most_rows {
                        let found = fields.iter().filter_map(|field| line.get(field.clone()));
                        self.take(found, fields.len());
                    }
                }
            }
        }
    }

    fn take<'f>(&mut self, fields: impl Iterator<Item = &'f [u8]>, count: usize) {
        if count != self.sample.columns.len() {
            self.sample.malformed += 1;
            return;
        }
        let not_utf8 = &mut self.not_utf8;
        let values = fields
            .enumerate()
            .map(|(at, bytes)| match std::str::from_utf8(bytes) {
                Ok(text) => Value::text(text),
                Err(_) => {
                    if let Some(bad) = not_utf8.get_mut(at) {
                        *bad = true;
                    }
                    Value::text(&String::from_utf8_lossy(bytes))
                }
            });
        self.sample.push(values);
    }
}

/// Calls `take` with every record and its fields until it returns `false`.
pub(super) fn for_each_record(
    bytes: &[u8],
    csv: Csv,
    is_last: bool,
    mut take: impl FnMut(&[u8], &Fields) -> bool,
) {
    let (mut fields, mut at) = (Fields::default(), 0);
    while at < bytes.len() {
        match csv.find(bytes, at, is_last) {
            Some(Found::Record { end, next }) => {
                let record = bytes.get(at..end).unwrap_or_default();
                let record = record.strip_suffix(b"\r").unwrap_or(record);
                at = next;
                if record.is_empty() {
                    continue;
                }
                fields.split(record, csv);
                if !take(record, &fields) {
                    return;
                }
            }
            Some(Found::OpenQuote { next, .. } | Found::TooLong { next: Some(next) }) => at = next,
            Some(Found::TooLong { next: None }) | None => return,
        }
    }
}

/// Delimited text of unknown columns.
pub(super) fn plain_csv(delimiter: u8, terminator: u8, limits: RecordLimits) -> Csv {
    Csv {
        delimiter,
        terminator,
        backslash: false,
        columns: 0,
        limits,
    }
}
