//! The files that scores and skipped users go to.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::rows::{COLUMNS, Chunk, Form, Rows};
use super::{ScoresError, Target};
use crate::lifecycle::NotEligible;
use crate::train::table::Table;

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

/// Where rows go.
pub(super) enum Sink {
    Text { output: Box<dyn Write>, target: Target },
    Parquet { table: Box<Table>, path: PathBuf },
}

impl Sink {
    /// A sink, and the form in which it takes rows.
    pub(super) fn open(target: &Target) -> Result<(Self, Form), ScoresError> {
        let mut output: Box<dyn Write> = match target {
            Target::Stdout => Box::new(BufWriter::new(std::io::stdout().lock())),
            Target::Csv(path) => Box::new(BufWriter::new(create(path)?)),
            Target::Parquet(path) => return Self::open_parquet(path),
        };
        let header = COLUMNS.join(",") + "\n";
        let io = |source| ScoresError::Io { path: target.path().to_owned(), source };
        output.write_all(header.as_bytes()).map_err(io)?;
        Ok((Self::Text { output, target: target.clone() }, Form::Csv))
    }

    fn open_parquet(path: &Path) -> Result<(Self, Form), ScoresError> {
        let schema = Rows::schema().map_err(|source| ScoresError::Batch { source: source.into() })?;
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
        let failed = |source| ScoresError::Parquet { path: path.to_owned(), source };
        let (table, encoder) = Table::new(create(path)?, &schema, properties).map_err(failed)?;
        Ok((Self::Parquet { table: Box::new(table), path: path.to_owned() }, Form::Parquet(Box::new(encoder))))
    }

    pub(super) fn write(&mut self, rows: Chunk) -> Result<(), ScoresError> {
        match (self, rows) {
            (Self::Text { output, target }, Chunk::Csv(text)) => {
                output.write_all(&text).map_err(|source| ScoresError::Io { path: target.path().to_owned(), source })
            }
            (Self::Parquet { table, path }, Chunk::Parquet(group)) => {
                table.append(group).map_err(|source| ScoresError::Parquet { path: path.clone(), source })
            }
            // The scorer is told the form that the sink was opened for.
            _ => Ok(()),
        }
    }

    pub(super) fn close(self) -> Result<(), ScoresError> {
        match self {
            Self::Parquet { table, path } => {
                table.close().map_err(|source| ScoresError::Parquet { path: path.clone(), source })?;
                publish(&path)
            }
            Self::Text { mut output, target } => {
                output.flush().map_err(|source| ScoresError::Io { path: target.path().to_owned(), source })?;
                drop(output);
                if let Target::Csv(path) = &target { publish(path) } else { Ok(()) }
            }
        }
    }
}

/// Users that are not scored, with the reason.
pub(super) struct Skipped(Option<(csv::Writer<BufWriter<File>>, PathBuf)>);

impl Skipped {
    pub(super) fn open(target: &Target) -> Result<Self, ScoresError> {
        let path = match target {
            Target::Stdout => return Ok(Self(None)),
            Target::Csv(path) | Target::Parquet(path) => path.with_extension("skipped.csv"),
        };
        let mut writer = csv::Writer::from_writer(BufWriter::new(create(&path)?));
        let failed = |source| ScoresError::Csv { path: path.clone(), source };
        writer.write_record(["user_id", "reason"]).map_err(failed)?;
        Ok(Self(Some((writer, path))))
    }

    pub(super) fn write(&mut self, user: &str, reason: NotEligible) -> Result<(), ScoresError> {
        let Some((writer, path)) = &mut self.0 else { return Ok(()) };
        let failed = |source| ScoresError::Csv { path: path.clone(), source };
        writer.write_record([user, reason.name()]).map_err(failed)
    }

    pub(super) fn close(self) -> Result<(), ScoresError> {
        let Some((mut writer, path)) = self.0 else { return Ok(()) };
        writer.flush().map_err(|source| ScoresError::Io { path: path.clone(), source })?;
        drop(writer);
        publish(&path)
    }
}
