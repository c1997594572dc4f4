//! What becomes of the rows that one thread reads: the events that are kept, and the counts of all others.

use std::collections::BTreeMap;

use super::EventsError;
use super::config::{EventsConfig, Mapping, OnBadRow, OnStray};
use super::mapping::field::{Row, Stop};
use super::mapping::mapper::{DatedRow, Event};
use super::quality::rejection::{Rejection, RejectionReason};
use super::quality::report::{PLACES_SHOWN, RejectedRows, RowLocation};
use crate::events::config::Field;
use crate::history::{
    Amount, Day, DayBounds, DayRecord, HistoriesBuilder, HistoryError, Placement, RollupRead,
    Stray, Users,
};

/// Takes in the rows that one thread reads and counts what is kept and what is not.
pub(crate) struct RowSink<'c> {
    config: &'c EventsConfig,
    builder: HistoriesBuilder,
    days: DayBounds,
    users: Users,
    counts: Counts,
    /// The file of the chunk at hand, as reports show it.
    file: String,
    chunk: ChunkNotes,
}

/// What is counted, in whatever order.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) events: u64,
    pub(crate) rows_after_as_of: u64,
    pub(crate) rows_filtered_by_user: u64,
    pub(crate) empty_amounts: u64,
    /// The first and last day of all rows that have one, kept or not.
    pub(crate) span: Option<(Day, Day)>,
    /// Events below zero by kind.
    pub(crate) negative: BTreeMap<String, u64>,
}

/// What depends on the order of rows, or is compared with all others.
#[derive(Default)]
pub(crate) struct ChunkNotes {
    pub(crate) rejected: Vec<RejectedRows>,
    /// The hashes of rows that are compared for duplicates.
    pub(crate) hashes: Vec<u64>,
}

impl Counts {
    /// Adds what another thread has counted.
    pub(crate) fn merge(&mut self, other: Self) {
        self.events += other.events;
        self.rows_after_as_of += other.rows_after_as_of;
        self.rows_filtered_by_user += other.rows_filtered_by_user;
        self.empty_amounts += other.empty_amounts;
        if let Some((first, last)) = other.span {
            self.widen(first, last);
        }
        for (kind, events) in other.negative {
            *self.negative.entry(kind).or_default() += events;
        }
    }

    fn widen(&mut self, from: Day, to: Day) {
        let (first, last) = self.span.unwrap_or((from, to));
        self.span = Some((first.min(from), last.max(to)));
    }

    fn add_negative(&mut self, kind: &str) {
        // Most kinds are there already, and need no copy of their name.
        match self.negative.get_mut(kind) {
            Some(events) => *events += 1,
            None => drop(self.negative.insert(kind.to_owned(), 1)),
        }
    }
}

impl<'c> RowSink<'c> {
    pub(crate) fn new(
        config: &'c EventsConfig,
        builder: HistoriesBuilder,
        days: DayBounds,
        users: Users,
    ) -> Self {
        Self {
            config,
            builder,
            days,
            users,
            counts: Counts::default(),
            file: String::new(),
            chunk: ChunkNotes::default(),
        }
    }

    /// Begins a chunk of the file that reports show as `file`.
    pub(crate) fn begin_chunk(&mut self, file: &str) {
        if self.file != file {
            file.clone_into(&mut self.file);
        }
    }

    /// Takes in a row that starts on the line that `line` computes: keeps its event, or counts why not.
    ///
    /// # Errors
    /// [`EventsError`] where the row is rejected or set aside and the configuration says to stop, and where the event cannot
    /// be held.
    #[inline]
    pub(crate) fn take(
        &mut self,
        row: Result<DatedRow<'_, impl Row>, Stop>,
        line: impl FnOnce() -> u64,
    ) -> Result<(), EventsError> {
        match row.and_then(|row| self.take_dated(row)) {
            Ok(()) => Ok(()),
            Err(Stop::Rejected(rejection)) => self.reject(rejection, line),
            Err(Stop::Failed(error)) => Err(*error),
        }
    }

