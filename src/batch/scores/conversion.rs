//! Scores of potential users: `scores.conversion.csv` beside `scores.csv`, or the same as Parquet.

use std::sync::Arc;

use arrow_array::builder::{Date32Builder, Float64Builder, StringBuilder, UInt16Builder};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, SchemaRef};

use super::rows::{Chunk, Encoding, REASON_COLUMNS, ReasonColumns, description};
use super::sink::Sink;
use super::{REASONS, ScoresError, Target};
use crate::history::Day;
use crate::model::HorizonScore;
use crate::output::Staged;

/// The columns of both forms; those of CSV.
const COLUMNS: [&str; 7] = [
    "user_id",
    "as_of",
    "horizon_days",
    "conversion_probability",
    "reason_1",
    "reason_2",
    "reason_3",
];

/// The file of potential users; none beside standard output, and for a model without a part for them.
pub(super) struct ConversionFile {
    sink: Option<Sink>,
}

impl ConversionFile {
    /// Opens the file of a target, and tells how rows are written; `None` where there is none.
    pub(super) fn open(
        target: &Target,
        has_conversion: bool,
    ) -> Result<(Self, Option<Encoding>), ScoresError> {
        let Some(target) = target.conversion_target().filter(|_| has_conversion) else {
            return Ok((Self { sink: None }, None));
        };
        let columns = COLUMNS.map(str::to_owned);
        let (sink, encoding) = Sink::open(&target, &columns, ConversionRows::schema)?;
        Ok((Self { sink: Some(sink) }, Some(encoding)))
    }

    pub(super) fn write(&mut self, rows: Option<Chunk>) -> Result<(), ScoresError> {
        match (&mut self.sink, rows) {
            (Some(sink), Some(rows)) => sink.write(rows),
            _ => Ok(()),
        }
    }

    /// Completes the file, still under its temporary name.
    pub(super) fn close(self) -> Result<Option<Staged>, ScoresError> {
        self.sink.map_or(Ok(None), Sink::close)
    }
}

/// Rows of the file.
#[derive(Default)]
pub(super) struct ConversionRows {
    user: StringBuilder,
    as_of: Date32Builder,
    horizon: UInt16Builder,
    probability: Float64Builder,
    reasons: [StringBuilder; REASONS],
    reason_columns: [ReasonColumns; REASONS],
    users: u64,
}

impl ConversionRows {
    pub(super) fn push(&mut self, user: &str, as_of: Day, horizons: &[HorizonScore<'_>]) {
        self.users += 1;
        for h in horizons {
            self.user.append_value(user);
            self.as_of.append_value(as_of.number());
            self.horizon.append_value(h.horizon_days);
            self.probability.append_value(h.probability);
            for (k, described) in self.reasons.iter_mut().enumerate() {
                described.append_option(h.reasons.get(k).map(description));
            }
            for (k, columns) in self.reason_columns.iter_mut().enumerate() {
                columns.push(h.reasons.get(k));
            }
        }
    }

    /// How many users have rows.
    pub(super) fn users(&self) -> u64 {
        self.users
    }

    /// The rows as they are written; `None` for no row.
    pub(super) fn chunk(mut self, encoding: &Encoding) -> Result<Option<Chunk>, ScoresError> {
        if self.users == 0 {
            return Ok(None);
        }
        let chunk = match encoding {
            Encoding::Parquet(encoder) => self
                .batch()
                .map_err(Into::into)
                .and_then(|batch| encoder.encode(&batch))
                .map(Chunk::Parquet)
                .map_err(|source| ScoresError::Batch { source }),
            Encoding::Csv => self
                .text()
                .map(Chunk::Csv)
                .map_err(|source| ScoresError::Text { source }),
        };
        chunk.map(Some)
    }

    fn text(&mut self) -> Result<Vec<u8>, csv::Error> {
        let mut writer = csv::WriterBuilder::new()
            .has_headers(false)
            .from_writer(Vec::new());
        let (user, as_of) = (self.user.finish(), self.as_of.finish());
        let (horizon, probability) = (self.horizon.finish(), self.probability.finish());
        let reasons = self.reasons.each_mut().map(StringBuilder::finish);
        for row in 0..user.len() {
            let day = Day::new(as_of.value(row));
            writer.write_field(user.value(row))?;
            writer.write_field(day.map(|day| day.to_string()).unwrap_or_default())?;
            writer.write_field(horizon.value(row).to_string())?;
            writer.write_field(probability.value(row).to_string())?;
            for reason in &reasons {
                let text = if reason.is_valid(row) {
                    reason.value(row)
                } else {
                    ""
                };
                writer.write_field(text)?;
            }
            writer.write_record(None::<&[u8]>)?;
        }
        writer
            .into_inner()
            .map_err(|error| error.into_error().into())
    }

    fn schema() -> Result<SchemaRef, ArrowError> {
        Ok(Self::default().batch()?.schema())
    }

    fn batch(&mut self) -> Result<RecordBatch, ArrowError> {
        let mut arrays: Vec<ArrayRef> = vec![
            Arc::new(self.user.finish()),
            Arc::new(self.as_of.finish()),
            Arc::new(self.horizon.finish()),
            Arc::new(self.probability.finish()),
        ];
        let reasons = self.reasons.iter_mut();
        arrays.extend(reasons.map(|reason| Arc::new(reason.finish()) as ArrayRef));
        let for_programs = self.reason_columns.iter_mut();
        arrays.extend(for_programs.flat_map(ReasonColumns::finish));
        let mut names = COLUMNS.map(str::to_owned).to_vec();
        for reason in 1..=REASONS {
            names.extend(REASON_COLUMNS.map(|column| format!("reason_{reason}_{column}")));
        }
        let columns = names.into_iter().zip(arrays);
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| {
            let nullable = name.starts_with("reason");
            (name, array, nullable)
        }))
    }
}
