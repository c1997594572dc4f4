//! A sample of a log's rows, from places spread over its files, and how the files are written.

mod json;
mod layout;
mod parquet;
mod records;
mod text;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::InitError;
use crate::columnar::Cell;
use crate::events::config::{Decimal, Delimiter, Format, Mapping};
use crate::events::input::files;
use crate::events::input::log_file::{LogFile, format_by_name};
use crate::events::input::open::first_bytes;
use crate::events::input::parquet as parquet_reader;
use crate::events::{EventsConfig, EventsError};
use crate::math::evenly;
use crate::phases::{Phases, Unit};

/// Rows that are looked at in all files together.
const MOST_ROWS: usize = 24_000;
/// Files that are looked at; of more, some at even distances.
const MOST_FILES: usize = 16;

/// Some rows of a log.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    /// The columns, all with as many values as there are rows.
    pub(crate) columns: Vec<SampleColumn>,
    pub(crate) rows: usize,
    /// Records that do not have as many columns as the others.
    pub(crate) malformed: usize,
}

/// One column of the sample.
#[derive(Debug)]
pub(crate) struct SampleColumn {
    pub(crate) name: String,
    /// How a configuration names it.
    pub(crate) mapping: Mapping,
    pub(crate) values: Vec<Value>,
}

/// A value as text, and what it is by its own type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Value {
    pub(crate) text: String,
    pub(crate) nature: Nature,
}

/// What a value is by its own type; values of text files are texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nature {
    Empty,
    Text,
    Number,
    Bool,
    Day,
    /// A date and time without a zone.
    Local,
    Instant,
    /// A list or a structure.
    Nested,
}

/// How the files are written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layout {
    /// The format of the first file.
    pub(crate) format: Format,
    /// Whether the names of the files do not give the format.
    pub(crate) is_format_set: bool,
    /// What separates the columns, where it is not what is taken without a setting.
    pub(crate) delimiter: Option<Delimiter>,
    /// The names of the columns, where the files have no header.
    pub(crate) columns: Option<Vec<String>>,
    /// Columns with bytes that are not UTF-8.
    pub(crate) not_utf8: Vec<String>,
    /// What separates fractions in a file with such a delimiter, where nothing else shows it.
    pub(crate) usual_decimal: Decimal,
}

/// How the files of a log are written, and some of their rows.
#[derive(Debug)]
pub struct Sampled {
    pub(crate) layout: Layout,
    /// `None` where the files are a roll-up, which needs no mapping.
    pub(crate) sample: Option<Sample>,
}

/// Finds the files and reads rows of them.
pub(crate) fn read(given: &[PathBuf], phases: Phases<'_>) -> Result<Sampled, InitError> {
    let format = unnamed_format(given)?;
    let config = EventsConfig {
        format,
        ..EventsConfig::default()
    };
    let found = files::find(&config, Path::new("."), given)?.files;
    let first = found.first().ok_or(EventsError::NoPaths)?;
    let mut layout = Layout {
        format: first.format,
        is_format_set: format.is_some(),
        delimiter: None,
        columns: None,
        not_utf8: Vec::new(),
        usual_decimal: Decimal::Point,
    };
    if let Some(other) = found.iter().find(|file| file.format != first.format) {
        return Err(InitError::Formats {
            one: first.path.clone(),
            other: other.path.clone(),
        });
    }
    let is_rollup = first.format == Format::Parquet && parquet_reader::is_rollup(first, None)?;
    let sample = match is_rollup {
        true => None,
        false => Some(rows(&found, &mut layout, phases)?),
    };
    Ok(Sampled { layout, sample })
}

/// The format of given files whose names do not give it, by their first bytes.
fn unnamed_format(given: &[PathBuf]) -> Result<Option<Format>, InitError> {
    let unnamed = given
        .iter()
        .find(|path| path.is_file() && format_by_name(path).is_none());
    let Some(path) = unnamed else {
        return Ok(None);
    };
    if first_bytes(path, 4)? == b"PAR1" {
        return Ok(Some(Format::Parquet));
    }
    let head = text::head(path)?;
    let is_object = head.trim_ascii_start().starts_with(b"{");
    Ok(Some(if is_object {
        Format::Jsonl
    } else {
        Format::Csv
    }))
}

