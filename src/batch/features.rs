//! Every user's features as of some days, as a Parquet table: what a model sees, for other tools to look at.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{Date32Builder, StringBuilder};
use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use crate::columnar::table::{Encoder, RowGroup, Table};
use crate::features::{Catalogue, Extractor, FeatureError};
use crate::history::{BLOCK_USERS, Day, Histories, HistoryError, Span};
use crate::output::{Destination, OutputError, Staged};
use crate::train::TrainError;
use crate::train::pipeline::schema;
use crate::train::settings::TrainConfig;

/// Rows of a row group, about.
const GROUP_ROWS: usize = 65_536;

/// What can go wrong with writing features.
#[derive(Debug, thiserror::Error)]
pub enum FeaturesError {
    /// A name that tells no format.
    #[error("--out {}: the name must end in .parquet", path.display())]
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
    /// A log without the configured kinds.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// Histories that could not be read.
    #[error(transparent)]
    History(#[from] HistoryError),
}

impl From<FeatureError> for FeaturesError {
    fn from(error: FeatureError) -> Self {
        Self::Train(error.into())
    }
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
/// `user_id`, `as_of`, and the features by their names, null where a value cannot be known. The kinds that have features
/// of their own are those of all `histories`.
///
/// # Errors
/// [`FeaturesError`] names the file or the setting at fault.
pub fn write_features(
    histories: &Histories,
    config: &TrainConfig,
    dates: &[Day],
    out: &Path,
) -> Result<FeaturesWritten, FeaturesError> {
    let destination = features_destination(out)?;
    config.check()?;
    let catalogue = Catalogue::new(schema(histories, config, &mut Vec::new())?)?;
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
    histories.stream_spans(
        (GROUP_ROWS / BLOCK_USERS / dates.len().max(1)).max(1),
        |span| rows.of(span, &parquet),
        |(count, group)| {
            written += count;
            if count == 0 {
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

impl Rows<'_> {
    /// The rows of some users, and how many they are.
    fn of(
        &self,
        span: Span<'_>,
        parquet: &impl Fn(parquet::errors::ParquetError) -> FeaturesError,
    ) -> Result<(u64, RowGroup), FeaturesError> {
        let mut extractor = self.extractor.clone();
        let mut vector = vec![f64::NAN; extractor.width()];
        let mut values: Vec<Vec<f64>> = vec![Vec::new(); extractor.width()];
        let (mut users, mut days, mut rows) = (StringBuilder::new(), Date32Builder::new(), 0);
        span.for_each(|user, history| {
            for date in self.dates {
                if extractor.extract(history, *date, &mut vector) {
                    users.append_value(user);
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
        let mut arrays: Vec<ArrayRef> = vec![Arc::new(users.finish()), Arc::new(days.finish())];
        arrays.extend(
            values
                .into_iter()
                .map(|values| Arc::new(known(values)) as ArrayRef),
        );
        let batch = RecordBatch::try_new(self.columns.clone(), arrays)
            .map_err(|error| parquet(error.into()))?;
        Ok((rows, self.encoder.encode(&batch).map_err(parquet)?))
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
