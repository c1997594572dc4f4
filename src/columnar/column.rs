use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::*;
use arrow_schema::{DataType, TimeUnit};

use super::cell::Cell;

/// One column of a record batch.
pub(crate) struct Column<'a> {
    values: Values<'a>,
    /// For a dictionary: the position in `values` of each row's value.
    positions: Option<Positions<'a>>,
}

struct Positions<'a> {
    keys: &'a dyn Array,
    normalized: Vec<usize>,
}

enum Values<'a> {
    Null,
    Utf8(&'a StringArray),
    LargeUtf8(&'a LargeStringArray),
    Utf8View(&'a StringViewArray),
    Int8(&'a Int8Array),
    Int16(&'a Int16Array),
    Int32(&'a Int32Array),
    Int64(&'a Int64Array),
    Uint8(&'a UInt8Array),
    Uint16(&'a UInt16Array),
    Uint32(&'a UInt32Array),
    Uint64(&'a UInt64Array),
    Float32(&'a Float32Array),
    Float64(&'a Float64Array),
    Decimal32(&'a Decimal32Array, i8),
    Decimal64(&'a Decimal64Array, i8),
    Decimal128(&'a Decimal128Array, i8),
    Bool(&'a BooleanArray),
    Date32(&'a Date32Array),
    Date64(&'a Date64Array),
    Second(&'a TimestampSecondArray, bool),
    Milli(&'a TimestampMillisecondArray, bool),
    Micro(&'a TimestampMicrosecondArray, bool),
    Nano(&'a TimestampNanosecondArray, bool),
    Struct(Vec<(&'a str, Column<'a>)>, &'a StructArray),
}

impl<'a> Column<'a> {
    /// A view of `array`; `None` when its type is not one that [`Cell`] can hold.
    pub(crate) fn new(array: &'a dyn Array) -> Option<Self> {
        match array.as_any_dictionary_opt() {
            Some(dictionary) if !dictionary.values().is_empty() => {
                let positions = Positions {
                    keys: dictionary.keys(),
                    normalized: dictionary.normalized_keys(),
                };
                Some(Self {
                    values: Values::new(dictionary.values().as_ref())?,
                    positions: Some(positions),
                })
            }
            Some(_) => Some(Self {
                values: Values::Null,
                positions: None,
            }),
            None => Some(Self {
                values: Values::new(array)?,
                positions: None,
            }),
        }
    }

    /// The value in `row`, which must be one of the array's.
    pub(crate) fn cell(&self, row: usize) -> Cell<'a> {
        match &self.positions {
            None => self.values.cell(row),
            Some(Positions { keys, .. }) if keys.is_null(row) => Cell::Null,
            Some(Positions { normalized, .. }) => normalized
                .get(row)
                .map_or(Cell::Null, |position| self.values.cell(*position)),
        }
    }

    /// The named members of a structure in `row`; `None` when the column holds no structures.
    #[cfg_attr(
        not(feature = "train"),
        expect(dead_code, reason = "only the log readers look into structures")
    )]
    pub(crate) fn members(&self, row: usize) -> Option<&[(&'a str, Column<'a>)]> {
        match &self.values {
            Values::Struct(members, array) if self.positions.is_none() && array.is_valid(row) => {
                Some(members)
            }
            _ => None,
        }
    }
}

impl<'a> Values<'a> {
    fn new(array: &'a dyn Array) -> Option<Self> {
        Some(match array.data_type() {
            DataType::Null => Self::Null,
            DataType::Utf8 => Self::Utf8(array.as_string_opt()?),
            DataType::LargeUtf8 => Self::LargeUtf8(array.as_string_opt()?),
            DataType::Utf8View => Self::Utf8View(array.as_string_view_opt()?),
            DataType::Int8 => Self::Int8(array.as_primitive_opt()?),
            DataType::Int16 => Self::Int16(array.as_primitive_opt()?),
            DataType::Int32 => Self::Int32(array.as_primitive_opt()?),
            DataType::Int64 => Self::Int64(array.as_primitive_opt()?),
            DataType::UInt8 => Self::Uint8(array.as_primitive_opt()?),
            DataType::UInt16 => Self::Uint16(array.as_primitive_opt()?),
            DataType::UInt32 => Self::Uint32(array.as_primitive_opt()?),
            DataType::UInt64 => Self::Uint64(array.as_primitive_opt()?),
            DataType::Float32 => Self::Float32(array.as_primitive_opt()?),
            DataType::Float64 => Self::Float64(array.as_primitive_opt()?),
            DataType::Decimal32(_, scale) => Self::Decimal32(array.as_primitive_opt()?, *scale),
            DataType::Decimal64(_, scale) => Self::Decimal64(array.as_primitive_opt()?, *scale),
            DataType::Decimal128(_, scale) => Self::Decimal128(array.as_primitive_opt()?, *scale),
            DataType::Boolean => Self::Bool(array.as_boolean_opt()?),
            DataType::Date32 => Self::Date32(array.as_primitive_opt()?),
            DataType::Date64 => Self::Date64(array.as_primitive_opt()?),
            DataType::Timestamp(unit, zone) => {
                return Self::timestamp(array, *unit, zone.is_some());
            }
            DataType::Struct(_) => return Self::structure(array),
            _ => return None,
        })
    }

    fn timestamp(array: &'a dyn Array, unit: TimeUnit, zoned: bool) -> Option<Self> {
        Some(match unit {
            TimeUnit::Second => Self::Second(array.as_primitive_opt()?, zoned),
            TimeUnit::Millisecond => Self::Milli(array.as_primitive_opt()?, zoned),
            TimeUnit::Microsecond => Self::Micro(array.as_primitive_opt()?, zoned),
            TimeUnit::Nanosecond => Self::Nano(array.as_primitive_opt()?, zoned),
        })
    }

    fn structure(array: &'a dyn Array) -> Option<Self> {
        let array = array.as_struct_opt()?;
        let members = array.fields().iter().zip(array.columns());
        let members = members
            .map(|(field, values)| Some((field.name().as_str(), Column::new(values.as_ref())?)));
        Some(Self::Struct(members.collect::<Option<_>>()?, array))
    }

    fn cell(&self, row: usize) -> Cell<'a> {
        match *self {
            Self::Null => Cell::Null,
            Self::Utf8(array) if array.is_valid(row) => Cell::Text(array.value(row)),
            Self::LargeUtf8(array) if array.is_valid(row) => Cell::Text(array.value(row)),
            Self::Utf8View(array) if array.is_valid(row) => Cell::Text(array.value(row)),
            Self::Int8(array) => int(array, row),
            Self::Int16(array) => int(array, row),
            Self::Int32(array) => int(array, row),
            Self::Int64(array) => int(array, row),
            Self::Uint8(array) => int(array, row),
            Self::Uint16(array) => int(array, row),
            Self::Uint32(array) => int(array, row),
            Self::Uint64(array) if array.is_valid(row) => {
                i64::try_from(array.value(row)).map_or(Cell::Uint(array.value(row)), Cell::Int)
            }
            Self::Float32(array) if array.is_valid(row) => Cell::Single(array.value(row)),
            Self::Float64(array) if array.is_valid(row) => Cell::Float(array.value(row)),
            Self::Decimal32(array, scale) => decimal(array, row, scale),
            Self::Decimal64(array, scale) => decimal(array, row, scale),
            Self::Decimal128(array, scale) => decimal(array, row, scale),
            Self::Bool(array) if array.is_valid(row) => Cell::Bool(array.value(row)),
            Self::Date32(array) if array.is_valid(row) => Cell::Day(array.value(row)),
            Self::Date64(array) => time(array, row, 1_000, false),
            Self::Second(array, zoned) => time(array, row, 1, zoned),
            Self::Milli(array, zoned) => time(array, row, 1_000, zoned),
            Self::Micro(array, zoned) => time(array, row, 1_000_000, zoned),
            Self::Nano(array, zoned) => time(array, row, 1_000_000_000, zoned),
            Self::Struct(_, array) if array.is_valid(row) => Cell::Nested,
            _ => Cell::Null,
        }
    }
}

fn int<'a, T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, row: usize) -> Cell<'a>
where
    T::Native: Into<i64>,
{
    if array.is_valid(row) {
        Cell::Int(array.value(row).into())
    } else {
        Cell::Null
    }
}

fn decimal<'a, T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, row: usize, scale: i8) -> Cell<'a>
where
    T::Native: Into<i128>,
{
    if array.is_valid(row) {
        Cell::Decimal {
            unscaled: array.value(row).into(),
            scale,
        }
    } else {
        Cell::Null
    }
}

fn time<'a, T: ArrowPrimitiveType<Native = i64>>(
    array: &PrimitiveArray<T>,
    row: usize,
    per_s: i64,
    zoned: bool,
) -> Cell<'a> {
    if array.is_valid(row) {
        Cell::Time {
            ticks: array.value(row),
            per_s,
            zoned,
        }
    } else {
        Cell::Null
    }
}
