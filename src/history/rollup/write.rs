use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::read::io_error;
use super::{AMOUNT, part_name, part_of_name};
use crate::history::{Amount, DayRecord, Histories, HistoryError};

/// Rows handed to the Parquet writer at once.
const BATCH_ROWS: usize = 65_536;

/// The most partitions a roll-up may have: what five digits can number.
const PARTITION_LIMIT: usize = 99_999;

/// A decimal that holds every amount: 19 digits, six of them after the point.
const EXACT_AMOUNT: DataType = DataType::Decimal128(19, 6);

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RollupWritten {
    /// Files, one for each partition.
    pub files: usize,
    /// Rows, one for each user, day and kind.
    pub rows: usize,
}

/// The partition of `user` among `partitions`: the 64-bit FNV-1a hash of the id's UTF-8 bytes, modulo `partitions`.
///
/// <http://www.isthe.com/chongo/tech/comp/fnv/>. Stable for ever, so that other programs can find a user's file.
pub fn partition_of(user: &str, partitions: usize) -> usize {
    let hash = user
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    (hash % partitions.max(1) as u64) as usize
}

/// Writes the roll-up of `histories` to the folder `dir` as `partitions` files (1 to 99,999).
///
/// A user's rows are all in the file that [`partition_of`] names, sorted by user, day and kind. Amounts are doubles;
/// where a sum is so large that a double would round it (beyond two thousand million), all are decimals of six places.
/// Equal histories give equal bytes. Files get their names only once all of them are complete on the disk, and
/// replace an earlier roll-up in the folder.
///
/// # Errors
/// [`HistoryError::Io`] and [`HistoryError::Parquet`] name the file; a folder that holds anything but a roll-up is
/// refused.
pub fn write_rollup(dir: &Path, histories: &Histories, partitions: usize) -> Result<RollupWritten, HistoryError> {
    let partitions = partitions.clamp(1, PARTITION_LIMIT);
    fs::create_dir_all(dir).map_err(|source| HistoryError::Io { path: dir.to_owned(), source })?;
    let replaced = replaceable_files(dir)?;
    let mut members = vec![Vec::new(); partitions];
    for (position, (user, _)) in histories.iter().enumerate() {
        if let Some(members) = members.get_mut(partition_of(user, partitions)) {
            members.push(position);
        }
    }
    let schema = schema(histories);
    let mut finished = Vec::with_capacity(partitions);
    for (part, members) in members.iter().enumerate() {
        let name = part_name(part, partitions);
        let temporary = dir.join(format!(".{name}.tmp"));
        write_part(&temporary, histories, members, &schema)?;
        finished.push((temporary, dir.join(name)));
    }
    // From here to the last rename the folder lacks partitions, which readers notice by the names of the others.
    for path in replaced.iter().filter(|path| !finished.iter().any(|(temporary, _)| temporary == *path)) {
        fs::remove_file(path).map_err(|source| HistoryError::Io { path: path.clone(), source })?;
    }
    for (temporary, path) in finished {
        fs::rename(&temporary, &path).map_err(|source| HistoryError::Io { path, source })?;
    }
    Ok(RollupWritten { files: partitions, rows: histories.record_count() })
}

/// The files of an earlier roll-up, complete or broken off, in `dir`.
fn replaceable_files(dir: &Path) -> Result<Vec<PathBuf>, HistoryError> {
    let io = |source| HistoryError::Io { path: dir.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let unfinished = name.strip_prefix('.').and_then(|name| name.strip_suffix(".tmp"));
        if part_of_name(unfinished.unwrap_or(name)).is_none() {
            let problem = format!("holds `{name}`, which is no part of a roll-up; choose an empty folder");
            return Err(io_error(dir, io::ErrorKind::AlreadyExists, &problem));
        }
        files.push(path);
    }
    Ok(files)
}

fn schema(histories: &Histories) -> SchemaRef {
    let survives = |amount: Amount| Amount::new(amount.value()).is_ok_and(|read| read == amount);
    let all_survive = histories.iter().all(|(_, view)| view.records().iter().all(|record| survives(record.amount)));
    let amount = if all_survive { DataType::Float64 } else { EXACT_AMOUNT };
    Arc::new(Schema::new(vec![
        Field::new("user", DataType::Utf8, false),
        Field::new("day", DataType::Date32, false),
        Field::new("kind", DataType::Utf8, false),
        Field::new("count", DataType::Int64, false),
        Field::new(AMOUNT, amount, false),
    ]))
}

fn write_part(path: &Path, histories: &Histories, members: &[usize], schema: &SchemaRef) -> Result<(), HistoryError> {
    let io = |source| HistoryError::Io { path: path.to_owned(), source };
    let parquet = |source| HistoryError::Parquet { path: path.to_owned(), source };
    let level = ZstdLevel::try_new(3).map_err(parquet)?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
    let file = File::create(path).map_err(io)?;
    let mut writer = ArrowWriter::try_new(file, schema.clone(), Some(properties)).map_err(parquet)?;
    let mut rows: Vec<(&str, DayRecord)> = Vec::new();
    for (user, view) in members.iter().filter_map(|position| histories.at(*position)) {
        rows.extend(view.records().iter().map(|record| (user, *record)));
        if rows.len() >= BATCH_ROWS {
            write_rows(&mut writer, histories, &rows, schema).map_err(parquet)?;
            rows.clear();
        }
    }
    write_rows(&mut writer, histories, &rows, schema).map_err(parquet)?;
    writer.into_inner().map_err(parquet)?.sync_all().map_err(io)
}

fn write_rows(
    writer: &mut ArrowWriter<File>,
    histories: &Histories,
    rows: &[(&str, DayRecord)],
    schema: &SchemaRef,
) -> Result<(), ParquetError> {
    let kind = |number: u16| histories.kinds().get(usize::from(number)).map_or("", String::as_str);
    let decimal = schema.field_with_name(AMOUNT)?.data_type() == &EXACT_AMOUNT;
    let amount: ArrayRef = if decimal {
        let micros = rows.iter().map(|(_, record)| i128::from(record.amount.micros()));
        Arc::new(Decimal128Array::from_iter_values(micros).with_data_type(EXACT_AMOUNT))
    } else {
        Arc::new(Float64Array::from_iter_values(rows.iter().map(|(_, record)| record.amount.value())))
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|(user, _)| user))),
        Arc::new(Date32Array::from_iter_values(rows.iter().map(|(_, record)| record.day.number()))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|(_, record)| kind(record.kind)))),
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|(_, record)| i64::from(record.count)))),
        amount,
    ];
    writer.write(&RecordBatch::try_new(schema.clone(), columns)?)
}
