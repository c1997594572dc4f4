//! Rows of scores, as text or as a Parquet batch.

use std::sync::Arc;

use arrow_array::builder::{Date32Builder, Float64Builder, StringBuilder, UInt16Builder};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;

use super::sink::Sink;
use super::value::{VALUE_COLUMNS, ValueColumns};
use super::{REASONS, ScoresError, Target};
use crate::columnar::table::{Encoder, RowGroup};
use crate::history::Day;
use crate::model::{Reason, Score};

/// The columns of both forms; those of CSV, but for those of value behind them.
pub(crate) const COLUMNS: [&str; 12] = [
    "user_id",
    "as_of",
    "horizon_days",
    "churn_probability",
    "risk_band",
    "stage",
    "segment",
    "segment_name",
    "segment_key",
    "reason_1",
    "reason_2",
    "reason_3",
];

/// The columns of a reason that Parquet has beside its description, behind all columns of CSV.
pub(super) const REASON_COLUMNS: [&str; 4] = ["theme", "feature", "value", "contribution"];

/// How rows are written.
pub(crate) struct Form {
    /// Whether they have the columns of value.
    pub(crate) has_value: bool,
    pub(crate) encoding: Encoding,
}

/// What rows become.
pub(crate) enum Encoding {
    Csv,
    Parquet(Box<Encoder>),
}

/// Rows, ready to be written.
pub(crate) enum Chunk {
    Csv(Vec<u8>),
    Parquet(RowGroup),
}

/// The names of all columns of the CSV form.
fn csv_columns(has_value: bool) -> Vec<String> {
    let value = VALUE_COLUMNS.iter().filter(|_| has_value);
    let names = COLUMNS.iter().chain(value);
    names.map(|name| (*name).to_owned()).collect()
}

/// The names of all columns of the Parquet form: `reason_1_theme` and so on behind those of CSV.
fn parquet_columns(has_value: bool) -> Vec<String> {
    let mut names = csv_columns(has_value);
    for reason in 1..=REASONS {
        names.extend(REASON_COLUMNS.map(|column| format!("reason_{reason}_{column}")));
    }
    names
}

/// A reason as a description with its contribution: "last purchase 47 days ago; usually every 12 (+0.83)".
pub(super) fn description(reason: &Reason<'_>) -> String {
    format!("{} ({:+.2})", reason.description, reason.contribution)
}

/// A reason as columns for programs.
#[derive(Default)]
pub(super) struct ReasonColumns {
    theme: StringBuilder,
    feature: StringBuilder,
    value: Float64Builder,
    contribution: Float64Builder,
}

impl ReasonColumns {
    pub(super) fn push(&mut self, reason: Option<&Reason<'_>>) {
        self.theme.append_option(reason.map(|r| r.group.name()));
        self.feature.append_option(reason.map(|r| r.feature));
        self.value.append_option(reason.and_then(|r| r.value));
        self.contribution
            .append_option(reason.map(|r| r.contribution));
    }

    pub(super) fn finish(&mut self) -> [ArrayRef; REASON_COLUMNS.len()] {
        [
            Arc::new(self.theme.finish()),
            Arc::new(self.feature.finish()),
            Arc::new(self.value.finish()),
            Arc::new(self.contribution.finish()),
        ]
    }
}

#[derive(Default)]
pub(crate) struct Rows {
    user: StringBuilder,
    as_of: Date32Builder,
    horizon: UInt16Builder,
    probability: Float64Builder,
    band: StringBuilder,
    stage: StringBuilder,
    segment: UInt16Builder,
    segment_name: StringBuilder,
    segment_key: StringBuilder,
    reasons: [StringBuilder; REASONS],
    /// Of a model with a value part alone.
    value: Option<ValueColumns>,
    /// Of the Parquet form alone.
    reason_columns: Option<[ReasonColumns; REASONS]>,
}

impl Rows {
    /// No rows yet, with the columns that the form has.
    pub(crate) fn new(form: &Form) -> Self {
        let value = form.has_value.then(ValueColumns::default);
        match form.encoding {
            Encoding::Csv => Self {
                value,
                ..Self::default()
            },
            Encoding::Parquet(_) => Self::for_parquet(value),
        }
    }

    fn for_parquet(value: Option<ValueColumns>) -> Self {
        Self {
            value,
            reason_columns: Some(Default::default()),
            ..Self::default()
        }
    }

    pub(crate) fn push(&mut self, user: &str, as_of: Day, score: &Score<'_>) {
        for h in &score.horizons {
            self.user.append_value(user);
            self.as_of.append_value(as_of.number());
            self.horizon.append_value(h.horizon_days);
            self.probability.append_value(h.probability);
            self.band.append_value(h.band.name());
            self.stage.append_value(score.stage.name());
            self.segment
                .append_option(score.segment.as_ref().map(|s| s.id as u16));
            self.segment_name
                .append_option(score.segment.as_ref().map(|s| s.name));
            self.segment_key
                .append_option(score.segment.as_ref().map(|s| s.key.to_string()));
            for (k, described) in self.reasons.iter_mut().enumerate() {
                described.append_option(h.reasons.get(k).map(description));
            }
            for (k, columns) in self.reason_columns.iter_mut().flatten().enumerate() {
                columns.push(h.reasons.get(k));
            }
            if let Some(columns) = &mut self.value {
                columns.push(score.value.as_ref());
            }
        }
    }

