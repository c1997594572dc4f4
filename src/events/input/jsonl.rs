//! Rows of JSON Lines.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::chunks::TextChunk;
use super::csv::reject_too_long;
use super::json_value::Slot;
use super::log_file::LogFile;
use crate::columnar::Cell;
use crate::events::EventsError;
use crate::events::config::Field;
use crate::events::ingest::RowSink;
use crate::events::mapping::field::{NotUtf8, Row, unknown_column};
use crate::events::mapping::mapper::Mapper;
use crate::events::quality::duplicates::hash_bytes;
use crate::events::quality::rejection::{Rejection, RejectionReason};

/// Lines of a file whose keys are remembered for the message about a missing one.
const LINES_WITH_NAMES: u64 = 1_000;

/// Objects after which every log must have had a user and a time.
const OBJECTS_WITHOUT_USER: u64 = 10_000;

/// The keys in use and which of them any line of the log has had.
///
/// A key may be absent from many lines, so only after the whole log is it known to be missing.
#[derive(Default)]
pub(crate) struct SeenKeys {
    keys: Vec<(Field, String)>,
    seen: Vec<bool>,
    others: BTreeSet<String>,
    objects: u64,
    file: PathBuf,
}

impl SeenKeys {
    /// Takes up a file: the keys in use are those of the first.
    pub(crate) fn start(&mut self, file: &Path, keys: Vec<(Field, String)>) -> Vec<String> {
        if self.keys.is_empty() {
            self.seen = vec![false; keys.len()];
            self.keys = keys;
            self.file = file.to_owned();
        }
        self.keys.iter().map(|(_, name)| name.clone()).collect()
    }

    /// Adds what another thread has seen.
    pub(crate) fn merge(&mut self, other: Self) {
        if self.keys.is_empty() {
            *self = other;
            return;
        }
        self.seen
            .iter_mut()
            .zip(other.seen)
            .for_each(|(mine, theirs)| *mine |= theirs);
        self.others.extend(other.others);
        self.objects += other.objects;
        if !other.keys.is_empty() {
            self.file = std::mem::take(&mut self.file).min(other.file);
        }
    }

    /// An error for the first key of these fields that no object had.
    pub(crate) fn check(&self, fields: &[Field]) -> Result<(), EventsError> {
        let mut missing = self
            .keys
            .iter()
            .zip(&self.seen)
            .filter(|((field, _), seen)| !**seen && fields.contains(field));
        let Some(((field, name), _)) = missing.next().filter(|_| self.objects > 0) else {
            return Ok(());
        };
        let used = self
            .keys
            .iter()
            .zip(&self.seen)
            .filter(|(_, seen)| **seen)
            .map(|((_, name), _)| name.clone());
        let mut names: Vec<String> = used.chain(self.others.iter().cloned()).collect();
        names.sort();
        Err(unknown_column(&self.file, *field, name, &names))
    }
}

/// Reads a chunk of one JSON object a line; the number of rows.
pub(crate) fn read(
    mapper: &mut Mapper,
    sink: &mut RowSink<'_>,
    file: &LogFile,
    chunk: &TextChunk,
    keys: &mut SeenKeys,
) -> Result<u64, EventsError> {
    let names: Vec<String> = keys.keys.iter().map(|(_, name)| name.clone()).collect();
    let mut slots = vec![Slot::Cell(Cell::Null); names.len()];
    let mut depths = vec![u8::MAX; names.len()];
    let mut rows = 0;
    for (line, number) in chunk
        .bytes
        .split(|byte| *byte == b'\n')
        .zip(chunk.lines_before + 1..)
    {
        let object = line.trim_ascii();
        if object.is_empty() {
            continue;
        }
        if chunk.is_first && rows == 0 && object.starts_with(b"[") {
            return Err(EventsError::JsonArray {
                path: file.path.clone(),
            });
        }
        rows += 1;
        if line.len() > chunk.limits.bytes {
            reject_too_long(sink, object, chunk.limits, number)?;
            continue;
        }
        sink.compare(hash_bytes(0, object));
        // Keys of all lines would take too long to collect; the first lines show what there is.
        let others = (number <= LINES_WITH_NAMES).then_some(&mut keys.others);
        match parse(
            object,
            &names,
            &mut slots,
            &mut depths,
            &mut keys.seen,
            others,
        ) {
            Ok(()) => {
                keys.objects += 1;
                if keys.objects == OBJECTS_WITHOUT_USER {
                    keys.check(&[Field::User, Field::Time])?;
                }
                sink.take(mapper.read(&JsonRow(&slots)), || number)?;
            }
            Err(rejection) => sink.reject(rejection, || number)?,
        }
    }
    Ok(rows)
}

