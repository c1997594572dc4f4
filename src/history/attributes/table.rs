//! A table of attributes, as it is read and joined to the users of a log.

use std::collections::HashMap;
use std::sync::Arc;

use super::{
    AttributeColumn, AttributeKind, AttributeRecord, AttributeValue, UserAttributes, compact,
};
use crate::history::{HistoryError, HistoryView};

/// Takes the rows of a table of attributes, in any order.
#[derive(Clone, Debug, Default)]
pub struct AttributeTableBuilder {
    columns: Vec<AttributeColumn>,
    /// For each column the number of each category, in order of their first rows.
    numbers: Vec<HashMap<String, u32>>,
    users: HashMap<String, Vec<AttributeRecord>>,
}

/// The attributes of all users of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttributeTable {
    columns: Arc<Vec<AttributeColumn>>,
    users: HashMap<String, Vec<AttributeRecord>>,
    /// For each column how many users have several values that hold always.
    contradicted: Vec<u64>,
    /// For each column how many users have values with days.
    dated: Vec<u64>,
    /// For each column of how many of these users the value changes.
    changed: Vec<u64>,
}

/// How a table and the users of a log belong together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttributesJoined {
    /// Users of the log with a row in the table.
    pub users: u64,
    /// Users of the table who are not in the log.
    pub not_in_log: u64,
}

impl AttributeTableBuilder {
    /// A builder of a table with these columns, by name and kind.
    pub fn new(columns: impl IntoIterator<Item = (String, AttributeKind)>) -> Self {
        let column = |(name, kind)| AttributeColumn {
            name,
            kind,
            categories: Vec::new(),
        };
        let columns: Vec<AttributeColumn> = columns.into_iter().map(column).collect();
        Self {
            numbers: vec![HashMap::new(); columns.len()],
            columns,
            users: HashMap::new(),
        }
    }

    /// The value of a category of a column; [`AttributeValue::Unknown`] for a column that is not there.
    pub fn category(&mut self, column: u16, name: &str) -> AttributeValue {
        let Some(numbers) = self.numbers.get_mut(usize::from(column)) else {
            return AttributeValue::Unknown;
        };
        if let Some(number) = numbers.get(name) {
            return AttributeValue::Category(*number);
        }
        let number = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        numbers.insert(name.to_owned(), number);
        AttributeValue::Category(number)
    }

    /// Adds records of a user.
    pub fn add(&mut self, user: &str, records: impl IntoIterator<Item = AttributeRecord>) {
        match self.users.get_mut(user) {
            Some(all) => all.extend(records),
            None => {
                let records = records.into_iter().collect();
                self.users.insert(user.to_owned(), records);
            }
        }
    }

    /// The table: categories are numbered by their names, so that equal rows give equal tables.
    pub fn finish(self) -> AttributeTable {
        let Self {
            mut columns,
            numbers,
            mut users,
        } = self;
        let mut ranks: Vec<Vec<u32>> = Vec::new();
        for (column, numbers) in columns.iter_mut().zip(numbers) {
            let mut named: Vec<(String, u32)> = numbers.into_iter().collect();
            named.sort_unstable();
            let mut rank = vec![0; named.len()];
            for (position, (_, number)) in (0_u32..).zip(&named) {
                if let Some(rank) = rank.get_mut(*number as usize) {
                    *rank = position;
                }
            }
            column.categories = named.into_iter().map(|(name, _)| name).collect();
            ranks.push(rank);
        }
        let mut contradicted = vec![0; columns.len()];
        let (mut dated, mut changed) = (contradicted.clone(), contradicted.clone());
        for records in users.values_mut() {
            for record in records.iter_mut() {
                if let AttributeValue::Category(number) = &mut record.value {
                    let ranks = ranks.get(usize::from(record.column));
                    let rank = ranks.and_then(|ranks| ranks.get(*number as usize));
                    *number = rank.copied().unwrap_or_default();
                }
            }
            count_contradicted(records, &mut contradicted);
            compact(records);
            count_changed(records, &mut dated, &mut changed);
        }
        AttributeTable {
            columns: Arc::new(columns),
            users,
            contradicted,
            dated,
            changed,
        }
    }
}

/// Counts the columns of which a user has several values that hold always.
fn count_contradicted(records: &mut Vec<AttributeRecord>, contradicted: &mut [u64]) {
    records.sort_unstable();
    records.dedup();
    let always = |record: &&AttributeRecord| {
        record.from.is_none() && record.value != AttributeValue::Unknown
    };
    let columns: Vec<u16> = records.iter().filter(always).map(|r| r.column).collect();
    for group in columns.chunk_by(|a, b| a == b) {
        if let [column, _, ..] = group
            && let Some(count) = contradicted.get_mut(usize::from(*column))
        {
            *count += 1;
        }
    }
}

/// Counts the columns of which a user has values with days, and those whose values differ.
fn count_changed(records: &[AttributeRecord], dated: &mut [u64], changed: &mut [u64]) {
    for (column, (dated, changed)) in (0_u16..).zip(dated.iter_mut().zip(changed)) {
        let of_column = |r: &&AttributeRecord| r.column == column && r.from.is_some();
        let mut values = records.iter().filter(of_column).map(|r| r.value);
        if let Some(first) = values.next() {
            *dated += 1;
            *changed += u64::from(values.any(|value| value != first));
        }
    }
}

impl AttributeTable {
    /// The columns.
    pub fn columns(&self) -> &[AttributeColumn] {
        &self.columns
    }

    /// How many users it has.
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether it has no user.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// The columns of which some users have several values that hold always, with how many users; the greatest one holds.
    pub fn contradicted(&self) -> impl Iterator<Item = (&str, u64)> {
        let named = self.columns.iter().zip(&self.contradicted);
        named
            .filter(|(_, users)| **users > 0)
            .map(|(column, users)| (column.name.as_str(), *users))
    }

    /// The columns with days whose value changes of no user, with how many users have one.
    pub fn never_changed(&self) -> impl Iterator<Item = (&str, u64)> {
        let counts = self.dated.iter().zip(&self.changed);
        let named = self.columns.iter().zip(counts);
        named
            .filter(|(_, (dated, changed))| **dated > 0 && **changed == 0)
            .map(|(column, (dated, _))| (column.name.as_str(), *dated))
    }

    /// The attributes of users who are given one after another, in the order of their positions.
    pub(crate) fn join(
        mut self,
        each: impl FnOnce(&mut dyn FnMut(usize, &str, HistoryView<'_>)) -> Result<(), HistoryError>,
    ) -> Result<(UserAttributes, AttributesJoined), HistoryError> {
        let (mut ends, mut all) = (Vec::new(), Vec::new());
        let mut joined = AttributesJoined::default();
        each(&mut |_, user, _| {
            if let Some(records) = self.users.remove(user) {
                all.extend(records);
                joined.users += 1;
            }
            ends.push(all.len());
        })?;
        joined.not_in_log = self.users.len() as u64;
        let users = UserAttributes {
            columns: self.columns,
            ends,
            records: all,
        };
        Ok((users, joined))
    }
}
