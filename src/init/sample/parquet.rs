//! Rows of Parquet files, whose structures are columns with dotted names.

use std::fs::File;

use parquet::arrow::arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection, RowSelector};

use super::{Sample, SampleColumn, Value};
use crate::columnar::{Cell, Column, guarded};
use crate::events::EventsError;
use crate::events::config::Mapping;
use crate::events::input::log_file::LogFile;
use crate::events::input::parquet::metadata;
use crate::phases::Phase;

/// Rows that are read one after the other.
const RUN_ROWS: usize = 250;

/// Rows of a Parquet file, in runs spread over it.
pub(crate) fn read(
    file: &LogFile,
    most_rows: usize,
    phase: &Phase<'_>,
) -> Result<Sample, EventsError> {
    let fail = |source| EventsError::Parquet {
        path: file.path.clone(),
        source,
    };
    let opened = File::open(&file.path).map_err(|source| EventsError::Io {
        path: file.path.clone(),
        source,
    })?;
    let metadata = metadata(file)?;
    let rows = metadata.metadata().file_metadata().num_rows().max(0) as usize;
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(opened, metadata)
        .with_batch_size(RUN_ROWS)
        .with_row_selection(spread(rows, most_rows));
    let mut batches = guarded(|| builder.build()).map_err(fail)?;
    let mut sample = Sample::default();
    while let Some(batch) =
        guarded(|| Ok::<_, parquet::errors::ParquetError>(batches.next().transpose()?))
            .map_err(fail)?
    {
        let mut columns = Vec::new();
        for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            // Types that no mapping can read are left out.
            if let Some(column) = Column::new(array.as_ref()) {
                flatten(
                    field.name(),
                    None,
                    &column,
                    0..batch.num_rows(),
                    &mut columns,
                );
            }
        }
        sample.append(Sample {
            columns,
            rows: batch.num_rows(),
            malformed: 0,
        });
    }
    phase.advance(file.bytes);
    Ok(sample)
}

/// The values of a column, or of each member of a structure, with its name and the expression that reads it.
fn flatten(
    name: &str,
    path: Option<String>,
    column: &Column<'_>,
    rows: std::ops::Range<usize>,
    into: &mut Vec<SampleColumn>,
) {
    let members = rows.clone().find_map(|row| column.members(row));
    let Some(members) = members else {
        into.push(SampleColumn {
            name: name.to_owned(),
            mapping: path.map_or_else(|| Mapping::Column(name.to_owned()), Mapping::Expression),
            values: rows.map(|row| Value::of(column.cell(row))).collect(),
        });
        return;
    };
    let is_filled: Vec<bool> = rows
        .clone()
        .map(|row| column.cell(row) == Cell::Nested)
        .collect();
    for (member, inside) in members {
        let below = into.len();
        let path = path.clone().unwrap_or_else(|| name.to_owned());
        flatten(
            &format!("{name}.{member}"),
            Some(format!("{path}.{member}")),
            inside,
            rows.clone(),
            into,
        );
        for member in into.iter_mut().skip(below) {
            for (value, filled) in member.values.iter_mut().zip(&is_filled) {
                if !filled {
                    *value = Value::empty();
                }
            }
        }
    }
}

/// Runs of rows at even distances, so many rows together.
fn spread(rows: usize, most_rows: usize) -> RowSelection {
    if rows <= most_rows {
        return RowSelection::from(vec![RowSelector::select(rows)]);
    }
    let runs = (most_rows / RUN_ROWS).max(1);
    let mut selectors = Vec::with_capacity(2 * runs);
    let mut at = 0;
    for run in 0..runs {
        let start = (rows - RUN_ROWS) * run / runs.saturating_sub(1).max(1);
        selectors.push(RowSelector::skip(start.saturating_sub(at)));
        selectors.push(RowSelector::select(RUN_ROWS));
        at = start.max(at) + RUN_ROWS;
    }
    RowSelection::from(selectors)
}
