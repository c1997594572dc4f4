//! Reading event logs: CSV, JSON Lines and Parquet, raw or rolled up, into [`Histories`](crate::history::Histories).
//!
//! [`read_log`] finds the files, maps their columns as [`EventsConfig`] says, and hands every event to a
//! [`crate::history::HistoriesBuilder`]. A row that cannot be used is never dropped in silence: the [`QualityReport`]
//! counts it by a stable [`RejectionReason`] and shows the first places with their line numbers. Files are read in chunks
//! by all threads; memory grows with what users did on how many days, not with the log, and not beyond [`MemoryBudget`].

pub(crate) mod attributes;
pub(crate) mod collect;
pub(crate) mod config;
pub(crate) mod error;
pub(crate) mod ingest;
pub(crate) mod input;
pub(crate) mod log;
pub(crate) mod mapping;
pub(crate) mod quality;
pub(crate) mod reader;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use attributes::config::{AttributesConfig, ColumnKind};
pub use attributes::error::AttributesError;
pub use attributes::{AttributesRequest, join_attributes, read_attributes};
pub use config::{
    Decimal, Delimiter, Escape, EventsConfig, Format, Mapping, OnBadRow, OnHole, OnStray, Share,
    TimeZoneName,
};
pub use error::{EventsError, SqlRemedy};
pub use input::fingerprint::{FingerprintError, LogFingerprint};
pub use input::log_files::LogFiles;
pub use log::ReadLog;
pub use quality::attributes::{AttributeColumnQuality, AttributesQuality};
pub use quality::rejected_share::TooManyRejected;
pub use quality::rejection::RejectionReason;
pub use quality::report::{
    FileQuality, KindQuality, LeftOut, LeftOutReason, QualityReport, RejectedRows, RowLocation,
    UserQuality,
};

use crate::history::{Day, LabelKinds, MemoryBudget, Users, check_complete, part_of_path};
use crate::phases::Phases;
use input::files::FoundFiles;
use input::log_file::LogFile;
use mapping::mapper::Mapper;

/// What to read, and up to when.
#[derive(Clone, Copy, Debug)]
pub struct LogRequest<'a> {
    /// How to read the log.
    pub config: &'a EventsConfig,
    /// The folder that the configured paths are relative to.
    pub base_dir: &'a Path,
    /// Files, folders or patterns that take the place of the configured ones, relative to the working directory;
    /// empty to read the configured ones.
    pub paths: &'a [PathBuf],
    /// The as-of day: events on or after it are counted but not seen. `None` to see all.
    pub until: Option<Day>,
    /// The kind of all events where no kind is configured; `event` when `None`.
    pub default_kind: Option<&'a str>,
    /// Which users are read; the rows of the others are counted.
    pub users: Users,
    /// How much memory the events may take before they go to disk.
    pub memory: &'a MemoryBudget,
    /// The kinds that labels are made of: a log may cover them for a shorter time than others.
    pub labels: LabelKinds<'a>,
    /// The present day in the log's time zone; rows of days after tomorrow are set aside. `None` where no day is in the future.
    pub today: Option<Day>,
}

/// Reads a log into histories, judges what it covers, and reports on its quality. Rows on days that it does not cover are set
/// aside as [`EventsConfig::stray`] says; for that the files are read a second time.
///
/// The result depends neither on the order in which files are named nor on the number of threads. How far it has
/// come is seen in `phases`.
///
/// # Errors
/// [`EventsError`] where files, columns, expressions or formats are wrong, where a row is rejected and the
/// configuration says to fail, where the log has strays or holes and the configuration says to fail, and where no event is
/// left.
pub fn read_log(request: &LogRequest<'_>, phases: Phases<'_>) -> Result<ReadLog, EventsError> {
    let config = request.config;
    let mapper = Mapper::new(config, request.default_kind)?;
    let FoundFiles {
        mut files,
        left_out,
    } = input::files::find(config, request.base_dir, request.paths)?;
    for file in files
        .iter_mut()
        .filter(|file| file.format == Format::Parquet && config.format.is_none())
    {
        let times = mapper.as_ref().map(Mapper::time_names);
        if input::parquet::is_rollup(file, times.as_deref())? {
            file.format = Format::Rollup;
        }
    }
    check_not_mixed(&files)?;
    // Of a roll-up in as many partitions as the users are read in, one is all that has to be read, or there.
    let is_read = |file: &LogFile| match (request.users, part_of_path(&file.path)) {
        (Users::Partition(read), Some((number, of))) if of == read.of() => {
            Some(number == read.number())
        }
        _ => None,
    };
    files.retain(|file| file.format != Format::Rollup || is_read(file) != Some(false));
    let rollups = files
        .iter()
        .filter(|file| file.format == Format::Rollup && is_read(file).is_none());
    check_complete(&rollups.map(|file| file.path.clone()).collect::<Vec<_>>())?;
    let mut read = log::read(request, &files, phases)?;
    read.quality.left_out = left_out;
    Ok(read)
}

/// An error where a roll-up lies beside raw events, which it is likely to have been made of.
fn check_not_mixed(files: &[LogFile]) -> Result<(), EventsError> {
    let rollup = files.iter().find(|file| file.format == Format::Rollup);
    let raw = files.iter().find(|file| file.format != Format::Rollup);
    match (rollup, raw) {
        (Some(rollup), Some(raw)) => Err(EventsError::RawAndRollup {
            rollup: rollup.path.clone(),
            raw: raw.path.clone(),
        }),
        _ => Ok(()),
    }
}
