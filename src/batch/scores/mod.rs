//! Scoring everyone in a log: `scores.csv` or `scores.parquet`, and who was left out and why.

mod conversion;
pub(crate) mod rows;
pub(crate) mod sink;
#[cfg(test)]
mod tests;
pub(crate) mod value;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::history::{Day, Histories, HistoryError, Span};
use crate::lifecycle::NotEligible;
use crate::model::{Bundle, ModelError, Prediction, Predictor, Subject};
use crate::output::{Destination, OutputError, commit};
use crate::phases::{Phases, Unit};
use conversion::{ConversionFile, ConversionRows};
use rows::{Chunk, Encoding, Form, Rows};
use sink::Skipped;

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
    /// Rows that could not be put into a Parquet batch.
    #[error("rows of scores: {source}")]
    Batch {
        /// What the library said.
        source: parquet::errors::ParquetError,
    },
    /// Rows that could not be written as text.
    #[error("rows of scores: {source}")]
    Text {
        /// What the writer said.
        source: csv::Error,
    },
    /// A name that tells no format.
    #[error("{}: the name must end in .csv or .parquet, or be - for CSV on standard output", path.display())]
    Format {
        /// The name.
        path: PathBuf,
    },
    /// A file that could not take its place.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// Histories that could not be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// A user that could not be scored.
    #[error("user `{user}`: {source}")]
    Model {
        /// The user.
        user: String,
        /// Why.
        source: ModelError,
    },
}

impl ScoresError {
    /// Whether the reader of standard output closed it before all scores were written.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == std::io::ErrorKind::BrokenPipe)
    }
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
    /// The target that a path names.
    pub fn new(out: &Path) -> Result<Self, ScoresError> {
        match out.extension().and_then(|e| e.to_str()) {
            _ if out == Path::new("-") => Ok(Self::Stdout),
            Some("csv") => Ok(Self::Csv(out.to_owned())),
            Some("parquet") => Ok(Self::Parquet(out.to_owned())),
            _ => Err(ScoresError::Format {
                path: out.to_owned(),
            }),
        }
    }

    /// The files that are written, checked: the scores, those who are left out, and the scores of potential users where the
    /// model has a part for them.
    pub fn destinations(&self, has_conversion: bool) -> Result<Vec<Destination>, ScoresError> {
        match self {
            Self::Stdout => Ok(Vec::new()),
            Self::Csv(path) | Self::Parquet(path) => {
                let conversion = self.conversion_target().filter(|_| has_conversion);
                let conversion = conversion.map(|target| target.path().to_owned());
                let paths = [Some(path.clone()), self.skipped_path(), conversion];
                paths
                    .into_iter()
                    .flatten()
                    .map(|path| Ok(Destination::file(&path)?))
                    .collect()
            }
        }
    }

    /// `scores.skipped.csv` beside `scores.csv`.
    fn skipped_path(&self) -> Option<PathBuf> {
        match self {
            Self::Stdout => None,
            Self::Csv(path) | Self::Parquet(path) => Some(path.with_extension("skipped.csv")),
        }
    }

    /// `scores.conversion.csv` beside `scores.csv`.
    fn conversion_target(&self) -> Option<Self> {
        match self {
            Self::Stdout => None,
            Self::Csv(path) => Some(Self::Csv(path.with_extension("conversion.csv"))),
            Self::Parquet(path) => Some(Self::Parquet(path.with_extension("conversion.parquet"))),
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
    /// Potential users, scored by the model of conversion; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub potential: Option<u64>,
}

/// Blocks of users that are scored at once, and make a row group.
const SPAN_BLOCKS: usize = 64;
/// Reasons in a row.
const REASONS: usize = 3;

/// Scores every user of `histories` at `as_of` into `target`, on all threads and in order of users; users that are not
/// scored go with the reason to `scores.skipped.csv` beside `scores.csv`. Where the model has a part for potential users, they
/// go with their probability of conversion to `scores.conversion.csv`, whether they are scored for churn or not.
pub fn write_scores(
    bundle: &Bundle,
    histories: &Histories,
    as_of: Day,
    target: &Target,
    phases: Phases<'_>,
) -> Result<Summary, ScoresError> {
    let (mut sink, form) = Rows::open(target, bundle.spec().value.is_some())?;
    let mut skipped = Skipped::open(target)?;
    let has_conversion = bundle.conversion().is_some();
    let (mut converting, conversion) = ConversionFile::open(target, has_conversion)?;
    let mut summary = Summary {
        potential: has_conversion.then_some(0),
        ..Summary::default()
    };
    let scorer = Scorer {
        predictor: bundle.predictor(histories.kinds()).without_value_reasons(),
        as_of,
        form,
        conversion,
    };
    let scoring = phases.begin("scoring users", histories.len() as u64, Unit::Users);
    histories.stream_spans(
        SPAN_BLOCKS,
        |span| scorer.score(span),
        |scored| {
            summary.scored += scored.users;
            scoring.advance(scored.users + scored.skipped.len() as u64);
            if scored.users > 0 {
                sink.write(scored.rows)?;
            }
            if let Some(potential) = &mut summary.potential {
                *potential += scored.potential;
            }
            converting.write(scored.converting)?;
            for (user, reason) in &scored.skipped {
                *summary.skipped.entry(reason.name()).or_default() += 1;
                skipped.write(user, *reason)?;
            }
            Ok::<_, ScoresError>(())
        },
    )?;
    // They belong together, and take their places together.
    let files = [sink.close()?, skipped.close()?, converting.close()?];
    commit(files.into_iter().flatten().collect())?;
    Ok(summary)
}

/// What came of some users.
struct Scored {
    users: u64,
    rows: Chunk,
    skipped: Vec<(String, NotEligible)>,
    potential: u64,
    /// The rows of potential users; `None` without a row or a file.
    converting: Option<Chunk>,
}

/// What is the same for all users.
struct Scorer<'a> {
    predictor: Predictor<'a>,
    as_of: Day,
    form: Form,
    /// How rows of potential users are written; `None` without a file of them.
    conversion: Option<Encoding>,
}

