//! Writing histories as a roll-up.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{
    ArrayRef, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use rayon::prelude::*;

use super::index::INDEX_FILE;
use super::index::write::write_index;
use super::{AMOUNT, part_name, part_of_name};
use crate::history::store::sampling::partition_of;
use crate::history::{Amount, Block, DayRecord, Histories, HistoryError};
use crate::output::{Destination, Staged};
use crate::phases::{Phases, Unit};

/// Rows that are gathered before all files are written to at once.
const WAITING_ROWS: usize = 262_144;
/// Encoded bytes that all files together hold before they are written.
const HELD_BYTES: usize = 256 << 20;

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
    /// Whether there is an index of the users beside the files, which a server opens instead of reading them.
    pub indexed: bool,
}

/// Writes the roll-up of `histories` to the folder `dir` as `partitions` files (1 to 99,999).
///
/// A user's rows are all in the file that [`partition_of`] names, sorted by user, day and kind. Amounts are doubles;
/// where a sum is so large that a double would round it (beyond two thousand million), all are decimals of six places.
/// Equal histories give equal bytes. Beside the files there is an index of the users ([`RollupIndex`](super::RollupIndex)),
/// unless rows lie on days that the roll-up does not cover. The folder takes the place of an earlier roll-up in one step, once all files are
/// complete on the disk.
///
/// # Errors
/// [`HistoryError::Io`] and [`HistoryError::Parquet`] name the file; a folder that holds anything but a roll-up is
/// refused.
pub fn write_rollup(
    dir: &Path,
    histories: &Histories,
    partitions: usize,
) -> Result<RollupWritten, HistoryError> {
    write_rollup_observed(dir, histories, partitions, Phases::UNOBSERVED)
}

/// [`write_rollup`] in phases that are observed.
///
/// # Errors
/// As [`write_rollup`].
pub fn write_rollup_observed(
    dir: &Path,
    histories: &Histories,
    partitions: usize,
    phases: Phases<'_>,
) -> Result<RollupWritten, HistoryError> {
    let partitions = partitions.clamp(1, PARTITION_LIMIT);
    let staged = Staged::new(rollup_destination(dir)?)?;
    let schema = schema(histories)?;
    let part = |number| Part::create(&staged, &part_name(number, partitions), &schema, partitions);
    let mut parts: Vec<Part> = (0..partitions).map(part).collect::<Result<_, _>>()?;
    let mut waiting = 0;
    let writing = phases.begin("writing the roll-up", histories.len() as u64, Unit::Users);
    histories.stream_blocks(
        |block| {
            writing.advance(block.len() as u64);
            batches(histories, block, &schema, partitions)
        },
        |batches| {
            for (part, batch) in batches.map_err(|source| HistoryError::Parquet {
                path: dir.to_owned(),
                source,
            })? {
                waiting += batch.num_rows();
                parts[part].waiting.push(batch);
            }
            if waiting < WAITING_ROWS {
                return Ok(());
            }
            waiting = 0;
            parts.par_iter_mut().try_for_each(Part::write)
        },
    )?;
    parts.into_par_iter().try_for_each(Part::close)?;
    let names: Vec<String> = (0..partitions)
        .map(|number| part_name(number, partitions))
        .collect();
    let indexed = write_index(&staged, histories, &names, phases)?;
    staged.commit()?;
    Ok(RollupWritten {
        files: partitions,
        rows: histories.record_count(),
        indexed,
    })
}

/// Where a roll-up can be written: a new folder, an empty one, or a roll-up with nothing else in it.
///
/// # Errors
/// [`HistoryError::Output`] names the folder and what is in the way.
pub fn rollup_destination(dir: &Path) -> Result<Destination, HistoryError> {
    Ok(Destination::folder(dir, is_rollup_file)?)
}

/// Whether a name is that of a part, of the index, or of a part that an earlier version of this program broke off.
fn is_rollup_file(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else {
        return false;
    };
    if name == INDEX_FILE {
        return true;
    }
    let unfinished = name
        .strip_prefix('.')
        .and_then(|name| name.strip_suffix(".tmp"));
    part_of_name(unfinished.unwrap_or(name)).is_some()
}

