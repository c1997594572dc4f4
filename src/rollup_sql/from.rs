//! What the query reads: a table, or the configured files.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::columns::{Columns, Known, Type};
use super::dialect::Dialect;
use super::expression::Result;
use super::{SqlRequest, unsupported};
use crate::events::config::{Delimiter, EventsConfig, Format};
use crate::events::input::files;
use crate::events::input::log_file::LogFile;
use crate::events::input::log_file::extension;
use crate::events::input::open::open_text;
use crate::events::input::{parquet, text_chunks};
use crate::events::{EventsError, SqlRemedy};

/// The name of the table where none is given.
const DEFAULT_TABLE: &str = "events";

/// What the query reads.
pub(crate) struct From {
    pub(crate) columns: Columns,
    pub(crate) format: Option<Format>,
    /// The table; `None` to read the files.
    table: Option<String>,
    /// Whether DuckDB can only read the files leniently, so that it cuts rows that have too many columns.
    pub(crate) lenient: bool,
}

/// Bytes at the beginning of a file that are looked at.
const LOOKED_AT: u64 = 1 << 20;

/// Whether the beginning of a text file has line ends of two kinds, or quotes where DuckDB's strict mode wants none, for
/// which it rejects the whole file.
fn is_irregular(file: &LogFile) -> Result<bool> {
    let fail = |source| EventsError::Io {
        path: file.path.clone(),
        source,
    };
    let mut text = Vec::new();
    open_text(&file.path, Arc::default())?
        .take(LOOKED_AT)
        .read_to_end(&mut text)
        .map_err(fail)?;
    let line_ends = text.iter().filter(|byte| **byte == b'\n').count();
    let with_return = memchr::memmem::find_iter(&text, b"\r\n").count();
    let ends_field = |byte: u8| matches!(byte, b',' | b';' | b'\t' | b'|' | b'"' | b'\r' | b'\n');
    // A quote between two letters neither begins nor ends a field.
    let is_stray = |bytes: &[u8]| matches!(bytes, [before, b'"', after] if !ends_field(*before) && !ends_field(*after));
    let stray = text.windows(3).any(is_stray);
    Ok(stray || (with_return > 0 && with_return < line_ends))
}

impl From {
    pub(crate) fn new(request: &SqlRequest<'_>) -> Result<Self> {
        let given = request.table.map(str::to_owned);
        let table =
            given.or_else(|| (!request.dialect.reads_files()).then(|| DEFAULT_TABLE.to_owned()));
        let found = match files::find(request.config, request.base_dir, &[]) {
            Ok(found) => found.files,
            // The files may lie where only the engine sees them.
            Err(EventsError::NoFiles { .. } | EventsError::NoPaths) if table.is_some() => {
                Vec::new()
            }
            Err(EventsError::NoFiles { .. })
                if request.config.paths.iter().all(|path| is_url(path)) =>
            {
                Vec::new()
            }
            Err(error) => return Err(error),
        };
        let format = format(request, &found)?;
        let text = matches!(format, Some(Format::Csv | Format::Jsonl));
        let known = found
            .first()
            .map(|file| known(file, request.config))
            .transpose()?
            .flatten();
        let configured = request
            .config
            .columns
            .as_ref()
            .filter(|_| format == Some(Format::Csv));
        let configured = configured.map(|names| {
            (
                request.base_dir.to_owned(),
                names
                    .iter()
                    .map(|name| (name.clone(), Type::Text))
                    .collect(),
            )
        });
        let from_files = table.is_none();
        let lenient = from_files
            && format == Some(Format::Csv)
            && request.dialect == Dialect::DuckDb
            && found
                .iter()
                .map(is_irregular)
                .collect::<Result<Vec<bool>>>()?
                .contains(&true);
        let columns = Columns {
            known: known.or(configured),
            text,
            from_files,
            untyped: format == Some(Format::Jsonl),
        };
        Ok(Self {
            columns,
            format,
            table,
            lenient,
        })
    }

    pub(crate) fn is_table(&self) -> bool {
        self.table.is_some()
    }

    /// The query for the columns of these names.
    pub(crate) fn sql(&self, request: &SqlRequest<'_>, names: &[String]) -> Result<String> {
        let dialect = request.dialect;
        let quoted = |name: &String| dialect.quote(name);
        let list = names.iter().map(quoted).collect::<Vec<_>>().join(", ");
        if let Some(table) = &self.table {
            return Ok(format!("SELECT {list} FROM {table}"));
        }
        match dialect {
            Dialect::Spark => self.spark(request, names),
            _ => Ok(format!("SELECT {list} FROM {}", self.duckdb(request)?)),
        }
    }

    fn duckdb(&self, request: &SqlRequest<'_>) -> Result<String> {
        let text = |text: &str| request.dialect.text(text);
        let mut paths = Vec::new();
        for path in paths_of(request) {
            if path.is_dir() {
                let inside = files::find(
                    request.config,
                    request.base_dir,
                    std::slice::from_ref(&path),
                )?;
                paths.extend(
                    inside
                        .files
                        .into_iter()
                        .map(|file| text(&file.path.to_string_lossy())),
                );
            } else {
                paths.push(text(&path.to_string_lossy()));
            }
        }
        let paths = format!("[{}]", paths.join(", "));
        if self.format == Some(Format::Parquet) {
            return Ok(format!("READ_PARQUET({paths}, union_by_name = true)"));
        }
        let delimiter = text(&char::from(delimiter(request)?).to_string());
        let names = match &request.config.columns {
            None => "header = true, union_by_name = true".to_owned(),
            Some(names) => {
                let names: Vec<String> = names.iter().map(|name| text(name)).collect();
                format!("header = false, names = [{}]", names.join(", "))
            }
        };
        Ok(format!(
            "READ_CSV({paths}, {names}, delim = {delimiter}, quote = '\"', escape = '\"', comment = '', skip = 0, \
             all_varchar = true, ignore_errors = true, null_padding = false, strict_mode = {})",
            !self.lenient
        ))
    }

