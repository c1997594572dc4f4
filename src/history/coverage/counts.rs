//! How many users each day has, in all and by kind.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::history::{Day, Histories, HistoryError};

/// Kinds that are counted by themselves, those of [`DailyCounts::of`]'s `named` first and then the most frequent.
const KINDS: usize = 128;

/// Blocks of users that one thread counts at a time.
const SPAN_BLOCKS: usize = 64;

/// On each day, how many users did something of each kind.
///
/// Users are counted instead of events, so that one broken client that sends a thousand rows is one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DailyCounts {
    /// Users by kind and day.
    kinds: BTreeMap<String, BTreeMap<Day, u64>>,
    /// Users by day, added up over all kinds.
    all: BTreeMap<Day, u64>,
}

impl DailyCounts {
    /// Counts the users of each day; `named` are kinds that must be counted by themselves however rare they are.
    ///
    /// # Errors
    /// [`HistoryError`] where histories on disk cannot be read.
    pub fn of(histories: &Histories, named: &[&str]) -> Result<Self, HistoryError> {
        let Some((first, last)) = histories.span() else {
            return Ok(Self::default());
        };
        let rows = Rows::new(histories, named, first, last);
        let mut counted = vec![0_u64; rows.cells()];
        histories.stream_spans::<Vec<u32>, HistoryError>(
            SPAN_BLOCKS,
            |span| {
                let mut cells = vec![0_u32; rows.cells()];
                span.for_each::<HistoryError>(|_, history| {
                    for record in history.records() {
                        cells[rows.cell(record.kind, record.day)] += 1;
                    }
                    Ok(())
                })?;
                Ok(cells)
            },
            |cells| {
                counted
                    .iter_mut()
                    .zip(cells)
                    .for_each(|(sum, more)| *sum += u64::from(more));
                Ok(())
            },
        )?;
        Ok(rows.collect(histories.kinds(), &counted))
    }

    /// The counts of these kinds and no others.
    pub fn from_kinds(kinds: BTreeMap<String, BTreeMap<Day, u64>>) -> Self {
        let mut counts = Self {
            kinds,
            all: BTreeMap::new(),
        };
        counts.all = counts.of_kinds(counts.kinds());
        counts
    }

    /// Users by day, added up over all kinds.
    pub fn all(&self) -> &BTreeMap<Day, u64> {
        &self.all
    }

    /// Users by day, added up over these kinds.
    pub fn of_kinds<'k>(&self, kinds: impl IntoIterator<Item = &'k str>) -> BTreeMap<Day, u64> {
        let mut sum: BTreeMap<Day, u64> = BTreeMap::new();
        for counts in kinds.into_iter().filter_map(|kind| self.kinds.get(kind)) {
            counts
                .iter()
                .for_each(|(day, users)| *sum.entry(*day).or_default() += users);
        }
        sum
    }

    /// The kinds that were counted by themselves.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.kinds.keys().map(String::as_str)
    }
}

/// Which cell of a table a record is counted in: a row for each kind, the last for the kinds that have none.
struct Rows {
    row_of_kind: Vec<usize>,
    rows: usize,
    first: Day,
    days: usize,
}

impl Rows {
    fn new(histories: &Histories, named: &[&str], first: Day, last: Day) -> Self {
        let totals = histories.totals().kinds();
        let mut order: Vec<usize> = (0..histories.kinds().len()).collect();
        let events = |kind: usize| totals[kind].events;
        let is_named = |kind: usize| named.contains(&histories.kinds()[kind].as_str());
        order.sort_by_key(|kind| (!is_named(*kind), std::cmp::Reverse(events(*kind)), *kind));
        let rows = order.len().min(KINDS.max(named.len()));
        let mut row_of_kind = vec![rows; order.len()];
        for (row, kind) in order.iter().take(rows).enumerate() {
            row_of_kind[*kind] = row;
        }
        Self {
            row_of_kind,
            rows,
            first,
            days: last.since(first).unsigned_abs() as usize + 1,
        }
    }

    fn cells(&self) -> usize {
        (self.rows + 1) * self.days
    }

    fn cell(&self, kind: u16, day: Day) -> usize {
        let row = self.row_of_kind[usize::from(kind)];
        row * self.days + day.since(self.first).unsigned_abs() as usize
    }

    fn collect(&self, names: &[String], counted: &[u64]) -> DailyCounts {
        let mut counts = DailyCounts::default();
        for (row, cells) in counted.chunks(self.days.max(1)).enumerate() {
            let days = cells.iter().enumerate().filter(|(_, users)| **users > 0);
            let days: BTreeMap<Day, u64> = days
                .map(|(at, users)| (self.first.plus(at as i32), *users))
                .collect();
            days.iter()
                .for_each(|(day, users)| *counts.all.entry(*day).or_default() += users);
            let kind = self
                .row_of_kind
                .iter()
                .position(|of_kind| *of_kind == row && row < self.rows);
            if let Some(name) = kind.and_then(|kind| names.get(kind)) {
                counts.kinds.insert(name.clone(), days);
            }
        }
        counts
    }
}
