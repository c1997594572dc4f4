//! Reading all files on all threads: each takes the next piece, and what depends on the order of pieces is put into it at
//! the end, so that the number of threads changes nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::config::EventsConfig;
use super::ingest::{Counts, Intake};
use super::input::chunks::{Feeder, Layout, Piece, Work};
use super::input::files::LogFile;
use super::input::jsonl::SeenKeys;
use super::input::{csv, jsonl, missing_column, parquet};
use super::mapping::field::Columns;
use super::mapping::mapper::Mapper;
use super::quality::duplicates::Duplicates;
use super::quality::rejection::Field;
use super::quality::report::{FileQuality, PLACES_SHOWN, QualityReport, RefusedRows};
use super::quality::text::render_refused;
use super::row_reader::{Progress, Reading};
use super::{EventsError, LogRequest};
use crate::history::{Day, DayBounds, Histories, HistoriesBuilder, read_rollup_file};

/// The time between two reports of progress.
const BETWEEN_REPORTS: Duration = Duration::from_millis(100);

/// What all threads share.
struct Shared<'a> {
    request: &'a LogRequest<'a>,
    files: &'a [LogFile],
    days: DayBounds,
    feeder: Mutex<Feeder<'a>>,
    duplicates: Mutex<Duplicates>,
    done: Mutex<Vec<Done>>,
    /// The failure of the earliest piece.
    failure: Mutex<Option<(usize, EventsError)>>,
    rows: AtomicU64,
}

/// A piece that was read.
struct Done {
    number: usize,
    file: usize,
    rows: u64,
    refused: Vec<RefusedRows>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads the files; the histories and the report on their quality.
pub(crate) fn read(
    request: &LogRequest<'_>,
    files: &[LogFile],
    days: DayBounds,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<(Histories, QualityReport), EventsError> {
    let bytes_read = Arc::new(AtomicU64::new(0));
    let builder = HistoriesBuilder::within(request.space.clone());
    let shared = Shared {
        request,
        files,
        days,
        feeder: Mutex::new(Feeder::new(request.config, files, bytes_read.clone())),
        duplicates: Mutex::default(),
        done: Mutex::default(),
        failure: Mutex::default(),
        rows: AtomicU64::new(0),
    };
    let progress = || Progress {
        files_read: lock(&shared.feeder).place().1,
        files: files.len(),
        bytes_read: bytes_read.load(Ordering::Relaxed),
        bytes: files.iter().map(|file| file.bytes).sum(),
        rows: shared.rows.load(Ordering::Relaxed),
    };
    let threads = rayon::current_num_threads();
    let read: Vec<Option<(Counts, SeenKeys)>> = std::thread::scope(|scope| {
        let (running, ended) = channel();
        let start = |_| {
            let (builder, running) = (builder.fork(), running.clone());
            let shared = &shared;
            scope.spawn(move || run(shared, builder, running))
        };
        let threads: Vec<_> = (0..threads).map(start).collect();
        drop(running);
        while ended.recv_timeout(BETWEEN_REPORTS) == Err(RecvTimeoutError::Timeout) {
            on_progress(progress());
        }
        threads
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    });
    on_progress(progress());
    let Shared {
        duplicates,
        done,
        failure,
        feeder,
        ..
    } = shared;
    let feeder = feeder.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, error)) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let (mut counts, mut keys) = (Counts::default(), SeenKeys::default());
    for (more, seen) in read.into_iter().flatten() {
        counts.merge(more);
        keys.merge(seen);
    }
    keys.check(&[Field::User, Field::Time, Field::Kind, Field::Amount])?;
    let duplicates = duplicates
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut report = report(files, done, &counts, &duplicates);
    report.mark_escaped(feeder.escaped());
    if counts.events == 0 {
        return Err(empty(&report, &counts, request.until));
    }
    let histories = builder.finish()?;
    report.describe(&histories, &counts.negative);
    Ok((histories, report))
}

/// Reads pieces until there are no more; `None` after a failure. Dropping `_running` tells that the thread has ended.
fn run(
    shared: &Shared<'_>,
    builder: HistoriesBuilder,
    _running: Sender<()>,
) -> Option<(Counts, SeenKeys)> {
    let LogRequest { config, users, .. } = *shared.request;
    let intake = Intake::new(builder, shared.days, users, config);
    let mut reader = Reader {
        shared,
        mapper: None,
        intake,
        keys: SeenKeys::default(),
        bound: None,
    };
    loop {
        let mut feeder = lock(&shared.feeder);
        let (number, work) = (feeder.place().0 + 1, feeder.next());
        drop(feeder);
        let outcome = match work {
            Ok(None) => match reader.intake.close() {
                Ok(counts) => return Some((counts, reader.keys)),
                Err(error) => return shared.fail(usize::MAX, error.into()),
            },
            Ok(Some(work)) => reader.read(work),
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            return shared.fail(number, error);
        }
    }
}

impl Shared<'_> {
    /// Lets all threads stop; of several failures the one that comes first in the log counts.
    fn fail<T>(&self, number: usize, error: EventsError) -> Option<T> {
        lock(&self.feeder).stop();
        let mut failure = lock(&self.failure);
        if failure
            .as_ref()
            .is_none_or(|(earliest, _)| number < *earliest)
        {
            *failure = Some((number, error));
        }
        None
    }
}

