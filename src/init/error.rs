//! Errors of proposing a configuration.

use std::path::PathBuf;

use crate::events::EventsError;
use crate::history::HistoryError;
use crate::train::TrainError;
use crate::train::config::ConfigError;

/// What can go wrong with proposing a configuration.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The standard input, which can be read only once.
    #[error("the log is read more than once, which the standard input cannot be: name files")]
    StandardInput,
    /// A file without any content.
    #[error("{}: the file is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A file that is no text.
    #[error(
        "{}: is no text: there is a zero byte at place {byte}; give CSV, JSON Lines or Parquet, as they are or compressed with \
         gzip or zstd", path.display()
    )]
    Binary {
        /// The file.
        path: PathBuf,
        /// Where the first zero byte is, from 0.
        byte: usize,
    },
    /// A file with a header and no row, or of rows that cannot be read.
    #[error(
        "{}: {}", path.display(),
        if *malformed == 0 { "there is no row below the header".to_owned() }
        else { format!("none of the {malformed} records that were looked at could be read") }
    )]
    NoRows {
        /// The file.
        path: PathBuf,
        /// Records that could not be read.
        malformed: usize,
    },
    /// Files of several formats.
    #[error("{} and {} have different formats; name the files of one log", one.display(), other.display())]
    Formats {
        /// A file.
        one: PathBuf,
        /// A file of another format.
        other: PathBuf,
    },
    /// Files with different columns.
    #[error(
        "{} and {} have different columns{}{}; name the files of one log", one.display(), other.display(),
        only(only_one, "the first"), only(only_other, "the second")
    )]
    Columns {
        /// A file.
        one: PathBuf,
        /// The columns that only this one has.
        only_one: String,
        /// Another file.
        other: PathBuf,
        /// The columns that only that one has.
        only_other: String,
    },
    /// No column that could hold what a setting needs.
    #[error("no column looks like {wanted}; the columns are:\n{columns}")]
    NoColumn {
        /// The field: `user` or `time`.
        field: &'static str,
        /// What was looked for.
        wanted: &'static str,
        /// A line for each column with what it looks like.
        columns: String,
    },
    /// A given column that does not exist.
    #[error("there is no column `{column}`{}; the columns are:\n{columns}", nearest.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default())]
    UnknownColumn {
        /// The field that it was given for.
        field: &'static str,
        /// The name.
        column: String,
        /// The most similar name.
        nearest: Option<String>,
        /// A line for each column with what it looks like.
        columns: String,
    },
    /// A given column that cannot be what it was given for.
    #[error("column `{column}` cannot be the {field}: it holds {looks}")]
    Unfit {
        /// The field.
        field: &'static str,
        /// The column.
        column: String,
        /// What it looks like.
        looks: String,
    },
    /// Paths that are no text, which a configuration cannot hold.
    #[error("{}: the name is not UTF-8, so that no configuration can hold it; rename the file", path.display())]
    PathText {
        /// The file.
        path: PathBuf,
    },
    /// The log that could not be read.
    #[error(transparent)]
    Events(#[from] EventsError),
    /// A time zone that does not exist, or histories that could not be held.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// A proposal that the checks of configurations refuse.
    #[error("the proposed configuration is refused: {0}")]
    Config(#[from] ConfigError),
    /// A log that no dates can be laid out in.
    #[error(transparent)]
    Train(#[from] TrainError),
}

fn only(columns: &str, which: &str) -> String {
    match columns {
        "" => String::new(),
        columns => format!("; only {which} has {columns}"),
    }
}

impl InitError {
    /// Whether other arguments would help.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Events(error) => error.is_setting(),
            Self::StandardInput
            | Self::Formats { .. }
            | Self::Columns { .. }
            | Self::NoColumn { .. }
            | Self::UnknownColumn { .. }
            | Self::Unfit { .. }
            | Self::PathText { .. }
            | Self::Binary { .. } => true,
            Self::Empty { .. }
            | Self::NoRows { .. }
            | Self::History(_)
            | Self::Config(_)
            | Self::Train(_) => false,
        }
    }
}
