use std::collections::HashMap;
use std::fs::File;

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::EventsError;
use super::files::LogFile;
use super::reading::Reading;
use super::source::{Columns, NotUtf8, Row};
use super::value::value_of;
use crate::history::{Cell, Column, ROLLUP_COLUMNS};

/// Rows per batch: large enough to amortise the set-up of a batch, small enough to stay in the cache.
const BATCH_ROWS: usize = 8_192;

/// Reads a Parquet table of one event a row; the number of rows.
pub(super) fn read(reading: &mut Reading<'_, '_>) -> Result<u64, EventsError> {
    let file = reading.file;
    let position = reading.meter.start_file();
    let builder = open(file)?;
    let names = names(builder.schema());
    reading.mapper.bind(&Columns { path: &file.path, names: &names })?;
    let wanted = reading.mapper.positions();
    let total_rows = builder.metadata().file_metadata().num_rows().max(1) as u64;
    let mask = ProjectionMask::roots(builder.parquet_schema(), wanted.iter().copied());
    let parquet = |source| EventsError::Parquet { path: file.path.clone(), source };
    let batches = builder.with_projection(mask).with_batch_size(BATCH_ROWS).build().map_err(parquet)?;
    let mut rows = 0;
    for batch in batches {
        let batch = batch.map_err(|source| parquet(source.into()))?;
        let row_of_batch = BatchRow { columns: columns(file, &batch, &wanted, names.len())?, row: 0 };
        rows = read_batch(reading, row_of_batch, batch.num_rows(), rows)?;
        // The reader jumps about in the file, so the rows tell how far it is.
        position.set((u128::from(file.bytes) * u128::from(rows) / u128::from(total_rows)) as u64);
    }
    Ok(rows)
}

fn read_batch(
    reading: &mut Reading<'_, '_>,
    mut at: BatchRow<'_>,
    count: usize,
    rows_before: u64,
) -> Result<u64, EventsError> {
    for row in 0..count {
        at.row = row;
        reading.meter.tick();
        reading.row(&at, || rows_before + row as u64 + 1)?;
    }
    Ok(rows_before + count as u64)
}

/// Whether a Parquet file is a roll-up: it has a roll-up's columns, and not the columns that raw events have their
/// time in.
pub(super) fn is_rollup(file: &LogFile, time_names: Option<&[&str]>) -> Result<bool, EventsError> {
    let names = names(open(file)?.schema());
    let has = |column: &str| names.iter().any(|name| name == column);
    let has_time = time_names.is_some_and(|times| times.iter().all(|time| has(time)));
    Ok(!has_time && ROLLUP_COLUMNS.iter().all(|column| has(column)))
}

fn open(file: &LogFile) -> Result<ParquetRecordBatchReaderBuilder<File>, EventsError> {
    let opened = File::open(&file.path).map_err(|source| EventsError::Io { path: file.path.clone(), source })?;
    ParquetRecordBatchReaderBuilder::try_new(opened)
        .map_err(|source| EventsError::Parquet { path: file.path.clone(), source })
}

fn names(schema: &Schema) -> Vec<String> {
    schema.fields().iter().map(|field| field.name().clone()).collect()
}

/// The columns of a batch by their positions in the file; those not in use are absent.
fn columns<'b>(
    file: &LogFile,
    batch: &'b RecordBatch,
    wanted: &[usize],
    count: usize,
) -> Result<Vec<Option<Column<'b>>>, EventsError> {
    let mut columns: Vec<Option<Column<'b>>> = Vec::new();
    columns.resize_with(count, || None);
    for ((array, field), position) in batch.columns().iter().zip(batch.schema_ref().fields()).zip(wanted) {
        let column = Column::new(array.as_ref()).ok_or_else(|| EventsError::ColumnType {
            path: file.path.clone(),
            column: field.name().clone(),
            found: array.data_type().to_string(),
            expected: "text, a number, a date, a time, a truth value or a structure of these",
        })?;
        if let Some(slot) = columns.get_mut(*position) {
            *slot = Some(column);
        }
    }
    Ok(columns)
}

struct BatchRow<'b> {
    columns: Vec<Option<Column<'b>>>,
    row: usize,
}

impl Row for BatchRow<'_> {
    fn cell(&self, column: usize) -> Result<Cell<'_>, NotUtf8> {
        Ok(self.columns.get(column).and_then(Option::as_ref).map_or(Cell::Null, |column| column.cell(self.row)))
    }

    fn nested(&self, column: usize) -> cel::Value {
        self.columns.get(column).and_then(Option::as_ref).map_or(cel::Value::Null, |column| structure(column, self.row))
    }
}

/// A structure as a map from its members' names.
fn structure(column: &Column<'_>, row: usize) -> cel::Value {
    let Some(members) = column.members(row) else { return cel::Value::Null };
    let value = |member: &Column<'_>| value_of(member.cell(row), || structure(member, row));
    let members: HashMap<String, cel::Value> =
        members.iter().map(|(name, member)| ((*name).to_owned(), value(member))).collect();
    members.into()
}
