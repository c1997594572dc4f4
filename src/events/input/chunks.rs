//! What a log is cut into, so that threads can read it: some records of a text file, a row group of a Parquet file, or a file
//! of a roll-up.

use std::sync::Arc;

use ::parquet::arrow::arrow_reader::ArrowReaderMetadata;

use super::csv_record::Csv;
use crate::events::config::RecordLimits;

/// A chunk to be read, with its place in the log.
pub(crate) struct Task {
    /// Its position in the order of the log, from 1.
    pub(crate) number: usize,
    /// The position of its file among the log's files.
    pub(crate) file: usize,
    pub(crate) chunk: Chunk,
}

/// A part of a file that one thread reads by itself.
pub(crate) enum Chunk {
    Text(TextChunk),
    Rows(RowGroup),
    Rollup,
}

/// Whole records of a text file.
pub(crate) struct TextChunk {
    pub(crate) bytes: Vec<u8>,
    /// Lines of the file before the chunk.
    pub(crate) lines_before: u64,
    pub(crate) is_first: bool,
    pub(crate) layout: Layout,
    pub(crate) limits: RecordLimits,
    /// The columns; none for JSON Lines.
    pub(crate) names: Arc<Vec<String>>,
}

/// How records of a text file are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    Csv(Csv),
    Whitespace,
    Json,
}

impl Layout {
    /// What ends a line.
    pub(crate) fn terminator(self) -> u8 {
        match self {
            Self::Csv(csv) => csv.terminator,
            Self::Whitespace | Self::Json => b'\n',
        }
    }
}

/// A row group of a Parquet file.
pub(crate) struct RowGroup {
    pub(crate) metadata: ArrowReaderMetadata,
    /// Its position in the file, from 0.
    pub(crate) number: usize,
    /// Rows of the file before it.
    pub(crate) rows_before: u64,
}

impl RowGroup {
    /// The names of the columns of its file.
    pub(crate) fn column_names(&self) -> Vec<String> {
        let fields = self.metadata.schema().fields().iter();
        fields.map(|field| field.name().clone()).collect()
    }
}