/// One thread's reader.
struct Reader<'s, 'a> {
    shared: &'s Shared<'a>,
    mapper: Option<Mapper>,
    intake: Intake,
    keys: SeenKeys,
    /// The file that the mapper knows the columns of.
    bound: Option<usize>,
}

impl Reader<'_, '_> {
    fn read(&mut self, work: Work) -> Result<(), EventsError> {
        let Work {
            number,
            file: position,
            piece,
        } = work;
        let Some(file) = self.shared.files.get(position) else {
            return Ok(());
        };
        if self.bound != Some(position) {
            self.bind(file, &piece)?;
            self.bound = Some(position);
        }
        let rows = match (piece, &mut self.mapper) {
            (Piece::Rollup, _) => self.rollup(file)?,
            (_, None) => return Err(missing_setting(self.shared.request.config, file)),
            (Piece::Rows(piece), Some(mapper)) => parquet::read(
                &mut Reading {
                    mapper,
                    intake: &mut self.intake,
                    file,
                },
                piece,
            )?,
            (Piece::Text(piece), Some(mapper)) => {
                let mut reading = Reading {
                    mapper,
                    intake: &mut self.intake,
                    file,
                };
                match piece.layout {
                    Layout::Json => jsonl::read(&mut reading, &piece, &mut self.keys)?,
                    Layout::Blanks => csv::read_blank_separated(&mut reading, &piece)?,
                    Layout::Csv(csv) => csv::read_csv(&mut reading, &piece, csv)?,
                }
            }
        };
        self.end_piece(number, position, rows);
        Ok(())
    }

    /// Looks up the mapped columns in another file.
    fn bind(&mut self, file: &LogFile, piece: &Piece) -> Result<(), EventsError> {
        let LogRequest {
            config,
            default_kind,
            ..
        } = *self.shared.request;
        if self.mapper.is_none() {
            self.mapper = Mapper::new(config, default_kind)?;
        }
        let Some(mapper) = &mut self.mapper else {
            return Ok(());
        };
        let names = match piece {
            Piece::Rollup => return Ok(()),
            Piece::Rows(piece) => parquet::names(piece.metadata.schema()),
            Piece::Text(piece) if piece.layout == Layout::Json => {
                self.keys.start(&file.path, mapper.names())
            }
            Piece::Text(piece) => piece.names.to_vec(),
        };
        let bound = mapper.bind(&Columns {
            path: &file.path,
            names: &names,
        });
        bound.map_err(|error| missing_column::explain(error, piece))
    }

    fn rollup(&mut self, file: &LogFile) -> Result<u64, EventsError> {
        let (builder, days, users) = self.intake.rollup_target();
        let read = read_rollup_file(&file.path, days, users, builder)?;
        self.intake.count_rollup(&read, &file.shown)?;
        Ok(read.rows)
    }

    fn end_piece(&mut self, number: usize, file: usize, rows: u64) {
        let notes = self.intake.end_piece();
        if !notes.hashes.is_empty() {
            lock(&self.shared.duplicates).add_all(&notes.hashes);
        }
        self.shared.rows.fetch_add(rows, Ordering::Relaxed);
        lock(&self.shared.done).push(Done {
            number,
            file,
            rows,
            refused: notes.refused,
        });
    }
}

fn missing_setting(config: &EventsConfig, file: &LogFile) -> EventsError {
    let setting = if config.user.is_none() {
        "user"
    } else {
        "time"
    };
    EventsError::MissingSetting {
        setting,
        path: file.path.clone(),
    }
}

/// The report on what was read, as far as it is known before the histories.
fn report(
    files: &[LogFile],
    mut done: Vec<Done>,
    counts: &Counts,
    duplicates: &Duplicates,
) -> QualityReport {
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
        rows_of_other_users: counts.rows_of_other_users,
        empty_amounts: counts.empty_amounts,
        duplicates_compared: duplicates.compared(),
        ..QualityReport::default()
    };
    (report.duplicates, report.duplicates_estimated) = duplicates.count();
    for Done {
        file,
        rows,
        refused,
        ..
    } in done
    {
        report.rows += rows;
        if let Some(file) = report.files.get_mut(file) {
            file.rows += rows;
        }
        for refused in refused {
            let list = if refused.reason.is_stray() {
                &mut report.set_aside
            } else {
                &mut report.refused
            };
            add_refused(list, refused);
        }
    }
    report.refused.sort_by_key(|refused| refused.reason);
    report.set_aside.sort_by_key(|refused| refused.reason);
    report.share_out();
    report
}

fn add_refused(all: &mut Vec<RefusedRows>, more: RefusedRows) {
    let Some(refused) = all.iter_mut().find(|refused| refused.reason == more.reason) else {
        return all.push(more);
    };
    refused.rows += more.rows;
    let places = PLACES_SHOWN.saturating_sub(refused.first.len());
    refused.first.extend(more.first.into_iter().take(places));
}

/// Why no event is left. The as-of day is to blame only where rows are left out for it.
fn empty(report: &QualityReport, counts: &Counts, until: Option<Day>) -> EventsError {
    let as_of = until.filter(|_| counts.rows_after_as_of > 0);
    let mut text = match counts.span {
        _ if counts.rows_of_other_users > 0 => "all rows are of users that were not asked for".to_owned(),
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
    let _ = render_refused(&report.set_aside, &mut text)
        .and_then(|()| render_refused(&report.refused, &mut text));
    EventsError::Empty {
        as_of,
        detail: text.trim_end().to_owned(),
    }
}
