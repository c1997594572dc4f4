//! Rows of Parquet tables with one event a row.

use std::collections::HashMap;
use std::fs::File;

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;

use super::chunks::RowGroup;
use super::log_file::LogFile;
use super::parquet_fast::{FastBatch, fast_schema};
use crate::columnar::{Cell, Column, exact_int96, guarded};
use crate::events::EventsError;
use crate::events::ingest::RowSink;
use crate::events::mapping::field::{NotUtf8, Row};
use crate::events::mapping::mapper::{FieldColumns, Mapper};
use crate::events::mapping::value::value_of;
use crate::history::ROLLUP_COLUMNS;

/// Rows per batch: large enough to amortise the set-up of a batch, small enough to stay in the cache.
const BATCH_ROWS: usize = 8_192;

/// Reads a row group of a Parquet table of one event a row; the number of rows.
pub(crate) fn read(
    mapper: &mut Mapper,
    sink: &mut RowSink<'_>,
    file: &LogFile,
    group: RowGroup,
) -> Result<u64, EventsError> {
    let columns = mapper.field_columns();
    let metadata = fast_metadata(group.metadata, columns);
    let wanted = mapper.positions();
    let group = RowGroup { metadata, ..group };
    for_each_batch(file, group, &wanted, |batch, mut at, before| {
        let mut fast = columns.and_then(|columns| FastBatch::new(batch, &wanted, columns));
        for row in 0..batch.num_rows() {
            if let Some(fast) = &mut fast
                && fast.take(row, mapper, sink)?
            {
                continue;
            }
            at.row = row;
            sink.take(mapper.read(&at), || before + row as u64 + 1)?;
        }
        Ok(())
    })
}

/// Calls `take` with every row of a row group, and its number in the file; only the columns at the positions `wanted` are read.
pub(crate) fn for_each_row(
    file: &LogFile,
    group: RowGroup,
    mut wanted: Vec<usize>,
    take: &mut dyn FnMut(&dyn Row, u64),
) -> Result<(), EventsError> {
    wanted.sort_unstable();
    wanted.dedup();
    for_each_batch(file, group, &wanted, |batch, mut at, before| {
        for row in 0..batch.num_rows() {
            at.row = row;
            take(&at, before + row as u64 + 1);
        }
        Ok(())
    })?;
    Ok(())
}

