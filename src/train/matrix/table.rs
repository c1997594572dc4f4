//! Reads a Parquet table of features with a label.

use std::fs::File;
use std::path::Path;

use arrow_array::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

use super::MatrixError;
use crate::columnar::{Cell, Column, guarded};

/// Features and labels, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct MatrixTable {
    /// The names of the features.
    pub names: Vec<String>,
    /// One value for each feature, row after row; NaN where it is unknown.
    pub values: Vec<f64>,
    /// The label of each row.
    pub labels: Vec<bool>,
}

impl MatrixTable {
    pub(crate) fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.names.len().max(1))
    }

    /// The values of the feature at a position.
    pub(crate) fn column(&self, position: usize) -> impl Iterator<Item = f64> {
        let every = self.values.iter().skip(position);
        every.step_by(self.names.len().max(1)).copied()
    }
}

/// Reads a Parquet file whose column `label` is 0 or 1 and all others are features.
///
/// # Errors
/// [`MatrixError`] names the file, and the row and column at fault.
pub fn read_matrix(path: &Path, label: &str) -> Result<MatrixTable, MatrixError> {
    let parquet = |source| MatrixError::Parquet {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(|source| MatrixError::Io {
        path: path.to_owned(),
        source,
    })?;
    let builder = guarded(|| ParquetRecordBatchReaderBuilder::try_new(file)).map_err(parquet)?;
    let fields = builder.schema().fields();
    let mut names: Vec<String> = fields.iter().map(|field| field.name().clone()).collect();
    let repeated = (1..names.len()).find(|position| names[..*position].contains(&names[*position]));
    if let Some(position) = repeated {
        return Err(MatrixError::SameName {
            path: path.to_owned(),
            column: names.swap_remove(position),
        });
    }
    let Some(label_position) = names.iter().position(|name| name == label) else {
        return Err(MatrixError::NoLabel {
            path: path.to_owned(),
            label: label.to_owned(),
            columns: names,
        });
    };
    names.remove(label_position);
    let mut batches = guarded(|| builder.build()).map_err(parquet)?;
    let mut table = MatrixTable {
        names,
        values: Vec::new(),
        labels: Vec::new(),
    };
    while let Some(batch) =
        guarded(|| Ok::<_, ParquetError>(batches.next().transpose()?)).map_err(parquet)?
    {
        append(&mut table, &batch, label_position, path)?;
    }
    Ok(table)
}

/// Appends the rows of a batch.
fn append(
    table: &mut MatrixTable,
    batch: &RecordBatch,
    label_position: usize,
    path: &Path,
) -> Result<(), MatrixError> {
    let schema = batch.schema_ref();
    let type_error = |position: usize| MatrixError::Type {
        path: path.to_owned(),
        column: schema.field(position).name().clone(),
        found: schema.field(position).data_type().to_string(),
    };
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (position, array) in batch.columns().iter().enumerate() {
        columns.push(Column::new(array.as_ref()).ok_or_else(|| type_error(position))?);
    }
    for row in 0..batch.num_rows() {
        let number = table.labels.len() as u64 + 1;
        for (position, column) in columns.iter().enumerate() {
            let cell = column.cell(row);
            let name = schema.field(position).name();
            if position == label_position {
                let label = label_of(cell).ok_or_else(|| MatrixError::Label {
                    path: path.to_owned(),
                    row: number,
                    column: name.clone(),
                    value: cell.to_string(),
                })?;
                table.labels.push(label);
                continue;
            }
            let value = number_of(cell).ok_or_else(|| type_error(position))?;
            if value.is_infinite() {
                return Err(MatrixError::Value {
                    path: path.to_owned(),
                    row: number,
                    column: name.clone(),
                    value: cell.to_string(),
                });
            }
            table.values.push(value);
        }
    }
    Ok(())
}

/// The label that a cell holds; `None` where it is neither 0 nor 1.
fn label_of(cell: Cell<'_>) -> Option<bool> {
    match cell {
        Cell::Bool(label) => Some(label),
        other => match other.number()? {
            0.0 => Some(false),
            1.0 => Some(true),
            _ => None,
        },
    }
}

/// The number that a cell holds, NaN for none; `None` where it is of another type.
fn number_of(cell: Cell<'_>) -> Option<f64> {
    match cell {
        Cell::Null => Some(f64::NAN),
        Cell::Bool(value) => Some(f64::from(u8::from(value))),
        other => other.number(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int32Array, StringArray};
    use parquet::arrow::ArrowWriter;

    use super::*;

    fn read(columns: &[(&str, ArrayRef)]) -> Result<MatrixTable, MatrixError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("features.parquet");
        let batch = RecordBatch::try_from_iter(columns.iter().cloned()).unwrap();
        let mut writer =
            ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        read_matrix(&path, "y")
    }

    #[test]
    fn numbers_and_booleans_are_features_and_null_is_unknown() {
        let table = read(&[
            ("a", Arc::new(Float64Array::from(vec![Some(1.5), None]))),
            ("y", Arc::new(Int32Array::from(vec![1, 0]))),
            ("b", Arc::new(BooleanArray::from(vec![true, false]))),
        ])
        .unwrap();
        assert_eq!(table.names, ["a", "b"]);
        assert_eq!(table.labels, [true, false]);
        assert_eq!(table.values[..2], [1.5, 1.0]);
        assert!(table.values[2].is_nan() && table.values[3] == 0.0);
    }

    #[test]
    fn what_is_no_feature_or_label_is_named() {
        let a: ArrayRef = Arc::new(Float64Array::from(vec![1.0, f64::INFINITY]));
        let text: ArrayRef = Arc::new(StringArray::from(vec!["x", "y"]));
        let y: ArrayRef = Arc::new(Int32Array::from(vec![1, 0]));
        for (columns, expected) in [
            (vec![("a", a.clone())], "no column `y`"),
            (
                vec![("a", a.clone()), ("y", y.clone())],
                "row 2, column `a`: `inf`",
            ),
            (
                vec![("y", y.clone()), ("a", a), ("y", y.clone())],
                "two columns are named `y`",
            ),
            (vec![("t", text), ("y", y)], "column `t` has the type Utf8"),
            (
                vec![("y", Arc::new(Int32Array::from(vec![0, 2])) as ArrayRef)],
                "row 2, column `y`: the label `2`",
            ),
        ] {
            let message = read(&columns).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }
}
