//! Every user's features as of some days, as a Parquet table: what a model sees, for other tools to look at.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, Date32Builder, StringBuilder};
use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use crate::columnar::table::{Encoder, RowGroup, Table};
use crate::features::{Catalogue, Extractor, FeatureError, FeatureSchema};
use crate::history::{BLOCK_USERS, Day, Histories, HistoryError, HistoryView, Span};
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeaturesWritten {
    /// Rows, one for each user and day.
    pub rows: u64,
    /// Features in a row.
    pub features: usize,
    /// One for each horizon with labels.
    pub labels: Vec<LabelCounts>,
}

/// How many rows have a label of one horizon, and why the others have none.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct LabelCounts {
    /// The horizon in days.
    pub horizon_days: u16,
    /// Rows whose user churned.
    pub churned: u64,
    /// Rows whose user stayed.
    pub stayed: u64,
    /// Rows without a label, by reason.
    pub missing: BTreeMap<&'static str, u64>,
}

impl LabelCounts {
    fn new(horizon_days: u16) -> Self {
        Self {
            horizon_days,
            churned: 0,
            stayed: 0,
            missing: BTreeMap::new(),
        }
    }

    fn count(&mut self, label: Result<bool, &'static str>) {
        match label {
            Ok(true) => self.churned += 1,
            Ok(false) => self.stayed += 1,
            Err(reason) => *self.missing.entry(reason).or_default() += 1,
        }
    }

    fn add(&mut self, other: Self) {
        self.churned += other.churned;
        self.stayed += other.stayed;
        for (reason, rows) in other.missing {
            *self.missing.entry(reason).or_default() += rows;
        }
    }
}

/// Whether the user of a history churned within a horizon after a day, or the name of the reason why that is not known.
pub type LabelRule<'a> =
    dyn Fn(HistoryView<'_>, Day, u16) -> Result<bool, &'static str> + Sync + 'a;

/// Labels beside the features: the columns `churned_30d` and `label_missing_30d` for a horizon of 30 days.
#[derive(Clone, Copy)]
pub struct Labels<'a> {
    /// The horizons in days.
    pub horizon_days: &'a [u16],
    /// What gives a label.
    pub rule: &'a LabelRule<'a>,
}

/// Writes a row for every user and day of `dates` before which the user was active, in order of users and then days:
/// `user_id`, `as_of`, the labels if there are any, and the features by their names, null where a value cannot be known.
///
/// # Errors
/// [`FeaturesError`] names the file or the setting at fault.
pub fn write_features(
    histories: &Histories,
    schema: FeatureSchema,
    dates: &[Day],
    labels: Option<Labels<'_>>,
    out: &Path,
    phases: Phases<'_>,
) -> Result<FeaturesWritten, FeaturesError> {
    let destination = features_destination(out)?;
    let catalogue = Catalogue::new(schema)?;
    let mut dates = dates.to_vec();
    dates.sort_unstable();
    dates.dedup();
    let horizon_days = labels.map_or(&[][..], |labels| labels.horizon_days);
    let columns = columns(&catalogue, horizon_days);
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
        labels,
        columns,
        encoder,
    };
    let mut written = FeaturesWritten {
        rows: 0,
        features: catalogue.len(),
        labels: label_counts(horizon_days),
    };
    let extracting = phases.begin("features", histories.len() as u64, Unit::Users);
    histories.stream_spans(
        (GROUP_ROWS / BLOCK_USERS / dates.len().max(1)).max(1),
        |span| rows.of(span, &parquet),
        |group| {
            extracting.advance(group.users);
            written.rows += group.rows;
            for (sum, part) in written.labels.iter_mut().zip(group.labels) {
                sum.add(part);
            }
            if group.rows == 0 {
                Ok(())
            } else {
                table.append(group.encoded).map_err(parquet)
            }
        },
    )?;
    table.close().map_err(parquet)?;
    staged.commit()?;
    Ok(written)
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

fn label_counts(horizon_days: &[u16]) -> Vec<LabelCounts> {
    horizon_days.iter().copied().map(LabelCounts::new).collect()
}

fn columns(catalogue: &Catalogue, horizon_days: &[u16]) -> SchemaRef {
    let mut fields = vec![
        Field::new("user_id", DataType::Utf8, false),
        Field::new("as_of", DataType::Date32, false),
    ];
    for days in horizon_days {
        fields.push(Field::new(
            format!("churned_{days}d"),
            DataType::Boolean,
            true,
        ));
        fields.push(Field::new(
            format!("label_missing_{days}d"),
            DataType::Utf8,
            true,
        ));
    }
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
    labels: Option<Labels<'a>>,
    columns: SchemaRef,
    encoder: Encoder,
}

/// Some users' rows, encoded.
struct Group {
    users: u64,
    rows: u64,
    labels: Vec<LabelCounts>,
    encoded: RowGroup,
}

/// The labels of one horizon on their way into columns.
struct LabelColumns {
    counts: LabelCounts,
    churned: BooleanBuilder,
    missing: StringBuilder,
}

impl LabelColumns {
    fn new(horizon_days: u16) -> Self {
        Self {
            counts: LabelCounts::new(horizon_days),
            churned: BooleanBuilder::new(),
            missing: StringBuilder::new(),
        }
    }

    fn push(&mut self, label: Result<bool, &'static str>) {
        self.counts.count(label);
        self.churned.append_option(label.ok());
        self.missing.append_option(label.err());
    }
}

impl Rows<'_> {
    /// The rows of some users.
    fn of(
        &self,
        span: Span<'_>,
        parquet: &impl Fn(parquet::errors::ParquetError) -> FeaturesError,
    ) -> Result<Group, FeaturesError> {
        let mut extractor = self.extractor.clone();
        let horizon_days = self.labels.map_or(&[][..], |labels| labels.horizon_days);
        let mut labels: Vec<LabelColumns> = horizon_days
            .iter()
            .copied()
            .map(LabelColumns::new)
            .collect();
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
                    self.label(history, *date, &mut labels);
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
        for column in &mut labels {
            arrays.push(Arc::new(column.churned.finish()));
            arrays.push(Arc::new(column.missing.finish()));
        }
        arrays.extend(
            values
                .into_iter()
                .map(|values| Arc::new(known(values)) as ArrayRef),
        );
        let batch = RecordBatch::try_new(self.columns.clone(), arrays)
            .map_err(|error| parquet(error.into()))?;
        Ok(Group {
            users,
            rows,
            labels: labels.into_iter().map(|column| column.counts).collect(),
            encoded: self.encoder.encode(&batch).map_err(parquet)?,
        })
    }

    fn label(&self, history: HistoryView<'_>, date: Day, columns: &mut [LabelColumns]) {
        let Some(labels) = self.labels else { return };
        for column in columns {
            column.push((labels.rule)(history, date, column.counts.horizon_days));
        }
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