/// Calls `take` with every batch of a row group, the first of its rows and how many rows of the file are before it; the number
/// of rows.
fn for_each_batch(
    file: &LogFile,
    group: RowGroup,
    wanted: &[usize],
    mut take: impl FnMut(&RecordBatch, BatchRow<'_>, u64) -> Result<(), EventsError>,
) -> Result<u64, EventsError> {
    let parquet = |source| EventsError::Parquet {
        path: file.path.clone(),
        source,
    };
    let opened = File::open(&file.path).map_err(|source| EventsError::Io {
        path: file.path.clone(),
        source,
    })?;
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(opened, group.metadata);
    let count = builder.schema().fields().len();
    let mask = ProjectionMask::roots(builder.parquet_schema(), wanted.iter().copied());
    let builder = builder
        .with_projection(mask)
        .with_row_groups(vec![group.number])
        .with_batch_size(BATCH_ROWS);
    let mut rows = group.rows_before;
    let mut batches = guarded(|| builder.build()).map_err(parquet)?;
    while let Some(batch) =
        guarded(|| Ok::<_, ParquetError>(batches.next().transpose()?)).map_err(parquet)?
    {
        let at = BatchRow {
            columns: batch_columns(file, &batch, wanted, count)?,
            row: 0,
        };
        take(&batch, at, rows)?;
        rows += batch.num_rows() as u64;
    }
    Ok(rows - group.rows_before)
}

/// The metadata with the types of the fast path, where it can be taken.
fn fast_metadata(
    metadata: ArrowReaderMetadata,
    columns: Option<FieldColumns>,
) -> ArrowReaderMetadata {
    let Some(columns) = columns else {
        return metadata;
    };
    let schema = fast_schema(columns, metadata.schema());
    let options = ArrowReaderOptions::new().with_schema(schema);
    let fast = guarded(|| ArrowReaderMetadata::try_new(metadata.metadata().clone(), options));
    // A file that cannot be read in the fastest types is read in its own.
    fast.unwrap_or(metadata)
}

/// What a file says about its columns and row groups.
pub(crate) fn metadata(file: &LogFile) -> Result<ArrowReaderMetadata, EventsError> {
    let opened = File::open(&file.path).map_err(|source| EventsError::Io {
        path: file.path.clone(),
        source,
    })?;
    guarded(|| ArrowReaderMetadata::load(&opened, ArrowReaderOptions::new()).and_then(exact_int96))
        .map_err(|source| EventsError::Parquet {
            path: file.path.clone(),
            source,
        })
}

/// Whether a Parquet file is a roll-up: it has a roll-up's columns, and not the columns that raw events have their
/// time in.
pub(crate) fn is_rollup(file: &LogFile, time_names: Option<&[&str]>) -> Result<bool, EventsError> {
    let names = names(metadata(file)?.schema());
    let has = |column: &str| names.iter().any(|name| name == column);
    let has_time = time_names.is_some_and(|times| times.iter().all(|time| has(time)));
    let in_another_case =
        |column: &&str| names.iter().any(|name| name.eq_ignore_ascii_case(column));
    if !has_time
        && !ROLLUP_COLUMNS.iter().all(|column| has(column))
        && ROLLUP_COLUMNS.iter().all(in_another_case)
    {
        return Err(EventsError::RollupCase {
            path: file.path.clone(),
            columns: names,
        });
    }
    Ok(!has_time && ROLLUP_COLUMNS.iter().all(|column| has(column)))
}

/// The names of the columns.
pub(crate) fn names(schema: &Schema) -> Vec<String> {
    schema
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect()
}

/// The columns of a batch by their positions in the file; those not in use are absent.
fn batch_columns<'b>(
    file: &LogFile,
    batch: &'b RecordBatch,
    wanted: &[usize],
    count: usize,
) -> Result<Vec<Option<Column<'b>>>, EventsError> {
    let mut columns: Vec<Option<Column<'b>>> = Vec::new();
    columns.resize_with(count, || None);
    for ((array, field), position) in batch
        .columns()
        .iter()
        .zip(batch.schema_ref().fields())
        .zip(wanted)
    {
        let column = Column::new(array.as_ref()).ok_or_else(|| EventsError::ColumnType {
            path: file.path.clone(),
            column: field.name().clone(),
            found: array.data_type().to_string(),
            expected: "text, a number, a date, a time, a boolean or a structure of these",
        })?;
        columns[*position] = Some(column);
    }
    Ok(columns)
}

struct BatchRow<'b> {
    columns: Vec<Option<Column<'b>>>,
    row: usize,
}

impl Row for BatchRow<'_> {
    fn cell(&self, column: usize) -> Result<Cell<'_>, NotUtf8> {
        Ok(self
            .columns
            .get(column)
            .and_then(Option::as_ref)
            .map_or(Cell::Null, |column| column.cell(self.row)))
    }

    fn nested(&self, column: usize) -> cel::Value {
        self.columns
            .get(column)
            .and_then(Option::as_ref)
            .map_or(cel::Value::Null, |column| structure(column, self.row))
    }
}

/// A structure as a map from its members' names.
fn structure(column: &Column<'_>, row: usize) -> cel::Value {
    let Some(members) = column.members(row) else {
        return cel::Value::Null;
    };
    let value = |member: &Column<'_>| value_of(member.cell(row), || structure(member, row));
    let members: HashMap<String, cel::Value> = members
        .iter()
        .map(|(name, member)| ((*name).to_owned(), value(member)))
        .collect();
    members.into()
}
