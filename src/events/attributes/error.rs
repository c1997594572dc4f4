//! Errors of reading a table of attributes.

use std::path::PathBuf;

use crate::events::EventsError;
use crate::events::config::Format;
use crate::events::quality::printable::shown;
use crate::events::quality::rejection::RejectionReason;
use crate::events::quality::report::RowLocation;
use crate::history::HistoryError;

/// What can go wrong with a table of attributes.
#[derive(Debug, thiserror::Error)]
pub enum AttributesError {
    /// Files that cannot be found or read, as those of a log; the settings have the same names.
    #[error("the table of attributes: {}", source.to_string().replace("events.", "attributes."))]
    Read {
        /// What is wrong.
        source: Box<EventsError>,
    },
    /// A file of a format that is none of a table.
    #[error(
        "{}: the table of attributes is {format}: attributes.paths must name CSV or Parquet files",
        shown(path)
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: Format,
    },
    /// A column that a file lacks, or has more than once.
    #[error(
        "{}: there {} `{column}`, which `attributes.{setting}` names{}; the columns are {}",
        shown(path),
        if *found == 0 { "is no column" } else { "are several columns" },
        nearest.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default(),
        columns.join(", ")
    )]
    Column {
        /// The file.
        path: PathBuf,
        /// The setting that names the column.
        setting: &'static str,
        /// The column.
        column: String,
        /// How many there are.
        found: usize,
        /// The most similar name among the file's columns, where there is none.
        nearest: Option<String>,
        /// The file's columns.
        columns: Vec<String>,
    },
    /// More rows than the log's own limit are rejected.
    #[error(
        "{:.1} % of the {rows} rows of attributes were rejected, more than `events.max_rejected_share` = {limit} allows, the \
         most for {reason}; the first is {}:{}, {}: found `{}`, expected {}",
        100.0 * *rejected as f64 / (*rows).max(1) as f64,
        first.file, first.line, first.column, first.value, first.expected
    )]
    TooManyRejected {
        /// Rows that were read.
        rows: u64,
        /// Rows that were rejected.
        rejected: u64,
        /// The limit.
        limit: f64,
        /// The most frequent reason.
        reason: RejectionReason,
        /// The first row of that reason.
        first: Box<RowLocation>,
    },
    /// A table without a row that could be used.
    #[error("the table of attributes has no row: check attributes.paths")]
    Empty,
    /// Histories that could not be read.
    #[error(transparent)]
    History(#[from] HistoryError),
}

impl From<EventsError> for AttributesError {
    fn from(source: EventsError) -> Self {
        let source = Box::new(source);
        Self::Read { source }
    }
}

impl AttributesError {
    /// Whether another configuration would do.
    pub fn is_setting(&self) -> bool {
        match self {
            Self::Read { source } => source.is_setting(),
            Self::Format { .. } | Self::Column { .. } => true,
            Self::TooManyRejected { .. } | Self::Empty | Self::History(_) => false,
        }
    }
}
