//! A log in pieces that threads read by themselves: some records of a text file, a row group of a Parquet file, or a
//! file of a roll-up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::parquet::arrow::arrow_reader::ArrowReaderMetadata;

use super::csv_record::{Csv, Limits};
use super::files::LogFile;
use super::parquet;
use super::text_chunks::TextFeed;
use crate::events::EventsError;
use crate::events::config::{EventsConfig, Format};

/// A piece of work.
pub(crate) struct Work {
    /// Its place in the order of the log.
    pub(crate) number: usize,
    /// The file it belongs to.
    pub(crate) file: usize,
    pub(crate) piece: Piece,
}

pub(crate) enum Piece {
    Text(TextPiece),
    Rows(RowsPiece),
    Rollup,
}

/// Whole records of a text file.
pub(crate) struct TextPiece {
    pub(crate) bytes: Vec<u8>,
    /// Lines of the file before the piece.
    pub(crate) lines_before: u64,
    pub(crate) is_first: bool,
    pub(crate) layout: Layout,
    pub(crate) limits: Limits,
    /// The columns; none for JSON Lines.
    pub(crate) names: Arc<Vec<String>>,
}

/// How records of a text file are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    Csv(Csv),
    Blanks,
    Json,
}

impl Layout {
    /// What ends a line.
    pub(crate) fn terminator(self) -> u8 {
        match self {
            Self::Csv(csv) => csv.terminator,
            Self::Blanks | Self::Json => b'\n',
        }
    }
}

/// A row group of a Parquet file.
pub(crate) struct RowsPiece {
    pub(crate) metadata: ArrowReaderMetadata,
    pub(crate) group: usize,
    pub(crate) rows_before: u64,
}

/// Hands out the pieces of all files in order.
pub(crate) struct Feeder<'a> {
    config: &'a EventsConfig,
    files: &'a [LogFile],
    bytes_read: Arc<AtomicU64>,
    file: usize,
    number: usize,
    open: Option<Open>,
    /// The files whose quotes turned out to be escaped by backslashes.
    escaped: Vec<usize>,
}

enum Open {
    Text(TextFeed),
    Rows(RowsFeed),
    /// A roll-up, unless it was handed out.
    Rollup(bool),
}

impl<'a> Feeder<'a> {
    /// A feeder of these files, which counts the bytes read from the disk in `bytes_read`.
    pub(crate) fn new(
        config: &'a EventsConfig,
        files: &'a [LogFile],
        bytes_read: Arc<AtomicU64>,
    ) -> Self {
        Self {
            config,
            files,
            bytes_read,
            file: 0,
            number: 0,
            open: None,
            escaped: Vec::new(),
        }
    }

    /// Hands out nothing more.
    pub(crate) fn stop(&mut self) {
        self.file = self.files.len();
    }

    /// The number of the piece that comes next, and how many files were handed out.
    pub(crate) fn place(&self) -> (usize, usize) {
        (self.number, self.file)
    }

    /// The files whose quotes turned out to be escaped by backslashes.
    pub(crate) fn escaped(&self) -> &[usize] {
        &self.escaped
    }

    /// The next piece; `None` after the last.
    pub(crate) fn next(&mut self) -> Result<Option<Work>, EventsError> {
        while let Some(file) = self.files.get(self.file) {
            let open = match &mut self.open {
                Some(open) => open,
                none => {
                    let open = none.insert(Open::new(file, self.config, &self.bytes_read)?);
                    if self.config.escape.is_none() && open.has_backslashes() {
                        self.escaped.push(self.file);
                    }
                    open
                }
            };
            if let Some(piece) = open.next(file)? {
                self.number += 1;
                return Ok(Some(Work {
                    number: self.number,
                    file: self.file,
                    piece,
                }));
            }
            self.file += 1;
            self.open = None;
        }
        Ok(None)
    }
}

impl Open {
    fn new(
        file: &LogFile,
        config: &EventsConfig,
        bytes_read: &Arc<AtomicU64>,
    ) -> Result<Self, EventsError> {
        Ok(match file.format {
            Format::Rollup => Self::Rollup(true),
            Format::Parquet => {
                let metadata = parquet::metadata(file)?;
                let groups = metadata.metadata().num_row_groups();
                Self::Rows(RowsFeed {
                    metadata,
                    groups,
                    next: 0,
                    rows: 0,
                    bytes_read: bytes_read.clone(),
                })
            }
            Format::Csv | Format::Jsonl => Self::Text(TextFeed::new(file, config, bytes_read)?),
        })
    }

    fn has_backslashes(&self) -> bool {
        matches!(self, Self::Text(TextFeed { layout: Layout::Csv(csv), .. }) if csv.backslash)
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
        self.bytes_read
            .fetch_add(file.bytes / self.groups.max(1) as u64, Ordering::Relaxed);
        Some(RowsPiece {
            metadata: self.metadata.clone(),
            group,
            rows_before,
        })
    }
}