    #[inline]
    fn take_dated(&mut self, row: DatedRow<'_, impl Row>) -> Result<(), Stop> {
        let day = row.day;
        match self.place(day) {
            Placement::Seen => Ok(self.keep(row.event()?)?),
            Placement::AfterAsOf => Ok(()),
            Placement::Stray(stray) => Err(self.stray(stray, day).into()),
        }
    }

    /// What becomes of a row of this day.
    pub(crate) fn placement(&self, day: Day) -> Placement {
        self.days.place(day)
    }

    /// The same, and counts the row unless it is set aside.
    fn place(&mut self, day: Day) -> Placement {
        let placement = self.days.place(day);
        if let Placement::Stray(_) = placement {
            return placement;
        }
        // Rows after the as-of day count too: where no event is left, the span says which as-of day to choose.
        self.counts.widen(day, day);
        self.counts.rows_after_as_of += u64::from(placement == Placement::AfterAsOf);
        placement
    }

    /// Why a row is set aside.
    fn stray(&self, stray: Stray, day: Day) -> Rejection {
        let days = self.days.describe();
        let expected = match stray {
            Stray::InTheFuture => format!("{days}, since later days have not come yet"),
            _ => format!("{days}, which the log covers"),
        };
        Rejection {
            reason: stray.into(),
            field: Field::Time,
            value: day.to_string(),
            expected: expected.into(),
        }
    }

    /// Notes the hash of a row's raw fields, to be compared with those of all others.
    pub(crate) fn compare(&mut self, hash: u64) {
        self.chunk.hashes.push(hash);
    }

    fn keep(&mut self, event: Event<'_>) -> Result<(), HistoryError> {
        let Event {
            user,
            day,
            kind,
            amount,
        } = event;
        if !self.users.has(user) {
            self.counts.rows_filtered_by_user += 1;
            return Ok(());
        }
        // Numbered only here: a kind that only rows of other users have is none of this log.
        let number = self.builder.kind(kind)?;
        self.add(user, day, number, amount, || kind)
    }

    /// The number of a kind.
    pub(crate) fn kind(&mut self, name: &str) -> Result<u16, HistoryError> {
        self.builder.kind(name)
    }

    /// Counts a row on or after the as-of day.
    pub(crate) fn pass_over(&mut self, day: Day) {
        self.place(day);
    }

