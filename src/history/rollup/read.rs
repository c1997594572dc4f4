use std::fmt::Write;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::{AMOUNT, Cell, Column, REQUIRED, part_name, part_of_path};
use crate::history::{AMOUNT_LIMIT, Amount, Day, DayRecord, HistoriesBuilder, HistoryError, Users};

/// Rows per batch: large enough to amortise the set-up of a batch, small enough to stay in the cache.
const BATCH_ROWS: usize = 8_192;

/// What was read from a roll-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RollupRead {
    /// Files read.
    pub files: u64,
    /// Rows read, kept or not.
    pub rows: u64,
    /// Rows on or after the as-of day, which were not kept.
    pub rows_after_until: u64,
    /// Rows of users that were not asked for.
    pub rows_of_other_users: u64,
    /// Events behind the rows that were kept: the sum of their counts.
    pub events: u64,
    /// The first and last day of all rows, kept or not.
    pub span: Option<(Day, Day)>,
}

/// Adds the rows of some users in a roll-up before the day `until` to `into`.
///
/// `path` is a Parquet file, or a folder of them at any depth; names that start with `_` or `.` are passed over, as
/// Spark and Hive do. Files are read in order of their paths, though no order changes the result.
///
/// # Errors
/// [`HistoryError::Rollup`] names the file, row and column of a missing column or a value that is not allowed;
/// [`HistoryError::Io`] and [`HistoryError::Parquet`] name the file. A folder that lacks some of the partitions that
/// its own file names announce is refused, since users would be missing.
pub fn read_rollup(
    path: &Path,
    until: Option<Day>,
    users: Users,
    into: &mut HistoriesBuilder,
) -> Result<RollupRead, HistoryError> {
    let mut paths = Vec::new();
    if path.is_dir() {
        find_files(path, &mut paths)?;
        paths.sort();
        check_complete(&paths)?;
        if paths.is_empty() {
            return Err(io_error(path, io::ErrorKind::NotFound, "there is no *.parquet file in this folder"));
        }
    } else {
        paths.push(path.to_owned());
    }
    let mut read = RollupRead::default();
    for path in &paths {
        read_file(path, until, users, into, &mut read)?;
    }
    Ok(read)
}

fn find_files(folder: &Path, into: &mut Vec<PathBuf>) -> Result<(), HistoryError> {
    let io = |source| HistoryError::Io { path: folder.to_owned(), source };
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path
            .file_name()
            .is_none_or(|name| name.as_encoded_bytes().starts_with(b"_") || name.as_encoded_bytes().starts_with(b"."))
        {
            continue;
        }
        if path.is_dir() {
            find_files(&path, into)?;
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
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
        let Some((_, of)) = parts.first() else { continue };
        let Some(parent) = folder.first().and_then(|path| path.parent()) else { continue };
        if parts.iter().any(|part| part.1 != *of) {
            let problem = "the folder mixes the partitions of two roll-ups; write it again";
            return Err(io_error(parent, io::ErrorKind::InvalidData, problem));
        }
        if let Some(missing) = (0..*of).find(|part| !parts.contains(&(*part, *of))) {
            let problem = format!("{} is missing, so the roll-up is not complete", part_name(missing, *of));
            return Err(io_error(parent, io::ErrorKind::NotFound, &problem));
        }
    }
    Ok(())
}

pub(super) fn io_error(path: &Path, kind: io::ErrorKind, problem: &str) -> HistoryError {
    HistoryError::Io { path: path.to_owned(), source: io::Error::new(kind, problem) }
}

fn read_file(
    path: &Path,
    until: Option<Day>,
    users: Users,
    into: &mut HistoriesBuilder,
    read: &mut RollupRead,
) -> Result<(), HistoryError> {
    read.files += 1;
    let mut rows_before = 0;
    let mut user_text = String::new();
    for batch in open(path)? {
        let batch = batch.map_err(|source| HistoryError::Parquet { path: path.to_owned(), source: source.into() })?;
        let rows = Rows::new(path, &batch, rows_before)?;
        for row in 0..batch.num_rows() {
            let record = rows.record(row)?;
            read.rows += 1;
            let (first, last) = read.span.unwrap_or((record.day, record.day));
            read.span = Some((first.min(record.day), last.max(record.day)));
            if until.is_some_and(|until| record.day >= until) {
                read.rows_after_until += 1;
                continue;
            }
            let user = rows.user(row, &mut user_text)?;
            if !users.has(user) {
                read.rows_of_other_users += 1;
                continue;
            }
            let kind = into.kind(rows.kind(row)?)?;
            read.events += u64::from(record.count);
            into.add(user, DayRecord { kind, ..record })?;
        }
        rows_before += batch.num_rows() as u64;
    }
    Ok(())
}

/// Opens a roll-up file with only the columns of a roll-up.
fn open(path: &Path) -> Result<ParquetRecordBatchReader, HistoryError> {
    let parquet = |source| HistoryError::Parquet { path: path.to_owned(), source };
    let file = File::open(path).map_err(|source| HistoryError::Io { path: path.to_owned(), source })?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(parquet)?;
    for column in REQUIRED {
        if builder.schema().index_of(column).is_err() {
            let names: Vec<&str> = builder.schema().fields().iter().map(|field| field.name().as_str()).collect();
            let problem = format!("missing; the file has {}", names.join(", "));
            return Err(HistoryError::Rollup { path: path.to_owned(), row: None, column, problem });
        }
    }
    let wanted = REQUIRED.into_iter().chain([AMOUNT]).filter_map(|column| builder.schema().index_of(column).ok());
    let mask = ProjectionMask::roots(builder.parquet_schema(), wanted);
    builder.with_projection(mask).with_batch_size(BATCH_ROWS).build().map_err(parquet)
}