    fn spark(&self, request: &SqlRequest<'_>, names: &[String]) -> Result<String> {
        let dialect = request.dialect;
        let column = |name: &String| {
            let given = request
                .config
                .columns
                .as_ref()
                .filter(|_| self.format == Some(Format::Csv));
            match given.and_then(|columns| columns.iter().position(|column| column == name)) {
                Some(position) => format!("_c{position} AS {}", dialect.quote(name)),
                None => dialect.quote(name),
            }
        };
        let list = names.iter().map(column).collect::<Vec<_>>().join(", ");
        let (reader, options) = if self.format == Some(Format::Parquet) {
            ("parquet", "WITH (recursiveFileLookup = 'true')".to_owned())
        } else {
            let delimiter = dialect.text(&char::from(delimiter(request)?).to_string());
            let header = request.config.columns.is_none();
            let options = format!(
                "WITH (header = '{header}', delimiter = {delimiter}, quote = '\"', escape = '\"', multiLine = 'true', \
                 mode = 'DROPMALFORMED', columnPruning = 'false', enforceSchema = 'false', recursiveFileLookup = 'true')"
            );
            ("csv", options)
        };
        let part = |path: PathBuf| {
            format!(
                "SELECT {list} FROM {reader}.{} {options}",
                dialect.quote(&path.to_string_lossy())
            )
        };
        Ok(paths_of(request)
            .into_iter()
            .map(part)
            .collect::<Vec<_>>()
            .join("\n  UNION ALL "))
    }
}

fn is_url(path: &str) -> bool {
    path.contains("://")
}

/// The configured paths as the engine is to find them: URLs as they are, the others from the root.
fn paths_of(request: &SqlRequest<'_>) -> Vec<PathBuf> {
    let base =
        std::path::absolute(request.base_dir).unwrap_or_else(|_| request.base_dir.to_owned());
    let full = |path: &String| {
        if is_url(path) {
            PathBuf::from(path)
        } else {
            base.join(path)
        }
    };
    request.config.paths.iter().map(full).collect()
}

/// The one format of the log, if it is known.
fn format(request: &SqlRequest<'_>, found: &[LogFile]) -> Result<Option<Format>> {
    let of_path = |path: &String| match extension(Path::new(path)).as_str() {
        "csv" | "txt" | "tsv" => Some(Format::Csv),
        "jsonl" | "ndjson" | "json" => Some(Format::Jsonl),
        "parquet" => Some(Format::Parquet),
        _ => None,
    };
    let mut formats: Vec<Option<Format>> = match (request.config.format, found) {
        (Some(format), _) => vec![Some(format)],
        (None, []) => request.config.paths.iter().map(of_path).collect(),
        (None, found) => found.iter().map(|file| Some(file.format)).collect(),
    };
    formats.dedup();
    let reads_files = request.table.is_none() && request.dialect.reads_files();
    match formats.as_slice() {
        [Some(Format::Rollup)] => Err(unsupported(
            request,
            "format",
            "a roll-up",
            "it needs no query; give it to ebb-train",
        )),
        [Some(Format::Jsonl)] if reads_files => Err(unsupported(
            request,
            "format",
            "JSON Lines",
            SqlRemedy::Table("load them into a table, and read the table instead".into()),
        )),
        [] | [None] if !reads_files => Ok(None),
        [Some(format)] => Ok(Some(*format)),
        _ => Err(unsupported(
            request,
            "paths",
            "a log of several or unknown formats",
            SqlRemedy::Table("set events.format, or read a table instead".into()),
        )),
    }
}

/// The names and types of a file's columns; `None` where each line has its own.
fn known(file: &LogFile, config: &EventsConfig) -> Result<Option<Known>> {
    let columns = match file.format {
        Format::Jsonl | Format::Rollup => return Ok(None),
        Format::Csv => {
            let names: Arc<Vec<String>> = text_chunks::column_names(file, config)?;
            names
                .iter()
                .map(|name| (name.clone(), Type::Text))
                .collect()
        }
        Format::Parquet => {
            let metadata = parquet::metadata(file)?;
            metadata
                .schema()
                .fields()
                .iter()
                .map(|f| (f.name().clone(), Type::from(f.data_type())))
                .collect()
        }
    };
    Ok(Some((file.path.clone(), columns)))
}

/// What separates the columns of the files.
fn delimiter(request: &SqlRequest<'_>) -> Result<u8> {
    match request.config.delimiter {
        Some(Delimiter::Byte(byte)) => Ok(byte),
        Some(Delimiter::Whitespace) => {
            let instead = "load the files into a table, and read the table instead";
            Err(unsupported(
                request,
                "delimiter",
                "columns between runs of whitespace",
                SqlRemedy::Table(instead.into()),
            ))
        }
        None if request
            .config
            .paths
            .iter()
            .all(|path| extension(Path::new(path)) == "tsv") =>
        {
            Ok(b'\t')
        }
        None if request
            .config
            .paths
            .iter()
            .any(|path| extension(Path::new(path)) == "tsv") =>
        {
            Err(unsupported(
                request,
                "paths",
                "a mix of .csv and .tsv files",
                SqlRemedy::Table("set events.delimiter, or read a table instead".into()),
            ))
        }
        None => Ok(b','),
    }
}