    /// Keeps one event before the as-of day, whose kind has this number; `false` when the amount is not one that can be
    /// held, and nothing was done.
    pub(crate) fn keep_numbered<'n>(
        &mut self,
        user: &str,
        day: Day,
        kind: u16,
        amount: Option<f64>,
        name: impl FnOnce() -> &'n str,
    ) -> Result<bool, HistoryError> {
        let Ok(amount) = amount.map(Amount::new).transpose() else {
            return Ok(false);
        };
        self.place(day);
        if !self.users.has(user) {
            self.counts.rows_filtered_by_user += 1;
            return Ok(true);
        }
        self.add(user, day, kind, amount, name)?;
        Ok(true)
    }

    #[inline]
    fn add<'n>(
        &mut self,
        user: &str,
        day: Day,
        kind: u16,
        amount: Option<Amount>,
        name: impl FnOnce() -> &'n str,
    ) -> Result<(), HistoryError> {
        self.counts.empty_amounts += u64::from(amount.is_none());
        let amount = amount.unwrap_or_default();
        if amount < Amount::default() {
            self.counts.add_negative(name());
        }
        let record = DayRecord {
            amount,
            day,
            count: 1,
            kind,
        };
        self.builder.add(user, record)?;
        self.counts.events += 1;
        Ok(())
    }

    /// Counts a row that is rejected as a whole. What was found and expected is described only where the row is shown.
    pub(crate) fn reject_row(
        &mut self,
        reason: RejectionReason,
        line: u64,
        describe: impl FnOnce() -> (String, String),
    ) -> Result<(), EventsError> {
        if self.reject_unseen(reason) {
            return Ok(());
        }
        let (value, expected) = describe();
        let rejection = Rejection {
            reason,
            field: Field::Row,
            value,
            expected: expected.into(),
        };
        self.show(rejection, line)
    }

    /// Counts a rejected row.
    pub(crate) fn reject(
        &mut self,
        rejection: Rejection,
        line: impl FnOnce() -> u64,
    ) -> Result<(), EventsError> {
        // The line is counted, and the column named, only for rows that are shown.
        if self.reject_unseen(rejection.reason) {
            Ok(())
        } else {
            self.show(rejection, line())
        }
    }

    /// Counts a rejected row if enough rows of its reason are shown already, so that it need not be described.
    fn reject_unseen(&mut self, reason: RejectionReason) -> bool {
        let rejected = self.chunk.rejected.iter_mut().find(|r| r.reason == reason);
        match rejected {
            Some(rejected) if rejected.first.len() >= PLACES_SHOWN => {
                rejected.rows += 1;
                true
            }
            _ => false,
        }
    }

    fn show(&mut self, rejection: Rejection, line: u64) -> Result<(), EventsError> {
        let column = self.config.mapping(rejection.field).map(Mapping::label);
        self.show_column(rejection, line, column.unwrap_or_default())
    }

    /// Counts a rejected row and shows it; an error where the configuration wants one.
    fn show_column(
        &mut self,
        rejection: Rejection,
        line: u64,
        column: String,
    ) -> Result<(), EventsError> {
        let Rejection {
            reason,
            value,
            expected,
            ..
        } = rejection;
        let place = RowLocation::new(&self.file, line, column, &value, &expected);
        if reason.is_stray() {
            if self.config.stray == OnStray::Fail {
                return Err(EventsError::Stray { reason, place });
            }
        } else if self.config.on_bad_row == OnBadRow::Fail {
            return Err(EventsError::Rejected { reason, place });
        }
        let rejected = self.chunk.of_reason(reason);
        rejected.rows += 1;
        if rejected.first.len() < PLACES_SHOWN {
            rejected.first.push(place);
        }
        Ok(())
    }

    /// What the reader of roll-ups adds its rows to, and which days and users are read.
    pub(crate) fn rollup_target(&mut self) -> (&mut HistoriesBuilder, DayBounds, Users) {
        (&mut self.builder, self.days, self.users)
    }

    /// Counts what was read from a roll-up.
    pub(crate) fn count_rollup(&mut self, read: &RollupRead) -> Result<(), EventsError> {
        self.counts.events += read.events;
        self.counts.rows_after_as_of += read.rows_after_until;
        self.counts.rows_filtered_by_user += read.rows_filtered_by_user;
        if let Some((first, last)) = read.span {
            self.counts.widen(first, last);
        }
        for (stray, rows) in &read.strays {
            for (row, day) in &rows.first {
                self.show_column(self.stray(*stray, *day), *row, "day".to_owned())?;
            }
            // The reader of roll-ups lists the first rows only, and counts the others.
            let others = rows.rows.saturating_sub(rows.first.len() as u64);
            self.chunk.of_reason((*stray).into()).rows += others;
        }
        Ok(())
    }

    /// What was noted of the chunk, which is over.
    pub(crate) fn end_chunk(&mut self) -> ChunkNotes {
        std::mem::take(&mut self.chunk)
    }

    /// Hands the events over; what was counted.
    pub(crate) fn close(self) -> Result<Counts, HistoryError> {
        self.builder.close()?;
        Ok(self.counts)
    }
}

impl ChunkNotes {
    /// The rows rejected for a reason.
    fn of_reason(&mut self, reason: RejectionReason) -> &mut RejectedRows {
        RejectedRows::of_reason(&mut self.rejected, reason)
    }
}
