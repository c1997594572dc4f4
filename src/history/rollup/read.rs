use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use rayon::prelude::*;

use super::rows::{KnownKinds, Rows};
use super::{AMOUNT, REQUIRED, part_name, part_of_path};
use crate::columnar::{exact_int96, guarded};
use crate::history::{
    Day, DayBounds, DayRecord, HistoriesBuilder, HistoryError, Placement, Stray, Users,
};
use crate::output::Folder;

/// Rows per batch: large enough to amortise the set-up of a batch, small enough to stay in the cache.
const BATCH_ROWS: usize = 8_192;
/// Rows set aside that are told one by one.
const STRAYS_SHOWN: usize = 5;
/// Pieces whose beginnings are looked at for kinds.
const KIND_PIECES: usize = 8;

/// The columns that are read.
const COLUMNS: [&str; 5] = ["user", "day", "kind", "count", AMOUNT];

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
    /// Rows of users that were not asked for.
    pub rows_of_other_users: u64,
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
            rows_of_other_users,
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
        self.rows_of_other_users += rows_of_other_users;
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
    let folder = Folder::open(path).map_err(|source| HistoryError::Io {
        path: path.to_owned(),
        source,
    })?;
    if path.is_dir() {
        find_files(path, &mut paths)?;
        paths.sort();
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
    let pieces: Vec<Piece<'_>> = files.iter().flat_map(RollupFile::pieces).collect();
    if days == DayBounds::default() && users == Users::All {
        number_kinds(&pieces, into)?;
    }
    let read = read_pieces(&pieces, Kept { days, users }, into);
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

/// Gives numbers to the kinds at the beginnings of some pieces, in order of their names: histories whose kinds are
/// numbered so need not be put in order at the end. For roll-ups of which every row is kept, and so every kind.
fn number_kinds(pieces: &[Piece<'_>], into: &mut HistoriesBuilder) -> Result<(), HistoryError> {
    let mut kinds = BTreeSet::new();
    for piece in pieces
        .iter()
        .step_by(pieces.len().div_ceil(KIND_PIECES).max(1))
    {
        // Whatever is wrong is told when the rows are read.
        let Ok(Some(Ok(batch))) = piece.batches(&["kind"]).map(|mut batches| batches.next()) else {
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
#[cfg_attr(
    not(feature = "train"),
    expect(dead_code, reason = "only the log readers have threads of their own")
)]
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
    file.pieces()
        .try_for_each(|piece| piece.read(Kept { days, users }, into, &mut read))?;
    Ok(read)
}

/// Reads pieces on all threads. Of several errors the one of the first piece is told: pieces are begun in order, so all
/// before it are read to their ends.
fn read_pieces(
    pieces: &[Piece<'_>],
    kept: Kept,
    into: &mut HistoriesBuilder,
) -> Result<RollupRead, HistoryError> {
    let next = AtomicUsize::new(0);
    let work = |mut builder: HistoriesBuilder| {
        let mut read = RollupRead::default();
        while let Some((number, piece)) = next_of(pieces, &next) {
            if let Err(error) = piece.read(kept, &mut builder, &mut read) {
                next.store(pieces.len(), Ordering::Relaxed);
                return Err((number, error));
            }
        }
        builder
            .close()
            .map_err(|error| (pieces.len(), error))
            .map(|()| read)
    };
    let builders: Vec<HistoriesBuilder> = (0..rayon::current_num_threads().min(pieces.len()))
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

fn next_of<'p, 'f>(pieces: &'p [Piece<'f>], next: &AtomicUsize) -> Option<(usize, &'p Piece<'f>)> {
    let number = next.fetch_add(1, Ordering::Relaxed);
    pieces.get(number).map(|piece| (number, piece))
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

/// Which rows are kept.
#[derive(Clone, Copy)]
struct Kept {
    days: DayBounds,
    users: Users,
}

/// A roll-up file that has the columns of one.
struct RollupFile {
    path: PathBuf,
    metadata: ArrowReaderMetadata,
}

/// A row group of a file.
struct Piece<'f> {
    file: &'f RollupFile,
    group: usize,
    rows_before: u64,
}

impl RollupFile {
    /// Opens a roll-up file with only the columns of a roll-up.
    fn open(path: PathBuf) -> Result<Self, HistoryError> {
        let parquet = |source| HistoryError::Parquet {
            path: path.clone(),
            source,
        };
        let file = File::open(&path).map_err(|source| HistoryError::Io {
            path: path.clone(),
            source,
        })?;
        let options = ArrowReaderOptions::new;
        let stored = guarded(|| ArrowReaderMetadata::load(&file, options()).and_then(exact_int96))
            .map_err(parquet)?;
        for column in REQUIRED {
            if stored.schema().index_of(column).is_err() {
                let names: Vec<&str> = stored
                    .schema()
                    .fields()
                    .iter()
                    .map(|field| field.name().as_str())
                    .collect();
                let other_case = names.iter().find(|name| name.eq_ignore_ascii_case(column));
                let hint = other_case.map_or_else(String::new, |name| {
                    format!("; rename `{name}` to `{column}`")
                });
                let problem = format!("missing; the file has {}{hint}", names.join(", "));
                return Err(HistoryError::Rollup {
                    path,
                    row: None,
                    column,
                    problem,
                });
            }
        }
        let viewed = options().with_schema(Arc::new(with_views(stored.schema())));
        let viewed = || ArrowReaderMetadata::try_new(stored.metadata().clone(), viewed);
        let metadata = guarded(viewed).map_err(parquet)?;
        Ok(Self { path, metadata })
    }

    fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        let groups = self.metadata.metadata().row_groups().iter().enumerate();
        groups.scan(0, |rows, (group, metadata)| {
            let rows_before = *rows;
            *rows += metadata.num_rows().max(0) as u64;
            Some(Piece {
                file: self,
                group,
                rows_before,
            })
        })
    }
}

/// The schema with views of texts, which are read without being copied.
fn with_views(schema: &Schema) -> Schema {
    let viewed = |field: &Field| match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => field.clone().with_data_type(DataType::Utf8View),
        _ => field.clone(),
    };
    Schema::new_with_metadata(
        schema
            .fields()
            .iter()
            .map(|field| viewed(field))
            .collect::<Vec<Field>>(),
        schema.metadata().clone(),
    )
}

/// The batches of a piece, up to an error.
struct Batches<'f> {
    path: &'f Path,
    reader: Option<ParquetRecordBatchReader>,
}

