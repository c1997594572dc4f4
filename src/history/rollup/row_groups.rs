//! The row groups of roll-up files, each read by one thread.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;

use super::read::RollupRead;
use super::rows::{KnownKinds, Rows};
use super::{AMOUNT, REQUIRED};
use crate::columnar::{exact_int96, guarded};
use crate::history::{DayBounds, DayRecord, HistoriesBuilder, HistoryError, Users};
use crate::regular_file;

/// Rows per batch: large enough to amortise the set-up of a batch, small enough to stay in the cache.
const BATCH_ROWS: usize = 8_192;

/// The columns that are read.
const COLUMNS: [&str; 5] = ["user", "day", "kind", "count", AMOUNT];

/// Which rows are kept.
#[derive(Clone, Copy)]
pub(super) struct KeptRows {
    pub(super) days: DayBounds,
    pub(super) users: Users,
}

/// A roll-up file that has the columns of one.
pub(super) struct RollupFile {
    path: PathBuf,
    metadata: ArrowReaderMetadata,
}

/// A row group of a file.
pub(super) struct RowGroup<'f> {
    file: &'f RollupFile,
    group: usize,
    rows_before: u64,
}

impl RollupFile {
    /// Opens a roll-up file with only the columns of a roll-up.
    pub(super) fn open(path: PathBuf) -> Result<Self, HistoryError> {
        let parquet = |source| HistoryError::Parquet {
            path: path.clone(),
            source,
        };
        let file = regular_file::open(&path).map_err(|source| HistoryError::Io {
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
        // Views of texts are read without being copied.
        let viewed = options().with_schema(Arc::new(with_views(stored.schema())));
        let viewed = || ArrowReaderMetadata::try_new(stored.metadata().clone(), viewed);
        let metadata = guarded(viewed).map_err(parquet)?;
        Ok(Self { path, metadata })
    }

    pub(super) fn row_groups(&self) -> impl Iterator<Item = RowGroup<'_>> {
        let groups = self.metadata.metadata().row_groups().iter().enumerate();
        groups.scan(0, |rows, (group, metadata)| {
            let rows_before = *rows;
            *rows += metadata.num_rows().max(0) as u64;
            Some(RowGroup {
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

/// The batches of a row group, up to an error.
pub(super) struct Batches<'f> {
    path: &'f Path,
    reader: Option<ParquetRecordBatchReader>,
}

impl Iterator for Batches<'_> {
    type Item = Result<RecordBatch, HistoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        let reader = self.reader.as_mut()?;
        let batch = guarded(|| Ok::<_, ParquetError>(reader.next().transpose()?)).transpose()?;
        if batch.is_err() {
            // What follows an error is not to be trusted.
            self.reader = None;
        }
        Some(batch.map_err(|source| HistoryError::Parquet {
            path: self.path.to_owned(),
            source,
        }))
    }
}

impl RowGroup<'_> {
    /// The rows, with those of the named columns that there are.
    pub(super) fn batches(&self, columns: &[&str]) -> Result<Batches<'_>, HistoryError> {
        let RollupFile { path, metadata } = self.file;
        let wanted = columns
            .iter()
            .filter_map(|column| metadata.schema().index_of(column).ok());
        let mask = ProjectionMask::roots(metadata.parquet_schema(), wanted);
        let file = regular_file::open(path).map_err(|source| HistoryError::Io {
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
    pub(super) fn read(
        &self,
        kept: KeptRows,
        into: &mut HistoriesBuilder,
        read: &mut RollupRead,
    ) -> Result<(), HistoryError> {
        let mut rows_before = self.rows_before;
        for batch in self.batches(&COLUMNS)? {
            let batch = batch?;
            let rows = Rows::new(&self.file.path, &batch, rows_before)?;
            read_batch(&rows, batch.num_rows(), rows_before, kept, into, read)?;
            rows_before += batch.num_rows() as u64;
        }
        Ok(())
    }
}

fn read_batch(
    rows: &Rows<'_>,
    count: usize,
    rows_before: u64,
    kept: KeptRows,
    into: &mut HistoriesBuilder,
    read: &mut RollupRead,
) -> Result<(), HistoryError> {
    let (mut kinds, mut user_text) = (KnownKinds::default(), String::new());
    // Whether the row before was kept, so that the builder has its user.
    let mut kept_before = false;
    for row in 0..count {
        let record = rows.record(row)?;
        let kept_last = std::mem::take(&mut kept_before);
        let number = rows_before + row as u64 + 1;
        if !read.count(kept.days.place(record.day), number, record.day) {
            continue;
        }
        // Sorted roll-ups have all of a user's rows together: the id is looked at once.
        let repeated = kept_last && rows.repeats_user(row);
        let user = if repeated {
            ""
        } else {
            rows.user(row, &mut user_text)?
        };
        if !repeated && !kept.users.has(user) {
            read.rows_filtered_by_user += 1;
            continue;
        }
        let kind = kinds.number(rows, row, into)?;
        let record = DayRecord { kind, ..record };
        read.events += u64::from(record.count);
        if repeated {
            into.add_more(record)?
        } else {
            into.add(user, record)?
        }
        kept_before = true;
    }
    Ok(())
}