    /// A sink of these rows, and the form in which it takes them: with the columns of value or without them.
    pub(crate) fn open(target: &Target, has_value: bool) -> Result<(Sink, Form), ScoresError> {
        let columns = csv_columns(has_value);
        let (sink, encoding) = Sink::open(target, &columns, || Self::schema(has_value))?;
        let form = Form {
            has_value,
            encoding,
        };
        Ok((sink, form))
    }

    /// The rows in a form of which nothing but the header is missing.
    pub(crate) fn chunk(mut self, form: &Form) -> Result<Chunk, ScoresError> {
        match &form.encoding {
            Encoding::Parquet(encoder) => {
                let encoded = self
                    .batch()
                    .map_err(Into::into)
                    .and_then(|batch| encoder.encode(&batch));
                encoded
                    .map(Chunk::Parquet)
                    .map_err(|source| ScoresError::Batch { source })
            }
            Encoding::Csv => self
                .text()
                .map(Chunk::Csv)
                .map_err(|source| ScoresError::Text { source }),
        }
    }

    fn text(&mut self) -> Result<Vec<u8>, csv::Error> {
        let mut writer = csv::WriterBuilder::new()
            .has_headers(false)
            .from_writer(Vec::new());
        let as_of = self.as_of.finish();
        let texts = |array: &mut StringBuilder| array.finish();
        let (user, band, stage) = (
            texts(&mut self.user),
            texts(&mut self.band),
            texts(&mut self.stage),
        );
        let (horizon, probability) = (self.horizon.finish(), self.probability.finish());
        let segment = self.segment.finish();
        let (segment_name, segment_key) =
            (texts(&mut self.segment_name), texts(&mut self.segment_key));
        let reasons = self.reasons.each_mut().map(StringBuilder::finish);
        let value = self.value.as_mut().map(ValueColumns::finish);
        for row in 0..user.len() {
            writer.write_field(user.value(row))?;
            writer.write_field(
                Day::new(as_of.value(row))
                    .map(|day| day.to_string())
                    .unwrap_or_default(),
            )?;
            writer.write_field(horizon.value(row).to_string())?;
            writer.write_field(probability.value(row).to_string())?;
            writer.write_field(band.value(row))?;
            writer.write_field(stage.value(row))?;
            writer.write_field(if segment.is_valid(row) {
                segment.value(row).to_string()
            } else {
                String::new()
            })?;
            for text in [&segment_name, &segment_key].into_iter().chain(&reasons) {
                writer.write_field(if text.is_valid(row) {
                    text.value(row)
                } else {
                    ""
                })?;
            }
            for field in value.iter().flat_map(|value| value.fields(row)) {
                writer.write_field(field)?;
            }
            writer.write_record(None::<&[u8]>)?;
        }
        writer
            .into_inner()
            .map_err(|error| error.into_error().into())
    }

    /// The schema of batches.
    fn schema(has_value: bool) -> Result<SchemaRef, arrow_schema::ArrowError> {
        let value = has_value.then(ValueColumns::default);
        Ok(Self::for_parquet(value).batch()?.schema())
    }

    fn batch(&mut self) -> Result<RecordBatch, arrow_schema::ArrowError> {
        let mut arrays: Vec<ArrayRef> = vec![
            Arc::new(self.user.finish()),
            Arc::new(self.as_of.finish()),
            Arc::new(self.horizon.finish()),
            Arc::new(self.probability.finish()),
            Arc::new(self.band.finish()),
            Arc::new(self.stage.finish()),
            Arc::new(self.segment.finish()),
            Arc::new(self.segment_name.finish()),
            Arc::new(self.segment_key.finish()),
        ];
        arrays.extend(
            self.reasons
                .iter_mut()
                .map(|r| Arc::new(r.finish()) as ArrayRef),
        );
        let has_value = self.value.is_some();
        arrays.extend(self.value.iter_mut().flat_map(ValueColumns::arrays));
        let for_programs = self.reason_columns.iter_mut().flatten();
        arrays.extend(for_programs.flat_map(ReasonColumns::finish));
        let nullable = |name: &str| {
            name.starts_with("segment")
                || name.starts_with("reason")
                || VALUE_COLUMNS.contains(&name)
        };
        let columns = parquet_columns(has_value).into_iter().zip(arrays);
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| {
            let nullable = nullable(&name);
            (name, array, nullable)
        }))
    }
}
