//! Every user's features as of some days, as a Parquet table: what a model sees, for other tools to look at.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{Date32Builder, StringBuilder};
use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use crate::columnar::table::{Encoder, RowGroup, Table};
use crate::features::{Catalogue, Extractor, FeatureError, FeatureSchema};
use crate::history::{BLOCK_USERS, Day, Histories, HistoryError, Span};
use crate::output::{Destination, OutputError, Staged};
use crate::phases::{Phases, Unit};

/// Rows of a row group, about.
const GROUP_ROWS: usize = 65_536;

/// What can go wrong with writing features.
#[derive(Debug, thiserror::Error)]
pub enum FeaturesError {
    /// A name that tells no format.
    #[error("{}: the name must end in .parquet", path.display())]
    Name {
        /// The name.
        path: PathBuf,
    },
    /// A file that could not be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// A table that could not be written.
    #[error("{}: {source}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What the writer said.
        source: parquet::errors::ParquetError,
    },
    /// A schema that makes no catalogue.
    #[error(transparent)]
    Feature(#[from] FeatureError),
    /// Histories that could not be read.
    #[error(transparent)]
    History(#[from] HistoryError),
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeaturesWritten {
    /// Rows, one for each user and day.
    pub rows: u64,
    /// Features in a row.
    pub features: usize,
}

/// Writes a row for every user and day of `dates` before which the user was active, in order of users and then days:
/// `user_id`, `as_of`, and the features by their names, null where a value cannot be known.
///
/// # Errors
/// [`FeaturesError`] names the file or the setting at fault.
pub fn write_features(
    histories: &Histories,
    schema: FeatureSchema,
    dates: &[Day],
    out: &Path,
    phases: Phases<'_>,
) -> Result<FeaturesWritten, FeaturesError> {
    let destination = features_destination(out)?;
    let catalogue = Catalogue::new(schema)?;
    let mut dates = dates.to_vec();
    dates.sort_unstable();
    dates.dedup();
    let columns = columns(&catalogue);
    let staged = Staged::new(destination)?;
    // Hardly any two numbers are the same, so dictionaries of them would only cost time.
    let properties = WriterProperties::builder()
        .set_compression(Compression::LZ4_RAW)
        .set_dictionary_enabled(false);
    let parquet = |source| FeaturesError::Parquet {
        path: out.to_owned(),
        source,
    };
    let (mut table, encoder) =
        Table::new(staged.file()?, &columns, properties.build()).map_err(parquet)?;
    let extractor = Extractor::new(&catalogue, histories.kinds());
    let rows = Rows {
        extractor,
        dates: &dates,
        columns,
        encoder,
    };
    let mut written = 0;
    let extracting = phases.begin("features", histories.len() as u64, Unit::Users);
    histories.stream_spans(
        (GROUP_ROWS / BLOCK_USERS / dates.len().max(1)).max(1),
        |span| rows.of(span, &parquet),
        |Part { users, rows, group }| {
            extracting.advance(users);
            written += rows;
            if rows == 0 {
                Ok(())
            } else {
                table.append(group).map_err(parquet)
            }
        },
    )?;
    table.close().map_err(parquet)?;
    staged.commit()?;
    Ok(FeaturesWritten {
        rows: written,
        features: catalogue.len(),
    })
}

/// Where features can be written: a file whose name ends in `.parquet`.
///
/// # Errors
/// [`FeaturesError::Name`] and [`FeaturesError::Output`] name the file.
pub fn features_destination(out: &Path) -> Result<Destination, FeaturesError> {
    if out
        .extension()
        .is_none_or(|extension| extension != "parquet")
    {
        return Err(FeaturesError::Name {
            path: out.to_owned(),
        });
    }
    Ok(Destination::file(out)?)
}

fn columns(catalogue: &Catalogue) -> SchemaRef {
    let mut fields = vec![
        Field::new("user_id", DataType::Utf8, false),
        Field::new("as_of", DataType::Date32, false),
    ];
    fields.extend(
        catalogue
            .features()
            .iter()
            .map(|feature| Field::new(&feature.name, DataType::Float64, true)),
    );
    Arc::new(Schema::new(fields))
}

/// How rows are made.
struct Rows<'a> {
    extractor: Extractor<'a>,
    dates: &'a [Day],
    columns: SchemaRef,
    encoder: Encoder,
}

/// The rows of some users.
struct Part {
    users: u64,
    rows: u64,
    group: RowGroup,
}

impl Rows<'_> {
    /// The rows of some users.
    fn of(
        &self,
        span: Span<'_>,
        parquet: &impl Fn(parquet::errors::ParquetError) -> FeaturesError,
    ) -> Result<Part, FeaturesError> {
        let mut extractor = self.extractor.clone();
        let mut vector = vec![f64::NAN; extractor.width()];
        let mut values: Vec<Vec<f64>> = vec![Vec::new(); extractor.width()];
        let (mut names, mut days) = (StringBuilder::new(), Date32Builder::new());
        let (mut users, mut rows) = (0, 0);
        span.for_each(|user, history| {
            users += 1;
            for date in self.dates {
                if extractor.extract(history, *date, &mut vector) {
                    names.append_value(user);
                    days.append_value(date.number());
                    values
                        .iter_mut()
                        .zip(&vector)
                        .for_each(|(values, value)| values.push(*value));
                    rows += 1;
                }
            }
            Ok::<_, FeaturesError>(())
        })?;
        let mut arrays: Vec<ArrayRef> = vec![Arc::new(names.finish()), Arc::new(days.finish())];
        arrays.extend(
            values
                .into_iter()
                .map(|values| Arc::new(known(values)) as ArrayRef),
        );
        let batch = RecordBatch::try_new(self.columns.clone(), arrays)
            .map_err(|error| parquet(error.into()))?;
        Ok(Part {
            users,
            rows,
            group: self.encoder.encode(&batch).map_err(parquet)?,
        })
    }
}

/// The values, null where they are not a number.
fn known(values: Vec<f64>) -> Float64Array {
    if values.iter().any(|value| value.is_nan()) {
        let valid = values
            .iter()
            .map(|value| !value.is_nan())
            .collect::<Vec<bool>>();
        return Float64Array::new(values.into(), Some(valid.into()));
    }
    Float64Array::from(values)
}