fn parse<'l>(
    object: &'l [u8],
    names: &[String],
    slots: &mut [Slot<'l>],
    depths: &mut [u8],
    seen: &mut [bool],
    others: Option<&mut BTreeSet<String>>,
) -> Result<(), Rejection> {
    let reject = |reason, expected: String| {
        let value = String::from_utf8_lossy(object).into_owned();
        Rejection {
            reason,
            field: Field::Row,
            value,
            expected: expected.into(),
        }
    };
    let text = std::str::from_utf8(object);
    let text = text.map_err(|_| reject(RejectionReason::NotUtf8, "text in UTF-8".to_owned()))?;
    slots.fill(Slot::Cell(Cell::Null));
    depths.fill(u8::MAX);
    let mut json = serde_json::Deserializer::from_str(text);
    let parsed = Object {
        names,
        prefix: "",
        depth: 0,
        slots,
        depths,
        seen,
        others,
    }
    .deserialize(&mut json)
    .and_then(|()| json.end());
    parsed.map_err(|error| reject(RejectionReason::BadJson, format!("a JSON object: {error}")))
}

/// Keeps the values of the wanted keys and passes over the rest. A key is wanted by its own name, or by a name that goes
/// down through objects, with dots between: `user.id` is the key `id` of the object `user`, unless there is a key `user.id`.
struct Object<'a, 'l> {
    names: &'a [String],
    /// The way to this object: the keys above it, each with a dot behind.
    prefix: &'a str,
    /// How many objects are above this one.
    depth: u8,
    slots: &'a mut [Slot<'l>],
    /// At which depth each value was found; the highest counts.
    depths: &'a mut [u8],
    seen: &'a mut [bool],
    others: Option<&'a mut BTreeSet<String>>,
}

impl<'l> DeserializeSeed<'l> for Object<'_, 'l> {
    type Value = ();

    fn deserialize<D: Deserializer<'l>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'l> Visitor<'l> for Object<'_, 'l> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'l>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(wanted) = map.next_key_seed(Key {
            names: self.names,
            prefix: self.prefix,
            others: self.others.as_deref_mut(),
        })? {
            if wanted == Wanted::default() {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let value: &'l RawValue = map.next_value()?;
            if let Some(at) = wanted.position
                && self.depth <= self.depths[at]
            {
                self.slots[at] = Slot::of(value.get()).map_err(A::Error::custom)?;
                self.depths[at] = self.depth;
                self.seen[at] = true;
            }
            if let Some(prefix) = wanted.above {
                self.descend(&prefix, value.get())
                    .map_err(A::Error::custom)?;
            }
        }
        Ok(())
    }
}

impl<'l> Object<'_, 'l> {
    /// Looks into an object below this one; values of other types have nothing in them.
    fn descend(&mut self, prefix: &str, json: &'l str) -> Result<(), serde_json::Error> {
        if !json.starts_with('{') {
            return Ok(());
        }
        let below = Object {
            names: self.names,
            prefix,
            // A name has fewer dots than the library reads objects inside of one another.
            depth: self.depth.saturating_add(1),
            slots: self.slots,
            depths: self.depths,
            seen: self.seen,
            others: self.others.as_deref_mut(),
        };
        below.deserialize(&mut serde_json::Deserializer::from_str(json))
    }
}

/// What a key is wanted for.
#[derive(Debug, Default, PartialEq)]
struct Wanted {
    /// The position of its name among the wanted ones.
    position: Option<usize>,
    /// The way to what is below it, where a wanted name goes on there.
    above: Option<String>,
}

/// A key, and what it is wanted for.
struct Key<'a> {
    names: &'a [String],
    prefix: &'a str,
    others: Option<&'a mut BTreeSet<String>>,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Wanted;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Wanted, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Wanted;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Wanted, E> {
        let below = |name: &'_ String| {
            let rest = name.strip_prefix(self.prefix)?.strip_prefix(key)?;
            Some(rest.is_empty() || rest.starts_with('.')).filter(|is_meant| *is_meant)?;
            Some(rest.is_empty())
        };
        let mut wanted = Wanted::default();
        for (position, name) in self.names.iter().enumerate() {
            match below(name) {
                Some(true) => wanted.position = Some(position),
                Some(false) if wanted.above.is_none() => {
                    wanted.above = Some(format!("{}{key}.", self.prefix));
                }
                _ => {}
            }
        }
        if let (None, Some(others)) = (wanted.position, self.others) {
            let full = format!("{}{key}", self.prefix);
            if !others.contains(&full) {
                others.insert(full);
            }
        }
        Ok(wanted)
    }
}

struct JsonRow<'a>(&'a [Slot<'a>]);

impl Row for JsonRow<'_> {
    fn cell(&self, column: usize) -> Result<Cell<'_>, NotUtf8> {
        Ok(self.0.get(column).map_or(Cell::Null, Slot::cell))
    }

    fn nested(&self, column: usize) -> cel::Value {
        match self.0.get(column) {
            Some(Slot::Nested(value)) => value.clone(),
            _ => cel::Value::Null,
        }
    }
}
