//! Reading event logs: CSV, JSON Lines and Parquet, raw or rolled up, into [`Histories`].
//!
//! [`read_log`] finds the files, maps their columns as [`EventsConfig`] says, and hands every event to a
//! [`crate::history::HistoriesBuilder`]. A row that cannot be used is never dropped in silence: the [`QualityReport`]
//! counts it by a stable [`RefusalReason`] and shows the first places with their line numbers. Files are read in pieces
//! by all threads; memory grows with what users did on how many days, not with the log, and not beyond [`Space`].

mod boundary;
mod columnar;
mod config;
mod duplicates;
mod error;
mod expression;
mod feed;
mod files;
mod intake;
mod json_value;
mod jsonl;
mod mapper;
mod patterns;
mod plain;
mod quality;
mod reading;
mod reason;
mod refused;
mod render;
mod source;
mod sql;
mod text;
mod threads;
mod time;
mod time_format;
mod used;
mod value;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use config::{Delimiter, EventsConfig, Format, Mapping, OnBadRow, Share, TimeZoneName};
pub use error::EventsError;
pub use quality::{FileQuality, KindQuality, Place, QualityReport, RefusedRows, UserQuality};
pub use reading::Progress;
pub use reason::RefusalReason;
pub use refused::TooManyRefused;
pub use sql::{Dialect, SqlRequest, TimeType, rollup_sql};

use crate::history::{Day, Histories, Space, Users, check_complete, part_of_path};
use files::LogFile;
use mapper::Mapper;

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
    pub space: &'a Space,
}

/// Reads a log into histories and reports on its quality.
///
/// The result depends neither on the order in which files are named nor on the number of threads. `on_progress` is called
/// now and then, and at the end.
///
/// # Errors
/// [`EventsError`] where files, columns, expressions or formats are wrong, where a row is refused and the
/// configuration says to fail, and where no event is left.
pub fn read_log(
    request: &LogRequest<'_>,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<(Histories, QualityReport), EventsError> {
    let config = request.config;
    let mapper = Mapper::new(config, request.default_kind)?;
    let mut files = files::find(config, request.base_dir, request.paths)?;
    for file in files.iter_mut().filter(|file| file.format == Format::Parquet && config.format.is_none()) {
        let times = mapper.as_ref().map(Mapper::time_names);
        if columnar::is_rollup(file, times.as_deref())? {
            file.format = Format::Rollup;
        }
    }
    // Of a roll-up in as many partitions as are asked for, one is all that has to be read, or there.
    let asked = |file: &LogFile| match (request.users, part_of_path(&file.path)) {
        (Users::Partition(asked), Some((number, of))) if of == asked.of() => Some(number == asked.number()),
        _ => None,
    };
    files.retain(|file| file.format != Format::Rollup || asked(file) != Some(false));
    let rollups = files.iter().filter(|file| file.format == Format::Rollup && asked(file).is_none());
    check_complete(&rollups.map(|file| file.path.clone()).collect::<Vec<_>>())?;
    threads::read(request, &files, on_progress)
}
