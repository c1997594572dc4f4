//! Scoring everyone in a log: `scores.csv` or `scores.parquet`, and who was left out and why.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{Date32Builder, Float64Builder, StringBuilder, UInt16Builder};
use arrow_array::{ArrayRef, RecordBatch};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::labels::NotEligible;
use crate::history::{Day, Histories};
use crate::model::{Assessment, Bundle, ModelError, Reason, Score, Subject};

/// What can go wrong with writing scores.
#[derive(Debug, thiserror::Error)]
pub enum ScoresError {
    /// A file that could not be written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A row that could not be written as CSV.
    #[error("{}: {source}", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// What the writer said.
        source: csv::Error,
    },
    /// A batch that could not be written as Parquet.
    #[error("{}: {source}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What the writer said.
        source: parquet::errors::ParquetError,
    },
    /// A name that tells no format.
    #[error("--out {}: the name must end in .csv or .parquet, or be - for CSV on standard output", path.display())]
    Format {
        /// The name.
        path: PathBuf,
    },
    /// A user that could not be scored.
    #[error("user `{user}`: {source}")]
    Model {
        /// The user.
        user: String,
        /// Why.
        source: ModelError,
    },
}

/// Where scores go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// CSV to standard output; nobody writes down who was left out, they are only counted.
    Stdout,
    /// A CSV file.
    Csv(PathBuf),
    /// A Parquet file.
    Parquet(PathBuf),
}

impl Target {
    /// The target that `--out` names.
    pub fn new(out: &Path) -> Result<Self, ScoresError> {
        match out.extension().and_then(|e| e.to_str()) {
            _ if out == Path::new("-") => Ok(Self::Stdout),
            Some("csv") => Ok(Self::Csv(out.to_owned())),
            Some("parquet") => Ok(Self::Parquet(out.to_owned())),
            _ => Err(ScoresError::Format { path: out.to_owned() }),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Stdout => Path::new("standard output"),
            Self::Csv(path) | Self::Parquet(path) => path,
        }
    }
}

/// How many users were scored, and how many were not, by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// Users scored.
    pub scored: u64,
    /// Users not scored, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
}

const COLUMNS: [&str; 11] = [
    "user_id",
    "as_of",
    "horizon_days",
    "churn_probability",
    "risk_band",
    "stage",
    "segment",
    "segment_name",
    "reason_1",
    "reason_2",
    "reason_3",
];
const REASONS: usize = 3;

/// Scores every user of `histories` at `as_of` into `target`; users that are not scored go with the reason to
/// `scores.skipped.csv` beside `scores.csv`.
pub fn write_scores(
    bundle: &Bundle,
    histories: &Histories,
    as_of: Day,
    target: &Target,
) -> Result<Summary, ScoresError> {
    let mut sink = Sink::open(target)?;
    let mut skipped = Skipped::open(target)?;
    let mut extractor = bundle.extractor(histories.kinds());
    let mut summary = Summary::default();
    for (user, history) in histories.iter() {
        let unseen = history.before(as_of).records().is_empty();
        let assessed = bundle
            .assess(Subject::History(history), as_of, &mut extractor, REASONS)
            .map_err(|source| ScoresError::Model { user: user.to_owned(), source })?;
        let reason = match assessed {
            Assessment::Scored(score) => {
                summary.scored += 1;
                sink.write(user, as_of, &score)?;
                continue;
            }
            Assessment::TooNew if unseen => NotEligible::NotYetSeen,
            Assessment::TooNew => NotEligible::NoActivity,
            Assessment::Inactive { .. } => NotEligible::Inactive,
            Assessment::AlreadyChurned => NotEligible::AlreadyChurned,
        };
        *summary.skipped.entry(reason.name()).or_default() += 1;
        skipped.write(user, reason)?;
    }
    sink.close()?;
    skipped.close()?;
    Ok(summary)
}

/// A reason as a sentence with its contribution: "last purchase 47 days ago; usually every 12 (+0.83)".
fn sentence(reason: &Reason) -> String {
    format!("{} ({:+.2})", reason.sentence, reason.contribution)
}

/// `dir/scores.csv` beside `dir/.scores.csv.part`: a reader never sees half a file.
fn part(path: &Path) -> PathBuf {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}.part"))
}

fn create(path: &Path) -> Result<File, ScoresError> {
    let io = |source| ScoresError::Io { path: path.to_owned(), source };
    if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(io)?;
    }
    File::create(part(path)).map_err(io)
}

fn publish(path: &Path) -> Result<(), ScoresError> {
    std::fs::rename(part(path), path).map_err(|source| ScoresError::Io { path: path.to_owned(), source })
}

enum Sink {
    Csv { writer: Box<csv::Writer<Box<dyn Write>>>, target: Target },
    Parquet(Box<ParquetSink>),
}

impl Sink {
    fn open(target: &Target) -> Result<Self, ScoresError> {
        let output: Box<dyn Write> = match target {
            Target::Stdout => Box::new(std::io::stdout().lock()),
            Target::Csv(path) => Box::new(BufWriter::new(create(path)?)),
            Target::Parquet(path) => return Ok(Self::Parquet(Box::new(ParquetSink::open(path)?))),
        };
        let mut writer = csv::Writer::from_writer(output);
        let failed = |source| ScoresError::Csv { path: target.path().to_owned(), source };
        writer.write_record(COLUMNS).map_err(failed)?;
        Ok(Self::Csv { writer: Box::new(writer), target: target.clone() })
    }

