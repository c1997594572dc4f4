//! Reading a log as far as it covers its days.

use super::config::{EventsConfig, OnHole, OnStray};
use super::input::log_file::LogFile;
use super::input::open::STANDARD_INPUT;
use super::{EventsError, LogRequest, QualityReport, reader};
use crate::history::{Coverage, CoverageSettings, DailyCounts, DayBounds, FUTURE_DAYS, Histories};
use crate::phases::{Phases, Unit};

/// A log as it was read.
#[derive(Clone, Debug)]
pub struct ReadLog {
    /// What every user did.
    pub histories: Histories,
    /// What the log covers.
    pub coverage: Coverage,
    /// What it holds and what of it could not be used.
    pub quality: QualityReport,
}

/// The bytes of all files on the disk.
fn bytes_of(files: &[LogFile]) -> u64 {
    files.iter().map(|file| file.bytes).sum()
}

/// Reads the files, and once more where rows turn out to lie outside of what the log covers.
pub(crate) fn read(
    request: &LogRequest<'_>,
    files: &[LogFile],
    phases: Phases<'_>,
) -> Result<ReadLog, EventsError> {
    let config = request.config;
    let keeps_strays = config.stray == OnStray::Keep;
    let days = DayBounds {
        as_of: request.until,
        from: config.from,
        until: config.until,
        future: request
            .today
            .filter(|_| !keeps_strays)
            .map(|today| today.plus(FUTURE_DAYS)),
    };
    let reading = phases.begin("reading the log", bytes_of(files), Unit::Bytes);
    let (mut histories, mut quality) = reader::read(request, files, days, &reading, phases)?;
    let settings = settings(config);
    let mut coverage = judge(request, &histories, settings)?;
    let span = histories.span();
    if span.is_some_and(|(first, last)| first < coverage.span.from || last >= coverage.span.until) {
        // Only now is it known which rows are strays; each is shown with its place.
        if files
            .iter()
            .any(|file| file.path.as_os_str() == STANDARD_INPUT)
        {
            return Err(EventsError::StrayInput {
                from: coverage.span.from,
                until: coverage.span.until,
            });
        }
        // Both readings at once would take twice the memory.
        drop(histories);
        let days = DayBounds {
            from: Some(coverage.span.from),
            until: Some(coverage.span.until),
            ..days
        };
        let name = "reading the days that the log covers";
        let reading = phases.begin(name, bytes_of(files), Unit::Bytes);
        (histories, quality) = reader::read(request, files, days, &reading, phases)?;
        let settled = CoverageSettings {
            from: days.from,
            until: days.until,
            ..settings
        };
        let (labels_until, of_conversion) = (coverage.labels_until, coverage.conversion);
        coverage = judge(request, &histories, settled)?;
        // With a given last day no feed is looked at for an earlier end: the first judgement has found it.
        coverage.labels_until = labels_until;
        if let (Some(now), Some(before)) = (&mut coverage.conversion, of_conversion) {
            now.labels_until = before.labels_until;
        }
    }
    let of_conversion = coverage.conversion.iter().flat_map(|part| &part.holes);
    let mut holes = coverage.holes.iter().chain(of_conversion);
    if let (OnHole::Fail, Some(hole)) = (config.hole, holes.next()) {
        let (from, last, days) = (hole.days.from, hole.days.until.plus(-1), hole.days.days());
        return Err(EventsError::Hole {
            from,
            last,
            days,
            expected: hole.expected_users,
        });
    }
    quality.coverage = Some(coverage.clone());
    Ok(ReadLog {
        histories,
        coverage,
        quality,
    })
}

fn settings(config: &EventsConfig) -> CoverageSettings {
    CoverageSettings {
        from: config.from,
        until: config.until,
        keep_strays: config.stray == OnStray::Keep,
        keep_holes: config.hole == OnHole::Keep,
    }
}

fn judge(
    request: &LogRequest<'_>,
    histories: &Histories,
    settings: CoverageSettings,
) -> Result<Coverage, EventsError> {
    let counts = DailyCounts::of(histories, &request.labels.names())?;
    let detail = || "the log has no day".to_owned();
    Coverage::of(&counts, request.labels, settings).ok_or_else(|| EventsError::Empty {
        as_of: request.until,
        detail: detail(),
    })
}