impl Iterator for Batches<'_> {
    type Item = Result<RecordBatch, HistoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        let reader = self.reader.as_mut()?;
        let batch = guarded(|| Ok::<_, ParquetError>(reader.next().transpose()?)).transpose()?;
        if batch.is_err() {
            self.reader = None;
        }
        Some(batch.map_err(|source| HistoryError::Parquet {
            path: self.path.to_owned(),
            source,
        }))
    }
}

impl Piece<'_> {
    /// The rows, with those of the named columns that there are.
    fn batches(&self, columns: &[&str]) -> Result<Batches<'_>, HistoryError> {
        let RollupFile { path, metadata } = self.file;
        let wanted = columns
            .iter()
            .filter_map(|column| metadata.schema().index_of(column).ok());
        let mask = ProjectionMask::roots(metadata.parquet_schema(), wanted);
        let file = File::open(path).map_err(|source| HistoryError::Io {
            path: path.clone(),
            source,
        })?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata.clone())
            .with_projection(mask)
            .with_row_groups(vec![self.group])
            .with_batch_size(BATCH_ROWS);
        let reader = guarded(|| builder.build()).map_err(|source| HistoryError::Parquet {
            path: path.clone(),
            source,
        })?;
        Ok(Batches {
            path,
            reader: Some(reader),
        })
    }

    /// Adds the rows that are kept.
    fn read(
        &self,
        kept: Kept,
        into: &mut HistoriesBuilder,
        read: &mut RollupRead,
    ) -> Result<(), HistoryError> {
        let path = &self.file.path;
        let mut rows_before = self.rows_before;
        let mut user_text = String::new();
        for batch in self.batches(&COLUMNS)? {
            let batch = batch?;
            let rows = Rows::new(path, &batch, rows_before)?;
            let mut kinds = KnownKinds::default();
            // Whether the row before was kept, so that the builder knows its user.
            let mut kept_before = false;
            for row in 0..batch.num_rows() {
                let record = rows.record(row)?;
                read.rows += 1;
                let kept_last = std::mem::take(&mut kept_before);
                let placement = kept.days.place(record.day);
                if let Placement::Stray(stray) = placement {
                    read.set_aside(stray, rows_before + row as u64 + 1, record.day);
                    continue;
                }
                let (first, last) = read.span.unwrap_or((record.day, record.day));
                read.span = Some((first.min(record.day), last.max(record.day)));
                if placement == Placement::AfterAsOf {
                    read.rows_after_until += 1;
                    continue;
                }
                let repeated = kept_last && rows.repeats_user(row);
                let user = if repeated {
                    ""
                } else {
                    rows.user(row, &mut user_text)?
                };
                if !repeated && !kept.users.has(user) {
                    read.rows_of_other_users += 1;
                    continue;
                }
                let kind = kinds.number(&rows, row, into)?;
                let record = DayRecord { kind, ..record };
                read.events += u64::from(record.count);
                if repeated {
                    into.add_more(record)?
                } else {
                    into.add(user, record)?
                }
                kept_before = true;
            }
            rows_before += batch.num_rows() as u64;
        }
        Ok(())
    }
}