    fn write(&mut self, user: &str, as_of: Day, score: &Score) -> Result<(), ScoresError> {
        let (writer, target) = match self {
            Self::Csv { writer, target } => (writer, target),
            Self::Parquet(sink) => return sink.write(user, as_of, score),
        };
        for h in &score.horizons {
            let segment = score.segment.as_ref();
            let mut fields = vec![
                user.to_owned(),
                as_of.to_string(),
                h.horizon_days.to_string(),
                h.probability.to_string(),
                h.band.name().to_owned(),
                score.stage.name().to_owned(),
                segment.map(|s| s.id.to_string()).unwrap_or_default(),
                segment.map(|s| s.name.clone()).unwrap_or_default(),
            ];
            fields.extend((0..REASONS).map(|k| h.reasons.get(k).map(sentence).unwrap_or_default()));
            writer
                .write_record(&fields)
                .map_err(|source| ScoresError::Csv { path: target.path().to_owned(), source })?;
        }
        Ok(())
    }

    fn close(self) -> Result<(), ScoresError> {
        match self {
            Self::Parquet(sink) => sink.close(),
            Self::Csv { mut writer, target } => {
                writer.flush().map_err(|source| ScoresError::Io { path: target.path().to_owned(), source })?;
                drop(writer);
                if let Target::Csv(path) = &target { publish(path) } else { Ok(()) }
            }
        }
    }
}

struct Skipped(Option<(csv::Writer<BufWriter<File>>, PathBuf)>);

impl Skipped {
    fn open(target: &Target) -> Result<Self, ScoresError> {
        let path = match target {
            Target::Stdout => return Ok(Self(None)),
            Target::Csv(path) | Target::Parquet(path) => path.with_extension("skipped.csv"),
        };
        let mut writer = csv::Writer::from_writer(BufWriter::new(create(&path)?));
        let failed = |source| ScoresError::Csv { path: path.clone(), source };
        writer.write_record(["user_id", "reason"]).map_err(failed)?;
        Ok(Self(Some((writer, path))))
    }

    fn write(&mut self, user: &str, reason: NotEligible) -> Result<(), ScoresError> {
        let Some((writer, path)) = &mut self.0 else { return Ok(()) };
        let failed = |source| ScoresError::Csv { path: path.clone(), source };
        writer.write_record([user, reason.name()]).map_err(failed)
    }

    fn close(self) -> Result<(), ScoresError> {
        let Some((mut writer, path)) = self.0 else { return Ok(()) };
        writer.flush().map_err(|source| ScoresError::Io { path: path.clone(), source })?;
        drop(writer);
        publish(&path)
    }
}

/// Rows of one Parquet batch.
const BATCH: usize = 16_384;

struct ParquetSink {
    path: PathBuf,
    writer: Option<ArrowWriter<File>>,
    rows: Rows,
}

#[derive(Default)]
struct Rows {
    count: usize,
    user: StringBuilder,
    as_of: Date32Builder,
    horizon: UInt16Builder,
    probability: Float64Builder,
    band: StringBuilder,
    stage: StringBuilder,
    segment: UInt16Builder,
    segment_name: StringBuilder,
    reasons: [StringBuilder; REASONS],
}

impl Rows {
    fn push(&mut self, user: &str, as_of: Day, score: &Score) {
        for h in &score.horizons {
            self.count += 1;
            self.user.append_value(user);
            self.as_of.append_value(as_of.number());
            self.horizon.append_value(h.horizon_days);
            self.probability.append_value(h.probability);
            self.band.append_value(h.band.name());
            self.stage.append_value(score.stage.name());
            self.segment.append_option(score.segment.as_ref().map(|s| s.id as u16));
            self.segment_name.append_option(score.segment.as_ref().map(|s| s.name.as_str()));
            for (k, column) in self.reasons.iter_mut().enumerate() {
                column.append_option(h.reasons.get(k).map(sentence));
            }
        }
    }

    fn take(&mut self) -> Result<RecordBatch, arrow_schema::ArrowError> {
        self.count = 0;
        let mut arrays: Vec<ArrayRef> = vec![
            Arc::new(self.user.finish()),
            Arc::new(self.as_of.finish()),
            Arc::new(self.horizon.finish()),
            Arc::new(self.probability.finish()),
            Arc::new(self.band.finish()),
            Arc::new(self.stage.finish()),
            Arc::new(self.segment.finish()),
            Arc::new(self.segment_name.finish()),
        ];
        arrays.extend(self.reasons.iter_mut().map(|r| Arc::new(r.finish()) as ArrayRef));
        let nullable = |name: &&str| name.starts_with("segment") || name.starts_with("reason");
        RecordBatch::try_from_iter_with_nullable(COLUMNS.iter().zip(arrays).map(|(n, a)| (*n, a, nullable(n))))
    }
}

impl ParquetSink {
    fn open(path: &Path) -> Result<Self, ScoresError> {
        let failed = |source| ScoresError::Parquet { path: path.to_owned(), source };
        let mut rows = Rows::default();
        let schema = rows.take().map_err(|e| failed(e.into()))?.schema();
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
        let writer = ArrowWriter::try_new(create(path)?, schema, Some(properties)).map_err(failed)?;
        Ok(Self { path: path.to_owned(), writer: Some(writer), rows })
    }

    fn write(&mut self, user: &str, as_of: Day, score: &Score) -> Result<(), ScoresError> {
        self.rows.push(user, as_of, score);
        if self.rows.count >= BATCH { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), ScoresError> {
        let failed = |source| ScoresError::Parquet { path: self.path.clone(), source };
        let batch = self.rows.take().map_err(|e| failed(e.into()))?;
        self.writer.as_mut().map_or(Ok(()), |w| w.write(&batch)).map_err(failed)
    }

    fn close(mut self) -> Result<(), ScoresError> {
        self.flush()?;
        if let Some(writer) = self.writer.take() {
            writer.close().map_err(|source| ScoresError::Parquet { path: self.path.clone(), source })?;
        }
        publish(&self.path)
    }
}
