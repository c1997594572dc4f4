//! Rows of JSON Lines, whose nested objects are columns with dotted names.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

use super::text::{Pieces, pieces, whole_lines};
use super::{Nature, Sample, SampleColumn, Value};
use crate::events::EventsError;
use crate::events::config::Mapping;
use crate::events::input::log_file::LogFile;
use crate::phases::Phase;

/// Objects inside of one another that are looked into.
const MOST_DEPTH: usize = 6;
/// Columns; a log whose keys are ids has more of them than any mapping needs.
const MOST_COLUMNS: usize = 400;

/// Rows of a file of one JSON object a line.
pub(crate) fn read(
    file: &LogFile,
    most_rows: usize,
    phase: &Phase<'_>,
) -> Result<Sample, EventsError> {
    let pieces = pieces(&file.path, phase)?;
    let (head_rows, block_rows) = pieces.rows(most_rows);
    let Pieces {
        head,
        is_whole,
        blocks,
    } = pieces;
    if head.trim_ascii_start().starts_with(b"[") {
        return Err(EventsError::JsonArray {
            path: file.path.clone(),
        });
    }
    let end = match is_whole {
        true => head.len(),
        false => memchr::memrchr(b'\n', &head).map_or(0, |end| end + 1),
    };
    let mut table = Table::default();
    table.read(head.get(..end).unwrap_or_default(), head_rows);
    for block in &blocks {
        let until = table.sample.rows + block_rows;
        table.read(whole_lines(block, b'\n'), until);
    }
    Ok(table.sample)
}

#[derive(Default)]
struct Table {
    sample: Sample,
    positions: HashMap<String, usize>,
}

impl Table {
    fn read(&mut self, bytes: &[u8], until: usize) {
        for line in bytes.split(|byte| *byte == b'\n') {
            let line = line.trim_ascii();
            if line.is_empty() || self.sample.rows >= until {
                continue;
            }
            match serde_json::from_slice(line) {
                Ok(Json::Object(object)) => {
                    self.flatten("", &object, 0);
                    self.sample.rows += 1;
                    for column in &mut self.sample.columns {
                        column.values.resize(self.sample.rows, Value::empty());
                    }
                }
                _ => self.sample.malformed += 1,
            }
        }
    }

    fn flatten(&mut self, prefix: &str, object: &Map<String, Json>, depth: usize) {
        for (key, json) in object {
            let name = format!("{prefix}{key}");
            match json {
                Json::Object(inside) if depth < MOST_DEPTH => {
                    self.flatten(&format!("{name}."), inside, depth + 1);
                }
                _ => self.put(name, value(json)),
            }
        }
    }

    fn put(&mut self, name: String, value: Value) {
        let rows = self.sample.rows;
        let next = self.sample.columns.len();
        if next >= MOST_COLUMNS && !self.positions.contains_key(&name) {
            return;
        }
        let at = *self.positions.entry(name.clone()).or_insert(next);
        if at == next {
            self.sample.columns.push(SampleColumn {
                mapping: Mapping::Column(name.clone()),
                name,
                values: vec![Value::empty(); rows],
            });
        }
        if let Some(column) = self.sample.columns.get_mut(at) {
            // A flat key with dots comes after the objects, as the reader has it, and takes their place.
            column.values.truncate(rows);
            column.values.push(value);
        }
    }
}

fn value(json: &Json) -> Value {
    let (text, nature) = match json {
        Json::Null => return Value::empty(),
        Json::String(text) => return Value::text(text),
        Json::Number(number) => (number.to_string(), Nature::Number),
        Json::Bool(value) => (value.to_string(), Nature::Bool),
        Json::Array(_) | Json::Object(_) => (String::new(), Nature::Nested),
    };
    Value { text, nature }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_objects_are_columns_with_dotted_names_and_absent_values_are_empty() {
        let mut table = Table::default();
        table.read(
            br#"{"user": {"id": 7, "tags": ["a"]}, "at": "2024-01-01"}
{"at": "2024-01-02", "properties": {"total": 9.5}}
not json
"#,
            10,
        );
        let Sample {
            columns,
            rows,
            malformed,
        } = &table.sample;
        assert_eq!((*rows, *malformed), (2, 1));
        let texts = |name: &str| -> Vec<(&str, Nature)> {
            let column = columns.iter().find(|c| c.name == name).unwrap();
            column
                .values
                .iter()
                .map(|v| (v.text.as_str(), v.nature))
                .collect()
        };
        assert_eq!(
            texts("user.id"),
            [("7", Nature::Number), ("", Nature::Empty)]
        );
        assert_eq!(
            texts("properties.total"),
            [("", Nature::Empty), ("9.5", Nature::Number)]
        );
        assert_eq!(
            texts("user.tags"),
            [("", Nature::Nested), ("", Nature::Empty)]
        );
    }
}
