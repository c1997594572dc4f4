//! Errors of reading a log.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use super::quality::printable::shown;
use super::quality::rejected_share::TooManyRejected;
use super::quality::rejection::RejectionReason;
use super::quality::report::{LeftOut, RowLocation};
use crate::history::{Day, HistoryError};

/// What to do about something that SQL cannot say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SqlRemedy {
    /// Change the configuration or the log, as this text says.
    Setting(Cow<'static, str>),
    /// Read the table or view that this text describes: [`SqlRequest::table`](crate::rollup_sql::SqlRequest::table).
    Table(Cow<'static, str>),
    /// Say what the time column is: [`SqlRequest::time_type`](crate::rollup_sql::SqlRequest::time_type).
    TimeType(Cow<'static, str>),
}

impl From<&'static str> for SqlRemedy {
    fn from(text: &'static str) -> Self {
        Self::Setting(text.into())
    }
}

impl fmt::Display for SqlRemedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Setting(text) | Self::Table(text) | Self::TimeType(text)) = self;
        f.write_str(text)
    }
}

/// What can go wrong with reading a log.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    /// No file of the log was found.
    #[error("no file matches `{pattern}` in {}; see `events.paths`", shown(folder))]
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
    #[error("{}: {source}", shown(path))]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A compressed file that stops in the middle.
    #[error(
        "{}: the compressed data stops in the middle; the file was not copied or written to its end",
        shown(path)
    )]
    Truncated {
        /// The file.
        path: PathBuf,
    },
    /// Compressed data with something else behind it.
    #[error(
        "{}: there {} after the end of the compressed data; the file was damaged, or something was added to it. If \
         they are of no use, decompress the file, and read what comes of it", shown(path),
        if *bytes == 1 { "is 1 byte".to_owned() } else { format!("are {bytes} bytes") }
    )]
    TrailingBytes {
        /// The file.
        path: PathBuf,
        /// How many bytes.
        bytes: u64,
    },
    /// Data compressed by zstd in a way that takes too much memory to decompress.
    #[error(
        "{}: was compressed by zstd with a window of more than 128 MiB, which `zstd -d` too reads with `--long` alone; compress \
         it without",
        shown(path)
    )]
    ZstdWindow {
        /// The file.
        path: PathBuf,
    },
    /// A file that is no text.
    #[error("{}: is no text but {what}; {instead}", shown(path))]
    NotText {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
        /// What to do about it.
        instead: &'static str,
    },
    /// A link that leads nowhere.
    #[error(
        "{}: is a link to {}, which does not exist",
        shown(path),
        shown(target)
    )]
    DanglingLink {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// What can be opened but is no file.
    #[error(
        "{}: is {what}, not a file; to read from a pipe, lead it to the standard input, and name the path `-`",
        shown(path)
    )]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// A folder or pattern of which no file can be read.
    #[error("nothing of `{pattern}` can be read: {}", left_out.iter().map(|l| format!("{} {}", l.file, l.detail)).collect::<Vec<_>>().join("; "))]
    AllLeftOut {
        /// The path or glob pattern.
        pattern: String,
        /// The first files, with the reasons.
        left_out: Vec<LeftOut>,
    },
    /// Raw events and a roll-up in one log.
    #[error(
        "{} is a roll-up, and {} holds raw events: events of both would count twice; name one or the other in `events.paths`",
        shown(rollup),
        shown(raw)
    )]
    RawAndRollup {
        /// The first file of the roll-up.
        rollup: PathBuf,
        /// The first file of raw events.
        raw: PathBuf,
    },
    /// A file in an encoding that is not read.
    #[error("{}: the text is UTF-16; convert it to UTF-8", shown(path))]
    Utf16 {
        /// The file.
        path: PathBuf,
    },
    /// A file of unknown format.
    #[error(
        "{}: the format is not known by the name or the first line; set `events.format` to csv, jsonl, parquet or rollup",
        shown(path)
    )]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// A JSON file that is one array instead of one object a line.
    #[error(
        "{}: holds a JSON array; write one object a line, as `jq -c '.[]'` does",
        shown(path)
    )]
    JsonArray {
        /// The file.
        path: PathBuf,
    },
    /// A damaged Parquet file.
    #[error("{}: {source}", shown(path))]
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
    #[error(
        "{}: the file is empty, not even a header line; name the columns of files without one in `events.columns`",
        shown(path)
    )]
    NoHeader {
        /// The file.
        path: PathBuf,
    },
    /// A header that cannot be read as one.
    #[error("{}: the first line `{first}` is no header: it {problem}", shown(path))]
    BadHeader {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
        /// The beginning of the line.
        first: String,
    },
    /// A first line that is data.
    #[error(
        "{}: the first line looks like data, not like a header: there is no column `{column}`, and `{value}` is no name of a \
         column; name the columns of files without a header in `events.columns`",
        shown(path)
    )]
    DataForHeader {
        /// The file.
        path: PathBuf,
        /// The column that was looked for.
        column: String,
        /// A field of the first line that is a number or a time.
        value: String,
    },
    /// A file whose columns another character separates.
    #[error(
        "{}: the header has {missing} but {found}; set `events.delimiter` = \"{setting}\"",
        shown(path)
    )]
    WrongDelimiter {
        /// The file.
        path: PathBuf,
        /// How many of the configured delimiters the header has.
        missing: String,
        /// How many of another one.
        found: String,
        /// The value of the setting.
        setting: &'static str,
    },
    /// A file of objects where columns are expected.
    #[error(
        "{}: the first line is a JSON object; set `events.format` = \"jsonl\"",
        shown(path)
    )]
    JsonForHeader {
        /// The file.
        path: PathBuf,
    },
    /// A setting that raw events need.
    #[error("`events.{setting}` is not set, but {} holds raw events", shown(path))]
    MissingSetting {
        /// The setting's key in the `[events]` table.
        setting: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// A column that a file does not have.
    #[error(
        "{}: there is no column `{column}`, which `events.{setting}` names{}; the columns are {}",
        shown(path), nearest.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default(), columns.join(", ")
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
        /// The file's columns, the first ones where there are many.
        columns: Vec<String>,
    },
    /// A column name that a file has more than once.
    #[error(
        "{}: there are several columns `{column}`, which `events.{setting}` names",
        shown(path)
    )]
    AmbiguousColumn {
        /// The file.
        path: PathBuf,
        /// The setting that names the column.
        setting: &'static str,
        /// The column.
        column: String,
    },
    /// A Parquet column of a type that cannot serve.
    #[error(
        "{}: column `{column}` has the type {found}, which cannot be read as {expected}",
        shown(path)
    )]
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
    /// A setting that SQL cannot honour as the reader does.
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
        instead: SqlRemedy,
    },
    /// A row that cannot be read, where the configuration says to stop at the first one.
    #[error(
        "{}: {} ({reason}), since `events.on_bad_row` is \"fail\"; with \"report\" such rows are counted and passed over",
        place.position(), place.problem()
    )]
    Rejected {
        /// Why it was rejected.
        reason: RejectionReason,
        /// Where, and what was found.
        place: RowLocation,
    },
    /// A row on a day that the log does not cover, where the configuration says to stop at the first one.
    #[error(
        "{}: {} ({reason}), since `events.stray` is \"fail\"; with \"set_aside\" such rows are counted and not used, with \
         \"keep\" they are used",
        place.position(), place.problem()
    )]
    Stray {
        /// Why it does not belong.
        reason: RejectionReason,
        /// Where, and which day.
        place: RowLocation,
    },
    /// Rows on days that the log does not cover, in a log that can be read only once.
    #[error(
        "standard input has rows on days that the log does not cover, and cannot be read again to set them aside: set \
         events.from = \"{from}\" and events.until = \"{until}\", or events.stray = \"keep\", or name a file"
    )]
    StrayInput {
        /// The first day that is covered.
        from: Day,
        /// The day after the last one that is.
        until: Day,
    },
    /// A hole, where the configuration says to stop at one.
    #[error(
        "the log has a hole, the {days} days from {from} to {last}, on which some {expected:.0} users were to be expected, and \
         `events.hole` is \"fail\"; with \"exclude\" label windows there do not count, with \"keep\" its silence does"
    )]
    Hole {
        /// Its first day.
        from: Day,
        /// Its last day.
        last: Day,
        /// How many days.
        days: i32,
        /// Users that could be expected.
        expected: f64,
    },
    /// More rejected rows than the settings allow.
    #[error("{0}")]
    TooManyRejected(Box<TooManyRejected>),
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
    /// Whether the `[events]` table is at fault, or names files of a kind that is not read.
    pub fn is_setting(&self) -> bool {
        match self {
            Self::NoPaths
            | Self::Pattern { .. }
            | Self::UnknownFormat { .. }
            | Self::Utf16 { .. }
            | Self::NotText { .. }
            | Self::AllLeftOut { .. }
            | Self::RawAndRollup { .. }
            | Self::BadHeader { .. }
            | Self::DataForHeader { .. }
            | Self::WrongDelimiter { .. }
            | Self::JsonForHeader { .. }
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
            | Self::TrailingBytes { .. }
            | Self::ZstdWindow { .. }
            | Self::DanglingLink { .. }
            | Self::NotAFile { .. }
            | Self::JsonArray { .. }
            | Self::Parquet { .. }
            | Self::RollupCase { .. }
            | Self::NoHeader { .. }
            | Self::Rejected { .. }
            | Self::Stray { .. }
            | Self::StrayInput { .. }
            | Self::Hole { .. }
            | Self::TooManyRejected(_)
            | Self::Empty { .. }
            | Self::History(_) => false,
        }
    }
}
