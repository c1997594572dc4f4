//! Reading roll-ups: a file, or a folder of them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::cast::AsArray;
use rayon::prelude::*;

use super::row_groups::{KeptRows, RollupFile, RowGroup};
use super::{part_name, part_of_path};
use crate::history::{Day, DayBounds, HistoriesBuilder, HistoryError, Placement, Stray, Users};
use crate::output::Folder;

/// Rows set aside that are listed one by one.
const STRAYS_SHOWN: usize = 5;
/// Row groups whose beginnings are looked at for kinds.
const KIND_GROUPS: usize = 8;

/// What was read from a roll-up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RollupRead {
    /// Files read.
    pub files: u64,
    /// Rows read, kept or not.
    pub rows: u64,
    /// Rows on or after the as-of day, which were not kept.
    pub rows_after_until: u64,
    /// Rows that were set aside for their days.
    pub strays: BTreeMap<Stray, StrayRows>,
    /// Rows of users that are not read.
    pub rows_filtered_by_user: u64,
    /// Events behind the rows that were kept: the sum of their counts.
    pub events: u64,
    /// The first and last day of all rows, kept or not, but for those set aside.
    pub span: Option<(Day, Day)>,
}

/// Rows of one file that were set aside for their days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StrayRows {
    /// How many.
    pub rows: u64,
    /// The first of them: their numbers in the file, from 1, and their days.
    pub first: Vec<(u64, Day)>,
}

impl RollupRead {
    /// Counts a row of the file by what becomes of it for its day; whether it is looked at further.
    pub(super) fn count(&mut self, placement: Placement, row: u64, day: Day) -> bool {
        self.rows += 1;
        if let Placement::Stray(stray) = placement {
            self.set_aside(stray, row, day);
            return false;
        }
        let (first, last) = self.span.unwrap_or((day, day));
        self.span = Some((first.min(day), last.max(day)));
        if placement == Placement::AfterAsOf {
            self.rows_after_until += 1;
            return false;
        }
        true
    }

    fn set_aside(&mut self, stray: Stray, row: u64, day: Day) {
        let strays = self.strays.entry(stray).or_default();
        strays.rows += 1;
        if strays.first.len() < STRAYS_SHOWN {
            strays.first.push((row, day));
        }
    }

    /// Adds what was read elsewhere.
    fn add(&mut self, other: Self) {
        let Self {
            files,
            rows,
            rows_after_until,
            strays,
            rows_filtered_by_user,
            events,
            span,
        } = other;
        for (stray, more) in strays {
            let rows = self.strays.entry(stray).or_default();
            rows.rows += more.rows;
            rows.first.extend(more.first);
            rows.first.truncate(STRAYS_SHOWN);
        }
        self.files += files;
        self.rows += rows;
        self.rows_after_until += rows_after_until;
        self.rows_filtered_by_user += rows_filtered_by_user;
        self.events += events;
        self.span = match (self.span, span) {
            (Some(mine), Some(other)) => Some((mine.0.min(other.0), mine.1.max(other.1))),
            (mine, other) => mine.or(other),
        };
    }
}

/// Adds the rows of some users and days in a roll-up to `into`.
///
/// `path` is a Parquet file, or a folder of them at any depth; names that start with `_` or `.` are passed over, as
/// Spark and Hive do. All threads read, a row group each at a time; neither they nor any order changes the result.
///
/// # Errors
/// [`HistoryError::Rollup`] names the file, row and column of a missing column or a value that is not allowed;
/// [`HistoryError::Io`] and [`HistoryError::Parquet`] name the file. A folder that lacks some of the partitions that
/// its own file names announce is refused, since users would be missing. So is one that another took the place of meanwhile.
pub fn read_rollup(
    path: &Path,
    days: DayBounds,
    users: Users,
    into: &mut HistoriesBuilder,
) -> Result<RollupRead, HistoryError> {
    let mut paths = Vec::new();
    // Held open, to notice another folder of this name while its files are read.
    let folder = Folder::open(path).map_err(|source| HistoryError::Io {
        path: path.to_owned(),
        source,
    })?;
    if path.is_dir() {
        paths = rollup_files(path)?;
        check_complete(&paths)?;
        if paths.is_empty() {
            return Err(io_error(
                path,
                io::ErrorKind::NotFound,
                "there is no *.parquet file in this folder",
            ));
        }
    } else {
        paths.push(path.to_owned());
    }
    let files: Vec<RollupFile> = paths
        .into_par_iter()
        .map(RollupFile::open)
        .collect::<Result<_, _>>()?;
    let groups: Vec<RowGroup<'_>> = files.iter().flat_map(RollupFile::row_groups).collect();
    // Where rows are left out, a kind may have none, and must not be numbered.
    if days == DayBounds::default() && users == Users::All {
        number_kinds(&groups, into)?;
    }
    let read = read_groups(&groups, KeptRows { days, users }, into);
    if folder.was_replaced() {
        return Err(replaced(path));
    }
    let mut read = read?;
    read.files = files.len() as u64;
    Ok(read)
}

/// The error of a roll-up of which a part was read, and the rest may be of another.
fn replaced(path: &Path) -> HistoryError {
    io_error(
        path,
        io::ErrorKind::Other,
        "another roll-up took its place while it was read; read it again",
    )
}

