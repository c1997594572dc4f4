//! The rows of a roll-up's batch, whatever types its columns have.

use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Date32Type, Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch};

use super::AMOUNT;
use crate::columnar::{Cell, Column, NoId};
use crate::history::{AMOUNT_LIMIT, Amount, Day, DayRecord, HistoriesBuilder, HistoryError, YEARS};

/// Kinds of a batch that are found by comparing; few logs have more.
const SEARCHED_KINDS: usize = 16;

const INEXACT_USER: &str = "a user id: so large a floating-point number looks like its neighbours; write ids as text or \
    whole numbers";

/// The columns of one batch.
pub(crate) struct Rows<'a> {
    path: &'a Path,
    /// Rows of the file before this batch.
    rows_before: u64,
    user: Column<'a>,
    day: Column<'a>,
    kind: Column<'a>,
    count: Column<'a>,
    amount: Option<Column<'a>>,
    plain: Option<Plain<'a>>,
    user_views: &'a [u128],
    kind_views: &'a [u128],
}

/// Days, counts and amounts in the types that Ebb writes, without nulls: most roll-ups.
struct Plain<'a> {
    days: &'a [i32],
    counts: &'a [i64],
    amounts: &'a [f64],
}

impl<'a> Plain<'a> {
    fn of(batch: &'a RecordBatch) -> Option<Self> {
        Some(Self {
            days: values::<Date32Type>(batch, "day")?,
            counts: values::<Int64Type>(batch, "count")?,
            amounts: values::<Float64Type>(batch, AMOUNT)?,
        })
    }

    /// The record of a row; `None` when a value is not allowed.
    #[inline]
    fn record(&self, row: usize) -> Option<DayRecord> {
        let count = u32::try_from(*self.counts.get(row)?)
            .ok()
            .filter(|count| *count > 0)?;
        let amount = Amount::new(*self.amounts.get(row)?).ok()?;
        let day = Day::new(*self.days.get(row)?).filter(|day| day.is_in_years())?;
        Some(DayRecord {
            amount,
            day,
            count,
            kind: 0,
        })
    }
}

fn values<'a, T: ArrowPrimitiveType>(
    batch: &'a RecordBatch,
    column: &str,
) -> Option<&'a [T::Native]> {
    let array = batch.column_by_name(column)?.as_primitive_opt::<T>()?;
    (array.null_count() == 0).then(|| array.values().as_ref())
}

/// The views of a text column without nulls: equal ones stand for equal texts. None for other columns.
fn views<'a>(batch: &'a RecordBatch, column: &str) -> &'a [u128] {
    let array = batch
        .column_by_name(column)
        .and_then(|array| array.as_string_view_opt());
    array
        .filter(|array| array.null_count() == 0)
        .map_or(&[], |array| array.views())
}

/// The numbers of the kinds of one batch, found by their views.
#[derive(Default)]
pub(crate) struct KnownKinds {
    known: Vec<(u128, u16)>,
}

impl KnownKinds {
    /// The number that the builder gives to the kind of a row.
    #[inline]
    pub(crate) fn number(
        &mut self,
        rows: &Rows<'_>,
        row: usize,
        builder: &mut HistoriesBuilder,
    ) -> Result<u16, HistoryError> {
        let Some(view) = rows.kind_views.get(row) else {
            return builder.kind(rows.kind(row)?);
        };
        if let Some((_, number)) = self.known.iter().find(|(known, _)| known == view) {
            return Ok(*number);
        }
        let number = builder.kind(rows.kind(row)?)?;
        if self.known.len() < SEARCHED_KINDS {
            self.known.push((*view, number));
        }
        Ok(number)
    }
}

impl<'a> Rows<'a> {
    pub(crate) fn new(
        path: &'a Path,
        batch: &'a RecordBatch,
        rows_before: u64,
    ) -> Result<Self, HistoryError> {
        let find = |column: &'static str| -> Result<Option<Column<'a>>, HistoryError> {
            let Some(array) = batch.column_by_name(column) else {
                return Ok(None);
            };
            let column_of = Column::new(array.as_ref());
            column_of.map(Some).ok_or_else(|| HistoryError::Rollup {
                path: path.to_owned(),
                row: None,
                column,
                problem: format!(
                    "has the type {}, which a roll-up cannot hold",
                    array.data_type()
                ),
            })
        };
        let missing = |column| HistoryError::Rollup {
            path: path.to_owned(),
            row: None,
            column,
            problem: "missing".to_owned(),
        };
        let required = |column| find(column)?.ok_or_else(|| missing(column));
        Ok(Self {
            path,
            rows_before,
            user: required("user")?,
            day: required("day")?,
            kind: required("kind")?,
            count: required("count")?,
            amount: find(AMOUNT)?,
            plain: Plain::of(batch),
            user_views: views(batch, "user"),
            kind_views: views(batch, "kind"),
        })
    }

    /// Whether the row is known to be of the same user as the row before in the batch.
    #[inline]
    pub(crate) fn repeats_user(&self, row: usize) -> bool {
        let view = |row: usize| self.user_views.get(row);
        row.checked_sub(1)
            .and_then(view)
            .is_some_and(|before| view(row) == Some(before))
    }

