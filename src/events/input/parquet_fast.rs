//! The fast path for Parquet rows whose fields are columns of common types. A row that is unusual in any way is left to the
//! [mapper](crate::events::mapping::mapper::Mapper), so that both give the same events.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Int32Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow_array::{
    Array, DictionaryArray, Float64Array, RecordBatch, StringArray, StringViewArray,
};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::events::ingest::RowSink;
use crate::events::mapping::mapper::{FieldColumns, Mapper};
use crate::history::{HistoryError, Placement};

/// The schema to read with: texts in the types that are quickest to compare.
pub(crate) fn fast_schema(columns: FieldColumns, schema: &Schema) -> SchemaRef {
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .enumerate()
        .map(|(position, field)| fast_field(columns, position, field))
        .collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

fn fast_field(columns: FieldColumns, position: usize, field: &Field) -> Field {
    let is_text = *field.data_type() == DataType::Utf8;
    if is_text && position == columns.user {
        // A view needs no copy of the text.
        field.clone().with_data_type(DataType::Utf8View)
    } else if is_text && Some(position) == columns.kind {
        // Kinds repeat: with a dictionary each is looked at once a batch.
        let kind = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        field.clone().with_data_type(kind)
    } else {
        field.clone()
    }
}

/// The columns of a batch.
pub(crate) struct FastBatch<'b> {
    user: Texts<'b>,
    ticks: &'b [i64],
    per_s: i64,
    zoned: bool,
    time_nulls: Option<&'b NullBuffer>,
    kind: Option<Kinds<'b>>,
    amount: Option<(&'b [f64], Option<&'b NullBuffer>)>,
}

enum Texts<'b> {
    Plain(&'b StringArray),
    View(&'b StringViewArray),
}

/// Kinds by their places in a dictionary.
struct Kinds<'b> {
    array: &'b DictionaryArray<Int32Type>,
    names: &'b StringArray,
    /// The numbers of the kinds seen in this batch.
    numbers: Vec<Option<u16>>,
}

impl<'b> FastBatch<'b> {
    /// The columns of a batch that holds those at `wanted`; `None` when one is of another type.
    pub(crate) fn new(
        batch: &'b RecordBatch,
        wanted: &[usize],
        columns: FieldColumns,
    ) -> Option<Self> {
        let find = |column: usize| {
            batch
                .columns()
                .get(wanted.iter().position(|at| *at == column)?)
        };
        let user = find(columns.user)?;
        let user = match user.data_type() {
            DataType::Utf8 => Texts::Plain(user.as_string_opt()?),
            DataType::Utf8View => Texts::View(user.as_string_view_opt()?),
            _ => return None,
        };
        let times = find(columns.time)?.as_ref();
        let DataType::Timestamp(unit, zone) = times.data_type() else {
            return None;
        };
        let (ticks, per_s): (&[i64], _) = match unit {
            TimeUnit::Second => (times.as_primitive_opt::<TimestampSecondType>()?.values(), 1),
            TimeUnit::Millisecond => (
                times
                    .as_primitive_opt::<TimestampMillisecondType>()?
                    .values(),
                1_000,
            ),
            TimeUnit::Microsecond => (
                times
                    .as_primitive_opt::<TimestampMicrosecondType>()?
                    .values(),
                1_000_000,
            ),
            TimeUnit::Nanosecond => (
                times
                    .as_primitive_opt::<TimestampNanosecondType>()?
                    .values(),
                1_000_000_000,
            ),
        };
        let kind = match columns.kind {
            None => None,
            Some(kind) => Some(Kinds::new(find(kind)?.as_dictionary_opt()?)?),
        };
        let amount = match columns.amount {
            None => None,
            Some(amount) => {
                let amount: &Float64Array = find(amount)?.as_primitive_opt()?;
                Some((amount.values().as_ref(), amount.nulls()))
            }
        };
        Some(Self {
            user,
            ticks,
            per_s,
            zoned: zone.is_some(),
            time_nulls: times.nulls(),
            kind,
            amount,
        })
    }

    /// Takes in one row; `false` when it is unusual in any way and nothing was done.
    pub(crate) fn take(
        &mut self,
        row: usize,
        mapper: &mut Mapper,
        sink: &mut RowSink<'_>,
    ) -> Result<bool, HistoryError> {
        let Some(user) = self.user.get(row) else {
            return Ok(false);
        };
        let Some(ticks) = self
            .ticks
            .get(row)
            .copied()
            .filter(|_| is_valid(self.time_nulls, row))
        else {
            return Ok(false);
        };
        // Times out of range are rejected with their values by the mapper.
        let Some(day) = mapper.day(ticks, self.per_s, self.zoned) else {
            return Ok(false);
        };
        let is_seen = match sink.placement(day) {
            Placement::Seen => true,
            Placement::AfterAsOf => false,
            Placement::Stray(_) => return Ok(false),
        };
        let amount = match self.amount {
            None => Some(0.0),
            Some((_, nulls)) if !is_valid(nulls, row) => None,
            Some((amounts, _)) => Some(amounts[row]),
        };
        if !is_seen {
            sink.pass_over(day);
            return Ok(true);
        }
        // A kind is only looked at, and numbered, where the row is kept.
        let kind = match &mut self.kind {
            None => sink.kind(mapper.kind_of_all())?,
            Some(kinds) => match kinds.number(row, |name| sink.kind(name))? {
                Some(kind) => kind,
                None => return Ok(false),
            },
        };
        let name = || match &self.kind {
            None => mapper.kind_of_all(),
            Some(kinds) => kinds.name(row),
        };
        sink.keep_numbered(user, day, kind, amount, name)
    }
}

fn is_valid(nulls: Option<&NullBuffer>, row: usize) -> bool {
    nulls.is_none_or(|nulls| nulls.is_valid(row))
}

impl Texts<'_> {
    /// A text without whitespace around it.
    fn get(&self, row: usize) -> Option<&str> {
        let text = match self {
            Self::Plain(array) if array.is_valid(row) => array.value(row),
            Self::View(array) if array.is_valid(row) => array.value(row),
            _ => return None,
        };
        is_trim(text).then_some(text)
    }
}

/// Whether trimming would certainly change nothing.
fn is_trim(text: &str) -> bool {
    let solid = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_graphic);
    solid(text.as_bytes().first()) && solid(text.as_bytes().last())
}

impl<'b> Kinds<'b> {
    fn new(array: &'b DictionaryArray<Int32Type>) -> Option<Self> {
        let names: &StringArray = array.values().as_string_opt()?;
        Some(Self {
            array,
            names,
            numbers: vec![None; names.len()],
        })
    }

    fn position(&self, row: usize) -> Option<usize> {
        let position = usize::try_from(*self.array.keys().values().get(row)?).ok()?;
        (self.array.keys().is_valid(row) && position < self.names.len()).then_some(position)
    }

    fn number<E>(
        &mut self,
        row: usize,
        number: impl FnOnce(&str) -> Result<u16, E>,
    ) -> Result<Option<u16>, E> {
        let Some(position) = self.position(row) else {
            return Ok(None);
        };
        let known = &mut self.numbers[position];
        if known.is_none() && self.names.is_valid(position) && is_trim(self.names.value(position)) {
            *known = Some(number(self.names.value(position))?);
        }
        Ok(*known)
    }

    fn name(&self, row: usize) -> &str {
        self.position(row)
            .map_or("", |position| self.names.value(position))
    }
}
