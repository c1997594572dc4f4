//! A log in pieces that threads read by themselves: some records of a text file, a row group of a Parquet file, or a
//! file of a roll-up.

use std::io::{BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use csv::ByteRecord;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;

use super::EventsError;
use super::boundary::last_record_end;
use super::config::{Delimiter, EventsConfig, Format};
use super::files::{LogFile, extension, open_text, read_error};
use super::text::{header_names, split_at_blanks};
use super::{columnar, text};

/// Bytes of a piece of text, about; few in tests, so that all of them cross from one piece to the next.
const PIECE_BYTES: usize = if cfg!(test) { 64 } else { 1 << 20 };

/// A piece of work.
pub(super) struct Work {
    /// Its place in the order of the log.
    pub(super) number: usize,
    /// The file it belongs to.
    pub(super) file: usize,
    pub(super) piece: Piece,
}

pub(super) enum Piece {
    Text(TextPiece),
    Rows(RowsPiece),
    Rollup,
}

/// Whole records of a text file.
pub(super) struct TextPiece {
    pub(super) bytes: Vec<u8>,
    /// Lines of the file before the piece.
    pub(super) lines_before: u64,
    pub(super) is_first: bool,
    pub(super) layout: Layout,
    /// The columns; none for JSON Lines.
    pub(super) names: Arc<Vec<String>>,
}

/// How records of a text file are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    Csv { delimiter: u8, terminator: u8 },
    Blanks,
    Json,
}

/// A row group of a Parquet file.
pub(super) struct RowsPiece {
    pub(super) metadata: ArrowReaderMetadata,
    pub(super) group: usize,
    pub(super) rows_before: u64,
}

/// Hands out the pieces of all files in order.
pub(super) struct Feeder<'a> {
    config: &'a EventsConfig,
    files: &'a [LogFile],
    bytes_read: Arc<AtomicU64>,
    file: usize,
    number: usize,
    open: Option<Open>,
}

enum Open {
    Text(TextFeed),
    Rows(RowsFeed),
    /// A roll-up, unless it was handed out.
    Rollup(bool),
}

impl<'a> Feeder<'a> {
    /// A feeder of these files, which counts the bytes read from the disk in `bytes_read`.
    pub(super) fn new(config: &'a EventsConfig, files: &'a [LogFile], bytes_read: Arc<AtomicU64>) -> Self {
        Self { config, files, bytes_read, file: 0, number: 0, open: None }
    }

    /// Hands out nothing more.
    pub(super) fn stop(&mut self) {
        self.file = self.files.len();
    }

    /// The number of the piece that comes next, and how many files were handed out.
    pub(super) fn place(&self) -> (usize, usize) {
        (self.number, self.file)
    }

    /// The next piece; `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<Work>, EventsError> {
        while let Some(file) = self.files.get(self.file) {
            let open = match &mut self.open {
                Some(open) => open,
                none => none.insert(Open::new(file, self.config, &self.bytes_read)?),
            };
            if let Some(piece) = open.next(file)? {
                self.number += 1;
                return Ok(Some(Work { number: self.number, file: self.file, piece }));
            }
            self.file += 1;
            self.open = None;
        }
        Ok(None)
    }
}

impl Open {
    fn new(file: &LogFile, config: &EventsConfig, bytes_read: &Arc<AtomicU64>) -> Result<Self, EventsError> {
        Ok(match file.format {
            Format::Rollup => Self::Rollup(true),
            Format::Parquet => {
                let metadata = columnar::metadata(file)?;
                let groups = metadata.metadata().num_row_groups();
                Self::Rows(RowsFeed { metadata, groups, next: 0, rows: 0, bytes_read: bytes_read.clone() })
            }
            Format::Csv | Format::Jsonl => Self::Text(TextFeed::new(file, config, bytes_read)?),
        })
    }

    fn next(&mut self, file: &LogFile) -> Result<Option<Piece>, EventsError> {
        match self {
            Self::Text(text) => Ok(text.next(file)?.map(Piece::Text)),
            Self::Rows(rows) => Ok(rows.next(file).map(Piece::Rows)),
            Self::Rollup(waiting) => Ok(std::mem::take(waiting).then_some(Piece::Rollup)),
        }
    }
}

struct RowsFeed {
    metadata: ArrowReaderMetadata,
    groups: usize,
    next: usize,
    rows: u64,
    bytes_read: Arc<AtomicU64>,
}

impl RowsFeed {
    fn next(&mut self, file: &LogFile) -> Option<RowsPiece> {
        let group = self.next;
        if group >= self.groups {
            return None;
        }
        self.next += 1;
        let rows_before = self.rows;
        self.rows += self.metadata.metadata().row_group(group).num_rows().max(0) as u64;
        self.bytes_read.fetch_add(file.bytes / self.groups.max(1) as u64, Ordering::Relaxed);
        Some(RowsPiece { metadata: self.metadata.clone(), group, rows_before })
    }
}

