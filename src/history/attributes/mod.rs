//! What is known of users beside their events: values that hold from a day on, such as a plan or an age.
//!
//! A record of a column holds from its day until the column's next record. Of several records of one user, column and day
//! the greatest value holds: merging is commutative, associative and idempotent, so the order of a table, its partition
//! into files and repeated rows change nothing.

pub(crate) mod table;
#[cfg(test)]
mod tests;

pub use table::{AttributeTable, AttributeTableBuilder, AttributesJoined};

use std::sync::Arc;

use super::Day;

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeKind {
    /// Names without an order.
    Category,
    /// Finite numbers.
    Number,
}

impl AttributeKind {
    /// The name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Category => "category",
            Self::Number => "number",
        }
    }
}

/// One column of attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeColumn {
    /// The name.
    pub name: String,
    /// What its values are.
    pub kind: AttributeKind,
    /// The categories that occur, sorted by name; empty for numbers.
    pub categories: Vec<String>,
}

/// A finite number, ordered; there is one zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FiniteNumber(u64);

const SIGN: u64 = 1 << 63;

impl FiniteNumber {
    /// The number, unless it is NaN or infinite.
    pub fn new(value: f64) -> Option<Self> {
        // Adding 0 turns -0 into 0. Bits of numbers below 0 are in the wrong order, and lie above those of the others.
        let bits = (value + 0.0).to_bits();
        let ordered = match bits & SIGN {
            0 => bits | SIGN,
            _ => !bits,
        };
        value.is_finite().then_some(Self(ordered))
    }

    /// The number.
    pub fn value(self) -> f64 {
        f64::from_bits(match self.0 & SIGN {
            0 => !self.0,
            _ => self.0 & !SIGN,
        })
    }
}

/// The value of an attribute; the order decides which of several values of one day holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttributeValue {
    /// It is known that it is not known: the value before it has ended.
    Unknown,
    /// A category, by its position in [`AttributeColumn::categories`].
    Category(u32),
    /// A number.
    Number(FiniteNumber),
}

/// A value of one user and column from a day on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttributeRecord {
    /// The first day of the value; `None` where it always holds.
    pub from: Option<Day>,
    /// The column, by its position.
    pub column: u16,
    /// The value.
    pub value: AttributeValue,
}

/// The attributes of one user: records sorted by day and column, one for each pair.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    columns: Arc<Vec<AttributeColumn>>,
    records: Vec<AttributeRecord>,
}

impl Attributes {
    /// Attributes with these records in whatever order. Records of a column that is not there are left out.
    pub fn new(columns: Arc<Vec<AttributeColumn>>, mut records: Vec<AttributeRecord>) -> Self {
        records.retain(|record| usize::from(record.column) < columns.len());
        compact(&mut records);
        Self { columns, records }
    }

    /// A borrowed view.
    pub fn view(&self) -> AttributesView<'_> {
        AttributesView {
            columns: Some(&self.columns),
            records: &self.records,
        }
    }
}

/// Borrowed [`Attributes`].
#[derive(Clone, Copy, Debug, Default)]
pub struct AttributesView<'a> {
    /// `None` where there are none.
    columns: Option<&'a Arc<Vec<AttributeColumn>>>,
    records: &'a [AttributeRecord],
}

impl PartialEq for AttributesView<'_> {
    fn eq(&self, other: &Self) -> bool {
        // Users of one table have the same columns, whose categories may be many.
        let same = || std::ptr::eq(self.columns(), other.columns());
        self.records == other.records && (same() || self.columns() == other.columns())
    }
}

impl Eq for AttributesView<'_> {}

impl<'a> AttributesView<'a> {
    /// The columns.
    pub fn columns(self) -> &'a [AttributeColumn] {
        self.columns.map_or(&[], |columns| columns)
    }

    /// The records, by day and then column.
    pub fn records(self) -> &'a [AttributeRecord] {
        self.records
    }

    /// What was known at the start of `day`: values that always hold, and those of days before it.
    pub fn before(self, day: Day) -> Self {
        let known = |record: &AttributeRecord| record.from.is_none_or(|from| from < day);
        let end = self.records.partition_point(known);
        Self {
            records: self.records.get(..end).unwrap_or_default(),
            ..self
        }
    }

    /// The last value of the column called `name`, with the column.
    pub fn last(self, name: &str) -> Option<(&'a AttributeColumn, AttributeValue)> {
        let columns = self.columns();
        let position = columns.iter().position(|column| column.name == name)?;
        let mut newest_first = self.records.iter().rev();
        let record = newest_first.find(|record| usize::from(record.column) == position)?;
        Some((columns.get(position)?, record.value))
    }

    /// Attributes of the same columns with other records.
    pub fn with_records(self, records: Vec<AttributeRecord>) -> Attributes {
        Attributes::new(self.columns.cloned().unwrap_or_default(), records)
    }

    /// Attributes of its own.
    pub fn to_owned(self) -> Attributes {
        Attributes {
            columns: self.columns.cloned().unwrap_or_default(),
            records: self.records.to_vec(),
        }
    }
}

/// Sorts the records by day and column, and keeps the greatest value of each pair.
fn compact(records: &mut Vec<AttributeRecord>) {
    records.sort_unstable();
    records.dedup_by(|next, kept| {
        let same = (next.from, next.column) == (kept.from, kept.column);
        if same {
            kept.value = next.value;
        }
        same
    });
}

/// The attributes of all users, by their positions in the histories that they were joined to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserAttributes {
    columns: Arc<Vec<AttributeColumn>>,
    /// Where the records of each user end.
    ends: Vec<usize>,
    records: Vec<AttributeRecord>,
}

impl UserAttributes {
    /// The attributes of the user at a position.
    pub(crate) fn of(&self, position: usize) -> AttributesView<'_> {
        let end = |position: usize| self.ends.get(position).copied().unwrap_or_default();
        let start = position.checked_sub(1).map_or(0, end);
        let records = self.records.get(start..end(position));
        AttributesView {
            columns: Some(&self.columns),
            records: records.unwrap_or_default(),
        }
    }

    /// The same, to be kept.
    pub(crate) fn owned(&self, position: usize) -> Attributes {
        Attributes {
            columns: self.columns.clone(),
            records: self.of(position).records.to_vec(),
        }
    }

    pub(crate) fn columns(&self) -> &[AttributeColumn] {
        &self.columns
    }

    /// Gives `take` everything that it holds, as bytes: equal attributes give equal bytes.
    pub(crate) fn bytes(&self, mut take: impl FnMut(&[u8])) {
        let mut text = |text: &str| {
            take(&(text.len() as u64).to_le_bytes());
            take(text.as_bytes());
        };
        for column in self.columns.iter() {
            text(&column.name);
            text(column.kind.name());
            column.categories.iter().for_each(|name| text(name));
        }
        for end in &self.ends {
            take(&(*end as u64).to_le_bytes());
        }
        for AttributeRecord {
            from,
            column,
            value,
        } in &self.records
        {
            let (kind, value) = match value {
                AttributeValue::Unknown => (0, 0),
                AttributeValue::Category(category) => (1, u64::from(*category)),
                AttributeValue::Number(number) => (2, number.0),
            };
            take(
                &from
                    .map_or(i64::MIN, |day| i64::from(day.number()))
                    .to_le_bytes(),
            );
            take(&column.to_le_bytes());
            take(&[kind]);
            take(&value.to_le_bytes());
        }
    }
}
