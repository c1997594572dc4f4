//! The format of a file by its name, or by what is in it.

use std::io::{BufRead, Read};
use std::path::Path;
use std::sync::Arc;

use super::log_file::LogFile;
use super::open::{first_bytes, open_text};
use super::text_chunks::column_names;
use crate::events::EventsError;
use crate::events::config::{EventsConfig, Format};
use crate::events::mapping::field::Columns;
use crate::events::mapping::mapper::Mapper;

/// Bytes of a first line of JSON that are looked at.
const LINE_BYTES: u64 = 1 << 20;

/// The format of a file that holds events of this log: Parquet by its first bytes, and text where the first line has the
/// columns that the configuration names, as keys of a JSON object or as a header.
pub(crate) fn format_by_content(
    path: &Path,
    config: &EventsConfig,
) -> Result<Option<Format>, EventsError> {
    if first_bytes(path, 4)? == b"PAR1" {
        return Ok(Some(Format::Parquet));
    }
    let Some(mut mapper) = Mapper::new(config, None)? else {
        return Ok(None);
    };
    let Ok(text) = open_text(path, Arc::default()) else {
        return Ok(None);
    };
    let mut line = Vec::new();
    if text.take(LINE_BYTES).read_until(b'\n', &mut line).is_err() {
        return Ok(None);
    }
    if let Ok(serde_json::Value::Object(object)) = serde_json::from_slice(&line) {
        let has_any = mapper
            .names()
            .iter()
            .any(|(_, name)| has_key(&object, name));
        return Ok(has_any.then_some(Format::Jsonl));
    }
    let file = LogFile {
        path: path.to_owned(),
        shown: String::new(),
        format: Format::Csv,
        bytes: 0,
    };
    let first_line = EventsConfig {
        columns: None,
        ..config.clone()
    };
    let Ok(names) = column_names(&file, &first_line) else {
        return Ok(None);
    };
    let is_log = match &config.columns {
        Some(columns) => columns.len() > 1 && names.len() == columns.len(),
        None => mapper
            .bind(&Columns {
                path,
                names: &names,
            })
            .is_ok(),
    };
    Ok(is_log.then_some(Format::Csv))
}

/// Whether an object has a key of this name, or objects below each other that it goes down through with dots.
fn has_key(object: &serde_json::Map<String, serde_json::Value>, name: &str) -> bool {
    let below = || {
        name.match_indices('.').any(|(dot, _)| {
            let (key, rest) = (&name[..dot], &name[dot + 1..]);
            let inside = object.get(key).and_then(serde_json::Value::as_object);
            inside.is_some_and(|inside| has_key(inside, rest))
        })
    };
    object.contains_key(name) || below()
}