struct TextFeed {
    text: Box<dyn BufRead + Send>,
    layout: Layout,
    names: Option<Arc<Vec<String>>>,
    pending: Vec<u8>,
    lines: u64,
    is_first: bool,
    ended: bool,
}

impl TextFeed {
    fn new(file: &LogFile, config: &EventsConfig, bytes_read: &Arc<AtomicU64>) -> Result<Self, EventsError> {
        let mut text = open_text(&file.path, bytes_read.clone())?;
        let layout = layout(file, config, &mut *text)?;
        let names = if layout == Layout::Json { Some(Vec::new()) } else { config.columns.clone() };
        let names = names.map(Arc::new);
        Ok(Self { text, layout, names, pending: Vec::new(), lines: 0, is_first: true, ended: false })
    }

    /// The next whole records, after the header.
    fn next(&mut self, file: &LogFile) -> Result<Option<TextPiece>, EventsError> {
        let mut bytes = self.records(file)?;
        let names = match (&self.names, &bytes) {
            (Some(names), _) => names.clone(),
            (None, Some(first)) => {
                let (names, length) = header(first, self.layout);
                let names = Arc::new(names.ok_or_else(|| EventsError::NoHeader { path: file.path.clone() })?);
                self.names = Some(names.clone());
                self.lines += lines(first.get(..length).unwrap_or_default());
                bytes = bytes.map(|bytes| bytes.get(length..).unwrap_or_default().to_vec());
                names
            }
            (None, None) => return Err(EventsError::NoHeader { path: file.path.clone() }),
        };
        let Some(bytes) = bytes else { return Ok(None) };
        let lines_before = self.lines;
        self.lines += lines(&bytes);
        let is_first = std::mem::replace(&mut self.is_first, false);
        Ok(Some(TextPiece { bytes, lines_before, is_first, layout: self.layout, names }))
    }

    fn records(&mut self, file: &LogFile) -> Result<Option<Vec<u8>>, EventsError> {
        let mut wanted = PIECE_BYTES;
        while !self.ended {
            let more = wanted.saturating_sub(self.pending.len()) as u64;
            let read = self.text.by_ref().take(more).read_to_end(&mut self.pending);
            self.ended = read.map_err(|source| read_error(&file.path, source))? < more as usize;
            let end = if self.ended { None } else { last_record_end(&self.pending, self.layout) };
            if let Some(end) = end {
                let rest = self.pending.split_off(end);
                return Ok(Some(std::mem::replace(&mut self.pending, rest)));
            }
            wanted *= 2;
        }
        let rest = std::mem::take(&mut self.pending);
        Ok(if rest.is_empty() && !self.is_first { None } else { Some(rest).filter(|rest| !rest.is_empty()) })
    }
}

/// The names of a text file's columns.
pub(super) fn column_names(file: &LogFile, config: &EventsConfig) -> Result<Arc<Vec<String>>, EventsError> {
    let mut text = TextFeed::new(file, config, &Arc::default())?;
    let piece = text.next(file)?;
    Ok(piece.map_or_else(|| text.names.unwrap_or_default(), |piece| piece.names))
}

fn lines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

fn layout(file: &LogFile, config: &EventsConfig, text: &mut dyn BufRead) -> Result<Layout, EventsError> {
    let delimiter = match (file.format, config.delimiter) {
        (Format::Jsonl, _) => return Ok(Layout::Json),
        (_, Some(Delimiter::Whitespace)) => return Ok(Layout::Blanks),
        (_, Some(Delimiter::Byte(byte))) => byte,
        (_, None) if extension(&file.path) == "tsv" => b'\t',
        (_, None) => b',',
    };
    // With one certain terminator the reader's count of lines tells on which line a record started; a carriage
    // return before it stays at the end of the last field, where it is cut off.
    let first = text.fill_buf().map_err(|source| read_error(&file.path, source))?;
    let terminator = if !first.contains(&b'\n') && first.contains(&b'\r') { b'\r' } else { b'\n' };
    Ok(Layout::Csv { delimiter, terminator })
}

/// The columns that the first record names, if there is one, and its length.
fn header(bytes: &[u8], layout: Layout) -> (Option<Vec<String>>, usize) {
    if let Layout::Csv { delimiter, terminator } = layout {
        let mut csv = text::reader(delimiter, terminator).from_reader(bytes);
        let mut record = ByteRecord::new();
        let found = csv.read_byte_record(&mut record).unwrap_or(false);
        let length = usize::try_from(csv.position().byte()).unwrap_or(bytes.len());
        return (found.then(|| header_names(record.iter())), length);
    }
    let (mut length, mut fields) = (0, Vec::new());
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        length += line.len();
        split_at_blanks(line, &mut fields);
        if !fields.is_empty() {
            let field = |range: &std::ops::Range<usize>| line.get(range.clone()).unwrap_or_default();
            return (Some(header_names(fields.iter().map(field))), length);
        }
    }
    (None, length)
}
