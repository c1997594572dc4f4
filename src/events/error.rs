use std::path::PathBuf;

use super::quality::Place;
use super::reason::RefusalReason;
use super::refused::TooManyRefused;
use crate::history::{Day, HistoryError};

/// What can go wrong with reading a log.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    /// No file of the log was found.
    #[error("no file matches `{pattern}` in {}; see `events.paths`", folder.display())]
    NoFiles {
        /// The path or glob pattern.
        pattern: String,
        /// The folder it is relative to.
        folder: PathBuf,
    },
    /// Neither the configuration nor the command line names a file.
    #[error("no path to read: set `events.paths`")]
    NoPaths,
    /// A glob pattern that cannot be read.
    #[error("`{pattern}` in `events.paths` is not a pattern: {message}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        message: String,
    },
    /// A file that could not be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A compressed file that stops in the middle.
    #[error("{}: the compressed data stops in the middle; the file was not copied or written to its end", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
    },
    /// A file in an encoding that is not read.
    #[error("{}: the text is UTF-16; convert it to UTF-8", path.display())]
    Utf16 {
        /// The file.
        path: PathBuf,
    },
    /// A file whose format neither its name nor the configuration tells.
    #[error("{}: the name does not tell the format; set `events.format` to csv, jsonl, parquet or rollup", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// A JSON file that is one array instead of one object a line.
    #[error("{}: holds a JSON array; write one object a line, as `jq -c '.[]'` does", path.display())]
    JsonArray {
        /// The file.
        path: PathBuf,
    },
    /// A damaged Parquet file.
    #[error("{}: {source}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        source: parquet::errors::ParquetError,
    },
    /// A roll-up whose columns have names in upper case.
    #[error(
        "{}: the columns {} are those of a roll-up but for their case; write them in lower case: user, day, kind, count, \
         amount",
        path.display(), columns.join(", ")
    )]
    RollupCase {
        /// The file.
        path: PathBuf,
        /// Its columns.
        columns: Vec<String>,
    },
    /// A text file without a header line.
    #[error("{}: the file is empty, not even a header line; name the columns of files without one in `events.columns`", path.display())]
    NoHeader {
        /// The file.
        path: PathBuf,
    },
    /// A setting that raw events need.
    #[error("`events.{setting}` is not set, but {} holds raw events", path.display())]
    MissingSetting {
        /// The setting's key in the `[events]` table.
        setting: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// A column that a file does not have.
    #[error(
        "{}: there is no column `{column}`, which `events.{setting}` names{}; the columns are {}",
        path.display(), nearest.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default(), columns.join(", ")
    )]
    UnknownColumn {
        /// The file.
        path: PathBuf,
        /// The setting that names the column.
        setting: &'static str,
        /// The column.
        column: String,
        /// The most similar name among the file's columns.
        nearest: Option<String>,
        /// The file's columns.
        columns: Vec<String>,
    },
    /// A column name that a file has more than once.
    #[error("{}: there are several columns `{column}`, which `events.{setting}` names", path.display())]
    AmbiguousColumn {
        /// The file.
        path: PathBuf,
        /// The setting that names the column.
        setting: &'static str,
        /// The column.
        column: String,
    },
    /// A Parquet column of a type that cannot serve.
    #[error("{}: column `{column}` has the type {found}, which cannot be read as {expected}", path.display())]
    ColumnType {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// Its type.
        found: String,
        /// What was needed.
        expected: &'static str,
    },
    /// An expression that does not compile, or calls what does not exist.
    #[error("`events.{setting}`: the expression `{expression}` is wrong: {message}")]
    Expression {
        /// The setting that holds it.
        setting: &'static str,
        /// The expression.
        expression: String,
        /// What is wrong.
        message: String,
    },
    /// A time format that cannot be used.
    #[error("`events.time_format` = \"{format}\" cannot be used: {message}")]
    TimeFormat {
        /// The format.
        format: String,
        /// What is wrong.
        message: String,
    },
    /// A setting that a SQL engine cannot be told to honour as the reader does.
    #[error(
        "`events.{setting}`: {construct} cannot be written in SQL for {dialect} so that it means the same; {instead}"
    )]
    Sql {
        /// The setting's key in the `[events]` table.
        setting: &'static str,
        /// The engine.
        dialect: &'static str,
        /// What cannot be written.
        construct: String,
        /// What to do instead.
        instead: String,
    },
    /// A row that cannot be read, where the configuration says to stop at the first one.
    #[error(
        "{}: {} ({reason}), since `events.on_bad_row` is \"fail\"; with \"report\" such rows are counted and passed over",
        place.position(), place.problem()
    )]
    Refused {
        /// Why it was refused.
        reason: RefusalReason,
        /// Where, and what was found.
        place: Place,
    },
    /// More refused rows than the settings allow.
    #[error("{0}")]
    TooManyRefused(Box<TooManyRefused>),
    /// A log in which no event is left.
    #[error("no events{}: {detail}", as_of.map(|day| format!(" before {day}")).unwrap_or_default())]
    Empty {
        /// The day on which and after which no event is seen.
        as_of: Option<Day>,
        /// What the log does hold.
        detail: String,
    },
    /// Records that cannot be held, or a roll-up that cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
}

impl EventsError {
    /// Whether the `[events]` table is at fault, not the data.
    pub fn is_setting(&self) -> bool {
        match self {
            Self::NoPaths
            | Self::Pattern { .. }
            | Self::UnknownFormat { .. }
            | Self::MissingSetting { .. }
            | Self::UnknownColumn { .. }
            | Self::AmbiguousColumn { .. }
            | Self::ColumnType { .. }
            | Self::Expression { .. }
            | Self::TimeFormat { .. }
            | Self::Sql { .. }
            | Self::History(HistoryError::TimeZone { .. }) => true,
            Self::NoFiles { .. }
            | Self::Io { .. }
            | Self::Truncated { .. }
            | Self::Utf16 { .. }
            | Self::JsonArray { .. }
            | Self::Parquet { .. }
            | Self::RollupCase { .. }
            | Self::NoHeader { .. }
            | Self::Refused { .. }
            | Self::TooManyRefused(_)
            | Self::Empty { .. }
            | Self::History(_) => false,
        }
    }
}
