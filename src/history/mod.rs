//! The events of each user, rolled up once into records of (day, kind, count, amount).
//!
//! All that is kept of a user is a [`History`]: records sorted by day and kind. Amounts are fixed-point numbers with a
//! unit of 1e-6 (micros), so sums do not depend on their order: merging is commutative and associative, and late,
//! out-of-order and partitioned logs give the same bytes.

pub(crate) mod attributes;
pub(crate) mod bounds;
pub(crate) mod codec;
pub(crate) mod coverage;
pub(crate) mod day;
pub(crate) mod rollup;
pub(crate) mod store;
#[cfg(test)]
mod tests;

pub use attributes::{
    AttributeColumn, AttributeKind, AttributeRecord, AttributeTable, AttributeTableBuilder,
    AttributeValue, Attributes, AttributesJoined, AttributesView, FiniteNumber,
};
pub use bounds::{DayBounds, FUTURE_DAYS, Placement, Stray};
pub use coverage::{
    ConversionCoverage, Coverage, CoverageSettings, DailyCounts, FeedCoverage, Hole,
    LEAST_CLOSING_DAYS, LEAST_EVIDENCE, LEAST_HOLE_DAYS, LEAST_TAIL_DAYS, LabelKinds, Stretch,
};
pub use day::{Day, DayClock, YEARS};
#[cfg(feature = "train")]
pub(crate) use rollup::{
    INDEX_FILE as ROLLUP_INDEX, REQUIRED as ROLLUP_COLUMNS, check_complete, part_of_path,
    read_rollup_file,
};
pub use rollup::{
    IndexError, RollupIndex, RollupRead, RollupWritten, StrayRows, read_rollup, rollup_destination,
    write_rollup, write_rollup_observed,
};
pub use store::blocks::{BLOCK_USERS, Block};
pub use store::builder::{HistoriesBuilder, MemoryBudget};
pub use store::histories::{Histories, Span};
pub use store::sampling::{Partition, Users, partition_of};
#[cfg(feature = "train")]
pub(crate) use store::secret_hash::SecretState;
pub use store::totals::{KindTotals, Totals};

use std::path::PathBuf;

use crate::output::OutputError;

/// What can go wrong with days, records and roll-up files.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// A date that is not `YYYY-MM-DD`.
    #[error("`{text}` is not a date; write it as YYYY-MM-DD")]
    Day {
        /// What was given.
        text: String,
    },
    /// A date that no log has.
    #[error("{day} lies outside the years {} to {}", YEARS.start(), YEARS.end())]
    DayOutOfRange {
        /// What was given.
        day: Day,
    },
    /// A time zone that is not in the IANA database.
    #[error("`{name}` is not an IANA time zone; write it like `Europe/London` or `UTC`")]
    TimeZone {
        /// What was given.
        name: String,
    },
    /// An amount that is not finite or beyond what can be summed exactly.
    #[error(
        "amount {amount} is not a finite number between -{AMOUNT_LIMIT:e} and {AMOUNT_LIMIT:e}"
    )]
    Amount {
        /// What was given.
        amount: f64,
    },
    /// The sum of a user's amounts, or count of events, on one day left the representable range.
    #[error(
        "the events of kind {kind} on {day} add up to more than can be held; scale the amounts down in the mapping"
    )]
    Overflow {
        /// The day on which the sum overflowed.
        day: Day,
        /// The kind's number in its table.
        kind: u16,
    },
    /// More distinct kinds than a log can have.
    #[error("the log has more than {limit} kinds of events; map `events.kind` to fewer")]
    TooManyKinds {
        /// The most there can be.
        limit: usize,
    },
    /// StringInterner of kinds of megabytes.
    #[error(
        "the names of the kinds take {bytes} bytes, which is more than can be held; check the mapping of `events.kind`"
    )]
    LongKinds {
        /// How many bytes.
        bytes: usize,
    },
    /// More users than can be numbered.
    #[error("the log has too many users to be numbered; read a share of them")]
    TooManyUsers,
    /// Users' ids of gigabytes.
    #[error(
        "a user's id or history takes {bytes} bytes, which is more than can be held; check the mapping of `events.user`"
    )]
    LongName {
        /// How many bytes.
        bytes: usize,
    },
    /// A builder of another thread that was not closed, so that its records would be lost.
    #[error("a part of the log was not handed over")]
    NotClosed,
    /// Bytes in memory that are no records.
    #[error("the histories in memory are damaged")]
    Damaged,
    /// A temporary file that could not be written or read.
    #[error("temporary file in {}: {source}", folder.display())]
    Spill {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A roll-up that could not be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// A Parquet file that is damaged or of another kind.
    #[error("{}: {source}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        source: parquet::errors::ParquetError,
    },
    /// A roll-up that lacks a column, or has one of another type or value than it should.
    #[error("{}{}: column `{column}`: {problem}", path.display(), row.map(|r| format!(", row {r}")).unwrap_or_default())]
    Rollup {
        /// The file.
        path: PathBuf,
        /// The row in that file, from 1, where one row is to blame.
        row: Option<u64>,
        /// The column.
        column: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

/// The largest absolute amount of one event or roll-up row, in the log's currency.
pub const AMOUNT_LIMIT: f64 = 1e12;

const MICROS: f64 = 1e6;

/// An amount of money (or any quantity) as a fixed-point number with a unit of 1e-6, so that sums are exact in any order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i64);

impl Amount {
    /// The amount nearest to `value`; refuses NaN, infinities and more than [`AMOUNT_LIMIT`].
    pub fn new(value: f64) -> Result<Self, HistoryError> {
        if value.abs() <= AMOUNT_LIMIT {
            let micros = value * MICROS;
            // Rounds half away from zero as `round` does, which is slow where processors have no instruction for it.
            let whole = micros as i64;
            let rest = micros - whole as f64;
            Ok(Self(
                whole + i64::from(rest >= 0.5) - i64::from(rest <= -0.5),
            ))
        } else {
            Err(HistoryError::Amount { amount: value })
        }
    }

    /// The amount of so many micros (1e-6).
    pub fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The amount in units of the log.
    pub fn value(self) -> f64 {
        self.0 as f64 / MICROS
    }

    /// The amount in micros (1e-6).
    pub fn micros(self) -> i64 {
        self.0
    }
}

/// The events of one user, kind and day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayRecord {
    /// The sum of the events' amounts.
    pub amount: Amount,
    /// The day.
    pub day: Day,
    /// How many events.
    pub count: u32,
    /// The kind, by its number in the table it belongs to.
    pub kind: u16,
}

