//! A list of users that fits into memory, column by column: the same names and values as CSV, as Parquet and as JSON.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, RecordBatch, StringArray, UInt32Array,
};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde_json::{Map, Value};

use crate::columnar::table::Table;
use crate::history::Day;
use crate::output::{Destination, OutputError, Staged};

/// What can go wrong with writing a list.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// A name that tells no format.
    #[error("{}: the name must end in .csv or .parquet", path.display())]
    Format {
        /// The name.
        path: PathBuf,
    },
    /// A file that could not be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// Rows that could not be written as CSV.
    #[error("{}: {source}", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// What the writer said.
        source: csv::Error,
    },
    /// Rows that could not be written as Parquet.
    #[error("{}: {source}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What the writer said.
        source: parquet::errors::ParquetError,
    },
}

/// The values of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Texts.
    Text(Vec<Option<String>>),
    /// Numbers.
    Number(Vec<Option<f64>>),
    /// Whole numbers.
    Whole(Vec<Option<u32>>),
    /// Days.
    Day(Vec<Day>),
    /// Whether something holds.
    Truth(Vec<bool>),
}

impl Values {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::Number(values) => values.len(),
            Self::Whole(values) => values.len(),
            Self::Day(values) => values.len(),
            Self::Truth(values) => values.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of a row as CSV has it: nothing where there is none.
    fn text(&self, row: usize) -> String {
        match self {
            Self::Text(values) => values[row].clone().unwrap_or_default(),
            Self::Number(values) => values[row].map(|v| v.to_string()).unwrap_or_default(),
            Self::Whole(values) => values[row].map(|v| v.to_string()).unwrap_or_default(),
            Self::Day(values) => values[row].to_string(),
            Self::Truth(values) => values[row].to_string(),
        }
    }

    fn json(&self, row: usize) -> Value {
        match self {
            Self::Text(values) => values[row].clone().into(),
            Self::Number(values) => values[row].into(),
            Self::Whole(values) => values[row].into(),
            Self::Day(values) => values[row].to_string().into(),
            Self::Truth(values) => values[row].into(),
        }
    }

    fn array(&self) -> ArrayRef {
        match self {
            Self::Text(values) => Arc::new(StringArray::from(values.clone())),
            Self::Number(values) => Arc::new(Float64Array::from(values.clone())),
            Self::Whole(values) => Arc::new(UInt32Array::from(values.clone())),
            Self::Day(values) => Arc::new(Date32Array::from_iter_values(
                values.iter().map(|day| day.number()),
            )),
            Self::Truth(values) => Arc::new(BooleanArray::from(values.clone())),
        }
    }
}

/// Columns of equal length, with their names.
#[derive(Clone, Debug, PartialEq)]
pub struct List {
    columns: Vec<(String, Values)>,
    rows: usize,
}

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Csv,
    Parquet,
}

fn form(path: &Path) -> Result<Form, ListError> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => Ok(Form::Csv),
        Some("parquet") => Ok(Form::Parquet),
        _ => Err(ListError::Format {
            path: path.to_owned(),
        }),
    }
}

/// Where a list can be written: a file whose name ends in `.csv` or `.parquet`.
///
/// # Errors
/// [`ListError::Format`] and [`ListError::Output`] name the file.
pub fn list_destination(path: &Path) -> Result<Destination, ListError> {
    form(path)?;
    Ok(Destination::file(path)?)
}

impl List {
    /// A list of some columns, which have as many values each.
    pub fn new(columns: Vec<(String, Values)>) -> Self {
        let rows = columns.first().map_or(0, |(_, values)| values.len());
        assert!(
            columns.iter().all(|(_, values)| values.len() == rows),
            "the columns of a list have as many values each"
        );
        Self { columns, rows }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// An object for each row.
    pub fn to_json(&self) -> Value {
        let row = |row: usize| -> Value {
            let columns = self.columns.iter();
            let fields: Map<String, Value> = columns
                .map(|(name, values)| (name.clone(), values.json(row)))
                .collect();
            fields.into()
        };
        (0..self.rows).map(row).collect()
    }

    /// Writes the list as the name of the file says.
    ///
    /// # Errors
    /// [`ListError`] names the file.
    pub fn write(&self, path: &Path) -> Result<(), ListError> {
        let form = form(path)?;
        let staged = Staged::new(Destination::file(path)?)?;
        match form {
            Form::Csv => self
                .write_csv(staged.file()?)
                .map_err(|source| ListError::Csv {
                    path: path.to_owned(),
                    source,
                })?,
            Form::Parquet => {
                self.write_parquet(staged.file()?)
                    .map_err(|source| ListError::Parquet {
                        path: path.to_owned(),
                        source,
                    })?;
            }
        }
        Ok(staged.commit()?)
    }

    /// The list as CSV.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn to_csv(&self) -> Result<String, csv::Error> {
        let mut text = Vec::new();
        self.write_csv(&mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn write_csv(&self, to: impl std::io::Write) -> Result<(), csv::Error> {
        let mut writer = csv::Writer::from_writer(std::io::BufWriter::new(to));
        writer.write_record(self.columns.iter().map(|(name, _)| name))?;
        for row in 0..self.rows {
            writer.write_record(self.columns.iter().map(|(_, values)| values.text(row)))?;
        }
        Ok(writer.flush()?)
    }

    fn write_parquet(&self, file: std::fs::File) -> Result<(), parquet::errors::ParquetError> {
        let columns = self.columns.iter();
        let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, values)| {
            let nullable = !matches!(values, Values::Day(_) | Values::Truth(_));
            (name, values.array(), nullable)
        }))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .build();
        let (mut table, encoder) = Table::new(file, &batch.schema(), properties)?;
        if self.rows > 0 {
            table.append(encoder.encode(&batch)?)?;
        }
        table.close()
    }
}
