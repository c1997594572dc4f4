//! Tables of what is known of users beside events: their files, columns and rows.

pub(crate) mod config;
pub(crate) mod error;
pub(crate) mod rows;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use self::config::AttributesConfig;
use self::error::AttributesError;
use self::rows::TableReader;
use super::config::EventsConfig;
use super::input::chunk_reader::ChunkReader;
use super::input::chunks::Task;
use super::input::files;
use super::log::ReadLog;
use super::quality::attributes::{AttributeColumnQuality, AttributesQuality};
use super::quality::rejected_share::REJECTED;
use crate::history::{AttributeTable, Day};
use crate::phases::{Phases, Unit};

/// A table of attributes that is to be read.
#[derive(Clone, Copy, Debug)]
pub struct AttributesRequest<'a> {
    /// Which files hold it, and what their columns mean.
    pub config: &'a AttributesConfig,
    /// How the log is read, whose time zone and limit of rejected rows hold here too.
    pub events: &'a EventsConfig,
    /// The folder that paths are relative to.
    pub base_dir: &'a Path,
    /// Rows of this day and later are not used.
    pub until: Day,
}

/// Reads a table of attributes.
///
/// # Errors
/// [`AttributesError`] names file, line and column, and the setting to change.
pub fn read_attributes(
    request: &AttributesRequest<'_>,
    phases: Phases<'_>,
) -> Result<(AttributeTable, AttributesQuality), AttributesError> {
    let config = EventsConfig {
        max_record_bytes: request.events.max_record_bytes,
        max_record_lines: request.events.max_record_lines,
        ..request.config.as_events()
    };
    let found = files::find(&config, request.base_dir, &[])?;
    let bytes = found.files.iter().map(|file| file.bytes).sum();
    let phase = phases.begin("reading attributes", bytes, Unit::Bytes);
    let bytes_read = Arc::new(AtomicU64::new(0));
    let mut chunks = ChunkReader::new(&config, &found.files, bytes_read.clone());
    let mut reader = TableReader::new(request)?;
    while let Some(Task { file, chunk, .. }) = chunks.next()? {
        if let Some(file) = found.files.get(file) {
            reader.read(file, chunk)?;
        }
        phase.set(bytes_read.load(Ordering::Relaxed), reader.rows());
    }
    phase.finish();
    let (table, quality) = reader.finish();
    check(&quality, request.events)?;
    Ok((table, quality))
}

/// Joins a table of attributes to the users of a log, whose report on quality then has one on the table.
///
/// # Errors
/// Those of [`read_attributes`].
pub fn join_attributes(
    log: ReadLog,
    request: &AttributesRequest<'_>,
    phases: Phases<'_>,
) -> Result<ReadLog, AttributesError> {
    let (table, mut quality) = read_attributes(request, phases)?;
    let column = |column: &crate::history::AttributeColumn| AttributeColumnQuality {
        name: column.name.clone(),
        kind: column.kind.name(),
        categories: column.categories.len() as u64,
    };
    quality.columns = table.columns().iter().map(column).collect();
    quality.contradicted = table
        .contradicted()
        .map(|(name, users)| (name.to_owned(), users))
        .collect();
    quality.never_changed = table
        .never_changed()
        .map(|(name, users)| (name.to_owned(), users))
        .collect();
    let (histories, joined) = log.histories.with_attributes(table)?;
    quality.users = joined.users;
    quality.users_not_in_log = joined.not_in_log;
    let mut joined = ReadLog { histories, ..log };
    joined.quality.attributes = Some(quality);
    Ok(joined)
}

/// Refuses a table without rows, or of which too many are rejected.
fn check(quality: &AttributesQuality, events: &EventsConfig) -> Result<(), AttributesError> {
    if quality.rows == 0 {
        return Err(AttributesError::Empty);
    }
    let limit = events
        .max_rejected_share
        .map_or(REJECTED, |share| share.value());
    let rejected: u64 = quality.rejected.iter().map(|reason| reason.rows).sum();
    let most = quality.rejected.iter().max_by_key(|reason| reason.rows);
    match most.and_then(|most| Some((most.reason, most.first.first()?))) {
        Some((reason, first)) if rejected as f64 > limit * quality.rows as f64 => {
            Err(AttributesError::TooManyRejected {
                rows: quality.rows,
                rejected,
                limit,
                reason,
                first: Box::new(first.clone()),
            })
        }
        _ => Ok(()),
    }
}
