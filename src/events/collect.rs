//! The report on a log, put together from what all threads counted.

use super::quality::duplicates::Duplicates;
use super::quality::report::{FileQuality, PLACES_SHOWN, QualityReport, RejectedRows};
use super::quality::text::render_rejected;
use crate::events::EventsError;
use crate::events::ingest::Counts;
use crate::events::input::log_file::LogFile;
use crate::history::Day;

/// A chunk that was read.
pub(crate) struct ChunkDone {
    /// Its position in the order of the log.
    pub(crate) number: usize,
    /// The position of its file.
    pub(crate) file: usize,
    pub(crate) rows: u64,
    pub(crate) rejected: Vec<RejectedRows>,
}

/// The report on what was read, as far as it is known before the histories.
pub(crate) fn report(
    files: &[LogFile],
    mut done: Vec<ChunkDone>,
    counts: &Counts,
    duplicates: &Duplicates,
) -> QualityReport {
    // Threads end their chunks in any order, and the first rows of a reason are shown.
    done.sort_by_key(|done| done.number);
    let quality = |file: &LogFile| FileQuality {
        file: file.shown.clone(),
        format: file.format,
        rows: 0,
        escape: None,
    };
    let mut report = QualityReport {
        files: files.iter().map(quality).collect(),
        events: counts.events,
        rows_after_as_of: counts.rows_after_as_of,
        rows_filtered_by_user: counts.rows_filtered_by_user,
        empty_amounts: counts.empty_amounts,
        duplicates_compared: duplicates.compared(),
        ..QualityReport::default()
    };
    (report.duplicates, report.duplicates_estimated) = duplicates.count();
    for ChunkDone {
        file,
        rows,
        rejected,
        ..
    } in done
    {
        report.rows += rows;
        report.files[file].rows += rows;
        for rejected in rejected {
            let list = if rejected.reason.is_stray() {
                &mut report.set_aside
            } else {
                &mut report.rejected
            };
            add_rejected(list, rejected);
        }
    }
    report.rejected.sort_by_key(|rejected| rejected.reason);
    report.set_aside.sort_by_key(|rejected| rejected.reason);
    report.share_out();
    report
}

fn add_rejected(all: &mut Vec<RejectedRows>, more: RejectedRows) {
    let Some(rejected) = all
        .iter_mut()
        .find(|rejected| rejected.reason == more.reason)
    else {
        return all.push(more);
    };
    rejected.rows += more.rows;
    let places = PLACES_SHOWN.saturating_sub(rejected.first.len());
    rejected.first.extend(more.first.into_iter().take(places));
}

/// Why no event is left. The as-of day is to blame only where rows are left out for it.
pub(crate) fn empty(report: &QualityReport, counts: &Counts, until: Option<Day>) -> EventsError {
    let as_of = until.filter(|_| counts.rows_after_as_of > 0);
    let mut text = match counts.span {
        _ if counts.rows_filtered_by_user > 0 => "all rows are of users that are not read".to_owned(),
        _ if report.rows == 0 => "the files have no rows".to_owned(),
        Some((first, last)) if as_of.is_some() => format!(
            "the log spans {first} to {last}; choose an as-of day after {first}, or {} to see all of it",
            last.plus(1)
        ),
        _ if !report.set_aside.is_empty() => {
            "no row is of a day that the log may cover; see events.from, events.until and this machine's clock, or set \
             events.stray = \"keep\""
                .to_owned()
        }
        _ => format!("none of the {} rows could be read", report.rows),
    };
    text.push('\n');
    // Writing to a string cannot fail.
    let _ = render_rejected(&report.set_aside, &mut text)
        .and_then(|()| render_rejected(&report.rejected, &mut text));
    EventsError::Empty {
        as_of,
        detail: text.trim_end().to_owned(),
    }
}