    fn refuse(
        &self,
        row: usize,
        column: &'static str,
        found: Cell<'_>,
        expected: &str,
    ) -> HistoryError {
        let found = match found {
            Cell::Text(text) => format!("`{}`", text.chars().take(80).collect::<String>()),
            Cell::Null => "null".to_owned(),
            other => other.to_string(),
        };
        HistoryError::Rollup {
            path: self.path.to_owned(),
            row: Some(self.rows_before + row as u64 + 1),
            column,
            problem: format!("{found} is not {expected}"),
        }
    }

    /// All of a row but its user and kind, whose numbers are only given to rows that are kept.
    #[inline]
    pub(crate) fn record(&self, row: usize) -> Result<DayRecord, HistoryError> {
        match self.plain.as_ref().and_then(|plain| plain.record(row)) {
            Some(record) => Ok(record),
            None => self.any_record(row),
        }
    }

    /// The same for all types, and for what is not allowed.
    fn any_record(&self, row: usize) -> Result<DayRecord, HistoryError> {
        let cell = self.day.cell(row);
        let day = day(cell).ok_or_else(|| {
            self.refuse(row, "day", cell, "a day: a date, or a time at midnight UTC")
        })?;
        if !day.is_in_years() {
            let expected = format!("a day of the years {} to {}", YEARS.start(), YEARS.end());
            return Err(self.refuse(row, "day", cell, &expected));
        }
        let cell = self.count.cell(row);
        let count = whole(cell)
            .and_then(|count| u32::try_from(count).ok())
            .filter(|count| *count > 0);
        let count = count.ok_or_else(|| {
            self.refuse(row, "count", cell, "a whole number from 1 to 4294967295")
        })?;
        let cell = self
            .amount
            .as_ref()
            .map_or(Cell::Null, |amount| amount.cell(row));
        let amount = amount(cell).ok_or_else(|| {
            self.refuse(
                row,
                AMOUNT,
                cell,
                &format!("a finite number of at most {AMOUNT_LIMIT:e}"),
            )
        })?;
        Ok(DayRecord {
            amount,
            day,
            count,
            kind: 0,
        })
    }

    pub(crate) fn user<'s>(
        &'s self,
        row: usize,
        text: &'s mut String,
    ) -> Result<&'s str, HistoryError> {
        let cell = self.user.cell(row);
        text.clear();
        match cell {
            Cell::Text(user) if !user.is_empty() => Ok(user),
            _ => match cell.write_id(text) {
                Ok(()) => Ok(text),
                Err(NoId::Inexact) => Err(self.refuse(row, "user", cell, INEXACT_USER)),
                Err(NoId::Empty | NoId::Type) => Err(self.refuse(
                    row,
                    "user",
                    cell,
                    "a user id: text that is not empty, or a number",
                )),
            },
        }
    }

    fn kind(&self, row: usize) -> Result<&str, HistoryError> {
        match self.kind.cell(row) {
            Cell::Text(kind) if !kind.is_empty() => Ok(kind),
            cell => Err(self.refuse(row, "kind", cell, "a kind of event: text that is not empty")),
        }
    }
}

fn day(cell: Cell<'_>) -> Option<Day> {
    match cell {
        Cell::Day(number) => Day::new(number),
        Cell::Text(text) => {
            let midnight = ["T00:00:00", " 00:00:00"]
                .iter()
                .find_map(|time| text.strip_suffix(time));
            match midnight.unwrap_or(text).parse() {
                Ok(day) | Err(HistoryError::DayOutOfRange { day }) => Some(day),
                Err(_) => None,
            }
        }
        Cell::Time { ticks, per_s, .. } => {
            let per_day = per_s * 86_400;
            (ticks % per_day == 0)
                .then(|| i32::try_from(ticks / per_day).ok().and_then(Day::new))?
        }
        _ => None,
    }
}

/// The whole number in a cell, whatever its type: some tools make floating-point numbers of counts.
fn whole(cell: Cell<'_>) -> Option<i128> {
    match cell {
        Cell::Int(value) => Some(i128::from(value)),
        Cell::Uint(value) => Some(i128::from(value)),
        Cell::Float(_) | Cell::Single(_) => {
            let value = cell
                .number()
                .filter(|value| value.fract() == 0.0 && !cell.is_inexact())?;
            Some(value as i128)
        }
        Cell::Decimal {
            unscaled,
            scale: scale @ ..=0,
        } => unscaled.checked_mul(10_i128.checked_pow(u32::from(scale.unsigned_abs()))?),
        Cell::Decimal { unscaled, scale } => {
            let one = 10_i128.checked_pow(u32::from(scale.unsigned_abs()))?;
            (unscaled % one == 0).then_some(unscaled / one)
        }
        _ => None,
    }
}

/// The amount in a cell; decimals of up to six places are held exactly, also where a double could not.
fn amount(cell: Cell<'_>) -> Option<Amount> {
    match cell {
        Cell::Null => Some(Amount::default()),
        Cell::Decimal {
            unscaled,
            scale: scale @ 0..=6,
        } => {
            let micros = unscaled.checked_mul(10_i128.pow(6 - scale as u32))?;
            i64::try_from(micros).ok().map(Amount)
        }
        other => Amount::new(other.number()?).ok(),
    }
}
