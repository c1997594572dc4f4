//! The files that scores and skipped users go to.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use arrow_schema::{ArrowError, SchemaRef};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::rows::{Chunk, Encoding};
use super::{ScoresError, Target};
use crate::columnar::table::Table;
use crate::lifecycle::NotEligible;
use crate::output::{Destination, Staged, visible_lines};

/// Where rows go.
pub(crate) enum Sink {
    Text {
        output: Box<dyn Write>,
        target: Target,
        staged: Option<Staged>,
    },
    Parquet {
        table: Box<Table>,
        path: PathBuf,
        staged: Staged,
    },
}

impl Sink {
    /// A sink of rows with these columns in the CSV form, or of this schema in the Parquet form; and how it takes rows.
    pub(crate) fn open(
        target: &Target,
        csv_columns: &[String],
        schema: impl FnOnce() -> Result<SchemaRef, ArrowError>,
    ) -> Result<(Self, Encoding), ScoresError> {
        let (mut output, staged): (Box<dyn Write>, _) = match target {
            Target::Stdout => {
                let stdout = std::io::stdout().lock();
                // Programs get the ids as they are; a terminal would obey what they hold.
                let output: Box<dyn Write> = if stdout.is_terminal() {
                    Box::new(Visible(stdout))
                } else {
                    Box::new(BufWriter::new(stdout))
                };
                (output, None)
            }
            Target::Csv(path) => {
                let staged = Staged::new(Destination::file(path)?)?;
                (Box::new(BufWriter::new(staged.file()?)), Some(staged))
            }
            Target::Parquet(path) => {
                let schema = schema().map_err(|source| ScoresError::Batch {
                    source: source.into(),
                })?;
                return Self::open_parquet(path, &schema);
            }
        };
        let header = csv_columns.join(",") + "\n";
        let io = |source| ScoresError::Io {
            path: target.path().to_owned(),
            source,
        };
        output.write_all(header.as_bytes()).map_err(io)?;
        Ok((
            Self::Text {
                output,
                target: target.clone(),
                staged,
            },
            Encoding::Csv,
        ))
    }

    fn open_parquet(path: &Path, schema: &SchemaRef) -> Result<(Self, Encoding), ScoresError> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .build();
        let failed = |source| ScoresError::Parquet {
            path: path.to_owned(),
            source,
        };
        let staged = Staged::new(Destination::file(path)?)?;
        let (table, encoder) = Table::new(staged.file()?, schema, properties).map_err(failed)?;
        let sink = Self::Parquet {
            table: Box::new(table),
            path: path.to_owned(),
            staged,
        };
        Ok((sink, Encoding::Parquet(Box::new(encoder))))
    }

    pub(crate) fn write(&mut self, rows: Chunk) -> Result<(), ScoresError> {
        match (self, rows) {
            (Self::Text { output, target, .. }, Chunk::Csv(text)) => {
                output.write_all(&text).map_err(|source| ScoresError::Io {
                    path: target.path().to_owned(),
                    source,
                })
            }
            (Self::Parquet { table, path, .. }, Chunk::Parquet(group)) => {
                table.append(group).map_err(|source| ScoresError::Parquet {
                    path: path.clone(),
                    source,
                })
            }
            // The scorer is told the form that the sink was opened for.
            _ => Ok(()),
        }
    }

    /// Completes the file, still under its temporary name.
    pub(crate) fn close(self) -> Result<Option<Staged>, ScoresError> {
        match self {
            Self::Parquet {
                table,
                path,
                staged,
            } => {
                table
                    .close()
                    .map_err(|source| ScoresError::Parquet { path, source })?;
                Ok(Some(staged))
            }
            Self::Text {
                mut output,
                target,
                staged,
            } => {
                output.flush().map_err(|source| ScoresError::Io {
                    path: target.path().to_owned(),
                    source,
                })?;
                Ok(staged)
            }
        }
    }
}

/// Whole lines of text, written with control characters written out.
struct Visible<W>(W);

impl<W: Write> Write for Visible<W> {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(lines);
        self.0.write_all(visible_lines(&text).as_bytes())?;
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Users that are not scored, with the reason.
pub(crate) struct Skipped(Option<(csv::Writer<BufWriter<File>>, Staged)>);

impl Skipped {
    pub(crate) fn open(target: &Target) -> Result<Self, ScoresError> {
        let Some(path) = target.skipped_path() else {
            return Ok(Self(None));
        };
        let staged = Staged::new(Destination::file(&path)?)?;
        let mut writer = csv::Writer::from_writer(BufWriter::new(staged.file()?));
        let failed = |source| ScoresError::Csv {
            path: path.clone(),
            source,
        };
        writer.write_record(["user_id", "reason"]).map_err(failed)?;
        Ok(Self(Some((writer, staged))))
    }

    pub(crate) fn write(&mut self, user: &str, reason: NotEligible) -> Result<(), ScoresError> {
        let Some((writer, staged)) = &mut self.0 else {
            return Ok(());
        };
        let failed = |source| ScoresError::Csv {
            path: staged.destination().given().to_owned(),
            source,
        };
        writer.write_record([user, reason.name()]).map_err(failed)
    }

    /// Completes the file, still under its temporary name.
    pub(crate) fn close(self) -> Result<Option<Staged>, ScoresError> {
        let Some((mut writer, staged)) = self.0 else {
            return Ok(None);
        };
        let flushed = writer.flush();
        flushed.map_err(|source| ScoresError::Io {
            path: staged.destination().given().to_owned(),
            source,
        })?;
        Ok(Some(staged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_no_control_characters_of_ids() {
        let mut lines = Visible(Vec::new());
        lines
            .write_all("u\u{1b}]0;title\u{7},2025-06-24\nü,x\n".as_bytes())
            .unwrap();
        assert_eq!(
            String::from_utf8(lines.0).unwrap(),
            "u\\u001b]0;title\\u0007,2025-06-24\nü,x\n"
        );
    }
}