fn schema(histories: &Histories) -> Result<SchemaRef, HistoryError> {
    let survives = |record: &DayRecord| {
        Amount::new(record.amount.value()).is_ok_and(|read| read == record.amount)
    };
    let all = |block: &Block| {
        block
            .iter()
            .all(|(_, _, view)| view.records().iter().all(survives))
    };
    let all_survive = histories
        .map_blocks(all)?
        .into_iter()
        .all(|survive| survive);
    let amount = if all_survive {
        DataType::Float64
    } else {
        EXACT_AMOUNT
    };
    Ok(Arc::new(Schema::new(vec![
        Field::new("user", DataType::Utf8, false),
        Field::new("day", DataType::Date32, false),
        Field::new("kind", DataType::Utf8, false),
        Field::new("count", DataType::Int64, false),
        Field::new(AMOUNT, amount, false),
    ])))
}

/// One file that is being written.
struct Part {
    writer: ArrowWriter<File>,
    /// As it will be called.
    path: PathBuf,
    waiting: Vec<RecordBatch>,
    /// Encoded bytes that are held before they become a row group.
    held_bytes: usize,
}

impl Part {
    fn create(
        staged: &Staged,
        name: &str,
        schema: &SchemaRef,
        partitions: usize,
    ) -> Result<Self, HistoryError> {
        let path = staged.destination().given().join(name);
        let parquet = |source| HistoryError::Parquet {
            path: path.clone(),
            source,
        };
        let level = ZstdLevel::try_new(1).map_err(parquet)?;
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level));
        // Sorted days are small as differences, and hardly any two sums of amounts are the same.
        let properties = properties
            .set_column_dictionary_enabled("day".into(), false)
            .set_column_encoding("day".into(), Encoding::DELTA_BINARY_PACKED)
            .set_column_dictionary_enabled(AMOUNT.into(), false)
            .build();
        let writer = ArrowWriter::try_new(staged.create(name)?, schema.clone(), Some(properties))
            .map_err(parquet)?;
        Ok(Self {
            writer,
            path,
            waiting: Vec::new(),
            held_bytes: (HELD_BYTES / partitions).max(1 << 20),
        })
    }

    fn write(&mut self) -> Result<(), HistoryError> {
        let parquet = |source| HistoryError::Parquet {
            path: self.path.clone(),
            source,
        };
        for batch in self.waiting.drain(..) {
            self.writer.write(&batch).map_err(parquet)?;
            if self.writer.in_progress_size() > self.held_bytes {
                self.writer.flush().map_err(parquet)?;
            }
        }
        Ok(())
    }

    /// Completes the file on the disk.
    fn close(mut self) -> Result<(), HistoryError> {
        self.write()?;
        let Self { writer, path, .. } = self;
        let file = writer
            .into_inner()
            .map_err(|source| HistoryError::Parquet {
                path: path.clone(),
                source,
            })?;
        file.sync_all()
            .map_err(|source| HistoryError::Io { path, source })
    }
}

/// The rows of a block of users, by partition.
fn batches(
    histories: &Histories,
    block: &Block,
    schema: &SchemaRef,
    partitions: usize,
) -> Result<Vec<(usize, RecordBatch)>, ParquetError> {
    let mut rows: BTreeMap<usize, Vec<(&str, DayRecord)>> = BTreeMap::new();
    for (_, user, view) in block.iter() {
        let rows = rows.entry(partition_of(user, partitions)).or_default();
        rows.extend(view.records().iter().map(|record| (user, *record)));
    }
    rows.into_iter()
        .map(|(part, rows)| Ok((part, batch(histories, &rows, schema)?)))
        .collect()
}

fn batch(
    histories: &Histories,
    rows: &[(&str, DayRecord)],
    schema: &SchemaRef,
) -> Result<RecordBatch, ParquetError> {
    let kind = |number: u16| {
        histories
            .kinds()
            .get(usize::from(number))
            .map_or("", String::as_str)
    };
    let decimal = schema.field_with_name(AMOUNT)?.data_type() == &EXACT_AMOUNT;
    let amount: ArrayRef = if decimal {
        let micros = rows
            .iter()
            .map(|(_, record)| i128::from(record.amount.micros()));
        Arc::new(Decimal128Array::from_iter_values(micros).with_data_type(EXACT_AMOUNT))
    } else {
        Arc::new(Float64Array::from_iter_values(
            rows.iter().map(|(_, record)| record.amount.value()),
        ))
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(
            rows.iter().map(|(user, _)| user),
        )),
        Arc::new(Date32Array::from_iter_values(
            rows.iter().map(|(_, record)| record.day.number()),
        )),
        Arc::new(StringArray::from_iter_values(
            rows.iter().map(|(_, record)| kind(record.kind)),
        )),
        Arc::new(Int64Array::from_iter_values(
            rows.iter().map(|(_, record)| i64::from(record.count)),
        )),
        amount,
    ];
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}