impl Scorer<'_> {
    fn score(&self, span: Span<'_>) -> Result<Scored, ScoresError> {
        let mut predictor = self.predictor.clone();
        let mut rows = Rows::new(&self.form);
        let (mut users, mut skipped) = (0, Vec::new());
        let mut converting = ConversionRows::default();
        span.for_each(|user, history| {
            let unseen = history.before(self.as_of).records().is_empty();
            let failed = |source| ScoresError::Model {
                user: user.to_owned(),
                source,
            };
            let conversion = predictor.conversion(history, self.as_of, REASONS);
            if let Some(horizons) = conversion.map_err(failed)? {
                converting.push(user, self.as_of, &horizons);
            }
            let assessed = predictor
                .predict(Subject::History(history), self.as_of, REASONS)
                .map_err(failed)?;
            let reason = match assessed {
                Prediction::Scored(score) => {
                    users += 1;
                    rows.push(user, self.as_of, &score);
                    return Ok(());
                }
                Prediction::TooNew if unseen => NotEligible::NotYetSeen,
                Prediction::TooNew => NotEligible::NoActivity,
                Prediction::Inactive { .. } => NotEligible::Inactive,
                Prediction::AlreadyChurned => NotEligible::AlreadyChurned,
            };
            skipped.push((user.to_owned(), reason));
            Ok::<_, ScoresError>(())
        })?;
        Ok(Scored {
            users,
            rows: rows.chunk(&self.form)?,
            skipped,
            potential: converting.users(),
            converting: match &self.conversion {
                Some(encoding) => converting.chunk(encoding)?,
                None => None,
            },
        })
    }
}
