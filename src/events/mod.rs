//! Reading event logs: CSV, JSON Lines and Parquet, raw or rolled up, into [`Histories`].
//!
//! [`read_log`] finds the files, maps their columns as [`EventsConfig`] says, and hands every event to a
//! [`crate::history::HistoriesBuilder`]. A row that cannot be used is never dropped in silence: the [`QualityReport`]
//! counts it by a stable [`RefusalReason`] and shows the first places with their line numbers. Files are streamed;
//! memory grows with users, not with the log.

mod columnar;
mod config;
mod duplicates;
mod error;
mod expression;
mod files;
mod intake;
mod jsonl;
mod mapper;
mod quality;
mod reading;
mod reason;
mod render;
mod source;
mod text;
mod time;
mod value;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use config::{Delimiter, EventsConfig, Format, Mapping, OnBadRow, TimeZoneName};
pub use error::EventsError;
pub use quality::{FileQuality, KindQuality, Place, QualityReport, RefusedRows, UserQuality};
pub use reading::Progress;
pub use reason::RefusalReason;

use crate::history::{Day, Histories, check_complete, read_rollup};
use files::LogFile;
use intake::Intake;
use mapper::Mapper;
use reading::{Meter, Reading};
use reason::Field;

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
}

/// Reads a log into histories and reports on its quality.
///
/// The result does not depend on the order in which files are named. `on_progress` is called every few thousand rows
/// and at the end of every file.
///
/// # Errors
/// [`EventsError`] where files, columns, expressions or formats are wrong, where a row is refused and the
/// configuration says to fail, and where no event is left.
pub fn read_log(
    request: &LogRequest<'_>,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<(Histories, QualityReport), EventsError> {
    let config = request.config;
    let mut mapper = Mapper::new(config, request.default_kind)?;
    let mut files = files::find(config, request.base_dir, request.paths)?;
    for file in files.iter_mut().filter(|file| file.format == Format::Parquet && config.format.is_none()) {
        let times = mapper.as_ref().map(Mapper::time_names);
        if columnar::is_rollup(file, times.as_deref())? {
            file.format = Format::Rollup;
        }
    }
    let rollups = files.iter().filter(|file| file.format == Format::Rollup).map(|file| file.path.clone());
    check_complete(&rollups.collect::<Vec<_>>())?;
    let mut intake = Intake::new(request.until, config.on_bad_row);
    let mut meter = Meter::new(&files, on_progress);
    let mut keys = jsonl::SeenKeys::default();
    for file in &files {
        let rows = match (file.format, &mut mapper) {
            (Format::Rollup, _) => read_rollup_file(file, &mut intake)?,
            (format, Some(mapper)) => {
                let mut reading = Reading { mapper, intake: &mut intake, meter: &mut meter, file };
                match format {
                    Format::Jsonl => jsonl::read(&mut reading, &mut keys)?,
                    Format::Parquet => columnar::read(&mut reading)?,
                    Format::Csv | Format::Rollup => text::read(&mut reading, config)?,
                }
            }
            (_, None) => return Err(missing_setting(config, file)),
        };
        meter.end_file(file, if file.format == Format::Rollup { rows } else { 0 });
        intake.count_file(FileQuality { file: file.shown.clone(), format: file.format, rows });
    }
    keys.check(&[Field::User, Field::Time, Field::Kind, Field::Amount])?;
    intake.finish()
}

/// Reads one file of a roll-up; the number of rows.
fn read_rollup_file(file: &LogFile, intake: &mut Intake) -> Result<u64, EventsError> {
    let (builder, until) = intake.rollup_target();
    let read = read_rollup(&file.path, until, builder)?;
    intake.count_rollup(&read);
    Ok(read.rows)
}

fn missing_setting(config: &EventsConfig, file: &LogFile) -> EventsError {
    let setting = if config.user.is_none() { "user" } else { "time" };
    EventsError::MissingSetting { setting, path: file.path.clone() }
}
