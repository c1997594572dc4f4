//! The short way for Parquet rows whose fields are plain columns of common types. Whatever is odd about a row is left to the
//! long way, so that both give the same.

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

use crate::events::row_reader::Reading;
use crate::history::{HistoryError, Placement};

/// The positions in a file of the columns that the fields are plain copies of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlainColumns {
    pub(crate) user: usize,
    pub(crate) time: usize,
    pub(crate) kind: Option<usize>,
    pub(crate) amount: Option<usize>,
}

impl PlainColumns {
    /// The schema to ask a reader for: text as it is quickest to look at.
    pub(crate) fn schema(self, schema: &Schema) -> SchemaRef {
        let kind = || DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let field = |(position, field): (usize, &std::sync::Arc<Field>)| match field.data_type() {
            DataType::Utf8 if position == self.user => {
                field.as_ref().clone().with_data_type(DataType::Utf8View)
            }
            DataType::Utf8 if Some(position) == self.kind => {
                field.as_ref().clone().with_data_type(kind())
            }
            _ => field.as_ref().clone(),
        };
        let fields: Vec<Field> = schema.fields().iter().enumerate().map(field).collect();
        std::sync::Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
    }
}

/// The columns of a batch.
pub(crate) struct PlainBatch<'b> {
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

impl<'b> PlainBatch<'b> {
    /// The columns of a batch that holds those at `wanted`; `None` when one is of another type.
    pub(crate) fn new(
        batch: &'b RecordBatch,
        wanted: &[usize],
        columns: PlainColumns,
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

    /// Takes in one row; `false` when it is odd in any way and nothing was done.
    pub(crate) fn row(
        &mut self,
        reading: &mut Reading<'_>,
        row: usize,
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
        let Reading { mapper, intake, .. } = reading;
        let Some(day) = mapper.day(ticks, self.per_s, self.zoned) else {
            return Ok(false);
        };
        let is_seen = match intake.placement(day) {
            Placement::Seen => true,
            Placement::AfterAsOf => false,
            Placement::Stray(_) => return Ok(false),
        };
        let amount = match self.amount {
            None => Some(0.0),
            Some((_, nulls)) if !is_valid(nulls, row) => None,
            Some((amounts, _)) => amounts.get(row).copied(),
        };
        // A kind is only looked at, and numbered, where the row is kept.
        let kind = if !is_seen {
            None
        } else {
            match &mut self.kind {
                None => Some(intake.kind(mapper.kind_of_all())?),
                Some(kinds) => match kinds.number(row, |name| intake.kind(name))? {
                    Some(kind) => Some(kind),
                    None => return Ok(false),
                },
            }
        };
        let name = |_: u16| {
            self.kind
                .as_ref()
                .map_or(mapper.kind_of_all(), |kinds| kinds.name(row))
        };
        intake.keep_plain(user, day, kind, amount, name)
    }
}

fn is_valid(nulls: Option<&NullBuffer>, row: usize) -> bool {
    nulls.is_none_or(|nulls| nulls.is_valid(row))
}

impl Texts<'_> {
    /// A text without blanks around it.
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
        let Some(known) = self.numbers.get_mut(position) else {
            return Ok(None);
        };
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