/// Rows of files at even distances.
fn rows(found: &[LogFile], layout: &mut Layout, phases: Phases<'_>) -> Result<Sample, InitError> {
    let chosen: Vec<&LogFile> = evenly(found.len(), MOST_FILES)
        .map(|at| &found[at])
        .collect();
    let most_rows = MOST_ROWS / chosen.len().max(1);
    let bytes = chosen.iter().map(|file| file.bytes).sum();
    let phase = phases.begin("looking at the log", bytes, Unit::Bytes);
    let mut sample = Sample::default();
    for (at, file) in chosen.iter().enumerate() {
        let part = match file.format {
            Format::Parquet | Format::Rollup => parquet::read(file, most_rows, &phase)?,
            Format::Jsonl => json::read(file, most_rows, &phase)?,
            Format::Csv => {
                if at == 0 {
                    layout::find(file, layout)?;
                }
                records::read(file, layout, most_rows, &phase)?
            }
        };
        // Keys of JSON may be absent from a file; columns may not.
        if at > 0 && layout.format != Format::Jsonl {
            check_columns(chosen[0], &sample, file, &part)?;
        }
        sample.append(part);
    }
    phase.finish();
    if sample.rows == 0 {
        return Err(InitError::NoRows {
            path: chosen[0].path.clone(),
            malformed: sample.malformed,
        });
    }
    Ok(sample)
}

/// An error where two files do not have the same columns.
fn check_columns(
    first: &LogFile,
    sample: &Sample,
    file: &LogFile,
    part: &Sample,
) -> Result<(), InitError> {
    let names = |sample: &Sample| -> HashSet<String> {
        sample.columns.iter().map(|c| c.name.clone()).collect()
    };
    let (one, other) = (names(sample), names(part));
    if one == other {
        return Ok(());
    }
    let listed = |of: &HashSet<String>, without: &HashSet<String>| {
        let mut names: Vec<&str> = of.difference(without).map(String::as_str).collect();
        names.sort_unstable();
        names.join(", ")
    };
    Err(InitError::Columns {
        one: first.path.clone(),
        only_one: listed(&one, &other),
        other: file.path.clone(),
        only_other: listed(&other, &one),
    })
}

impl Value {
    /// No value.
    pub(crate) fn empty() -> Self {
        Self {
            text: String::new(),
            nature: Nature::Empty,
        }
    }

    /// A text; one of blanks is no value.
    pub(crate) fn text(text: &str) -> Self {
        match text.trim() {
            "" => Self::empty(),
            text => Self {
                text: text.to_owned(),
                nature: Nature::Text,
            },
        }
    }

    /// The value of a cell.
    pub(crate) fn of(cell: Cell<'_>) -> Self {
        let nature = match cell {
            Cell::Null => return Self::empty(),
            Cell::Text(text) => return Self::text(text),
            Cell::Float(value) if value.is_nan() => return Self::empty(),
            Cell::Int(_)
            | Cell::Uint(_)
            | Cell::Float(_)
            | Cell::Single(_)
            | Cell::Decimal { .. } => Nature::Number,
            Cell::Bool(_) => Nature::Bool,
            Cell::Day(_) => Nature::Day,
            Cell::Time { zoned: true, .. } => Nature::Instant,
            Cell::Time { zoned: false, .. } => Nature::Local,
            Cell::Nested => Nature::Nested,
        };
        Self {
            text: cell.to_string(),
            nature,
        }
    }
}

impl Sample {
    /// Columns of these names without rows.
    pub(crate) fn of_columns(names: &[String]) -> Self {
        let column = |name: &String| SampleColumn {
            name: name.clone(),
            mapping: Mapping::Column(name.clone()),
            values: Vec::new(),
        };
        Self {
            columns: names.iter().map(column).collect(),
            ..Self::default()
        }
    }

    /// Adds a row; columns beyond its values have none.
    pub(crate) fn push(&mut self, values: impl Iterator<Item = Value>) {
        let mut values = values;
        for column in &mut self.columns {
            column
                .values
                .push(values.next().unwrap_or_else(Value::empty));
        }
        self.rows += 1;
    }

    /// Adds the rows of another file, by the names of the columns.
    fn append(&mut self, part: Self) {
        for column in part.columns {
            match self.columns.iter_mut().find(|own| own.name == column.name) {
                Some(own) => own.values.extend(column.values),
                None => {
                    let mut values = vec![Value::empty(); self.rows];
                    values.extend(column.values);
                    self.columns.push(SampleColumn { values, ..column });
                }
            }
        }
        self.rows += part.rows;
        self.malformed += part.malformed;
        for column in &mut self.columns {
            column.values.resize(self.rows, Value::empty());
        }
    }
}
