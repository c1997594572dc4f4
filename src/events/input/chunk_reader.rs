//! Cuts the files of a log into chunks, in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::parquet::arrow::arrow_reader::ArrowReaderMetadata;

use super::chunks::{Chunk, Layout, RowGroup, Task};
use super::log_file::LogFile;
use super::parquet;
use super::text_chunks::TextChunks;
use crate::events::EventsError;
use crate::events::config::{EventsConfig, Format};

/// Cuts all files of a log into chunks, one file after the other.
pub(crate) struct ChunkReader<'a> {
    config: &'a EventsConfig,
    files: &'a [LogFile],
    bytes_read: Arc<AtomicU64>,
    /// The position of the file at hand.
    file: usize,
    /// Chunks read so far, of all files.
    number: usize,
    open: Option<OpenFile>,
    escaped: Vec<usize>,
}

enum OpenFile {
    Text(TextChunks),
    Rows(RowGroups),
    /// A roll-up is one chunk, which may have been read already.
    Rollup {
        is_read: bool,
    },
}

impl<'a> ChunkReader<'a> {
    /// A reader of these files, which counts the bytes read from the disk in `bytes_read`.
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

    /// Ends the reading: there is no next chunk any more.
    pub(crate) fn stop(&mut self) {
        self.file = self.files.len();
    }

    /// How many chunks were read.
    pub(crate) fn chunks_read(&self) -> usize {
        self.number
    }

    /// The positions of the files whose quotes turned out to be escaped by backslashes.
    pub(crate) fn escaped(&self) -> &[usize] {
        &self.escaped
    }

    /// The next chunk; `None` after the last.
    pub(crate) fn next(&mut self) -> Result<Option<Task>, EventsError> {
        while let Some(file) = self.files.get(self.file) {
            let open = match &mut self.open {
                Some(open) => open,
                none => {
                    let open = none.insert(OpenFile::new(file, self.config, &self.bytes_read)?);
                    if self.config.escape.is_none() && open.has_backslashes() {
                        self.escaped.push(self.file);
                    }
                    open
                }
            };
            if let Some(chunk) = open.next(file)? {
                self.number += 1;
                return Ok(Some(Task {
                    number: self.number,
                    file: self.file,
                    chunk,
                }));
            }
            self.file += 1;
            self.open = None;
        }
        Ok(None)
    }
}

impl OpenFile {
    fn new(
        file: &LogFile,
        config: &EventsConfig,
        bytes_read: &Arc<AtomicU64>,
    ) -> Result<Self, EventsError> {
        Ok(match file.format {
            Format::Rollup => Self::Rollup { is_read: false },
            Format::Parquet => Self::Rows(RowGroups {
                metadata: parquet::metadata(file)?,
                next: 0,
                rows: 0,
                bytes_read: bytes_read.clone(),
            }),
            Format::Csv | Format::Jsonl => Self::Text(TextChunks::new(file, config, bytes_read)?),
        })
    }

    fn has_backslashes(&self) -> bool {
        matches!(self, Self::Text(TextChunks { layout: Layout::Csv(csv), .. }) if csv.backslash)
    }

    fn next(&mut self, file: &LogFile) -> Result<Option<Chunk>, EventsError> {
        match self {
            Self::Text(text) => Ok(text.next(file)?.map(Chunk::Text)),
            Self::Rows(groups) => Ok(groups.next(file).map(Chunk::Rows)),
            Self::Rollup { is_read } => {
                let is_new = !std::mem::replace(is_read, true);
                Ok(is_new.then_some(Chunk::Rollup))
            }
        }
    }
}

/// The row groups of a Parquet file, one after the other.
struct RowGroups {
    metadata: ArrowReaderMetadata,
    next: usize,
    /// Rows of the groups before the next one.
    rows: u64,
    bytes_read: Arc<AtomicU64>,
}

impl RowGroups {
    fn next(&mut self, file: &LogFile) -> Option<RowGroup> {
        let groups = self.metadata.metadata().num_row_groups();
        let (number, rows_before) = (self.next, self.rows);
        if number >= groups {
            return None;
        }
        self.next += 1;
        self.rows += self.metadata.metadata().row_group(number).num_rows().max(0) as u64;
        // The threads that read the groups skip columns, so progress is counted in equal parts of the file.
        self.bytes_read
            .fetch_add(file.bytes / groups.max(1) as u64, Ordering::Relaxed);
        Some(RowGroup {
            metadata: self.metadata.clone(),
            number,
            rows_before,
        })
    }
}
