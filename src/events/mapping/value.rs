use cel::Value;
use cel::objects::OptionalValue;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::columnar::Cell;

/// An expression's value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Owned {
    Null,
    Text(String),
    Int(i64),
    Uint(u64),
    Float(f64),
    Bool(bool),
    /// Unix seconds.
    Instant(i64),
    Nested,
}

/// Appends bytes that differ for different cells.
pub(crate) fn write_key(key: &mut Vec<u8>, cell: Cell<'_>) {
    let mut put = |tag: u8, bytes: &[u8]| {
        key.push(tag);
        key.extend_from_slice(bytes);
    };
    match cell {
        Cell::Null => put(0, &[]),
        Cell::Text(text) => {
            put(1, &(text.len() as u64).to_le_bytes());
            key.extend_from_slice(text.as_bytes());
        }
        Cell::Int(value) => put(2, &value.to_le_bytes()),
        Cell::Uint(value) => put(3, &value.to_le_bytes()),
        Cell::Float(value) => put(4, &value.to_bits().to_le_bytes()),
        Cell::Single(value) => put(11, &value.to_bits().to_le_bytes()),
        Cell::Decimal { unscaled, scale } => {
            put(5, &unscaled.to_le_bytes());
            key.extend_from_slice(&scale.to_le_bytes());
        }
        Cell::Bool(value) => put(6, &[u8::from(value)]),
        Cell::Day(number) => put(7, &number.to_le_bytes()),
        Cell::Time {
            ticks,
            per_s,
            zoned,
        } => {
            put(8 + u8::from(zoned), &ticks.to_le_bytes());
            key.extend_from_slice(&per_s.to_le_bytes());
        }
        Cell::Nested => put(10, &[]),
    }
}

/// A cell as CEL sees it: decimals are doubles, days and times are ISO 8601 text, which `timestamp()` reads.
pub(crate) fn value_of(cell: Cell<'_>, nested: impl FnOnce() -> Value) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Text(text) => Value::from(text),
        Cell::Int(value) => Value::Int(value),
        Cell::Uint(value) => Value::UInt(value),
        Cell::Float(_) | Cell::Single(_) | Cell::Decimal { .. } => {
            cell.number().map_or(Value::Null, Value::Float)
        }
        Cell::Bool(value) => Value::Bool(value),
        Cell::Day(_) => Value::from(cell.to_string()),
        Cell::Time {
            ticks,
            per_s,
            zoned,
        } => {
            let nanos = i128::from(ticks) * (1_000_000_000 / i128::from(per_s.max(1)));
            // What no clock has is written out for its message.
            let Ok(at) = Timestamp::from_nanosecond(nanos) else {
                return Value::from(cell.to_string());
            };
            let local = || TimeZone::UTC.to_datetime(at).to_string();
            Value::from(if zoned { at.to_string() } else { local() })
        }
        Cell::Nested => nested(),
    }
}

/// Whether a decimal has digits that a double drops.
pub(crate) fn has_many_digits(cell: Cell<'_>) -> bool {
    matches!(cell, Cell::Decimal { .. })
        && cell
            .number()
            .is_none_or(|number| Cell::Float(number).is_inexact())
}

impl From<&Value> for Owned {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::String(text) => Self::Text(text.to_string()),
            Value::Int(value) => Self::Int(*value),
            Value::UInt(value) => Self::Uint(*value),
            Value::Float(value) => Self::Float(*value),
            Value::Bool(value) => Self::Bool(*value),
            Value::Timestamp(at) => Self::Instant(at.timestamp()),
            Value::Opaque(_) => match <&OptionalValue>::try_from(value) {
                Ok(optional) => optional.value().map_or(Self::Null, Self::from),
                Err(_) => Self::Nested,
            },
            _ => Self::Nested,
        }
    }
}

impl Owned {
    /// The value as a cell of its own.
    pub(crate) fn cell(&self) -> Cell<'_> {
        match self {
            Self::Null => Cell::Null,
            Self::Text(text) => Cell::Text(text),
            Self::Int(value) => Cell::Int(*value),
            Self::Uint(value) => i64::try_from(*value).map_or(Cell::Uint(*value), Cell::Int),
            Self::Float(value) => Cell::Float(*value),
            Self::Bool(value) => Cell::Bool(*value),
            Self::Instant(ticks) => Cell::Time {
                ticks: *ticks,
                per_s: 1,
                zoned: true,
            },
            Self::Nested => Cell::Nested,
        }
    }
}