/// Gives numbers to the kinds at the beginnings of some groups, in order of their names: histories whose kinds are
/// numbered so need not be put in order at the end. For roll-ups of which every row is kept, and so every kind.
fn number_kinds(groups: &[RowGroup<'_>], into: &mut HistoriesBuilder) -> Result<(), HistoryError> {
    let mut kinds = BTreeSet::new();
    for group in groups
        .iter()
        .step_by(groups.len().div_ceil(KIND_GROUPS).max(1))
    {
        // An error here comes again, with its row, when the rows are read.
        let Ok(Some(Ok(batch))) = group.batches(&["kind"]).map(|mut batches| batches.next()) else {
            continue;
        };
        let texts = batch
            .column_by_name("kind")
            .and_then(|array| array.as_string_view_opt());
        kinds.extend(
            texts
                .into_iter()
                .flatten()
                .flatten()
                .filter(|kind| !kind.is_empty())
                .map(str::to_owned),
        );
    }
    kinds.iter().try_for_each(|kind| into.kind(kind).map(drop))
}

/// [`read_rollup`] of one file, in this thread alone.
#[cfg(feature = "train")]
pub(crate) fn read_rollup_file(
    path: &Path,
    days: DayBounds,
    users: Users,
    into: &mut HistoriesBuilder,
) -> Result<RollupRead, HistoryError> {
    let file = RollupFile::open(path.to_owned())?;
    let mut read = RollupRead {
        files: 1,
        ..RollupRead::default()
    };
    file.row_groups()
        .try_for_each(|group| group.read(KeptRows { days, users }, into, &mut read))?;
    Ok(read)
}

/// Reads groups on all threads. Of several errors the one of the first group is returned: groups are begun in order, so all
/// before it are read to their ends.
fn read_groups(
    groups: &[RowGroup<'_>],
    kept: KeptRows,
    into: &mut HistoriesBuilder,
) -> Result<RollupRead, HistoryError> {
    let next = AtomicUsize::new(0);
    let work = |mut builder: HistoriesBuilder| {
        let mut read = RollupRead::default();
        while let Some((number, group)) = next_of(groups, &next) {
            if let Err(error) = group.read(kept, &mut builder, &mut read) {
                // No thread begins another row group: those before this one are begun already.
                next.store(groups.len(), Ordering::Relaxed);
                return Err((number, error));
            }
        }
        builder
            .close()
            .map_err(|error| (groups.len(), error))
            .map(|()| read)
    };
    let builders: Vec<HistoriesBuilder> = (0..rayon::current_num_threads().min(groups.len()))
        .map(|_| into.fork())
        .collect();
    let mut all = RollupRead::default();
    let mut first: Option<(usize, HistoryError)> = None;
    let done: Vec<Result<RollupRead, (usize, HistoryError)>> =
        builders.into_par_iter().with_max_len(1).map(work).collect();
    for done in done {
        match done {
            Ok(read) => all.add(read),
            Err(error) if first.as_ref().is_none_or(|first| error.0 < first.0) => {
                first = Some(error)
            }
            Err(_) => {}
        }
    }
    first.map_or(Ok(all), |(_, error)| Err(error))
}

fn next_of<'p, 'f>(
    groups: &'p [RowGroup<'f>],
    next: &AtomicUsize,
) -> Option<(usize, &'p RowGroup<'f>)> {
    let number = next.fetch_add(1, Ordering::Relaxed);
    groups.get(number).map(|group| (number, group))
}

/// The Parquet files in the folder of a roll-up, sorted by their paths.
pub(super) fn rollup_files(folder: &Path) -> Result<Vec<PathBuf>, HistoryError> {
    let mut paths = Vec::new();
    find_files(folder, &mut paths)?;
    paths.sort();
    Ok(paths)
}

fn find_files(folder: &Path, into: &mut Vec<PathBuf>) -> Result<(), HistoryError> {
    let io = |source| HistoryError::Io {
        path: folder.to_owned(),
        source,
    };
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.file_name().is_none_or(|name| {
            name.as_encoded_bytes().starts_with(b"_") || name.as_encoded_bytes().starts_with(b".")
        }) {
            continue;
        }
        if path.is_dir() {
            find_files(&path, into)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "parquet")
        {
            into.push(path);
        }
    }
    Ok(())
}

/// Refuses sorted `paths` in which a folder lacks partitions that its file names announce.
pub(crate) fn check_complete(paths: &[PathBuf]) -> Result<(), HistoryError> {
    for folder in paths.chunk_by(|a, b| a.parent() == b.parent()) {
        let parts = folder.iter().filter_map(|path| part_of_path(path));
        let parts: Vec<(usize, usize)> = parts.collect();
        let Some((_, of)) = parts.first() else {
            continue;
        };
        let Some(parent) = folder.first().and_then(|path| path.parent()) else {
            continue;
        };
        if parts.iter().any(|part| part.1 != *of) {
            let problem = "the folder mixes the partitions of two roll-ups; write it again";
            return Err(io_error(parent, io::ErrorKind::InvalidData, problem));
        }
        if let Some(missing) = (0..*of).find(|part| !parts.contains(&(*part, *of))) {
            let problem = format!(
                "{} is missing, so the roll-up is not complete",
                part_name(missing, *of)
            );
            return Err(io_error(parent, io::ErrorKind::NotFound, &problem));
        }
    }
    Ok(())
}

pub(crate) fn io_error(path: &Path, kind: io::ErrorKind, problem: &str) -> HistoryError {
    HistoryError::Io {
        path: path.to_owned(),
        source: io::Error::new(kind, problem),
    }
}
