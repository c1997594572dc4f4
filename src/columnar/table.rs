//! Parquet tables whose row groups are encoded on any thread and written in order.

use std::fs::File;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;

/// A table that is being written.
pub(crate) struct Table {
    writer: SerializedFileWriter<File>,
}

/// Turns batches into row groups of a table.
pub(crate) struct Encoder {
    factory: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
}

/// The encoded columns of a row group.
pub(crate) type RowGroup = Vec<ArrowColumnChunk>;

impl Table {
    /// A table in `file`, and what encodes its row groups.
    pub(crate) fn new(
        file: File,
        schema: &SchemaRef,
        properties: WriterProperties,
    ) -> Result<(Self, Encoder), ParquetError> {
        let parquet = ArrowSchemaConverter::new().convert(schema)?;
        let writer =
            SerializedFileWriter::new(file, parquet.root_schema_ptr(), Arc::new(properties))?;
        let factory = ArrowRowGroupWriterFactory::new(&writer, schema.clone());
        Ok((
            Self { writer },
            Encoder {
                factory,
                schema: schema.clone(),
            },
        ))
    }

    /// Writes the next row group.
    pub(crate) fn append(&mut self, columns: RowGroup) -> Result<(), ParquetError> {
        let mut group = self.writer.next_row_group()?;
        columns
            .into_iter()
            .try_for_each(|column| column.append_to_row_group(&mut group))?;
        group.close().map(|_| ())
    }

    /// Completes the file.
    pub(crate) fn close(self) -> Result<(), ParquetError> {
        self.writer.close().map(|_| ())
    }
}

impl Encoder {
    /// Encodes a row group.
    pub(crate) fn encode(&self, batch: &RecordBatch) -> Result<RowGroup, ParquetError> {
        let mut writers = self.factory.create_column_writers(0)?;
        let mut next = writers.iter_mut();
        for (field, array) in self.schema.fields().iter().zip(batch.columns()) {
            for leaf in compute_leaves(field, array)? {
                next.next().map_or(Ok(()), |writer| writer.write(&leaf))?;
            }
        }
        writers.into_iter().map(|writer| writer.close()).collect()
    }
}