impl DayRecord {
    fn key(&self) -> (Day, u16) {
        (self.day, self.kind)
    }

    fn add(&mut self, other: &Self) -> Result<(), HistoryError> {
        let overflow = || HistoryError::Overflow {
            day: other.day,
            kind: other.kind,
        };
        // A sum that wrapped would be a wrong model without any sign of it.
        self.count = self.count.checked_add(other.count).ok_or_else(overflow)?;
        self.amount = Amount(
            self.amount
                .0
                .checked_add(other.amount.0)
                .ok_or_else(overflow)?,
        );
        Ok(())
    }
}

/// One user's records, sorted by day and kind, with at most one record for each pair.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    records: Vec<DayRecord>,
    attributes: Attributes,
}

impl History {
    /// The history of these records in whatever order; records of one day and kind are added up.
    pub fn new(mut records: Vec<DayRecord>) -> Result<Self, HistoryError> {
        compact(&mut records)?;
        Ok(Self {
            records,
            attributes: Attributes::default(),
        })
    }

    /// The same history with these attributes of the user.
    pub fn with_attributes(self, attributes: Attributes) -> Self {
        Self { attributes, ..self }
    }

    /// Adds another part of the same user's history; attributes stay as they are. The order of merging does not matter.
    pub fn merge(&mut self, other: HistoryView<'_>) -> Result<(), HistoryError> {
        let mut all = self.records.clone();
        all.extend_from_slice(other.records());
        compact(&mut all)?;
        self.records = all;
        Ok(())
    }

    /// A borrowed view.
    pub fn view(&self) -> HistoryView<'_> {
        HistoryView {
            records: &self.records,
            attributes: self.attributes.view(),
        }
    }
}

/// A borrowed [`History`]: sorted, one record for each day and kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryView<'a> {
    records: &'a [DayRecord],
    attributes: AttributesView<'a>,
}

impl<'a> HistoryView<'a> {
    /// The records, by day and then kind.
    pub fn records(self) -> &'a [DayRecord] {
        self.records
    }

    /// What is known of the user beside events.
    pub fn attributes(self) -> AttributesView<'a> {
        self.attributes
    }

    /// A history of its own with these records and attributes.
    pub fn to_owned(self) -> History {
        History {
            records: self.records.to_vec(),
            attributes: self.attributes.to_owned(),
        }
    }

    /// The part before `day`: nothing on that day or later, of events and of attributes.
    pub fn before(self, day: Day) -> Self {
        let end = self.records.partition_point(|r| r.day < day);
        Self {
            records: &self.records[..end],
            attributes: self.attributes.before(day),
        }
    }

    /// The records in the half-open range of days `[from, until)`, with the attributes known at the start of `until`.
    pub fn between(self, from: Day, until: Day) -> Self {
        let upto = self.before(until);
        let start = upto.records.partition_point(|r| r.day < from);
        Self {
            records: &upto.records[start..],
            ..upto
        }
    }
}

/// Puts records in order that come in order of time, so that few of them have far to go; `false` when many have.
fn nearly_sorted(records: &mut [DayRecord]) -> bool {
    // An insertion sort: few moves suffice where logs are almost in order of time.
    let mut moves_left = 8 * records.len();
    for end in 1..records.len() {
        let mut at = end;
        while at > 0 && records[at - 1].key() > records[at].key() {
            // Beyond this a general sort is faster.
            if moves_left == 0 {
                return false;
            }
            moves_left -= 1;
            records.swap(at - 1, at);
            at -= 1;
        }
    }
    true
}

/// Sorts the records and adds up those of one day and kind.
fn compact(records: &mut Vec<DayRecord>) -> Result<(), HistoryError> {
    if !records.is_sorted_by(|a, b| a.key() < b.key()) && !nearly_sorted(records) {
        records.sort_unstable_by_key(DayRecord::key);
    }
    // The closure cannot return an error, so it is kept for the end.
    let mut overflow = None;
    records.dedup_by(|next, kept| {
        next.key() == kept.key() && {
            if let Err(error) = kept.add(next) {
                overflow = Some(error);
            }
            true
        }
    });
    overflow.map_or(Ok(()), Err)
}