/// The columns of one batch.
struct Rows<'a> {
    path: &'a Path,
    /// Rows of the file before this batch.
    rows_before: u64,
    user: Column<'a>,
    day: Column<'a>,
    kind: Column<'a>,
    count: Column<'a>,
    amount: Option<Column<'a>>,
}

impl<'a> Rows<'a> {
    fn new(path: &'a Path, batch: &'a RecordBatch, rows_before: u64) -> Result<Self, HistoryError> {
        let find = |column: &'static str| -> Result<Option<Column<'a>>, HistoryError> {
            let Some(array) = batch.column_by_name(column) else { return Ok(None) };
            let column_of = Column::new(array.as_ref());
            column_of.map(Some).ok_or_else(|| HistoryError::Rollup {
                path: path.to_owned(),
                row: None,
                column,
                problem: format!("has the type {}, which a roll-up cannot hold", array.data_type()),
            })
        };
        let missing =
            |column| HistoryError::Rollup { path: path.to_owned(), row: None, column, problem: "missing".to_owned() };
        let required = |column| find(column)?.ok_or_else(|| missing(column));
        Ok(Self {
            path,
            rows_before,
            user: required("user")?,
            day: required("day")?,
            kind: required("kind")?,
            count: required("count")?,
            amount: find(AMOUNT)?,
        })
    }

    fn refuse(&self, row: usize, column: &'static str, found: Cell<'_>, expected: &str) -> HistoryError {
        let found = match found {
            Cell::Text(text) => format!("`{}`", text.chars().take(80).collect::<String>()),
            Cell::Int(value) => value.to_string(),
            Cell::Uint(value) => value.to_string(),
            Cell::Null => "null".to_owned(),
            other => other.number().map_or_else(|| "this value".to_owned(), |value| value.to_string()),
        };
        HistoryError::Rollup {
            path: self.path.to_owned(),
            row: Some(self.rows_before + row as u64 + 1),
            column,
            problem: format!("{found} is not {expected}"),
        }
    }

    /// All of a row but its user and kind, whose numbers are only given to rows that are kept.
    fn record(&self, row: usize) -> Result<DayRecord, HistoryError> {
        let cell = self.day.cell(row);
        let day = day(cell).ok_or_else(|| self.refuse(row, "day", cell, "a day: a date, or a time at midnight UTC"))?;
        let cell = self.count.cell(row);
        let count = match cell {
            Cell::Int(count) => u32::try_from(count).ok().filter(|count| *count > 0),
            Cell::Decimal { unscaled, scale: 0 } => u32::try_from(unscaled).ok().filter(|count| *count > 0),
            _ => None,
        };
        let count = count.ok_or_else(|| self.refuse(row, "count", cell, "a whole number from 1 to 4294967295"))?;
        let cell = self.amount.as_ref().map_or(Cell::Null, |amount| amount.cell(row));
        let amount = amount(cell)
            .ok_or_else(|| self.refuse(row, AMOUNT, cell, &format!("a finite number of at most {AMOUNT_LIMIT:e}")))?;
        Ok(DayRecord { amount, day, count, kind: 0 })
    }

    fn user<'s>(&'s self, row: usize, text: &'s mut String) -> Result<&'s str, HistoryError> {
        let cell = self.user.cell(row);
        text.clear();
        // Writing to a string cannot fail.
        let _ = match cell {
            Cell::Text(user) if !user.is_empty() => return Ok(user),
            Cell::Int(user) => write!(text, "{user}"),
            Cell::Uint(user) => write!(text, "{user}"),
            Cell::Decimal { unscaled, scale: 0 } => write!(text, "{unscaled}"),
            _ => return Err(self.refuse(row, "user", cell, "a user id: text that is not empty, or a whole number")),
        };
        Ok(text)
    }

    fn kind(&self, row: usize) -> Result<&str, HistoryError> {
        match self.kind.cell(row) {
            Cell::Text(kind) if !kind.is_empty() => Ok(kind),
            cell => Err(self.refuse(row, "kind", cell, "a kind of event: text that is not empty")),
        }
    }
}

fn day(cell: Cell<'_>) -> Option<Day> {
    match cell {
        Cell::Day(number) => Day::new(number),
        Cell::Text(text) => text.parse().ok(),
        Cell::Time { ticks, per_s, .. } => {
            let per_day = per_s * 86_400;
            (ticks % per_day == 0).then(|| i32::try_from(ticks / per_day).ok().and_then(Day::new))?
        }
        _ => None,
    }
}

/// The amount in a cell; decimals of up to six places are held exactly, also where a double could not.
fn amount(cell: Cell<'_>) -> Option<Amount> {
    match cell {
        Cell::Null => Some(Amount::default()),
        Cell::Decimal { unscaled, scale: scale @ 0..=6 } => {
            let micros = unscaled.checked_mul(10_i128.pow(6 - scale as u32))?;
            i64::try_from(micros).ok().map(Amount)
        }
        other => Amount::new(other.number()?).ok(),
    }
}
